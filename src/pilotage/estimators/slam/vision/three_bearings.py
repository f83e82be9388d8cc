"""Resection in the plane: the pose of a camera that sees known points by their bearings."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError

Array = NDArray[np.float64]


def bearing_poses(points: ArrayLike, rays: ArrayLike) -> Array:
    """The pose in the plane from which three points or more are seen in given directions.

    ::

        cross(r_k, R' P_k - w) = 0,    w = R' position        linear in cos yaw, sin yaw and w

    The solution is the null vector of the equations, or of more than three points the one of the least singular value.
    It is unique, unless points and camera lie on one circle.

    Args:
        points: positions in the world ``(..., K, 2)``, K >= 3 [m].
        rays: directions of length 1 in the frame of the camera ``(..., K, 2)``.

    Returns:
        Poses ``(..., 3)``; NaN where points would lie behind the camera.

    Raises:
        ShapeError: if shapes do not match, or there are fewer than three points.

    Source: the problem of Snellius and Pothenot; Betke and Gurvits, "Mobile robot localization using landmarks" (1997).

    Example:
        >>> points = np.array([[4.0, 0.0], [5.0, 1.0], [4.0, -2.0]])
        >>> rays = (points - [1.0, 0.0]) / np.linalg.norm(points - [1.0, 0.0], axis=1, keepdims=True)
        >>> np.abs(bearing_poses(points, rays) - [1.0, 0.0, 0.0]).max() < 1e-9
        np.True_
    """
    P, r = numbers(points, "points"), numbers(rays, "rays")
    if P.shape != r.shape or P.ndim < 2 or P.shape[-1] != 2 or P.shape[-2] < 3:
        raise ShapeError(f"points and rays have shapes {P.shape} and {r.shape}; expected (..., K, 2) of both, K >= 3")
    middle = P.mean(axis=-2, keepdims=True)
    Q = P - middle
    rx, ry, x, y = r[..., 0], r[..., 1], Q[..., 0], Q[..., 1]
    # r x (R' Q - w), with R' Q = (c x + s y, c y - s x)
    A = np.stack([rx * y - ry * x, -rx * x - ry * y, ry, -rx], axis=-1)
    null = np.linalg.svd(np.nan_to_num(A))[2][..., 3, :]
    with np.errstate(all="ignore"):
        null = null / np.hypot(null[..., 0], null[..., 1])[..., None]
    c, s = null[..., 0, None], null[..., 1, None]
    forward = rx * (c * x + s * y - null[..., 2, None]) + ry * (c * y - s * x - null[..., 3, None])
    null = np.where(forward.sum(axis=-1, keepdims=True) < 0.0, -null, null)
    ahead = (np.sign(forward) == np.sign(forward[..., :1])).all(axis=-1)
    c, s, w = null[..., 0], null[..., 1], null[..., 2:]
    position = np.stack([c * w[..., 0] - s * w[..., 1], s * w[..., 0] + c * w[..., 1]], axis=-1) + middle[..., 0, :]
    poses = np.concatenate([position, np.arctan2(s, c)[..., None]], axis=-1)
    poses[~ahead | ~np.isfinite(poses).all(axis=-1)] = np.nan
    return poses
