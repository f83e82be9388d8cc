"""What is malformed is refused in a sentence, and belief and clock are what they were before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import CovarianceError, Dynamics, Gaussian, ModelError, PilotageError, ShapeError, Space, SpaceError
from pilotage.estimators import EKF, KF, UKF, ParticleFilter
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
    "no context": (lambda f: f.update(SONAR, [1.0, 0.0]), ShapeError, "needs a context of 2 numbers"),
    "long context": (lambda f: f.update(SONAR, [1.0, 0.0], context=[1.0, 2.0, 3.0]), ShapeError, "context of 2 numbers"),
    "sensor of another state": (lambda f: f.update(radar(), [1.0, 0.0, 0.0]), SpaceError, "no component 'vx'"),
    "a class for a sensor": (lambda f: f.update(gnss, [0.0, 0.0]), ModelError, r"needs a Sensor, not function; is \(\) missing"),
    "step back": (lambda f: f.predict(-0.1), PilotageError, "goes back in time"),
    "NaN step": (lambda f: f.predict(np.nan), PilotageError, "takes a finite number of seconds"),
    "time before": (lambda f: f.update(FIX, [0.0, 0.0], t=-1.0), PilotageError, "goes back in time; readings must arrive"),
    "dt and to": (lambda f: f.predict(0.1, to=0.2), PilotageError, "give dt or to, not both"),
    "late reading is bad": (lambda f: f.update(FIX, [np.inf, 0.0], t=5.0), ShapeError, "holds infinity"),
    "two times for three readings": (lambda f: f.run(None, np.zeros((3, 2)), [0.1, 0.2], sensor=FIX), ShapeError, "3 readings need 3 times"),
    "times out of order": (lambda f: f.run(None, np.zeros((3, 2)), [0.1, 0.3, 0.2], sensor=FIX), PilotageError, r"ts\[2\]|back in time"),
    "bad reading in a run": (lambda f: f.run(None, [[0.0, 0.0], [np.inf, 0.0]], sensor=FIX), ShapeError, "holds infinity.*at step 1"),
    "bad action in a run": (lambda f: f.run(np.full((2, 2), np.nan), np.zeros((2, 2)), sensor=FIX), ShapeError, "NaN"),
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
    with pytest.raises(CovarianceError, match="either std or cov"):
        EKF(ROBOT, dt=0.1).start(mean=[0.0, 0.0, 0.0])
    with pytest.raises(ModelError, match="EKF has no dynamics yet; bind them"):
        EKF().start(mean=[0.0], std=1.0)
    with pytest.raises(ModelError, match=r"EKF needs Dynamics, not DynamicsFamily; is \(\) missing"):
        EKF(unicycle)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="a filter holds one belief"):
        EKF(ROBOT, dt=0.1).start(mean=np.zeros((5, 3)), std=1.0)
    with pytest.raises(ModelError, match=r"gate is 99.*probability"):
        EKF(ROBOT, gate=99)
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
    for estimator in (EKF(), ParticleFilter(n=10)):
        for dt in ("soon", np.nan, np.inf, -0.1):
            with pytest.raises(PilotageError, match="a finite number of seconds"):
                estimator.predict(belief, ROBOT, [0.0, 0.0], dt)  # type: ignore[arg-type]
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

    with pytest.raises(ModelError, match="needs Dynamics, not Nothing"):
        EKF(Nothing())  # type: ignore[arg-type]
    assert issubclass(Plain, Dynamics)
    assert compass(std=0.1).on(ROBOT.state).state == ROBOT.state
