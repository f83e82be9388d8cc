"""Laws of all particle filters at once: they tend to the Kalman filter, are consistent, and say when they starve."""

from __future__ import annotations

import copy
import pickle
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pilotage.core import FilterStatus, Gaussian, Particles, Readings, Sensor, SettingError, ShapeError, Space
from pilotage.core.errors import ArgumentError
from pilotage.estimators import (
    EKF,
    IMM,
    KF,
    UKF,
    AuxiliaryParticleFilter,
    EnsembleKF,
    GuidedParticleFilter,
    KLDSampling,
    ParticleFilter,
    RaoBlackwellizedParticleFilter,
)
from pilotage.estimators.localization import MonteCarloLocalization
from pilotage.maps import OccupancyGrid
from pilotage.models import (
    LinearDynamics,
    LinearSensor,
    constant_turn,
    constant_velocity,
    gnss,
    position,
    range_bearing,
    unicycle,
)

STATE = Space("x [m]", "vx [m/s]", "y [m]", "yaw: angle")
RAIL = Space("x [m]", "vx [m/s]")
FIELD = OccupancyGrid.from_occupied(np.pad(np.zeros((398, 398)), 1, constant_values=1), 0.1, (-20.0, -20.0, 0.0))
KINDS: dict[str, Callable[..., Any]] = {
    "bootstrap": ParticleFilter,
    "auxiliary": AuxiliaryParticleFilter,
    "auxiliary by EKFs": lambda **given: AuxiliaryParticleFilter(filter=EKF(), **given),
    "guided by EKFs": GuidedParticleFilter,
    "guided by UKFs": lambda **given: GuidedParticleFilter(filter=UKF(), **given),
    "Rao-Blackwellised": lambda **given: RaoBlackwellizedParticleFilter(**{"linear": "vx", **given}),
}


def linear_system(singular: bool) -> tuple[Any, Sensor]:
    """A cart on a rail, and a tape along it; noise pushes the cart along one direction only, or along both."""
    G = np.array([[0.3], [0.6]])
    Q = G @ G.T + (0.0 if singular else np.diag([0.05, 0.1]))
    cart = LinearDynamics.discrete([[1.0, 0.4], [-0.3, 0.9]], Q=Q, state=RAIL)
    return cart, LinearSensor([[1.0, 0.0]], [[0.1]], state=RAIL, reading=Space("tape [m]"))


ZS = np.array([[0.3], [1.4], [1.0], [np.nan], [-0.4]])


def batch_run(filter: Any, runs: int, cart: Any, tape: Any) -> tuple[Any, Any]:
    """Final moments, and log-likelihoods of ZS, of so many filters side by side."""
    rng = np.random.default_rng(5)
    belief: Any = Gaussian(RAIL, np.tile([0.2, 0.5], (runs, 1)), np.diag([0.5, 0.4]))
    total: Any = 0.0
    for z in ZS:
        belief = filter.predict(belief, cart, None, 1.0, rng=rng)
        found = filter.update(belief, tape, z, rng=rng)
        belief, total = found.belief, total + found.log_likelihood
    return belief.moments(), total


@pytest.mark.parametrize("singular", [False, True], ids=["full noise", "singular noise"])
@pytest.mark.parametrize("kind", KINDS)
def test_tends_to_the_kalman_filter(kind: str, singular: bool) -> None:
    """Errors of means fall as 1 / sqrt(N), and the likelihood is right on average, for any N."""
    if kind == "auxiliary" and not singular:
        pytest.skip("weights have no variance where process noise exceeds that of readings; see the docstring")
    cart, tape = linear_system(singular)
    exact = KF().run(Gaussian(RAIL, [0.2, 0.5], np.diag([0.5, 0.4])), cart, None, ZS, 1.0, sensor=tape)
    errors = []
    for n in (100, 1600):
        found, total = batch_run(KINDS[kind](n=n), 100, cart, tape)
        errors.append(np.sqrt(((found.mean - exact.beliefs.mean[-1]) ** 2).mean(0)))
        ratio = np.exp(total - exact.log_likelihood.sum())
        deviation = ratio.std() / np.sqrt(len(ratio))
        assert abs(ratio.mean() - 1.0) < 4.0 * deviation
        assert deviation < 0.15, "a likelihood of so many runs is to say something"
    assert (errors[1] < 0.4 * errors[0]).all(), "a quarter, as 1 / sqrt(n) says"
    assert (errors[1] < 0.1 * exact.beliefs.std[-1]).all()


