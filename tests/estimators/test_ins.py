"""Inertial navigation: levelling against geometry, and all 15 errors against their covariance in simulated drives."""

from __future__ import annotations

import copy
import pickle
from typing import Any, cast

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.transform import Rotation

from pilotage.core import Gaussian, Readings, SettingError, ShapeError
from pilotage.estimators import EKF, UKF
from pilotage.estimators.localization import InertialNavigation
from pilotage.models import (
    antenna_position,
    constant_velocity,
    gnss,
    heading,
    inertial_navigation,
    nonholonomic,
    standstill,
    velocity,
)

DT = 0.02
DENSITIES: dict[str, Any] = {"gyro_density": 1e-3, "accel_density": 5e-3, "gyro_walk": 1e-4, "accel_walk": 1e-3}
INS = inertial_navigation(**DENSITIES)
FIX, SPEED = gnss(3, std=(0.5, 0.5, 1.0)), velocity(3, std=0.1)
START = np.array([1.0, 1.0, 1.0, 0.01, 0.01, 0.05, 0.2, 0.2, 0.2, *3 * [0.005], *3 * [0.05]])


def turned(x: Any) -> Rotation:
    """From body axes into the world."""
    return Rotation.from_quat(x[..., [4, 5, 6, 3]])


def drives(runs: int, steps: int, rng: np.random.Generator) -> tuple[Any, ...]:
    """Vehicles that weave, and the readings of their IMUs: initial states, states (R, T, 16), IMU (R, T, 6).

    The truth follows the equations of motion without any noise; noise and biases are in the readings alone.
    """
    ideal, space = inertial_navigation(), INS.state
    mean = space.identity()
    mean[7] = 5.0
    first = Gaussian.of(space, mean, std=START).sample(runs, rng=rng)
    x, biases = first.copy(), first[:, 10:].copy()
    x[:, 10:] = 0.0
    xs, us = np.empty((runs, steps, 16)), np.empty((runs, steps, 6))
    white = np.repeat([DENSITIES["gyro_density"], DENSITIES["accel_density"]], 3) / np.sqrt(DT)
    walk = np.repeat([DENSITIES["gyro_walk"], DENSITIES["accel_walk"]], 3) * np.sqrt(DT)
    for k in range(steps):
        t = k * DT
        rates = np.array([0.1 * np.sin(1.1 * t), 0.1 * np.sin(0.7 * t), 0.5 * np.sin(0.3 * t)])
        push = np.array([2.0 * np.sin(0.5 * t), 2.0 * np.cos(0.4 * t), 0.5 * np.sin(0.9 * t)])
        u = np.concatenate([np.tile(rates, (runs, 1)), turned(x).inv().apply(push + [0.0, 0.0, 9.81])], axis=-1)
        x = cast(Any, ideal.step(x, u, DT))
        us[:, k] = u + biases + white * rng.normal(size=(runs, 6))
        biases = biases + walk * rng.normal(size=(runs, 6))
        xs[:, k] = np.concatenate([x[:, :10], biases], axis=-1)
    return Gaussian.of(space, mean, std=START), xs, us


def fixes(xs: Any, every: int, rng: np.random.Generator) -> list[Readings]:
    """Positions and velocities of a GNSS receiver, `every` steps."""
    ts = DT * np.arange(1, xs.shape[1] + 1)[every - 1 :: every]
    seen = xs[:, every - 1 :: every]
    return [
        Readings(FIX, seen[..., :3] + rng.normal(size=seen[..., :3].shape) * [0.5, 0.5, 1.0], ts),
        Readings(SPEED, seen[..., 7:10] + 0.1 * rng.normal(size=seen[..., :3].shape), ts),
    ]


