"""The tracer: runs a model once on symbols and keeps the computation as a hash-consed graph.

A model is a function of scalar components and a namespace of mathematics. Called with symbols instead of numbers it
leaves behind a graph of scalar operations, from which `emit` writes straight-line source and `derivative` makes the
exact Jacobian. Equal subexpressions exist once (hash-consing), constants fold, and what no output needs is never
written.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from ...core.errors import ModelError
from .expression import OURS, Expr, where_called
from .graph import BINARY, OTHERS, UNARY, Graph

UNROLLED = 64
"""Products of a matrix of at most so many entries are written out, so that what is zero or shared falls away."""


class RasterSymbol:
    """A `Raster` parameter inside a trace: where its header starts in the parameter vector."""

    def __init__(self, group: str, header: int) -> None:
        self.group = group
        self.header = header


class SymbolicMath:
    """The namespace `m` while a model is traced: each function makes a node.

    Example:
        >>> m = SymbolicMath(Graph())
        >>> a, b = m.graph.inputs("x", 2)
        >>> m.sin(a + b), m.sin(b + a) is m.sin(a + b), m.sin(0.0)
        (sin(add(x[0], x[1])), True, 0.0)
    """

    pi = math.pi

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __getattr__(self, name: str) -> Callable[..., Expr]:
        if name in UNARY or name in BINARY:
            return partial(self._made, name)
        if name.startswith("__"):
            raise AttributeError(name)  # what copying and inspecting ask for is no function of a model
        known = ", ".join(sorted([*UNARY, *BINARY, *OTHERS]))
        hint = f"; write m.{OURS[name]}" if name in OURS else ""
        raise ModelError(f"{where_called()} calls m.{name}, which is no function of models; there are {known}{hint}")

    def _made(self, name: str, *args: Any) -> Expr:
        count = 1 if name in UNARY else 2
        if len(args) != count:
            raise ModelError(f"{where_called()} gives m.{name} {len(args)} values; it takes {count}")
        return self.graph.node(BINARY.get(name, name), *args)

    def clip(self, x: Any, low: Any, high: Any) -> Expr:
        return self.graph.node("min", self.graph.node("max", x, low), high)

    def where(self, condition: Any, a: Any, b: Any) -> Expr:
        return self.graph.where(condition, a, b)

    def lookup(self, raster: Any, x: Any, y: Any) -> Expr:
        return self._read("lookup(p.name, x, y)", raster, x, y, 0)

    def lookup_slope(self, raster: Any, x: Any, y: Any, axis: int) -> Expr:
        if axis not in (0, 1):
            raise ModelError(f"{where_called()} asks for the slope along axis {axis!r}; 0 is x and 1 is y")
        return self._read("lookup_slope(p.name, x, y, axis)", raster, x, y, 1 + axis)

    def affine(self, A: Any, x: Any, b: Any = None) -> list[Expr]:
        """``A x + b``: a loop over a matrix that is a parameter, or sums where it is small or made of other values."""
        rows, xs = [[*row] for row in A], self.graph.numbers(x)
        count = {len(row) for row in rows}
        if count != {len(xs)} or (b is not None and len(b) != len(rows)):
            raise ModelError(
                f"{where_called()} multiplies a matrix of {len(rows)} rows with {sorted(count)} entries by {len(xs)} "
                f"values{'' if b is None else f' and adds {len(b)} numbers'}; m.affine(A, x, b) takes (m, n), n and m"
            )
        place = _adjacent([e for row in rows for e in row])
        bias = -1 if b is None else (_adjacent(b) or (None, None))[1]
        if place is None or bias is None or len(rows) * len(xs) <= UNROLLED:
            offsets = [0.0] * len(rows) if b is None else b
            return [self.graph.lift(sum((a * v for a, v in zip(row, xs)), o)) for row, o in zip(rows, offsets)]
        return self.graph.affine((*place, len(rows), len(xs), bias), xs)

    def _read(self, call: str, raster: Any, x: Any, y: Any, order: int) -> Expr:
        if not isinstance(raster, RasterSymbol):
            name = call.split("(")[0]
            hint = "; of a grid, give grid.distance_field()" if hasattr(raster, "distance_field") else ""
            raise ModelError(f"m.{name} reads a Raster that is a parameter of the model: m.{call}{hint}")
        return self.graph.node("lookup", x, y, value=(raster.group, raster.header, order))


def _adjacent(values: Any) -> tuple[str, int] | None:
    """Where parameters that lie one after another begin; None if they do not."""
    inputs = [e.value for e in values if isinstance(e, Expr) and e.op == "input" and e.value[0] == "p"]
    if len(inputs) < len(values) or any(e != ("p", inputs[0][1] + k) for k, e in enumerate(inputs)):
        return None
    return inputs[0]
