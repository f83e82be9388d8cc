"""A cloud of particles moved and weighed; what all filters with a belief of `Particles` share.

Traced models run as machine code, `LANES` particles at a time; all others are asked once for the whole cloud.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np

from ..core import (
    CovarianceError,
    Dynamics,
    Gaussian,
    ModelError,
    Particles,
    Rng,
    Sensor,
    ShapeError,
    Update,
    generator,
)
from ..core.arrays import Array, all_finite
from ..core.declared import answered, asked, called, covariance, returned
from ..core.sensor import measured
from ..core.status import FilterStatus
from ..models.trace import LANES, code_of, parameters
from ..models.trace.model import Traced
from ._clouds import move_given, move_traced, weigh_traced
from ._elementary import normal_numbers, normalized
from ._inputs import Axes, context_axes, context_of, flat_rows, gate_quantiles, shared_axes, spread
from ._scores import scored

ACCEPTED, STARVED, GATED, NO_READING = (
    int(each)  # of an array of statuses, as numpy takes them fastest
    for each in (FilterStatus.ACCEPTED, FilterStatus.STARVED, FilterStatus.GATED, FilterStatus.NO_READING)
)
IMPOSSIBLE = math.log(math.ulp(0.0))
"""Log-likelihood below which a reading has none, for each of its components: that of the least number above zero.

