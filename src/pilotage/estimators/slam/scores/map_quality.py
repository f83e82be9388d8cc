"""The quality of a map, judged by scans: do beams end at walls, and pass where it is free?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import positive
from pilotage.maps import OccupancyGrid

Array = NDArray[np.float64]
CLOSE = 0.3
"""Part of a beam before its end that is not asked whether it is free [m]."""


@dataclass(frozen=True)
class MapQuality:
    """The agreement of scans with a map.

    Attributes:
        ends: share of the beams that end in an occupied cell or beside one.
        passages: share of points before the ends that are free.
        sharpness: share of the cells next to a wall that are known to be free: thick or doubled walls have few.

    Example:
        >>> MapQuality(0.9, 0.99, 0.5).ends
        0.9
    """

    ends: float
    passages: float
    sharpness: float


def map_quality(
    grid: OccupancyGrid, poses: ArrayLike, ranges: ArrayLike, angles: ArrayLike, max_range: float
) -> MapQuality:
    """The quality of a map by scans from poses in its frame.

    A map of the same scans at wrong poses is bad: beams of one pass through the walls of others, and walls are doubled.

    Args:
        grid: the map.
        poses: poses of the scans ``(T, 3)``.
        ranges: ``(T, B)`` [m].
        angles: ``(B,)`` [rad].
        max_range: ranges from this on are left out [m].

    Raises:
        ShapeError: if shapes do not match, or there are no beams with an end.

    Example:
        >>> from pilotage.maps import Lidar
        >>> grid = OccupancyGrid.load("depot.yaml")
        >>> lidar = Lidar(grid, angles=90, max_range=20.0)
        >>> quality = map_quality(grid, [[5.0, 1.0, 0.0]], [lidar.observe([5.0, 1.0, 0.0])], lidar.angles, 20.0)
        >>> quality.ends, quality.passages
        (1.0, 1.0)
    """
    x, r, bearing = numbers(poses, "poses"), numbers(ranges, "ranges", missing=True), numbers(angles, "angles")
    if x.ndim != 2 or x.shape[1] != 3 or r.shape != (len(x), len(bearing)):
        raise ShapeError(
            f"poses and ranges have shapes {x.shape} and {r.shape}; expected (T, 3) and (T, {len(bearing)})"
        )
    t, b = np.nonzero((r > CLOSE) & (r < positive(max_range, "max_range")))
    if not len(t):
        raise ShapeError("no beam of these scans ends before the largest range; expected scans with ends")
    heading, far = x[t, 2] + bearing[b], r[t, b][:, None]
    ray = np.column_stack([np.cos(heading), np.sin(heading)])
    walls = _grown(np.asarray(grid.occupied))
    share = np.linspace(0.1, 1.0, 4)
    passed = np.mean([_share(np.asarray(grid.free), grid, x[t, :2] + k * (far - CLOSE) * ray) for k in share])
    beside = walls & ~np.asarray(grid.occupied)
    sharp = float((np.asarray(grid.free) & beside).sum() / max(int(beside.sum()), 1))
    return MapQuality(_share(walls, grid, x[t, :2] + (far + 1e-6) * ray), float(passed), sharp)


def _grown(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells and those beside them."""
    out = cells.copy()
    out[1:] |= cells[:-1]
    out[:-1] |= cells[1:]
    out[:, 1:] |= cells[:, :-1]
    out[:, :-1] |= cells[:, 1:]
    return out


def _share(cells: NDArray[np.bool_], grid: Any, points: Array) -> float:
    """The share of points that lie in such cells."""
    at = grid.world_to_cell(points)
    inside = grid.contains_cell(at)
    return float(cells[tuple(at[inside].T)].sum() / len(points))
