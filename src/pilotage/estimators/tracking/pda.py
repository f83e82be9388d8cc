"""The probabilistic data association filter: one target among detections that may all be false."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import numpy as np

from ...core import Dynamics, FilterRun, FilterStatus, Gaussian, Rng, Sensor, Update
from ...core.arrays import Array, numbers
from ...core.settings import Fraction, NonNegative, Positive, instance, settings
from ...core.weights import log_sum_exp
from .._around import AroundFilter
from .._causes import error_of
from .._gaussian import GaussianEstimator, moments_on
from ..ekf import EKF
from ..kf import KF
from ..ukf import UKF
from ._association import mixed, outcome, scan_of, updates


@settings
class PDA(AroundFilter):
    """Probabilistic data association filter, which wraps any filter with a Gaussian belief.

    The target is detected with probability P_D, and its detection lies in the gate with probability P_G. False
    detections are uniform and Poisson, lambda per unit of the reading. At most one detection z_i of a scan is the
    target's::

        beta_i  ~  P_D N(z_i (-) h(x); 0, S)     for each detection in the gate
        beta_0  ~  lambda (1 - P_D P_G)          for none of them,         sum beta = 1
        x, P    =  moments of the mixture of the prediction (beta_0) and its update with each detection (beta_i)

    For a Kalman filter this is ``x + K y``, ``P - (1 - beta_0) K S K' + K (sum beta_i y_i y_i' - y y') K'`` with the
    combined innovation ``y = sum beta_i y_i``; on curved spaces, deviations and covariances are in the tangent space at
    the mean. An empty scan, or one with nothing in the gate, leaves the prediction unchanged.

    Source: Bar-Shalom, Daum and Huang, "The probabilistic data association filter", IEEE Control Systems Magazine 29,
    2009, equations 38 to 46, in the parametric form.

    Args:
        dynamics: the dynamics for `start`; `predict`, `update` and `run` take them as an argument.
        dt: default step [s].
        filter: the filter that updates the belief with each detection: any Kalman filter. Its `gate` is P_G.
        detection: P_D.
        clutter: lambda, in false detections per unit of the reading, such as 1/m^2 or 1/(m rad).

    Example:
        >>> from pilotage.models import constant_velocity, position
        >>> radar = position(std=0.5)
        >>> target = PDA(constant_velocity(), dt=1.0, clutter=0.01).start(mean=[0, 0, 1, 0], std=1.0)
        >>> target.predict()
        >>> target.update(radar, [[1.3, 0.2], [2.5, -1.0], [40.0, 7.0]]).accepted
        True
        >>> print(target.belief)
        x 1.65 +- 0.72 m, y -0.20 +- 0.72 m, vx 1.4 +- 1.1 m/s, vy -0.1 +- 1.1 m/s
    """

    dynamics: Dynamics | None = None
    dt: Positive | None = None
    filter: EKF | UKF | KF | GaussianEstimator = EKF(gate=0.99)  # the first are for the sentence that refuses others
    detection: Fraction = 0.9
    clutter: NonNegative = field(kw_only=True)

    def update(self, belief: Any, sensor: Sensor, z: Any, context: Any = None, *, rng: Rng = None) -> Update:
        """The result of a scan, with the new belief; in a batch, a row that fails keeps its belief.

        Args:
            belief: the belief of the target.
            sensor: the detector.
            z: the scan ``(..., K, n)``, padded with rows of NaN; or one reading ``(n,)`` of a sensor that reads only
                the target, for a plain update.
            context: the context of the scan.
            rng: not used.

        The innovation is the combined one, or NaN if no detection is in the gate. The log-likelihood is that of the
        whole scan, without the factor exp(-lambda V), which does not depend on the belief. The status is NO_READING for
        an empty scan, and GATED if the gate rejects all detections.
        """
        z = numbers(z, "scan", missing=True)
        if z.ndim == 1 and z.size:
            return self.filter.update(belief, sensor, z, context)
        prior = moments_on(belief)
        sensor = instance(sensor, Sensor, "PDA").on(prior.space)
        z = scan_of(z, sensor)
        each = updates(self.filter, prior, sensor, z, context)
        seen = np.broadcast_to(~np.isnan(z).any(-1), each.status.shape)
        inside = seen & each.accepted
        status = outcome(each.status, seen)
        if status.ndim == 0 and FilterStatus(status[()]).failed:
            raise error_of(FilterStatus(status[()]), sensor, prior, z=z[np.argmax(each.status)])
        beta, log_likelihood = self.association(each.log_likelihood, inside, seen)
        taken = status == FilterStatus.ACCEPTED
        first = inside & (np.cumsum(inside, axis=-1) == 1)  # S is that of any detection in the gate
        S = np.where(first[..., None, None], each.S, 0.0).sum(-3)
        S = np.where(taken[..., None, None], S, np.eye(sensor.reading.dim))
        y = np.einsum("...k,...ki->...i", beta[..., 1:], np.where(inside[..., None], each.innovation, 0.0))
        nis = np.einsum("...i,...i", y, np.linalg.solve(S, y[..., None])[..., 0])
        return Update(
            mixed(prior, each.belief, beta, taken),
            np.where(taken[..., None], y, np.nan),
            S,
            np.where(taken, nis, 0.0)[()],
            np.where(status > FilterStatus.NO_READING, np.nan, log_likelihood)[()],
            status=status if status.ndim else FilterStatus(status[()]),
        )

    def smoothed(self, run: FilterRun, *, rng: Rng = None) -> Gaussian:
        """The beliefs of a run given all its scans, by the smoother of the filter."""
        return self.filter.smoothed(run, rng=rng)

    def association(self, logs: Array, inside: Any, seen: Any) -> tuple[Array, Array]:
        """Probabilities ``(..., K + 1)`` that none and that each detection is the target's; log-density of the scan.

        Args:
            logs: log-density ``(..., K)`` of each detection, as the target's.
            inside: whether it is in the gate.
            seen: whether it is a detection at all.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            clutter, target = np.log(self.clutter), np.log(self.detection)
            missed = np.log1p(-self.detection * (1.0 if self.filter.gate is None else self.filter.gate))
            count = seen.sum(-1)
            first = np.full((*count.shape, 1), clutter + missed)
            w = np.concatenate([first, np.where(inside, target + logs, -np.inf)], axis=-1)
            total = log_sum_exp(w)
            others = np.where(count == 1, 0.0, (count - 1) * clutter)
            beta = np.where(inside.any(-1)[..., None], np.exp(w - total[..., None]), np.eye(1, w.shape[-1])[0])
            return beta, np.where(count == 0, missed, total + others)
