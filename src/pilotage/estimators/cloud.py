"""What moves and weighs a cloud of particles; shared by all filters whose belief is `Particles`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, cast

import numpy as np

from ..core import CovarianceError, Dynamics, ModelError, Particles, Rng, Sensor, Update, generator
from ..core.arrays import Array
from ..core.covariances import log_normal
from ..core.declared import answered, asked, called, covariance, returned
from ..core.sensor import measured
from ..core.weights import log_sum_exp
from ..models import bind
from .algebra import cholesky_semidefinite
from .inputs import Axes, action, context_axes, context_of, shared_axes
from .packing import gate_quantiles


def propagate(cloud: Particles, dynamics: Dynamics, u: Any, dt: float, *, rng: Rng = None) -> Particles:
    """Every particle one step on, with noise of its own: ``x_i = f(x_i, u, dt) (+) e_i``, ``e_i ~ N(0, Q_i)``.

    Raises:
        ModelError: when the model's answer has the wrong shape or holds NaN.
        CovarianceError: when Q is indefinite.
    """
    space = dynamics.state
    u = action(u, dynamics.action)
    axes = shared_axes(belief=cloud.points.shape[:-2], action=u.shape[:-1])
    x = np.broadcast_to(cloud.points, (*axes, *cloud.points.shape[-2:]))
    u = u[..., None, :] if u.ndim > 1 else u
    y = _answer(asked(dynamics, "step", x, u, dt), x.shape, "step", dynamics)
    Q = covariance(dynamics.noise(x, u, dt), space.dim, dynamics)
    e = scatter(Q, generator(rng).standard_normal((*y.shape[:-1], space.dim)))
    return Particles.trusted(space, cast(Array, space.plus(y, e)), np.broadcast_to(cloud.log_weights, y.shape[:-1]))


def weigh(cloud: Particles, sensor: Sensor, z: Any, context: Any = None, gate: float | None = None) -> Update:
    """Particles weighed by a reading: ``log w_i += log p(z | x_i)``; the sensor reads from the particles' own space.

    What no particle can explain, and what the gate refuses, changes nothing.
    """
    z = sensor.reading.check(z, "reading", finite=False)
    w = cloud.log_weights + likelihoods(cloud.points, sensor, z, context)
    total: Any = log_sum_exp(w)
    taken: Any = total > -np.inf
    make = partial(surprise, cloud, sensor, z, context)
    if gate is not None:
        found = make()
        most = gate_quantiles(gate, sensor.reading.dim)[measured(sensor.reading, z).sum(-1)]
        taken, make = taken & ~np.asarray(found[2] > most), partial(tuple, found)
    log_weights = np.where(taken[..., None], w - np.where(taken, total, 0.0)[..., None], cloud.log_weights)
    after = Particles.trusted(cloud.space, np.broadcast_to(cloud.points, (*w.shape, cloud.space.size)), log_weights)
    return CloudUpdate(after, make, total, taken)


def likelihoods(points: Array, sensor: Sensor, z: Array, context: Any = None) -> Array:
    """``log p(z | x_i)`` at states ``(..., N, n)``, shape ``(..., N)``; zeros where nothing was measured.

    Raises:
        ModelError: when the sensor's answer has the wrong shape, or holds NaN or +inf.
    """
    context, own = _each(context, sensor)
    axes = shared_axes(belief=points.shape[:-2], reading=z.shape[:-1], context=own)
    logs_shape = (*axes, points.shape[-2])
    if np.isnan(z).all():
        return np.zeros(logs_shape)
    readings = z[..., None, :] if z.ndim > 1 else z
    logs = sensor.log_prob(readings, points, context)
    logs = _answer(logs, logs_shape, "log_prob", sensor, impossible=True)
    unmeasured = np.asarray(np.isnan(z).all(-1))
    return np.where(unmeasured[..., None], 0.0, logs)


def surprise(cloud: Particles, sensor: Sensor, z: Array, context: Any = None) -> tuple[Array, Array, Any]:
    """Innovation, its covariance and NIS, from the cloud of expected readings.

    ::

        y = z (-) z_mean,     S = sum_i w_i (d_i d_i' + R_i),  d_i = h(x_i) (-) z_mean,     nis = y' S^-1 y
    """
    space, (context, own) = sensor.reading, _each(context, sensor)
    w = np.broadcast_to(cloud.weights, (*np.broadcast_shapes(cloud.weights.shape[:-1], own), cloud.weights.shape[-1]))
    h = np.asarray(answered(asked(sensor, "observe", cloud.points, context), space, sensor, "observe"))
    mean = cast(Array, space.mean(h, w))
    d = cast(Array, space.minus(h, mean[..., None, :]))
    R = covariance(sensor.noise(cloud.points, context), space.dim, sensor)
    R = np.einsum("...n,...nij->...ij", w, np.broadcast_to(R, (*w.shape, space.dim, space.dim)))
    S = np.einsum("...n,...ni,...nj->...ij", w, d, d) + R
    y = cast(Array, space.minus(z, mean))
    seen = measured(space, z)
    both = seen[..., :, None] & seen[..., None, :]
    y_seen, S = np.where(seen, y, 0.0), np.where(both, S, np.eye(space.dim))
    # log N(y; 0, S) = log N(0; 0, S) - nis / 2, and says in a sentence when S is singular.
    nis = 2.0 * (log_normal(0.0 * y_seen, S) - log_normal(y_seen, S))
    return y, S, float(nis) if nis.ndim == 0 else nis


class CloudUpdate(Update):
    """An update whose innovation, S and NIS are reckoned when asked for: they cost a second look at every particle."""

    __slots__ = ("_after", "_total")

    def __init__(self, belief: Any, make: Callable[[], tuple[Array, Array, Any]], total: Any, accepted: Any) -> None:
        total, accepted = np.asarray(total), np.asarray(accepted)
        self._after = belief
        self._total = float(total) if total.ndim == 0 else total
        self.accepted = bool(accepted) if accepted.ndim == 0 else accepted
        self._packed = make
        self._make = self._reckoned

    def _reckoned(self, make: Callable[[], tuple[Array, Array, Any]]) -> tuple[Any, ...]:
        return (self._after, *make(), self._total)

    @property
    def belief(self) -> Any:
        """The weighted particles."""
        return self._after

    @property
    def log_likelihood(self) -> Any:
        """``log sum_i w_i p(z | x_i)``."""
        return self._total

    def __repr__(self) -> str:
        return f"{type(self).__name__}(log_likelihood={self.log_likelihood}, accepted={self.accepted})"


def scatter(Q: Array, z: Array) -> Array:
    """``e = L z`` with ``L L' = Q``: standard normal numbers ``(..., d)`` given covariance Q ``(..., d, d)``.

    Q may be singular.

    Example:
        >>> scatter(np.diag([4.0, 0.0]), np.ones((3, 2))).tolist()
        [[2.0, 0.0], [2.0, 0.0], [2.0, 0.0]]
    """
    d = z.shape[-1]
    if Q.shape[-2:] != (d, d):
        raise ModelError(f"the process noise has shape {Q.shape}; expected (..., {d}, {d})")
    shared = Q.ndim == 2
    Qs = np.ascontiguousarray(Q if shared else np.broadcast_to(Q, (*z.shape, d))).reshape(-1, d, d)
    e = np.ascontiguousarray(z).reshape(-1, d).copy()
    bad = _coloured()(Qs, e, np.zeros((d, d)))
    if bad >= 0:
        raise CovarianceError(
            "the process noise is not a covariance: its smallest eigenvalue is "
            f"{float(np.linalg.eigvalsh(Qs[bad]).min()):.3g}, where it should not be negative"
        )
    return e.reshape(z.shape)


@cache
def _coloured() -> Callable[[Array, Array, Array], int]:
    return bind(colour_noise)


def colour_noise(Q, e, L):
    """Each row of e becomes L e, L L' = Q; one Q for all rows or one each. Returns a row whose Q is bad, or -1."""
    d = e.shape[1]
    for i in range(e.shape[0]):
        if i < Q.shape[0] and not cholesky_semidefinite(Q[i], L, d):
            return i
        for r in range(d - 1, -1, -1):
            a = 0.0
            for k in range(r + 1):
                a += L[r, k] * e[i, k]
            e[i, r] = a
    return -1


def _each(context: Any, sensor: Sensor) -> tuple[Any, Axes]:
    """A context with an axis for particles behind its leading axes, if it has any; and these axes."""
    if context is None and not getattr(sensor, "context_size", 0):
        return None, ()
    context = context_of(context, sensor)
    own = context_axes(context, sensor)
    return (context[..., None, :] if own else context), own


def _answer(given: Any, shape: tuple[int, ...], method: str, model: Any, impossible: bool = False) -> Array:
    """What a model answered as float64 of this shape, or a sentence; -inf passes where `impossible` says so."""
    answer = np.asarray(np.zeros(0) if given is None else given, dtype=np.float64)
    name = f"{called(model)}.{method}"
    if answer.shape != shape or given is None:
        raise ModelError(f"{name} returned {returned(given)} for particles; an array of shape {shape} was expected")
    bad = np.isnan(answer) | (answer == np.inf) if impossible else ~np.isfinite(answer)
    if bad.any():
        count = int((bad if impossible else bad.any(-1)).sum())
        raise ModelError(f"{name} gave NaN or infinity for {count} particles; check the model there, or its noise")
    return answer
