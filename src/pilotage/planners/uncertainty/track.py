"""Predicted tracks: moving discs of which only beliefs are known."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import frozen, numbers
from ...core.belief import Belief
from ...core.covariances import check_semidefinite
from ...core.errors import ShapeError
from ...core.moving import MovingObstacle
from ...core.planar import planar
from ...core.settings import Interval, NonNegative, instance, setting, settings

Array = NDArray[np.float64]
Risk = Annotated[float, Interval(0.0, 1.0)]
"""A probability above 0 and below 1."""


@settings(eq=False)
class PredictedTrack:
    """The prediction of a moving disc: Gaussians of its centre at some times, and interpolated between them.

    Attributes:
        ts: times ``(T,)`` [s], ascending; the first and last prediction hold before and after.
        means: x, y ``(T, 2)`` [m].
        covariances: ``(T, 2, 2)`` [m^2].
        radius: of the disc [m].

    Raises:
        ShapeError: if the shapes do not fit, or the times do not ascend.
        CovarianceError: if a covariance is not symmetric and positive semidefinite.

    Example:
        >>> walker = PredictedTrack([0.0, 2.0], [[0, 0], [2, 0]], [0.01 * np.eye(2), 0.09 * np.eye(2)], radius=0.3)
        >>> walker.at([1.0])[0]
        array([[1., 0.]])
    """

    ts: Any
    means: Any
    covariances: Any
    radius: NonNegative = 0.3

    def __post_init__(self) -> None:
        ts, means = (numbers(getattr(self, name), name) for name in ("ts", "means"))
        P = check_semidefinite(self.covariances, 2, "covariances") if len(ts) else np.zeros((0, 2, 2))
        if ts.ndim != 1 or not len(ts) or means.shape != (len(ts), 2) or P.shape != (len(ts), 2, 2):
            raise ShapeError(
                f"a track has ts {ts.shape}, means {means.shape} and covariances {P.shape}; expected (T,), (T, 2) and "
                "(T, 2, 2)"
            )
        if not (np.diff(ts) > 0.0).all() or not all(np.isfinite(each).all() for each in (ts, means)):
            raise ShapeError("the times of a track must ascend, and its numbers be finite")
        for name, value in (("ts", ts), ("means", means), ("covariances", P)):
            object.__setattr__(self, name, frozen(value))

    @classmethod
    def of(cls, ts: Any, beliefs: Sequence[Any], radius: float = 0.3) -> PredictedTrack:
        """The track of beliefs with components x and y, such as predictions of a filter, at times ``(T,)``."""
        rows = [planar(instance(each, Belief, "PredictedTrack.of"), ("x", "y")) for each in beliefs]
        means, covariances = [mean for mean, _ in rows], [P for _, P in rows]
        return cls(ts, np.reshape(means, (-1, 2)), np.reshape(covariances, (-1, 2, 2)), radius)

    def at(self, ts: Any) -> tuple[Array, Array]:
        """The means ``(N, 2)`` and covariances ``(N, 2, 2)`` at times ``(N,)``."""
        rows = np.column_stack([self.means, self.covariances.reshape(-1, 4)])
        found = np.stack([np.interp(ts, self.ts, column) for column in rows.T], -1)
        return found[:, :2], found[:, 2:].reshape(-1, 2, 2)

    def seen_from(self, covariance: Any) -> PredictedTrack:
        """The same track, as uncertain as it is relative to a robot with a position of this covariance ``(2, 2)``.

        Example:
            >>> walker = PredictedTrack([0.0], [[0, 0]], [0.01 * np.eye(2)])
            >>> walker.seen_from(0.02 * np.eye(2)).covariances[0].round(3).tolist()
            [[0.03, 0.0], [0.0, 0.03]]
        """
        own = check_semidefinite(covariance, 2, "the covariance of the robot")
        return PredictedTrack(self.ts, self.means, self.covariances + own, self.radius)

    def until(self, t: float) -> PredictedTrack:
        """The same track with covariances that grow no more after a time [s], those of the last prediction until then.

        Example:
            >>> walker = PredictedTrack([0.0, 2.0], [[0, 0], [2, 0]], [0.01 * np.eye(2), 0.09 * np.eye(2)])
            >>> walker.until(1.0).covariances[:, 0, 0].tolist()
            [0.01, 0.01]
        """
        last = max(int(np.searchsorted(self.ts, t + 1e-9)) - 1, 0)
        kept = np.minimum(np.arange(len(self.ts)), last)
        return PredictedTrack(self.ts, self.means, self.covariances[kept], self.radius)

    def obstacle(self, risk: float, *, each: bool = False, seen_at: Any = None) -> MovingObstacle:
        """The moving obstacle that the disc stays in, at all times together, but for a risk.

        ::

            radius_k = radius + sqrt(-2 ln(risk / T) l_k),   l_k: largest eigenvalue of covariance k

        At each of the T times, the centre is farther than that from its mean with probability risk / T at most. If it
        is at none, and moves along straight lines in between, it is never outside, since the disc that moves is convex.

        Args:
            risk: a probability above 0 and below 1.
            each: whether the risk is that of each time by itself, so that it is not divided by T. This suits plans that
                are made again before most of the times come.
            seen_at: places of the robot ``(T, 2)`` [m] at the times, such as those of its last plan. The radius is then
                that of a half-plane across the line to the robot, which the disc reaches into with the same
                probability at most; it is smaller, and holds on that side of the disc only::

                    radius_k = radius + q sqrt(a' P_k a),   q: normal quantile of 1 - risk,   a: direction of the robot

                Source: Zhu and Alonso-Mora, "Chance-constrained collision avoidance for MAVs in dynamic
                environments", RA-L 4(2), 2019, section IV.

        Example:
            >>> walker = PredictedTrack([0.0, 2.0], [[0, 0], [2, 0]], [0.01 * np.eye(2), 0.09 * np.eye(2)], radius=0.3)
            >>> walker.obstacle(0.01).radius.round(2).tolist()
            [0.63, 1.28]
        """
        share = setting(risk, Risk, "risk") / (1 if each else len(self.ts))
        if seen_at is not None:
            room = NormalDist().inv_cdf(1.0 - share) * np.sqrt(self._variances(numbers(seen_at, "seen_at")))
            return MovingObstacle(self.ts, self.means, np.maximum(self.radius + room, 0.0))
        widest = np.maximum(np.linalg.eigvalsh(self.covariances)[:, -1], 0.0)
        return MovingObstacle(self.ts, self.means, self.radius + np.sqrt(-2.0 * np.log(share) * widest))

    def _variances(self, places: Array) -> Array:
        """Variances ``(T,)`` along the lines from the means to places; the largest ones where these are the means."""
        if places.shape != self.means.shape or not np.isfinite(places).all():
            raise ShapeError(f"seen_at has shape {places.shape}; expected finite x and y {self.means.shape}")
        away = places - self.means
        far = np.linalg.norm(away, axis=-1, keepdims=True)
        a = away / np.maximum(far, 1e-12)
        along = np.einsum("ki,kij,kj->k", a, self.covariances, a)
        return np.maximum(np.where(far[:, 0] > 1e-9, along, np.linalg.eigvalsh(self.covariances)[:, -1]), 0.0)
