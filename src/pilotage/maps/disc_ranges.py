"""Ranges to discs, such as people in front of a lidar."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def disc_ranges(poses: Array, angles: Array, discs: Array) -> Array:
    """The ranges ``(..., B)`` [m] along the beams from poses to the nearest disc; infinite for beams that miss all.

    ::

        |s + t d - c| = r,   t >= 0        s: sensor, d: direction of the beam; c, r: centre and radius of a disc
        t = a - sqrt(a^2 - (|c - s|^2 - r^2)),   a = d . (c - s)

    The range is 0 from inside a disc.

    Args:
        poses: x, y, yaw of the sensor ``(..., 3)`` [m, m, rad].
        angles: of the beams, relative to the yaw ``(B,)`` [rad].
        discs: x, y and radius ``(..., K, 3)`` [m]; K may be 0.

    Example:
        >>> disc_ranges(np.array([0.0, 0.0, 0.0]), np.array([0.0, np.pi]), np.array([[2.0, 0.0, 0.5]]))
        array([1.5, inf])
    """
    heading = poses[..., 2:3] + angles
    away = discs[..., :2] - poses[..., None, :2]
    along = np.cos(heading)[..., None] * away[..., None, :, 0] + np.sin(heading)[..., None] * away[..., None, :, 1]
    outside = (away**2).sum(-1) - discs[..., 2] ** 2
    inner = along**2 - outside[..., None, :]
    t = np.where((inner >= 0.0) & (along > 0.0), along - np.sqrt(np.maximum(inner, 0.0)), np.inf)
    return np.where(outside[..., None, :] <= 0.0, 0.0, t).min(-1, initial=np.inf)
