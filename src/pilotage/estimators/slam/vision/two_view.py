"""Two views of unknown points: how a camera moved from one to the other, up to scale."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core import Space
from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.rotations import matrix as rotation_matrix
from pilotage.core.settings import Count, Fraction, Positive, instance, settings
from pilotage.core.streams import Rng

from ._consensus import consensus
from .camera_model import CameraModel, Mask
from .five_point import essential_matrices
from .homography import homographies, homography_motions
from .p3p import quaternions
from .triangulation import triangulate

Array = NDArray[np.float64]
SPATIAL = Space("pose: SE3")
ALIKE = 0.98
"""Cosine of the angle between two directions of motion from which they are taken for one."""
RIVAL = 9.2
"""Difference of chi2 up to which a second motion may be the true one: the quantile 0.99 of two degrees of freedom."""
ORIGIN = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])


class TwoViewStatus(enum.Enum):
    """The outcome of two views."""

    SOLVED = "solved"
    FEW = "too few features"
    NO_CONSENSUS = "no consensus"
    STILL = "no motion"
    ROTATION = "pure rotation"
    PARALLAX = "little parallax"
    AMBIGUOUS = "two motions"


@dataclass(frozen=True, eq=False)
class TwoView:
    """The motion of a camera between two views.

    Attributes:
        status: the outcome.
        pose: the pose of the second view in the frame of the first ``(7,)``, its distance being 1; a rotation alone
            after a pure rotation; None if there is none.
        cov: its covariance in the tangent ``(6, 6)``, zero along the direction of the motion, whose length is free.
        inliers: the features that agree with it ``(N,)``.
        points: their positions ``(N, 3)`` in that unit; NaN for outliers.
        parallax: angles between their lines of sight ``(N,)`` [rad]; 0 for outliers.
        reason: the outcome in words.

    Example:
        >>> from pilotage.estimators.slam.vision import Camera
        >>> z = np.random.default_rng(0).uniform([0.0, 0.0], [640.0, 480.0], (20, 2))
        >>> TwoViewGeometry().solve(Camera(), z, z).reason
        'the images are the same: the camera has not moved'
    """

    status: TwoViewStatus
    pose: Array | None
    cov: Array | None
    inliers: Mask
    points: Array
    parallax: Array
    reason: str


@settings
class TwoViewGeometry:
    """The motion between two views by the essential matrix, from random samples of five features.

    ::

        r2' E r1 = 0,    E = R' [t]        r1, r2: directions of a feature;  (t, R): pose of the second camera

    1. Features that a rotation alone explains say nothing about the motion: then the status is "pure rotation".
    2. The two motions of the largest plane, and the five-point algorithm on random samples, give candidates of E; the
       best one is moved to the least sum of Sampson's errors.
    3. Of the four motions of E, the one with most points in front of both cameras is taken.

    One camera does not tell how far it moved: the distance is taken for 1. Points in a plane may fit two motions; then
    the status is "two motions".

    Args:
        limit: squared error over its variance from which a feature is an outlier.
        least: smallest number of features that must agree.
        min_parallax: smallest median angle between the lines of sight [rad].
        rotation: share of the features that agree which a rotation may explain.
        samples: most random samples.

    Source: Nistér, "An efficient solution to the five-point relative pose problem" (2004), section 4; Hartley and
    Zisserman, "Multiple View Geometry in Computer Vision" (2004), section 9.6 and equation 11.9; Longuet-Higgins, "The
    reconstruction of a plane surface from two perspective projections" (1986), for the two motions of a plane.

    Example:
        >>> from pilotage.estimators.slam.vision import Camera
        >>> points = np.random.default_rng(0).uniform([-2, -2, 4], [2, 2, 9], (40, 3))
        >>> z = [Camera().observe(x, points) for x in ([0, 0, 0, 1, 0, 0, 0], [0.5, 0, 0, 1, 0, 0, 0])]
        >>> found = TwoViewGeometry().solve(Camera(), *z)
        >>> found.status.value, (found.pose.round(6) + 0.0).tolist()
        ('solved', [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    """

    limit: Positive = 6.6
    least: Count = 15
    min_parallax: Positive = 0.03
    rotation: Fraction = 0.9
    samples: Count = 1000

    def solve(self, camera: CameraModel, first: ArrayLike, second: ArrayLike, *, rng: Rng = 0) -> TwoView:
        """The motion between two views of the same features.

        Args:
            camera: a camera in space.
            first, second: readings of the same features ``(N, m)``.
            rng: seed or generator.

        Raises:
            ShapeError: if shapes do not match, there is NaN, or the camera is in the plane.
        """
        camera = instance(camera, CameraModel, "TwoViewGeometry")
        z1, z2 = _checked(camera, first, second)
        count = len(z1)
        if count < max(self.least, 5):
            return _none(count, TwoViewStatus.FEW, f"{count} features; expected {max(self.least, 5)} or more")
        a, b = camera.rays(z1), camera.rays(z2)
        variances = camera.ray_std(z1) ** 2, camera.ray_std(z2) ** 2
        planar = self._planar(a, b, variances, rng)
        found = self._essential(a, b, variances, _essential_of(planar), rng)
        if found.model is None or found.inliers.sum() < self.least:
            reason = f"{found.inliers.sum()} of {count} features agree on a motion; expected {self.least} or more"
            return _none(count, TwoViewStatus.NO_CONSENSUS, reason)
        turned = self._rotation(a, b, variances, found.inliers, z1, z2, rng)
        return turned or self._motion(camera, found.model, planar, (z1, z2), (a, b), variances, found.inliers)

    def _essential(self, a: Array, b: Array, variances: tuple[Array, Array], given: Array, rng: Rng) -> Any:
        """The best essential matrix."""

        def solve(samples: NDArray[np.intp]) -> Array:
            E = essential_matrices(a[samples], b[samples]).reshape(-1, 3, 3)
            return E[np.isfinite(E).all(axis=(1, 2))]

        def squares(E: Array) -> Array:
            return sampson(E, a, b, variances) ** 2

        def improve(inliers: Mask, E: Array) -> Array:
            own = variances[0][inliers], variances[1][inliers]
            pose = _best_pose(E, a[inliers], b[inliers])[0]
            return _essential_of(_moved(pose, a[inliers], b[inliers], own)[0])

        return consensus(
            len(a), 5, solve, squares, self.limit, improve=improve, given=given, samples=self.samples, rng=rng
        )

    def _rotation(
        self, a: Array, b: Array, variances: tuple[Array, Array], agree: Mask, z1: Array, z2: Array, rng: Rng
    ) -> TwoView | None:
        """The rotation, if it explains nearly all that agrees; None otherwise."""
        spread = variances[0] + variances[1]

        def solve(samples: NDArray[np.intp]) -> Array:
            return _rotations(a[samples], b[samples])

        def squares(R: Array) -> Array:
            return ((a - np.einsum("hij,kj->hki", R, b)) ** 2).sum(axis=2) / spread

        def improve(inliers: Mask, R: Array) -> Array:
            return _rotations(a[inliers][None], b[inliers][None])[0]

        found = consensus(len(a), 2, solve, squares, 9.2, improve=improve, samples=200, rng=rng)
        if found.model is None or found.inliers.sum() < self.rotation * agree.sum():
            return None
        pose = np.concatenate([np.zeros(3), quaternions(found.model)])
        points = np.full((len(a), 3), np.nan)
        angle = float(np.linalg.norm(SPATIAL.minus(pose, ORIGIN)))
        if np.median(np.abs(z1 - z2)) == 0.0 or angle < 3.0 * np.sqrt(spread.mean() / len(a)):
            reason = "the images are the same: the camera has not moved"
            return TwoView(TwoViewStatus.STILL, pose, None, found.inliers, points, np.zeros(len(a)), reason)
        reason = f"the camera has turned by {np.degrees(angle):.3g} degrees on the spot; expected a motion to the side"
        return TwoView(TwoViewStatus.ROTATION, pose, None, found.inliers, points, np.zeros(len(a)), reason)

    def _motion(
        self, camera: CameraModel, E: Array, planar: Array, z: Any, rays: Any, variances: Any, inliers: Mask
    ) -> TwoView:
        """The motion, with points and covariance."""
        a, b = rays
        pose, _ = _best_pose(E, a[inliers], b[inliers])
        cov, agreed = np.zeros((6, 6)), int(inliers.sum())
        for _ in range(3):  # a wrong feature on its epipolar line often lies behind a camera
            inliers = inliers & _in_front(pose, a, b)
            if inliers.sum() < max(self.least, 0.5 * agreed):
                reason = f"{inliers.sum()} of {agreed} points are in front of both cameras; expected more"
                return _none(len(a), TwoViewStatus.NO_CONSENSUS, reason)
            pose, cov = _moved(pose, a[inliers], b[inliers], (variances[0][inliers], variances[1][inliers]))
            inliers = sampson(_essential_of(pose), a, b, variances) ** 2 <= self.limit
        k = np.flatnonzero(inliers & _in_front(pose, a, b))
        poses = np.repeat([ORIGIN, pose], len(k), axis=0)
        seen = triangulate(camera, poses, np.vstack([z[0][k], z[1][k]]), np.tile(np.arange(len(k)), 2))
        points, angles, inliers = np.full((len(a), 3), np.nan), np.zeros(len(a)), np.zeros(len(a), dtype=bool)
        good = k[seen.ahead]
        points[good], angles[good], inliers[good] = seen.points[seen.ahead], seen.parallax[seen.ahead], True
        parallax = float(np.median(angles[good])) if len(good) else 0.0
        said = f"{inliers.sum()} of {len(a)} features agree; median parallax {np.degrees(parallax):.2g} degrees"
        status = TwoViewStatus.SOLVED if parallax >= self.min_parallax else TwoViewStatus.PARALLAX
        if status is TwoViewStatus.SOLVED and self._rival(pose, planar, a[good], b[good], [v[good] for v in variances]):
            status = TwoViewStatus.AMBIGUOUS
            said = "the points lie in a plane, and two motions explain them; expected points off the plane"
        return TwoView(status, pose, cov, inliers, points, angles, said)

    def _rival(self, pose: Array, planar: Array, a: Array, b: Array, variances: Any) -> bool:
        """Whether one of the two motions of a plane fits nearly as well, and is another one."""
        best = float((sampson(_essential_of(pose), a, b, variances) ** 2).sum())
        for other in _essential_of(planar):
            found, _ = _moved(_best_pose(other, a, b)[0], a, b, variances)
            cost = float((sampson(_essential_of(found), a, b, variances) ** 2).sum())
            if found[:3] @ pose[:3] < ALIKE and cost < best + RIVAL and _in_front(found, a, b).mean() > 0.9:
                return True
        return False

    def _planar(self, a: Array, b: Array, variances: tuple[Array, Array], rng: Rng) -> Array:
        """The two motions of the plane with most points."""

        def solve(samples: NDArray[np.intp]) -> Array:
            return homographies(a[samples], b[samples])

        def squares(H: Array) -> Array:
            seen = np.einsum("hij,kj->hki", H, a)
            seen /= np.maximum(np.linalg.norm(seen, axis=2, keepdims=True), 1e-300)
            return ((seen - b) ** 2).sum(axis=2) / sum(variances)

        def improve(inliers: Mask, H: Array) -> Array:
            return homographies(a[inliers], b[inliers])

        found = consensus(len(a), 4, solve, squares, 9.2, improve=improve, samples=200, rng=rng)
        return np.tile(ORIGIN, (2, 1)) if found.model is None else homography_motions(found.model)


def sampson(E: Array, a: Array, b: Array, variances: tuple[Array, Array]) -> Array:
    """Sampson's error of directions over its standard deviation ``(..., N)``, for E ``(..., 3, 3)``."""
    Ea, Eb = np.einsum("...ij,kj->...ki", E, a), np.einsum("...ij,ki->...kj", E, b)
    e = np.einsum("...ki,ki->...k", Ea, b)
    spread = (Ea**2).sum(axis=-1) * variances[1] + (Eb**2).sum(axis=-1) * variances[0] - e**2 * sum(variances)
    return e / np.sqrt(np.maximum(spread, 1e-30))


def _essential_of(poses: Array) -> Array:
    """``R' [t]`` of Frobenius norm 1, of poses ``(..., 7)``."""
    t = np.zeros((*poses.shape[:-1], 3, 3))
    x, y, z = np.moveaxis(poses[..., :3], -1, 0)
    t[..., 0, 1], t[..., 0, 2], t[..., 1, 2] = -z, y, -x
    t[..., 1, 0], t[..., 2, 0], t[..., 2, 1] = z, -y, x
    E = np.swapaxes(_matrix(poses), -1, -2) @ t
    return E / np.maximum(np.linalg.norm(E, axis=(-2, -1), keepdims=True), 1e-300)


def _best_pose(E: Array, a: Array, b: Array) -> tuple[Array, int]:
    """Of the four motions of E, the one with most points in front of both cameras, and their number."""
    U, _, V = np.linalg.svd(E)
    U, V = U * np.sign(np.linalg.det(U)), V * np.sign(np.linalg.det(V))
    W = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    best, most = ORIGIN, -1
    for turn in (U @ W @ V, U @ W.T @ V):
        for t in (V[2], -V[2]):
            pose = np.concatenate([t, quaternions(turn.T)])
            ahead = int(_in_front(pose, a, b).sum())
            if ahead > most:
                best, most = pose, ahead
    return best, most


def _in_front(pose: Array, a: Array, b: Array) -> Mask:
    """Which features have positive distances in both views."""
    c, t = b @ _matrix(pose).T, pose[:3]
    dot = (a * c).sum(axis=1)
    # s a - u c = t in least squares
    s, u = a @ t - dot * (c @ t), dot * (a @ t) - c @ t
    return (s > 0.0) & (u > 0.0)


def _moved(pose: Array, a: Array, b: Array, variances: tuple[Array, Array]) -> tuple[Array, Array]:
    """The motion of length 1 with the least sum of squared errors of Sampson, and its covariance."""
    J, step = np.zeros((len(a), 6)), 1e-6 * np.vstack([np.eye(6), -np.eye(6)])
    for _ in range(8):
        e = sampson(_essential_of(pose), a, b, variances)
        around = sampson(_essential_of(np.asarray(SPATIAL.plus(pose, step))), a, b, variances)
        J = (around[:6] - around[6:]).T / 2e-6
        d = -np.linalg.lstsq(J, e, rcond=1e-6)[0]
        pose = np.asarray(SPATIAL.plus(pose, d))
        pose[:3] /= np.linalg.norm(pose[:3])
        if np.abs(d).max() < 1e-9:
            break
    return pose, np.asarray(np.linalg.pinv(J.T @ J, rcond=1e-10, hermitian=True), dtype=np.float64)


def _rotations(a: Array, b: Array) -> Array:
    """Rotations with the least ``sum |a - R b|^2``, of batches ``(B, K, 3)``."""
    U, _, V = np.linalg.svd(np.einsum("hki,hkj->hij", a, b))
    U[:, :, 2] *= np.sign(np.linalg.det(U) * np.linalg.det(V))[:, None]
    return U @ V


def _matrix(poses: Array) -> Array:
    """The rotation matrices of poses ``(..., 7)``."""
    return np.stack(rotation_matrix(list(np.moveaxis(poses[..., 3:], -1, 0))), axis=-1).reshape(*poses.shape[:-1], 3, 3)


def _none(count: int, status: TwoViewStatus, reason: str) -> TwoView:
    return TwoView(
        status, None, None, np.zeros(count, dtype=bool), np.full((count, 3), np.nan), np.zeros(count), reason
    )


def _checked(camera: CameraModel, first: Any, second: Any) -> tuple[Array, Array]:
    z1, z2 = numbers(first, "first"), numbers(second, "second")
    if camera.axes != 3:
        raise ShapeError(
            f"TwoViewGeometry was given {camera!r}; expected a camera in space, as two views of bearings in the plane "
            "fit any motion"
        )
    if z1.shape != z2.shape or z1.ndim != 2 or z1.shape[1] != camera.reading.size:
        raise ShapeError(
            f"readings have shapes {z1.shape} and {z2.shape}; expected (N, {camera.reading.size}) of both, one row a "
            "feature"
        )
    if not (np.isfinite(z1).all() and np.isfinite(z2).all()):
        raise ShapeError("readings hold NaN or infinity; leave out features that one view does not show")
    return z1, z2