def consistent(runs: int, seconds: float) -> tuple[Any, Any, Any]:
    """Check NEES and NIS of a Monte-Carlo run; errors (R, T, 15), covariances and times of its end."""
    rng, steps = np.random.default_rng(8), round(seconds / DT)
    start, xs, us = drives(runs, steps, rng)
    result = EKF().run(start, INS, us, fixes(xs, 50, rng), ts=DT * np.arange(1, steps + 1))
    k = np.rint(result.ts / DT).astype(int) - 1
    e = INS.state.minus(xs[:, k], result.beliefs.mean)
    nees = np.einsum("rti,rti->rt", e, np.linalg.solve(result.beliefs.cov, e[..., None])[..., 0])
    for t in (5.0, seconds / 2, seconds):
        low, high = stats.chi2.interval(0.999, 15 * runs)
        at = int(np.searchsorted(result.ts, t - 1e-9))
        assert low / runs < nees[:, at].mean() < high / runs, (t, nees[:, at].mean())
    nis = result.nis[result.accepted]
    low, high = stats.chi2.interval(0.999, 3 * nis.size)
    assert low / nis.size < nis.mean() < high / nis.size
    return e, result.beliefs.cov, result.ts


def test_fifteen_errors_are_as_large_as_their_covariance_says() -> None:
    e, P, _ = consistent(runs=20, seconds=20.0)
    found = np.sqrt(np.mean(np.square(e[:, -1]), axis=0))
    assert (np.sqrt(np.diagonal(P[0, -1]))[9:] < 0.5 * START[9:]).all(), "the biases are found"
    assert (found[9:] < 0.6 * START[9:]).all()


@pytest.mark.slow
def test_long_drives_are_consistent() -> None:
    e, P, _ = consistent(runs=100, seconds=120.0)
    bounds = stats.chi2.interval(0.9999, 100)
    each = 100 * np.mean(np.square(e[:, -1]) / np.diagonal(P[:, -1], axis1=1, axis2=2), axis=0)
    assert ((bounds[0] < each) & (each < bounds[1])).all(), each
    assert (np.sqrt(np.mean(np.square(e[:, -1]), axis=0))[9:] < 0.3 * START[9:]).all(), "the biases are found"


@pytest.mark.filterwarnings("ignore:accel reads")
def test_levelling() -> None:
    """At rest, every attitude is found to the size of the accelerometers' biases, and the heading is kept."""
    rng = np.random.default_rng(1)
    for _ in range(5):
        body = Rotation.from_euler("ZYX", rng.uniform([-3.0, -1.0, -3.0], [3.0, 1.0, 3.0]))
        accel = body.inv().apply([0.0, 0.0, 9.81]) + 0.05 * rng.normal(size=(200, 3))
        gyro = [0.01, -0.02, 0.03] + 0.001 * rng.normal(size=(200, 3))
        car = InertialNavigation(still=standstill(std=1e-3)).start(gyro, accel, heading=body.as_euler("ZYX")[0])
        x = car.belief.mean
        assert (turned(x).inv() * body).magnitude() < 0.01
        np.testing.assert_allclose(x[10:13], [0.01, -0.02, 0.03], atol=0.001)
        up = body.inv().apply([0.0, 0.0, 1.0])
        assert up @ car.belief.cov[3:6, 3:6] @ up == pytest.approx(0.1**2, rel=0.05), "the heading's own variance"


def test_an_imu_with_z_down_is_told() -> None:
    """It looks like a vehicle on its back, and is right way up once its axes are turned."""
    down = np.array([0.01, 0.2, -9.8])
    with pytest.warns(RuntimeWarning, match=r"back.*roll of 179 deg.*\(1, -1, -1\)"):
        car = InertialNavigation().start(np.zeros(3), down, heading=0.0)
    assert turned(car.belief.mean).apply([0.0, 0.0, 1.0])[2] < -0.99
    car = InertialNavigation().start(np.zeros(3), down * [1.0, -1.0, -1.0], heading=0.0)
    assert turned(car.belief.mean).apply([0.0, 0.0, 1.0])[2] > 0.99


def test_error_of_the_level_is_that_of_the_accelerometers() -> None:
    """Levelling errs by bias / g; its covariance, with the biases', is what many starts scatter by."""
    rng, runs = np.random.default_rng(2), 400
    navigation = InertialNavigation(accel_bias=0.1, still=standstill(std=[0.01] * 3 + [0.002] * 3 + [0.02] * 3))
    body = Rotation.from_euler("ZYX", [0.7, 0.9, -0.8])
    nees = np.empty(runs)
    for k in range(runs):
        bias, w = 0.1 * rng.normal(size=3), 0.01 * rng.normal(size=3)
        yaw = body.as_euler("ZYX")[0] + 0.1 * rng.normal()
        gyro, accel = w + 0.002 * rng.normal(size=3), body.inv().apply([0.0, 0.0, 9.81]) + bias
        known = navigation.start(gyro, accel + 0.02 * rng.normal(size=3), heading=yaw).belief
        truth = np.concatenate([np.zeros(3), body.as_quat()[[3, 0, 1, 2]], np.zeros(3), w, bias])
        e, some = INS.state.minus(truth, known.mean), [3, 4, 5, *range(9, 15)]
        nees[k] = e[some] @ np.linalg.solve(known.cov[np.ix_(some, some)], e[some])
    low, high = stats.chi2.interval(0.9999, 9 * runs)
    assert low / runs < nees.mean() < high / runs


