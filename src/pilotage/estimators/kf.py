"""The Kalman filter, for linear dynamics and sensors.

Its inner steps are those of the EKF, which are the same for linear models. Only `run` for many sequences differs:
covariances and gains do not depend on the readings, so sequences without gaps share them and differ in their means.
"""

from __future__ import annotations

import numpy as np

from ..core import Dynamics, FilterRun, Gaussian, ModelError, Sensor
from ..core.settings import settings
from ..models.trace import call, driver
from ._gaussian import timely
from ._inputs import once_or_rows, rows, unflat
from ._jobs import Model
from ._memory import model_at, space_at
from ._timeline import Timeline
from .ekf import EKF

MANY = 64
"""Sequences from which on sharing gains pays."""


@driver(
    "void(i8, i8[::1], f8[:,::1], f8[:,::1], f8[::1], i8[::1], f8[:,:,::1], i8[::1], f8[:,:,::1], f8[:,::1], "
    "f8[:,:,::1], f8[:,:,::1], f8[::1], f8[:,:,::1], f8[:,:,::1], f8[:,:,::1], f8[:,:,::1])",
    nogil=True,
)
def follow_means(
    dynamics, sensors, xs, ps, dts, moves, us, which, zs, contexts, K, L, logdets, before, after, ys, scores
):
    """Means (B, d) through steps whose gains K (T, d, m) and inverse roots of S, L (T, m, m), are known."""
    f = model_at(dynamics)
    d = xs.shape[1]
    for b in range(xs.shape[0]):
        for t in range(dts.shape[0]):
            x, y = after[b, t], ys[b, t]
            last = xs[b] if t == 0 else after[b, t - 1]
            if moves[t]:
                p = ps[t if ps.shape[0] > 1 else 0]
                call(f.value, last, us[min(b, us.shape[0] - 1), t], dts[t:], p, before[b, t])
            else:
                for i in range(d):
                    before[b, t, i] = last[i]
            for i in range(d):
                x[i] = before[b, t, i]
            if which[t] < sensors.shape[0]:
                h, z = model_at(sensors[which[t]]), zs[min(b, zs.shape[0] - 1), t]
                m = space_at(h.space).size
                call(h.value, before[b, t], contexts[t], z, h.parameters, y)
                nis = 0.0
                for i in range(m):
                    y[i] = z[i] - y[i]
                for i in range(m):
                    a = 0.0
                    for j in range(i + 1):
                        a += L[t, i, j] * y[j]
                    nis += a * a
                for i in range(d):
                    for j in range(m):
                        x[i] += K[t, i, j] * y[j]
                scores[b, t, 0], scores[b, t, 1] = nis, -0.5 * nis - logdets[t]


@settings
class KF(EKF):
    """Kalman filter for linear dynamics and sensors.

    ::

        predict   x = F x + B u,   P = F P F' + Q
        update    y = z - H x,     S = H P H' + R,   K = P H' S^-1
                  x = x + K y,     P = (I - K H) P (I - K H)' + K R K'

    Source: Kalman 1960; Sarkka, *Bayesian Filtering and Smoothing*, 2013, section 4.3.

    The filter knows exactly whether a traced model is linear: F, B, Q, H and R must not depend on state or action.
    Other models declare it with ``linear = True``.

    Args:
        dynamics, dt, gate: as for `EKF`. Nonlinear dynamics and sensors raise an error.

    Example:
        >>> from pilotage.models import constant_velocity, position
        >>> kf = KF(constant_velocity(), dt=1.0).start(mean=[0, 0, 1, 0], std=1.0)
        >>> kf.predict()
        >>> kf.update(position(std=1.0), z=[1.2, 0.1]).accepted
        True
    """

    def check_dynamics(self, dynamics: Dynamics) -> None:
        super().check_dynamics(dynamics)
        if not (dynamics.state.linear and dynamics.action.linear and dynamics.linear):
            raise ModelError(
                f"{dynamics!r} is not linear; the Kalman filter needs F, B and Q that are the same everywhere, and a "
                "state without angles and rotations; use EKF, or say linear = True in a class of your own"
            )

    def check_sensor(self, sensor: Sensor) -> None:
        super().check_sensor(sensor)
        if not (sensor.state.linear and sensor.reading.linear and sensor.linear):
            raise ModelError(
                f"{sensor!r} is not linear; the Kalman filter needs H and R that are the same everywhere, and readings "
                "without angles and rotations; use EKF, or say linear = True in a class of your own"
            )

    def followed(self, belief: Gaussian, steps: Timeline, batch: tuple[int, ...]) -> FilterRun:
        if not self._shares(belief, steps, batch):
            return super().followed(belief, steps, batch)
        one = super().followed(_first(belief), _first_steps(steps), ())
        xs, count, sensors = rows(belief.mean, batch, what="belief"), len(steps.dts), steps.sensors
        d, m = xs.shape[1], one.innovations.shape[-1]
        K, L, logdets = np.zeros((count, d, m)), np.zeros((count, m, m)), np.zeros(count)
        for t in np.flatnonzero(steps.which < len(sensors)):
            sensor, x, P = sensors[steps.which[t]], one.predicted.mean[t], one.predicted.cov[t]
            c, k = steps.contexts[t], sensor.reading.size
            context = c[: sensor.context.size] if sensor.context is not None and sensor.context.size else None
            H = np.asarray(sensor.linearize(x, context))
            S = H @ P @ H.T + sensor.noise(x, context)
            K[t, :, :k], L[t, :k, :k] = np.linalg.solve(S, H @ P).T, np.linalg.inv(np.linalg.cholesky(S))
            logdets[t] = 0.5 * np.linalg.slogdet(2.0 * np.pi * S)[1]
        models = [
            Model(s, s.reading, 0 if s.context is None else s.context.size, ("", "h", ""), False) for s in sensors
        ]
        f = Model(steps.dynamics, belief.space, steps.dynamics.action.size, ("", "y", ""), False)
        before, after, ys = (np.full((len(xs), count, n), np.nan) for n in (d, d, m))
        scores = np.zeros((len(xs), count, 2))
        follow_means.compiled(
            f.at, np.array([model.at for model in models], dtype=np.int64), xs, timely(steps), steps.dts,
            steps.moves, once_or_rows(steps.us, batch, 2, "actions"), steps.which,
            once_or_rows(steps.zs, batch, 2, "readings"), np.array(steps.contexts), K, L, logdets, before, after, ys,
            scores,
        )  # fmt: skip
        for model in (f, *models):
            model.check()
        if not np.isfinite(after[:, -1]).all():  # rows that diverge have statuses of their own
            return super().followed(belief, steps, batch)
        wide = lambda P: unflat(np.broadcast_to(P, (len(xs), *P.shape)), batch)
        return FilterRun(
            Gaussian.trusted(belief.space, unflat(after, batch), wide(one.beliefs.cov)),
            Gaussian.trusted(belief.space, unflat(before, batch), wide(one.predicted.cov)),
            unflat(ys, batch),
            unflat(scores[..., 0], batch),
            unflat(scores[..., 1], batch),
            unflat(np.tile(one.status, (len(xs), 1)), batch),
            steps.ts,
            steps.dts,
            steps.us,
            steps.dynamics,
            sensors,
            steps.which,
            self,
            steps.told,
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
        return bool((P[:1] == P).all() and whole and steps.contexts.ndim == 2 and not objects)


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
