"""Poses and covariances in the plane and in space, one as the other.

In the plane they are of x, y and yaw; in space, poses are x, y, z and a quaternion wxyz, and covariances of x, y, z and
rotations about these fixed axes, as in messages of ROS.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pilotage.core.arrays import Array

PLANE = [0, 1, 5]
"""x, y and yaw among the six of a covariance in space."""


def spatial(pose: Any) -> Array:
    """The pose in space ``(..., 7)`` of a pose in the plane: x, y, yaw ``(..., 3)``.

    Example:
        >>> spatial([1.0, 2.0, np.pi]).round(3).tolist()
        [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    """
    x, y, yaw = np.moveaxis(np.asarray(pose, dtype=np.float64), -1, 0)
    none = np.zeros_like(x)
    return np.stack([x, y, none, np.cos(0.5 * yaw), none, none, np.sin(0.5 * yaw)], -1)


def planar(pose: Any) -> Array:
    """x, y and yaw ``(..., 3)`` of poses in space ``(..., 7)``; yaw is the direction of their x axis in the plane.

    Example:
        >>> planar(spatial([1.0, 2.0, 0.5])).round(3).tolist()
        [1.0, 2.0, 0.5]
    """
    x, y, _, w, i, j, k = np.moveaxis(np.asarray(pose, dtype=np.float64), -1, 0)
    return np.stack([x, y, np.arctan2(2.0 * (w * k + i * j), w * w + i * i - j * j - k * k)], -1)


def spatial_cov(cov: Any) -> Array:
    """The covariance ``(6, 6)`` of a message for one of x, y and yaw ``(3, 3)``; others are 0.

    Example:
        >>> np.diag(spatial_cov(np.diag([1.0, 2.0, 3.0]))).tolist()
        [1.0, 2.0, 0.0, 0.0, 0.0, 3.0]
    """
    whole = np.zeros((6, 6))
    whole[np.ix_(PLANE, PLANE)] = cov
    return whole


def planar_cov(cov: Any) -> Array:
    """The covariance of x, y and yaw ``(3, 3)`` in one of a message ``(6, 6)``.

    Example:
        >>> planar_cov(np.diag([1.0, 2.0, 0.0, 0.0, 0.0, 3.0])).diagonal().tolist()
        [1.0, 2.0, 3.0]
    """
    return np.asarray(cov, dtype=np.float64)[np.ix_(PLANE, PLANE)]
