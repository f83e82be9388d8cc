"""Sensors that aid inertial navigation read what geometry and other sensors say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pilotage.models import (
    altimeter,
    antenna_position,
    antenna_velocity,
    course_speed,
    heading,
    inertial_navigation,
    magnetometer,
    nonholonomic,
    standstill,
    tilt,
    velocity,
    wheel_speed,
)

INS = inertial_navigation()
LEVER = (0.7, -0.4, 1.2)
X = INS.state.sample(20, rng=3)
GYRO = np.random.default_rng(4).normal(size=(20, 3))


def turned(x: Any) -> Rotation:
    """From body axes into the world."""
    return Rotation.from_quat(x[..., [4, 5, 6, 3]])


def test_velocity_of_the_antenna_is_the_rate_of_its_position() -> None:
    """Differences over a step that keeps the velocity of the IMU: its force balances gravity."""
    place, speed, h = antenna_position(lever=LEVER).on(INS.state), antenna_velocity(lever=LEVER).on(INS.state), 1e-5
    force = turned(X).inv().apply([0.0, 0.0, 9.81]) + X[:, 13:]
    u = np.concatenate([GYRO, force], axis=-1)
    rate = (place.observe(INS.step(X, u, h)) - place.observe(INS.step(X, u, -h))) / (2 * h)
    np.testing.assert_allclose(speed.observe(X, GYRO), rate, atol=1e-5)


def test_antenna_at_the_imu() -> None:
    np.testing.assert_array_equal(antenna_position().on(INS.state).observe(X), X[:, :3])
    np.testing.assert_array_equal(antenna_velocity().on(INS.state).observe(X), velocity(3).on(INS.state).observe(X))
    near = antenna_velocity(lever=(0.0, 0.0, 0.0)).on(INS.state)
    np.testing.assert_allclose(near.observe(X, GYRO), X[:, 7:10], atol=1e-14)


@pytest.mark.parametrize("lever", [None, LEVER])
def test_vehicle_velocity_in_its_own_axes(lever: Any) -> None:
    """Forward, left and up together are the velocity of the point, turned into the axes of the vehicle."""
    mounting = Rotation.from_euler("xyz", [0.1, -0.3, 0.4])
    settings: dict[str, Any] = {"lever": lever, "mounting": tuple(mounting.as_quat()[[3, 0, 1, 2]])}
    context = [] if lever is None else [GYRO]
    v = antenna_velocity(lever=lever).on(INS.state).observe(X, *context)
    ahead = wheel_speed(scale=1.25, **settings).on(INS.state).observe(X, *context) / 1.25
    aside = nonholonomic(**settings).on(INS.state).observe(X, *context)
    expected = (turned(X) * mounting).inv().apply(v)
    np.testing.assert_allclose(np.concatenate([ahead, aside], axis=-1), expected, atol=1e-12)


def test_standstill_reads_biases_and_gravity() -> None:
    z = standstill(gravity=9.8).on(INS.state).observe(X)
    np.testing.assert_array_equal(z[:, :6], X[:, 7:13])
    rate = (0.0, 4e-5, 5e-5)
    turning = standstill(gravity=9.8, earth_rate=rate).on(INS.state).observe(X)
    np.testing.assert_allclose(turning[:, 3:6], turned(X).inv().apply(rate) + X[:, 10:13], atol=1e-14)
    np.testing.assert_allclose(z[:, 6:], tilt(gravity=9.8).on(INS.state).observe(X) + X[:, 13:], atol=1e-14)


def test_course_and_speed() -> None:
    v = np.random.default_rng(5).normal(size=(30, 2)) * 5.0
    z = course_speed().observe(v)
    np.testing.assert_allclose(z[:, 1:] * np.stack([np.cos(z[:, 0]), np.sin(z[:, 0])], -1), v, atol=1e-14)


def test_noise_of_the_course_is_that_of_the_velocity() -> None:
    """R, carried back to the velocity by the Jacobian, is the same in all directions."""
    for v in ([3.0, 0.0], [-0.3, 8.0]):
        sensor = course_speed(velocity_std=0.4)
        J = np.linalg.inv(sensor.linearize(v))
        np.testing.assert_allclose(J @ sensor.noise(v) @ J.T, 0.16 * np.eye(2), atol=1e-12)


def test_heading_and_field_turn_with_the_body() -> None:
    yaw = turned(X).as_euler("ZYX")[:, 0]
    np.testing.assert_allclose(heading(declination=0.0).on(INS.state).observe(X)[:, 0], yaw, atol=1e-12)
    z = magnetometer(field=(1.0, 20.0, -40.0), bias=(3.0, 2.0, 1.0)).on(INS.state).observe(X)
    np.testing.assert_allclose(turned(X).apply(z - [3.0, 2.0, 1.0]), np.tile([1.0, 20.0, -40.0], (20, 1)), atol=1e-12)


def test_altimeter() -> None:
    np.testing.assert_array_equal(altimeter(offset=80.0).on(INS.state).observe(X), X[:, 2:3] + 80.0)
