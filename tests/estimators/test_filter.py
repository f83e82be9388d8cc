"""The bound filter: clock, contexts, kinds of arrays, sensors of many sizes, updates that are read late."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from pilotage.core import (
    Dynamics,
    Filter,
    FilterStatus,
    Gaussian,
    Particles,
    PilotageError,
    Readings,
    ShapeError,
    Space,
    condition,
)
from pilotage.core.results import same_belief
from pilotage.estimators import EKF, IMM, KF, UKF, ParticleFilter
from pilotage.estimators._clock import Clock
from pilotage.estimators._memory import fill, job_at, mark, space_at, vector
from pilotage.estimators._steps import UPDATE_FAILED, gaussian_at, inner_steps
from pilotage.estimators.localization import odometry_motion, odometry_move
from pilotage.estimators.tracking import PDA
from pilotage.models import compass, constant_velocity, dynamics, gnss, position, range_bearing, unicycle, velocity
from pilotage.models.trace import driver

from .linear import Modes, Plain, PlainSensor, close

ROBOT, FIX, SONAR = unicycle(), gnss(std=0.5), range_bearing()
MARK = np.array([4.0, 3.0])
every = pytest.mark.parametrize("make", [EKF, UKF, Modes], ids=["EKF", "UKF", "IMM"])


def started(make: Any) -> Any:
    return make(ROBOT, dt=0.1).start(mean=[0.0, 0.0, 0.0], std=[1.0, 1.0, 0.1])


def test_a_number_is_a_reading_of_one_component() -> None:
    readings = [0.3, np.float32(0.3), [0.3], np.array([0.3])]
    filters = [KF(constant_velocity(1), dt=0.1).start(mean=[0.0, 0.0], std=1.0) for _ in readings]
    means = [filter.update(position(1), z).belief.mean for filter, z in zip(filters, readings, strict=True)]
    assert all(np.allclose(mean, means[2], atol=1e-7) for mean in means)
    with pytest.raises(ShapeError, match=r"reading has shape \(\)"):
        KF(constant_velocity(2), dt=0.1).start(mean=np.zeros(4), std=1.0).update(position(2), 0.3)


def test_the_belief_of_a_step_is_taken_from_any_run() -> None:
    """Gaussian, mixture, cloud: `run.beliefs[k]` is what the filter believes after step k."""
    flat = constant_velocity(2)
    start = {"mean": [0.0] * 4, "std": 1.0}
    for make in (
        lambda: EKF(flat, dt=0.1).start(**start),
        lambda: ParticleFilter(flat, dt=0.1, n=50).start(**start, rng=3),
        lambda: IMM((flat, constant_velocity(2, density=3.0)), 0.9, dt=0.1).start(std=1.0),
    ):
        zs = np.random.default_rng(0).normal(size=(5, 2))
        whole, steps = make(), make()
        run = whole.run(None, zs, sensor=position(2))
        for z in zs[:3]:
            steps.step(position(2), z)
        assert type(run.beliefs[2]) is type(steps.belief)
        assert same_belief(run.beliefs[2], steps.belief)
        assert same_belief(run.beliefs[-1], whole.belief)


class FromAfar(EKF):
    """An EKF whose inner steps keep x as seen from a place 100 m along."""

    def pack(self, belief: Gaussian) -> Any:
        table = super().pack(belief)
        table[..., 0] -= 100.0
        return table

    def unpack(self, space: Space, table: Any) -> Gaussian:
        table = table.copy()
        table[..., 0] += 100.0
        return super().unpack(space, table)


def test_the_estimator_alone_knows_how_its_steps_keep_a_belief() -> None:
    """Readings seen from there, too, give the beliefs of the usual filter: in steps, runs, batches, and modes."""
    model, fix, away = constant_velocity(2), position(2, std=0.5), np.array([100.0, 0.0])
    zs = np.random.default_rng(1).normal(size=(3, 6, 2)) + away

    def beliefs(make: Any, zs: Any) -> Any:
        many = make(model, dt=0.1)
        start = Gaussian.of(model.state, [[90.0, 1.0, 0.0, 0.0], [99.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]], std=2.0)
        predicted = many.predict(start, model)
        updated = many.update(predicted, fix, [zs[0, 0], [np.inf, 0.0], zs[2, 0]]).belief
        run = many.run(start, model, None, zs, sensor=fix)
        alone = many.start(belief=start[0])
        step = alone.step(fix, zs[0, 0]).belief
        after = alone.belief
        modes = IMM((model, model), 0.9, dt=0.1, filter=make()).start(std=2.0)
        mode = modes.step(fix, zs[0, 0]).belief.components[0]
        return [predicted, updated, run.predicted, run.beliefs, step, after, mode, modes.belief.components[0]]

    for mine, other in zip(beliefs(FromAfar, zs - away), beliefs(EKF, zs), strict=True):
        np.testing.assert_allclose(mine.mean, other.mean, rtol=0, atol=1e-9)
        np.testing.assert_allclose(mine.cov, other.cov, rtol=0, atol=1e-9)


@driver
def count_predict(at, b, u, dt, w, lanes):
    """Count the predictions in the number behind the covariance."""
    space = space_at(job_at(at).state)
    _, _, behind = gaussian_at(b, space.size, space.dim, lanes)
    counted, _ = vector(behind, 1, lanes)
    counted[0] += 1.0


@driver
def count_update(at, b, z, context, w, lanes):
    """Refuse every reading."""
    mark(job_at(at).status, fill(0.0, lanes) == 0.0, UPDATE_FAILED)


class Counting(EKF):
    """An estimator whose belief has one number more."""

    inner = inner_steps(count_predict, count_update)

    def numbers(self, space: Space) -> int:
        return super().numbers(space) + 1

    def pack(self, belief: Gaussian) -> Any:
        table = super().pack(belief)
        return np.concatenate([table, np.zeros_like(table[..., :1])], axis=-1)

    def unpack(self, space: Space, table: Any) -> Gaussian:
        return super().unpack(space, table[..., :-1])


def test_a_step_that_fails_leaves_all_numbers_of_a_belief() -> None:
    filter = Counting(constant_velocity(1), dt=0.1).start(std=1.0)
    filter.predict()
    before = filter._engine._b.copy()  # type: ignore[attr-defined]
    assert before[6] == 1.0
    with pytest.raises(PilotageError):
        filter.step(position(1), [0.0])
    np.testing.assert_array_equal(filter._engine._b[:7], before[:7])  # type: ignore[attr-defined]


def test_it_is_a_filter() -> None:
    assert isinstance(started(EKF), Filter)


@every
def test_clock(make: Any) -> None:
    filter = make(ROBOT, dt=0.1).start(mean=[0.0, 0.0, 0.0], std=0.1, t=100.0)
    filter.predict()
    assert filter.t == pytest.approx(100.1)
    filter.predict(0.4)
    filter.predict(to=101.0)
    assert filter.t == 101.0
    filter.update(FIX, [0.0, 0.0], t=101.5)
    filter.update(FIX, [0.0, 0.0], t=101.5)
    assert filter.t == 101.5
    filter.step(FIX, [0.0, 0.0], dt=0.5)
    assert filter.t == 102.0
    filter.run(None, np.zeros((3, 2)), [102.1, 102.1, 103.0], sensor=FIX)
    assert filter.t == 103.0
    nothing = filter.run(None, np.zeros((0, 2)), sensor=FIX)
    assert filter.t == 103.0
    assert nothing.beliefs.moments().mean.shape == nothing.predicted.moments().mean.shape == (0, 3)


@every
@pytest.mark.parametrize("began", [0.0, 1.7e9], ids=["zero", "epoch"])
def test_times_are_told_apart_but_for_rounding(make: Any, began: float) -> None:
    """The filter adds up steps, the user multiplies them: the times are the same, and a millisecond is not."""
    filter = make(ROBOT, dt=0.02).start(mean=[0.0, 0.0, 0.0], std=[1.0, 1.0, 0.1], t=began)
    for k in range(300):
        filter.predict()
        filter.update(FIX, [0.0, 0.0], t=began + (k + 1) * 0.02)
    assert filter.t == pytest.approx(began + 6.0, abs=1e-9 if began == 0.0 else 1e-4)
    filter.run(None, np.zeros((2, 2)), [filter.t - 0.5 * filter._clock.rounding, filter.t + 0.1], sensor=FIX)
    now, known = filter.t, filter.belief.moments()
    for _ in range(20):
        filter.update(FIX, [np.nan, np.nan], t=filter.t - 0.9 * filter._clock.rounding)
    assert filter.t == now, "rounding does not add up"
    close(filter.belief.moments().cov, known.cov)
    for late in (filter.t - 1e-3, filter.t - 2.0 * filter._clock.rounding):
        with pytest.raises(PilotageError, match="goes back in time"):
            filter.update(FIX, [0.0, 0.0], t=late)
        with pytest.raises(PilotageError, match="goes back in time"):
            filter.run(None, np.zeros((1, 2)), [late], sensor=FIX)


@every
def test_update_with_a_time_is_predict_and_update(make: Any) -> None:
    one, other = started(make), started(make)
    one.predict(to=0.7)
    first, second = one.update(FIX, [0.5, 0.1]), other.update(FIX, [0.5, 0.1], t=0.7)
    np.testing.assert_array_equal(first.belief.moments().mean, second.belief.moments().mean)
    np.testing.assert_array_equal(first.belief.moments().cov, second.belief.moments().cov)


@pytest.mark.parametrize("make", [EKF, UKF, Modes, ParticleFilter])
def test_the_way_to_a_time_is_cut_into_usual_steps(make: Any) -> None:
    u, given = [1.0, 2.0], dict[str, Any](mean=[0.0, 0.0, 0.0], std=[1.0, 1.0, 0.1])
    given |= {"rng": 3} if make is ParticleFilter else {}
    away, back, steps = (make(ROBOT, dt=0.1).start(**given) for _ in range(3))
    for _ in range(10):
        steps.predict(u=u)
    steps.predict(0.05, u=u)
    away.predict(to=1.05, u=u)
    close(away.belief.moments().mean, steps.belief.moments().mean, 1e-12)
    close(away.belief.moments().cov, steps.belief.moments().cov, 1e-12)
    close(
        back.update(FIX, [0.4, 0.2], t=1.05, u=u).belief.moments().mean,
        steps.update(FIX, [0.4, 0.2]).belief.moments().mean,
    )
    assert away.t == back.t == 1.05
    one, long = (make(ROBOT).start(**given) for _ in range(2)) if make is not Modes else (away, away)
    one.predict(to=away.t + 1.0, u=u)
    if long is not one:
        long.predict(2.05, u=u)
        close(one.belief.moments().mean, long.belief.moments().mean, 1e-12)
    with pytest.raises(PilotageError, match=r"u = .* acts until a time; give t="):
        away.update(FIX, [0.0, 0.0], u=u)


def test_a_step_that_is_more_than_an_integral_is_not_cut() -> None:
    """An odometer's action is a move, and the way to a time makes it once."""
    robot = EKF(odometry_motion(), dt=0.1).start(mean=[0.0, 0.0, 0.0], std=0.1)
    u = odometry_move([0.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    robot.predict(to=1.0, u=u)
    assert robot.belief.mean[0] == pytest.approx(1.0)
    again = EKF(odometry_motion(), dt=0.1).start(mean=[0.0, 0.0, 0.0], std=0.1)
    run = again.run(u[None], [Readings(FIX, [[1.0, 0.0]], [1.0])], [1.0])
    assert run.ts.tolist() == [1.0]


def test_a_way_that_cannot_be_finished_is_not_begun() -> None:
    @dynamics(state=Space("x [m]"), action=Space("u"))
    def candle(x: Any, u: Any, p: Any, m: Any) -> Any:
        return -m.sqrt(x[0])

    burning = EKF(candle(), dt=0.1).start(mean=[1.0], std=0.01)
    burning.predict(to=0.25)
    x = burning.belief.mean
    for move in (lambda: burning.predict(to=9.0), lambda: burning.update(position(1), [0.0], t=9.0)):
        with pytest.raises(PilotageError, match="candle"):
            move()
        assert burning.t == 0.25
        np.testing.assert_array_equal(burning.belief.mean, x)
    burning.predict()
    assert burning.t == pytest.approx(0.35)


@every
def test_kinds_of_arrays(make: Any) -> None:
    """Lists, integers, single precision, read-only, strided and unordered arrays are all the same reading."""
    table = np.zeros((2, 6))
    table[:, 2] = [4.0, 1.0]
    frozen = np.array([4.0, 1.0])
    frozen.flags.writeable = False
    kinds = [
        [4, 1],
        (4.0, 1.0),
        np.array([4, 1]),
        np.array([4.0, 1.0], np.float32),
        table[:, 2],
        frozen,
        frozen[::-1][::-1],
    ]
    results = []
    for kind in kinds:
        filter = started(make)
        filter.step(SONAR, kind, kind, context=kind)
        filter.predict(u=kind)
        filter.update(SONAR, kind, context=kind)
        results.append(filter.belief)
    for belief in results[1:]:
        np.testing.assert_array_equal(belief.moments().mean, results[0].moments().mean)
        np.testing.assert_array_equal(belief.moments().cov, results[0].moments().cov)


@every
def test_an_update_stays_what_it_was(make: Any) -> None:
    """Also when it is looked at after later steps, and after a sensor with longer readings was attached."""
    late, early = started(make), started(make)
    kept = late.update(compass(std=0.1), [0.05])
    seen = early.update(compass(std=0.1), [0.05])
    expected = (
        seen.belief.moments().mean,
        seen.belief.moments().cov,
        seen.innovation,
        seen.S,
        seen.nis,
        seen.log_likelihood,
    )
    for _ in range(3):
        late.step(SONAR, [4.9, 0.6], context=MARK)
    late.update(FIX, [0.1, 0.0])
    for mine, theirs in zip(
        (kept.belief.moments().mean, kept.belief.moments().cov, kept.innovation, kept.S, kept.nis, kept.log_likelihood),
        expected,
        strict=True,
    ):
        np.testing.assert_array_equal(mine, theirs)


@every
def test_what_is_handed_out_is_the_callers(make: Any) -> None:
    filter = started(make)
    belief = filter.belief
    before = belief.moments().cov.copy()
    filter.step(FIX, [0.1, 0.2])
    np.testing.assert_array_equal(belief.moments().cov, before)
    z, u = np.array([0.1, 0.2]), np.array([1.0, 0.5])
    filter.step(FIX, z, u)
    np.testing.assert_array_equal(z, [0.1, 0.2])
    np.testing.assert_array_equal(u, [1.0, 0.5])


@every
def test_nothing_measured_changes_nothing(make: Any) -> None:
    filter = started(make)
    filter.predict(u=[1.0, 0.2])
    before = filter.belief
    update = filter.update(SONAR, [np.nan, np.nan], context=MARK)
    close(filter.belief.moments().mean, before.moments().mean, 1e-14)
    close(filter.belief.moments().cov, before.moments().cov, 1e-14)
    assert (update.nis, update.log_likelihood, update.status) == (0.0, 0.0, FilterStatus.NO_READING)
    assert np.isnan(update.innovation).all()
    assert filter.update(SONAR, [np.nan, 0.1], context=MARK).accepted


def test_a_reading_of_nothing_is_none() -> None:
    """For every filter, alone, in a run and in a batch: NO_READING, and the belief stays."""
    model, fix = constant_velocity(1), position(1, std=0.5)
    zs, statuses = [[0.3], [np.nan], [0.1]], [FilterStatus.ACCEPTED, FilterStatus.NO_READING, FilterStatus.ACCEPTED]
    filters: list[Any] = [make(model, dt=0.1).start(std=1.0) for make in (EKF, UKF, KF)]
    filters.append(ParticleFilter(model, dt=0.1, n=50).start(std=1.0, rng=0))
    filters.append(PDA(model, dt=0.1, clutter=0.1).start(std=1.0))
    filters.append(IMM((model, constant_velocity(1, density=3.0)), 0.9, dt=0.1).start(std=1.0))
    for filter in filters:
        run = copy.deepcopy(filter).run(None, zs, sensor=fix)
        assert run.status.tolist() == statuses
        assert "2 of 2 readings accepted" in repr(run)
        filter.predict()
        before = filter.belief
        assert filter.update(fix, [np.nan]).status is FilterStatus.NO_READING
        assert same_belief(filter.belief, before)
    many = EKF().update(Gaussian.of(model.state, np.zeros((3, 2)), std=1.0), fix, zs)
    assert many.status.tolist() == statuses
    assert condition(Gaussian.of(model.state, std=1.0), [np.nan], [[1.0]], [[1.0]], of="x").status == 2


@every
def test_a_part_of_a_reading_is_a_smaller_sensor(make: Any) -> None:
    target = constant_velocity(2)
    start = Gaussian(target.state, np.zeros(4), np.eye(4) + 0.3)
    filters = [make(target, dt=0.1).start(belief=start) for _ in range(2)]
    part = filters[0].update(position(2, std=(0.3, 0.4)), [np.nan, 0.7])
    alone = filters[1].update(position(1, std=0.4, reads="y"), [0.7])
    close(part.belief.moments().mean, alone.belief.moments().mean)
    close(part.belief.moments().cov, alone.belief.moments().cov)
    close([part.nis, part.log_likelihood], [alone.nis, alone.log_likelihood])


def test_more_sensors_than_are_remembered() -> None:
    """New models for every reading are a waste of time, but no leak."""
    filter: Any = KF(constant_velocity(2), dt=0.1).start(std=1.0)
    for k in range(150):
        filter.step(position(2, std=1.0 + k), [0.0, 0.0])
        filter.update(velocity(2, std=1.0), [0.0, 0.0])
    assert len(filter._links) <= 66
    assert len(filter._engine._links) <= 66


@every
def test_parameters_are_read_not_compiled(make: Any) -> None:
    """A second model of one family costs no compilation, and still is another model."""
    loud, quiet = (make(unicycle(noise=(s, s, s)), dt=0.1).start(mean=[0, 0, 0], std=0.1) for s in (1.0, 0.1))
    loud.predict()
    quiet.predict()
    close(loud.belief.moments().cov - 0.01 * np.eye(3), 0.1 * np.eye(3), 1e-9)
    close(quiet.belief.moments().cov - 0.01 * np.eye(3), 0.001 * np.eye(3), 1e-9)


def test_contexts_of_plain_sensors() -> None:
    """A sensor written in Python takes any object as its context, one for each reading of a run."""

    class Named(PlainSensor):
        def observe(self, x: Any, context: Any = None) -> Any:
            return self.inner.observe(x, {"gate": MARK, "door": -MARK}[context])

        def linearize(self, x: Any, context: Any = None) -> Any:
            return self.inner.linearize(x, {"gate": MARK, "door": -MARK}[context])

        def noise(self, x: Any, context: Any = None) -> Any:
            return np.diag([0.01, 0.0004])

    sensor = Named(SONAR)
    names, zs = ["gate", "door", "gate"], np.array([[5.0, 0.6], [5.1, -2.5], [4.9, 0.65]])
    filters = [EKF(Plain(ROBOT), dt=0.1).start(mean=[0.0, 0.0, 0.0], std=0.3) for _ in range(3)]
    running = filters[0].run(None, zs, sensor=sensor, contexts=names)
    for name, z in zip(names, zs, strict=True):
        filters[1].step(sensor, z, context=name)
        filters[2].step(range_bearing(std=(0.1, 0.02)), z, context=MARK if name == "gate" else -MARK)
    for filter in filters[1:]:
        close(filter.belief.mean, running.beliefs.mean[-1], 1e-9)
        close(filter.belief.cov, running.beliefs.cov[-1], 1e-9)


def test_any_belief_may_begin() -> None:
    """Particles are taken by their moments."""
    rng = np.random.default_rng(0)
    cloud = Particles(ROBOT.state, rng.normal(size=(500, 3)) * 0.3)
    filter = EKF(ROBOT, dt=0.1).start(belief=cloud)
    close(filter.belief.mean, cloud.moments().mean)
    filter.belief = cloud
    close(filter.belief.moments().cov, cloud.moments().cov)


def test_an_equal_sensor_is_the_same_link() -> None:
    """``ekf.update(gnss(std=1.5), ...)`` makes a sensor each time, and binds one."""
    filter: Any = started(EKF)
    for k in range(5):
        filter.update(gnss(std=1.5), [0.1 * k, 0.0])
    assert len(filter._engine._links) == 1
    filter.update(gnss(std=2.5), [0.1, 0.0])
    assert len(filter._engine._links) == 2


def test_sensors_by_name() -> None:
    named = EKF(ROBOT, dt=0.1).start(mean=[0.0, 0.0, 0.0], std=0.3, sensors={"fix": FIX, "sonar": SONAR})
    plain = EKF(ROBOT, dt=0.1).start(mean=[0.0, 0.0, 0.0], std=0.3)
    assert named.update("fix", [0.1, 0.2]) == plain.update(FIX, [0.1, 0.2])
    assert named.step("sonar", [5.0, 0.6], context=MARK) == plain.step(SONAR, [5.0, 0.6], context=MARK)
    with pytest.raises(PilotageError, match="'lidar'.*fix, sonar"):
        named.update("lidar", [0.0, 0.0])


@pytest.mark.parametrize("name", ["x", "P", "mean", "cov", "std"])
def test_attributes_of_beliefs(name: str) -> None:
    """A filter says where they are, without the hook that makes access to all its other attributes slow."""
    with pytest.raises(AttributeError, match=rf"{name!r}.*belief\.mean"):
        getattr(started(EKF), name)
    assert not hasattr(type(started(EKF)), "__getattr__")


def test_an_update_is_a_value() -> None:
    """Frozen, compared by its numbers, and the same after a copy or a journey."""
    one, other, apart = started(EKF), started(EKF), started(EKF)
    first, second = one.update(FIX, [0.1, 0.2]), other.update(FIX, [0.1, 0.2])
    assert first == second
    assert first != apart.update(FIX, [0.1, 0.3])
    assert first != apart.update(FIX, [0.1, 0.2])
    for again in (copy.copy(first), copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        assert again == first
    for name in ("belief", "S", "nis", "accepted", "status"):
        with pytest.raises(AttributeError):
            setattr(first, name, 0.0)
    with pytest.raises(ValueError, match="read-only"):
        first.S[0, 0] = 3.0


@pytest.mark.parametrize("make", [EKF, UKF], ids=["EKF", "UKF"])
def test_expected_reading(make: Any) -> None:
    """Mean and covariance of the next reading: what an update measures it by, and what sampling gives."""
    belief = Gaussian.of(ROBOT.state, [0.0, 0.0, 0.3], std=[0.01, 0.01, 0.02])
    expected = make().expect(belief, SONAR, MARK)
    update = make().update(belief, SONAR, [5.0, 0.7], MARK)
    close(SONAR.reading.plus(expected.mean, update.innovation), [5.0, 0.7])
    close(expected.cov, update.S)
    zs = SONAR.sample(belief.sample(100_000, rng=1), MARK, rng=2)
    np.testing.assert_allclose(np.cov(zs.T), expected.cov, atol=0.05 * expected.cov.max())
    many = make().expect(Gaussian.of(ROBOT.state, np.zeros((3, 3)), std=0.1), SONAR, MARK)
    assert many.cov.shape == (3, 2, 2)


@every
def test_sensors_at_their_own_times(make: Any) -> None:
    """A run over two sensors and actions is the loop that predicts and updates at those times."""
    rng = np.random.default_rng(4)
    needle = compass(std=0.05)
    ticks, us = np.array([0.5, 1.0, 2.0]), rng.normal(size=(3, 2)) * 0.3
    t1, t2 = np.array([0.2, 0.5, 0.9, 1.6]), np.array([0.5, 1.3])
    z1, z2 = rng.normal(size=(4, 2)) * 0.2, rng.normal(size=(2, 1)) * 0.05
    whole, loop = started(make), started(make)
    run = whole.run(us, [Readings(FIX, z1, t1), Readings(needle, z2, t2)], ticks)
    beliefs = []
    events: list[Any] = [
        (t, j, z) for j, (ts, zs) in enumerate(((t1, z1), (t2, z2))) for t, z in zip(ts, zs, strict=True)
    ]
    events = sorted([*events, *((t, 2, None) for t in ticks)], key=lambda event: event[:2])
    for t, which, z in events:
        loop.predict(to=t, u=us[np.searchsorted(ticks, t)])
        if which < 2:
            loop.update((FIX, needle)[which], z)
            beliefs.append(loop.belief)
    read = run.which < 2
    assert set(run.status[~read]) == {FilterStatus.NO_READING}
    assert {0.9, 1.0, 1.3, 1.6, 2.0} < set(run.ts)
    assert run.dts.max() == pytest.approx(0.1), "gaps are cut as those of the loop are"
    for k, belief in zip(np.flatnonzero(read), beliefs, strict=True):
        close(run.beliefs.moments().mean[k], belief.moments().mean, 1e-12)
        close(run.beliefs.moments().cov[k], belief.moments().cov, 1e-12)
    close(whole.belief.moments().mean, loop.belief.moments().mean, 1e-12)
    assert whole.t == loop.t == 2.0
    with pytest.raises(ShapeError, match="after the last action"):
        started(make).run(us, [Readings(FIX, z1, t1 + 3.0)], ticks)


def test_a_tick_and_a_stamp_agree_for_days() -> None:
    """Steps that are added up and times that are multiplied out stay together, from zero and from 1970."""
    for began, dt in ((0.0, 0.05), (0.0, 0.005), (1.7e9, 0.05)):
        clock, count = Clock(began, dt), 2_000_000
        for k in range(1, count + 1):
            clock.advance(clock.step(None, None))
            if k % 1000 == 0:
                assert clock.step(None, began + k * dt) == 0.0, (began, dt, k)
        with pytest.raises(PilotageError, match="back in time"):
            clock.step(None, began + count * dt - 1e-4)  # a late reading of a fast sensor


def test_runs_take_times_as_updates_do() -> None:
    filter = started(EKF)
    filter.run(None, np.zeros((3, 2)), [5.0, 5.0 - 1e-10, 6.0], sensor=FIX)
    assert filter.t == 6.0
    with pytest.raises(PilotageError, match=r"ts\[1\].*before"):
        filter.run(None, np.zeros((2, 2)), [7.0, 6.9], sensor=FIX)


def test_tensors_that_change_reach_a_running_filter() -> None:
    torch = pytest.importorskip("torch")
    std = torch.tensor(0.1, dtype=torch.float64)

    @dynamics(state=Space("x [m]"), action=Space("v [m/s]"), params={"gain": std}, noise=(0.1,))
    def cart(x, u, p, m):
        return (p.gain * u[0],)

    filter = EKF(cart(), dt=1.0).start(mean=[0.0], std=0.1)
    filter.predict(u=[1.0])
    std.fill_(2.0)
    filter.predict(u=[1.0])
    assert filter.belief.mean[0] == pytest.approx(2.1)


def test_a_model_that_is_called_sees_checked_actions_whatever_its_attributes() -> None:
    class Named(Dynamics):
        state, action, code = Space("x [m]"), Space("v [m/s]"), "cart-v1"

        def step(self, x: Any, u: Any, dt: float) -> Any:
            return x + np.where(np.isfinite(u), u, 0.0)

    with pytest.raises(ShapeError, match="action is NaN"):
        EKF(Named(), dt=1.0).start(mean=[0.0], std=0.1).predict(u=np.array([np.nan]))


@every
def test_a_discrete_model_of_any_step(make: Any) -> None:
    from pilotage.models import LinearDynamics, LinearSensor

    model = LinearDynamics.discrete([[1.0, 0.3], [0.0, 1.0]], Q=0.1 * np.eye(2), dt=0.3)
    filter = make(model, dt=0.3).start(std=1.0)
    assert filter.step(LinearSensor([[1.0, 0.0]], 0.1), [0.2]).accepted


def test_a_reading_from_another_clock_is_soon_reached() -> None:
    """A filter that starts at 0 s, and a reading stamped with the seconds since 1970: no more than 1000 steps."""
    stamp = 1.8e9
    alone = EKF(ROBOT, dt=0.1).start(mean=[0, 0, 0], std=0.1)
    alone.update(gnss(std=1.0), [0.1, 0.0], t=stamp)
    several = EKF(ROBOT, dt=0.1).start(mean=[0, 0, 0], std=0.1)
    run = several.run(None, [Readings(gnss(std=1.0), [[0.1, 0.0]], [stamp])])
    assert alone.t == several.t == stamp and len(run.ts) == 1000
    close(alone.belief.cov, several.belief.cov, 1e-9 * float(np.abs(alone.belief.cov).max()))


def test_a_run_takes_none_for_what_was_not_measured() -> None:
    """A row of None, also the first one, is a row of NaN."""
    nan = [np.nan, np.nan]
    for given, plain in (([None, [1.0, 2.0]], [nan, [1.0, 2.0]]), ([[1.0, 2.0], None], [[1.0, 2.0], nan])):
        runs = [
            KF(constant_velocity(2), dt=0.1).start(std=1.0).run(None, zs, sensor=position(2)) for zs in (given, plain)
        ]
        np.testing.assert_array_equal(runs[0].beliefs.mean, runs[1].beliefs.mean)
        np.testing.assert_array_equal(runs[0].status, runs[1].status)


def test_actions_of_a_model_that_takes_none_are_refused() -> None:
    """The advice to give them as rows would lead nowhere."""
    filter = KF(constant_velocity(2), dt=0.1).start(std=1.0)
    with pytest.raises(ShapeError, match="holding nothing"):
        filter.run([1.0, 2.0, 3.0], np.zeros((3, 2)), sensor=position(2))