A reading 39 standard deviations from all particles would leave but the nearest one of them.
"""


def propagate(cloud: Particles, dynamics: Dynamics, u: Array, dt: float, *, rng: Rng = None) -> Particles:
    """Every particle one step on, with noise of its own: ``x_i = f(x_i, u, dt) (+) e_i``, ``e_i ~ N(0, Q_i)``.

    The action is a checked one.

    Raises:
        ModelError: when the model's answer has the wrong shape or holds NaN.
        CovarianceError: when Q is indefinite.
    """
    axes = shared_axes(belief=cloud.points.shape[:-2], action=u.shape[:-1])
    count, size = cloud.points.shape[-2:]
    x = np.ascontiguousarray(spread(cloud.points, axes, 2, "belief").reshape(-1, size))
    us = flat_rows(u, axes if u.ndim > 1 else ())
    y = moved(dynamics, x, us, count, dt, generator(rng))
    return Particles.trusted(dynamics.state, y.reshape(*axes, count, size), spread(cloud.log_weights, axes))


def transition(points: Array, dynamics: Dynamics, u: Array, dt: float) -> tuple[Array, Array]:
    """Mean f ``(..., N, n)`` and covariance Q ``(..., N, d, d)`` of the next state of each particle."""
    u = u[..., None, :]
    axes = (*shared_axes(belief=points.shape[:-2], action=u.shape[:-2]), points.shape[-2])
    x, d = np.broadcast_to(points, (*axes, points.shape[-1])), dynamics.state.dim
    u = np.broadcast_to(u, (*axes, u.shape[-1]))
    f = _answer(asked(dynamics, "step", x, u, dt), x.shape, "step", dynamics)
    Q = covariance(dynamics.noise(x, u, dt), d, dynamics)
    return f, np.broadcast_to(Q, (*axes, d, d))


def moved(dynamics: Dynamics, x: Array, us: Array, each: int, dt: float, rng: np.random.Generator) -> Array:
    """States ``(K, n)`` one step on, with noise; `each` of them in turn share one of the actions, or all the only one.

    Memory for lanes: x, u, y or Q, L and e, and the result.
    """
    space, (count, n) = dynamics.state, x.shape
    d, m = space.dim, us.shape[-1]
    e, y = normal_numbers((count, d), rng), np.empty_like(x)
    w = np.empty((3 * n + m + 2 * d * d + d) * LANES)
    plus = code_of(space, "plus", lanes=True)
    if isinstance(dynamics, Traced):
        code, seconds, p = code_of(dynamics, "y Q", lanes=True), np.array([float(dt)]), parameters(dynamics, dt)
        same = shared(dynamics, "Q", x=x, u=us)
        bad = move_traced.compiled(code.address, plus.address, each, same, x, us, seconds, p, e, y, w)
    else:
        u = us[0] if len(us) == 1 else np.repeat(us, each, axis=0)
        f = _answer(asked(dynamics, "step", x, u, dt), x.shape, "step", dynamics)
        Q = covariance(dynamics.noise(x, u, dt), d, dynamics)
        Q = np.ascontiguousarray(np.broadcast_to(Q, (count, d, d)) if Q.ndim > 2 else Q[None]).reshape(-1, d * d)
        bad = move_given.compiled(plus.address, count // len(Q), np.ascontiguousarray(f), Q, e, y, w)
    if bad >= 0:
        some = slice(bad, bad + LANES)
        _refuse_noise(dynamics.noise(x[some], us[min(bad // each, len(us) - 1)], dt), "process", dynamics)
    return _answer(y, x.shape, "step", dynamics)


def shared(model: Traced, noise: str, **inputs: Array) -> bool:
    """Whether all particles have one covariance of noise: none of the inputs ``(K, n)`` on which it depends differ."""
    needed = model.dependencies(noise)
    return all(len(values) == 1 for name, values in inputs.items() if name in needed)


def weigh(cloud: Particles, sensor: Sensor, z: Array, context: Any = None, gate: float | None = None) -> Update:
    """Particles weighed by a checked reading: ``log w_i += log p(z | x_i)``; the sensor reads from their own space.

    A reading that no particle can explain, whose likelihood is `IMPOSSIBLE`, or that the gate refuses, changes nothing.
    """
    w = cloud.log_weights + likelihoods(cloud.points, sensor, z, context)
    return judged(cloud, cloud.points, w, sensor, z, context, gate)


def judged(
    cloud: Particles, points: Array, w: Array, sensor: Sensor, z: Array, context: Any, gate: float | None
) -> Update:
    """The update of a cloud by a reading that makes it these points with log-weights w, whose sum is the evidence.

    The cloud stays the same if the points do not explain the reading, or the gate refuses it.
    """
    normal, weights, total = normalized(w)
    status, compute = verdict(total, partial(innovation, cloud, sensor, z, context), sensor, z, gate)
    accepted = np.asarray(status == ACCEPTED)
    many = np.count_nonzero(accepted)
    if many < accepted.size:
        if many == 0 and w.shape == cloud.log_weights.shape:
            return CloudUpdate(cloud, compute, total, status)
        taken = accepted[..., None]
        normal, weights = np.where(taken, normal, cloud.log_weights), np.where(taken, weights, cloud.weights)
        points = np.where(taken[..., None], points, cloud.points)
    return CloudUpdate(Particles.trusted(cloud.space, spread(points, w.shape), normal, weights), compute, total, status)


Found = Callable[[], tuple[Array, Array, Any]]
"""Innovation, S and NIS, which are computed when somebody asks for them."""


def verdict(total: Any, compute: Found, sensor: Sensor, z: Array, gate: float | None) -> tuple[Any, Found]:
    """The status of a reading with log-likelihood `total`, and `compute`, which need not be done twice.

    STARVED where the likelihood is `IMPOSSIBLE` for each of the measured components; GATED where the gate refuses it.
    """
    seen = measured(sensor.reading, z).sum(-1)
    explained = total >= IMPOSSIBLE * seen
    status: Any = np.where(explained, ACCEPTED, STARVED)
    if gate is not None:
        found = compute()
        within = found[2] <= gate_quantiles(gate, sensor.reading.dim)[seen]
        status = np.where(explained & np.logical_not(within), GATED, status)
        compute = partial(tuple, found)
    return np.where(seen == 0, NO_READING, status), compute


def likelihoods(points: Array, sensor: Sensor, z: Array, context: Any = None) -> Array:
    """``log p(z | x_i)`` at states ``(..., N, n)``, shape ``(..., N)``; zeros where nothing was measured.

    Raises:
        ModelError: when the sensor's answer has the wrong shape, or holds NaN or +inf.
        CovarianceError: when its noise is singular or indefinite.
    """
    context, own = for_each(context, sensor)
    axes = shared_axes(belief=points.shape[:-2], reading=z.shape[:-1], context=own)
    logs_shape = (*axes, points.shape[-2])
    whole = all_finite(z)
    unmeasured = np.asarray(not whole and np.isnan(z).all(-1))
    if np.count_nonzero(unmeasured) == unmeasured.size:
        return np.zeros(logs_shape)
    if isinstance(sensor, Traced) and type(sensor).log_prob is Sensor.log_prob:
        if not whole and np.isinf(z).any():
            raise ShapeError(
                f"the reading of {called(sensor)} holds infinity: {z}; give finite numbers, or NaN where nothing was "
                "measured"
            )
        return _gaussian(points, sensor, z, context, axes, own).reshape(logs_shape)
    readings = z[..., None, :] if z.ndim > 1 else z
    logs = sensor.log_prob(readings, points, context)
    logs = _answer(logs, logs_shape, "log_prob", sensor, impossible=True)
    return np.where(unmeasured[..., None], 0.0, logs) if unmeasured.ndim else logs


def _gaussian(points: Array, sensor: Any, z: Array, context: Any, axes: Axes, own: Axes) -> Array:
    """`likelihoods` of a traced sensor, ``(K,)``. Memory for lanes: x, context, z, measured, e, R, L, v and result."""
    count, d, k, c = points.shape[-2], sensor.reading.dim, sensor.reading.size, sensor.context.size
    seen = measured(sensor.reading, z).astype(np.float64)
    zs, seen = (flat_rows(a, axes if z.ndim > 1 else ()) for a in (z, seen))
    cs = np.zeros((1, c)) if context is None else flat_rows(context[..., 0, :] if own else context, axes if own else ())
    x = np.ascontiguousarray(spread(points, axes if points.ndim > 2 else (), 2).reshape(-1, points.shape[-1]))
    logs, w = np.empty((count * math.prod(axes), 1)), np.empty((x.shape[-1] + c + k + 3 * d + 2 * d * d + 1) * LANES)
    code, p = code_of(sensor, "e R", lanes=True), parameters(sensor)
    same = len(seen) == 1 and shared(sensor, "R", x=x, z=zs, context=cs)
    bad = weigh_traced.compiled(code.address, count, same, x, cs, zs, seen, p, logs, w)
    if bad < 0 and not all_finite(logs):
        bad = int(np.isfinite(logs).argmin())
    if bad >= 0:
        some, i = x[np.arange(bad, bad + LANES) % len(x)], bad // count
        context = cs[min(i, len(cs) - 1)]
        e = sensor.reading.minus(zs[min(i, len(zs) - 1)], sensor.observe(some, context))
        _answer(np.where(seen[min(i, len(seen) - 1)] > 0.0, e, 0.0), (LANES, d), "observe", sensor)
        _refuse_noise(sensor.noise(some, context), "measurement", sensor)
    return logs


def expected(cloud: Particles, sensor: Sensor, context: Any = None) -> Gaussian:
    """Mean and covariance of the reading that comes next, from the cloud of expected readings; see `foretold`."""
    return foretold(cloud, sensor, context)[0]


def foretold(cloud: Particles, sensor: Sensor, context: Any = None) -> tuple[Gaussian, Array, Array]:
    """The reading that comes next, how far those of all particles lie from its mean, and the mean of their noise.

    ::

        S = sum_i w_i d_i d_i' + R,  d_i = h(x_i) (-) mean,  R = sum_i w_i R_i
    """
    space, (context, own) = sensor.reading, for_each(context, sensor)
    w = np.broadcast_to(cloud.weights, (*np.broadcast_shapes(cloud.weights.shape[:-1], own), cloud.weights.shape[-1]))
    h = np.asarray(answered(asked(sensor, "observe", cloud.points, context), space, sensor, "observe"))
    mean = cast(Array, space.mean(h, w))
    d = cast(Array, space.minus(h, mean[..., None, :]))
    R = covariance(sensor.noise(cloud.points, context), space.dim, sensor)
    R = np.einsum("...n,...nij->...ij", w, np.broadcast_to(R, (*w.shape, space.dim, space.dim)))
    return Gaussian.trusted(space, mean, np.einsum("...n,...ni,...nj->...ij", w, d, d) + R), d, R


def innovation(cloud: Particles, sensor: Sensor, z: Array, context: Any = None) -> tuple[Array, Array, Any]:
    """Innovation, S and NIS of a reading, see `deviation`; z_mean and S are those `expected`."""
    return deviation(expected(cloud, sensor, context), z)


def deviation(known: Gaussian, z: Array) -> tuple[Array, Array, Any]:
    """Innovation ``y = z (-) z_mean``, its covariance S and NIS ``y' S^-1 y``, of an expected reading."""
    y = cast(Array, known.space.minus(z, known.mean))
    found = scored(y, known.cov, measured(known.space, z))
    return y, found.S, float(found.nis) if found.nis.ndim == 0 else found.nis


