"""Closed forms of free motion against matrix exponentials, quadrature and the formulas of the literature."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg

from pilotage.models import constant_acceleration, constant_turn, constant_velocity, ctra, ctrv, singer


def covariance(A: np.ndarray, G: np.ndarray, density: float, dt: float) -> np.ndarray:
    """int_0^dt e^{As} G q G' e^{A's} ds by adaptive quadrature."""

    def integrand(s: float) -> np.ndarray:
        J = scipy.linalg.expm(A * s) @ G * density
        return J @ J.T

    return scipy.integrate.quad_vec(integrand, 0.0, dt, epsabs=1e-14, epsrel=1e-12)[0]


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("dt", [0.1, 2.0])
@pytest.mark.parametrize("order", [2, 3])
def test_polynomial_motion(axes: int, dt: float, order: int) -> None:
    family: Any = {2: constant_velocity, 3: constant_acceleration}[order]
    model = family(axes, density=0.7)
    A = np.kron(np.eye(order, k=1), np.eye(axes))
    G = np.kron(np.eye(order)[:, -1:], np.eye(axes))
    x = model.state.sample(rng=0)
    np.testing.assert_allclose(model.step(x, [], dt), scipy.linalg.expm(A * dt) @ x, atol=1e-12)
    np.testing.assert_allclose(model.noise(x, [], dt), covariance(A, G, 0.7, dt), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("h", [1e-6, 1e-3, 0.1, 0.5, 0.999, 1.0, 1.001, 3.0, 30.0])
def test_singer_keeps_its_digits(h: float) -> None:
    """Singer's transition and covariance in fifty digits, over ten orders of magnitude of dt / tau."""
    tau, std = 4.0, 1.5
    model = singer(1, tau=tau, accel_std=std)
    F, Q = singer_in_long_numbers(h * tau, tau, std)
    got_F, _ = model.linearize(np.zeros(3), [], h * tau)
    np.testing.assert_allclose(got_F, F, rtol=1e-13, atol=0)
    np.testing.assert_allclose(model.noise(np.zeros(3), [], h * tau), Q, rtol=1e-12, atol=0)


@mpmath.workdps(50)
def singer_in_long_numbers(dt: float, tau: float, std: float) -> tuple[np.ndarray, np.ndarray]:
    a, T = mpmath.mpf(1) / mpmath.mpf(tau), mpmath.mpf(dt)
    e, e2 = mpmath.exp(-a * T), mpmath.exp(-2 * a * T)
    F = [[1, T, (a * T - 1 + e) / a**2], [0, 1, (1 - e) / a], [0, 0, e]]
    q11 = (1 - e2 + 2 * a * T + 2 * (a * T) ** 3 / 3 - 2 * (a * T) ** 2 - 4 * a * T * e) / (2 * a**5)
    q12 = (e2 + 1 - 2 * e + 2 * a * T * e - 2 * a * T + (a * T) ** 2) / (2 * a**4)
    q13 = (1 - e2 - 2 * a * T * e) / (2 * a**3)
    q22 = (4 * e - 3 - e2 + 2 * a * T) / (2 * a**3)
    q23 = (e2 + 1 - 2 * e) / (2 * a**2)
    q33 = (1 - e2) / (2 * a)
    Q = [[q * 2 * a * std**2 for q in row] for row in ([q11, q12, q13], [q12, q22, q23], [q13, q23, q33])]
    return np.array(F, dtype=float), np.array(Q, dtype=float)


def test_singer_limits() -> None:
    """Long manoeuvres are constant acceleration, short ones constant velocity with white acceleration."""
    long, white_jerk = singer(2, tau=1e7, accel_std=1.0), constant_acceleration(2, density=np.sqrt(2.0 / 1e7))
    x = long.state.sample(rng=1)
    np.testing.assert_allclose(long.step(x, [], 0.7), white_jerk.step(x, [], 0.7), rtol=1e-6)
    np.testing.assert_allclose(long.noise(x, [], 0.7), white_jerk.noise(x, [], 0.7), rtol=1e-6)
    brief = singer(1, tau=1e-4, accel_std=30.0)
    white = constant_velocity(1, density=30.0 * np.sqrt(2.0 * 1e-4))
    np.testing.assert_allclose(brief.noise(np.zeros(3), [], 1.0)[:2, :2], white.noise([0, 0], [], 1.0), rtol=1e-3)


