"""Inertial navigation against integrals of the equations of motion by other means, and Q against Van Loan's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.spatial.transform import Rotation

from pilotage.core import SettingError
from pilotage.models import ctra, inertial_navigation, planar_navigation
from pilotage.models.navigation import EARTH_RATE

DENSITIES: dict[str, Any] = {"gyro_density": 0.02, "accel_density": 0.3, "gyro_walk": 0.01, "accel_walk": 0.2}


def states(count: int) -> tuple[Any, Any]:
    space, rng = inertial_navigation().state, np.random.default_rng(0)
    return space.sample(count, rng=1), rng.normal(size=(count, 6)) * [1, 1, 1, 5, 5, 5]


def cross_matrix(w: Any) -> Any:
    x, y, z = w
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


@pytest.mark.parametrize("dt", [1e-3, 0.4, 2.0])
def test_step_integrates_the_equations_of_motion(dt: float) -> None:
    """Both sides of the switch of its series: turns of a milliradian and of more than one radian."""
    xs, us = states(4)
    for x, u in zip(xs, us, strict=True):
        w, f = u[:3] - x[10:13], u[3:] - x[13:]
        R = Rotation.from_quat(x[[4, 5, 6, 3]])

        def rates(t: float, y: Any, R: Any = R, w: Any = w, f: Any = f) -> Any:
            return [*y[3:], *((R * Rotation.from_rotvec(w * t)).apply(f) - [0.0, 0.0, 9.81])]

        moved = solve_ivp(rates, (0.0, dt), [*x[:3], *x[7:10]], rtol=1e-11, atol=1e-12).y[:, -1]
        y = inertial_navigation().step(x, u, dt)
        np.testing.assert_allclose([*y[:3], *y[7:10]], moved, atol=1e-8)
        turned = R * Rotation.from_rotvec(w * dt)
        assert (turned.inv() * Rotation.from_quat(y[[4, 5, 6, 3]])).magnitude() < 1e-12
        np.testing.assert_array_equal(y[10:], x[10:])


def test_two_steps_are_one() -> None:
    ins, (xs, us) = inertial_navigation(), states(50)
    once, twice = ins.step(xs, us, 0.5), ins.step(ins.step(xs, us, 0.2), us, 0.3)
    np.testing.assert_allclose(ins.state.minus(twice, once), 0.0, atol=1e-12)


def test_body_at_rest_on_a_turning_earth_stays() -> None:
    latitude = 0.9
    ins, (xs, _) = inertial_navigation(latitude=latitude), states(1)
    x = np.array([0.0, 0.0, 0.0, *xs[0, 3:7], *np.zeros(9)])
    to_body = Rotation.from_quat(x[[4, 5, 6, 3]]).inv()
    earth = EARTH_RATE * np.array([0.0, np.cos(latitude), np.sin(latitude)])
    u = np.concatenate([to_body.apply(earth), to_body.apply([0.0, 0.0, 9.81])])
    np.testing.assert_allclose(ins.rollout(x, np.tile(u, (1000, 1)), 3.6)[-1], x, atol=1e-6)  # for an hour
    # Without the Earth, the same gyroscope turns the body by 15 degrees in this hour.
    fast = inertial_navigation().rollout(x, np.tile(u, (1000, 1)), 3.6)[-1]
    assert (to_body * Rotation.from_quat(fast[[4, 5, 6, 3]])).magnitude() == pytest.approx(EARTH_RATE * 3600, rel=1e-9)


def test_coriolis() -> None:
    """A force that balances gravity leaves ``v' = -2 e x v``, a turn of the velocity."""
    latitude, v = -0.5, np.array([200.0, -30.0, 5.0])
    ins = inertial_navigation(latitude=latitude)
    earth = EARTH_RATE * np.array([0.0, np.cos(latitude), np.sin(latitude)])
    x = ins.state.identity()
    x[7:10] = v
    to_world = Rotation.identity()
    for _ in range(200):
        u = np.concatenate([earth, to_world.inv().apply([0.0, 0.0, 9.81])])
        x = ins.step(x, u, 0.1)
    np.testing.assert_allclose(x[7:10], expm(-2.0 * cross_matrix(earth) * 20.0) @ v, atol=1e-5)
    assert abs(x[7:10] - v).max() > 0.05


