"""KF, EKF and UKF are one filter on linear models: that of the textbooks, and of the joint Gaussian."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from pilotage.core import FilterStatus, Gaussian, ModelError, Space
from pilotage.estimators import EKF, IEKF, KF, UKF
from pilotage.models import LinearDynamics, LinearSensor, constant_velocity, dynamics, position, sensor

from .linear import (
    DT,
    Plain,
    PlainSensor,
    close,
    posterior_of_all,
    seeds,
    shapes,
    spd,
    system,
    textbook_predict,
    textbook_run,
    textbook_update,
)

FILTERS = [KF(), EKF(), IEKF(), UKF(), UKF(alpha=0.1, kappa=0.0)]
NAMES = ["KF", "EKF", "IEKF", "UKF", "UKF with a negative weight"]
every_filter = pytest.mark.parametrize("estimator", FILTERS, ids=NAMES)


def tolerance(estimator: Any) -> float:
    return 1e-10 if getattr(estimator, "alpha", 1.0) == 1.0 else 1e-8  # large weights of both signs cost digits


def run(estimator: Any, s: Any) -> Any:
    return estimator.run(Gaussian(s.dynamics.state, s.x0, s.P0), s.dynamics, s.us, s.zs, DT, sensor=s.sensor)


def with_gaps(s: Any, seed: int) -> Any:
    s.zs[np.random.default_rng(seed).random(s.zs.shape) < 0.3] = np.nan
    return s


@every_filter
@settings(max_examples=15)
@given(seed=seeds, shape=shapes)
def test_textbook(estimator: Any, seed: int, shape: Any) -> None:
    s = with_gaps(system(seed, *shape), seed)
    x, P, nis, log_likelihood = textbook_run(s)
    result = run(estimator, s)
    for mine, theirs in ((result.beliefs.mean, x), (result.beliefs.cov, P), (result.nis, nis)):
        close(mine, theirs, tolerance(estimator))
    close(result.log_likelihood, log_likelihood, tolerance(estimator))


@pytest.mark.parametrize("estimator", [EKF(), UKF()], ids=["EKF", "UKF"])
@pytest.mark.parametrize(("n", "m"), [(2, 5), (4, 3), (5, 4), (7, 9), (8, 8), (13, 10)])
def test_any_size_alone_and_among_others(estimator: Any, n: int, m: int) -> None:
    """Tiles and parts of them, in one lane and in many, hold the textbook's matrices, symmetric to the last bit."""
    rng, s = np.random.default_rng(n), system(m, n, m, 1)
    covs = np.array([spd(rng, n) for _ in range(20)])
    beliefs = Gaussian(s.dynamics.state, rng.normal(size=(20, n)), covs)
    step = lambda b: estimator.update(estimator.predict(b, s.dynamics, s.us[0], DT), s.sensor, s.zs[0])
    block = step(beliefs)
    for i in (0, 19):
        alone = step(beliefs[i])
        x, P, nis, _ = textbook_update(
            s.H, s.R, *textbook_predict(s, beliefs.mean[i], beliefs.cov[i], s.us[0]), s.zs[0]
        )
        for mine, theirs in ((alone.belief.mean, x), (alone.belief.cov, P), (alone.nis, nis)):
            close(mine, theirs, 1e-10)
        for mine, theirs in ((alone.belief.mean, block.belief.mean[i]), (alone.belief.cov, block.belief.cov[i])):
            close(mine, theirs, 1e-12)
        np.testing.assert_array_equal(alone.belief.cov, alone.belief.cov.T)
        np.testing.assert_array_equal(alone.S, alone.S.T)


@every_filter
@settings(max_examples=10)
@given(seed=seeds)
def test_joint_gaussian(estimator: Any, seed: int) -> None:
    s = with_gaps(system(seed), seed)
    mean, cov, log_likelihood = posterior_of_all(s)
    result = run(estimator, s)
    close(result.beliefs.mean[-1], mean, 1e-8)
    close(result.beliefs.cov[-1], cov, 1e-8)
    close(result.log_likelihood.sum(), log_likelihood, 1e-8)


@every_filter
def test_pure_functions_filter_run_and_plain_python_agree(estimator: Any) -> None:
    s = with_gaps(system(7), 7)
    dynamics, sensor = s.dynamics, s.sensor
    start = Gaussian(dynamics.state, s.x0, s.P0)
    told = type(estimator)(**{**vars(estimator), "dynamics": dynamics, "dt": DT})
    stepping, halves = told.start(belief=start), told.start(belief=start)
    plain = type(estimator)(**{**vars(estimator), "dynamics": Plain(dynamics), "dt": DT}).start(belief=start)
    belief, reads = start, PlainSensor(sensor)
    whole = run(estimator, s)
    for t, (u, z) in enumerate(zip(s.us, s.zs, strict=True)):
        halves.predict(u=u)
        updates = [stepping.step(sensor, z, u), halves.update(sensor, z), plain.step(reads, z, u)]
        belief = estimator.predict(belief, dynamics, u, DT)
        updates.append(estimator.update(belief, sensor, z))
        belief = updates[-1].belief
        for update in updates:
            close(update.belief.mean, whole.beliefs.mean[t])
            close(update.belief.cov, whole.beliefs.cov[t])
            close(update.nis, whole.nis[t])
            close(update.log_likelihood, whole.log_likelihood[t])
            np.testing.assert_array_equal(np.isnan(update.innovation), np.isnan(z))
            assert update.accepted
    for filter in (stepping, halves, plain):
        close(filter.belief.mean, whole.beliefs.mean[-1])
        assert filter.t == pytest.approx(DT * len(s.zs))


