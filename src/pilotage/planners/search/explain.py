"""Why there is no path, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pilotage.maps import OccupancyGrid

if TYPE_CHECKING:
    from .grid import Query

Array = NDArray[np.float64]


def explain_endpoint(grid: OccupancyGrid, point: Array, cell: Sequence[int], name: str, unknown: str) -> str:
    """What is wrong with a start or goal in a cell (row, column), or nothing ("") when a path may begin there."""
    row, column = cell
    place = f"{name} ({point[0]:.2f}, {point[1]:.2f})"
    ny, nx = grid.shape
    if not (0 <= row < ny and 0 <= column < nx):
        return f"{place} is {_distance_off(grid, point):.2f} m off the map"
    if grid.occupied[row, column]:
        return f"{place} is in collision by {_depth(grid, point, (row, column), unknown):.2f} m{_radius(grid, point)}"
    if unknown == "blocked" and not grid.free[row, column]:
        return f'{place} is in an unknown cell; unknown="free" would plan through unknown cells'
    return ""


def _distance_off(grid: OccupancyGrid, point: Array) -> float:
    p = grid.world_to_grid(point)
    beyond = np.maximum(np.maximum(-p, p - np.array(grid.shape[::-1])), 0.0)
    return float(np.hypot(*beyond)) * grid.resolution


def _depth(grid: OccupancyGrid, point: Array, cell: tuple[int, int], unknown: str) -> float:
    """How far [m] the point would have to move: out of the inflation, else to the nearest cell that can be passed."""
    if grid.original is not None:
        clearance = float(grid.original.distance_field().values[cell])
        if 0.0 < clearance <= grid.inflation:
            return grid.inflation - clearance
    passable = np.argwhere(grid.free if unknown == "blocked" else ~grid.occupied)
    if len(passable) == 0:
        return float(np.hypot(*grid.size))
    centres = passable[:, ::-1] + 0.5
    return float(np.hypot(*(centres - grid.world_to_grid(point)).T).min()) * grid.resolution


def _radius(grid: OccupancyGrid, point: Array) -> str:
    if grid.original is None:
        return ""
    clearance = float(grid.clearance(point))
    return f" (obstacles are inflated by {grid.inflation:.2f} m; the nearest is {clearance:.2f} m away)"


def explain_separation(grid: OccupancyGrid, query: Query, last: int, goal: Array) -> str:
    """Both sides of what separates start from goal. Uses the labels of the finished `query`, then searches back."""
    reached = np.isfinite(query.lengths())
    area = grid.resolution**2
    centres = grid.cell_to_world(np.argwhere(reached))
    nearest = centres[np.argmin(((centres - goal) ** 2).sum(axis=-1))]
    gap = float(np.hypot(*(nearest - goal)))
    here = int(reached.sum())
    back = type(query)(query.space, None, 0.0, query.diagonal)
    back.run(last, -1)
    there = int(np.isfinite(back.lengths()).sum())
    return (
        f"goal ({goal[0]:.2f}, {goal[1]:.2f}) is in another component: {here * area:.2f} m^2 can be reached from the "
        f"start, {there * area:.2f} m^2 from the goal; the nearest reachable point to the goal is "
        f"({nearest[0]:.2f}, {nearest[1]:.2f}), {gap:.2f} m from it"
    )
