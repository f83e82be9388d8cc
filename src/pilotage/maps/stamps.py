"""The cells of a grid that discs, rectangles and the cells of other grids cover."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.moving import MovingObstacle

from .cells import GridCells
from .frame import GridFrame

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def disc_cells(frame: GridFrame, centers: ArrayLike, radii: ArrayLike) -> Mask:
    """The cells ``(ny, nx)`` whose centre lies in one of the discs, and the cells of the discs' own centres.

    Args:
        frame: frame of the grid.
        centers: ``(K, 2)`` world points [m].
        radii: ``(K,)`` or one for all [m].
    """
    points = _finite(centers, 2, "centers")
    spread = _sizes(radii, (len(points),), "radii")
    mask = _cells_of(frame, points)
    for point, radius in zip(points, spread, strict=True):
        for window, offsets in _window(frame, point, float(radius)):
            mask[window] |= np.hypot(offsets[..., 0], offsets[..., 1]) <= radius
    return mask


def passed_cells(frame: GridFrame, obstacle: MovingObstacle) -> Mask:
    """The cells ``(ny, nx)`` that a moving disc touches at any time, and a few more around each straight way."""
    at, radii = np.asarray(obstacle.xys), np.asarray(obstacle.radius)
    mask = _cells_of(frame, at)
    for k in range(len(at)):
        a, b, reach = at[k], at[min(k + 1, len(at) - 1)], max(radii[k : k + 2]) + frame.resolution * math.sqrt(0.5)
        way = b - a
        for window, offsets in _window(frame, 0.5 * (a + b), 0.5 * float(np.hypot(*way)) + reach):
            from_a = offsets + 0.5 * way
            share = np.clip((from_a @ way) / max(float(way @ way), 1e-300), 0.0, 1.0)
            mask[window] |= np.linalg.norm(from_a - share[..., None] * way, axis=-1) <= reach
    return mask


def rectangle_cells(frame: GridFrame, poses: ArrayLike, sizes: ArrayLike) -> Mask:
    """The cells ``(ny, nx)`` whose centre lies in one of the rectangles, and the cells of the rectangles' own centres.

    Args:
        frame: frame of the grid.
        poses: ``(K, 3)`` x [m], y [m], yaw [rad] of the centres.
        sizes: ``(K, 2)`` or one pair for all: length along the yaw, width [m].
    """
    frames = _finite(poses, 3, "poses")
    halves = _sizes(sizes, (len(frames), 2), "sizes") / 2
    mask = _cells_of(frame, frames[:, :2])
    for pose, half in zip(frames, halves, strict=True):
        c, s = math.cos(pose[2]), math.sin(pose[2])
        for window, d in _window(frame, pose[:2], float(np.hypot(*half))):
            along, across = np.abs(c * d[..., 0] + s * d[..., 1]), np.abs(c * d[..., 1] - s * d[..., 0])
            mask[window] |= (along <= half[0]) & (across <= half[1])
    return mask


def grid_cells(frame: GridFrame, other: GridCells) -> Mask:
    """The cells ``(ny, nx)`` whose centre lies in an occupied cell of another grid, and those of its cells' centres."""
    mask = _cells_of(frame, other.cell_to_world(np.argwhere(other.occupied)))
    return mask | other.is_occupied(frame.cell_to_world(np.moveaxis(np.indices(frame.shape), 0, -1)))


def _finite(values: ArrayLike, width: int, name: str) -> Array:
    array = numbers(values, name)
    if array.shape[-1:] != (width,):
        raise ShapeError(f"{name} must have shape (K, {width}), not {array.shape}")
    if not np.isfinite(array).all():
        raise ShapeError(f"{name} must be finite")
    return array.reshape(-1, width)


def _sizes(values: ArrayLike, shape: tuple[int, ...], name: str) -> Array:
    """Lengths for each shape, or one for all of them."""
    array = numbers(values, name)
    if array.shape not in (shape, shape[1:]):
        raise ShapeError(f"{name} must have shape {shape}, or {shape[1:]} for all alike, not {array.shape}")
    if not bool(((array >= 0.0) & (array < np.inf)).all()):
        raise ShapeError(f"{name} must be finite lengths in metres that are not negative")
    return np.broadcast_to(array, shape)


def _cells_of(frame: GridFrame, points: Array) -> Mask:
    mask = np.zeros(frame.shape, dtype=np.bool_)
    cells = frame.world_to_cell(points)
    cells = cells[frame.contains_cell(cells)]
    mask[cells[:, 0], cells[:, 1]] = True
    return mask


def _window(frame: GridFrame, point: Array, radius: float) -> Iterator[tuple[tuple[slice, slice], Array]]:
    """The part of the grid that a disc may touch, with the offsets of its cell centres from `point` [m], if any."""
    row, column = frame.world_to_cell(point).tolist()
    reach = math.ceil(radius / frame.resolution) + 1
    ny, nx = frame.shape
    rows = slice(max(row - reach, 0), min(row + reach + 1, ny))
    columns = slice(max(column - reach, 0), min(column + reach + 1, nx))
    if rows.start < rows.stop and columns.start < columns.stop:
        cells = np.moveaxis(np.mgrid[rows, columns], 0, -1)
        yield (rows, columns), frame.cell_to_world(cells) - point
