"""Malformed input is refused in a sentence that names it, and belief and clock stay as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import (
    CovarianceError,
    FilterStatus,
    Gaussian,
    Mixture,
    ModelError,
    PilotageError,
    Readings,
    SettingError,
    ShapeError,
    Space,
    SpaceError,
)
from pilotage.core.results import same_belief
from pilotage.estimators import EKF, KF, UKF
from pilotage.models import (
    LinearDynamics,
    LinearSensor,
    bicycle,
    constant_velocity,
    gnss,
    radar,
    range_bearing,
    range_to,
    relative_pose,
    sensor,
    unicycle,
)

from .linear import Modes, Plain, PlainSensor, at_rest

ROBOT, SONAR, FIX, MARK = unicycle(), range_bearing(), gnss(std=0.5), [3.0, 4.0]
every = pytest.mark.parametrize("make", [EKF, UKF, Modes], ids=["EKF", "UKF", "IMM"])
both = pytest.mark.parametrize("make", [EKF, UKF], ids=["EKF", "UKF"])
lives = pytest.mark.parametrize("life", ["traced", "plain"])


def started(make: Any, life: str = "traced") -> Any:
    return begun(make, ROBOT if life == "traced" else Plain(ROBOT))


def begun(make: Any, robot: Any) -> Any:
    return make(robot, dt=0.1).start(mean=[0.0, 0.0, 0.0], std=[1.0, 1.0, 0.1])


def elsewhere(filter: Any) -> Any:
    """A belief of the filter's kind over another space; of a mixture, in the second mode."""
    other = Gaussian.of(Space("x [m]"), [0.0], std=1.0)
    return Mixture([Gaussian.of(ROBOT.state, std=9.0), other]) if isinstance(filter.belief, Mixture) else other