def test_localization_tends_to_the_kalman_filter() -> None:
    A, B, G = np.zeros((4, 4)), np.zeros((4, 0)), np.zeros((4, 1))
    A[0, 1] = G[1, 0] = 1.0
    cart = LinearDynamics(A, B, G=G, Qc=[[0.2]], state=STATE, action=Space())
    tape = LinearSensor([[1.0, 0.0]], [[0.1]], state=RAIL, reading=Space("tape [m]")).on(STATE)
    start = Gaussian(STATE, [0.2, 0.5, 0.0, 0.0], np.diag([0.5, 0.4, 0.1, 0.1]))
    exact = EKF().run(start, cart, None, ZS, 0.5, sensor=tape).beliefs
    errors = []
    for n in (100, 1600):
        mcl = MonteCarloLocalization(
            FIELD, cart, dt=0.5, particles=(n, n), power=1.0, independent=(0.0, 0.0), kidnapped=0.0
        )
        runs = [mcl.start(belief=start, rng=seed).run(None, ZS, sensor=tape, keep="moments") for seed in range(16)]
        errors.append(np.sqrt(np.mean([(run.beliefs.mean[-1, :2] - exact.mean[-1, :2]) ** 2 for run in runs], axis=0)))
        assert runs[0].effective_size.shape == (5,)
    assert (errors[1] < 0.5 * errors[0]).all()
    assert (errors[1] < 0.5 * exact.std[-1, :2]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_nees_is_that_of_a_consistent_filter(kind: str) -> None:
    robot, sonar, runs = unicycle(noise=(0.1, 0.1, 0.05)), range_bearing(std=(0.3, 0.1)), 80
    # With 600 particles that are moved blindly, the NEES is about 3.3 of 3.
    n = 2000 if kind == "bootstrap" else 600
    filter = RaoBlackwellizedParticleFilter(n=n, linear="") if kind[0] == "R" else KINDS[kind](n=n)
    marks = [[6.0, 5.0], [-6.0, 3.0]]
    rng, u, start = np.random.default_rng(3), [1.0, 0.6], Gaussian.of(robot.state, [0.0, 0.0, 2.5], std=[0.3, 0.3, 0.1])
    x, L = start.sample(runs, rng=rng), np.linalg.cholesky(robot.noise(start.mean, u, 0.2))
    belief: Any = Gaussian(robot.state, np.tile(start.mean, (runs, 1)), start.cov)
    nees = []
    for t in range(12):
        x = robot.state.plus(robot.step(x, u, 0.2), rng.normal(size=(runs, 3)) @ L.T)
        mark = marks[t % 2]
        z = sonar.sample(x, mark, rng=rng)
        belief = filter.predict(belief, robot, u, 0.2, rng=rng)
        belief = filter.update(belief, sonar, z, mark, rng=rng).belief
        known = belief.moments()
        e = robot.state.minus(x, known.mean)
        nees.append(np.einsum("ri,ri->r", e, np.linalg.solve(known.cov, e[..., None])[..., 0]))
    low, high = stats.chi2.interval(0.999, 3 * runs)
    for values in nees[::5]:
        assert low / runs < values.mean() < high / runs


@pytest.mark.parametrize("kind", KINDS)
def test_seeds_copies_and_pickles(kind: str) -> None:
    """A filter of one seed replays, and so does a copy that is made between prediction and update."""
    cart, tape = linear_system(False)

    def after(copied: Callable[[Any], Any]) -> Any:
        one = KINDS[kind](dynamics=cart, dt=1.0, n=50).start([0, 0], 1.0, rng=4)
        one.predict()
        one.update(tape, [0.4])
        one.predict()
        two = copied(one)
        two.update(tape, [0.1])
        two.predict()
        return two.belief.sample(20, rng=1)

    first = after(lambda one: one)
    for copied in (lambda one: one, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))):
        np.testing.assert_array_equal(first, after(copied))