@pytest.mark.parametrize("w", [0.0, 1e-9, 1e-3, 0.8, -2.5])
@pytest.mark.parametrize("axes", [2, 3])
def test_constant_turn_is_a_rotation_of_velocity(w: float, axes: int) -> None:
    model, dt = constant_turn(axes), 0.7
    x = model.state.sample(rng=2)
    x[-1] = w
    A = np.zeros((2 * axes, 2 * axes))
    A[:axes, axes:] = np.eye(axes)
    A[axes, axes + 1], A[axes + 1, axes] = -w, w
    y = model.step(x, [], dt)
    np.testing.assert_allclose(y[:-1], scipy.linalg.expm(A * dt) @ x[:-1], atol=1e-13)
    assert y[-1] == w


@pytest.mark.parametrize("w", [0.0, 1e-9, 1e-4, 0.3, 1.9, -3.5])
@pytest.mark.parametrize("accelerating", [False, True])
def test_turning_along_the_heading(w: float, accelerating: bool) -> None:
    """Against adaptive integration of x' = v cos yaw, y' = v sin yaw."""
    model, dt = (ctra() if accelerating else ctrv()), 1.1
    x = model.state.sample(rng=3)
    x[4] = w
    a = x[5] if accelerating else 0.0

    def rates(t: float, s: np.ndarray) -> list[float]:
        yaw, v = x[2] + w * t, x[3] + a * t
        return [v * np.cos(yaw), v * np.sin(yaw)]

    place = scipy.integrate.solve_ivp(rates, (0.0, dt), x[:2], rtol=1e-12, atol=1e-13).y[:, -1]
    y = model.step(x, [], dt)
    np.testing.assert_allclose(y[:2], place, atol=1e-10)
    np.testing.assert_allclose(np.sin(y[2] - x[2] - w * dt), 0.0, atol=1e-14)
    np.testing.assert_allclose(y[3:], [x[3] + a * dt, w, *x[5:]], atol=1e-14)


@pytest.mark.parametrize("family", [ctrv, ctra, constant_turn])
def test_straight_motion_is_the_limit_of_turning(family: Any) -> None:
    """Step, Jacobian and noise pass smoothly through a turn rate of zero."""
    model, dt = family(), 0.9
    x = model.state.sample(rng=4)
    turning = model.state.index("yaw_rate")

    def at(w: float) -> np.ndarray:
        y = x.copy()
        y[turning] = w
        F, _ = model.linearize(y, [], dt)
        return np.concatenate([model.step(y, [], dt), F.ravel(), model.noise(y, [], dt).ravel()])

    h = 1e-4
    straight = at(0.0)
    assert np.isfinite(straight).all()
    np.testing.assert_allclose(straight, 0.5 * (at(h) + at(-h)), atol=1e-6)
    for w in (1e-12, 1e-9, -1e-7):
        np.testing.assert_allclose(straight + w * (at(h) - at(-h)) / (2 * h), at(w), atol=1e-12)


@pytest.mark.parametrize("family", [ctrv, ctra, constant_turn])
def test_turn_noise_is_exact_for_straight_motion(family: Any) -> None:
    """Linearized about straight motion the covariance follows P' = A P + P A' + G G'."""
    model, dt = family(density=0.6, turn_density=0.3), 0.8
    n = model.state.size
    x = np.zeros(n)
    if family is constant_turn:
        x[2:4] = 3.0, -2.0
        A, G = np.zeros((5, 5)), np.zeros((5, 3))
        A[0, 2] = A[1, 3] = 1.0
        A[2, 4], A[3, 4] = -x[3], x[2]
        G[2, 0] = G[3, 1] = 0.6
        G[4, 2] = 0.3
    else:
        x[2:4] = 0.9, 4.0
        c, s = np.cos(0.9), np.sin(0.9)
        A, G = np.zeros((n, n)), np.zeros((n, 2))
        A[:2, 3], A[:2, 2], A[2, 4] = (c, s), (-4.0 * s, 4.0 * c), 1.0
        if family is ctra:
            A[3, 5] = 1.0
        G[n - 1 if family is ctra else 3, 0], G[4, 1] = 0.6, 0.3
    np.testing.assert_allclose(model.noise(x, [], dt), covariance(A, G, 1.0, dt), rtol=1e-9, atol=1e-12)
