"""The frame of a grid: world coordinates of its cells."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.mathematics import numpy_math
from pilotage.core.settings import positive, shown

Array = NDArray[np.float64]
Cells = NDArray[np.int64]

_FAR = 2.0**31


class GridFrame(ABC):
    """The conversion between world coordinates and cells of a grid; its lower-left corner has the pose `origin`.

    ::

        world = (x0, y0) + R(yaw0) (column + 1/2, row + 1/2) resolution        # centre of cell (row, column)

    Cells are ``(row, column)``, the index order of arrays; row 0 has the lowest y in the frame of the grid.
    """

    resolution: float
    origin: tuple[float, float, float]

    def _check_frame(self) -> None:
        """Check resolution and origin, and convert them to plain floats."""
        resolution = positive(self.resolution, "resolution")
        origin = numbers(self.origin, "origin")
        if origin.shape != (3,) or not np.isfinite(origin).all():
            raise ShapeError(f"origin must be three finite numbers x, y, yaw, not {shown(self.origin)}")
        object.__setattr__(self, "resolution", resolution)
        object.__setattr__(self, "origin", tuple(origin.tolist()))

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """The number of rows and columns."""

    @property
    def size(self) -> tuple[float, float]:
        """Extent along the grid's own x and y axes [m]."""
        ny, nx = self.shape
        return nx * self.resolution, ny * self.resolution

    def world_to_grid(self, points: ArrayLike) -> Array:
        """World points ``(..., 2)`` or poses ``(..., 3)`` in the frame of the grid, with lengths in cells.

        The origin of that frame is the lower-left corner of cell [0, 0]; yaw is measured from its x axis.
        """
        p = _points(points)
        x0, y0, yaw0 = self.origin
        if yaw0 == 0.0 and p.shape[-1] == 2:
            return (p - (x0, y0)) / self.resolution
        c, s = math.cos(yaw0), math.sin(yaw0)
        out = np.empty_like(p)
        with np.errstate(invalid="ignore", over="ignore"):  # not finite before, not finite after
            dx, dy = (p[..., 0] - x0) / self.resolution, (p[..., 1] - y0) / self.resolution
            out[..., 0], out[..., 1] = c * dx + s * dy, -s * dx + c * dy
            if p.shape[-1] == 3:
                out[..., 2] = numpy_math.wrap(p[..., 2] - yaw0)
        return out

    def grid_to_world(self, points: ArrayLike) -> Array:
        """World points ``(..., 2)`` or poses ``(..., 3)`` from the frame of the grid; inverse of `world_to_grid`."""
        p = _points(points)
        x0, y0, yaw0 = self.origin
        if yaw0 == 0.0 and p.shape[-1] == 2:
            out = p * self.resolution
            out[..., 0] += x0
            out[..., 1] += y0
            return out
        c, s = math.cos(yaw0) * self.resolution, math.sin(yaw0) * self.resolution
        out = np.empty_like(p)
        with np.errstate(invalid="ignore", over="ignore"):
            out[..., 0], out[..., 1] = x0 + c * p[..., 0] - s * p[..., 1], y0 + s * p[..., 0] + c * p[..., 1]
            if p.shape[-1] == 3:
                out[..., 2] = numpy_math.wrap(p[..., 2] + yaw0)
        return out

    def world_to_cell(self, xy: ArrayLike) -> Cells:
        """The cells (row, column) ``(..., 2)`` of world points ``(..., 2)``; they may lie off the map.

        Points that are not finite always lie off the map.
        """
        p = self.world_to_grid(xy)[..., 1::-1]
        # Clipped, because a conversion beyond the range of integers is undefined. NaN becomes a cell off the map.
        return np.floor(np.fmax(np.fmin(p, _FAR), -_FAR)).astype(np.int64)

    def cell_to_world(self, cells: ArrayLike) -> Array:
        """The centres ``(..., 2)`` of cells (row, column) ``(..., 2)`` in world coordinates."""
        c = _cells(cells)
        centres = np.empty_like(c)
        centres[..., 0], centres[..., 1] = c[..., 1], c[..., 0]
        centres += 0.5
        return self.grid_to_world(centres)

    def contains_cell(self, cells: ArrayLike) -> NDArray[np.bool_]:
        """Whether cells (row, column) ``(..., 2)`` lie on the map."""
        c = _cells(cells)
        ny, nx = self.shape
        return (c[..., 0] >= 0) & (c[..., 0] < ny) & (c[..., 1] >= 0) & (c[..., 1] < nx)


def local_rays(frame: GridFrame, poses: ArrayLike, angles: ArrayLike) -> tuple[Array, Array]:
    """Poses ``(..., 3)`` as ``(N, 3)`` in the frame of the grid, and angles ``(B,)``, as the kernels need them."""
    starts, directions = rays(poses, angles)
    return np.ascontiguousarray(frame.world_to_grid(starts).reshape(-1, 3)), directions


def rays(poses: ArrayLike, angles: ArrayLike) -> tuple[Array, Array]:
    """Poses ``(..., 3)`` and angles ``(B,)``, as arrays.

    Raises:
        ShapeError: if poses or angles have the wrong shape, or an angle is not finite.
    """
    starts, directions = numbers(poses, "poses"), numbers(angles, "angles")
    if starts.shape[-1:] != (3,):
        raise ShapeError(f"poses must have shape (..., 3) for x, y, yaw, not {starts.shape}")
    if directions.ndim != 1 or not np.isfinite(directions).all():
        raise ShapeError(f"angles must be finite with shape (B,), not {directions.shape}")
    return starts, directions


def _points(points: ArrayLike) -> Array:
    p = numbers(points, "points")
    if p.shape[-1:] not in ((2,), (3,)):
        raise ShapeError(f"points must have shape (..., 2) or (..., 3), not {p.shape}")
    return p


def _cells(cells: ArrayLike) -> Array:
    c = numbers(cells, "cells")
    if c.shape[-1:] != (2,):
        raise ShapeError(f"cells must have shape (..., 2) for row and column, not {c.shape}")
    return c