# ruff: noqa: E501
BAD_CALLS = {
    "short action": (lambda f: f.predict(u=[1.0]), ShapeError, r"\(1,\)"),
    "short action array": (lambda f: f.predict(u=np.zeros(1)), ShapeError, r"\(1,\)"),
    "action of words": (lambda f: f.predict(u="go"), ShapeError, "action.*text"),
    "NaN action": (lambda f: f.predict(u=np.array([np.nan, 0.0])), ShapeError, "action.*NaN"),
    "infinite action in a step": (lambda f: f.step(FIX, [0.0, 0.0], np.array([0.0, np.inf])), ShapeError, "action.*infinite"),
    "masked action": (lambda f: f.predict(u=np.ma.masked_array([1.0, 2.0], [True, False])), ShapeError, "action"),
    "many actions": (lambda f: f.predict(u=np.zeros((3, 2))), ShapeError, r"\(3,\)"),
    "long reading": (lambda f: f.update(FIX, np.zeros(3)), ShapeError, r"reading.*\(3,\)"),
    "long reading in a step": (lambda f: f.step(FIX, np.zeros(3)), ShapeError, r"reading.*\(3,\)"),
    "infinite reading": (lambda f: f.update(FIX, [np.inf, 0.0]), ShapeError, "reading of gnss.*inf"),
    "infinite reading in a step": (lambda f: f.step(FIX, [np.inf, 0.0]), ShapeError, "reading of gnss.*inf"),
    "many readings": (lambda f: f.update(FIX, np.zeros((2, 2))), ShapeError, r"\(2,\)"),
    "a context for none": (lambda f: f.update(FIX, [1.0, 0.0], context=[1.0]), ShapeError, "gnss.*no context"),
    "a list for a sensor": (lambda f: f.update([1.0, 0.0], FIX), SettingError, r"\[1.0, 0.0\]"),
    "no context": (lambda f: f.update(SONAR, [1.0, 0.0]), ShapeError, "context.*x, y"),
    "long context": (lambda f: f.update(SONAR, [1.0, 0.0], context=[1.0, 2.0, 3.0]), ShapeError, r"context.*\(3,\)"),
    "NaN context": (lambda f: f.update(SONAR, [1.0, 0.0], context=np.array([1.0, np.nan])), ShapeError, "context.*NaN"),
    "sensor of another state": (lambda f: f.update(radar(), [1.0, 0.0, 0.0]), SpaceError, "'vx'"),
    "a class for a sensor": (lambda f: f.update(gnss, [0.0, 0.0]), SettingError, "gnss"),
    "step back": (lambda f: f.predict(-0.1), PilotageError, "-0.1"),
    "NaN step": (lambda f: f.predict(np.nan), PilotageError, "nan"),
    "time before": (lambda f: f.update(FIX, [0.0, 0.0], t=-1.0), PilotageError, "back in time"),
    "dt and to": (lambda f: f.predict(0.1, to=0.2), PilotageError, "dt or to"),
    "late reading is bad": (lambda f: f.update(FIX, [np.inf, 0.0], t=5.0), ShapeError, "inf"),
    "two times for three readings": (lambda f: f.run(None, np.zeros((3, 2)), [0.1, 0.2], sensor=FIX), ShapeError, r"\(2,\)"),
    "times out of order": (lambda f: f.run(None, np.zeros((3, 2)), [0.1, 0.3, 0.2], sensor=FIX), PilotageError, r"ts\[2\]|0\.2"),
    "bad reading in a run": (lambda f: f.run(None, [[0.0, 0.0], [np.inf, 0.0]], sensor=FIX), ShapeError, "step 1"),
    "bad action in a run": (lambda f: f.run(np.full((2, 2), np.nan), np.zeros((2, 2)), sensor=FIX), ShapeError, "NaN"),
    "time of words": (lambda f: f.update(FIX, [0.0, 0.0], t="noon"), PilotageError, "noon"),
    "times for a time": (lambda f: f.update(FIX, [0.0, 0.0], t=np.zeros((2, 2))), PilotageError, "seconds"),
    "no time": (lambda f: f.update(FIX, [0.0, 0.0], t=np.nan), PilotageError, "nan"),
    "times of words": (lambda f: f.run(None, np.zeros((2, 2)), ["a", "b"], sensor=FIX), ShapeError, "ts"),
    "readings in a flat list": (lambda f: f.run(None, [0.0] * 6, sensor=FIX), ShapeError, r"\(6,\).*row.*np.reshape\(readings, \(-1, 2\)\)"),
    "readings in a flat list of odd length": (lambda f: f.run(None, [0.0] * 3, sensor=FIX), ShapeError, r"\(3,\).*row.*list of lists of 2"),
    "actions in a flat list": (lambda f: f.run([0.0] * 6, np.zeros((3, 2)), sensor=FIX), ShapeError, r"\(6,\).*row.*np.reshape\(actions"),
    "one number for actions": (lambda f: f.run(np.float64(0.5), np.zeros((3, 2)), sensor=FIX), ShapeError, r"\(\)"),
    "no end": (lambda f: f.run(None, np.zeros((2, 2)), [0.2, np.inf], sensor=FIX), PilotageError, "inf"),
    "a run of nothing": (lambda f: f.run(None, None, sensor=FIX), ShapeError, "readings"),
    "no sensor": (lambda f: f.run(None, np.zeros((2, 2))), ShapeError, "Readings"),
    "readings without times": (lambda f: f.run(None, [Readings(FIX, np.zeros((2, 2)), [0.1])]), ShapeError, r"\(1,\)"),
    "actions without times": (lambda f: f.run(np.zeros((1, 2)), [Readings(FIX, np.zeros((1, 2)), [0.1])]), ShapeError, "ts"),
    "runs": (lambda f: f.run(None, np.zeros((2, 4, 2)), sensor=FIX), ShapeError, r"\(2,\)"),
    "too few contexts": (lambda f: f.run(None, np.zeros((3, 2)), sensor=SONAR, contexts=np.zeros((2, 2))), ShapeError, "2 contexts"),
    "many contexts": (lambda f: f.update(SONAR, [1.0, 0.0], context=[MARK, MARK]), ShapeError, r"\(2,\)"),
    "context of words": (lambda f: f.update(SONAR, [1.0, 0.0], context="gate"), ShapeError, "context.*text"),
    "no belief": (lambda f: setattr(f, "belief", 3), ModelError, "3"),
    "another belief": (lambda f: setattr(f, "belief", elsewhere(f)), SpaceError, "belief is over Space"),
}  # fmt: skip


@every
@lives
@pytest.mark.parametrize("case", BAD_CALLS)
def test_refused(make: Any, life: str, case: str) -> None:
    call, error, names = BAD_CALLS[case]
    filter = started(make, life)
    filter.predict(u=[1.0, 0.1])
    before, t = filter.belief, filter.t
    with pytest.raises(error, match=names):
        call(filter)
    assert same_belief(filter.belief, before)
    assert filter.t == t
    assert filter.step(FIX, [0.1, 0.0], [1.0, 0.0]).accepted, "the filter is as good as before"


