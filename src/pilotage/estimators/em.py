"""Identification of linear models: noise, matrices and first belief by expectation maximisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import Dynamics, FilterRun, Gaussian, ModelError, Sensor, SettingError
from ..core.arrays import Array
from ..core.settings import positive, whole
from ..models import LinearDynamics, LinearSensor
from ._clock import Clock
from ._gaussian import moments_on
from ._timeline import Timeline, timeline
from .kf import KF

LEARNED = ("Q", "R", "F", "H", "initial")


@dataclass(frozen=True, eq=False)
class Identified:
    """The outcome of `expectation_maximization`.

    Attributes:
        dynamics: the model with F and Q, for steps as long as between readings.
        sensors: a sensor with H and R for each that was given.
        belief: the first belief.
        log_likelihoods: log-likelihood of all readings before each round, and at the end; it never falls.
        converged: whether the last round gained less than the tolerance.

    Example:
        >>> from pilotage.models import constant_velocity, position
        >>> zs = np.cumsum(np.random.default_rng(0).normal(size=(50, 1)), axis=0)
        >>> start = Gaussian.of(constant_velocity(1).state, std=1.0)
        >>> found = expectation_maximization(start, constant_velocity(1), zs, 1.0, sensor=position(1), rounds=5)
        >>> bool((np.diff(found.log_likelihoods) > 0.0).all())
        True
    """

    dynamics: LinearDynamics
    sensors: tuple[LinearSensor, ...]
    belief: Gaussian
    log_likelihoods: Array
    converged: bool

    @property
    def Q(self) -> Array:
        """Covariance of the process noise of a step, ``(d, d)``."""
        return self.dynamics.discretized(1.0)[2]

    @property
    def R(self) -> tuple[Array, ...]:
        """Covariance of the noise of each sensor."""
        return tuple(np.asarray(sensor.params["R"]) for sensor in self.sensors)


def expectation_maximization(
    belief: Any,
    dynamics: Dynamics,
    readings: Any,
    dt: float | None = None,
    *,
    sensor: Sensor | None = None,
    us: Any = None,
    ts: Any = None,
    learn: str = "Q R",
    diagonal: bool = False,
    rounds: int = 200,
    tolerance: float = 1e-6,
) -> Identified:
    """The noise of linear models, and their matrices if wanted, that make the readings most likely.

    ::

        E step    x_k, P_k and P_k,k-1 given all readings: Kalman filter and smoother
        M step    A = sum E x_k-1 x_k-1',   B = sum E (x_k - B u) x_k-1',   C = sum E (x_k - B u) (x_k - B u)'
                  F = B A^-1,   Q = (C - F B' - B F' + F A F') / N
                  H = (sum z x') (sum E x x')^-1,   R = sum E (z - H x) (z - H x)' / N
                  first belief: x_0 and P_0 given all readings

    The likelihood rises in each round. It may have several maxima, above all if F and H are learned too, which are then
    known only up to a change of the state's coordinates; start from a reasonable model.

    Args:
        belief: the belief before the first prediction; leading axes are a batch of sequences of one model.
        dynamics, sensor: linear models to start from.
        readings: readings ``(..., T, k)`` of `sensor`, or `Readings` of several sensors; NaN where not measured.
        dt: seconds between readings, which are equally spaced.
        us: actions ``(..., T, m)``.
        ts: times at which actions end, for several sensors.
        learn: what is learned, of "Q", "R", "F", "H" and "initial"; P_0 of a single sequence tends to zero.
        diagonal: whether Q and R have no correlations.
        rounds: rounds at most.
        tolerance: relative gain of the log-likelihood below which the rounds end.

    Raises:
        ModelError: if a model is not linear, or readings are not equally spaced.
        SettingError: if there is no such thing to learn.

    Source: Shumway and Stoffer, "An approach to time series smoothing and forecasting using the EM algorithm", J. Time
    Series Analysis 3, 1982; readings that are partly missing, Shumway and Stoffer, "Time Series Analysis and Its
    Applications" (4th ed. 2017), section 6.4.

    Example:
        >>> from pilotage.models import LinearDynamics, LinearSensor
        >>> rng = np.random.default_rng(1)
        >>> level = np.cumsum(rng.normal(0.0, 0.5, size=(400, 1)), axis=0)
        >>> walk, meter = LinearDynamics.discrete([[1.0]], Q=1.0), LinearSensor([[1.0]], R=1.0)
        >>> zs = level + rng.normal(0.0, 2.0, size=(400, 1))
        >>> start = Gaussian.of(walk.state, std=1.0)
        >>> found = expectation_maximization(start, walk, zs, 1.0, sensor=meter, rounds=40)
        >>> bool(abs(found.Q[0, 0] ** 0.5 - 0.5) < 0.15 and abs(found.R[0][0, 0] ** 0.5 - 2.0) < 0.15)
        True
    """
    wanted = set(learn.split())
    if not wanted or not wanted <= set(LEARNED):
        raise SettingError(f"learn is {learn!r}; expected some of {', '.join(LEARNED)}, such as 'Q R'")
    rounds, tolerance = whole(rounds, "rounds"), positive(tolerance, "tolerance")
    belief, kf = moments_on(belief, dynamics.state), KF()
    kf.check_dynamics(dynamics)
    steps = timeline(Clock(0.0, dt, dynamics), dynamics, us, readings, ts, sensor=sensor)
    model, sensors = _matrices(dynamics, steps)
    logs, gain = [], np.inf
    for _ in range(rounds + 1):
        run = kf.follow(belief, _with(steps, model, sensors))
        logs.append(float(run.log_likelihood.sum()))
        gain = logs[-1] - logs[-2] if len(logs) > 1 else np.inf
        if gain < tolerance * max(1.0, abs(logs[-1])) or len(logs) > rounds:
            break
        model, sensors, belief = _maximised(run, steps, belief, model, sensors, wanted, diagonal)
    return Identified(model, sensors, belief, np.array(logs), bool(gain < tolerance * max(1.0, abs(logs[-1]))))


def _matrices(dynamics: Dynamics, steps: Timeline) -> tuple[LinearDynamics, tuple[LinearSensor, ...]]:
    """The models as matrices for the one step of the readings."""
    moving = steps.dts[steps.moves > 0]
    if not len(moving) or np.ptp(moving) > 1e-6 * moving[0]:
        raise ModelError("readings are not equally spaced; the noise of a step belongs to one length of step")
    dt, (x, u) = float(moving.mean()), (dynamics.state.identity(), np.zeros(dynamics.action.size))
    if np.abs(dynamics.step(x, u, dt)).max() > 1e-12:
        raise ModelError(
            f"{dynamics!r} is not x' = F x + B u + w; for an offset, give a component of u that is always 1"
        )
    F, B = dynamics.linearize(x, u, dt)
    model = LinearDynamics.discrete(F, B, Q=dynamics.noise(x, u, dt), state=dynamics.state, action=dynamics.action)
    sensors = list[LinearSensor]()
    for sensor in steps.sensors:
        KF().check_sensor(sensor)
        if (sensor.context is None or sensor.context.size) or np.abs(sensor.observe(x)).max() > 1e-12:
            raise ModelError(f"{sensor!r} is not z = H x + v; sensors with contexts or offsets are not learned")
        H, R = sensor.linearize(x), sensor.noise(x)
        sensors.append(LinearSensor(H, R, state=dynamics.state, reading=sensor.reading))
    return model, tuple(sensors)


def _with(steps: Timeline, model: LinearDynamics, sensors: tuple[LinearSensor, ...]) -> Timeline:
    """The steps with other models."""
    return Timeline(**{**vars(steps), "dynamics": model, "sensors": sensors})


def _smoothed(run: FilterRun, belief: Gaussian, F: Array) -> tuple[Array, Array, Array]:
    """Means ``(B, T+1, d)``, covariances, and ``Cov(x_k, x_k-1)`` ``(B, T, d, d)`` of states given all readings."""
    T, d = len(run.dts), len(F)
    xs, before = (a.mean.reshape(-1, T, d) for a in (run.beliefs, run.predicted))
    Ps, later = (np.array(a.cov).reshape(-1, T, d, d) for a in (run.beliefs, run.predicted))
    B = len(xs)
    first = np.broadcast_to(belief.mean, (*run.beliefs.mean.shape[:-2], d)).reshape(B, 1, d)
    P0 = np.broadcast_to(belief.cov, (*run.beliefs.mean.shape[:-2], d, d)).reshape(B, 1, d, d)
    x, P = np.concatenate([first, xs], axis=1), np.concatenate([P0, Ps], axis=1)
    lagged = np.empty((B, T, d, d))
    for k in range(T - 1, -1, -1):
        moved = F if run.dts[k] > 0.0 else np.eye(d)
        G = solved(later[:, k], moved @ P[:, k]).swapaxes(-1, -2)
        x[:, k] += (G @ (x[:, k + 1] - before[:, k])[..., None])[..., 0]
        P[:, k] += G @ (P[:, k + 1] - later[:, k]) @ G.swapaxes(-1, -2)
        lagged[:, k] = P[:, k + 1] @ G.swapaxes(-1, -2)
    return x, P, lagged


def _maximised(
    run: FilterRun,
    steps: Timeline,
    belief: Gaussian,
    model: LinearDynamics,
    sensors: tuple[LinearSensor, ...],
    wanted: set[str],
    diagonal: bool,
) -> tuple[LinearDynamics, tuple[LinearSensor, ...], Gaussian]:
    """The models and the first belief that are most likely, given the states that they explain."""
    F, Bu, Q = model.discretized(1.0)
    x, P, lagged = _smoothed(run, belief, F)
    moves = steps.moves > 0
    us = np.broadcast_to(run.us @ Bu.T, (*run.beliefs.mean.shape[:-1], len(F))).reshape(x[:, 1:].shape)
    new, old = (x[:, 1:] - us)[:, moves], x[:, :-1][:, moves]
    A = _moment(old, old) + P[:, :-1][:, moves].sum((0, 1))
    B = _moment(new, old) + lagged[:, moves].sum((0, 1))
    C = _moment(new, new) + P[:, 1:][:, moves].sum((0, 1))
    F = solved(A, B.T).T if "F" in wanted else F
    if "Q" in wanted:
        Q = _covariance((C - F @ B.T - B @ F.T + F @ A @ F.T) / (len(new) * moves.sum()), diagonal)
    learned = tuple(_sensor(s, j, steps, x, P, wanted, diagonal) for j, s in enumerate(sensors))
    if "initial" in wanted:
        mean = x[:, 0].mean(0)
        spread = _covariance(P[:, 0].mean(0) + _moment(x[:, 0] - mean, x[:, 0] - mean) / len(x), diagonal)
        belief = Gaussian(
            model.state, np.broadcast_to(mean, belief.mean.shape), spread + 1e-12 * np.trace(spread) * np.eye(len(F))
        )
    return LinearDynamics.discrete(F, Bu, Q=Q, state=model.state, action=model.action), learned, belief


def _sensor(
    sensor: LinearSensor, j: int, steps: Timeline, x: Array, P: Array, wanted: set[str], diagonal: bool
) -> LinearSensor:
    """H and R of a sensor; what is missing of a reading is filled by what the old H and R expect of it."""
    H, R = np.array(sensor.params["H"]), np.array(sensor.params["R"])
    k, at = len(H), np.flatnonzero(steps.which == j)
    zs = np.broadcast_to(steps.zs[..., at, :k], (*steps.zs.shape[:-2], len(at), k)).reshape(-1, len(at), k)
    z = np.broadcast_to(zs, (len(x), *zs.shape[1:])).reshape(-1, k)
    means, covs = x[:, at + 1].reshape(-1, x.shape[-1]), P[:, at + 1].reshape(-1, *P.shape[-2:])
    seen = np.isfinite(z)
    groups = list[tuple[Array, ...]]()
    for mask in np.unique(seen[seen.any(-1)], axis=0):
        rows = (seen == mask).all(-1)
        xx = _moment(means[rows], means[rows]) + covs[rows].sum(0)
        groups.append((*_filled(z[rows], H, R, mask), means[rows], covs[rows].sum(0), xx))
    if "H" in wanted and groups:
        zx = np.sum([_moment(y, mean) + D @ xx for y, D, _, mean, _, xx in groups], axis=0)
        H = solved(np.sum([xx for *_, xx in groups], axis=0), zx.T).T
    if "R" in wanted and groups:
        total = np.sum([_noise(y, D - H, rest, mean, cov) for y, D, rest, mean, cov, _ in groups], axis=0)
        R = _covariance(total / sum(len(y) for y, *_ in groups), diagonal)
    return LinearSensor(H, R, state=sensor.needs, reading=sensor.reading)


def _filled(z: Array, H: Array, R: Array, mask: Any) -> tuple[Array, Array, Array]:
    """y, D, C of ``E z = y + D x`` and ``Cov z = C`` for whole readings, of which those in the mask were measured."""
    L = R[:, mask] @ np.linalg.inv(R[np.ix_(mask, mask)])  # E v given the measured part is L v
    return z[:, mask] @ L.T, H - L @ H[mask], R - L @ R[mask]


def _noise(y: Array, G: Array, rest: Array, means: Array, covs: Array) -> Array:
    """``sum E v v'`` of ``v = y + G x + e`` over readings; states have these means, and this sum of covariances."""
    v = y + means @ G.T
    return _moment(v, v) + G @ covs @ G.T + len(y) * rest


def _moment(a: Array, b: Array) -> Array:
    """``sum a b'`` over all leading axes."""
    return a.reshape(-1, a.shape[-1]).T @ b.reshape(-1, b.shape[-1])


def _covariance(C: Array, diagonal: bool) -> Array:
    """C made symmetric and without what rounding takes below zero; diagonal if wanted."""
    if diagonal:
        return np.diag(np.maximum(np.diag(C), 0.0))
    values, vectors = np.linalg.eigh(0.5 * (C + C.T))
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def solved(A: Array, B: Array) -> Array:
    """``A^-1 B`` for covariances, by the pseudoinverse where a direction has no variance."""
    try:
        np.linalg.cholesky(A)
        return np.asarray(np.linalg.solve(A, B), dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.pinv(A, hermitian=True) @ B, dtype=np.float64)
