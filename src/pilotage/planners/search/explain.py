"""Explanations of searches that find no path, in a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pilotage.maps import InflatedGrid
from pilotage.maps.cells import GridCells
from pilotage.maps.collision import DiscCells

Array = NDArray[np.float64]
Cells = NDArray[np.int64]
Mask = NDArray[np.bool_]


def explain_endpoint(grid: GridCells, point: Array, cell: Sequence[int], name: str, unknown: str) -> str:
    """A sentence about a start or goal in a cell (row, column) that is no end of a path; empty when it is one.

    The depth of a collision is how far the point would have to move to be in a cell that can be passed.
    """
    row, column = cell
    ny, nx = grid.shape
    on_map = 0 <= row < ny and 0 <= column < nx
    if on_map and (grid.free[row, column] or (unknown == "free" and not grid.occupied[row, column])):
        return ""
    place = f"{name} ({point[0]:.2f}, {point[1]:.2f})"
    if not on_map:
        return f"{place} is {_depth(_distance_off(grid, point))} off the map"
    if isinstance(grid, DiscCells):
        factor = max(grid.constraint.refinement, 2)
        return (
            f"{place} is clear, but the robot does not fit at the middle of its cell of {grid.resolution:g} m; "
            f"grid.refined({factor}) has smaller cells"
        )
    if grid.occupied[row, column]:
        found = _nearest(grid.free if unknown == "blocked" else ~grid.occupied, grid.world_to_grid(point))
        if found is None:
            return f"{place} is in collision, and no cell of the map can be passed{_radius(grid, point, cell)}"
        return f"{place} is in collision by {_depth(found[1] * grid.resolution)}{_radius(grid, point, cell)}"
    return f'{place} is in an unknown cell; unknown="free" would plan through unknown cells'


def _distance_off(grid: GridCells, point: Array) -> float:
    p = grid.world_to_grid(point)
    beyond = np.maximum(np.maximum(-p, p - np.array(grid.shape[::-1])), 0.0)
    return float(np.hypot(*beyond)) * grid.resolution


def _nearest(mask: Mask, p: Array) -> tuple[Cells, float] | None:
    """The True cell (row, column) whose square is nearest to `p` = (x, y), and how far that is, in cells.

    Looks in windows that grow, since it is usually near and the map may be large; `p` lies on the map.
    """
    column, row = np.floor(p).astype(int)
    half = 8
    while True:
        top, left = max(row - half, 0), max(column - half, 0)
        window = mask[top : row + half + 1, left : column + half + 1]
        cells = np.argwhere(window) + (top, left)
        if len(cells):
            gaps = np.maximum(np.abs(cells[:, ::-1] + 0.5 - p) - 0.5, 0.0)
            d = np.hypot(gaps[:, 0], gaps[:, 1])
            # What lies outside the window is farther than its half width.
            if d.min() <= half or window.size == mask.size:
                return cells[d.argmin()], float(d.min())
        elif window.size == mask.size:
            return None
        half *= 4


def _depth(metres: float) -> str:
    return f"{metres:.2f} m" if metres >= 0.005 else "less than 0.01 m"


def _radius(grid: GridCells, point: Array, cell: Sequence[int]) -> str:
    """A sentence with the distance of the nearest obstacle.

    Cells are blocked by their middle, which may be nearer to it than `point`.
    """
    if not isinstance(grid, InflatedGrid):
        return ""
    distance = grid.grid.distance_field()
    room, place = float(distance.at(point[:2])), "away"
    if room > grid.radius:
        room, place = float(distance.at(grid.cell_to_world(cell))), "from the middle of its cell"
    return f" (obstacles are inflated by {grid.radius:.2f} m; the nearest is {room:.2f} m {place})"


def explain_separation(grid: GridCells, unknown: str, start: Array, goal: Array) -> str:
    """Both sides of what separates a start from a goal between which there is no path."""
    area = grid.resolution**2
    passable = grid.passable(unknown)
    here, there = (component(passable, *grid.world_to_cell(point).tolist()) for point in (start, goal))
    found = _nearest(here, grid.world_to_grid(goal))
    assert found is not None  # the start itself can be reached
    nearest = grid.cell_to_world(found[0])
    gap = float(np.hypot(*(nearest - goal)))
    hint = ""
    if isinstance(grid, DiscCells) and grid.constraint.refinement > 1:
        finer = f"grid.refined({grid.constraint.refinement}) has smaller ones"
        hint = f"; cells of {grid.resolution:g} m hide narrow gaps from this robot, {finer}"
    return (
        f"goal ({goal[0]:.2f}, {goal[1]:.2f}) is in another component: {here.sum() * area:.2f} m^2 can be reached from "
        f"the start, {there.sum() * area:.2f} m^2 from the goal; the nearest reachable point to the goal is "
        f"({nearest[0]:.2f}, {nearest[1]:.2f}), {gap:.2f} m from it{hint}"
    )


def distance_of_component(grid: GridCells, point: Array, others: Array) -> float:
    """The distance [m] between the free cells that can be reached from a point ``(2,)`` and points ``(K, 2)``."""
    here = component(grid.free, *grid.world_to_cell(point).tolist())
    gaps = [_nearest(here, place) for place in grid.world_to_grid(others)]
    return grid.resolution * min(math.inf if gap is None else gap[1] for gap in gaps)


def component(passable: Mask, row: int, column: int) -> Mask:
    """The cells that can be reached from one; diagonal steps that cut no corner reach no others."""
    from scipy import ndimage  # heavy, and only failures need it

    labels = np.empty(passable.shape, dtype=np.int32)
    ndimage.label(passable, output=labels)
    return labels == labels[row, column]
