"""Thinned points: as many of a near object as of a far one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....core.arrays import Array, numbers
from ....core.errors import ShapeError
from ....core.settings import Positive, setting


def thinned(points: Any, spacing: float) -> Array:
    """The mean of the points in each square of a grid, ``(m, 2)``: a voxel filter.

    A lidar has a hundred points of a car before it, and ten of one in the distance. The rate of points of an object is
    then no property of it, and points are so near each other that they are no independent draws from its extent, as
    `Ellipse` and `Rectangle` take them to be.

    Args:
        points: ``(n, 2)`` [m].
        spacing: side of the squares [m]; a tenth of the length of the objects is a good choice.

    Raises:
        ShapeError: when the points are not in the plane.

    Example:
        >>> thinned([[0.1, 0.1], [0.3, 0.1], [2.0, 2.1]], 0.5).round(3).tolist()
        [[0.2, 0.1], [2.0, 2.1]]
    """
    z = numbers(points, "points")
    z = z.reshape(0, 2) if z.size == 0 else z
    if z.ndim != 2 or z.shape[1] != 2:
        raise ShapeError(f"points have shape {z.shape}; expected points in the plane, (n, 2)")
    square = np.floor(z / setting(spacing, Positive, "spacing")).astype(np.int64)
    _, which, counts = np.unique(square, axis=0, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), 2))
    np.add.at(sums, which.ravel(), z)
    return sums / counts[:, None]
