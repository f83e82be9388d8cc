"""The invariant EKF: which side fits a sensor, what it does to the covariance, and that it is consistent."""

from __future__ import annotations

import copy
import math
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pilotage.core import Gaussian, Readings, Sensor, SettingError, Space, carry
from pilotage.core.mathematics import Mathematics
from pilotage.estimators import EKF, UKF, InvariantEKF
from pilotage.estimators.inekf import fitting_side
from pilotage.models import compass, discrete_dynamics, dynamics, gnss, gyroscope, range_bearing, relative_pose, tilt


@dynamics(state=Space("pose: SE2"), action=Space("v [m/s]", "turn [rad/s]"), noise=(0.02, 0.01, 0.02))
def rover(x: Any, u: Any, p: Any, m: Mathematics) -> Any:
    return u[0], 0.0, u[1]


RIGHT, LEFT = rover(), rover().perturbed("left")
START = Gaussian.of(RIGHT.state, [1.0, 2.0, 0.5], cov=[[0.04, 0.01, 0.02], [0.01, 0.09, 0.0], [0.02, 0.0, 0.16]])
FIX, SONAR = gnss(std=0.5), range_bearing(std=(0.1, 0.05))
MARK = [3.0, 4.0]


def test_sides_of_sensors() -> None:
    for state in (RIGHT.state, LEFT.state, RIGHT.state * Space("bias")):
        assert fitting_side(FIX.on(state)) == "right"
        assert fitting_side(SONAR.on(state)) == "left"
        assert fitting_side(relative_pose().on(state)) == "left"
        assert fitting_side(compass().on(state)) is None, "a yaw is the same on both sides"
    attitude = Space("q: quaternion")
    assert fitting_side(tilt().on(attitude)) == "left"
    assert fitting_side(gyroscope().on(Space("q: quaternion", "wx wy wz [rad/s]"))) is None
    assert fitting_side(gnss(3).on(Space("nav: SE3[v]"))) == "right"
    assert fitting_side(FIX.on(Space("x y", "yaw: angle"))) is None


@pytest.mark.parametrize(
    ("sensor", "z", "c", "fits"), [(FIX, [1.5, 2.5], None, RIGHT), (SONAR, [3.0, 0.9], MARK, LEFT)]
)
def test_it_is_the_ekf_on_the_side_that_fits(sensor: Any, z: Any, c: Any, fits: Any) -> None:
    """Whatever the side of the state; on the other side the EKF finds the same mean and another covariance."""
    exact = EKF().update(carry(START, fits.state), sensor, z, c).belief
    for model in (RIGHT, LEFT):
        belief = InvariantEKF().update(carry(START, model.state), sensor, z, c).belief
        np.testing.assert_allclose(belief.mean, exact.mean, atol=1e-12)
        np.testing.assert_allclose(carry(belief, fits.state).cov, exact.cov, atol=1e-12)
    other = LEFT if fits is RIGHT else RIGHT
    differs = EKF().update(carry(START, other.state), sensor, z, c).belief
    np.testing.assert_allclose(differs.mean, exact.mean, atol=1e-12)
    assert np.abs(carry(differs, fits.state).cov - exact.cov).max() > 1e-3


def test_a_side_may_be_forced() -> None:
    for side, model in (("right", RIGHT), ("left", LEFT)):
        for sensor, z, c in ((FIX, [1.5, 2.5], None), (SONAR, [3.0, 0.9], MARK)):
            exact = EKF().update(carry(START, model.state), sensor, z, c).belief
            forced: Any = InvariantEKF(side=side)  # type: ignore[arg-type]
            np.testing.assert_allclose(forced.update(START, sensor, z, c).belief.cov, carry(exact, START.space).cov,
                                       atol=1e-12)  # fmt: skip
    with pytest.raises(SettingError):
        InvariantEKF(side="world")  # type: ignore[arg-type]