def test_heading_from_the_course() -> None:
    navigation = InertialNavigation(dt=DT)
    car = navigation.start([0, 0, 0], [0, 0, 9.81], velocity=[0.0, 5.0, 0.0], velocity_std=0.5, standing=False)
    assert turned(car.belief.mean).as_euler("ZYX")[0] == pytest.approx(np.pi / 2)
    assert np.sqrt(car.belief.cov[5, 5]) == pytest.approx(np.hypot(0.1, 0.05), rel=1e-6)
    assert np.sqrt(car.belief.cov[9, 9]) == pytest.approx(0.01), "a moving gyroscope does not read its bias"
    with pytest.raises(SettingError, match="the heading is unknown.*0.5 m/s"):
        navigation.start([0, 0, 0], [0, 0, 9.81], velocity=[0.0, 0.5, 0.0])
    with pytest.raises(SettingError, match="expected those that inertial_navigation"):
        InertialNavigation(constant_velocity(3))
    with pytest.raises(ShapeError, match=r"gyro has shape \(2,\)"):
        navigation.start([0, 0], [0, 0, 9.81], heading=0.0)


def test_heading_is_seen_by_accelerating_only() -> None:
    """At constant velocity the heading's variance does not fall by positions; by an acceleration it does."""
    still, pushed = [0.0, 0.0, 0.0, 0.0, 0.0, 9.81], [0.0, 0.0, 0.0, 3.0, 0.0, 9.81]
    left = []
    for u in (still, pushed):
        car = EKF(INS, dt=DT).start(mean=INS.state.identity(), std=[*START[:9], *3 * [1e-4], *START[12:]])
        for k in range(1, 501):
            car.predict(u=u)
            if k % 50 == 0:
                car.update(FIX, car.belief.mean[:3])
        left.append(float(np.sqrt(car.belief.cov[5, 5])))
    assert left[0] > 0.99 * START[5]
    assert left[1] < 0.7 * START[5]


def test_filter_is_a_filter() -> None:
    """Copies, pickles, gates, missing readings, names and other filters work as everywhere."""
    navigation = InertialNavigation(INS, dt=DT, filter=EKF(gate=0.999))
    car = navigation.start([0, 0, 0], [0, 0, 9.81], heading=0.3, sensors={"antenna": antenna_position(lever=(1, 0, 2))})
    u = [0.0, 0.0, 0.1, 1.0, 0.0, 9.81]
    car.predict(u=u)
    assert car.update("antenna", [1.0, 0.3, np.nan]).accepted
    assert not car.update("antenna", [900.0, 0.0, 0.0]).accepted
    twin, other = copy.deepcopy(car), pickle.loads(pickle.dumps(car))
    for each in (car, twin, other):
        each.predict(u=u)
        each.update(nonholonomic(std=0.1), [0.0, 0.0])
        each.update(heading(), [0.3])
        each.update(standstill(), [0.0, 0.0, 0.0, *6 * [np.nan]])
    np.testing.assert_array_equal(car.belief.mean, twin.belief.mean)
    np.testing.assert_array_equal(car.belief.cov, other.belief.cov)
    unscented = InertialNavigation(INS, dt=DT, filter=UKF()).start([0, 0, 0], [0, 0, 9.81], heading=0.3)
    unscented.predict(u=u)
    car = InertialNavigation(INS, dt=DT).start([0, 0, 0], [0, 0, 9.81], heading=0.3)
    car.predict(u=u)
    np.testing.assert_allclose(unscented.belief.mean, car.belief.mean, atol=1e-2)