@every
def test_a_reading_on_a_curved_space_is_checked(make: Any) -> None:
    """Machine code takes arrays as they are, but not one that is no point of its space."""
    model, origin = at_rest(Space("pose: SE3")), np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    filter = make(model, dt=0.1).start(origin, 1.0)
    with pytest.raises(ShapeError, match="length 1"):
        filter.update(relative_pose(3), np.array([0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0]), context=origin)
    assert filter.update(relative_pose(3), origin, context=origin).accepted


@both
def test_beliefs_and_sensors_go_by_name(make: Any) -> None:
    estimator, belief = make(ROBOT, dt=0.1), Gaussian.of(ROBOT.state, std=1.0)
    with pytest.raises(ModelError, match="the mean is a belief"):
        estimator.start(belief)
    for sensors in ([FIX], FIX, "fix", {"fix": 3}, {"fix": gnss}):
        with pytest.raises(SettingError, match="sensors are|'fix' needs a Sensor"):
            estimator.start(belief=belief, sensors=sensors)


GAP = np.nan


@every
@pytest.mark.parametrize(
    ("given", "meant"),
    [(None, [GAP, GAP]), ([None, 1.0], [GAP, 1.0]), (np.array([1.0, None]), [1.0, GAP]), ([None, None], [GAP, GAP])],
    ids=["a reading", "the first", "the last", "both"],
)
def test_none_is_not_measured(make: Any, given: Any, meant: Any) -> None:
    """In one reading, in a step, in a run over one sensor and over several."""
    calls = [
        (lambda f, z: f.update(FIX, z)),
        (lambda f, z: f.step(FIX, z, [1.0, 0.1])),
        (lambda f, z: f.run(None, [z, [1.0, 0.5]], sensor=FIX)),
        (lambda f, z: f.run(None, [Readings(FIX, [[1.0, 0.5], z], [0.1, 0.2])])),
    ]
    for call in calls:
        one, other = started(make), started(make)
        call(one, given)
        call(other, meant)
        assert same_belief(one.belief, other.belief)


def test_a_mask_is_not_measured() -> None:
    masked, gap = (EKF(ROBOT).update(Gaussian.of(ROBOT.state, std=1.0), FIX, z) for z in (
        np.ma.masked_array([1.0, 99.0], [False, True]), [1.0, np.nan]
    ))  # fmt: skip
    assert masked == gap


class Broken(Plain):
    """A model that goes wrong in a way of one's choice, at the third step."""

    def __init__(self, how: str) -> None:
        super().__init__(ROBOT)
        self.how, self.calls = how, 0

    def step(self, x: Any, u: Any, dt: float) -> Any:
        self.calls += 1
        y = self.inner.step(x, u, dt)
        if self.calls < 30:
            return y
        if self.how == "raises":
            raise OSError("the simulator is gone")
        return y[..., :2] if self.how == "short" else y * np.nan


@every
@pytest.mark.parametrize(
    ("how", "error", "names"),
    [
        ("raises", OSError, "simulator is gone"),
        ("short", ModelError, r"Broken.step.*\(2,\)"),
        ("nan", ModelError, "Broken"),
    ],
)
def test_a_model_that_breaks(make: Any, how: str, error: Any, names: str) -> None:
    filter = begun(make, Broken(how))
    before, t = filter.belief, filter.t
    with pytest.raises(error, match=names):
        for _ in range(60):
            before, t = filter.belief, filter.t
            filter.step(FIX, [0.0, 0.0])
    assert same_belief(filter.belief, before)
    assert filter.t == t


@pytest.mark.parametrize("make", [KF, EKF, UKF], ids=["KF", "EKF", "UKF"])
def test_singular_innovation(make: Any) -> None:
    """A reading without noise of something known without error: S is zero."""
    model, exact = LinearDynamics.discrete(np.eye(2), Q=0.0), LinearSensor([[1.0, 0.0]], 0.0)
    known = Gaussian.trusted(model.state, np.zeros(2), np.diag([0.0, 1.0]))
    filter = make(model, dt=1.0).start(belief=known)
    for call in (filter.update, filter.step):
        with pytest.raises(CovarianceError, match="innovation covariance.*LinearSensor"):
            call(exact, [0.0])
    np.testing.assert_array_equal(filter.belief.cov, np.diag([0.0, 1.0]))


