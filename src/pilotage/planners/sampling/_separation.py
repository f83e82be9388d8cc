"""A proof on the map that no path exists: even a disc in the robot cannot get from the start to the goal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.problem import Problem
from ...core.space import Space
from ...maps import FootprintConstraint
from ..uncertainty.chance_constraint import ChanceConstraint

BESIDE = np.argwhere(np.ones((3, 3), dtype=np.bool_)) - 1
"""Steps to the cells around a cell, and to itself."""


def separation(problem: Problem, reach: float) -> str:
    """A sentence that says that the goal is in another component of the map; empty if that is not proven.

    The disc around the robot's origin that lies in one of its discs has radius r. It can only be in cells with a point
    farther than r from all obstacles, and moves between cells that touch. A state within `reach` [m] of a goal is one.
    """
    constraint = problem.constraint
    if not isinstance(constraint, FootprintConstraint):
        return ""
    grid, places = constraint.obstacles.grid, constraint.pose[:2]
    labels, inner = _components(constraint, math.sqrt(0.5))

    def component(x: Any) -> Any:
        row, column = np.moveaxis(np.clip(grid.world_to_cell(x[..., places]), 0, np.array(labels.shape) - 1), -1, 0)
        return labels[row, column]

    goals = problem.goals(rng=0)
    here, there = int(component(problem.start)), component(goals)
    if isinstance(problem.goal, Space) and (problem.goal.high > problem.goal.low)[places].any():
        return ""  # other states of the region may be in the same component
    if (there == here).any() or not here:
        return ""
    middles, places = np.argwhere(labels == here)[:, ::-1] + 0.5, grid.world_to_grid(goals[:, places])
    gaps = np.maximum(np.abs(middles - places[:, None]) - 0.5, 0.0) * grid.resolution
    if np.hypot(*np.moveaxis(gaps, -1, 0)).min() <= reach:
        return ""
    areas = [float((labels == label).sum() * grid.resolution**2) for label in (here, int(there.flat[0]))]
    return (
        f"the goal is in another component of the map, even for a disc of {inner:.2f} m: {areas[0]:.2f} m^2 can be "
        f"reached from the start, {areas[1]:.2f} m^2 from the goal"
    )


def connected(problem: Problem, states: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether cells lead from beside states ``(K, n)`` to beside a goal, ``(K,)``; a guess, for the order of tries.

    That disc is clear in the middle of these cells, which touch, by the margin at the start of a chance constraint.
    """
    constraint, margin = problem.constraint, 0.0
    if isinstance(constraint, ChanceConstraint):
        constraint, margin = constraint.inner, float(constraint.margin(problem.start))
    if not isinstance(constraint, FootprintConstraint):
        return np.zeros(len(states), dtype=np.bool_)
    labels, _ = _components(constraint, -margin / constraint.obstacles.grid.resolution)

    def beside(x: Any) -> Any:
        cells = constraint.obstacles.grid.world_to_cell(x[:, constraint.pose[:2]])[:, None] + BESIDE
        row, column = np.moveaxis(np.clip(cells, 0, np.array(labels.shape) - 1), -1, 0)
        return labels[row, column]

    there = beside(problem.goals(rng=0))
    return np.asarray(np.isin(beside(states), there[there > 0]).any(-1))


def _components(constraint: FootprintConstraint, slack: float) -> tuple[NDArray[np.int32], float]:
    """The component of each cell whose middle is clear for the disc in the robot but for a slack [cells]; its radius.

    It is 0 in other cells.
    """
    from scipy import ndimage  # heavy, and only failures and ways out need it

    inner = max(max(r - np.hypot(x, y) for x, y, r in constraint.footprint.discs), 0.0)
    passable = constraint.obstacles.depth[1:-1, 1:-1] + slack > inner / constraint.obstacles.grid.resolution
    labels = np.empty(passable.shape, dtype=np.int32)
    ndimage.label(passable, np.ones((3, 3)), output=labels)
    return labels, inner