class CloudUpdate(Update):
    """An update whose innovation, S and NIS are computed when asked for: they cost a second look at every particle."""

    __slots__ = ("_after", "_compute", "_total")

    def __init__(self, belief: Any, compute: Callable[[], tuple[Array, Array, Any]], total: Any, status: Any) -> None:
        total, status = np.asarray(total), np.asarray(status)
        self._after, self._compute = belief, compute
        self._total = float(total) if total.ndim == 0 else total
        self._status = FilterStatus(int(status)) if status.ndim == 0 else status

    def _held(self) -> tuple[Any, ...]:
        if not hasattr(self, "_fields"):
            self._fields = (self._after, *self._compute(), self._total)
        return self._fields

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


def kernel_width(count: Any, d: int) -> Any:
    """Width of the best kernel for `count` draws of a normal density in d dimensions, in its standard deviations.

    ``h = (4 / ((d + 2) count))^(1 / (d + 4))`` (Silverman 1986, eq. 4.14).
    """
    return (4.0 / ((d + 2.0) * count)) ** (1.0 / (d + 4.0))


def _refuse_noise(noise: Any, what: str, model: Any) -> None:
    """Say which covariance a driver could not take a root of."""
    noise = np.asarray(noise, dtype=np.float64)
    least = "NaN" if np.isnan(noise).any() else f"{float(np.linalg.eigvalsh(noise).min()):.3g}"
    error = CovarianceError(
        f"the {what} noise of {called(model)} is not a covariance: its smallest eigenvalue is {least}; "
        "expected a positive one (0 will do for process noise)"
    )
    raise error.of_row(FilterStatus.UNDEFINED_NOISE if least == "NaN" else FilterStatus.IMPOSSIBLE_NOISE)