@sensor(state=Space("x y [m]"), reading=Space("z [m]"), noise=lambda x, c, p, m: [m.sqrt(x[0])])
def rooted(x, c, p, m):
    return (x[0],)


@sensor(state=Space("x y [m]"), reading=Space("z [m]"), noise=lambda x, c, p, m: [x[0]])
def slanted(x, c, p, m):
    return (x[0],)


@sensor(state=Space("x y [m]"), reading=Space("z [m]"), std=0.1)
def logarithm(x, c, p, m):
    return (m.log(x[0]),)


FLY = constant_velocity(2)
CAUSES = {
    "range from where it is": (range_to(), [1.0], [0.0, 0.0], FilterStatus.UNDEFINED_JACOBIAN, ModelError),
    "radar at the origin": (radar(), [1.0, 0.0, 0.0], None, FilterStatus.UNDEFINED_READING, ModelError),
    "noise that is NaN": (rooted(), [1.0], None, FilterStatus.UNDEFINED_NOISE, ModelError),
    "noise that is negative": (slanted(), [1.0], None, FilterStatus.IMPOSSIBLE_NOISE, CovarianceError),
    "a reading that is NaN": (logarithm(), [1.0], None, FilterStatus.UNDEFINED_READING, ModelError),
    "infinite": (gnss(), [np.inf, 0.0], None, FilterStatus.NOT_FINITE_READING, ShapeError),
}


@pytest.mark.parametrize("case", CAUSES)
def test_causes_are_found(case: str) -> None:
    """Alone the cause raises, and names sensor and state; in a batch it is the row's status, and harms no other row."""
    reads, z, context, status, error = CAUSES[case]
    where = -1.0 if "that is" in case else 0.0
    bad = Gaussian.of(FLY.state, [where, 0.0, 0.0, 0.0], std=0.1)
    with pytest.raises(error):
        EKF().update(bad, reads, z, context)
    filter = EKF(FLY, dt=0.1).start(belief=bad)
    with pytest.raises(error):
        filter.update(reads, z, context=context)
    np.testing.assert_array_equal(filter.belief.cov, bad.cov)
    for count in (2, 40):
        means = np.tile([5.0, 4.0, 1.0, 0.0], (count, 1))
        zs = np.tile(np.nan_to_num(z, posinf=5.0), (count, 1))
        means[1], zs[1] = bad.mean, z
        many = EKF().update(Gaussian.of(FLY.state, means, std=0.1), reads, zs, context)
        alone = EKF().update(Gaussian.of(FLY.state, means[0], std=0.1), reads, zs[0], context)
        assert many.status[1] == status
        assert not many.accepted[1]
        np.testing.assert_array_equal(many.belief.mean[1], bad.mean)
        np.testing.assert_array_equal(many.belief.cov[1], bad.cov)
        for i in (0, count - 1):
            assert i == 1 or many.status[i] == FilterStatus.ACCEPTED
            if i != 1:
                np.testing.assert_allclose(many.belief.mean[i], alone.belief.mean, rtol=1e-12)
                np.testing.assert_allclose(many.nis[i], alone.nis, rtol=1e-9)


@both
def test_predictions_of_a_batch(make: Any) -> None:
    """One action that is NaN: its row stays, has a status, and is warned of where nobody asks for statuses."""
    belief = Gaussian.of(ROBOT.state, np.zeros((3, 3)), std=0.1)
    us = np.ones((3, 2))
    status = np.full(3, -1)
    loud = lambda b, u, **k: make().predict(b, Loud(), u, 0.1, **k)

    class Loud(Plain):
        def __init__(self) -> None:
            super().__init__(ROBOT)

        def noise(self, x: Any, u: Any, dt: float) -> Any:
            Q = np.asarray(self.inner.noise(x, u, dt)).copy()
            Q[np.asarray(u)[..., 0] > 5.0] *= -1.0
            return Q

    us[1, 0] = 9.0
    after = loud(belief, us, status=status)
    assert status.tolist() == [FilterStatus.ACCEPTED, FilterStatus.IMPOSSIBLE_NOISE, FilterStatus.ACCEPTED]
    np.testing.assert_array_equal(after.mean[1], belief.mean[1])
    np.testing.assert_allclose(after.mean[0], make().predict(belief[0], ROBOT, us[0], 0.1).mean)
    with pytest.warns(RuntimeWarning, match="1 of 3.*IMPOSSIBLE_NOISE"):
        loud(belief, us)
    with pytest.raises(CovarianceError, match="Loud"):
        loud(belief[1], us[1])