def van_loan(A: Any, G: Any, stds: Any, dt: float) -> Any:
    """Covariance of the noise after dt seconds of ``e' = A e + G n``, by a matrix exponential."""
    n = len(A)
    M = expm(np.block([[-A, (G * np.square(stds)) @ G.T], [np.zeros((n, n)), A.T]]) * dt)
    return M[n:, n:].T @ M[:n, n:]


def error_dynamics(x: Any, u: Any) -> tuple[Any, Any]:
    """``e' = A e + G n`` of position, attitude in the body, velocity and biases; noises in the order of DENSITIES."""
    R = Rotation.from_quat(x[[4, 5, 6, 3]]).as_matrix()
    w, f, eye, A, G = u[:3] - x[10:13], u[3:] - x[13:], np.eye(3), np.zeros((15, 15)), np.zeros((15, 12))
    A[0:3, 6:9] = eye
    A[3:6, 3:6], A[3:6, 9:12] = -cross_matrix(w), -eye
    A[6:9, 3:6], A[6:9, 12:15] = -R @ cross_matrix(f), -R
    G[3:6, :3], G[6:9, 3:6], G[9:12, 6:9], G[12:15, 9:12] = -eye, -R, eye, eye
    return A, G


@pytest.mark.parametrize(("turning", "dt", "tolerance"), [(0.0, 0.5, 1e-9), (1.0, 0.01, 0.02)])
def test_noise_is_that_of_white_noise_through_the_chain(turning: float, dt: float, tolerance: float) -> None:
    ins, (xs, us) = inertial_navigation(**DENSITIES), states(5)
    xs[:, 10:13] = us[:, :3] * (1.0 - turning)
    stds = np.repeat(list(DENSITIES.values()), 3)
    for x, u in zip(xs, us, strict=True):
        expected, Q = van_loan(*error_dynamics(x, u), stds, dt), ins.noise(x, u, dt)
        scale = np.sqrt(np.diag(expected))
        np.testing.assert_allclose(Q / np.outer(scale, scale), expected / np.outer(scale, scale), atol=tolerance)


def test_noise_of_two_steps_is_that_of_one() -> None:
    ins, (xs, us) = inertial_navigation(**DENSITIES), states(5)
    xs[:, 10:13] = us[:, :3]  # no turning, where Q is exact
    F, Q = ins.linearize(xs, us, 0.3)[0], ins.noise(xs, us, 0.3)
    after = ins.noise(ins.step(xs, us, 0.3), us, 0.3)
    np.testing.assert_allclose(F @ Q @ np.swapaxes(F, 1, 2) + after, ins.noise(xs, us, 0.6), rtol=1e-9, atol=1e-12)


def test_planar_navigation_drives_as_ctra() -> None:
    step = planar_navigation().step([1.0, 2.0, 0.3, 8.0, 0.02, -0.1], [0.4, 0.52], 0.1)
    expected = ctra().step([1.0, 2.0, 0.3, 8.0, 0.5, 0.5], [], 0.1)
    np.testing.assert_allclose(step[:4], expected[:4], atol=1e-8)


def test_planar_noise() -> None:
    dt, yaw, v = 0.4, 0.7, 6.0
    A, G = np.zeros((6, 6)), np.zeros((6, 4))
    A[0, 2:4], A[1, 2:4] = (-v * np.sin(yaw), np.cos(yaw)), (v * np.cos(yaw), np.sin(yaw))
    A[2, 4] = A[3, 5] = -1.0
    G[2, 0] = G[3, 1] = G[4, 2] = G[5, 3] = 1.0
    Q = planar_navigation(**DENSITIES).noise([1.0, 2.0, yaw, v, 0.1, 0.2], [0.2, 0.1], dt)
    np.testing.assert_allclose(Q, van_loan(A, G, list(DENSITIES.values()), dt), rtol=1e-9, atol=1e-12)


def test_latitude_is_a_number() -> None:
    with pytest.raises(SettingError, match="latitude is 'north'"):
        inertial_navigation(latitude="north")  # pyright: ignore[reportArgumentType]


def test_noise_is_symmetric_and_of_full_rank() -> None:
    Q = inertial_navigation().noise(*states(1), 0.01)[0]
    np.testing.assert_array_equal(Q, Q.T)
    assert np.linalg.eigvalsh(Q / np.sqrt(np.outer(np.diag(Q), np.diag(Q)))).min() > 0.0