def for_each(context: Any, sensor: Sensor) -> tuple[Any, Axes]:
    """A context with an axis for particles behind its leading axes, if it has any; and these axes."""
    if context is None and (sensor.context is None or sensor.context.size == 0):
        return None, ()
    context = context_of(context, sensor)
    own = context_axes(context, sensor)
    return (context[..., None, :] if own else context), own


def _answer(given: Any, shape: tuple[int, ...], method: str, model: Any, impossible: bool = False) -> Array:
    """A model's answer as float64 of this shape, or a sentence; -inf passes where `impossible` says so."""
    answer = np.asarray(np.zeros(0) if given is None else given, dtype=np.float64)
    if answer.shape != shape or given is None:
        raise ModelError(
            f"{called(model)}.{method} returned {returned(given)} for particles; an array of shape {shape} was expected"
        )
    if all_finite(answer):
        return answer
    bad = np.isnan(answer) | (answer == np.inf) if impossible else ~np.isfinite(answer)
    if bad.any():
        count = int((bad if impossible else bad.any(-1)).sum())
        error = ModelError(
            f"{called(model)}.{method} gave NaN or infinity for {count} particles; check the model there, or its noise"
        )
        raise error.of_row(FilterStatus.UNDEFINED_STATE if method == "step" else FilterStatus.UNDEFINED_READING)
    return answer
