"""The Kalman filter, for dynamics and sensors that are linear.

    predict   x = F x + B u,   P = F P F' + Q
    update    y = z - H x,   S = H P H' + R,   K = P H' S^-1,   x = x + K y,   P = (I - K H) P (I - K H)' + K R K'

(Kalman 1960; Sarkka, *Bayesian Filtering and Smoothing*, 2013, section 4.3.) Its inner steps are the EKF's, which on
linear models say just this. What is its own is `run` for many sequences at once: covariances and gains do not depend on
the readings, so sequences without gaps share one, and only the means differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..core import Dynamics, Gaussian, ModelError, Sensor
from ..models import bind, parameters
from ..models.binding.slots import ND, NE, observe, step
from .ekf import ekf_predict, ekf_scratch, ekf_update
from .gaussian_estimator import Drivers, GaussianEstimator
from .kernels import kept, kernel_key
from .packing import Pack

PROBE = 0.1
"""Seconds of the step at which dynamics are asked whether they are linear."""


def run_means(xs, us, dts, p, zs, contexts, s, Ks, Ls, logdets, ys, nis, log_likelihood, w):
    """Means of many sequences that share gains: xs (B, T+1, NX) starts with x_0; zs (B, T, NZ), Ks (T, ND, NE)."""
    h, v = w[0], w[1]
    for b in range(zs.shape[0]):
        for t in range(zs.shape[1]):
            x = xs[b, t + 1]
            y = ys[b, t]
            step(xs[b, t], us[b, t], dts[t], p, x)
            observe(x, contexts[t], s, h)
            total = 0.0
            for i in range(NE):
                y[i] = zs[b, t, i] - h[i]
            for i in range(NE):
                a = y[i]
                for k in range(i):
                    a -= Ls[t, i, k] * v[k]
                v[i] = a / Ls[t, i, i]
                total += v[i] * v[i]
            for i in range(ND):
                a = 0.0
                for k in range(NE):
                    a += Ks[t, i, k] * y[k]
                x[i] += a
            nis[b, t] = total
            log_likelihood[b, t] = logdets[t] - 0.5 * total


@dataclass(frozen=True)
class KF(GaussianEstimator):
    """Kalman filter for linear dynamics and sensors; see the equations above.

    Args:
        dynamics, dt, gate: as for `EKF`. Dynamics and sensors that are not linear are refused.

    Example:
        >>> from pilotage.models import constant_velocity, position
        >>> kf = KF(constant_velocity(), dt=1.0).start(mean=[0, 0, 1, 0], std=1.0)
        >>> kf.predict()
        >>> kf.update(position(std=1.0), z=[1.2, 0.1]).accepted
        True
    """

    _drivers: ClassVar[Drivers] = Drivers(ekf_predict, ekf_update, ekf_scratch)

    def check_dynamics(self, dynamics: Dynamics) -> None:
        super().check_dynamics(dynamics)
        if not _found_linear(dynamics, _linear_dynamics):
            raise ModelError(
                f"{dynamics!r} is not linear; the Kalman filter needs F and B that are the same everywhere; use EKF"
            )

    def check_sensor(self, sensor: Sensor) -> None:
        super().check_sensor(sensor)
        if not _found_linear(sensor, _linear_sensor):
            raise ModelError(
                f"{sensor!r} is not linear; the Kalman filter needs an H that is the same everywhere; use EKF"
            )

    def run_many(
        self, pack: Pack, dynamics: Dynamics, sensor: Sensor, b0: Any, us: Any, dts: Any, zs: Any, contexts: Any
    ) -> tuple[Gaussian, Any, Any, Any, Any]:
        d = pack.space.dim
        alike = len(b0) > 1 and len(dts) > 0 and self.gate is None and bool(np.all(b0[:, :d, :d] == b0[:1, :d, :d]))
        varying = getattr(dynamics, "parameters_depend_on_dt", False) and len(dts) > 0 and np.ptp(dts) > 0.0
        if not alike or varying or not np.isfinite(zs).all() or not np.isfinite(us).all():
            return super().run_many(pack, dynamics, sensor, b0, us, dts, zs, contexts)
        one, _ = self.run_packed(pack, dynamics, sensor, b0[:1].copy(), us[:1], dts, zs[:1], contexts)
        belief, _, S, _, _ = pack.results(one[0])
        Ks = _gains(dynamics, sensor, b0[0, :d, :d], dts, belief.cov, S, contexts)
        Ls = np.linalg.cholesky(S)
        m = sensor.reading.dim
        logdets = -np.log(np.diagonal(Ls, axis1=1, axis2=2)).sum(1) - 0.5 * m * np.log(2.0 * np.pi)
        xs = np.empty((len(b0), len(dts) + 1, d))
        xs[:, 0] = b0[:, d, :d]
        ys, nis, log_likelihood = (np.empty((len(b0), len(dts), *tail)) for tail in ((m,), (), ()))
        key = ("means", kernel_key(dynamics), kernel_key(sensor))
        kernel = kept(key, lambda: bind(run_means, heap=False, dynamics=dynamics, sensor=sensor))
        p, s = parameters(dynamics, float(dts[0])), parameters(sensor)
        w = np.zeros((2, pack.shape[1]))
        kernel(xs, us, dts, p, zs, contexts, s, Ks, np.ascontiguousarray(Ls), logdets, ys, nis, log_likelihood, w)
        if not np.isfinite(xs[:, -1]).all():  # the long way says where, and by whose fault
            return super().run_many(pack, dynamics, sensor, b0, us, dts, zs, contexts)
        covs = np.broadcast_to(belief.cov, (len(b0), *belief.cov.shape))
        accepted = np.ones(nis.shape, dtype=bool)
        return Gaussian.trusted(pack.space, xs[:, 1:], covs), ys, nis, log_likelihood, accepted


def _gains(dynamics: Dynamics, sensor: Sensor, P0: Any, dts: Any, Ps: Any, S: Any, contexts: Any) -> np.ndarray:
    """``K = P- H' S^-1`` of each step, from the covariances after the updates."""
    x, u = np.zeros(dynamics.state.size), np.zeros(dynamics.action.size)
    steps = {dt: (dynamics.linearize(x, u, dt)[0], dynamics.noise(x, u, dt)) for dt in np.unique(dts)}
    F, Q = (np.stack([steps[dt][i] for dt in dts]) for i in (0, 1))
    before = np.concatenate([P0[None], Ps[:-1]])
    predicted = F @ before @ F.swapaxes(1, 2) + Q
    H = np.stack([np.asarray(sensor.linearize(x, None if np.size(c) == 0 else c)) for c in contexts])
    return np.ascontiguousarray(np.linalg.solve(S, H @ predicted).swapaxes(1, 2))


