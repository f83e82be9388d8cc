"""Wheels roll: what touches the ground does not slide sideways, and turns as fast as it moves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.models import bicycle, differential_drive, dynamic_bicycle, tricycle, truck

H = 2.0**-12


def rates(family: Any, x: Any, u: Any, **params: Any) -> np.ndarray:
    """dx/dt, from one step of Euler's."""
    model = family(integrator="euler", **params)
    return model.state.minus(model.step(x, u, H), x) / H


def velocity(rate: np.ndarray, turn: Any, yaw: Any, ahead: float, left: float = 0.0) -> np.ndarray:
    """Velocity in the world of a point of a body: that of its origin, and its turn about it."""
    arm = np.stack([ahead * np.cos(yaw) - left * np.sin(yaw), ahead * np.sin(yaw) + left * np.cos(yaw)], -1)
    return rate[..., :2] + turn[..., None] * np.stack([-arm[..., 1], arm[..., 0]], -1)


def rolling(v: np.ndarray, heading: Any) -> tuple[np.ndarray, np.ndarray]:
    """The speed at which a wheel rolls, and the speed at which it slides sideways."""
    c, s = np.cos(heading), np.sin(heading)
    return c * v[..., 0] + s * v[..., 1], c * v[..., 1] - s * v[..., 0]


@pytest.mark.parametrize("family", [bicycle, tricycle])
def test_both_axles_roll(family: Any) -> None:
    model = family()
    x, u = model.state.sample(40, rng=0), model.action.sample(40, rng=1)
    rate, yaw, steer = rates(family, x, u, wheelbase=1.9), x[:, 2], u[:, 1]
    rear, slides = rolling(velocity(rate, rate[:, 2], yaw, 0.0), yaw)
    np.testing.assert_allclose(slides, 0.0, atol=1e-11)
    front, slides = rolling(velocity(rate, rate[:, 2], yaw, 1.9), yaw + steer)
    np.testing.assert_allclose(slides, 0.0, atol=1e-11)
    np.testing.assert_allclose(rear if family is bicycle else front, x[:, 3], atol=1e-11)


def test_all_axles_of_a_truck_roll() -> None:
    x, u = truck().state.sample(40, rng=0), truck().action.sample(40, rng=1)
    rate = rates(truck, x, u, wheelbase=1.3, trailer_length=3.7)
    yaw, trailer_yaw = x[:, 2], x[:, 3]
    cab, slides = rolling(velocity(rate, rate[:, 2], yaw, 0.0), yaw)
    np.testing.assert_allclose(cab, u[:, 0], atol=1e-11)
    np.testing.assert_allclose(slides, 0.0, atol=1e-11)
    slides = rolling(velocity(rate, rate[:, 2], yaw, 1.3), yaw + u[:, 1])[1]
    np.testing.assert_allclose(slides, 0.0, atol=1e-11)
    slides = rolling(velocity(rate, rate[:, 3], trailer_yaw, -3.7), trailer_yaw)[1]
    np.testing.assert_allclose(slides, 0.0, atol=1e-11)


def test_wheels_of_a_differential_drive_roll_as_fast_as_they_turn() -> None:
    model = differential_drive()
    x, u = model.state.sample(40, rng=0), model.action.sample(40, rng=1)
    rate, yaw = rates(differential_drive, x, u, wheel_radius=0.07, track=0.31), x[:, 2]
    for side, wheel in ((0.155, u[:, 0]), (-0.155, u[:, 1])):
        rolls, slides = rolling(velocity(rate, rate[:, 2], yaw, 0.0, side), yaw)
        np.testing.assert_allclose(rolls, 0.07 * wheel, atol=1e-11)
        np.testing.assert_allclose(slides, 0.0, atol=1e-11)


@pytest.mark.parametrize("speed", [-6.0, -0.5, 0.5, 6.0])
def test_tyres_hardly_slip_at_low_speed(speed: float) -> None:
    """Settled, a slow car on real tyres turns as one whose wheels roll, forwards and backwards."""
    car, x = dynamic_bicycle(), np.array([0.0, 0.0, 0.0, speed, 0.0, 0.0])
    for _ in range(200):
        x = car.step(x, [0.0, 0.02], 0.01)
        x[3] = speed
    assert x[5] == pytest.approx(speed * np.tan(0.02) / 2.7, rel=0.03 if abs(speed) < 1.0 else 0.12)


def test_tyres_that_do_not_roll_push_nothing() -> None:
    """Turning the wheels of a parked car does not move it; what slides comes to rest."""
    car = dynamic_bicycle()
    parked = np.array([3.0, 1.0, 0.5, 0.0, 0.0, 0.0])
    np.testing.assert_array_equal(car.step(parked, [0.0, 0.5], 0.1), parked)
    sliding = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 0.4])
    for _ in range(30):
        slower = car.step(sliding, [0.0, 0.0], 0.1)
        assert np.abs(slower[4:]).max() < np.abs(sliding[4:]).max()
        sliding = slower
    assert np.abs(sliding[4:]).max() < 1e-5  # what is left rolls


@pytest.mark.parametrize("family", [bicycle, dynamic_bicycle, tricycle])
def test_left_and_right_are_alike(family: Any) -> None:
    """The mirror image of a drive is a drive."""
    model = family()
    mirror = np.array([1.0, -1.0, -1.0, 1.0, -1.0, -1.0][: model.state.size])
    x, u = model.state.sample(20, rng=0), model.action.sample(20, rng=1)
    there = model.step(x * mirror, u * [1.0, -1.0], 0.05)
    np.testing.assert_allclose(model.state.minus(there, model.step(x, u, 0.05) * mirror), 0.0, atol=1e-10)
