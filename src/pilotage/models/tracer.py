"""The tracer: runs a model once on symbols and keeps the computation as a hash-consed graph.

A model is a function of scalar components and a namespace of mathematics. Called with symbols instead of numbers it
leaves behind a graph of scalar operations, from which `emit` writes straight-line source and `derivative` makes the
exact Jacobian. Equal subexpressions exist once (hash-consing), constants fold, and
what no output needs is never written.
"""

from __future__ import annotations

import linecache
import math
import operator
import sys
from collections.abc import Callable, Container, Sequence
from typing import Any

import numpy as np

from ..core.errors import ModelError


def _sqrt(a: float) -> float:
    return math.sqrt(a) if a >= 0.0 else math.nan


def _sign(a: float) -> float:
    return float((a > 0.0) - (a < 0.0))


FOLD: dict[str, Callable[..., Any]] = {
    "neg": operator.neg,
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "sqrt": _sqrt,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "atan": math.atan,
    "tanh": math.tanh,
    "atan2": math.atan2,
    "abs": abs,
    "floor": math.floor,
    "sign": _sign,
    "min": min,
    "max": max,
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "hypot": math.hypot,
}
"""What can be computed while tracing, when all arguments are constants."""
UFUNCS: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": lambda a, b: a / b,
    "less": operator.lt,
    "greater": operator.gt,
}
"""Arithmetic that numpy numbers begin, as in ``np.float64(2.0) * x``."""
COMMUTES = {"add", "mul", "min", "max", "hypot", "eq", "ne", "and", "or"}


class Expr:
    """One node of a `Graph`: a scalar that is not known yet. Arithmetic on it makes new nodes."""

    __slots__ = ("args", "graph", "index", "op", "value")

    def __init__(self, graph: Graph, index: int, op: str, args: tuple[Expr, ...], value: Any) -> None:
        self.graph = graph
        self.index = index
        self.op = op
        self.args = args
        self.value = value

    def __add__(self, other: Any) -> Expr:
        return self.graph.add(self, self.graph.lift(other))

    def __radd__(self, other: Any) -> Expr:
        return self.graph.add(self.graph.lift(other), self)

    def __sub__(self, other: Any) -> Expr:
        return self.graph.sub(self, self.graph.lift(other))

    def __rsub__(self, other: Any) -> Expr:
        return self.graph.sub(self.graph.lift(other), self)

    def __mul__(self, other: Any) -> Expr:
        return self.graph.mul(self, self.graph.lift(other))

    def __rmul__(self, other: Any) -> Expr:
        return self.graph.mul(self.graph.lift(other), self)

    def __truediv__(self, other: Any) -> Expr:
        return self.graph.div(self, self.graph.lift(other))

    def __rtruediv__(self, other: Any) -> Expr:
        return self.graph.div(self.graph.lift(other), self)

    def __pow__(self, other: Any) -> Expr:
        return self.graph.power(self, other)

    def __rpow__(self, other: Any) -> Expr:
        return self.graph.power(self.graph.lift(other), self)

    def __neg__(self) -> Expr:
        return self.graph.neg(self)

    def __pos__(self) -> Expr:
        return self

    def __abs__(self) -> Expr:
        return self.graph.node("abs", self)

    def __lt__(self, other: Any) -> Expr:
        return self.graph.node("lt", self, self.graph.lift(other))

    def __le__(self, other: Any) -> Expr:
        return self.graph.node("le", self, self.graph.lift(other))

    def __gt__(self, other: Any) -> Expr:
        return self.graph.node("lt", self.graph.lift(other), self)

    def __ge__(self, other: Any) -> Expr:
        return self.graph.node("le", self.graph.lift(other), self)

    def __eq__(self, other: object) -> Expr:  # type: ignore[override]
        return self.graph.node("eq", self, self.graph.lift(other))

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]
        return self.graph.node("ne", self, self.graph.lift(other))

    def __and__(self, other: Any) -> Expr:
        return self.graph.node("and", self, self.graph.lift(other))

    def __or__(self, other: Any) -> Expr:
        return self.graph.node("or", self, self.graph.lift(other))

    def __invert__(self) -> Expr:
        return self.graph.node("not", self)

    def __mod__(self, other: Any) -> Expr:
        b = self.graph.lift(other)
        return self - b * self.graph.node("floor", self / b)

    def __floordiv__(self, other: Any) -> Expr:
        raise ModelError(f"{_where_called()} uses //, which torch cannot differentiate; write m.floor(a / b)")

    __rfloordiv__ = __floordiv__

    def __rmod__(self, other: Any) -> Expr:
        return self.graph.lift(other) % self

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise ModelError(
            f"{_where_called()} decides with `if`, `and`, `or` or `not` on a value that is only known when the model "
            "runs; write m.where(condition, a, b) instead (and & | ~ between conditions)"
        )

    def _refuse(self, *_: Any) -> Any:
        raise ModelError(
            f"{_where_called()} turns a model value into a plain number; use the functions of the namespace, "
            "m.sin(a) instead of math.sin(a), and arithmetic only"
        )

    __float__ = __int__ = __index__ = __iter__ = __len__ = __complex__ = _refuse
    __round__ = __trunc__ = __floor__ = __ceil__ = _refuse

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        plain = UFUNCS.get(ufunc.__name__)
        if method != "__call__" or plain is None or any(np.ndim(a) for a in inputs if not isinstance(a, Expr)):
            raise ModelError(f"{_where_called()} calls np.{ufunc.__name__} on a model value; use m.{ufunc.__name__}")
        a, b = (self.graph.lift(v) for v in inputs)
        return plain(a, b)

    def __repr__(self) -> str:
        return self._text(3)

    def _text(self, depth: int) -> str:
        if self.op == "const":
            return repr(self.value)
        if self.op == "input":
            return f"{self.value[0]}[{self.value[1]}]"
        return f"{self.op}({', '.join(a._text(depth - 1) for a in self.args)})" if depth else f"{self.op}(...)"