@every_filter
def test_sensors_at_one_instant_commute(estimator: Any) -> None:
    s = system(3)
    start = Gaussian(s.dynamics.state, s.x0, s.P0)
    sensors = [LinearSensor(s.H[:1], s.R[:1, :1]), LinearSensor(s.H[1:], s.R[1:, 1:]), LinearSensor(s.H, 2.0 * s.R)]
    readings = [[0.3], [-0.4], [0.1, 0.2]]
    results = []
    for order in itertools.permutations(range(3)):
        filter = type(estimator)(**{**vars(estimator), "dynamics": s.dynamics, "dt": DT}).start(belief=start)
        filter.predict()
        total = sum(filter.update(sensors[i], readings[i]).log_likelihood for i in order)
        results.append((filter.belief.mean, filter.belief.cov, total))
    for mean, cov, total in results[1:]:
        close(mean, results[0][0], 1e-9)
        close(cov, results[0][1], 1e-9)
        close(total, results[0][2], 1e-9)


@every_filter
def test_a_batch_is_a_loop(estimator: Any) -> None:
    systems = [system(5), system(5)]
    rng = np.random.default_rng(0)
    s = systems[0]
    means, covs = rng.normal(size=(3, 3)), np.stack([s.P0, 2.0 * s.P0, np.eye(3)])
    zs = rng.normal(size=(3, 8, 2))
    many = estimator.run(Gaussian(s.dynamics.state, means, covs), s.dynamics, s.us, zs, DT, sensor=s.sensor)
    predicted = estimator.predict(Gaussian(s.dynamics.state, means, covs), s.dynamics, s.us[0], DT)
    updated = estimator.update(predicted, s.sensor, zs[:, 0])
    assert updated.S.shape == (3, 2, 2)
    for i in range(3):
        one = estimator.run(Gaussian(s.dynamics.state, means[i], covs[i]), s.dynamics, s.us, zs[i], DT, sensor=s.sensor)
        close(many.beliefs.mean[i], one.beliefs.mean)
        close(many.beliefs.cov[i], one.beliefs.cov)
        close(many.nis[i], one.nis)
        single = estimator.update(predicted[i], s.sensor, zs[i, 0])
        close(updated.belief.mean[i], single.belief.mean)
        close(updated.nis[i], single.nis)


def test_many_tracks_share_gains() -> None:
    """The KF's own path for many tracks gives what each track alone gives, and so does a batch with gaps."""
    rng = np.random.default_rng(1)
    target, sensor, estimator = constant_velocity(2), position(2, std=0.5), KF()
    zs = rng.normal(size=(20, 12, 2))
    start = Gaussian.of(target.state, rng.normal(size=(20, 4)), std=2.0)
    for gap in (False, True):
        zs[3, 4] = np.nan if gap else zs[3, 4]
        many = estimator.run(start, target, None, zs, DT, sensor=sensor)
        for i in (0, 3, 19):
            one = estimator.run(start[i], target, None, zs[i], DT, sensor=sensor)
            for name in ("nis", "log_likelihood", "innovations", "accepted"):
                close(getattr(many, name)[i], getattr(one, name))
            close(many.beliefs.mean[i], one.beliefs.mean)
            close(many.beliefs.cov[i], one.beliefs.cov)


@every_filter
def test_steps_of_unequal_length(estimator: Any) -> None:
    """A continuous model discretised for each step, in `run`, in `step` and by hand."""
    state = [[0.0, 1.0], [0.0, -0.3]]
    model = LinearDynamics(state, [[0.0], [1.0]], Qc=np.diag([0.1, 0.4]))
    sensor = LinearSensor([[1.0, 0.0]], 0.2)
    ts, rng = np.cumsum([0.1, 0.1, 0.7, 0.0, 0.3, 0.3]), np.random.default_rng(2)
    zs, us = rng.normal(size=(6, 1)), rng.normal(size=(6, 1))
    told = type(estimator)(**{**vars(estimator), "dynamics": model})
    running, stepping = (told.start(mean=[0.0, 1.0], std=1.0, t=0.0) for _ in range(2))
    result = running.run(us, zs, ts, sensor=sensor)
    x, P = np.array([0.0, 1.0]), np.eye(2)
    for k, dt in enumerate(np.diff(ts, prepend=0.0)):
        F, B, Q = model.discretized(float(dt))
        x, P, nis, _ = textbook_update(
            sensor.linearize(x), np.array([[0.2]]), F @ x + B @ us[k], F @ P @ F.T + Q, zs[k]
        )
        update = stepping.step(sensor, zs[k], us[k], dt=float(dt))
        for mean, cov, score in (
            (result.beliefs.mean[k], result.beliefs.cov[k], result.nis[k]),
            (update.belief.mean, update.belief.cov, update.nis),
        ):
            close(mean, x, tolerance(estimator))
            close(cov, P, tolerance(estimator))
            close(score, nis, tolerance(estimator))
    assert running.t == pytest.approx(ts[-1])


