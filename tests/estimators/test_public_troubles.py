"""Troubles that users of other libraries reported in public; each test names its thread."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from pilotage.core import Particles, PilotageError, Readings, SettingError, ShapeError, Space
from pilotage.estimators import (
    CKF,
    EKF,
    IEKF,
    IMM,
    KF,
    UKF,
    FixedLagSmoother,
    InformationKF,
    ParticleFilter,
    SquareRootEKF,
    SquareRootKF,
    SquareRootUKF,
    smooth,
)
from pilotage.estimators.localization import InertialNavigation, LandmarkLocalization, Localization
from pilotage.models import (
    compass,
    constant_acceleration,
    constant_turn,
    constant_velocity,
    gnss,
    inertial_navigation,
    normal_gravity,
    position,
    range_bearing,
    unicycle,
)

REST, LEVEL = [0.0, 0.0, 0.0], [0.0, 0.0, 9.81]


@pytest.mark.parametrize(
    "accel", [[0.0, 0.0, 1.0], [0.0, 0.0, 1000.0], [0.01, 0.02, -0.01]], ids=["g", "mg", "removed"]
)
def test_accelerations_in_other_units_are_refused(accel: Any) -> None:
    """gtsam #923, NaveGo #19: readings in g, or without gravity, gave biases as large as gravity, and no error."""
    navigation = InertialNavigation(dt=0.01)
    with pytest.raises(SettingError, match=r"accel is .* long"):
        navigation.start(REST, accel, heading=0.0)
    pushed = navigation.start(REST, [4.0, 0.0, 9.0], velocity=[5.0, 0.0, 0.0], standing=False)
    assert np.linalg.norm(pushed.belief.mean[13:]) < 1.0, "a vehicle that accelerates may start"


def test_rates_and_headings_in_degrees_are_refused() -> None:
    """unitree_sim_isaaclab #105 and many others: at rest, 0.5 degrees/s of bias became 0.4 rad/s."""
    rates = [0.5, -0.3, 0.2]
    with pytest.raises(SettingError, match=r"gyro is \[0.5, -0.3, 0.2\].*gyro_bias"):
        InertialNavigation().start(rates, LEVEL, heading=0.0)
    assert InertialNavigation(gyro_bias=0.3).start(rates, LEVEL, heading=0.0).belief.mean[10] > 0.4
    assert 0.005 < InertialNavigation().start(np.radians(rates), LEVEL, heading=0.0).belief.mean[10] < 0.009
    turning = InertialNavigation().start(rates, LEVEL, velocity=[5.0, 0.0, 0.0], standing=False)
    assert turning.belief.mean[10] == 0.0, "of a vehicle that turns, no bias is read"
    with pytest.raises(SettingError, match=r"heading.*90"):
        InertialNavigation().start(REST, LEVEL, heading=90.0)


def test_latitudes_in_degrees_are_refused() -> None:
    """Every function that takes a latitude says so: gravity and the turning of the Earth are plausible otherwise."""
    for take in (normal_gravity, lambda latitude: inertial_navigation(latitude=latitude)):
        with pytest.raises(ShapeError, match=r"latitude is 51.*radians"):
            take(51.0)
        take(np.pi / 2)


@pytest.mark.parametrize("stamp", [1.7e12, 1.7e18], ids=["ms", "ns"])
def test_stamps_in_other_units_are_refused(stamp: float) -> None:
    """robot_localization #337: "I had a hard time finding out why my sensor readings were seemingly ignored"."""
    robot = EKF(constant_velocity(2), dt=0.1).start(std=1.0)
    before = robot.belief
    with pytest.raises(PilotageError, match="times are in seconds"):
        robot.update(position(2), [0.0, 0.0], t=stamp)
    with pytest.raises(PilotageError, match="times are in seconds"):
        robot.run(None, [Readings(position(2), np.zeros((2, 2)), [stamp, stamp + 1.0])])
    assert robot.t == 0.0 and (robot.belief.cov == before.cov).all()
    late = EKF(constant_velocity(2), dt=0.1).start(std=1.0, t=stamp)
    assert late.update(position(2), [0.0, 0.0], t=stamp).accepted, "a clock may start anywhere"
    robot.predict(to=1.7e9)
    assert robot.t == 1.7e9