def _where_called() -> str:
    """File, line and text of the innermost frame outside this module."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame.f_back is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    name, line = frame.f_code.co_filename, frame.f_lineno
    return f"{name}, line {line} (`{linecache.getline(name, line).strip()}`)"


class Graph:
    """All nodes of one trace. Equal nodes are the same object."""

    def __init__(self) -> None:
        self.nodes: list[Expr] = []
        self._known: dict[Any, Expr] = {}
        self.zero = self.const(0.0)
        self.one = self.const(1.0)

    def _make(self, op: str, args: tuple[Expr, ...], value: Any = None) -> Expr:
        indices = tuple(a.index for a in args)
        key = (op, tuple(sorted(indices)) if op in COMMUTES else indices, value)
        found = self._known.get(key)
        if found is None:
            found = Expr(self, len(self.nodes), op, args, value)
            self.nodes.append(found)
            self._known[key] = found
        return found

    def const(self, value: float) -> Expr:
        value = float(value)
        # 0.0 and -0.0 are one dictionary key, and so is every NaN with itself only: both are told apart by repr.
        key = ("const", repr(value))
        if key not in self._known:
            node = Expr(self, len(self.nodes), "const", (), value)
            self.nodes.append(node)
            self._known[key] = node
        return self._known[key]

    def input(self, group: str, index: int) -> Expr:
        return self._make("input", (), (group, index))

    def inputs(self, group: str, count: int) -> list[Expr]:
        return [self.input(group, i) for i in range(count)]

    def lift(self, value: Any) -> Expr:
        """A number becomes a constant of this graph."""
        if isinstance(value, Expr):
            if value.graph is not self:
                raise ModelError("a value of one trace is used in another; do not keep model values between calls")
            return value
        if not isinstance(value, (str, bytes)):
            try:
                return self.const(float(value))
            except (TypeError, ValueError):
                pass
        raise ModelError(f"a model may combine its values with numbers, not with {type(value).__name__} ({value!r})")

    def node(self, op: str, *args: Any, value: Any = None) -> Expr:
        lifted = tuple(self.lift(a) for a in args)
        if op in FOLD and value is None and all(a.op == "const" for a in lifted):
            return self.const(float(FOLD[op](*(a.value for a in lifted))))
        if op in ("and", "or", "not"):
            known = self._logic(op, lifted)
            if known is not None:
                return known
        if op == "abs" and lifted[0].op == "neg":
            lifted = lifted[0].args
        return self._make(op, lifted, value)

    def _logic(self, op: str, args: tuple[Expr, ...]) -> Expr | None:
        """A condition of which a part is known; None when none is."""
        if op == "not":
            return self.const(float(not args[0].value)) if args[0].op == "const" else None
        for a, b in (args, args[::-1]):
            if a.op == "const":
                return b if bool(a.value) == (op == "and") else self.const(float(op == "or"))
        return None

    def neg(self, a: Expr) -> Expr:
        if a.op == "neg":
            return a.args[0]
        if a.op == "sub":
            return self.sub(a.args[1], a.args[0])
        return self.node("neg", a)

    def add(self, a: Expr, b: Expr) -> Expr:
        if a is self.zero:
            return b
        if b is self.zero:
            return a
        if b.op == "neg":
            return self.sub(a, b.args[0])
        if a.op == "neg":
            return self.sub(b, a.args[0])
        return self.node("add", a, b)

    def sub(self, a: Expr, b: Expr) -> Expr:
        if b is self.zero:
            return a
        if a is b:
            return self.zero
        if a is self.zero:
            return self.neg(b)
        if b.op == "neg":
            return self.add(a, b.args[0])
        return self.node("sub", a, b)

    def mul(self, a: Expr, b: Expr) -> Expr:
        if a is self.zero or b is self.zero:
            return self.zero
        if a is self.one:
            return b
        if b is self.one:
            return a
        if a.op == "neg":
            return self.neg(self.mul(a.args[0], b))
        if b.op == "neg":
            return self.neg(self.mul(a, b.args[0]))
        if a.op == "const" and a.value == -1.0:
            return self.neg(b)
        if b.op == "const" and b.value == -1.0:
            return self.neg(a)
        return self.node("mul", a, b)

    def div(self, a: Expr, b: Expr) -> Expr:
        if b is self.one:
            return a
        if a is self.zero:
            return self.zero
        if b.op == "const" and b.value != 0.0:
            if a.op == "const":
                return self.const(a.value / b.value)
            if math.frexp(b.value)[0] in (0.5, -0.5):
                return self.mul(a, self.const(1.0 / b.value))  # a power of two: the same to the last bit, and cheaper
        return self.node("div", a, b)

    def power(self, a: Expr, exponent: Any) -> Expr:
        b = self.lift(exponent)
        if b.op == "const":
            n = b.value
            if n == 0.5:
                return self.node("sqrt", a)
            if n == int(n) and abs(n) <= 8:
                result = self.one
                for _ in range(abs(int(n))):
                    result = self.mul(result, a)
                return result if n >= 0 else self.div(self.one, result)
        return self._make("pow", (a, b))

    def where(self, c: Any, a: Any, b: Any) -> Expr:
        c, a, b = self.lift(c), self.lift(a), self.lift(b)
        if a is b or (c.op == "const" and c.value):
            return a
        return b if c.op == "const" else self._make("where", (c, a, b))


class RasterSymbol:
    """A `Raster` parameter inside a trace: where its header starts in the parameter vector."""

    def __init__(self, group: str, header: int) -> None:
        self.group = group
        self.header = header


class SymbolicMath:
    """The namespace `m` while a model is traced: each function makes a node."""

    pi = math.pi

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __getattr__(self, name: str) -> Callable[[Any], Expr]:
        if name in UNARY:
            return lambda a: self.graph.node(name, a)
        raise AttributeError(
            f"the mathematics of models has no function {name!r}; it has {', '.join(sorted([*UNARY, *OTHERS]))}"
        )

    def atan2(self, y: Any, x: Any) -> Expr:
        return self.graph.node("atan2", y, x)

    def minimum(self, a: Any, b: Any) -> Expr:
        return self.graph.node("min", a, b)

    def maximum(self, a: Any, b: Any) -> Expr:
        return self.graph.node("max", a, b)

    def clip(self, x: Any, low: Any, high: Any) -> Expr:
        return self.minimum(self.maximum(x, low), high)

    def where(self, condition: Any, a: Any, b: Any) -> Expr:
        return self.graph.where(condition, a, b)

    def hypot(self, x: Any, y: Any) -> Expr:
        return self.graph.node("hypot", x, y)

    def lookup(self, raster: Any, x: Any, y: Any) -> Expr:
        if not isinstance(raster, RasterSymbol):
            raise ModelError("m.lookup reads a Raster that is a parameter of the model: m.lookup(p.name, x, y)")
        return self.graph.node("lookup", x, y, value=(raster.group, raster.header, 0))


UNARY = {
    "sqrt", "exp", "log", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh",
    "abs", "sign", "floor", "wrap",
}  # fmt: skip
OTHERS = {"atan2", "minimum", "maximum", "clip", "where", "hypot", "lookup", "pi"}


def reachable(outputs: Sequence[Expr], known: Container[int] = ()) -> list[int]:
    """Indices of all nodes that the outputs need, arguments first; none that are `known`, nor what only they need."""
    if not outputs:
        return []
    nodes = outputs[0].graph.nodes
    seen: set[int] = set()
    stack = [o.index for o in outputs]
    while stack:
        i = stack.pop()
        if i not in seen and i not in known:
            seen.add(i)
            stack.extend(a.index for a in nodes[i].args)
    return sorted(seen)  # a node is made after its arguments, so the order of making is an order of evaluation