def test_many_tracks_on_the_way_to_infinity() -> None:
    """A track that diverges raises alone; among others it has a status, keeps its belief, and harms none of them."""
    runaway, sensor = LinearDynamics.discrete(1e3 * np.eye(1), Q=np.zeros((1, 1))), LinearSensor([[1.0]], 1e300)
    zs = np.zeros((9, 1))
    alone = Gaussian.of(runaway.state, [1e300], std=1e-100)
    with pytest.raises(ModelError, match="step 1"):
        KF().run(alone, runaway, None, zs, DT, sensor=sensor)
    for count in (3, 100):
        means = np.full((count, 1), 1.0)
        means[1] = 1e300
        many = KF().run(Gaussian.of(runaway.state, means, std=1e-100), runaway, None, zs, DT, sensor=sensor)
        one = KF().run(Gaussian.of(runaway.state, [1.0], std=1e-100), runaway, None, zs, DT, sensor=sensor)
        assert many.status[1, 1] == FilterStatus.OVERFLOW
        assert (many.status[1, 2:] == FilterStatus.UNDEFINED_STATE).all()
        np.testing.assert_allclose(many.beliefs.mean[-1], one.beliefs.mean, rtol=1e-12)
        assert many.accepted[[0, 2]].all()


def test_many_tracks_with_contexts_of_any_kind() -> None:
    s = system(2)

    class Numbered(PlainSensor):
        def observe(self, x: Any, context: Any = None) -> Any:
            assert context == 7
            return self.inner.observe(x)

        def linearize(self, x: Any, context: Any = None) -> Any:
            return self.inner.linearize(x)

        def noise(self, x: Any, context: Any = None) -> Any:
            return self.inner.noise(x)

    starts = Gaussian(s.dynamics.state, np.zeros((3, 3)), s.P0)
    many = KF().run(starts, s.dynamics, s.us, s.zs, DT, sensor=Numbered(s.sensor), contexts=[7] * 8)
    one = KF().run(starts[0], s.dynamics, s.us, s.zs, DT, sensor=s.sensor)
    close(many.nis[2], one.nis)


def test_filterpy() -> None:
    kalman = pytest.importorskip("filterpy.kalman")
    s = system(11, 4, 2, 2)
    peer = kalman.KalmanFilter(4, 2, 2)
    peer.x, peer.P, peer.F, peer.B, peer.Q, peer.H, peer.R = s.x0, s.P0, s.F, s.B, s.Q, s.H, s.R
    result = run(KF(), s)
    for t in range(len(s.zs)):
        peer.predict(s.us[t])
        peer.update(s.zs[t])
        close(result.beliefs.mean[t], peer.x)
        close(result.beliefs.cov[t], peer.P)
        close(result.log_likelihood[t], peer.log_likelihood)


def test_what_is_not_linear_is_refused() -> None:
    from pilotage.models import range_to, unicycle

    with pytest.raises(ModelError, match=r"unicycle.*not linear.*use EKF"):
        KF(unicycle(), dt=0.1)
    with pytest.raises(ModelError, match=r"range_to.*not linear.*use EKF"):
        KF(constant_velocity(2), dt=0.1).start(std=1.0).update(range_to(), [1.0], context=[0.0, 0.0])


SATURATED: dict[str, Any] = {
    "state": lambda x, u, p, m: (m.clip(x[0], -1e6, 1e6) + u[0],),
    "action": lambda x, u, p, m: (x[0] + m.clip(u[0], -1e6, 1e6),),
}
LINE, PUSH = Space("x"), Space("u")


@pytest.mark.parametrize("what", SATURATED)
def test_what_is_linear_only_near_zero_is_refused(what: str) -> None:
    """No number of points near zero tells such models from linear ones."""
    with pytest.raises(ModelError, match="is not linear"):
        KF(dynamics(state=LINE, action=PUSH)(SATURATED[what])(), dt=0.1)


def test_a_sensor_that_is_linear_only_near_zero_is_refused() -> None:
    @sensor(state=LINE, reading=Space("z"))
    def saturated(x: Any, c: Any, p: Any, m: Any) -> Any:
        return m.clip(x[0], -1e6, 1e6)

    steady = dynamics(state=LINE, action=PUSH)(lambda x, u, p, m: u)
    with pytest.raises(ModelError, match=r"saturated.*not linear"):
        KF(steady(), dt=0.1).start(std=1.0).update(saturated(), [1.0])
