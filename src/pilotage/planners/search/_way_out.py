"""The way out of inflated cells for a robot that stands in them, which a real one often does."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pilotage.core.problem import Problem
from pilotage.maps import InflatedGrid
from pilotage.maps.cells import GridCells

from .._lead_out import LeadOut, ways_out
from .explain import component
from .workspace import Workspace

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def way_out(
    grid: GridCells, point: Array, cell: list[int], goal: Sequence[int], unknown: str, diagonal: bool
) -> LeadOut | None:
    """The shortest way from a cell (row, column) to one that can be passed; None if there is none, or no need of one.

    It leads over the middles of cells that the map itself says can be passed, within two radii of the start, and ends
    where the cell of the goal can be reached from, if it can.
    """
    if not isinstance(grid, InflatedGrid) or not _inside(grid, cell, unknown):
        return None
    from .query import Query  # which needs what asks for the way out

    reach = math.ceil(2.0 * grid.radius / grid.resolution) + 1
    top, left = max(cell[0] - reach, 0), max(cell[1] - reach, 0)
    window = slice(top, cell[0] + reach + 1), slice(left, cell[1] + reach + 1)
    space = Workspace(grid.grid.passable(unknown)[window], grid.resolution)
    query = Query(space, None, 0.0, diagonal)
    first = space.index(cell[0] - top, cell[1] - left)
    query.run(first, -1)
    exits = grid.passable(unknown)
    lengths = np.where(exits[window], query.lengths(), np.inf)
    if not np.isfinite(lengths).any():
        return None
    towards = np.where(_connected(exits, goal)[window], lengths, np.inf)
    lengths = towards if np.isfinite(towards).any() else lengths
    row, column = np.unravel_index(lengths.argmin(), lengths.shape)
    cells, length = query.path(first, space.index(int(row), int(column)))
    room = float(grid.grid.distance_field().at(point[:2]))
    said = (
        f"start ({point[0]:.2f}, {point[1]:.2f}) is {room:.2f} m from an obstacle, within the inflation of "
        f"{grid.radius:.2f} m; the path leads out of it first, over {length * grid.resolution:.2f} m"
    )
    return LeadOut(grid.cell_to_world(cells + (top, left)), length * grid.resolution, said)


def way_to_cells(problem: Problem, cells: GridCells, goal: Array) -> LeadOut | None:
    """The way out of the margin of a problem to the middle of a cell that can be passed, x and y; None as above.

    It ends where the goal ``(2,)`` can be reached from, if it can.
    """
    pose: list[int] = problem.constraint.pose[:2]  # type: ignore[union-attr]

    def middles(x: Array) -> Array:
        x = np.array(x)
        x[..., pose] = cells.cell_to_world(cells.world_to_cell(x[..., pose]))
        return x

    def accepts(x: Array) -> Mask:
        return cells.is_free(x[..., pose]) & problem.edges_allowed(x, middles(x))

    def towards(x: Array) -> Mask:
        rows, columns = np.moveaxis(cells.world_to_cell(x[..., pose]), -1, 0)
        fine = accepts(x)
        fine[fine] = connected[rows[fine], columns[fine]]
        return fine

    connected = _connected(cells.free, cells.world_to_cell(goal).tolist())
    lead = next(ways_out(problem, accepts=towards), None) or next(ways_out(problem, accepts=accepts), None)
    if lead is None:
        return None
    xs = np.concatenate([lead.xs, middles(lead.xs[-1:])])[:, pose]
    return LeadOut(xs, float(np.linalg.norm(np.diff(xs, axis=0), axis=-1).sum()), lead.said)


def _connected(passable: Mask, goal: Sequence[int]) -> Mask:
    """The cells from which that of the goal can be reached; none where it cannot be passed itself."""
    (row, column), (ny, nx) = goal, passable.shape
    inside = 0 <= row < ny and 0 <= column < nx
    return passable & component(passable, row, column) if inside else np.zeros_like(passable)


def _inside(grid: InflatedGrid, cell: list[int], unknown: str) -> bool:
    """Whether only the inflation forbids a cell."""
    (row, column), (ny, nx) = cell, grid.shape
    if not (0 <= row < ny and 0 <= column < nx) or not grid.occupied[row, column]:
        return False
    base = grid.grid
    return bool(base.free[row, column] or (unknown == "free" and not base.occupied[row, column]))
