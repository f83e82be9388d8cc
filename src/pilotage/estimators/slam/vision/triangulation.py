"""Triangulation: points from readings of two or more known poses, with covariances and a test of their parallax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import Positive, instance, setting

from .camera_model import CameraModel, Mask

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
LARGEST = 1e12
"""Variance of what the readings leave open [m^2]."""


@dataclass(frozen=True, eq=False)
class Triangulation:
    """Points that were triangulated.

    Attributes:
        points: positions ``(N, axes)`` [m]; NaN where there are no readings.
        covs: their covariances by the noise of the readings, the poses being exact ``(N, axes, axes)`` [m^2].
        parallax: largest angle between two lines of sight ``(N,)`` [rad].
        chi2: sum of the squared residuals over the variance of the readings ``(N,)``.
        ahead: which of them are in front of all cameras that see them ``(N,)``.
        ok: which of them are ahead, with enough parallax ``(N,)``.

    Example:
        >>> from pilotage.estimators.slam.vision import Camera
        >>> poses = np.array([[0, 0, 0, 1, 0, 0, 0], [1, 0, 0, 1, 0, 0, 0]], dtype=float)
        >>> z = Camera().observe(poses, [0.5, 0.0, 10.0])
        >>> found = triangulate(Camera(), poses, z, [0, 0])
        >>> np.sqrt(found.covs[0].diagonal()).round(2).tolist(), found.parallax.round(2).tolist()
        ([0.01, 0.01, 0.28], [0.1])
    """

    points: Array
    covs: Array
    parallax: Array
    chi2: Array
    ahead: Mask
    ok: Mask


def triangulate(
    camera: CameraModel, poses: ArrayLike, z: ArrayLike, index: ArrayLike, *, min_parallax: float = 0.01
) -> Triangulation:
    """Points from readings of known poses.

    ::

        start:   minimise sum |(I - d d') (X - o)|^2        over the lines of sight o + s d
        then:    minimise sum (z - h(x, X))' R^-1 (z - h(x, X))        by Levenberg-Marquardt
        cov =    (sum C' R^-1 C)^-1,    C = dh / dX

    Args:
        camera: the camera.
        poses: pose of the camera for each reading ``(K, size)``.
        z: readings ``(K, m)``.
        index: number of the point of each reading ``(K,)``, from 0 on.
        min_parallax: smallest angle between two lines of sight that makes a point good [rad].

    Raises:
        ShapeError: if shapes do not match, or readings hold NaN.
        SettingError: if `min_parallax` is not a positive number.

    Source: Hartley and Sturm, "Triangulation" (1997), section 5, with the midpoint of all lines for a start.

    Example:
        >>> from pilotage.estimators.slam.vision import Camera
        >>> poses = np.array([[0, 0, 0, 1, 0, 0, 0], [1, 0, 0, 1, 0, 0, 0]], dtype=float)
        >>> z = Camera().observe(poses, [0.5, 0.0, 10.0])
        >>> triangulate(Camera(), poses, z, [0, 0]).points.round(6).tolist()
        [[0.5, 0.0, 10.0]]
    """
    camera = instance(camera, CameraModel, "triangulate")
    least = setting(min_parallax, Positive, "min_parallax")
    x, readings, which = _checked(camera, poses, z, index)
    count = int(which.max(initial=-1)) + 1
    origins, d = world_lines(camera, x, readings)
    points = _midpoints(origins, d, which, count)
    points, H, chi2 = refined(camera, x, readings, which, points)
    local = camera.local(x, points[which])
    ahead = np.ones(count, dtype=bool)
    np.logical_and.at(ahead, which, local[:, camera.ahead] > 0.0)
    parallax = _parallax(d, which, count)
    finite = np.isfinite(points).all(axis=1)
    return Triangulation(points, inverses(H), parallax, chi2, ahead & finite, ahead & finite & (parallax >= least))


def world_lines(camera: CameraModel, poses: Array, z: Array) -> tuple[Array, Array]:
    """Origins and directions ``(K, eyes, axes)`` of lines of sight in the world."""
    origins, d = camera.lines(z)
    here = poses[:, None, :]
    centre = np.asarray(camera.pose.act(here, np.zeros_like(origins)))
    return np.asarray(camera.pose.act(here, origins)), np.asarray(camera.pose.act(here, d)) - centre


def refined(
    camera: CameraModel, poses: Array, z: Array, which: Indices, points: Array, iterations: int = 15
) -> tuple[Array, Array, Array]:
    """Points moved to least squares of their readings; their information, and chi2."""
    damping = np.full(len(points), 1e-4)
    H, g, chi2 = _normal(camera, poses, z, which, points)
    for _ in range(iterations):
        tried = points - _damped(H, g, damping)
        after = _normal(camera, poses, z, which, tried)
        better = after[2] < chi2
        slack = 1e-9 * (1.0 + chi2)
        settled = ~(after[2] < chi2 - np.where(np.isfinite(slack), slack, 0.0)) & (better | (damping > 1e-3))
        points = np.where(better[:, None], tried, points)
        H, g = np.where(better[:, None, None], after[0], H), np.where(better[:, None], after[1], g)
        chi2, damping = np.where(better, after[2], chi2), np.clip(damping * np.where(better, 0.1, 10.0), 1e-9, 1e9)
        if settled.all():
            break
    return points, H, chi2


def _normal(camera: CameraModel, poses: Array, z: Array, which: Indices, points: Array) -> tuple[Array, Array, Array]:
    """Information, gradient and chi2 of each point."""
    count, seen = len(points), points[which]
    with np.errstate(all="ignore"):  # a point that passes through a camera has no pixel
        e = np.asarray(camera.reading.minus(z, camera.observe(poses, seen)))
        C = np.asarray(camera.sensor.linearize_context(poses, seen))
        W = np.linalg.inv(np.asarray(camera.sensor.noise(poses[0], seen[0]))) if len(z) else np.zeros((0, 0))
        WC = W @ C
        H, g = np.zeros((count, camera.axes, camera.axes)), np.zeros((count, camera.axes))
        chi2 = np.zeros(count)
        np.add.at(H, which, np.swapaxes(C, 1, 2) @ WC)
        np.add.at(g, which, -np.einsum("kij,ki->kj", WC, e))
        np.add.at(chi2, which, np.einsum("ki,ij,kj->k", e, W, e))
    return H, g, np.where(np.isfinite(chi2), chi2, np.inf)


def _midpoints(origins: Array, d: Array, which: Indices, count: int) -> Array:
    """The points nearest to their lines of sight."""
    axes = d.shape[-1]
    P = np.eye(axes) - d[..., :, None] * d[..., None, :]
    A, b = np.zeros((count, axes, axes)), np.zeros((count, axes))
    np.add.at(A, which, P.sum(axis=1))
    np.add.at(b, which, np.einsum("keij,kej->ki", P, origins))
    far = 1e-9 * np.trace(A, axis1=1, axis2=2)[:, None, None] * np.eye(axes)  # where all lines are parallel
    with np.errstate(invalid="ignore"):
        points = np.einsum("nij,nj->ni", np.linalg.pinv(A + far), b)
    points[np.bincount(which, minlength=count) == 0] = np.nan
    return points


def _parallax(d: Array, which: Indices, count: int) -> Array:
    """The largest angle between two of the lines: from the one farthest from the first to that farthest from it."""
    eyes = d.shape[1]
    flat, of = d.reshape(-1, d.shape[-1]), np.repeat(which, eyes)
    end, largest = np.zeros((count, d.shape[-1])), np.zeros(count)
    end[of[::-1]] = flat[::-1]
    for _ in range(2):
        angle = 2.0 * np.arcsin(np.clip(0.5 * np.linalg.norm(flat - end[of], axis=1), 0.0, 1.0))
        order = np.argsort(angle, kind="stable")  # the last one written is the largest
        end[of[order]], largest[of[order]] = flat[order], angle[order]
    return largest


def _damped(H: Array, g: Array, damping: Array) -> Array:
    """``(H + damping diag H)^-1 g`` of each point."""
    d = np.diagonal(H, axis1=1, axis2=2)
    scale = 1.0 / np.sqrt(np.where(d > 0.0, d, 1.0))
    A = H * scale[:, :, None] * scale[:, None, :] + damping[:, None, None] * np.eye(H.shape[-1])
    A[~np.isfinite(A).all(axis=(1, 2))] = np.eye(H.shape[-1])
    return scale * np.linalg.solve(A, (scale * g)[..., None])[..., 0]


def inverses(H: Array) -> Array:
    """Covariances; large where there is no information."""
    H = np.where(np.isfinite(H), H, 0.0)
    values, vectors = np.linalg.eigh(H)
    variances = 1.0 / np.maximum(values, 1.0 / LARGEST)
    return np.einsum("nij,nj,nkj->nik", vectors, variances, vectors)


def _checked(camera: CameraModel, poses: Any, z: Any, index: Any) -> tuple[Array, Array, Indices]:
    x, readings = numbers(poses, "poses"), numbers(z, "z")
    given = np.asarray(index)
    if x.ndim == 1:
        x = np.broadcast_to(x, (len(readings), len(x)))
    if x.ndim != 2 or readings.shape != (len(x), camera.reading.size) or given.shape != (len(x),):
        raise ShapeError(
            f"poses, z and index have shapes {x.shape}, {readings.shape} and {given.shape}; expected "
            f"(K, {camera.pose.size}), (K, {camera.reading.size}) and (K,), one row a reading"
        )
    if given.size and (given.dtype.kind not in "iu" or given.min() < 0):
        raise ShapeError(f"index holds {given.min()} of kind {given.dtype}; expected whole numbers from 0 on")
    if not np.isfinite(readings).all():
        raise ShapeError("z holds NaN or infinity; leave out readings of points that were not seen")
    return np.array(camera.pose.check(x, "poses")), readings, given.astype(np.int64)