def test_predictions_of_both_sides_are_one() -> None:
    for estimator in (EKF(), InvariantEKF()):
        right = estimator.predict(START, RIGHT, [1.0, 0.3], 0.5)
        left = estimator.predict(carry(START, LEFT.state), LEFT, [1.0, 0.3], 0.5)
        np.testing.assert_allclose(carry(left, RIGHT.state).cov, right.cov, atol=1e-13)


def test_readings_that_are_missing_or_refused_change_nothing() -> None:
    draw, n = np.random.default_rng(1), 20
    x = START.sample(n, rng=draw)
    z = SONAR.on(RIGHT.state).observe(x, MARK)
    z[:5], z[5:10, 0] = np.nan, 50.0
    beliefs = Gaussian(RIGHT.state, x, START.cov)
    update = InvariantEKF(gate=0.999).update(beliefs, SONAR, z, MARK)
    assert update.accepted.tolist() == [False] * 10 + [True] * 10
    np.testing.assert_array_equal(update.belief.cov[:10], beliefs.cov[:10])
    np.testing.assert_array_equal(update.belief.mean[:10], beliefs.mean[:10])
    for i in range(n):
        alone = InvariantEKF(gate=0.999).update(beliefs[i], SONAR, z[i], MARK)
        np.testing.assert_allclose(alone.belief.cov, update.belief.cov[i], atol=1e-13)
    np.testing.assert_array_equal(update.belief.cov, update.belief.cov.swapaxes(1, 2))