def test_at_the_start() -> None:
    start: Any = EKF(ROBOT, dt=0.1).start
    make: Any = EKF
    for error, names, call in (
        (CovarianceError, "-1", lambda: start(mean=[0.0, 0.0, 0.0], cov=np.diag([1.0, 1.0, -1.0]))),
        (ShapeError, r"\(2, 2\)", lambda: start(mean=[0.0, 0.0, 0.0], cov=np.eye(2))),
        (ShapeError, "yaw", lambda: start(mean=[0.0, 0.0, np.nan], std=1.0)),
        (CovarianceError, "std", lambda: start(mean=[0.0, 0.0, 0.0])),
        (ModelError, "dynamics", lambda: EKF().start(mean=[0.0], std=1.0)),
        (SettingError, "unicycle", lambda: make(unicycle)),
        (ShapeError, r"\(5,\)", lambda: start(mean=np.zeros((5, 3)), std=1.0)),
        (SettingError, "99", lambda: EKF(ROBOT, gate=99)),
        (PilotageError, "noon", lambda: start(mean=[0.0, 0.0, 0.0], std=1.0, t="noon")),
        (PilotageError, "nan", lambda: start(mean=[0.0, 0.0, 0.0], std=1.0, t=np.nan)),
        (SettingError, "dt.* 0", lambda: EKF(ROBOT, dt=0)),
        (SettingError, "soon", lambda: make(ROBOT, dt="soon")),
        (SettingError, "beta.*nan", lambda: UKF(beta=np.nan)),
        (PilotageError, "dt", lambda: EKF(ROBOT).start(mean=[0.0, 0.0, 0.0], std=1.0).predict()),
    ):
        with pytest.raises(error, match=names):
            call()


def test_pure_functions() -> None:
    belief, zs = Gaussian.of(ROBOT.state, [0.0, 0.0, 0.0], std=1.0), np.zeros((2, 2))
    pure: Any = EKF()
    run: Any = lambda dt, zs=zs, **k: EKF().run(belief, ROBOT, None, zs, dt, **{"sensor": FIX, **k})
    for error, names, call in (
        (PilotageError, "dt", lambda: EKF().predict(belief, ROBOT, [0.0, 0.0])),
        (PilotageError, "soon", lambda: pure.predict(belief, ROBOT, None, "soon")),
        (PilotageError, "-0.1", lambda: UKF().predict(belief, ROBOT, None, -0.1)),
        (ShapeError, "dt", lambda: run(["a", "b"])),
        (PilotageError, "-1.0", lambda: run([0.1, -1.0])),
        (ShapeError, r"\(3,\)", lambda: run([0.1, 0.1, 0.1])),
        (ShapeError, r"\(2,\)", lambda: run(0.1, np.zeros(2))),
        (SpaceError, "speed", lambda: EKF().predict(belief, bicycle(), [0.0, 0.0], 0.1)),
        (ShapeError, "2 contexts", lambda: run(0.1, np.zeros((3, 2)), sensor=PlainSensor(FIX), contexts=["a", "b"])),
    ):
        with pytest.raises(error, match=names):
            call()


@pytest.mark.parametrize("estimator", [EKF(), UKF()], ids=["EKF", "UKF"])
def test_batches_that_do_not_fit(estimator: Any) -> None:
    three = Gaussian.of(ROBOT.state, np.zeros((3, 3)), std=1.0)
    for error, names, call in (
        (ShapeError, r"belief \(3,\), action \(2,\)", lambda: estimator.predict(three, ROBOT, np.zeros((2, 2)), 0.1)),
        (ShapeError, r"belief \(3,\), reading \(2,\)", lambda: estimator.update(three, FIX, np.zeros((2, 2)))),
        (ShapeError, r"context \(2,\)", lambda: estimator.update(three, SONAR, np.ones((3, 2)), np.ones((2, 2)))),
        (ModelError, r"\[0.0, 0.0, 0.0\]", lambda: estimator.predict([0.0, 0.0, 0.0], ROBOT, None, 0.1)),
        (ModelError, "None", lambda: estimator.update(None, FIX, [0.0, 0.0])),
        (SettingError, "None", lambda: estimator.predict(three, None, None, 0.1)),
        (SettingError, "None", lambda: estimator.update(three, None, [0.0, 0.0])),
    ):
        with pytest.raises(error, match=names):
            call()


