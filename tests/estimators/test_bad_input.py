"""What is malformed is refused in a sentence, and belief and clock are what they were before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import CovarianceError, Dynamics, Gaussian, ModelError, PilotageError, ShapeError, Space, SpaceError
from pilotage.estimators import EKF, KF, UKF
from pilotage.models import LinearDynamics, LinearSensor, bicycle, compass, gnss, radar, range_bearing, unicycle

from .linear import Plain, PlainSensor

ROBOT, SONAR, FIX, MARK = unicycle(), range_bearing(), gnss(std=0.5), [3.0, 4.0]
both = pytest.mark.parametrize("make", [EKF, UKF], ids=["EKF", "UKF"])
lives = pytest.mark.parametrize("life", ["compiled", "plain"])


def started(make: Any, life: str = "compiled") -> Any:
    robot = ROBOT if life == "compiled" else Plain(ROBOT)
    return make(robot, dt=0.1).start(mean=[0.0, 0.0, 0.0], std=[1.0, 1.0, 0.1])


# ruff: noqa: E501
BAD_CALLS = {
    "short action": (lambda f: f.predict(u=[1.0]), ShapeError, r"action has shape \(1,\); expected \(\.\.\., 2\)"),
    "short action array": (lambda f: f.predict(u=np.zeros(1)), ShapeError, r"action has shape \(1,\)"),
    "action of words": (lambda f: f.predict(u="go"), ShapeError, "action"),
    "NaN action": (lambda f: f.predict(u=np.array([np.nan, 0.0])), ShapeError, "action holds NaN"),
    "infinite action in a step": (lambda f: f.step(FIX, [0.0, 0.0], np.array([0.0, np.inf])), ShapeError, "action holds NaN or inf"),
    "many actions": (lambda f: f.predict(u=np.zeros((3, 2))), ShapeError, "one action was expected"),
    "long reading": (lambda f: f.update(FIX, np.zeros(3)), ShapeError, r"reading has shape \(3,\)"),
    "long reading in a step": (lambda f: f.step(FIX, np.zeros(3)), ShapeError, r"reading has shape \(3,\)"),
    "infinite reading": (lambda f: f.update(FIX, [np.inf, 0.0]), ShapeError, "reading of gnss.*holds infinity"),
    "infinite reading in a step": (lambda f: f.step(FIX, [np.inf, 0.0]), ShapeError, "holds infinity"),
    "many readings": (lambda f: f.update(FIX, np.zeros((2, 2))), ShapeError, "one reading was expected"),
    "a context for none": (lambda f: f.update(FIX, [1.0, 0.0], context=[1.0]), ShapeError, "takes no context; one of shape"),
    "a list for a sensor": (lambda f: f.update([1.0, 0.0], FIX), ModelError, r"needs a Sensor, not \[1.0, 0.0\] of type list$"),
    "no context": (lambda f: f.update(SONAR, [1.0, 0.0]), ShapeError, "needs a context of 2 numbers"),
    "long context": (lambda f: f.update(SONAR, [1.0, 0.0], context=[1.0, 2.0, 3.0]), ShapeError, "context of 2 numbers"),
    "sensor of another state": (lambda f: f.update(radar(), [1.0, 0.0, 0.0]), SpaceError, "no component 'vx'"),
    "a class for a sensor": (lambda f: f.update(gnss, [0.0, 0.0]), ModelError, r"needs a Sensor, not .*gnss.*; is \(\) missing\?"),
    "step back": (lambda f: f.predict(-0.1), PilotageError, "goes back in time"),
    "NaN step": (lambda f: f.predict(np.nan), PilotageError, "takes a finite number of seconds"),
    "time before": (lambda f: f.update(FIX, [0.0, 0.0], t=-1.0), PilotageError, "goes back in time; readings must arrive"),
    "dt and to": (lambda f: f.predict(0.1, to=0.2), PilotageError, "give dt or to, not both"),
    "late reading is bad": (lambda f: f.update(FIX, [np.inf, 0.0], t=5.0), ShapeError, "holds infinity"),
    "two times for three readings": (lambda f: f.run(None, np.zeros((3, 2)), [0.1, 0.2], sensor=FIX), ShapeError, "3 readings need 3 times"),
    "times out of order": (lambda f: f.run(None, np.zeros((3, 2)), [0.1, 0.3, 0.2], sensor=FIX), PilotageError, r"ts\[2\]|back in time"),
    "bad reading in a run": (lambda f: f.run(None, [[0.0, 0.0], [np.inf, 0.0]], sensor=FIX), ShapeError, "holds infinity.*at step 1"),
    "bad action in a run": (lambda f: f.run(np.full((2, 2), np.nan), np.zeros((2, 2)), sensor=FIX), ShapeError, "NaN"),
    "time of words": (lambda f: f.update(FIX, [0.0, 0.0], t="noon"), PilotageError, "to a time in seconds, not to 'noon'"),
    "no time": (lambda f: f.update(FIX, [0.0, 0.0], t=np.nan), PilotageError, "finite number of seconds"),
    "times of words": (lambda f: f.run(None, np.zeros((2, 2)), ["a", "b"], sensor=FIX), ShapeError, "ts is not an array of numbers"),
    "no end": (lambda f: f.run(None, np.zeros((2, 2)), [0.2, np.inf], sensor=FIX), PilotageError, "finite number of seconds"),
    "a run of nothing": (lambda f: f.run(None, None, sensor=FIX), ShapeError, "readings"),
    "a run of one number": (lambda f: f.run(None, 3.0, sensor=FIX), ShapeError, "readings"),
    "runs": (lambda f: f.run(None, np.zeros((2, 4, 2)), sensor=FIX), ShapeError, "one sequence of readings"),
    "too few contexts": (lambda f: f.run(None, np.zeros((3, 2)), sensor=SONAR, contexts=np.zeros((2, 2))), ShapeError, r"context has the leading axes \(2,\), where \(3,\)"),
    "many contexts": (lambda f: f.update(SONAR, [1.0, 0.0], context=[MARK, MARK]), ShapeError, r"context has the leading axes \(2,\)"),
    "context of words": (lambda f: f.update(SONAR, [1.0, 0.0], context="gate"), ShapeError, "a context of 2 numbers, not 'gate'"),
    "no belief": (lambda f: setattr(f, "belief", 3), ModelError, "a belief was expected"),
    "another belief": (lambda f: setattr(f, "belief", Gaussian.of(Space("x"), [0.0], std=1.0)), SpaceError, "the belief is over"),
}  # fmt: skip


@both
@lives
@pytest.mark.parametrize("case", BAD_CALLS)
def test_refused(make: Any, life: str, case: str) -> None:
    call, error, sentence = BAD_CALLS[case]
    filter = started(make, life)
    filter.predict(u=[1.0, 0.1])
    before, t = filter.belief, filter.t
    with pytest.raises(error, match=sentence):
        call(filter)
    np.testing.assert_array_equal(filter.belief.mean, before.mean)
    np.testing.assert_array_equal(filter.belief.cov, before.cov)
    assert filter.t == t
    assert filter.step(FIX, [0.1, 0.0], [1.0, 0.0]).accepted, "the filter is as good as before"


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


@both
@pytest.mark.parametrize(
    ("how", "error", "sentence"),
    [
        ("raises", OSError, "simulator is gone"),
        ("short", ModelError, r"Broken.step returned an array of shape \(2,\); \(3,\) was expected"),
        ("nan", (ModelError, CovarianceError), "not finite|not positive definite"),
    ],
)
def test_a_model_that_breaks(make: Any, how: str, error: Any, sentence: str) -> None:
    filter = make(Broken(how), dt=0.1).start(mean=[0.0, 0.0, 0.0], std=[1.0, 1.0, 0.1])
    before, t = filter.belief, filter.t
    with pytest.raises(error, match=sentence):
        for _ in range(60):
            before, t = filter.belief, filter.t
            filter.step(FIX, [0.0, 0.0])
    np.testing.assert_array_equal(filter.belief.mean, before.mean)
    np.testing.assert_array_equal(filter.belief.cov, before.cov)
    assert filter.t == t


@pytest.mark.parametrize("make", [KF, EKF, UKF], ids=["KF", "EKF", "UKF"])
@lives
def test_singular_innovation(make: Any, life: str) -> None:
    """A reading without noise of something known without error: S is zero."""
    model = LinearDynamics.discrete(np.eye(2))
    sensor = LinearSensor([[1.0, 0.0]], 0.0)
    filter = make(model if life == "compiled" else Plain(model), dt=1.0).start(
        belief=Gaussian.trusted(model.state, np.zeros(2), np.diag([0.0, 1.0]))
    )
    sensor = sensor if life == "compiled" else PlainSensor(sensor)
    for call in (filter.update, filter.step):
        with pytest.raises(CovarianceError, match="innovation covariance.*not positive definite; check its noise"):
            call(sensor, [0.0])
    np.testing.assert_array_equal(filter.belief.cov, np.diag([0.0, 1.0]))


def test_at_the_start() -> None:
    with pytest.raises(CovarianceError, match="not positive definite: its smallest eigenvalue is -1"):
        EKF(ROBOT, dt=0.1).start(mean=[0.0, 0.0, 0.0], cov=np.diag([1.0, 1.0, -1.0]))
    with pytest.raises(ShapeError, match=r"cov has shape \(2, 2\)"):
        EKF(ROBOT, dt=0.1).start(mean=[0.0, 0.0, 0.0], cov=np.eye(2))
    with pytest.raises(ShapeError, match="mean is NaN or infinite in yaw"):
        EKF(ROBOT, dt=0.1).start(mean=[0.0, 0.0, np.nan], std=1.0)
    for estimator in (EKF(ROBOT), UKF(ROBOT)):
        with pytest.raises(CovarianceError, match="a mean and either std or cov, or from a belief"):
            estimator.start(mean=[0.0, 0.0, 0.0])
    with pytest.raises(ModelError, match="EKF has no dynamics yet; bind them"):
        EKF().start(mean=[0.0], std=1.0)
    with pytest.raises(
        ModelError, match=r"EKF needs Dynamics, not .*unicycle.* of type DynamicsFamily; is \(\) missing"
    ):
        EKF(unicycle)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="a filter holds one belief"):
        EKF(ROBOT, dt=0.1).start(mean=np.zeros((5, 3)), std=1.0)
    with pytest.raises(ModelError, match=r"gate is 99.*probability"):
        EKF(ROBOT, gate=99)
    for t, sentence in (
        ("noon", "t is 'noon'; expected one number"),
        (np.nan, "t is nan; a filter starts at a finite"),
    ):
        for estimator in (EKF(ROBOT), UKF(ROBOT)):
            with pytest.raises(PilotageError, match=sentence):
                estimator.start(mean=[0.0, 0.0, 0.0], std=1.0, t=t)  # type: ignore[arg-type]
    with pytest.raises(PilotageError, match="dt is 0"):
        EKF(ROBOT, dt=0)
    for dt in ("soon", np.nan, np.inf, -0.1, [0.1, 0.1]):
        with pytest.raises(PilotageError, match="a finite number of seconds"):
            EKF(ROBOT, dt=dt)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="beta is nan"):
        UKF(beta=np.nan)
    with pytest.raises(PilotageError, match="how long is a step"):
        EKF(ROBOT).start(mean=[0.0, 0.0, 0.0], std=1.0).predict()
    with pytest.raises(PilotageError, match="how long is a step"):
        EKF(ROBOT).start(mean=[0.0, 0.0, 0.0], std=1.0).step(FIX, [0.0, 0.0])


def test_pure_functions() -> None:
    belief = Gaussian.of(ROBOT.state, [0.0, 0.0, 0.0], std=1.0)
    with pytest.raises(PilotageError, match="give dt"):
        EKF().predict(belief, ROBOT, [0.0, 0.0])
    for estimator in (EKF(), UKF()):
        for dt in ("soon", np.nan, np.inf, -0.1):
            with pytest.raises(PilotageError, match="a finite number of seconds"):
                estimator.predict(belief, ROBOT, [0.0, 0.0], dt)  # type: ignore[arg-type]
    for dt in (["a", "b"], [[0.1], [0.1, 0.2]]):
        with pytest.raises(ShapeError, match="dt is not an array of numbers"):
            EKF().run(belief, ROBOT, None, np.zeros((2, 2)), dt, sensor=FIX)
    with pytest.raises(PilotageError, match=r"not negative; dt is -1.0"):
        EKF().run(belief, ROBOT, None, np.zeros((2, 2)), [0.1, -1.0], sensor=FIX)
    with pytest.raises(ShapeError, match="2 readings need one number or 2"):
        EKF().run(belief, ROBOT, None, np.zeros((2, 2)), [0.1, 0.1, 0.1], sensor=FIX)
    with pytest.raises(ShapeError, match=r"readings \(..., T, 2\)"):
        EKF().run(belief, ROBOT, None, np.zeros(2), 0.1, sensor=FIX)
    with pytest.raises(SpaceError, match="the belief is over"):
        EKF().predict(belief, bicycle(), [0.0, 0.0], 0.1)
    with pytest.raises(ShapeError, match="2 contexts were given for 3 readings"):
        EKF().run(belief, ROBOT, None, np.zeros((3, 2)), 0.1, sensor=PlainSensor(FIX), contexts=["a", "b"])


@pytest.mark.parametrize("estimator", [EKF(), UKF()], ids=["EKF", "UKF"])
def test_batches_that_do_not_fit(estimator: Any) -> None:
    three = Gaussian.of(ROBOT.state, np.zeros((3, 3)), std=1.0)
    with pytest.raises(ShapeError, match=r"belief \(3,\), action \(2,\)"):
        estimator.predict(three, ROBOT, np.zeros((2, 2)), 0.1)
    with pytest.raises(ShapeError, match=r"belief \(3,\), reading \(2,\)"):
        estimator.update(three, FIX, np.zeros((2, 2)))
    with pytest.raises(ShapeError, match=r"belief \(3,\), reading \(3,\), context \(2,\)"):
        estimator.update(three, SONAR, np.ones((3, 2)), np.ones((2, 2)))
    with pytest.raises(ModelError, match="a belief was expected"):
        estimator.predict([0.0, 0.0, 0.0], ROBOT, None, 0.1)
    with pytest.raises(ModelError, match="a belief was expected"):
        estimator.update(None, FIX, [0.0, 0.0])
    with pytest.raises(ModelError, match="needs Dynamics, not None"):
        estimator.predict(three, None, None, 0.1)
    with pytest.raises(ModelError, match="needs a Sensor, not None"):
        estimator.update(three, None, [0.0, 0.0])


@pytest.mark.parametrize("estimator", [EKF(), UKF()], ids=["EKF", "UKF"])
def test_contexts_of_mounted_sensors(estimator: Any) -> None:
    """What a sensor written in Python says of its context counts on a bigger state, too."""

    class Beacon(PlainSensor):
        context = Space("x y [m]")

    car, sensor = bicycle(), Beacon(SONAR)
    belief = Gaussian.of(car.state, [0.0, 0.0, 0.0, 1.0], std=0.3)
    with pytest.raises(ShapeError, match="needs a context of 2 numbers"):
        estimator.update(belief, sensor, [5.0, 0.9])
    assert estimator.update(belief, sensor, [5.0, 0.9], [[3.0, 4.0], [3.1, 4.1]]).accepted.shape == (2,)


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
    if True:
        run = estimator.run(many, ROBOT, None, np.zeros((5, 2)), 0.1, sensor=FIX)
        shapes = [np.shape(a) for a in (run.beliefs.mean, run.beliefs.cov, run.innovations, run.nis, run.accepted)]
        assert shapes == [(*axes, 5, 3), (*axes, 5, 3, 3), (*axes, 5, 2), (*axes, 5), (*axes, 5)]


@pytest.mark.parametrize("make", [EKF, UKF], ids=["EKF", "UKF"])
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
            with pytest.raises(CovarianceError, match="process noise of.*Odd.*no covariance"):
                call()
    model.Q = np.zeros((3, 3))
    for bad in (np.diag([0.1, -0.1]), np.diag([0.1, np.nan]), np.array([[0.1, 0.2], [0.2, 0.1]])):
        sensor.R = bad
        with pytest.raises(CovarianceError, match="check its noise"):
            filter.update(sensor, [0.1, 0.0])
    np.testing.assert_array_equal(filter.belief.cov, before.cov)


def test_a_traced_model_of_the_wrong_length() -> None:
    from pilotage.models import dynamics

    with pytest.raises(ModelError, match="returned 1 values; 2 rates were expected"):

        @dynamics(state=Space("x y"), action=Space())
        def short(x, u, p, m):
            return (x[0],)

        EKF().predict(Gaussian.of(Space("x y"), [0.0, 0.0], std=1.0), short(), dt=0.1)


def test_protocol_is_what_is_asked() -> None:
    class Nothing:
        pass

    with pytest.raises(ModelError, match="needs Dynamics, not .* of type Nothing"):
        EKF(Nothing())  # type: ignore[arg-type]
    assert issubclass(Plain, Dynamics)
    assert compass(std=0.1).on(ROBOT.state).state == ROBOT.state
