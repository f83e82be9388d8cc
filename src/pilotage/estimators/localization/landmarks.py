"""Localization on a map of landmarks: any Kalman filter, over scans of detections of known or unknown origin."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np

from ...core import Dynamics, FilterStatus, Gaussian, Rng, Sensor, ShapeError, Update
from ...core.arrays import Array, numbers, shared_axes
from ...core.declared import called
from ...core.scans import detections
from ...core.settings import Fraction, Interval, Numbers, Positive, instance, settings
from .._around import AroundFilter
from .._gaussian import GaussianEstimator, moments_on
from .._inputs import rows
from ..ekf import EKF
from ..kf import KF
from ..ukf import UKF
from .association import Pairing, associate


class LandmarkUpdate(Update):
    """The result of a scan of landmarks.

    Innovation ``(..., K, m)`` and S ``(..., K, m, m)`` are those of each detection, given those before it; NaN and the
    identity where a detection was not used. NIS and log-likelihood are sums over the detections used.

    Attributes:
        landmarks: index of the landmark of each detection ``(..., K)``, -1 where it was not used.
    """

    __slots__ = ("landmarks",)

    def __init__(self, landmarks: Pairing, *fields: Any, status: Any) -> None:
        super().__init__(*fields, status=status)
        self.landmarks = landmarks

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, LandmarkUpdate) and np.array_equal(self.landmarks, other.landmarks)
        return same and super().__eq__(other)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __reduce__(self) -> Any:
        return _landmark_update, (self.landmarks, self._held(), self._status)


def _landmark_update(landmarks: Pairing, fields: tuple[Any, ...], status: Any) -> LandmarkUpdate:
    """An update that was copied or sent."""
    return LandmarkUpdate(landmarks, *fields, status=status)


@settings(eq=False)
class LandmarkLocalization(AroundFilter):
    """Localization on a map of landmarks, which wraps any filter with a Gaussian belief.

    The sensor reads a landmark, and its context is the landmark's position, as with `pilotage.models.range_bearing`.
    Its scans are detections z_i of unknown origin. The most likely hypothesis about the landmark j of each of them is
    found first; then the filter takes in one detection after the other::

        pairing  = argmin  sum  y' S^-1 y + log det S,    y_i = z_i (-) h(x, j_i),  S = H P H' + R
                   among those with most pairings for which  y' S^-1 y <= chi2(gate),  all pairings together
        x, P     = filter's update with z_i and the context j_i, for each detection i that is paired

    A pairing that is ambiguous is not used: hypotheses of as many pairings without it must be less likely by the
    factor `odds`. Detections of nothing on the map are left out by the gate. With a single detection,
    this is maximum likelihood with a gate.

    Source: Thrun, Burgard and Fox, *Probabilistic Robotics*, 2005, tables 7.2 and 7.3; Neira and Tardos, 2001, see
    `association`. The margin of odds is a heuristic.

    Args:
        landmarks: contexts of the sensor, one for each landmark ``(L, c)``: positions for `range_bearing`.
        dynamics: the dynamics for `start`; `predict` and `update` take them as an argument.
        dt: default step [s].
        filter: the filter that updates the belief: `EKF`, `IEKF`, `UKF` or another with a Gaussian belief.
        gate: probability that the detections of a scan pass, if they are paired with their landmarks.
        odds: least odds of a pairing against the best alternative; with 1, the most likely one is always taken.

    Example:
        >>> from pilotage.models import range_bearing, unicycle
        >>> seen = range_bearing(std=[0.1, 0.02])
        >>> marks = [[5.0, 0.0], [0.0, 5.0], [5.0, 5.0]]
        >>> robot = LandmarkLocalization(marks, unicycle(), dt=0.1).start([0.0, 0.0, 0.0], [0.3, 0.3, 0.1])
        >>> robot.update(seen, [[5.1, 1.55], [4.8, 0.02]]).landmarks
        array([1, 0])
        >>> robot.update(seen, [[5.1, 1.55]], context=[1]).accepted
        True
    """

    landmarks: Annotated[Array, Numbers(None, None)]
    dynamics: Dynamics | None = None
    dt: Positive | None = None
    filter: EKF | UKF | KF | GaussianEstimator = EKF()  # the first are for the sentence that refuses others
    gate: Fraction = 0.99
    odds: Annotated[float, Interval(1.0, ends="[)")] = 10.0

    own_contexts: ClassVar[bool] = True

    def update(self, belief: Any, sensor: Sensor, z: Any, context: Any = None, *, rng: Rng = None) -> Update:
        """The result of a scan, with the new belief.

        Args:
            belief: the belief over the state; leading axes are a batch.
            sensor: the sensor of landmarks; or any other sensor without a context, for a plain update of the filter.
            z: the scan ``(..., K, n)``, padded with rows of NaN.
            context: if the correspondence is known, the index of the landmark of each detection ``(..., K)``, -1 for
                those of none; None to find out.
            rng: not used.

        The status is NO_READING for an empty scan, and GATED if no detection is used.

        Raises:
            ShapeError: when a single scan holds infinity; in a batch it has a status, and changes nothing.
        """
        prior = moments_on(belief)
        sensor = instance(sensor, Sensor, "LandmarkLocalization").on(prior.space)
        if sensor.context is None or sensor.context.size != self.landmarks.shape[1]:
            return self.filter.update(belief, sensor, z, context)
        z = detections(z)
        if z.ndim < 2:
            raise ShapeError(f"a scan of {called(sensor)} has shape {z.shape}; expected detections (K, n), one a row")
        z = sensor.reading.check(z, "scan", finite=False) if z.size else np.zeros((*z.shape[:-1], sensor.reading.size))
        endless = np.isinf(z).any((-1, -2))
        if endless.any() and z.ndim == 2 and prior.mean.ndim == 1:
            raise ShapeError(f"the scan of {called(sensor)} holds infinity: {z}; give finite numbers, or rows of NaN")
        z = np.where(endless[..., None, None], np.nan, z)
        batch = shared_axes(belief=prior.mean.shape[:-1], scan=z.shape[:-2])
        pairing = self._paired(prior, sensor, z, batch) if context is None else self._known(context, z, batch)
        return self._used(prior, sensor, z, np.where(np.isnan(z).any(-1), -1, pairing), endless, batch)

    def _paired(self, prior: Gaussian, sensor: Sensor, z: Array, batch: tuple[int, ...]) -> Pairing:
        """The most likely landmark of each detection ``(..., K)``."""
        K, (n, d) = z.shape[-2], (prior.space.size, prior.space.dim)
        if K == 0:
            return np.zeros((*batch, 0), np.int64)
        means, covs = rows(prior.mean, batch), rows(prior.cov.reshape(*prior.cov.shape[:-2], d * d), batch)
        scans = rows(z.reshape(*z.shape[:-2], K * sensor.reading.size), batch).reshape(-1, K, sensor.reading.size)
        pairing = np.full((len(scans), K), -1, np.int64)
        for mean, cov, scan, paired in zip(means.reshape(-1, n), covs.reshape(-1, d, d), scans, pairing, strict=True):
            seen = ~np.isnan(scan).any(-1)
            paired[seen] = self._hypothesis(mean, cov, sensor, scan[seen])
        return pairing.reshape(*batch, K)

    def _hypothesis(self, x: Array, P: Array, sensor: Sensor, z: Array) -> Pairing:
        """The landmarks of the detections ``(K, n)`` of one scan."""
        m, places = sensor.reading.dim, self.landmarks
        h, H = np.asarray(sensor.observe(x, places)), np.asarray(sensor.linearize(x, places))
        R = np.broadcast_to(np.asarray(sensor.noise(x, places)), (len(places), m, m))
        y = np.asarray(sensor.reading.minus(z[:, None, :], h))
        y, H, R, P = (np.array(each, dtype=np.float64, order="C") for each in (y, H, R, P))
        return associate(y, H, R, P, self.gate, self.odds)

    def _known(self, context: Any, z: Array, batch: tuple[int, ...]) -> Pairing:
        """Given landmarks ``(..., K)``, checked."""
        given, count = numbers(context, "landmarks of detections"), len(self.landmarks)
        if given.shape[-1:] != z.shape[-2:-1] or not np.isin(given, np.arange(-1, count)).all():
            raise ShapeError(
                f"landmarks of {z.shape[-2]} detections are {context!r}; expected an index from 0 to {count - 1} for "
                "each, or -1"
            )
        return np.broadcast_to(given, (*batch, z.shape[-2])).astype(np.int64)

    def _used(
        self, belief: Any, sensor: Sensor, z: Array, pairing: Pairing, endless: Any, batch: tuple[int, ...]
    ) -> LandmarkUpdate:
        """The filter's updates with the detections that are paired, one after the other."""
        m, taken, each = sensor.reading.dim, pairing >= 0, list[Update]()
        for k in range(z.shape[-2]):
            zk = np.where(taken[..., k, None], z[..., k, :], np.nan)
            each.append(self.filter.update(belief, sensor, zk, self.landmarks[pairing[..., k]]))
            belief = each[-1].belief
        status = np.stack([np.broadcast_to(u.status, batch) for u in each], -1) if each else np.zeros((*batch, 0), int)
        worst, some = status.max(-1, initial=0), (status == FilterStatus.ACCEPTED).any(-1)
        seen = ~np.isnan(z).all((-1, -2))
        outcome = np.where(seen, FilterStatus.GATED, FilterStatus.NO_READING)
        outcome = np.where(worst > FilterStatus.NO_READING, worst, np.where(some, FilterStatus.ACCEPTED, outcome))
        outcome = np.where(endless, FilterStatus.NOT_FINITE_READING, outcome)
        y = np.stack([u.innovation for u in each], -2) if each else np.zeros((*batch, 0, m))
        S = np.stack([u.S for u in each], -3) if each else np.zeros((*batch, 0, m, m))
        used = status == FilterStatus.ACCEPTED
        nis, logs = (
            sum((np.where(used[..., k], getattr(u, name), 0.0) for k, u in enumerate(each)), np.zeros(batch))
            for name in ("nis", "log_likelihood")
        )
        found = np.where(used, pairing, -1)
        return LandmarkUpdate(
            found, belief, y, S, nis[()], logs[()], status=outcome if batch else FilterStatus(int(outcome))
        )
