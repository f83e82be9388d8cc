"""Where the cells of a grid lie in the world."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.errors import ShapeError

Array = NDArray[np.float64]
Cells = NDArray[np.int64]

_FAR = 2.0**31


class GridFrame:
    """World coordinates and cells of a grid whose lower-left corner has the pose `origin`.

    ::

        world = (x0, y0) + R(yaw0) (column + 1/2, row + 1/2) resolution        # centre of cell (row, column)

    Cells are ``(row, column)``, the order in which arrays are indexed; row 0 is at the lowest y of the grid's frame.
    """

    log_odds: NDArray[np.float32]
    resolution: float
    origin: tuple[float, float, float]

    def _check_frame(self) -> None:
        if not (math.isfinite(self.resolution) and self.resolution > 0):
            raise ShapeError(f"resolution must be a positive number of metres per cell, not {self.resolution}")
        if len(self.origin) != 3 or not all(math.isfinite(value) for value in self.origin):
            raise ShapeError(f"origin must be three finite numbers x, y, yaw, not {self.origin}")

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        ny, nx = self.log_odds.shape
        return ny, nx

    @property
    def size(self) -> tuple[float, float]:
        """Extent along the grid's own x and y axes [m]."""
        ny, nx = self.shape
        return nx * self.resolution, ny * self.resolution

    def world_to_grid(self, points: ArrayLike) -> Array:
        """Points ``(..., 2)`` or poses ``(..., 3)`` of the world in the grid's frame, lengths in cells.

        The origin is the lower-left corner of cell [0, 0]; yaw is measured from the grid's x axis.
        """
        p = np.asarray(points, dtype=np.float64)
        if p.shape[-1:] not in ((2,), (3,)):
            raise ShapeError(f"points must have shape (..., 2) or (..., 3), not {p.shape}")
        x0, y0, yaw0 = self.origin
        c, s = math.cos(yaw0), math.sin(yaw0)
        dx, dy = (p[..., 0] - x0) / self.resolution, (p[..., 1] - y0) / self.resolution
        out = np.empty_like(p)
        with np.errstate(invalid="ignore"):  # infinity times zero: not finite before, not finite after
            out[..., 0], out[..., 1] = c * dx + s * dy, -s * dx + c * dy
        if p.shape[-1] == 3:
            out[..., 2] = p[..., 2] - yaw0
        return out

    def grid_to_world(self, points: ArrayLike) -> Array:
        """Inverse of `world_to_grid`."""
        p = np.asarray(points, dtype=np.float64)
        x0, y0, yaw0 = self.origin
        c, s = math.cos(yaw0) * self.resolution, math.sin(yaw0) * self.resolution
        out = np.empty_like(p)
        out[..., 0], out[..., 1] = x0 + c * p[..., 0] - s * p[..., 1], y0 + s * p[..., 0] + c * p[..., 1]
        if p.shape[-1] == 3:
            out[..., 2] = p[..., 2] + yaw0
        return out

    def world_to_cell(self, xy: ArrayLike) -> Cells:
        """Cells (row, column) ``(..., 2)`` that hold world points ``(..., 2)``; they may lie off the map.

        Points that are not finite lie off every map.
        """
        p = self.world_to_grid(xy)[..., 1::-1]
        # Far away stays far away: a conversion beyond the range of integers would be undefined. NaN goes there too.
        return np.floor(np.fmax(np.fmin(p, _FAR), -_FAR)).astype(np.int64)

    def cell_to_world(self, cells: ArrayLike) -> Array:
        """World points ``(..., 2)`` of the centres of cells (row, column) ``(..., 2)``."""
        return self.grid_to_world(np.asarray(cells, dtype=np.float64)[..., ::-1] + 0.5)

    def contains_cell(self, cells: ArrayLike) -> NDArray[np.bool_]:
        """Whether cells (row, column) ``(..., 2)`` lie on the map."""
        c = np.asarray(cells)
        ny, nx = self.shape
        return (c[..., 0] >= 0) & (c[..., 0] < ny) & (c[..., 1] >= 0) & (c[..., 1] < nx)
