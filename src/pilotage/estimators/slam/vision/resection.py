"""Resection: the pose of a camera that sees known points, among readings of which some are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core import Gaussian
from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import Count, Fraction, Positive, instance, settings
from pilotage.core.streams import Rng

from ._consensus import consensus
from .camera_model import CameraModel, Mask
from .p3p import three_point_poses
from .three_bearings import bearing_poses

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Resected:
    """A pose from known points.

    Attributes:
        belief: the pose with its covariance; None if there is none.
        inliers: the readings that agree with it ``(N,)``.
        chi2: the squared residual of each over its variance ``(N,)``; infinite if there is no pose.
        reason: the outcome in words.

    Example:
        >>> from pilotage.estimators.slam.vision import PlanarCamera
        >>> points = np.random.default_rng(0).uniform([3, -2], [8, 2], (20, 2))
        >>> z = PlanarCamera().observe([1.0, 0.0, 0.1], points)
        >>> Resection().solve(PlanarCamera(), points, z).reason
        '20 of 20 readings agree'
    """

    belief: Gaussian | None
    inliers: Mask
    chi2: Array
    reason: str


@settings
class Resection:
    """The pose of a camera from known points, by random samples of three and least squares.

    ::

        minimise sum rho(e' S^-1 e),    e = z - h(x, X),    S = R + C P C'    (P: covariance of X, C = dh / dX)

    In space, three points have up to four poses (`three_point_poses`), in the plane one (`bearing_poses`). The best is
    moved to least squares of all readings that agree with it, with covariance ``(sum H' S^-1 H)^-1``.

    Args:
        limit: squared residual over its variance from which a reading is an outlier.
        least: smallest number of readings that must agree.
        share: smallest share of the readings that must agree.
        samples: most random samples.
        iterations: most steps of least squares.

    Source: Fischler and Bolles, "Random Sample Consensus" (1981).

    Example:
        >>> from pilotage.estimators.slam.vision import Camera
        >>> points = np.random.default_rng(0).uniform([-2, -2, 4], [2, 2, 9], (30, 3))
        >>> z = Camera().observe([0.5, 0, 0, 1, 0, 0, 0], points)
        >>> z[:12] += [30.0, 50.0]
        >>> found = Resection().solve(Camera(), points, z)
        >>> round(float(found.belief.mean[0]), 3), int(found.inliers.sum())
        (0.5, 18)
    """

    limit: Positive = 13.8
    least: Count = 6
    share: Fraction = 0.2
    samples: Count = 1000
    iterations: Count = 20

    def solve(
        self,
        camera: CameraModel,
        points: ArrayLike,
        z: ArrayLike,
        *,
        covs: ArrayLike | None = None,
        guess: ArrayLike | None = None,
        rng: Rng = 0,
    ) -> Resected:
        """The pose that most readings agree with.

        Args:
            camera: the camera.
            points: positions ``(N, axes)`` [m].
            z: readings ``(N, m)``.
            covs: covariances of the positions ``(N, axes, axes)``; exact by default.
            guess: a pose to try first ``(size,)``.
            rng: seed or generator.

        Raises:
            ShapeError: if shapes do not match, or there is NaN.
        """
        camera = instance(camera, CameraModel, "Resection")
        X, readings, P = _checked(camera, points, z, covs)
        if len(X) < max(self.least, 3):
            return _none(len(X), f"{len(X)} known points are seen; expected {max(self.least, 3)} or more")
        rays = camera.rays(readings)
        start = None if guess is None else np.atleast_2d(camera.pose.check(guess, "guess"))

        def squares(poses: Array) -> Array:
            return _squares(camera, poses[:, None], X, readings, P)

        def improve(inliers: Mask, pose: Array) -> Array:
            return _least_squares(camera, pose, X[inliers], readings[inliers], P[inliers], 4, self.limit)[0]

        def solve(samples: NDArray[np.intp]) -> Array:
            minimal = three_point_poses if camera.axes == 3 else bearing_poses
            poses = minimal(X[samples], rays[samples]).reshape(-1, camera.pose.size)
            return poses[np.isfinite(poses).all(axis=1)]

        found = consensus(
            len(X), 3, solve, squares, self.limit,
            improve=improve, given=start, content=0.7, samples=self.samples, rng=rng,
        )  # fmt: skip
        if found.model is None or found.inliers.sum() < max(self.least, 3, self.share * len(X)):
            return _none(len(X), f"{found.inliers.sum()} of {len(X)} readings agree on a pose; expected more")
        return self._refined(camera, found.model, X, readings, P)

    def _refined(self, camera: CameraModel, pose: Array, X: Array, z: Array, P: Array) -> Resected:
        """The pose by all readings, outliers with little weight."""
        chi2 = _squares(camera, pose, X, z, P)
        near = chi2 <= 4.0 * self.limit
        pose, H = _least_squares(camera, pose, X[near], z[near], P[near], self.iterations, self.limit)
        chi2 = _squares(camera, pose, X, z, P)
        inliers = chi2 <= self.limit
        values = np.linalg.eigvalsh(H)
        if not values[0] > 1e-9 * values[-1] or inliers.sum() < max(self.least, 3):
            return _none(len(X), f"{inliers.sum()} of {len(X)} readings agree, and leave the pose free to move")
        reason = f"{inliers.sum()} of {len(X)} readings agree"
        return Resected(Gaussian(camera.pose, pose, np.linalg.inv(H)), inliers, chi2, reason)


def _least_squares(
    camera: CameraModel, pose: Array, X: Array, z: Array, P: Array, iterations: int, limit: float
) -> tuple[Array, Array]:
    """The pose after steps of Gauss-Newton with Huber's weights, and the information there."""
    H = np.zeros((camera.pose.dim, camera.pose.dim))
    for _ in range(iterations):
        with np.errstate(all="ignore"):
            e = np.asarray(camera.reading.minus(z, camera.observe(pose, X)))
            J = np.asarray(camera.sensor.linearize(np.broadcast_to(pose, (len(X), len(pose))), X))
            W = _weights(camera, pose, X, P)
            s = np.einsum("ki,kij,kj->k", e, W, e)
            w = np.where(s > limit, np.sqrt(limit / np.maximum(s, limit)), 1.0)
        sound = np.isfinite(s) & np.isfinite(J).all(axis=(1, 2))
        WJ = w[sound, None, None] * (W[sound] @ J[sound])
        H = np.einsum("kij,kil->jl", J[sound], WJ)
        g = np.einsum("kij,ki->j", WJ, e[sound])
        step = np.linalg.lstsq(H, g, rcond=1e-12)[0]
        length = float(np.abs(step).max())
        pose = np.asarray(camera.pose.plus(pose, step * min(1.0, 1.0 / max(length, 1e-12))))
        if length < 1e-8:
            break
    return pose, H


def _squares(camera: CameraModel, poses: Array, X: Array, z: Array, P: Array) -> Array:
    """Squared residuals over their variance ``(..., N)`` for poses ``(..., 1, size)``; infinite for points behind."""
    with np.errstate(all="ignore"):
        e = np.asarray(camera.reading.minus(z, camera.observe(poses, X)))
        s = np.einsum("...i,...ij,...j->...", e, _weights(camera, poses, X, P), e)
    ahead = camera.local(poses, X)[..., camera.ahead] > 0.0
    return np.where(ahead & np.isfinite(s), s, np.inf)


def _weights(camera: CameraModel, poses: Array, X: Array, P: Array) -> Array:
    """``(R + C P C')^-1`` of each reading ``(..., N, m, m)``."""
    shape = np.broadcast_shapes(poses.shape[:-1], X.shape[:-1])
    R = np.asarray(camera.sensor.noise(camera.pose.identity(), np.ones(camera.axes)))
    if not P.any():
        return np.broadcast_to(np.linalg.inv(R), (*shape, *R.shape[-2:]))
    C = np.asarray(camera.sensor.linearize_context(np.broadcast_to(poses, (*shape, poses.shape[-1])), X))
    S = R + C @ P @ np.swapaxes(C, -1, -2)
    return np.linalg.inv(np.where(np.isfinite(S).all(axis=(-2, -1), keepdims=True), S, R))


def _none(count: int, reason: str) -> Resected:
    return Resected(None, np.zeros(count, dtype=bool), np.full(count, np.inf), reason)


def _checked(camera: CameraModel, points: Any, z: Any, covs: Any) -> tuple[Array, Array, Array]:
    X, readings = numbers(points, "points"), numbers(z, "z")
    P = np.zeros((len(X), camera.axes, camera.axes)) if covs is None else numbers(covs, "covs")
    wanted = (len(X), camera.axes), (len(X), camera.reading.size), (len(X), camera.axes, camera.axes)
    if (X.shape, readings.shape, P.shape) != wanted:
        raise ShapeError(
            f"points, z and covs have shapes {X.shape}, {readings.shape} and {P.shape}; expected {wanted[0]}, "
            f"{wanted[1]} and {wanted[2]}"
        )
    for name, values in (("points", X), ("z", readings), ("covs", P)):
        if not np.isfinite(values).all():
            raise ShapeError(f"{name} hold NaN or infinity; leave out points that are not known or not seen")
    return X, readings, P
