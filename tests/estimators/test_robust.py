"""Filters on bad days: unstable systems, singular matrices, streams of anything, millions of steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pilotage.core import CovarianceError, FilterStatus, Gaussian, PilotageError, Readings
from pilotage.core.results import same_belief
from pilotage.estimators import (
    CKF,
    EKF,
    GHKF,
    IEKF,
    IMM,
    KF,
    UKF,
    AdaptiveEKF,
    EnsembleKF,
    FadingEKF,
    InformationKF,
    ParticleFilter,
    SchmidtEKF,
    SquareRootEKF,
    SquareRootUKF,
)
from pilotage.models import (
    LinearDynamics,
    LinearSensor,
    compass,
    constant_velocity,
    gnss,
    position,
    range_bearing,
    unicycle,
    velocity,
)

from .linear import close, posterior_of_all, seeds, shapes, system

LINEAR = [
    KF(), EKF(), IEKF(), UKF(), CKF(), GHKF(), SquareRootEKF(), SquareRootUKF(), FadingEKF(alpha=1.0), SchmidtEKF()
]  # fmt: skip
ROBOT, CART = unicycle(noise=(0.1, 0.1, 0.05)), constant_velocity(2, density=0.5)


@settings(max_examples=12)
@given(seeds, shapes, st.floats(0.3, 1.5))
def test_every_filter_gives_the_joint_gaussian(seed: int, shape: Any, radius: float) -> None:
    """Stable and unstable systems, singular process noise, gaps in the readings: all filters at once."""
    s = system(seed, *shape, steps=6)
    s.F *= radius / np.abs(np.linalg.eigvals(s.F)).max()
    s.zs[np.random.default_rng(seed).random(s.zs.shape) < 0.3] = np.nan
    mean, cov, log_likelihood = posterior_of_all(s)
    start = Gaussian(s.dynamics.state, s.x0, s.P0)
    for estimator in LINEAR:
        run = estimator.run(start, s.dynamics, s.us, s.zs, 1.0, sensor=s.sensor)
        close(run.beliefs.mean[-1], mean, 1e-7)
        close(run.beliefs.cov[-1], cov, 1e-7)
        assert abs(run.log_likelihood.sum() - log_likelihood) < 1e-7 * max(1.0, abs(log_likelihood))


STILL = LinearDynamics.discrete(np.eye(2), Q=np.zeros((2, 2)))
EXACT = LinearSensor([[1.0, 0.0]], 0.0)
KNOWN = Gaussian.trusted(STILL.state, np.array([1.0, 2.0]), np.zeros((2, 2)))


@pytest.mark.parametrize("estimator", LINEAR, ids=lambda e: type(e).__name__)
def test_a_state_that_is_known_stays_so(estimator: Any) -> None:
    """P and Q of zero: a reading changes nothing, and one without noise either is refused."""
    moved = estimator.predict(KNOWN, STILL, None, 1.0)
    after = estimator.update(moved, LinearSensor(np.eye(2), np.eye(2)), [5.0, 5.0])
    close(after.belief.mean, [1.0, 2.0])
    close(after.belief.cov, np.zeros((2, 2)))
    with pytest.raises(CovarianceError):
        estimator.update(KNOWN, EXACT, [1.0])


@pytest.mark.parametrize("estimator", LINEAR, ids=lambda e: type(e).__name__)
def test_readings_without_noise(estimator: Any) -> None:
    """R of zero, and singular: what is read is known then; in a batch, a row that fails has its status."""
    both = np.array([np.zeros((2, 2)), np.eye(2)])
    batch = Gaussian.trusted(STILL.state, np.array([[1.0, 2.0], [1.0, 2.0]]), both)
    result = estimator.update(batch, EXACT, [3.0])
    assert result.status[0] > FilterStatus.NO_READING
    assert result.status[1] == FilterStatus.ACCEPTED
    close(result.belief.mean, [[1.0, 2.0], [3.0, 2.0]])
    close(result.belief.cov[1], np.diag([0.0, 1.0]))
    linked = LinearSensor(np.eye(2), [[1.0, 1.0], [1.0, 1.0]])
    expected = np.eye(2) - np.linalg.inv(np.eye(2) + np.ones((2, 2)))
    close(estimator.update(batch[1], linked, [2.0, 2.0]).belief.cov, expected)


FILTERS: dict[str, Any] = {
    "KF": lambda: KF(CART, dt=0.1, gate=0.999).start(std=1.0, history=0.5),
    "EKF": lambda: EKF(ROBOT, dt=0.1, gate=0.999).start(std=0.5),
    "IEKF": lambda: IEKF(ROBOT, dt=0.1).start(std=0.5, history=0.5, delayed="retrodict"),
    "UKF": lambda: UKF(ROBOT, dt=0.1).start(std=0.5, history=0.5),
    "SquareRootEKF": lambda: SquareRootEKF(ROBOT, dt=0.1).start(std=0.5),
    "SquareRootUKF": lambda: SquareRootUKF(ROBOT, dt=0.1, gate=0.99).start(std=0.5),
    "IMM": lambda: IMM((CART, constant_velocity(2, density=9.0)), 0.9, dt=0.1).start(std=1.0).remember(0.5),
    "EnsembleKF": lambda: EnsembleKF(ROBOT, dt=0.1, n=20, gate=0.999).start(std=0.5, rng=1),
    "AdaptiveEKF": lambda: AdaptiveEKF(ROBOT, dt=0.1, gate=0.999).start(std=0.5, history=0.5),
    "InformationKF": lambda: InformationKF(CART, dt=0.1, gate=0.999).start(std=1.0),
    "ParticleFilter": lambda: ParticleFilter(ROBOT, dt=0.1, n=50, gate=0.999).start(std=0.5, rng=1, history=0.5),
}
NUMBERS = st.sampled_from([0.0, 1.0, -0.5, 1e6, -1e6, 1e300, math.nan, math.inf, -math.inf])
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["predict", "update", "stamped", "step", "run"]),
        st.lists(NUMBERS, min_size=2, max_size=2),
        st.sampled_from([0.0, 0.1, 0.1, 0.25, 3.0, -0.2, math.nan, math.inf]),
        st.sampled_from([None, [0.5, 0.1], [math.nan, 0.0], [1e100, 1.0]]),
    ),
    max_size=12,
)


def act(filter: Any, event: Any) -> Any:
    """Do what an event says; the result of an update, if it is one."""
    kind, z, dt, u = event
    u = u if filter.belief.moments().space == ROBOT.state else None
    third = compass(std=0.1) if filter.belief.moments().space == ROBOT.state else velocity(2, std=0.5)
    sensor = gnss(std=0.5) if z[0] != 1.0 else third
    z = z[: sensor.reading.size]
    if kind == "predict":
        return filter.predict(dt, u=u)
    if kind == "update":
        return filter.update(sensor, z)
    if kind == "stamped":
        return filter.update(sensor, z, filter.t + dt, u=u if dt > 0.0 else None)
    if kind == "step":
        return filter.step(sensor, z, u, dt)
    run = filter.run(u, [z, z], None if math.isnan(dt) else [filter.t + dt, filter.t + 2.0 * dt], sensor=sensor)
    assert (run.status <= FilterStatus.NO_READING).all()
    return None


def check_belief(belief: Any) -> None:
    """A mean and a covariance of finite numbers."""
    moments = belief.moments()
    assert np.isfinite(moments.mean).all()
    assert np.isfinite(moments.cov).all()
    for cov in moments.cov.reshape(-1, *moments.cov.shape[-2:]):
        scale = np.sqrt(np.diagonal(cov).clip(1e-300))
        if scale.max() < 1e8 * scale.min():  # a speed of 1e100 leaves no digits for the other components
            assert np.linalg.eigvalsh(cov / scale / scale[:, None]).min() > -1e-9


@pytest.mark.parametrize("name", FILTERS)
@settings(max_examples=20)
@given(events=EVENTS)
def test_a_stream_of_anything(name: str, events: Any) -> None:
    """Each event either works, and leaves a belief of finite numbers, or raises an error and leaves all as it was."""
    filter = FILTERS[name]()
    for event in events:
        before, t = filter.belief, filter.t
        try:
            result = act(filter, event)
        except PilotageError:
            assert same_belief(filter.belief, before)
            assert filter.t == t
            continue
        check_belief(filter.belief)
        assert math.isfinite(filter.t)
        if result is not None and result.accepted:
            assert math.isfinite(result.log_likelihood)


TIMES = st.sampled_from([0.1, 0.1, 0.2, 0.25, 0.3, 0.7, 0.7, -0.1, 3.0, 1e9, math.nan, math.inf])
STREAM = st.lists(st.tuples(TIMES, st.lists(NUMBERS, min_size=2, max_size=2)), max_size=6)
ACTIONS = st.lists(st.tuples(TIMES, st.sampled_from([[0.5, 0.1], [math.nan, 0.0], [1e100, 1.0]])), max_size=4)
GOOD = [(0.1, [1.0, 0.0]), (0.2, [math.nan, math.nan]), (0.25, [math.nan, -0.5]), (0.7, [1e6, 0.0]), (0.7, [1.0, 1.0])]


@pytest.mark.parametrize("name", FILTERS)
@settings(max_examples=20)
@example(fixes=GOOD, others=GOOD[:3], us=[(0.3, [0.5, 0.1]), (0.7, [0.5, 0.1])], order=True)
@example(fixes=[(0.1, [1.0, math.inf])], others=[], us=[], order=True)
@given(fixes=STREAM, others=STREAM, us=ACTIONS, order=st.booleans())
def test_a_run_over_streams_of_anything(name: str, fixes: Any, others: Any, us: Any, order: bool) -> None:
    """A run of two sensors at times of their own either raises an error and leaves all, or has finite beliefs."""
    filter = FILTERS[name]()
    before, robot = filter.belief, filter.belief.moments().space == ROBOT.state
    third = compass(std=0.1) if robot else velocity(2, std=0.5)
    key: Any = (lambda each: each[0]) if order else (lambda _: 0)
    rows = [(sensor, sorted(stream, key=key)) for sensor, stream in ((gnss(std=0.5), fixes), (third, others))]
    acts = sorted(us, key=key) if robot else []
    try:
        streams = []
        for sensor, given in rows:
            z = np.array([z for _, z in given]).reshape(-1, 2)[:, : sensor.reading.size]
            streams.append(Readings(sensor, z, [t for t, _ in given]))
        run = filter.run([u for _, u in acts] or None, streams, [t for t, _ in acts] or None)
    except PilotageError:
        assert fixes != GOOD
        assert same_belief(filter.belief, before)
        assert filter.t == 0.0
        return
    check_belief(filter.belief)
    if len(run.ts):
        check_belief(run.beliefs)
        check_belief(run.predicted)
        assert filter.t == run.ts[-1]
    assert (run.status <= FilterStatus.NO_READING).all()
    assert np.isfinite(run.log_likelihood).all()
    assert np.isfinite(run.nis[run.accepted]).all()


@pytest.mark.parametrize("name", ["KF", "EKF", "SquareRootUKF", "ParticleFilter"])
def test_a_gate_refuses_other_units(name: str) -> None:
    """Readings in micrometres, or of a sensor whose wire broke, leave the belief, and the status says so."""
    filter = FILTERS[name]()
    filter.step(gnss(std=0.5), [0.1, 0.0])
    before = filter.belief
    assert filter.update(gnss(std=0.5), [1e5, -2e5]).status in (FilterStatus.GATED, FilterStatus.STARVED)
    assert same_belief(filter.belief, before)
    assert filter.update(gnss(std=0.5), [np.nan, np.nan]).status == FilterStatus.NO_READING
    assert same_belief(filter.belief, before)


def assert_steady(steps: int, chunk: int, estimator: Any) -> None:
    """A filter through so many steps, in chunks; its covariances stay symmetric, positive definite and bounded."""
    rng, sonar = np.random.default_rng(0), range_bearing(std=(0.2, 0.02))
    straight = isinstance(estimator, KF)
    belief = Gaussian.of(CART.state if straight else ROBOT.state, std=1.0)
    us = None if straight else np.tile([1.0, 0.1], (chunk, 1))
    for _ in range(steps // chunk):
        if straight:
            run = estimator.run(belief, CART, us, rng.normal(size=(chunk, 2)), 0.1, sensor=position(2, std=1e-3))
        else:
            zs = np.array([20.0, 0.1]) + rng.normal(size=(chunk, 2)) * [0.2, 0.02]
            contexts = belief.mean[:2] + 20.0 * rng.normal(size=(chunk, 2))
            run = estimator.run(belief, ROBOT, us, zs, 0.1, sensor=sonar, contexts=contexts)
        P = run.beliefs.cov
        np.testing.assert_array_equal(P, P.swapaxes(1, 2))
        assert np.linalg.eigvalsh(P[::53]).min() > 0.0
        assert P.max() < 1e4
        assert np.isfinite(run.log_likelihood).all()
        belief = run.beliefs[-1]


@pytest.mark.parametrize("estimator", [KF(), EKF()], ids=["KF", "EKF"])
def test_a_hundred_thousand_steps(estimator: Any) -> None:
    assert_steady(100_000, 50_000, estimator)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [KF(), EKF()], ids=["KF", "EKF"])
def test_ten_million_steps(estimator: Any) -> None:
    assert_steady(10_000_000, 100_000, estimator)