@pytest.mark.parametrize("kind", KINDS)
def test_an_action_that_is_overwritten_after_the_prediction_changes_nothing(kind: str) -> None:
    means = []
    for later in (1.0, 50.0):
        filter = KINDS[kind](dynamics=unicycle(), dt=0.1, n=50, **({"linear": "x y"} if kind[0] == "R" else {}))
        robot, u = filter.start([0, 0, 0], 0.1, rng=1), np.array([1.0, 0.0])
        robot.predict(u=u)
        u[:] = later
        means.append(robot.update(gnss(std=0.5), [0.1, 0.0]).belief.moments().mean)
    np.testing.assert_array_equal(*means)


def test_one_seed_gives_two_methods_different_numbers() -> None:
    cart, tape = linear_system(False)
    blind = LinearSensor([[1.0, 0.0]], [[1e12]], state=RAIL)
    filter, cloud = GuidedParticleFilter(), Particles(RAIL, np.zeros((40, 2)))
    predicted = filter.predict(cloud, cart, None, 1.0, rng=3)
    drawn = filter.update(predicted, blind, [0.0], rng=3).belief
    assert np.abs(drawn.points - predicted.points).min() > 1e-6, "the noise of the prediction, drawn a second time"
    known = Gaussian.of(RAIL, std=1.0)
    alike = np.isin(ParticleFilter(n=50).update(known, tape, [0.0], rng=3).belief.points, known.sample(50, rng=3))
    assert not alike.any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_starved_filter_says_so(kind: str) -> None:
    cart, tape = linear_system(False)
    robot = KINDS[kind](dynamics=cart, dt=1.0, n=200).start([0, 0], 0.1, rng=1)
    robot.predict()
    before = robot.belief.moments()
    found = robot.update(tape, [3e3])
    assert found.status is FilterStatus.STARVED
    assert not found.accepted and not found.status.failed
    np.testing.assert_array_equal(robot.belief.moments().mean, before.mean)
    run = robot.run(None, [[0.0], [3e3], [np.nan]], sensor=tape)
    assert run.status.tolist() == [FilterStatus.ACCEPTED, FilterStatus.STARVED, FilterStatus.NO_READING]
    assert run.effective_size.shape == (3,)
    assert (run.effective_size >= 1.0).all() and run.effective_size[0] < 199.0


class Nowhere(LinearSensor):
    """A reading that is impossible everywhere."""

    def log_prob(self, z: Any, x: Any, context: Any = None) -> Any:
        return np.full(np.shape(x)[:-1], -np.inf)


def test_a_starved_localization_says_so() -> None:
    state = Space("x y [m]", "yaw: angle")
    still = LinearDynamics.discrete(np.eye(3), Q=0.01 * np.eye(3), state=state)
    robot = MonteCarloLocalization(FIELD, still, dt=1.0, particles=(200, 200)).start([0, 0, 0], 0.1, rng=1)
    robot.predict()
    found = robot.update(Nowhere(np.eye(3), np.eye(3), state=state, reading=state), [0.0, 0.0, 0.0])
    assert found.status is FilterStatus.STARVED
    assert robot.belief.effective_size == pytest.approx(200.0)
    far = robot.update(position(1, std=0.1), [1e9])  # weighed in stages, with all hypotheses light
    assert far.accepted == (far.log_likelihood > -np.inf)


@pytest.mark.parametrize("kind", KINDS)
def test_gates(kind: str) -> None:
    cart, tape = linear_system(False)
    robot = KINDS[kind](dynamics=cart, dt=1.0, n=300, gate=0.99).start([0, 0], 0.5, rng=1)
    robot.predict()
    before = robot.belief
    found = robot.update(tape, [5.0])
    assert found.status is FilterStatus.GATED
    np.testing.assert_array_equal(robot.belief.sample(5, rng=1), before.sample(5, rng=1))
    assert robot.update(tape, [0.5]).accepted, "a reading that was refused does not use up the prediction"


