"""The geometry of spaces as traced functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from ...core.space import Space
from .function import SPACE, Function, Input, Value, matrix, vector
from .graph import Graph
from .tracer import SymbolicMath


@lru_cache(maxsize=512)
def space_function(space: Space) -> Function:
    """``a (+) b``, ``a (-) b``, the transport from a to b, and the reframing from b to a by either side, of a space.

    Example:
        >>> import numpy as np
        >>> space_function(Space("yaw: angle"))("minus D", np.array([3.0]), np.array([1.0]))
        (array([2.]), array([[-1.]]))
    """
    graph = Graph()
    m: Any = SymbolicMath(graph)
    a, b, d = graph.inputs("a", space.size), graph.inputs("b", space.size), graph.inputs("b", space.dim)
    plus = [graph.lift(e) for e in space.components_plus(a, d, m)]
    minus = [graph.lift(e) for e in space.components_minus(a, b, m)]

    def square(rows: Any) -> Callable[[Function], Value]:
        """The value that is made, when it is wanted, of the rows of a matrix."""
        return lambda _: matrix([[graph.lift(e) for e in row] for row in rows(a, b, m)], space.dim)

    values = {"plus": vector(plus, space), "minus": vector(minus), "transport": square(space.components_transport)}
    for side in ("right", "left"):
        values[f"reframed_{side}"] = square(partial(space.components_reframed, side))
    return Function(SPACE, "space", graph, {"a": Input(space, a), "b": Input(space, b)}, values)
