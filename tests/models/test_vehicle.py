"""Vehicles do what vehicles do, and their inverses find the action again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import ModelError, ShapeError
from pilotage.models import (
    bicycle,
    bicycle_inverse,
    differential_drive,
    dynamic_bicycle,
    hitch_angle,
    jackknifed,
    trailer_rear,
    tricycle,
    tricycle_inverse,
    truck,
    unicycle,
)


@pytest.mark.parametrize(("family", "inverse"), [(bicycle, bicycle_inverse), (tricycle, tricycle_inverse)])
@pytest.mark.parametrize("dt", [0.02, 0.4])
def test_inverse_round_trip(family: Any, inverse: Any, dt: float) -> None:
    vehicle = family(wheelbase=1.7)
    x = vehicle.state.sample((4, 50), rng=0)
    x[..., 3] *= 4.0
    u = vehicle.action.sample((4, 50), rng=1)
    recovered = inverse(x, vehicle.step(x, u, dt), dt, 1.7)
    rolled = np.abs(x[..., 3] + 0.5 * dt * u[..., 0]) > 1e-3
    assert rolled.mean() > 0.95
    np.testing.assert_allclose(recovered[rolled], u[rolled], atol=1e-9)
    again = vehicle.step(x, recovered, dt)
    np.testing.assert_allclose(vehicle.state.minus(again, vehicle.step(x, u, dt)), 0.0, atol=1e-9)


@pytest.mark.parametrize("inverse", [bicycle_inverse, tricycle_inverse])
def test_inverse_at_standstill(inverse: Any) -> None:
    """A robot that did not move could have steered in any way."""
    assert inverse([1.0, 2.0, 3.0, 0.0], [1.0, 2.0, 3.0, 0.0], 0.1).tolist() == [0.0, 0.0]
    with pytest.raises(ShapeError, match="x1 has shape"):
        inverse([1.0, 2.0, 3.0, 0.0], [1.0, 2.0, 3.0], 0.1)
    with pytest.raises(ShapeError, match=r"batch axes \(3,\) and \(2,\), which do not broadcast"):
        inverse(np.zeros((3, 4)), np.zeros((2, 4)), 0.1)
    with pytest.raises(ModelError, match="states of one instant do not tell the action"):
        inverse(np.zeros(4), np.ones(4), 0.0)


def test_inverse_in_torch_has_gradients() -> None:
    torch = pytest.importorskip("torch")
    car = bicycle()
    x = torch.tensor([[0.0, 0.0, 0.0, 5.0], [0.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    u = torch.tensor([[1.0, 0.1], [0.0, 0.1]], dtype=torch.float64, requires_grad=True)
    recovered = bicycle_inverse(x, car.step(x, u, 0.2), 0.2)
    np.testing.assert_allclose(recovered.detach(), [[1.0, 0.1], [0.0, 0.0]], atol=1e-12)
    recovered.sum().backward()
    np.testing.assert_allclose(u.grad, [[1.0, 1.0], [1.0, 0.0]], atol=1e-9)


def test_circles() -> None:
    """Radius: speed over turn rate; wheelbase over the tangent or sine of the steering."""
    quarter = np.pi / 2
    y = np.array([0.0, 0.0, 0.0])
    for _ in range(100):
        y = unicycle().step(y, [2.0, 1.0], quarter / 100)
    np.testing.assert_allclose(y, [2.0, 2.0, quarter], atol=1e-9)

    car, steer = bicycle(wheelbase=2.7), 0.3
    radius, z = 2.7 / np.tan(steer), np.array([0.0, 0.0, 0.0, 3.0])
    for _ in range(100):
        z = car.step(z, [0.0, steer], quarter * radius / 3.0 / 100)
    np.testing.assert_allclose(z, [radius, radius, quarter, 3.0], atol=1e-8)

    lift, steer = tricycle(wheelbase=1.2), 1.1
    radius, z = 1.2 / np.tan(steer), np.array([0.0, 0.0, 0.0, 1.0])
    for _ in range(200):
        z = lift.step(z, [0.0, steer], quarter * 1.2 / np.sin(steer) / 200)
    np.testing.assert_allclose(z, [radius, radius, quarter, 1.0], atol=1e-8)


def test_tricycle_turns_on_the_spot() -> None:
    y = tricycle(wheelbase=2.0).step([1.0, 1.0, 0.0, 1.0], [0.0, np.pi / 2], 1.0)
    np.testing.assert_allclose(y, [1.0, 1.0, 0.5, 1.0], atol=1e-12)


def test_differential_drive_is_a_unicycle() -> None:
    robot = differential_drive(wheel_radius=0.05, track=0.3)
    x, wheels = robot.state.sample(20, rng=0), robot.action.sample(20, rng=1)
    left, right = wheels.T
    u = np.stack([0.025 * (left + right), 0.05 * (right - left) / 0.3], -1)
    np.testing.assert_allclose(robot.step(x, wheels, 0.1), unicycle().step(x, u, 0.1), atol=1e-14)


def test_dynamic_bicycle_understeers_as_the_textbook_says() -> None:
    """Steady cornering: yaw rate = v steer / (L + K v^2), K = m (b C_r - a C_f) / (L C_f C_r) (Rajamani, 3.3)."""
    car = dynamic_bicycle()
    v, steer = 15.0, 1e-3
    x = np.array([0.0, 0.0, 0.0, v, 0.0, 0.0])
    for _ in range(2000):
        x = car.step(x, [0.0, steer], 0.01)
        x[3] = v
    L, m, C = 2.7, 1500.0, 80e3
    K = m * (1.5 * C - 1.2 * C) / (L * C * C)
    assert x[5] == pytest.approx(v * steer / (L + K * v * v), rel=1e-4)


def test_dynamic_bicycle_slowly_is_the_kinematic_one() -> None:
    """At walking pace the tyres hardly slip: the rear axle follows the kinematic bicycle."""
    stiff = dynamic_bicycle(front_stiffness=8e6, rear_stiffness=8e6)
    x, car = np.array([1.5, 0.0, 0.0, 4.0, 0.0, 0.0]), bicycle(wheelbase=2.7)
    y = np.array([0.0, 0.0, 0.0, 4.0])
    for _ in range(4000):
        x = stiff.step(x, [0.0, 0.05], 5e-4)
        x[3] = 4.0
        y = car.step(y, [0.0, 0.05], 5e-4)
    rear = x[:2] - 1.5 * np.array([np.cos(x[2]), np.sin(x[2])])
    np.testing.assert_allclose([*rear, x[2]], y[:3], atol=0.02)
    assert np.linalg.norm(rear - [8.0, 0.0]) > 0.5


def test_truck_has_the_signs_of_the_reference() -> None:
    """One Euler step of the course's notebook, written out."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y, t0, t1 = rng.uniform(-3.0, 3.0, 4)
        phi, s, L, d = rng.uniform(-0.7, 0.7), -0.1, 1.0, 4.0
        expected = [
            x + s * np.cos(t0),
            y + s * np.sin(t0),
            t0 + s / L * np.tan(phi),
            t1 + s / d * np.sin(t0 - t1),
        ]
        got = truck(integrator="euler").step([x, y, t0, t1], [s, phi], 1.0)
        np.testing.assert_allclose(truck().state.minus(got, expected), 0.0, atol=1e-14)


