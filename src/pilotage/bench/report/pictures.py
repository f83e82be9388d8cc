"""The pictures of the report: cost against computing time, and trajectories of the median and the worst seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...core.arrays import Array
from ...core.errors import PilotageError
from ..benchmark_task import benchmark_task
from ..run import Row
from .markup import Html, picture, tag

PANELS = 6
"""Largest number of components of the state that are drawn; those of the action are drawn too, up to as many."""


def cost_time(lines: Sequence[Mapping[str, Any]], members: Mapping[str, Sequence[Row]]) -> Html:
    """The mean cost of each controller of a group against the time of a decision."""
    from ...viz import CostPoint, plot_cost_time, svg

    points = [
        CostPoint(
            line["controller"], members[line["controller"]][0].run.controller, line["solve_median"], *line["cost"]
        )
        for line in lines
        if line["cost"] is not None and line["solve_median"]
    ]
    if not points:
        return tag("p", "No controller came to its end.", class_="note")
    best = {row.run.seed: row.optimum for rows in members.values() for row in rows if row.optimum is not None}
    drawn = svg(plot_cost_time(points, optimum=float(np.mean([*best.values()])) if best else None))
    left = [line["controller"] for line in lines if line["cost"] is None]
    without = f" Without cost: {', '.join(left)}." if left else ""
    said = f"Cost against computing time. Rings mark the Pareto front.{without}"
    return tag("figure", picture(drawn, said), tag("figcaption", said))


def trajectories(members: Mapping[str, Sequence[Row]]) -> Html:
    """The trajectories of the median and the worst seed of each controller of a group."""
    return tag(
        "div",
        *(_figure(kind, {name: _chosen(rows, kind) for name, rows in members.items()}) for kind in ("median", "worst")),
    )


def _chosen(rows: Sequence[Row], kind: str) -> Row:
    order = sorted(rows, key=lambda row: row.cost)
    return order[len(order) // 2 if kind == "median" else -1]


def _figure(kind: str, chosen: Mapping[str, Row]) -> Html:
    from ...viz import plot_trajectories, svg

    moved = {f"{name}, seed {row.run.seed}": row for name, row in chosen.items() if len(row.states)}
    said = f"The {kind} seed of each controller."
    if not moved:
        return tag("p", f"{said} None has a trajectory.", class_="note")
    labels, dt = _named(max(moved.values(), key=lambda row: len(row.actions)))
    drawn = {name: _values(row, dt or 1.0, len(labels)) for name, row in moved.items()}
    figure = plot_trajectories(drawn, labels, time="t [s]" if dt else "tick")
    return tag("figure", picture(svg(figure), said), tag("figcaption", said))


def _values(row: Row, dt: float, count: int) -> tuple[Array, Array]:
    """Times, and states and actions side by side, NaN for none; an episode has one action less than states."""
    x, both = row.states[:, :PANELS], np.full((len(row.states), count), np.nan)
    both[:, : x.shape[1]] = x
    if len(row.actions):
        both[: len(row.actions), x.shape[1] :] = row.actions[:, :PANELS]
    both[np.isinf(both)] = np.nan
    return dt * row.stride * np.arange(len(x), dtype=np.float64), both


def _named(row: Row) -> tuple[list[str], float | None]:
    """The components of states and actions, and the length of a tick; numbered if the task cannot be made here."""
    try:
        found = benchmark_task(row.run.task)
    except PilotageError:
        counts = ("state", row.states.shape[-1]), ("action", row.actions.shape[-1])
        return [f"{kind} {i}" for kind, count in counts for i in range(min(count, PANELS))], None
    plant = found.plant
    return [
        f"{name} [{unit}]" if unit else name
        for space in (plant.state, plant.action)
        for name, unit in list(zip(space.names, space.units))[:PANELS]
    ], found.task.dt