@pytest.mark.parametrize("kind", KINDS)
def test_several_sensors_at_their_own_times(kind: str) -> None:
    """Two readings at one time, a missing one between them, steps without a reading: all as the Kalman filter."""
    model = constant_velocity(1, density=0.5)
    fix, vague = position(1, std=0.3), position(1, std=0.6)
    readings = [
        Readings(fix, [[0.1], [0.6], [np.nan], [1.9]], [0.5, 1.0, 1.5, 2.0]),
        Readings(vague, [[0.7], [1.5], [2.2]], [1.0, 1.6, 2.0]),
    ]
    exact = KF(model, dt=0.25).start(std=0.7).run(None, readings)
    totals = []
    for seed in range(12):
        run = KINDS[kind](dynamics=model, dt=0.25, n=1500).start(std=0.7, rng=seed).run(None, readings)
        assert run.status.tolist() == exact.status.tolist()
        totals.append(run.log_likelihood.sum() - exact.log_likelihood.sum())
    assert abs(np.mean(totals)) < 0.15
    apart = run.beliefs.moments().mean - exact.beliefs.mean
    assert (np.abs(apart) < 0.25 * exact.beliefs.std).all()


@pytest.mark.parametrize("kind", KINDS)
def test_batches_with_contexts(kind: str) -> None:
    """Three robots, each with its own landmark and one without a reading."""
    robot, sonar = unicycle(noise=0.1), range_bearing(std=(0.1, 0.02))
    filter = RaoBlackwellizedParticleFilter(n=3000, linear="") if kind[0] == "R" else KINDS[kind](n=3000)
    means, marks = (
        np.array([[0.0, 0.0, 0.1], [1.0, 0.0, 3.1], [0.0, 2.0, 0.0]]),
        np.array([[3.0, 1.0], [0.0, -4.0], [5.0, 2.0]]),
    )
    start = Gaussian(robot.state, means, np.diag([0.04, 0.04, 0.01]))
    zs = np.asarray(sonar.observe(means, marks)) + [0.1, 0.05]
    zs[2] = np.nan
    predicted = filter.predict(start, robot, [1.0, 0.2], 0.1, rng=1)
    found = filter.update(predicted, sonar, zs, marks, rng=2)
    exact = EKF().update(EKF().predict(start, robot, [1.0, 0.2], 0.1), sonar, zs, marks)
    assert found.status.tolist() == [FilterStatus.ACCEPTED, FilterStatus.ACCEPTED, FilterStatus.NO_READING]
    known = found.belief.moments()
    np.testing.assert_allclose(robot.state.minus(known.mean, exact.belief.mean), 0.0, atol=0.03)
    np.testing.assert_allclose(known.cov[2], predicted.moments().cov[2])
    np.testing.assert_allclose(found.log_likelihood, exact.log_likelihood, atol=0.3)


@pytest.mark.parametrize("kind", [*KINDS, "ensemble"])
def test_an_infinite_reading_fails_alone(kind: str) -> None:
    """It is an error for one belief, and in a batch the status of its row."""
    cart, tape = linear_system(False)
    filter = {**KINDS, "ensemble": EnsembleKF}[kind](n=50)
    start = Gaussian(RAIL, np.zeros((3, 2)), np.eye(2))
    predicted = filter.predict(start, cart, None, 1.0, rng=1)
    zs = np.array([[0.3], [np.inf], [np.nan]])
    found, clean = (filter.update(predicted, tape, z, rng=2) for z in (zs, np.where(np.isinf(zs), np.nan, zs)))
    assert found.status.tolist() == [FilterStatus.ACCEPTED, FilterStatus.NOT_FINITE_READING, FilterStatus.NO_READING]
    np.testing.assert_array_equal(found.belief.moments().mean, clean.belief.moments().mean)
    np.testing.assert_array_equal(found.nis, clean.nis)
    with pytest.raises(ShapeError, match="infinity"):
        filter.update(predicted[0], tape, [np.inf], rng=2)


def test_a_threshold_that_would_do_nothing_is_refused() -> None:
    """Every reading draws the ancestors of an auxiliary filter."""
    with pytest.raises(ArgumentError, match="threshold"):
        AuxiliaryParticleFilter(threshold=0.9)  # pyright: ignore[reportCallIssue]
    assert GuidedParticleFilter(threshold=0.9).threshold == 0.9