@pytest.mark.parametrize("make", [KF, EKF, IEKF, CKF, SquareRootKF, SquareRootEKF, SquareRootUKF, InformationKF])
def test_a_start_that_knows_nothing_and_a_sensor_that_knows_all(make: Any) -> None:
    """autoware_ai #786: a variance of 1e15 and a std of 1e-3 m lost all digits, gains rose above 100."""
    zs = [[1.0, 2.0], [1.1, 2.0], [1.2, 2.0]]
    robot, exact = (f(constant_velocity(2, density=0.1), dt=0.1) for f in (make, InformationKF))
    robot, exact = robot.start(std=np.sqrt(1e15)), exact.start()
    for z in zs:
        robot.step(position(2, std=1e-3), z)
        exact.step(position(2, std=1e-3), z)
    known, wanted = robot.belief.moments(), exact.belief.moments()
    np.testing.assert_allclose(known.mean, wanted.mean, atol=0.02 * wanted.std.max())
    np.testing.assert_allclose(known.std, wanted.std, rtol=0.05)
    assert np.linalg.eigvalsh(known.cov)[0] > 0.0


def test_sigma_points_of_a_heading_that_nobody_knows() -> None:
    """robot_localization PR #672, #906: "ang = 0, std = pi/1.999" had a mean of pi, and NaN a few steps later."""
    for make in (UKF, CKF, SquareRootUKF):
        for std in (np.pi / 1.999, np.pi, 10.0):
            robot = make(unicycle(), dt=0.1).start(mean=[0.0, 0.0, np.pi / 3], std=[1.0, 1.0, std])
            robot.predict(u=[0.0, 0.0])
            assert robot.belief.mean[2] == pytest.approx(np.pi / 3) and robot.belief.std[2] == pytest.approx(
                std, rel=1e-3
            )


def test_modes_of_different_size_and_readings_of_different_size() -> None:
    """filterpy #94, #141: "operands could not be broadcast"; MATLAB answers 1619440: no R of another size later on."""
    imm = IMM((constant_velocity(1), constant_acceleration(1)), 0.5, dt=10.0).start(std=1.0)
    zs = np.random.default_rng(0).uniform(0.0, 2.0, 100)
    for z in zs:
        assert imm.step(position(1), z).accepted
    assert imm.belief.weights.sum() == pytest.approx(1.0)
    assert abs(imm.belief.moments().mean[0] - zs[-1]) < 3.0 * imm.belief.moments().std[0]

    whole, east = (IMM((constant_velocity(2), constant_turn()), 0.9, dt=0.1).start(std=1.0) for _ in range(2))
    wide = position(2, std=[1.0, 1e9])
    for k in range(5):
        whole.step(position(2), [0.1 * k, 0.0])
        whole.step(wide, [0.1 * k, 7.0])
        east.step(position(2), [0.1 * k, 0.0])
        east.step(position(2, std=1.0), [0.1 * k, np.nan])
    np.testing.assert_allclose(whole.belief.weights, east.belief.weights, atol=1e-6)
    np.testing.assert_allclose(whole.belief.moments().mean, east.belief.moments().mean, atol=1e-6)


@pytest.mark.parametrize("turn", [0.0, np.pi / 2, np.pi])
def test_hypotheses_do_not_know_where_west_is(turn: float) -> None:
    """navigation #27, PR #1161: clusters were cut in two at a heading of half a turn, and their spread was wrong."""
    rng, space = np.random.default_rng(0), Space("x y [m]", "yaw: angle")
    first = [0.0, 0.0, turn] + 0.1 * rng.normal(size=(600, 3))
    other = [9.0, 0.0, turn + 1.0] + 0.1 * rng.normal(size=(400, 3))
    where = Localization(Particles(space, space.normalize(np.concatenate([first, other]))))
    assert [round(weight, 6) for weight, _ in where.hypotheses] == [0.6, 0.4]
    assert abs(space.minus(where.best.mean, [0.0, 0.0, turn])).max() < 0.02
    np.testing.assert_allclose(where.best.std, first.std(axis=0), rtol=0.01)


