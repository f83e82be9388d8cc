"""Tracing through a space: its operations as source, and derivatives between tangents."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ...core.space import Space
from .derivative import derivative, substitute
from .emit import Signature, in_place
from .expression import Expr
from .graph import Graph
from .tracer import SymbolicMath

Seeds = list[dict[Expr, Expr]]


def seeds(space: Space, x: Sequence[Expr]) -> Seeds:
    """For each tangent direction of `x`, how its components move: d (x (+) delta) / d delta at delta = 0."""
    graph = x[0].graph
    m: Any = SymbolicMath(graph)
    delta = [graph.input("delta", i) for i in range(space.dim)]
    moved = [graph.lift(e) for e in space.components_plus(x, delta, m)]
    origin = dict.fromkeys(delta, graph.zero)
    columns = [substitute(derivative(moved, {d: graph.one}), origin) for d in delta]
    return [{xi: column[i] for i, xi in enumerate(x) if column[i] is not graph.zero} for column in columns]


def tangent_jacobian(space: Space, y: Sequence[Expr], directions: Seeds) -> list[list[Expr]]:
    """d y / d direction in the tangent of `space` at y: rows `space.dim`, a column per direction."""
    graph = y[0].graph
    m: Any = SymbolicMath(graph)
    near = [graph.input("near", i) for i in range(space.size)]
    away = [graph.lift(e) for e in space.components_minus(near, y, m)]
    here = dict(zip(near, y, strict=True))
    columns: list[list[Expr]] = []
    for direction in directions:
        dy = derivative(y, direction)
        columns.append(substitute(derivative(away, dict(zip(near, dy, strict=True))), here))
    return [[column[i] for column in columns] for i in range(space.dim)]


@lru_cache(maxsize=256)
def space_source(slot: str, operation: str, space: Space) -> str:
    """Source of ``state_plus``, ``reading_minus`` and the like for a space."""
    graph = Graph()
    m: Any = SymbolicMath(graph)
    a, labels = graph.inputs("a", space.size), {"a": space.names}
    if operation == "plus":
        result = space.components_plus(a, graph.inputs("d", space.dim), m)
        signature = Signature(slot, ("a", "d"), labels={**labels, "d": space.tangent_names})
    else:
        result = space.components_minus(a, graph.inputs("b", space.size), m)
        signature = Signature(slot, ("a", "b"), labels={**labels, "b": space.names})
    return in_place(signature, [("out", [graph.lift(e) for e in result])])