def test_moments_alone() -> None:
    """8 MB of particles, or the moments of the same beliefs in a tenth of it."""
    zs, peaks, runs = np.zeros((60, 2)), [], []
    filter = ParticleFilter(constant_velocity(2), dt=0.1, n=4000)
    filter.start(std=1.0, rng=1).run(None, zs[:1], sensor=position(2))
    for keep in ("beliefs", "moments"):
        tracemalloc.start()
        runs.append(filter.start(std=1.0, rng=1).run(None, zs, sensor=position(2), keep=keep))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    whole, brief = runs
    assert peaks[1] < 0.2 * peaks[0]
    assert isinstance(whole.beliefs, Particles) and isinstance(brief.beliefs, Gaussian)
    for name in ("beliefs", "predicted"):
        np.testing.assert_allclose(getattr(brief, name).mean, getattr(whole, name).moments().mean, atol=1e-12)
        np.testing.assert_allclose(getattr(brief, name).cov, getattr(whole, name).moments().cov, atol=1e-12)
    np.testing.assert_array_equal(brief.innovations, whole.innovations)
    np.testing.assert_allclose(brief.effective_size, whole.beliefs.effective_size)


def test_moments_of_other_filters() -> None:
    zs, sensor = np.zeros((3, 2)), position(2)
    modes = IMM((constant_velocity(), constant_turn()), 0.9, dt=0.1).start(std=1.0)
    whole = copy.copy(modes).run(None, zs, sensor=sensor)
    brief = modes.run(None, zs, sensor=sensor, keep="moments")
    assert isinstance(brief.beliefs, Gaussian) and brief.effective_size is None
    np.testing.assert_allclose(brief.beliefs.mean, whole.beliefs.moments().mean, atol=1e-12)
    kalman = EKF(constant_velocity(), dt=0.1).start(std=1.0).run(None, zs, sensor=sensor, keep="moments")
    assert kalman.beliefs.mean.shape == (3, 4)
    members = EnsembleKF(constant_velocity(), dt=0.1).start(std=1.0, rng=1).run(None, zs, sensor=sensor)
    np.testing.assert_allclose(members.effective_size, 100.0)
    with pytest.raises(SettingError, match="keep"):
        modes.run(None, zs, sensor=sensor, keep="nothing")  # pyright: ignore[reportArgumentType]


def test_kld_sampling_follows_the_spread() -> None:
    """Many particles while nothing is known, few once it is; the mean stays that of the Kalman filter."""
    model, fix = constant_velocity(2, density=0.1), gnss(std=1.0)
    adapt = KLDSampling(cells=(0.5, 0.5, 1.0, 1.0), least=200, most=20_000)
    robot = ParticleFilter(model, dt=0.2, n=5000, adapt=adapt).start(std=[8, 8, 1, 1], rng=1)
    exact = KF(model, dt=0.2).start(std=[8, 8, 1, 1])
    counts = []
    for _ in range(15):
        for one in (robot, exact):
            one.predict()
            one.update(fix, [1.0, -2.0])
        counts.append(robot.belief.points.shape[-2])
    assert max(counts) == 20_000 and counts[-1] < 4000
    assert (np.abs(robot.belief.moments().mean - exact.belief.mean) < 0.5 * exact.belief.std).all()


def test_kld_sampling_counts_cells() -> None:
    space = Space("x y [m]", "yaw: angle")
    points = np.stack([np.tile(np.arange(10.0), 10) + 0.5, np.repeat(np.arange(10.0), 10) + 0.5, np.full(100, 0.1)], -1)
    cloud = Particles(space, np.stack([points, points * [0.1, 0.1, 1.0]]))
    wide, narrow = (KLDSampling(cells=1.0, least=10).count(cloud[i]) for i in (0, 1))
    # 100 equal cells, nearly all of which are met: the chi-square quantile of 99 degrees over 2 error.
    assert wide == pytest.approx(stats.chi2.ppf(0.99, 99) / 0.1, rel=0.01)
    assert narrow == 10
    assert KLDSampling(cells=1.0, least=10).count(cloud) == wide, "a batch takes the number of the widest"
    with pytest.raises(ShapeError, match="cells has 2 numbers"):
        KLDSampling(cells=(1.0, 1.0)).count(cloud)
    with pytest.raises(SettingError, match="least"):
        KLDSampling(cells=1.0, least=10, most=5)