def test_landmarks_behind_the_robot() -> None:
    """mrpt #909: landmarks at bearings beyond 90 degrees were never associated, at 180 degrees least of all."""
    marks = np.array([[-5.0, 0.0], [-4.0, 3.0], [5.0, 1.0], [0.0, -6.0]])
    seen, pose = range_bearing(std=[0.05, np.radians(0.5)]), np.array([0.02, -0.03, 0.01])
    zs = np.array([seen.observe(pose, mark) for mark in marks])
    zs[0, 1] = zs[0, 1] - 2.0 * np.pi if zs[0, 1] > 0.0 else zs[0, 1] + 2.0 * np.pi  # the same direction
    robot = LandmarkLocalization(marks, unicycle(), dt=0.1).start([0.0, 0.0, 0.0], [0.1, 0.1, 0.03])
    assert cast(Any, robot.update(seen, zs)).landmarks.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(robot.belief.mean, pose, atol=0.01)


def test_smoothers_across_half_a_turn() -> None:
    """filterpy #197: "Don't we have to do the same within rts_smoothing?" The heading is in no smoother cut."""
    rng, ts = np.random.default_rng(3), 0.1 * np.arange(1, 61)
    us, x, xs = np.tile([1.0, 0.3], (60, 1)), np.array([0.0, 0.0, np.pi - 0.02]), list[Any]()
    for u in us:
        x = unicycle().step(x, u, 0.1)
        xs.append(x)
    xs = np.array(xs)
    fixes = Readings(gnss(std=0.2), xs[:, :2] + 0.2 * rng.normal(size=(60, 2)), ts)
    north = Readings(compass(std=0.2), xs[:, 2:] + 0.2 * rng.normal(size=(60, 1)), ts)
    for make in (EKF, UKF):
        start = make(unicycle(), dt=0.1).start(mean=[0.0, 0.0, np.pi - 0.05], std=[0.1, 0.1, 0.2])
        run = start.run(us, [fixes, north], ts)
        errors = [
            np.abs(unicycle().state.minus(some.mean[1::2], xs))[:, 2].max() for some in (run.beliefs, smooth(run))
        ]
        assert errors[1] < 0.5 * errors[0] < 0.1


def test_nothing_measured_for_long_and_weights_that_vanish() -> None:
    """particles #79: "all the weights are nan" where data were missing; PythonRobotics #200: their sum was 0."""
    zs = np.full((30, 1), np.nan)
    zs[20:] = 1.0
    run = ParticleFilter(constant_velocity(1), dt=0.1).start(std=1.0, rng=0).run(None, zs, sensor=position(1, std=0.5))
    assert (run.log_likelihood[:20] == 0.0).all() and np.isfinite(run.log_likelihood).all()
    assert abs(run.beliefs[..., -1].moments().mean[0] - 1.0) < 0.3
    robot = ParticleFilter(constant_velocity(2), dt=0.1).start(std=1.0, rng=0)
    lost = robot.step(position(2, std=1e-3), [1e6, -1e6])
    assert not lost.accepted and robot.belief.moments().std[0] > 0.5, "the cloud is kept, and the update says so"
    assert robot.step(position(2, std=0.5), [0.0, 0.0]).accepted


def test_a_lag_takes_nothing_from_the_present() -> None:
    """fuse #262, filterpy #15: the present belief is the filter's, whatever the lag; the past one is the smoother's."""
    zs, filter = np.random.default_rng(0).normal(size=(40, 1)), EKF(constant_velocity(1, density=0.1), dt=0.1)
    run = filter.start(std=1.0).run(None, zs, sensor=position(1))
    past = smooth(run)
    for lag in (0.05, 1.0):
        robot = FixedLagSmoother(filter.start(std=1.0), lag=lag)
        for z in zs:
            robot.step(position(1), z)
        k = round(robot.t / 0.1) - 1
        np.testing.assert_allclose(robot.filter.belief.mean, run.beliefs.mean[-1], atol=1e-12)
        np.testing.assert_allclose(robot.belief.cov, past.cov[k], atol=1e-12)
