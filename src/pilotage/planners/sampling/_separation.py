"""A proof on the map that no path exists: even a disc in the robot cannot get from the start to the goal."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.problem import Problem
from ...core.space import Space
from ...maps import FootprintConstraint


def separation(problem: Problem, reach: float) -> str:
    """A sentence that says that the goal is in another component of the map; empty if that is not proven.

    The disc around the robot's origin that lies in one of its discs has radius r. It can only be in cells with a point
    farther than r from all obstacles, and moves between cells that touch. A state within `reach` [m] of a goal is one.
    """
    constraint = problem.constraint
    if not isinstance(constraint, FootprintConstraint):
        return ""
    from scipy import ndimage  # heavy, and only failures need it

    obstacles, places = constraint.obstacles, constraint.pose[:2]
    grid: Any = obstacles.grid
    inner = max(max(r - np.hypot(x, y) for x, y, r in constraint.footprint.discs), 0.0)
    passable = obstacles.depth[1:-1, 1:-1] + np.sqrt(0.5) > inner / grid.resolution
    labels = np.empty(passable.shape, dtype=np.int32)
    ndimage.label(passable, np.ones((3, 3)), output=labels)

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
