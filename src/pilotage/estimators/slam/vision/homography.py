"""Homographies: two views of points in a plane, and the two motions that explain them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError

from .p3p import quaternions

Array = NDArray[np.float64]


def homographies(first: ArrayLike, second: ArrayLike) -> Array:
    """The homography of four pairs of directions or more.

    ::

        second_k x (H first_k) = 0        linear in H: the null vector, or that of the least singular value

    Args:
        first, second: directions of the same points of a plane in the frames of two cameras ``(..., K, 3)``, K >= 4.

    Returns:
        H of Frobenius norm 1 ``(..., 3, 3)``.

    Raises:
        ShapeError: if shapes do not match, or there are fewer than four points.

    Source: Hartley and Zisserman, "Multiple View Geometry in Computer Vision" (2004), section 4.1.

    Example:
        >>> plane = np.array([[0, 0, 4], [1, 0, 4], [0, 1, 4], [1, 1, 4]], dtype=float)
        >>> H = homographies(plane, plane - [1.0, 0.0, 0.0])
        >>> ((H / H[0, 0]).round(6) + 0.0).tolist()
        [[1.0, 0.0, -0.25], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    a, b = numbers(first, "first"), numbers(second, "second")
    if a.shape != b.shape or a.ndim < 2 or a.shape[-1] != 3 or a.shape[-2] < 4:
        raise ShapeError(f"directions have shapes {a.shape} and {b.shape}; expected (..., K, 3) of both, K >= 4")
    x, y, z = (b[..., k, None] * a for k in range(3))
    o = np.zeros_like(x)
    rows = [np.concatenate(row, axis=-1) for row in ((o, -z, y), (z, o, -x), (-y, x, o))]
    H = np.linalg.svd(np.concatenate(rows, axis=-2))[2][..., 8, :].reshape(*a.shape[:-2], 3, 3)
    towards = np.einsum("...ki,...ij,...kj->...", b, H, a)
    return H * np.sign(np.where(towards == 0.0, 1.0, towards))[..., None, None]


def homography_motions(H: ArrayLike) -> Array:
    """The two motions of a camera whose views of a plane a homography joins.

    ::

        H ~ R' (I - t n' / d)        (t, R): pose of the second camera,  n' X = d: the plane

    One of them is the true one. In front of both cameras they often both are.

    Args:
        H: homography ``(3, 3)`` of directions, as `homographies` gives it.

    Returns:
        Poses of the second camera ``(2, 7)``, in units of the distance d of the plane.

    Raises:
        ShapeError: if H is no finite matrix of this shape.

    Source: Ma, Soatto, Kosecka and Sastry, "An Invitation to 3-D Vision" (2004), section 5.3.3.

    Example:
        >>> H = np.array([[1.0, 0.0, -0.25], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        >>> bool((np.abs(homography_motions(H) - [0.25, 0, 0, 1, 0, 0, 0]).max(axis=1) < 1e-9).any())
        True
    """
    A = numbers(H, "H")
    if A.shape != (3, 3) or not np.isfinite(A).all():
        raise ShapeError(f"H has shape {A.shape}; expected a finite matrix (3, 3)")
    A = A / np.linalg.svd(A, compute_uv=False)[1]
    A = A * (1.0 if np.linalg.det(A) >= 0.0 else -1.0)
    values, V = np.linalg.eigh(A.T @ A)
    s3, s1 = values[0], values[2]
    V = V * np.linalg.det(V)
    v3, v2, v1 = V.T
    low, high = np.sqrt(max(1.0 - s3, 0.0)), np.sqrt(max(s1 - 1.0, 0.0))
    poses = list[Array]()
    for sign in (1.0, -1.0):
        u = (low * v1 + sign * high * v3) / max(np.sqrt(max(s1 - s3, 0.0)), 1e-12)
        u = u if np.linalg.norm(u) > 0.5 else v1  # a rotation alone
        n = np.cross(v2, u)
        W = np.stack([A @ v2, A @ u, np.cross(A @ v2, A @ u)], axis=1)
        back = W @ np.stack([v2, u, n], axis=1).T  # R'
        T = (A - back) @ n
        T = T if n[2] >= 0.0 else -T  # with n, so that the plane is ahead
        poses.append(np.concatenate([-back.T @ T, quaternions(back.T)]))
    return np.array(poses)