def test_a_run_over_two_sensors_is_the_filter_step_by_step() -> None:
    """Sensors of either side in one run, batches, copies and pickles."""
    draw = np.random.default_rng(2)
    us, zs, seen = np.tile([1.0, 0.4], (30, 1)), draw.standard_normal((3, 10, 2)), 3.0 + draw.random((3, 15, 2))
    readings = [Readings(FIX, zs, 0.3 * np.arange(1, 11)), Readings(SONAR, seen, 0.2 * np.arange(1, 16), [MARK] * 15)]
    start = Gaussian(RIGHT.state, START.sample(3, rng=draw), START.cov)
    run = InvariantEKF(dt=0.1).run(start, RIGHT, us, readings, ts=0.1 * np.arange(1, 31))
    filter = InvariantEKF(RIGHT, dt=0.1).start(belief=start[1])
    for k in range(30):
        filter.predict(u=us[k])
        if k == 12:
            filter = pickle.loads(pickle.dumps(copy.deepcopy(filter)))
        if k % 3 == 2:
            filter.update(FIX, zs[1, k // 3])
        if k % 2 == 1:
            filter.update(SONAR, seen[1, k // 2], context=MARK)
    np.testing.assert_allclose(run.beliefs.mean[1, -1], filter.belief.mean, atol=1e-9)
    np.testing.assert_allclose(run.beliefs.cov[1, -1], filter.belief.cov, atol=1e-9)


def test_a_state_of_both_sides() -> None:
    """Each part is put on the side of the sensor, whatever its own; also by a sensor without noise."""
    exact = carry(START, LEFT.state).moments()
    both = Space("pose: SE2", "arm: SE2 left")
    rest = Gaussian.of(Space("arm: SE2 left"), [1.0, 1.0, 0.3], std=0.2)
    belief = carry(START, both, rest)
    sonar = range_bearing(std=0.1, reads="pose.x pose.y pose.yaw")
    update = InvariantEKF().update(belief, sonar, [3.0, 0.9], MARK).belief
    alone = InvariantEKF().update(exact, range_bearing(std=0.1), [3.0, 0.9], MARK).belief
    np.testing.assert_allclose(carry(update, LEFT.state).cov, alone.cov, atol=1e-12)
    np.testing.assert_allclose(update.marginal("arm").cov, rest.cov, atol=1e-12)
    sure = InvariantEKF().update(START, gnss(std=0.0), [1.1, 2.1]).belief
    np.testing.assert_allclose(sure.mean[:2], [1.1, 2.1], atol=1e-2)


@dataclass
class Beacon(Sensor):
    """A sensor that is no traced function: the position in the body of something at the origin."""

    state, reading, context = RIGHT.state, Space("a b [m]"), Space()

    def observe(self, x: Any, context: Any = None) -> Any:
        c, s = np.cos(x[..., 2]), np.sin(x[..., 2])
        return np.stack([-c * x[..., 0] - s * x[..., 1], s * x[..., 0] - c * x[..., 1]], -1)

    def noise(self, x: Any, context: Any = None) -> Any:
        return np.broadcast_to(0.01 * np.eye(2), (*np.shape(x)[:-1], 2, 2))


def test_sensors_that_are_no_formula() -> None:
    beacon, z = Beacon(), [-1.0, -1.8]
    exact = EKF(gate=None).update(START, beacon, z).belief
    assert fitting_side(beacon) == "left"
    belief = InvariantEKF(side="right").update(START, beacon, z).belief
    np.testing.assert_allclose(belief.cov, exact.cov, atol=1e-12)
    assert np.abs(InvariantEKF(side="left").update(START, beacon, z).belief.cov - exact.cov).max() > 1e-4


# -- consistency: a robot on a circle whose heading is off by 45 degrees, with GNSS

CIRCLE = np.array([0.8, 0.0, 0.157])
ODOMETRY = (0.005, 0.005, math.radians(0.5))


def robot(text: str) -> Any:
    """A robot with odometry of both directions."""

    @discrete_dynamics(state=Space(*text.split("; ")), action=Space("v w turn"), action_noise=ODOMETRY)
    def step(x: Any, u: Any, dt: Any, p: Any, m: Mathematics) -> Any:
        c, s = m.cos(x[2]), m.sin(x[2])
        return x[0] + (c * u[0] - s * u[1]) * dt, x[1] + (s * u[0] + c * u[1]) * dt, x[2] + u[2] * dt

    return step()


def nees(estimator: Any, text: str, runs: int = 200, steps: int = 400, dt: float = 0.1) -> Any:
    """NEES of pose at the ends of runs with the same truth and readings, whatever the filter."""
    draw, model = np.random.default_rng(3), robot(text)
    us = np.tile(CIRCLE, (steps, 1))
    truth = model.rollout(np.zeros(3), us, dt)
    noisy = us + draw.normal(size=(runs, steps, 3)) * ODOMETRY
    zs = truth[10::10, :2] + draw.normal(size=(runs, steps // 10, 2))
    mean = np.zeros((runs, 3))
    mean[:, 2] = math.radians(45.0) * draw.normal(size=runs)
    yaw_only = np.diag([1e-12, 1e-12, math.radians(45.0) ** 2])
    start = Gaussian(model.state.perturbed("right"), mean, yaw_only)
    readings = Readings(gnss(std=1.0), zs, dt * np.arange(10, steps + 1, 10))
    run = estimator.run(carry(start, model.state), model, noisy, readings, ts=dt * np.arange(1, steps + 1))
    last = run.beliefs[:, -1]
    e = model.state.minus(truth[-1], last.mean)
    return (e * np.linalg.solve(last.cov, e[..., None])[..., 0]).sum(-1)


@pytest.mark.parametrize(("estimator", "text"), [(InvariantEKF(), "pose: SE2"), (UKF(), "pose: SE2"),
                                                 (UKF(), "pose: SE2 left")])  # fmt: skip
def test_filters_on_the_group_are_consistent(estimator: Any, text: str) -> None:
    values = nees(estimator, text)
    low, high = stats.chi2.interval(0.999, 3 * len(values))
    assert low < values.sum() < high, values.mean()


def test_the_ekf_of_separate_numbers_is_not() -> None:
    values = nees(EKF(), "x y [m]; yaw: angle")
    assert values.sum() > 3.0 * stats.chi2.ppf(0.999, 3 * len(values)), values.mean()
