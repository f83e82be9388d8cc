"""The perspective three-point problem: poses of a camera that sees three known points."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError

Array = NDArray[np.float64]


def three_point_poses(points: ArrayLike, rays: ArrayLike) -> Array:
    """All poses from which three points are seen in three directions.

    ::

        s_k: distances of the points,    u = s2 / s1,    v = s3 / s1
        |s_i r_i - s_j r_j| = |P_i - P_j|        a quartic in v; then u, s1, and the pose of three points

    Args:
        points: positions in the world ``(..., 3, 3)`` [m].
        rays: directions of length 1 in the frame of the camera ``(..., 3, 3)``.

    Returns:
        Poses ``(..., 4, 7)``; NaN in place of solutions that are complex or have points behind the camera.

    Raises:
        ShapeError: if shapes do not match.

    Source: Grunert (1841), in the form of Haralick, Lee, Ottenberg and Nölle, "Review and analysis of solutions of the
    three point perspective pose estimation problem" (1994), section 2.1.

    Example:
        >>> points = np.array([[0.0, 0.0, 4.0], [1.0, 0.0, 5.0], [0.0, 1.0, 6.0]])
        >>> rays = points / np.linalg.norm(points, axis=1, keepdims=True)
        >>> found = three_point_poses(points, rays)
        >>> bool((np.abs(found - [0, 0, 0, 1, 0, 0, 0]).max(axis=1) < 1e-9).any())
        True
    """
    P, r = numbers(points, "points"), numbers(rays, "rays")
    if P.shape != r.shape or P.shape[-2:] != (3, 3):
        raise ShapeError(f"points and rays have shapes {P.shape} and {r.shape}; expected (..., 3, 3) of both")
    P, r, batch = P.reshape(-1, 3, 3), r.reshape(-1, 3, 3), P.shape[:-2]
    with np.errstate(all="ignore"):
        s = _distances(P, r)
        local = s[..., None] * r[:, None]
        poses = _aligned(local, np.broadcast_to(P[:, None], local.shape))
    poses[~(np.isfinite(poses).all(axis=2) & (s > 0.0).all(axis=2))] = np.nan
    return poses.reshape(*batch, 4, 7)


def _distances(P: Array, r: Array) -> Array:
    """Distances of the three points ``(B, 4, 3)``, polished by Newton's method."""
    a2, b2, c2 = (((P[:, i] - P[:, j]) ** 2).sum(axis=1) for i, j in ((1, 2), (0, 2), (0, 1)))
    ca, cb, cc = ((r[:, i] * r[:, j]).sum(axis=1) for i, j in ((1, 2), (0, 2), (0, 1)))
    k, l, ab, cr = (a2 - c2) / b2, (a2 + c2) / b2, a2 / b2, c2 / b2
    A = np.stack([
        (k - 1.0) ** 2 - 4.0 * cr * ca**2,
        4.0 * (k * (1.0 - k) * cb - (1.0 - l) * ca * cc + 2.0 * cr * ca**2 * cb),
        2.0 * (k**2 - 1.0 + 2.0 * k**2 * cb**2 + 2.0 * (1.0 - cr) * ca**2 - 4.0 * l * ca * cb * cc
               + 2.0 * (1.0 - ab) * cc**2),
        4.0 * (-k * (1.0 + k) * cb + 2.0 * ab * cc**2 * cb - (1.0 - l) * ca * cc),
        (1.0 + k) ** 2 - 4.0 * ab * cc**2,
    ], axis=1)  # fmt: skip
    v = _real_roots(A)
    one = np.ones_like(v)
    k, ca, cb, cc = (each[:, None] for each in (k, ca, cb, cc))
    u = ((k - 1.0) * v**2 - 2.0 * k * cb * v + 1.0 + k) / (2.0 * (cc - v * ca))
    s1 = np.sqrt(b2[:, None] / (1.0 + v**2 - 2.0 * v * cb))
    s = s1[..., None] * np.stack([one, u, v], axis=2)
    return _polished(s, np.stack([a2, b2, c2], axis=1)[:, None], np.concatenate([ca, cb, cc], axis=1)[:, None])


def _polished(s: Array, squares: Array, cosines: Array) -> Array:
    """Distances after two steps of Newton's method on the law of cosines."""
    for _ in range(2):
        pairs = ((1, 2), (0, 2), (0, 1))
        J, e = np.zeros((*s.shape, 3)), np.zeros_like(s)
        for row, (i, j) in enumerate(pairs):
            c = cosines[..., row]
            e[..., row] = s[..., i] ** 2 + s[..., j] ** 2 - 2.0 * c * s[..., i] * s[..., j] - squares[..., row]
            J[..., row, i] = 2.0 * (s[..., i] - c * s[..., j])
            J[..., row, j] = 2.0 * (s[..., j] - c * s[..., i])
        sound = np.reshape(np.abs(np.linalg.det(np.nan_to_num(J))) > 1e-12, s.shape[:-1])
        J[~sound] = np.eye(3)
        step = np.linalg.solve(J, e[..., None])[..., 0]
        s = s - np.where(sound[..., None], step, 0.0)
    return s


def _real_roots(A: Array) -> Array:
    """Real roots of quartics ``(B, 5)``, highest coefficient first; NaN for complex ones ``(B, 4)``."""
    B = A[:, 1:] / A[:, :1]
    good = np.isfinite(B).all(axis=1, keepdims=True)
    companion = np.zeros((len(A), 4, 4))
    companion[:, 1:, :3] = np.eye(3)
    companion[:, 0] = -np.where(good, B, 0.0)
    roots = np.linalg.eigvals(companion)
    real = (np.abs(roots.imag) <= 1e-4 * (1.0 + np.abs(roots.real))) & good
    return np.where(real, roots.real, np.nan)  # double roots of rounding are polished later


def _aligned(local: Array, world: Array) -> Array:
    """The poses that move three points of the camera's frame to those of the world ``(..., 7)``."""
    R = _triad(world) @ np.swapaxes(_triad(local), -1, -2)
    t = world.mean(axis=-2) - np.einsum("...ij,...j->...i", R, local.mean(axis=-2))
    return np.concatenate([t, quaternions(R)], axis=-1)


def _triad(points: Array) -> Array:
    """An orthonormal frame of three points, as columns."""
    x = points[..., 1, :] - points[..., 0, :]
    z = np.cross(x, points[..., 2, :] - points[..., 0, :])
    x, z = (each / np.linalg.norm(each, axis=-1, keepdims=True) for each in (x, z))
    return np.stack([x, np.cross(z, x), z], axis=-1)


def quaternions(R: Array) -> Array:
    """Quaternions w, x, y, z of rotation matrices ``(..., 3, 3)``; NaN for those that hold NaN."""
    from scipy.spatial.transform import Rotation

    flat = R.reshape(-1, 3, 3)
    good = np.isfinite(flat).all(axis=(1, 2))
    q = np.full((len(flat), 4), np.nan)
    if good.any():
        q[good] = Rotation.from_matrix(flat[good]).as_quat()[:, [3, 0, 1, 2]]
    return q.reshape(*R.shape[:-2], 4)
