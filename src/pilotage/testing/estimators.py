"""The contract of an estimator: its effect on a belief, and the contents of its `Update`."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pilotage.core import Dynamics, Estimator, Gaussian, Sensor, Space, Update
from pilotage.core.arrays import Array
from pilotage.models import LinearDynamics, LinearSensor, compass, unicycle

from .sentences import made, told

DT, STEPS = 0.1, 8
EXACT = 1e-9
"""The largest difference of a filter with a Gaussian belief from the Kalman filter on a linear model."""
CLOUD = 0.15
"""The same for random filters, in standard deviations of the belief; wide enough for a thousand particles."""


def check_estimator(
    estimator: Estimator,
    *,
    kalman: bool = True,
    batch: bool = True,
    angles: bool = True,
    missing: bool = True,
    beside: Sequence[str] = (),
    rng: int = 0,
) -> None:
    """Check an estimator against the contract.

    The given beliefs are not changed, and the returned ones are over the state space. A reading of NaN has no effect;
    if only a part of a reading is NaN, the rest is used. Innovation, S, NIS and log-likelihood are consistent, and
    `expect` predicts innovation and S. A compass reading just beyond half a turn moves the heading across it, not
    around. The same seed gives the same belief. On a linear model the result is that of the Kalman filter: exactly for
    a Gaussian belief, approximately for particles.

    Args:
        estimator: the estimator to check; its `predict` and `update` are called, with `rng` if they accept it.
        kalman: False for estimators that intentionally differ from the Kalman filter on linear models.
        batch: False for estimators that support only one belief at a time.
        angles: False for estimators that support only linear models.
        missing: False for trackers, which use a scan without a detection as information.
        beside: additional parts that the estimator needs in the state, such as ``("y [m]", "yaw: angle")`` next to x
            and vx. They do not move, and no sensor reads them.
        rng: seed for random estimators.

    Raises:
        AssertionError: if a check fails; the message describes the failure.

    Example:
        >>> from pilotage.estimators import EKF
        >>> check_estimator(EKF())
    """
    name = made(estimator, "predict", "expect", "update")
    own = getattr(estimator, "own_contexts", None)
    assert isinstance(own, bool), (
        f"{name}.own_contexts is {own}; write own_contexts = False, if sensors say what one is"
    )
    cart, tape = _cart(beside)
    start = _start(cart.state, [0.5, -1.0])
    predicted = _predict(estimator, start, cart, [0.3], rng)
    _check_update(estimator, predicted, tape, rng)
    _check_expect(estimator, predicted, tape, rng)
    if missing:
        _check_missing(estimator, predicted, tape, rng)
    _check_repeats(estimator, start, cart, tape, rng)
    if kalman:
        _check_kalman(estimator, start, cart, tape, rng)
    if batch:
        _check_batch(estimator, cart, tape, rng)
    if angles:
        _check_angles(estimator, rng)


def _cart(beside: Sequence[str] = ()) -> tuple[Dynamics, Sensor]:
    """A cart on a rail, pushed and shaken; a tape reads where it is, a wheel how fast it moves."""
    rail, action = ("x [m]", "vx [m/s]"), Space("ax [m/s^2]")
    state = Space(*rail, *beside)
    A, B, G = np.zeros((state.size, state.size)), np.zeros((state.size, 1)), np.zeros((state.size, 1))
    A[0, 1] = B[1, 0] = G[1, 0] = 1.0
    cart = LinearDynamics(A, B, G=G, Qc=[[0.2]], state=state, action=action)
    reading = Space("tape [m]", "wheel [m/s]")
    return cart, LinearSensor(np.eye(2), [[0.09, 0.01], [0.01, 0.04]], state=Space(*rail), reading=reading).on(state)


def _start(state: Space, mean: list[float]) -> Gaussian:
    """A belief in which x and vx are about this, and all else about zero."""
    rest = state.size - 2
    return Gaussian.of(state, mean + [0.0] * rest, std=[1.0, 0.5] + [0.3] * rest)


def _seeded(method: Any, rng: int) -> dict[str, int]:
    """The seed as a keyword, for methods that take one."""
    return {"rng": rng} if "rng" in inspect.signature(method).parameters else {}


def _predict(estimator: Any, belief: Any, dynamics: Dynamics, u: Any, rng: int) -> Any:
    before = belief.moments()
    with told("`predict`"):
        after = estimator.predict(belief, dynamics, np.asarray(u, dtype=float), DT, **_seeded(estimator.predict, rng))
    _check_belief(after, dynamics.state, "predict")
    _close(belief.moments().mean, before.mean, 0.0, "`predict` changed the belief it was given: its mean")
    return after


def _update(estimator: Any, belief: Any, sensor: Sensor, z: Any, rng: int) -> Update:
    before = belief.moments()
    with told(f"`update` with the reading {z}"):
        result = estimator.update(belief, sensor, np.asarray(z, dtype=float), **_seeded(estimator.update, rng))
    assert isinstance(result, Update), f"`update` must return an Update, not {type(result).__name__}"
    _check_belief(result.belief, belief.space, "update")
    _close(belief.moments().mean, before.mean, 0.0, "`update` changed the belief it was given: its mean")
    return result


def _check_belief(belief: Any, space: Space, source: str) -> None:
    assert callable(getattr(belief, "moments", None)), f"`{source}` gave {type(belief).__name__}, which is no belief"
    assert belief.space == space, f"`{source}` gave a belief over {belief.space}, not over {space}"
    moments = belief.moments()
    assert np.isfinite(moments.mean).all(), f"`{source}` gave a mean that is not finite: {moments.mean}"
    least = float(np.linalg.eigvalsh(moments.cov).min())
    assert least > 0, f"`{source}` gave a covariance that is not positive definite: its least eigenvalue is {least:.3g}"


def _close(a: Any, b: Any, tolerance: float, what: str) -> None:
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    assert a.shape == b.shape, f"{what} has shape {a.shape}, expected {b.shape}"
    gap = float(np.abs(a - b).max(initial=0.0))
    assert gap <= tolerance, f"{what} is {a}, expected {b} (off by {gap:.3g}, allowed {tolerance:.3g})"


def _tolerance(belief: Any) -> float:
    return EXACT if isinstance(belief, Gaussian) else CLOUD * math.sqrt(float(belief.moments().cov.diagonal().max()))


def _check_update(estimator: Any, belief: Any, sensor: Sensor, rng: int) -> None:
    """The five numbers of an update fit each other."""
    result = _update(estimator, belief, sensor, [0.7, -0.8], rng)
    dim = sensor.reading.dim
    assert np.shape(result.innovation) == (dim,), (
        f"the innovation has shape {np.shape(result.innovation)}, not {(dim,)}"
    )
    assert np.shape(result.S) == (dim, dim), f"S has shape {np.shape(result.S)}, not {(dim, dim)}"
    nis = float(result.innovation @ np.linalg.solve(result.S, result.innovation))
    _close(result.nis, nis, 1e-6 * max(1.0, nis), "nis")
    assert math.isfinite(float(result.log_likelihood)), f"the log-likelihood is {result.log_likelihood}"
    assert bool(result.accepted), "a likely reading was not accepted"
    shrunk = np.trace(result.belief.moments().cov) < np.trace(belief.moments().cov)
    assert shrunk, "a reading of every component did not make the belief narrower"


def _check_expect(estimator: Any, belief: Any, sensor: Sensor, rng: int) -> None:
    """The reading that `expect` foretells is the one that an update measures the reading by."""
    with told("`expect`"):
        expected = estimator.expect(belief, sensor).moments()
    assert expected.space == sensor.reading, f"`expect` gave a belief over {expected.space}, not over {sensor.reading}"
    result = _update(estimator, belief, sensor, [0.7, -0.8], rng)
    y = sensor.reading.minus(np.array([0.7, -0.8]), expected.mean)
    _close(result.innovation, y, EXACT, "the innovation, against what `expect` gave,")
    _close(result.S, expected.cov, EXACT, "S, against what `expect` gave,")


def _check_missing(estimator: Any, belief: Any, sensor: Sensor, rng: int) -> None:
    """NaN is "not measured"."""
    before, nothing = belief.moments(), _update(estimator, belief, sensor, [math.nan, math.nan], rng)
    _close(nothing.belief.moments().mean, before.mean, EXACT, "after a reading of NaN the mean")
    _close(nothing.belief.moments().cov, before.cov, EXACT, "after a reading of NaN the covariance")
    _close(nothing.log_likelihood, 0.0, EXACT, "the log-likelihood of a reading of NaN")
    state = belief.space
    R = np.asarray(sensor.noise(before.mean))[:1, :1]
    tape = LinearSensor([[1.0]], R, state=Space("x [m]"), reading=Space("tape [m]")).on(state)
    partly = _update(estimator, belief, sensor, [0.7, math.nan], rng)
    wholly = _update(estimator, belief, tape, [0.7], rng)
    _close(
        partly.belief.moments().mean, wholly.belief.moments().mean, EXACT, "after a reading that is partly NaN the mean"
    )
    _close(partly.log_likelihood, wholly.log_likelihood, EXACT, "the log-likelihood of a reading that is partly NaN")
    assert np.shape(partly.innovation) == (2,), "the innovation keeps the reading's length where a component is NaN"
    assert np.isnan(np.asarray(partly.innovation)[1]), "the innovation is NaN where nothing was measured"


def _sequence(estimator: Any, start: Gaussian, cart: Dynamics, sensor: Sensor, rng: int) -> tuple[Any, float]:
    """A belief after some steps of a simulated cart, and the log-likelihood of the readings."""
    draw = np.random.default_rng(7)
    belief, total, x = start, 0.0, start.sample(1, rng=draw)[0]
    for step in range(STEPS):
        u = draw.normal(size=1)
        x = draw.multivariate_normal(cart.step(x, u, DT), cart.noise(x, u, DT))
        z = draw.multivariate_normal(sensor.observe(x), np.asarray(sensor.noise(x)))
        belief = _predict(estimator, belief, cart, u, rng + step)
        result = _update(estimator, belief, sensor, z, rng + step)
        belief, total = result.belief, total + float(result.log_likelihood)
    return belief, total


def _check_repeats(estimator: Any, start: Any, cart: Dynamics, sensor: Sensor, rng: int) -> None:
    first, second = (_sequence(estimator, start, cart, sensor, rng)[0].moments() for _ in range(2))
    _close(second.mean, first.mean, 0.0, "the same sequence with the same seed gave another mean; it")


class _Kalman:
    """The Kalman filter as the textbooks write it."""

    def predict(self, belief: Gaussian, dynamics: Dynamics, u: Array, dt: float, *, rng: Any = None) -> Gaussian:
        F, _ = dynamics.linearize(belief.mean, u, dt)
        cov = F @ belief.cov @ F.T + dynamics.noise(belief.mean, u, dt)
        return Gaussian(belief.space, dynamics.step(belief.mean, u, dt), cov)

    def expect(self, belief: Gaussian, sensor: Sensor, context: Any = None) -> Gaussian:
        H = sensor.linearize(belief.mean)
        return Gaussian(sensor.reading, sensor.observe(belief.mean), H @ belief.cov @ H.T + sensor.noise(belief.mean))

    def update(self, belief: Gaussian, sensor: Sensor, z: Array, context: Any = None, *, rng: Any = None) -> Update:
        H, R = sensor.linearize(belief.mean), sensor.noise(belief.mean)
        y, S = z - sensor.observe(belief.mean), H @ belief.cov @ H.T + R
        K = belief.cov @ H.T @ np.linalg.inv(S)
        cov = belief.cov - K @ S @ K.T
        nis = float(y @ np.linalg.solve(S, y))
        likelihood = -0.5 * (nis + math.log(np.linalg.det(2.0 * np.pi * S)))
        return Update(Gaussian(belief.space, belief.mean + K @ y, 0.5 * (cov + cov.T)), y, S, nis, likelihood)


def _check_kalman(estimator: Any, start: Any, cart: Dynamics, sensor: Sensor, rng: int) -> None:
    (mine, total), (oracle, expected) = (_sequence(e, start, cart, sensor, rng) for e in (estimator, _Kalman()))
    tolerance = _tolerance(mine)
    _close(mine.moments().mean, oracle.mean, tolerance, "on a linear model the mean, against the Kalman filter,")
    _close(mine.moments().cov, oracle.cov, tolerance, "on a linear model the covariance, against the Kalman filter,")
    _close(total, expected, STEPS * max(tolerance, 1e-9), "on a linear model the log-likelihood of all readings")


def _check_batch(estimator: Any, cart: Dynamics, sensor: Sensor, rng: int) -> None:
    """Leading axes are a batch: the same as one at a time, and a bad row harms no other."""
    means = np.array([[0.5, -1.0], [0.0, 2.0], [-3.0, 0.1]])
    cov, z = np.diag([1.0, 0.25]), np.array([0.7, -0.8])
    together = _predict(estimator, Gaussian(cart.state, means, cov), cart, [0.3], rng)
    assert np.shape(together.moments().mean) == (3, 2), f"a batch of 3 gave means {np.shape(together.moments().mean)}"
    if not isinstance(together, Gaussian):
        return
    updated = _update(estimator, together, sensor, z, rng).belief.moments()
    for i, mean in enumerate(means):
        single = _predict(estimator, Gaussian(cart.state, mean, cov), cart, [0.3], rng)
        alone = _update(estimator, single, sensor, z, rng).belief.moments()
        _close(updated.mean[i], alone.mean, EXACT, "the mean of a belief in a batch")
        _close(updated.cov[i], alone.cov, EXACT, "the covariance of a belief in a batch")
    _check_bad_row(estimator, together, sensor, updated, z, rng)


def _check_bad_row(estimator: Any, belief: Gaussian, sensor: Sensor, updated: Gaussian, z: Array, rng: int) -> None:
    """An infinite reading in a batch has a status, and leaves its own belief as it was and the others as they come."""
    zs = np.array([z, [np.inf, 0.0], z])
    result = _update(estimator, belief, sensor, zs, rng)
    accepted = np.asarray(result.accepted).tolist()
    assert accepted == [True, False, True], f"of three readings, the second infinite, accepted is {accepted}"
    _close(result.belief.moments().mean[1], belief.mean[1], 0.0, "after an infinite reading in a batch the mean")
    for i in (0, 2):
        _close(result.belief.moments().mean[i], updated.mean[i], EXACT, "beside an infinite reading the mean")


def _check_angles(estimator: Any, rng: int) -> None:
    """A heading just below half a turn and a compass just beyond it are 0.04 rad apart."""
    robot, needle = unicycle(), compass(std=0.05)
    belief = Gaussian.of(robot.state, [0.0, 0.0, math.pi - 0.02], std=[0.1, 0.1, 0.05])
    result = _update(estimator, _predict(estimator, belief, robot, [0.0, 0.0], rng), needle, [-math.pi + 0.02], rng)
    y = float(np.asarray(result.innovation)[0])
    slack = 1e-6 if isinstance(result.belief, Gaussian) else 0.02
    assert abs(y - 0.04) <= slack, f"a compass 0.04 rad further on gave the innovation {y:.4f} rad; is it wrapped?"
    yaw = float(result.belief.moments().mean[2])
    turned = float(robot.state.minus([0.0, 0.0, yaw], [0.0, 0.0, math.pi - 0.02])[2])
    assert 0.0 < turned < 0.04, f"the heading moved by {turned:.4f} rad, but lies between belief and compass"