def test_trailer_straightens_forwards_and_folds_backwards() -> None:
    x = np.array([0.0, 0.0, 0.0, 0.1])
    ahead = back = x
    for _ in range(100):
        ahead, back = truck().step(ahead, [1.0, 0.0], 0.1), truck().step(back, [-1.0, 0.0], 0.1)
    # The hitch angle obeys tan(gamma / 2) ~ exp(-s / d) exactly, s the way driven.
    for end, way in ((ahead, 10.0), (back, -10.0)):
        expected = 2 * np.arctan(np.tan(-0.05) * np.exp(-way / 4.0))
        assert hitch_angle(end) == pytest.approx(expected, rel=1e-6)


def test_steady_hitch_angle_and_jackknife() -> None:
    """sin gamma = (d / L) tan steer where it has a solution; beyond atan(L / d) the truck folds."""
    for steer, folds in ((0.2, False), (0.3, True)):
        xs = [np.zeros(4)]
        for _ in range(400):
            xs.append(truck().step(xs[-1], [1.0, steer], 0.25))
        assert bool(jackknifed(xs).any()) == folds
        if not folds:
            assert hitch_angle(xs[-1]) == pytest.approx(np.arcsin(4.0 * np.tan(steer)), abs=1e-5)


def test_trailer_rear() -> None:
    x = truck().state.sample((2, 3), rng=0)
    back = trailer_rear(x, 3.0)
    assert back.shape == (2, 3, 2)
    np.testing.assert_allclose(np.linalg.norm(x[..., :2] - back, axis=-1), 3.0)
    np.testing.assert_allclose(np.arctan2(*np.moveaxis(x[..., :2] - back, -1, 0)[::-1]), x[..., 3], atol=1e-12)
