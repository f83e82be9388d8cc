"""The Kalman filter, for dynamics and sensors that are linear.

    predict   x = F x + B u,   P = F P F' + Q
    update    y = z - H x,   S = H P H' + R,   K = P H' S^-1,   x = x + K y,   P = (I - K H) P (I - K H)' + K R K'

(Kalman 1960; Sarkka, *Bayesian Filtering and Smoothing*, 2013, section 4.3.) Its inner steps are the EKF's, which on
linear models say just this. What is its own is `run` for many sequences at once: covariances and gains do not depend on
the readings, so sequences without gaps share one, and only the means differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import Dynamics, FilterRun, Gaussian, ModelError, Sensor
from ._timeline import Timeline
from .ekf import EKF
from .inputs import rows, unflat

LOG_TURN = 1.8378770664093453  # log 2 pi
MANY = 64
"""Sequences from which on sharing gains pays."""


@dataclass(frozen=True)
class KF(EKF):
    """Kalman filter for linear dynamics and sensors; see the equations above.

    Whether a traced model is linear is known exactly: F, B, Q, H and R must not depend on state or action. Models of
    other kinds say ``linear = True``.

    Args:
        dynamics, dt, gate: as for `EKF`. Dynamics and sensors that are not linear are refused.

    Example:
        >>> from pilotage.models import constant_velocity, position
        >>> kf = KF(constant_velocity(), dt=1.0).start(mean=[0, 0, 1, 0], std=1.0)
        >>> kf.predict()
        >>> kf.update(position(std=1.0), z=[1.2, 0.1]).accepted
        True
    """

    def check_dynamics(self, dynamics: Dynamics) -> None:
        super().check_dynamics(dynamics)
        if not (dynamics.state.linear and dynamics.action.linear and depends_only(dynamics, "F B Q", {"dt", "p"})):
            raise ModelError(
                f"{dynamics!r} is not linear; the Kalman filter needs F, B and Q that are the same everywhere; use EKF, "
                "or say linear = True in a class of your own"
            )

    def check_sensor(self, sensor: Sensor) -> None:
        super().check_sensor(sensor)
        linear = sensor.state.linear and sensor.reading.linear
        if not (linear and depends_only(sensor, "H R", {"context", "p"})):
            raise ModelError(
                f"{sensor!r} is not linear; the Kalman filter needs H and R that are the same everywhere; use EKF, or say "
                "linear = True in a class of your own"
            )

    def followed(self, belief: Gaussian, steps: Timeline, batch: tuple[int, ...]) -> FilterRun:
        if not self._shares(belief, steps, batch):
            return super().followed(belief, steps, batch)
        one = super().followed(_first(belief), _first_steps(steps), ())
        xs = rows(belief.mean, batch, what="belief")
        us, zs = rows(steps.us, batch, 2, "actions"), rows(steps.zs, batch, 2, "readings")
        count, sensors = len(steps.dts), steps.sensors
        before, after = np.empty((len(xs), count, xs.shape[1])), np.empty((len(xs), count, xs.shape[1]))
        ys = np.full((len(xs), count, one.innovations.shape[-1]), np.nan)
        nis, log_likelihood = np.zeros((len(xs), count)), np.zeros((len(xs), count))
        for t in range(count):
            if steps.moves[t]:
                xs = steps.dynamics.step(xs, us[:, t], float(steps.dts[t]))
            before[:, t] = xs
            if steps.which[t] < len(sensors):
                sensor = sensors[steps.which[t]]
                c = steps.contexts[t]
                context = c[: sensor.context.size] if sensor.context is not None and sensor.context.size else None
                P, k = one.predicted.cov[t], sensor.reading.size
                H, R = np.asarray(sensor.linearize(one.predicted.mean[t], context)), sensor.noise(one.predicted.mean[t], context)
                S = H @ P @ H.T + R
                y = zs[:, t, :k] - sensor.observe(xs, context)
                xs = xs + y @ np.linalg.solve(S, H @ P)
                L = np.linalg.cholesky(S)
                ys[:, t, :k] = y
                nis[:, t] = ((y @ np.linalg.inv(L).T) ** 2).sum(-1)
                log_likelihood[:, t] = -0.5 * (nis[:, t] + k * LOG_TURN) - np.log(np.diagonal(L)).sum()
            after[:, t] = xs
        if not np.isfinite(after[:, -1]).all():  # rows that diverge have statuses of their own
            return super().followed(belief, steps, batch)
        wide = lambda P: unflat(np.broadcast_to(P, (len(xs), *P.shape)), batch)
        return FilterRun(
            Gaussian.trusted(belief.space, unflat(after, batch), wide(one.beliefs.cov)),
            Gaussian.trusted(belief.space, unflat(before, batch), wide(one.predicted.cov)),
            unflat(ys, batch),
            unflat(nis, batch),
            unflat(log_likelihood, batch),
            unflat(np.tile(one.status, (len(xs), 1)), batch),
            steps.ts,
            steps.dts,
            steps.us,
            steps.dynamics,
            sensors,
            steps.which,
        )

    def _shares(self, belief: Gaussian, steps: Timeline, batch: tuple[int, ...]) -> bool:
        """Whether all sequences have the same covariances: alike at first, and no reading missing or refused."""
        if not batch or np.prod(batch) < MANY or len(steps.dts) == 0 or self.gate is not None:
            return False
        P = belief.cov.reshape(-1, *belief.cov.shape[-2:])
        read = steps.which < len(steps.sensors)
        sizes = [steps.sensors[j].reading.size for j in steps.which[read]]
        whole = all(np.isfinite(steps.zs[..., t, :k]).all() for t, k in zip(np.flatnonzero(read), sizes, strict=True))
        objects = any(o is not None for o in steps.objects)
        return bool((P == P[:1]).all() and whole and steps.contexts.ndim == 2 and not objects)


def depends_only(model: Any, results: str, inputs: set[str]) -> bool:
    """Whether these results of a model depend on no other inputs; models that are not traced must say so."""
    known = getattr(model, "dependencies", None)
    if known is None:
        inner = getattr(model, "inner", None)  # of a sensor mounted on a larger state
        return bool(getattr(model, "linear", False)) or (inner is not None and depends_only(inner, results, inputs))
    return all(known(name) <= inputs for name in results.split())


def _first(belief: Gaussian) -> Gaussian:
    """The first belief of a batch."""
    if belief.mean.ndim == 1:
        return belief
    return belief[(0,) * (belief.mean.ndim - 1)]


def _first_steps(steps: Timeline) -> Timeline:
    """The first sequence of a batch."""
    first = lambda a: a[(0,) * (a.ndim - 2)]
    return Timeline(
        steps.dynamics, steps.sensors, steps.ts, steps.dts, steps.moves, steps.which, first(steps.us), first(steps.zs),
        first(steps.contexts), steps.objects,
    )  # fmt: skip
