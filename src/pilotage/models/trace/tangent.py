"""Tracing through a space: its operations as source, and derivatives between tangents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.space import Space
from .derivative import derivative, substitute
from .expression import Expr
from .graph import reachable
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
    graph, order = y[0].graph, reachable(y)
    columns = [derivative(y, direction, order) for direction in directions]
    if not space.linear:
        m: Any = SymbolicMath(graph)
        near = [graph.input("near", i) for i in range(space.size)]
        away = [graph.lift(e) for e in space.components_minus(near, y, m)]
        here = dict(zip(near, y, strict=True))
        columns = [substitute(derivative(away, dict(zip(near, dy, strict=True))), here) for dy in columns]
    return [[column[i] for column in columns] for i in range(space.dim)]