@pytest.mark.parametrize("estimator", [EKF(), UKF()], ids=["EKF", "UKF"])
def test_contexts_of_mounted_sensors(estimator: Any) -> None:
    """The derivative by the context of a sensor written in Python counts on a bigger state, too."""

    class Beacon(PlainSensor):
        context = Space("x y [m]")

    car, reads = bicycle(), Beacon(SONAR)
    belief = Gaussian.of(car.state, [0.0, 0.0, 0.0, 1.0], std=0.3)
    with pytest.raises(ShapeError, match="context.*x, y"):
        estimator.update(belief, reads, [5.0, 0.9])
    assert estimator.update(belief, reads, [5.0, 0.9], [[3.0, 4.0], [3.1, 4.1]]).accepted.shape == (2,)


@pytest.mark.parametrize("axes", [(), (0,), (1,), (3, 1, 2)])
@pytest.mark.parametrize("estimator", [EKF(), UKF()], ids=["EKF", "UKF"])
def test_leading_axes(estimator: Any, axes: Any) -> None:
    """One of belief, action, reading and context has them; the others serve for all."""
    one, many = (Gaussian.of(ROBOT.state, np.zeros((*a, 3)), std=1.0) for a in ((), axes))
    for belief, u in ((many, [1.0, 0.1]), (one, np.full((*axes, 2), 0.1))):
        assert estimator.predict(belief, ROBOT, u, 0.1).moments().mean.shape == (*axes, 3)
    for belief, z, mark in (
        (many, [5.0, 0.9], MARK),
        (one, np.full((*axes, 2), 1.0), MARK),
        (one, [5.0, 0.9], np.full((*axes, 2), 3.0)),
    ):
        update = estimator.update(belief, SONAR, z, mark)
        shapes = [
            np.shape(a) for a in (update.nis, update.log_likelihood, update.accepted, update.innovation, update.S)
        ]
        assert shapes == [axes, axes, axes, (*axes, 2), (*axes, 2, 2)]
        assert update.belief.moments().cov.shape == (*axes, 3, 3)
    run = estimator.run(many, ROBOT, None, np.zeros((5, 2)), 0.1, sensor=FIX)
    shapes = [np.shape(a) for a in (run.beliefs.mean, run.beliefs.cov, run.innovations, run.nis, run.accepted)]
    assert shapes == [(*axes, 5, 3), (*axes, 5, 3, 3), (*axes, 5, 2), (*axes, 5), (*axes, 5)]


@every
def test_noise_that_is_no_covariance(make: Any) -> None:
    """A negative variance or a correlation beyond 1 would pass where it hides behind that of the state."""

    class Odd(Plain):
        Q = np.zeros((3, 3))

        def noise(self, x: Any, u: Any, dt: float) -> Any:
            return self.Q

    class OddSensor(PlainSensor):
        R = np.eye(2)

        def noise(self, x: Any, context: Any = None) -> Any:
            return self.R

    model, sensor = Odd(ROBOT), OddSensor(FIX)
    filter = make(model, dt=0.1).start(mean=[0.0, 0.0, 0.0], std=1.0)
    filter.step(sensor, [0.1, 0.0])
    before = filter.belief
    for bad in (np.diag([0.1, -0.1, 0.1]), np.diag([0.1, np.nan, 0.1]), 0.2 - 0.1 * np.eye(3)):
        model.Q = bad
        for call in (filter.predict, lambda: filter.step(sensor, [0.1, 0.0])):
            error = ModelError if np.isnan(bad).any() else CovarianceError  # two causes
            with pytest.raises(error, match="noise of Odd"):
                call()
    model.Q = np.zeros((3, 3))
    for bad in (np.diag([0.1, -0.1]), np.diag([0.1, np.nan]), np.array([[0.1, 0.2], [0.2, 0.1]])):
        sensor.R = bad
        with pytest.raises(ModelError if np.isnan(bad).any() else CovarianceError, match="noise of OddSensor"):
            filter.update(sensor, [0.1, 0.0])
    assert same_belief(filter.belief, before)


def test_a_traced_model_of_the_wrong_length() -> None:
    from pilotage.models import dynamics

    with pytest.raises(ModelError, match="returned 1 values; 2 rates were expected"):

        @dynamics(state=Space("x y"), action=Space())
        def short(x, u, p, m):
            return (x[0],)

        EKF().predict(Gaussian.of(Space("x y"), [0.0, 0.0], std=1.0), short(), dt=0.1)