def _found_linear(model: Any, look: Callable[[Any], bool]) -> bool:
    """What `look` finds, now or earlier. With other parameters a model may be linear no more: a drag that was zero."""
    key = ("linear", kernel_key(model), parameters(model, PROBE).tobytes())
    return kept(key, lambda: look(model))


def _linear_dynamics(dynamics: Dynamics) -> bool:
    """Whether F, B and Q are the same at a few scattered states and actions, on a space without angles."""
    if not (dynamics.state.linear and dynamics.action.linear):
        return False
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, dynamics.state.size)) * np.array([[1.0], [1.0], [10.0], [100.0]])
    u = rng.normal(size=(4, dynamics.action.size)) * np.array([[1.0], [1.0], [10.0], [100.0]])
    return all(_constant(a) for a in (*dynamics.linearize(x, u, PROBE), dynamics.noise(x, u, PROBE)))


def _linear_sensor(sensor: Sensor) -> bool:
    """Whether H and R are the same at a few scattered states, and the reading has no angles."""
    if not (sensor.state.linear and sensor.reading.linear):
        return False
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, sensor.state.size)) * np.array([[1.0], [1.0], [10.0], [100.0]])
    size = getattr(sensor, "context_size", 0)
    context = rng.normal(size=size) if size else None
    return all(_constant(a) for a in (sensor.linearize(x, context), sensor.noise(x, context)))


def _constant(matrices: Any) -> bool:
    """Whether matrices ``(4, i, j)`` are one, up to what differences of rounded numbers leave; one ``(i, j)`` is."""
    a = np.asarray(matrices)
    if a.ndim < 3:
        return True
    slack = 1e-6 * np.abs(a[:1]) + 1e-9 * np.abs(a).max(initial=0.0)
    return bool((np.abs(a - a[:1]) <= slack).all())
