"""Obstacles of a map: blocked cells as squares, and signed distances to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core.raster import Raster

from .cells import GridCells, read_only
from .distance import bands, surface_bands, surface_distance

CORNER, AWAY = 1.497, 0.115
"""The lengths taken from the distances at the centres of four cells [cells], so that interpolation between them never
exceeds the true distance: 0.115 at cells of which none is blocked; where one of them is, 1.497 at that one, which is a
corner of an obstacle. Where two or more are blocked, interpolation is no more than the distance as it is. A test looks
for the largest excess over all positions."""


@dataclass(frozen=True, eq=False, repr=False)
class Obstacles:
    """The blocked cells of a map as solid squares, with everything off the map around them.

    The sign convention of all clearances: **metres from the surface of the nearest obstacle, negative inside**.

    ::

        field = d - e,   e = 0 along walls, 1.497 inside corners of obstacles, else min(0.115, 1 / (4 d))   [cells]

    because the distance to a set is semiconcave: along a line that stays d away from it, its second derivative is at
    most 1 / d, and a chord of length 1 lies at most 1 / (8 d) above it; bilinear interpolation is two chords.

    Attributes:
        grid: the map.
        blocked: ``(ny + 2, nx + 2)`` of bool, with one ring of cells added, which stands for what is off the map.
        depth: signed distance [cells] of the centre of each cell of `blocked` to the nearest surface, exact.
        field: the same in metres as a `Raster` that never promises too much: between cell centres, interpolation stays
            below the true distance, and is not above zero inside obstacles.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> Obstacles.of(OccupancyGrid.from_ascii(["...#."]), "blocked").depth[1]
        array([-0.5,  0.5,  0.5,  0.5, -0.5,  0.5, -0.5])
    """

    grid: GridCells
    blocked: NDArray[np.bool_]
    depth: NDArray[np.float64]
    field: Raster

    @classmethod
    def of(cls, grid: GridCells, unknown: str) -> Obstacles:
        """The obstacles of a map, where unknown cells are "blocked" or "free"."""
        blocked = np.pad(~grid.passable(unknown), 1, constant_values=True)
        depth = surface_distance(blocked)
        for rows, inside in surface_bands(~blocked):
            depth[rows] -= inside
        corner = (*grid.grid_to_world([-1.0, -1.0]).tolist(), grid.origin[2])
        values = np.empty(depth.shape)
        for rows in bands(depth.shape):
            # The excess at a cell depends on its neighbours: one row more on each side.
            first, last = max(rows.start - 1, 0), rows.stop + 1
            excess = _excess(blocked[first:last], depth[first:last])[rows.start - first : rows.stop - first]
            values[rows] = (depth[rows] - excess) * grid.resolution
        return cls(grid, read_only(blocked), read_only(depth), Raster(read_only(values), grid.resolution, corner))

    def __repr__(self) -> str:
        return f"Obstacles({int(self.blocked[1:-1, 1:-1].sum())} blocked cells of {self.grid!r})"


def _excess(blocked: NDArray[np.bool_], depth: NDArray[np.float64]) -> NDArray[np.float64]:
    """The most by which bilinear interpolation of `depth` exceeds the true distance, around each cell [cells]."""
    count = sum(each.astype(np.int8) for each in _corners(blocked))
    farthest = np.max(_corners(depth), axis=0) - np.sqrt(2.0)
    away = np.where(count < 2, np.minimum(AWAY, 0.25 / np.maximum(farthest, 1.0)), 0.0)
    away[_beside_walls(depth)] = 0.0
    excess, corner = (np.max(_corners(np.pad(each, 1)), axis=0) for each in (away, count == 1))
    return np.where(blocked & corner, CORNER, excess)


def _beside_walls(depth: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Places where four cells meet between which the distance is a plane: it falls by 1 towards a wall, and not across.

    The wall then covers both columns of cells, and no other square is nearer to a point between the four centres than
    it is to one of them. Interpolation is exact.
    """
    a, b, c, d = _corners(depth)

    def plane(low: Any, low_too: Any, high: Any, high_too: Any) -> NDArray[np.bool_]:
        even = (abs(low - low_too) < 1e-9) & (abs(high - high_too) < 1e-9)
        return even & (abs(abs(high - low) - 1.0) < 1e-9)

    return plane(a, b, c, d) | plane(a, c, b, d)


def _corners(cells: NDArray[Any]) -> list[NDArray[Any]]:
    """The four neighbours around each place where four cells meet."""
    return [cells[:-1, :-1], cells[:-1, 1:], cells[1:, :-1], cells[1:, 1:]]
