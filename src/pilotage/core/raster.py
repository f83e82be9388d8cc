"""A scalar field on the plane, such as a cost or a distance."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .arrays import Array, numbers
from .errors import ShapeError
from .mathematics import Component, math_for, torch_if_tensor
from .settings import shown


@dataclass(frozen=True, eq=False, repr=False)
class Raster:
    """Values on a grid of square cells, read by bilinear interpolation between cell centres.

    Outside the grid, the value is that of the nearest border cell, and the derivative in that direction is zero.

    Args:
        values: ``(ny, nx)``, indexed [iy, ix]; row 0 is the lowest y.
        resolution: side length of a cell [m].
        origin: (x, y, yaw) of the lower-left corner of cell [0, 0] in the world [m, m, rad].

    Raises:
        ShapeError: if values are not a finite matrix, or resolution is not positive.

    Example:
        >>> slope = Raster([[0.0, 1.0], [0.0, 1.0]], resolution=2.0)
        >>> slope.at([[1.0, 1.0], [2.0, 1.0], [9.0, 1.0]])
        array([0. , 0.5, 1. ])
    """

    values: Array
    resolution: float
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    _tensors: dict[Any, Any] = field(default_factory=lambda: {}, init=False)

    def __post_init__(self) -> None:
        values = np.asarray(numbers(self.values, "a raster"), order="C")
        if values.flags.writeable or values.base is not None:  # what nobody can change is not copied once more
            values = values.copy()
        if values.ndim != 2 or values.size == 0:
            raise ShapeError(f"raster values have shape {values.shape}; expected (ny, nx) with at least one cell")
        if not np.isfinite(values).all():
            raise ShapeError("raster values hold NaN or infinity; fill unknown cells with a number first")
        resolution, origin = numbers(self.resolution, "the resolution"), numbers(self.origin, "the origin")
        if resolution.shape != () or not 0.0 < resolution < math.inf:
            raise ShapeError(f"the resolution of a raster is {self.resolution}; expected metres per cell above zero")
        if origin.shape != (3,) or not np.isfinite(origin).all():
            raise ShapeError(f"the origin of a raster is {self.origin}; expected a finite (x, y, yaw)")
        values.flags.writeable = False
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "resolution", float(resolution))
        object.__setattr__(self, "origin", tuple(origin.tolist()))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns (ny, nx)."""
        return self.values.shape[0], self.values.shape[1]

    def cells(self, x: Component, y: Component) -> tuple[Component, Component]:
        """Column and row of the world point (x, y) [m], as real numbers that are integers at cell centres."""
        ox, oy, yaw = self.origin
        c, s = math.cos(yaw) / self.resolution, math.sin(yaw) / self.resolution
        dx, dy = x - ox, y - oy
        return c * dx + s * dy - 0.5, c * dy - s * dx - 0.5

    def at(self, xy: Any) -> Any:
        """Values ``(...)`` at world points ``(..., 2)`` [m]; NaN where a coordinate is NaN. Torch gradients flow."""
        if torch_if_tensor(xy) is None:
            xy = numbers(xy, "points")
        if xy.ndim == 0 or xy.shape[-1] != 2:
            raise ShapeError(f"points have shape {tuple(xy.shape)}; expected (..., 2)")
        return math_for(xy).lookup(self, xy[..., 0], xy[..., 1])

    def tensor(self, torch: Any, like: Any) -> Any:
        """The values as a tensor with the dtype and device of `like`; cached for the next call."""
        key = (like.dtype, like.device)
        if key not in self._tensors:
            self._tensors[key] = torch.tensor(np.array(self.values), dtype=like.dtype, device=like.device)
        return self._tensors[key]

    def __getstate__(self) -> dict[str, Any]:
        return {"values": self.values, "resolution": self.resolution, "origin": self.origin, "_tensors": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.values.flags.writeable = False  # a copy from another process comes writeable

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"Raster({rows} x {columns} cells of {self.resolution:g} m, origin {shown(self.origin)})"
