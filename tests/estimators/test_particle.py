"""The particle filter against exact filters: Kalman's on a linear model, a grid's on the growth model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage import models
from pilotage.core import (
    CovarianceError,
    Dynamics,
    FilterStatus,
    Gaussian,
    ModelError,
    Particles,
    PilotageError,
    Sensor,
    ShapeError,
    Space,
    SpaceError,
)
from pilotage.core.errors import SettingError
from pilotage.estimators import ParticleFilter
from pilotage.estimators import cloud as clouds
from pilotage.estimators.cloud import likelihoods, propagate
from pilotage.estimators.localization import odometry_motion
from pilotage.estimators.resampling import Resampling
from pilotage.models import compass, constant_velocity, gnss, position, quadrotor, range_bearing, unicycle

LINE = Space("x [m]")


class Growth(Dynamics):
    """The univariate nonstationary growth model; the action is the step k."""

    state, action = LINE, Space("k")

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return 0.5 * x + 25.0 * x / (1.0 + x**2) + 8.0 * np.cos(1.2 * u)

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        return np.array([[10.0]])


class Square(Sensor):
    """z = x^2 / 20: the sign of x is not seen."""

    state, reading = LINE, Space("z")

    def observe(self, x: Any, context: Any = None) -> Any:
        return x**2 / 20.0

    def noise(self, x: Any, context: Any = None) -> Any:
        return np.eye(1)


@models.sensor(state=LINE, reading=Space("z"), std=1.0)
def squared(x: Any, c: Any, p: Any, m: Any) -> Any:
    """z = x^2, which overflows."""
    return x[0] * x[0]


SQUARED = squared()


def growth_runs(runs: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """States ``(T, runs)`` and readings ``(T, runs)``; k counts from 0."""
    rng = np.random.default_rng(0)
    x, xs, zs = rng.normal(0.0, np.sqrt(5.0), runs), [], []
    for k in range(steps):
        x = Growth().step(x, k, 1.0) + rng.normal(0.0, np.sqrt(10.0), runs)
        xs.append(x)
        zs.append(x**2 / 20.0 + rng.normal(size=runs))
    return np.array(xs), np.array(zs)


def grid_filter(zs: np.ndarray) -> np.ndarray:
    """Posterior means ``(T, runs)`` of the growth model by numeric integration on a fine grid."""
    x = np.linspace(-45.0, 45.0, 1201)
    p = np.repeat(np.exp(-0.5 * x**2 / 5.0)[:, None], zs.shape[1], axis=1)
    means = []
    for k, z in enumerate(zs):
        moved = x / 2.0 + 25.0 * x / (1.0 + x**2) + 8.0 * np.cos(1.2 * k)
        p = np.exp(-0.5 * (x[:, None] - moved) ** 2 / 10.0) @ (p / p.sum(0))
        p *= np.exp(-0.5 * (z - x[:, None] ** 2 / 20.0) ** 2)
        means.append(x @ (p / p.sum(0)))
    return np.array(means)


def test_growth_model_against_grid() -> None:
    runs, steps = 100, 100
    xs, zs = growth_runs(runs, steps)
    exact = np.sqrt(((grid_filter(zs) - xs) ** 2).mean(0)).mean()
    assert exact == pytest.approx(4.55, abs=0.1)  # the published oracle, over 200 runs
    rng = np.random.default_rng(1)
    filter_ = ParticleFilter(n=1000)
    start = rng.normal(0.0, np.sqrt(5.0), (runs, 1000, 1))
    belief: Any = Particles(LINE, start)
    means = []
    for k in range(steps):
        belief = filter_.predict(belief, Growth(), np.full((runs, 1), float(k)), 1.0, rng=rng)
        belief = filter_.update(belief, Square(), zs[k][:, None]).belief
        means.append(belief.moments().mean[:, 0])
    ours = np.sqrt(((np.array(means) - xs) ** 2).mean(0)).mean()
    assert abs(ours / exact - 1.0) < 0.03


def kalman(
    F: np.ndarray, Q: np.ndarray, H: np.ndarray, R: np.ndarray, m: Any, P: Any, zs: Any
) -> tuple[Any, Any, float]:
    total = 0.0
    for z in zs:
        m, P = F @ m, F @ P @ F.T + Q
        S, y = H @ P @ H.T + R, z - H @ m
        K = P @ H.T @ np.linalg.inv(S)
        total -= 0.5 * float(y @ np.linalg.solve(S, y) + np.log(np.linalg.det(2.0 * np.pi * S)))
        m, P = m + K @ y, P - K @ S @ K.T
    return m, P, total


@pytest.mark.parametrize("resampling", ["systematic", "stratified", "residual", "multinomial"])
def test_tends_to_kalman(resampling: Resampling) -> None:
    car, sensor, dt = constant_velocity(1), position(1, std=0.5), 0.3
    zs = np.random.default_rng(2).normal(0.0, 1.0, (15, 1)).cumsum(0)
    zero = np.zeros(2)
    F, Q = car.linearize(zero, np.zeros(car.action.size), dt)[0], car.noise(zero, np.zeros(car.action.size), dt)
    m, P, logs = kalman(F, Q, np.array([[1.0, 0.0]]), np.array([[0.25]]), zero, np.eye(2), zs)

    def errors(n: int, seed: int) -> tuple[float, float]:
        run = ParticleFilter(car, dt=dt, n=n, resampling=resampling).start([0, 0], 1.0, rng=seed)
        found = run.run(None, zs, sensor=sensor)
        last = found.beliefs.moments()
        return float(np.linalg.norm(last.mean[-1] - m)), abs(float(found.log_likelihood.sum()) - logs)

    few = np.mean([errors(100, s) for s in range(12)], axis=0)
    many = np.mean([errors(10_000, s) for s in range(12)], axis=0)
    assert (many < 0.2 * few).all()  # a tenth, as 1 / sqrt(n) says
    assert many[0] < 0.05 * np.sqrt(np.trace(P))


def test_moments_match_kalman() -> None:
    car, sensor = constant_velocity(1), position(1, std=0.5)
    prior = Gaussian.of(car.state, [1.0, 0.5], std=[0.4, 0.2])
    filter_ = ParticleFilter(n=200_000, threshold=0.0)
    found = filter_.update(filter_.predict(prior, car, None, 0.5, rng=3), sensor, [1.6])
    zero = np.zeros(2)
    F, Q = car.linearize(zero, np.zeros(car.action.size), 0.5)[0], car.noise(zero, np.zeros(car.action.size), 0.5)
    H, R = np.array([[1.0, 0.0]]), np.array([[0.25]])
    m, P, logs = kalman(F, Q, H, R, prior.mean, prior.cov, [[1.6]])
    after = found.belief.moments()
    np.testing.assert_allclose(after.mean, m, atol=0.01)
    np.testing.assert_allclose(after.cov, P, atol=0.005)
    assert found.log_likelihood == pytest.approx(logs, abs=0.01)
    S = H @ (F @ prior.cov @ F.T + Q) @ H.T + R
    np.testing.assert_allclose(found.S, S, rtol=0.02)
    assert found.nis == pytest.approx(float((1.6 - H @ F @ prior.mean)[0] ** 2 / S[0, 0]), abs=0.02)


def test_innovations_are_consistent() -> None:
    robot, sensor = unicycle(noise=(0.1, 0.1, 0.05)), gnss(std=0.3)
    rng = np.random.default_rng(8)
    filter_ = ParticleFilter(robot, dt=0.2, n=1000).start([0, 0, 0], [0.3, 0.3, 0.1], rng=4)
    x, nis = robot.state.plus(np.zeros(3), rng.normal(size=3) * [0.3, 0.3, 0.1]), []
    for _ in range(400):
        x = robot.state.plus(robot.step(x, [1.0, 0.4], 0.2), rng.normal(size=3) * np.sqrt(0.2) * [0.1, 0.1, 0.05])
        filter_.predict(u=[1.0, 0.4])
        nis.append(filter_.update(sensor, x[:2] + 0.3 * rng.normal(size=2)).nis)
    # The mean of 400 chi-square numbers of two degrees: 2 +- 0.1, here to four standard deviations.
    assert np.mean(nis) == pytest.approx(2.0, abs=0.4)


def test_both_signs_stay_possible() -> None:
    filter_ = ParticleFilter(n=4000)
    found = filter_.update(Gaussian.of(LINE, [0.0], std=10.0), Square(), [5.0], rng=1).belief
    x, w = found.points[:, 0], found.weights
    grid = np.linspace(-60.0, 60.0, 10_001)
    p = np.exp(-0.5 * grid**2 / 100.0 - 0.5 * (5.0 - grid**2 / 20.0) ** 2)
    assert w[x > 0].sum() == pytest.approx(0.5, abs=0.05)
    assert w @ np.abs(x) == pytest.approx(np.abs(grid) @ p / p.sum(), abs=0.1)


def test_unmeasured_changes_nothing() -> None:
    cloud = Particles(gnss().state, np.random.default_rng(1).normal(size=(50, 2)))
    found = ParticleFilter().update(cloud, gnss(), [np.nan, np.nan])
    np.testing.assert_array_equal(found.belief.log_weights, cloud.log_weights)
    assert found.status is FilterStatus.NO_READING
    assert found.log_likelihood == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(found.innovation).all()
    assert found.nis == 0.0


def test_half_measured_counts_half() -> None:
    cloud = Particles(gnss().state, np.random.default_rng(1).normal(size=(50, 2)))
    half = ParticleFilter().update(cloud, gnss(std=1.0), [0.3, np.nan])
    alone = ParticleFilter().update(cloud, position(1, std=1.0).on(cloud.space), [0.3])
    np.testing.assert_allclose(half.belief.log_weights, alone.belief.log_weights, atol=1e-12)
    assert half.log_likelihood == pytest.approx(alone.log_likelihood)
    assert half.nis == pytest.approx(alone.nis)


class Wall(Sensor):
    """States left of zero are impossible."""

    state, reading = LINE, Space("z")

    def observe(self, x: Any, context: Any = None) -> Any:
        return np.full_like(x, np.nan)

    def noise(self, x: Any, context: Any = None) -> Any:
        return np.eye(1)

    def log_prob(self, z: Any, x: Any, context: Any = None) -> Any:
        return np.where(np.asarray(x)[..., 0] > 0.0, 0.0, -np.inf)


def test_impossible_reading() -> None:
    left = Particles(LINE, -np.arange(1.0, 5.0)[:, None])
    found = ParticleFilter().update(left, Wall(), [1.0])
    assert not found.accepted
    assert found.log_likelihood == -np.inf
    np.testing.assert_array_equal(found.belief.log_weights, left.log_weights)


def test_sensor_that_only_weighs() -> None:
    both = Particles(LINE, [[-1.0], [1.0], [2.0], [-3.0]])
    found = ParticleFilter().update(both, Wall(), [1.0])
    np.testing.assert_allclose(found.belief.weights, [0.0, 0.5, 0.5, 0.0])
    assert found.log_likelihood == pytest.approx(np.log(0.5))
    assert np.isnan(found.innovation).all()
    gated = ParticleFilter(gate=0.99).update(both, Wall(), [1.0])
    assert gated.status is FilterStatus.GATED, "a NIS that is not known is within no gate"


def test_replay() -> None:
    def beliefs(seed: int) -> list[Any]:
        run = ParticleFilter(unicycle(), dt=0.1, n=200, smoothing=0.3).start([0, 0, 3.0], [1, 1, 0.3], rng=seed)
        out = []
        for k in range(20):
            run.predict(u=[1.0, 0.2])
            out.append(run.update(gnss(std=0.5), [0.1 * k, 0.0]).belief)
        return out

    for a, b in zip(beliefs(7), beliefs(7), strict=True):
        assert a.points.tobytes() == b.points.tobytes()
        assert a.log_weights.tobytes() == b.log_weights.tobytes()
    assert beliefs(7)[-1].points.tobytes() != beliefs(8)[-1].points.tobytes()


def test_batch_is_many() -> None:
    rng, robot = np.random.default_rng(3), unicycle(noise=(0.0, 0.0, 0.0))
    points, us, zs = rng.normal(size=(4, 30, 3)), rng.normal(size=(4, 2)), rng.normal(size=(4, 2))
    filter_ = ParticleFilter(threshold=0.0)
    together = filter_.predict(Particles(robot.state, points), robot, us, 0.1, rng=0)
    found = filter_.update(together, gnss(), zs)
    for i in range(4):
        alone = filter_.predict(Particles(robot.state, points[i]), robot, us[i], 0.1, rng=0)
        np.testing.assert_allclose(together.points[i], alone.points, atol=1e-12)
        one = filter_.update(alone, gnss(), zs[i])
        np.testing.assert_allclose(found.belief.log_weights[i], one.belief.log_weights, atol=1e-12)
        assert found.nis[i] == pytest.approx(one.nis)


def test_headings_do_not_tear() -> None:
    robot = unicycle(noise=(0.0, 0.0, 0.05))
    run = ParticleFilter(robot, dt=0.1, n=2000).start([0, 0, np.pi], [0.1, 0.1, 0.2], rng=1)
    for _ in range(10):
        run.predict(u=[0.0, 0.0])
        run.update(compass(std=0.1), [-np.pi + 0.05])
    assert abs(robot.state.minus(run.belief.moments().mean, [0, 0, -np.pi + 0.05])[2]) < 0.05


def test_resampling_rule() -> None:
    cloud = Particles(LINE, np.arange(10.0)[:, None], np.log([0.91] + [0.01] * 9))
    assert ParticleFilter(threshold=0.1).renewed(cloud, rng=1) is cloud
    drawn = ParticleFilter(threshold=0.5).renewed(cloud, rng=1)
    np.testing.assert_allclose(drawn.weights, 0.1)
    assert (drawn.points[:9] == 0.0).all()
    equal = Particles(LINE, np.arange(10.0)[:, None])
    assert ParticleFilter(threshold=1.0).renewed(equal, rng=1) is equal


def test_smoothing_widens_as_it_says() -> None:
    rng = np.random.default_rng(1)
    cloud = Particles(gnss().state, rng.normal(size=(20_000, 2)) * [1.0, 3.0], rng.normal(size=20_000))
    drawn = ParticleFilter(threshold=1.0, smoothing=2.0).renewed(cloud, rng=1)
    h = 2.0 * (4.0 / (4.0 * cloud.effective_size)) ** (1.0 / 6.0)
    np.testing.assert_allclose(drawn.moments().cov, (1.0 + h * h) * cloud.moments().cov, rtol=0.06, atol=0.1)


def test_gate_refuses_what_is_too_far_off() -> None:
    """On a linear model the gate is that of the Kalman filter, up to what a cloud knows of its mean and covariance."""
    model, reads = constant_velocity(2), position(2, std=0.5)
    belief = Gaussian.of(model.state, [0.0, 0.0, 1.0, 0.0], std=0.5)
    cloud = ParticleFilter(n=20_000, gate=0.9)
    points = cloud.cloud(belief, model.state, rng=1)
    zs = np.random.default_rng(2).normal(size=(200, 2)) * 1.2
    zs[::4, 1] = np.nan
    zs[::50] = np.nan
    nis = np.nansum(zs**2, axis=-1) / (0.5**2 + 0.5**2)
    limit = np.where(np.isnan(zs).any(-1), 2.706, 4.605)  # chi-square quantiles of one and two components
    ours = cloud.update(points, reads, zs)
    near = np.abs(nis - limit) < 0.3
    assert 20 < (nis > limit).sum() < 180, "both outcomes are to be seen"
    missing = np.isnan(zs).all(-1)
    np.testing.assert_array_equal(ours.accepted[~near & ~missing], (nis <= limit)[~near & ~missing])
    assert (ours.status[missing] == FilterStatus.NO_READING).all(), "what is missing is not refused"
    refused = int(np.flatnonzero(ours.status == FilterStatus.GATED)[0])
    np.testing.assert_array_equal(ours.belief.log_weights[refused], points.log_weights)
    assert not cloud.update(points, reads, zs[refused]).accepted
    assert ParticleFilter().update(points, reads, zs[refused]).accepted


class Plain(Dynamics):
    """The methods of another model, which is not traced."""

    def __init__(self, model: Dynamics, noise: Any = None) -> None:
        self.model, self.state, self.action, self.given = model, model.state, model.action, noise

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return self.model.step(x, u, dt)

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        return self.model.noise(x, u, dt) if self.given is None else self.given


class PlainSensor(Sensor):
    """The same for a sensor."""

    def __init__(self, sensor: Sensor) -> None:
        self.inner, self.state, self.reading, self.context = sensor, sensor.state, sensor.reading, sensor.context

    def observe(self, x: Any, context: Any = None) -> Any:
        return self.inner.observe(x, context)

    def noise(self, x: Any, context: Any = None) -> Any:
        return self.inner.noise(x, context)


class Patient(PlainSensor):
    """A position with errors of Cauchy, which explain a reading from anywhere."""

    def log_prob(self, z: Any, x: Any, context: Any = None) -> Any:
        return -np.log1p((np.asarray(z) - x)[..., 0] ** 2)


def test_a_reading_that_no_particle_explains_starves_no_cloud() -> None:
    """10 km off at 0.1 m: all likelihoods are zero in floating point; one particle would be left."""
    line, rng = Particles(LINE, np.random.default_rng(0).normal(size=(200, 1))), np.random.default_rng(1)
    fix, far = position(1, std=0.1), [10_000.0]
    for sensor in (fix, PlainSensor(fix)):
        found = ParticleFilter().update(line, sensor, far)
        assert found.status is FilterStatus.STARVED
        assert not found.accepted
        np.testing.assert_array_equal(found.belief.log_weights, line.log_weights)
        assert ParticleFilter().update(line, sensor, [4.0]).accepted, "20 deviations from the nearest is an outlier"
        both = ParticleFilter().update(line, sensor, [far, [0.2], [np.nan]])
        assert both.status.tolist() == [FilterStatus.STARVED, FilterStatus.ACCEPTED, FilterStatus.NO_READING]
    assert ParticleFilter().update(line, Patient(fix), far).accepted
    many = position(3, std=0.1)
    cloud = Particles(many.state, rng.normal(size=(200, 3)))
    assert ParticleFilter().update(cloud, many, [0.1, 0.1, 0.1]).accepted


@pytest.mark.parametrize("count", [1, 31, 32, 100])
@pytest.mark.parametrize("batch", [(), (3,)])
def test_machine_code_moves_as_the_methods_do(count: int, batch: tuple[int, ...]) -> None:
    rng = np.random.default_rng(4)
    for model in (unicycle(noise=(0.1, 0.2, 0.3)), constant_velocity(2), quadrotor(), odometry_motion()):
        points = np.stack([model.state.sample(rng=rng) for _ in range(count * max(1, *batch, 1))])
        cloud = Particles(model.state, points.reshape(*batch, count, -1))
        for u in (rng.normal(size=model.action.size), rng.normal(size=(3, model.action.size))):
            traced, plain = (propagate(cloud, m, u, 0.1, rng=7) for m in (model, Plain(model)))
            apart = model.state.minus(traced.points, plain.points)
            np.testing.assert_allclose(apart, 0.0, atol=1e-9)
            shape = (*np.broadcast_shapes(batch, u.shape[:-1]), count, model.state.size)
            assert traced.points.shape == plain.points.shape == shape


@pytest.mark.parametrize("count", [1, 33])
def test_machine_code_weighs_as_the_methods_do(count: int) -> None:
    rng = np.random.default_rng(4)
    pose = unicycle().state
    marks = rng.normal(size=(5, 2)) + [6.0, 0.0]
    cases: list[tuple[Sensor, Any, Any]] = [
        (gnss(std=0.7).on(pose), rng.normal(size=2), None),
        (gnss(std=0.7).on(pose), [0.3, np.nan], None),
        (compass(std=0.2).on(pose), rng.normal(size=(5, 1)), None),
        (range_bearing().on(pose), rng.normal(size=2) + [6.0, 0.0], marks[0]),
        (range_bearing().on(pose), rng.normal(size=(5, 2)) + [6.0, 0.0], marks),
        (range_bearing().on(pose), np.where(np.eye(5, 2) > 0, np.nan, [6.0, 0.0]), marks),
    ]
    for sensor, z, context in cases:
        for batch in ((), (5,)):
            points = np.asarray(pose.normalize(rng.normal(size=(*batch, count, 3))))
            traced, plain = (
                likelihoods(points, s, np.asarray(z, float), context) for s in (sensor, PlainSensor(sensor))
            )
            np.testing.assert_allclose(traced, plain, rtol=1e-9, atol=1e-9)


def test_noise_of_any_rank() -> None:
    model = constant_velocity(2)
    B, cloud = np.random.default_rng(5).normal(size=(4, 2)), Particles(model.state, np.zeros((100_000, 4)))
    for Q in (B @ B.T, np.zeros((4, 4)), np.diag([1.0, 0.0, 2.0, 0.0])):
        e = propagate(cloud, Plain(model, Q), np.zeros(model.action.size), 0.1, rng=1).points
        np.testing.assert_allclose(e.T @ e / len(e), Q, atol=0.03 * (1.0 + np.abs(Q).max()))


@pytest.mark.parametrize("Q", [np.diag([1.0, -1.0]), [[0.0, 1.0], [1.0, 0.0]], [[np.nan, 0.0], [0.0, 1.0]]])
def test_noise_that_is_no_covariance(Q: Any) -> None:
    model = constant_velocity(1)
    cloud = Particles(model.state, np.zeros((3, 2)))
    each = np.broadcast_to(np.asarray(Q), (3, 2, 2))
    for noise in (np.asarray(Q), each):
        with pytest.raises(CovarianceError, match="Plain.* smallest eigenvalue is (-1|NaN)"):
            propagate(cloud, Plain(model, noise), np.zeros(model.action.size), 0.1, rng=1)


def test_a_step_checks_its_arrays_once_and_copies_no_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    checked, moved = list[str](), list[np.ndarray]()
    check, move = Space.check, clouds.moved

    def noted(self: Space, x: Any, name: str = "state", *, finite: bool = True) -> Any:
        checked.append(name)
        return check(self, x, name, finite=finite)

    def seen(dynamics: Dynamics, x: np.ndarray, *rest: Any) -> Any:
        moved.append(x)
        return move(dynamics, x, *rest)

    model, filter = unicycle(), ParticleFilter(threshold=0.0)
    cloud = Particles(model.state, np.random.default_rng(1).normal(size=(40, 3)))
    monkeypatch.setattr(Space, "check", noted)
    monkeypatch.setattr(clouds, "moved", seen)
    after = filter.predict(cloud, model, [1.0, 0.1], 0.1, rng=1)
    assert filter.update(after, gnss(std=1.0), [0.1, 0.2]).accepted
    assert checked == ["action", "reading"]
    assert np.shares_memory(moved[0], cloud.points)


def test_an_infinite_likelihood_of_one_particle_is_refused() -> None:
    points = np.zeros((70, 1))
    points[41] = 1e200
    with np.errstate(over="ignore"), pytest.raises(ModelError, match="for 1 particles"):
        likelihoods(points, SQUARED, np.array([1.0]))


def test_sentences() -> None:
    robot = unicycle()
    wrong: dict[str, tuple[Any, ...]] = {
        "n": (0, 2.5, "many"), "gate": (99.0,), "resampling": ("roulette",), "threshold": (2.0,), "smoothing": (-1.0,),
        "dynamics": (unicycle,), "dt": (0.0,),
    }  # fmt: skip
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(SettingError, match=name):
                ParticleFilter(**{name: value})
    with pytest.raises(ModelError, match="ParticleFilter has no dynamics"):
        ParticleFilter().start([0], 1)
    with pytest.raises(SpaceError, match="belief is over"):
        ParticleFilter().predict(Gaussian.of(LINE, [0.0], std=1.0), robot, None, 0.1)
    cloud = ParticleFilter(robot, dt=0.1, n=10).start([0, 0, 0], 0.1, rng=1)
    with pytest.raises(ShapeError, match="action"):
        cloud.predict(u=[1.0])
    with pytest.raises(ShapeError, match="reading"):
        cloud.update(gnss(), [1.0, 2.0, 3.0])
    with pytest.raises(PilotageError, match="back in time"):
        cloud.predict(dt=-1.0)


def test_model_that_breaks() -> None:
    class Broken(Growth):
        def step(self, x: Any, u: Any, dt: float) -> Any:
            return np.where(x > 0.0, np.nan, x)

    cloud = Particles(LINE, [[1.0], [-1.0], [2.0]])
    with pytest.raises(ModelError, match=r"Broken.step gave NaN or infinity for 2 particles"):
        ParticleFilter().predict(cloud, Broken(), [0.0], 1.0, rng=1)


def test_an_error_leaves_belief_and_time() -> None:
    robot = ParticleFilter(unicycle(), dt=0.1, n=20).start(mean=[0, 0, 0], std=1.0, rng=1)
    before, z = robot.belief, np.zeros((3, 2))
    broken: list[Any] = [
        lambda: robot.update(gnss(), [1.0, 2.0, 3.0], t=1.0),
        lambda: robot.step(gnss(), [1.0, 2.0, 3.0]),
        lambda: robot.run(np.zeros((2, 2)), z, sensor=gnss()),
        lambda: robot.run(None, z, [0.1, 0.2], sensor=gnss()),
        lambda: robot.run(None, z, [0.1, 0.3, 0.2], sensor=gnss()),
        lambda: robot.run(None, [[0.0, 0.0], [0.0, np.inf]], sensor=gnss()),
    ]
    for call in broken:
        with pytest.raises(PilotageError):
            call()
        assert robot.belief is before and robot.t == 0.0


def test_several_readings_at_one_instant() -> None:
    settings = ParticleFilter(unicycle(), dt=0.1, n=2)
    for t in np.random.default_rng(0).random(20).tolist():
        # Over so long a step, begin + (t - begin) is not t.
        robot = settings.start(mean=[0, 0, 0], std=1.0, t=-1e4 / 3.0, rng=1)
        robot.predict(to=t)
        robot.update(gnss(), [0.0, 0.0], t=t)
        assert robot.t == t


def test_a_failed_way_to_a_time_leaves_the_random_stream() -> None:
    tried, fresh = (ParticleFilter(unicycle(), dt=0.1, n=30).start(mean=[0, 0, 0], std=0.1, rng=0) for _ in range(2))
    with pytest.raises(ShapeError, match="infinity"):
        tried.update(gnss(std=0.1), [np.inf, 0.0], t=1.0)
    with pytest.raises(ShapeError, match="infinity"):
        tried.step(gnss(std=0.1), [np.inf, 0.0])
    for one in (tried, fresh):
        one.predict(to=0.5)
    np.testing.assert_array_equal(tried.belief.points, fresh.belief.points)
