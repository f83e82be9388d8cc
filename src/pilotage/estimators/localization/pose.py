"""Poses in the plane as part of a state, found by name; and poses drawn from the free space of a map."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...core import ModelError, Rng, Space, SpaceError, generator
from ...core.arrays import Array
from ...core.settings import instance, positive, whole
from ...maps import OccupancyGrid


@lru_cache(maxsize=64)
def pose_indices(space: Space, *, tangent: bool = False) -> NDArray[np.intp]:
    """Indices of x, y and yaw in states of this space (or in their tangent vectors).

    Raises:
        SpaceError: when the space has no x, y and yaw.

    Example:
        >>> pose_indices(Space("speed [m/s]", "pose: SE2"))
        array([1, 2, 3])
    """
    stored = [space.find(name) for name in ("x", "y", "yaw")]
    if not tangent:
        return _frozen(stored)
    spot: dict[int, int] = {}
    for _, s, t in space.layout:
        if s.stop - s.start == t.stop - t.start:
            spot.update(zip(range(s.start, s.stop), range(t.start, t.stop), strict=True))
    if any(i not in spot for i in stored):
        raise SpaceError(f"x, y and yaw of {space} are not a pose in the plane")
    return _frozen([spot[i] for i in stored])


def _frozen(indices: list[int]) -> NDArray[np.intp]:
    """Indices that are kept and handed to many, so that nobody may write on them."""
    array = np.array(indices, dtype=np.intp)
    array.flags.writeable = False
    return array


def free_poses(grid: OccupancyGrid, n: int, *, clearance: float = 0.0, rng: Rng = None) -> Array:
    """`n` poses ``(n, 3)`` uniform over the free space of a map, with any heading.

    Args:
        grid: the map.
        n: how many.
        clearance: least distance of a cell from obstacles [m], the radius of the robot say.
        rng: seed or generator.

    Raises:
        ModelError: when no cell is free.

    Example:
        >>> free_poses(OccupancyGrid.from_ascii(["##", "#."], resolution=1.0), 2, rng=0)[:, :2].round(1)
        array([[1.6, 0.3],
               [1. , 0. ]])
    """
    instance(grid, OccupancyGrid, "free_poses")
    n, clearance = whole(n, "n", 0), positive(clearance, "clearance", zero=True)
    return free_poses_trusted(grid, n, clearance, generator(rng))


def free_poses_trusted(grid: OccupancyGrid, n: int, clearance: float, draw: np.random.Generator) -> Array:
    """`free_poses` with settings that are known to be valid."""
    cells = _free_cells(grid, clearance)
    rows, columns = np.divmod(cells[draw.integers(len(cells), size=n)], grid.shape[1])
    p, inside = np.empty((n, 3)), draw.random((n, 2))
    p[:, 0], p[:, 1] = columns + inside[:, 0], rows + inside[:, 1]
    p[:, 2] = draw.uniform(-np.pi, np.pi, n)
    p[:, :2] = grid.grid_to_world(p[:, :2])
    return p


def free_area(grid: OccupancyGrid, clearance: float = 0.0) -> float:
    """Area of the free space of a map [m^2], as `free_poses` draws from."""
    return len(_free_cells(grid, clearance)) * grid.resolution**2


@lru_cache(maxsize=16)
def _free_cells(grid: OccupancyGrid, clearance: float) -> NDArray[np.int32]:
    """Indices of the cells a robot may be in, row by row ``(K,)``."""
    free = grid.free
    if clearance > 0.0:
        free = free & (grid.distance_field().values > clearance)
    cells = np.flatnonzero(free).astype(np.int32)
    if len(cells) == 0:
        raise ModelError(f"{grid!r} has no free cell {clearance:g} m from obstacles, so the robot can be nowhere on it")
    return cells
