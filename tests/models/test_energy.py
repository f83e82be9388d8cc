"""Conserved quantities stay conserved: an oracle for mass matrices, Coriolis forces and gravity at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.integrate

from pilotage.core import Dynamics
from pilotage.models import acrobot, cart_pole, pendulum, planar_arm, quadrotor

STEPS, DT = 400, 2.5e-3


def orbit(model: Dynamics, x: np.ndarray, dt: float = DT) -> np.ndarray:
    """States along a free motion, without compiling anything."""
    xs = [x]
    for _ in range(STEPS):
        xs.append(model.step(xs[-1], np.zeros((*x.shape[:-1], model.action.size)), dt))
    return np.stack(xs)


def pendulum_energy(x: np.ndarray) -> np.ndarray:
    """A rod of mass 1 and length 1 about its end: inertia 1/3, centre at 1/2; theta is measured from upright."""
    return 0.5 / 3.0 * x[..., 1] ** 2 + 10.0 * 0.5 * np.cos(x[..., 0])


def cart_pole_energy(x: np.ndarray) -> np.ndarray:
    """Cart, and a rod of length 1 whose centre is 0.5 above the cart."""
    _, v, theta, rate = np.moveaxis(x, -1, 0)
    vx, vy = v + 0.5 * rate * np.cos(theta), -0.5 * rate * np.sin(theta)
    return 0.5 * v**2 + 0.05 * (vx**2 + vy**2) + 0.5 * 0.1 / 12.0 * rate**2 + 0.1 * 9.8 * 0.5 * np.cos(theta)


def acrobot_energy(x: np.ndarray) -> np.ndarray:
    t1, t2, r1, r2 = np.moveaxis(x, -1, 0)
    s, w = t1 + t2, r1 + r2
    v1 = 0.5 * r1
    vx, vy = r1 * np.cos(t1) + 0.5 * w * np.cos(s), r1 * np.sin(t1) + 0.5 * w * np.sin(s)
    height = -0.5 * np.cos(t1) + (-np.cos(t1) - 0.5 * np.cos(s))
    return 0.5 * (v1**2 + r1**2) + 0.5 * (vx**2 + vy**2 + w**2) + 9.8 * height


def arm_energy(lengths: Any, masses: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Each rod: centre of mass, its velocity, and its own inertia m L^2 / 12."""

    def energy(x: np.ndarray) -> np.ndarray:
        n = len(lengths)
        angle, spin = x[..., :n].cumsum(-1), x[..., n:].cumsum(-1)
        tip, speed, total = np.zeros((2, *x.shape[:-1])), np.zeros((2, *x.shape[:-1])), 0.0
        for i, (L, mass) in enumerate(zip(lengths, masses, strict=True)):
            along = np.stack([np.cos(angle[..., i]), np.sin(angle[..., i])])
            across = np.stack([-np.sin(angle[..., i]), np.cos(angle[..., i])]) * spin[..., i]
            centre, v = tip + 0.5 * L * along, speed + 0.5 * L * across
            kinetic = 0.5 * mass * (v**2).sum(0) + mass * L**2 / 24.0 * spin[..., i] ** 2
            total = total + kinetic + 9.81 * mass * centre[1]
            tip, speed = tip + L * along, speed + L * across
        return np.asarray(total)

    return energy


LENGTHS, MASSES = (0.5, 0.8, 0.3, 0.4), (1.0, 0.4, 2.0, 0.7)
CASES: dict[str, tuple[Dynamics, Callable[[np.ndarray], np.ndarray]]] = {
    "pendulum": (pendulum(), pendulum_energy),
    "cart_pole": (cart_pole(), cart_pole_energy),
    "acrobot": (acrobot(), acrobot_energy),
    **{
        f"planar_arm {n}": (planar_arm(n, lengths=LENGTHS[:n], masses=MASSES[:n]), arm_energy(LENGTHS[:n], MASSES[:n]))
        for n in (1, 2, 3, 4)
    },
}


@pytest.mark.parametrize("name", CASES)
def test_energy_is_conserved(name: str) -> None:
    model, energy = CASES[name]
    xs = orbit(model, model.state.sample(8, rng=3), DT / 8 if "arm" in name else DT)
    e = energy(xs)
    assert np.ptp(xs, axis=0).max() > 0.1
    assert np.ptp(e, axis=0).max() < 1e-6 * np.abs(e).max()


def test_energy_is_not_trivially_constant() -> None:
    """The same oracle sees a wrong gravity."""
    model, energy = planar_arm(2, lengths=LENGTHS[:2], masses=MASSES[:2], gravity=9.0), CASES["planar_arm 2"][1]
    e = energy(orbit(model, model.state.sample(8, rng=3)))
    assert np.ptp(e, axis=0).max() > 1e-3 * np.abs(e).max()


def test_work_done_on_an_arm() -> None:
    """dE/dt = torque . rate - damping |rate|^2."""
    model, energy = planar_arm(3, lengths=LENGTHS[:3], masses=MASSES[:3], damping=0.3), CASES["planar_arm 3"][1]
    x, u, h = model.state.sample(8, rng=4), model.action.sample(8, rng=4), 1e-5
    now, soon, later = (energy(model.step(x, u, dt)) for dt in (0.0, h, 2 * h))
    gain = (4.0 * soon - later - 3.0 * now) / (2 * h)  # one-sided, of second order
    rates = x[:, 3:]
    np.testing.assert_allclose(gain, (u * rates).sum(-1) - 0.3 * (rates**2).sum(-1), rtol=1e-5, atol=1e-5)


def test_free_quadrotor() -> None:
    """Without thrust and torque: ballistic flight, angular momentum constant in the world, rotational energy too."""
    model = quadrotor()
    x = model.state.sample(6, rng=2)
    x[:, 10:] *= 5.0
    xs = orbit(model, x)
    t = STEPS * DT
    fall = x[:, :3] + x[:, 7:10] * t - np.array([0.0, 0.0, 0.5 * 9.81 * t * t])
    np.testing.assert_allclose(xs[-1][:, :3], fall, atol=1e-12)
    J, w = np.array([2.3e-3, 2.3e-3, 4.0e-3]), xs[..., 10:]
    energy = 0.5 * (J * w**2).sum(-1)
    assert np.ptp(energy, axis=0).max() < 1e-8 * energy.max()
    momentum = turned(xs[..., 3:7], J * w)
    assert np.ptp(momentum, axis=0).max() < 1e-7 * np.abs(momentum).max()


def test_quadrotor_against_newton_and_euler() -> None:
    """Flight under a constant action, by rotation matrices and an adaptive integrator."""
    mass, J, drag = 0.8, np.array([3e-3, 5e-3, 7e-3]), 0.3
    model = quadrotor(mass=mass, inertia=tuple(J), drag=drag, gravity=9.7)
    x = model.state.sample(rng=7)
    thrust, torque = 6.0, np.array([2e-3, -1e-3, 3e-3])

    def rates(t: float, s: np.ndarray) -> np.ndarray:
        R, v, w = s[3:12].reshape(3, 3), s[12:15], s[15:]
        turning = R @ np.array([[0.0, -w[2], w[1]], [w[2], 0.0, -w[0]], [-w[1], w[0], 0.0]])
        push = R[:, 2] * thrust / mass - drag / mass * v - [0.0, 0.0, 9.7]
        return np.concatenate([v, turning.ravel(), push, (torque - np.cross(w, J * w)) / J])

    R = turned(x[3:7], np.eye(3)[:, None])[:, 0].T
    start = np.concatenate([x[:3], R.ravel(), x[7:]])
    end = scipy.integrate.solve_ivp(rates, (0.0, 0.5), start, rtol=1e-11, atol=1e-12).y[:, -1]
    for _ in range(500):
        x = model.step(x, [thrust, *torque], 1e-3)
    np.testing.assert_allclose([*x[:3], *x[7:]], [*end[:3], *end[12:]], atol=1e-8)
    np.testing.assert_allclose(turned(x[3:7], np.eye(3)[:, None])[:, 0].T, end[3:12].reshape(3, 3), atol=1e-8)


def turned(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Vectors in the world, by the rotation matrix of the quaternion."""
    w, x, y, z = np.moveaxis(q, -1, 0)
    R = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return np.einsum("ij...,...j->...i", R, v)


def test_rotors_add_up_to_thrust_and_torque() -> None:
    """Each rotor's lift at its place, and the counter-torque of its drag."""
    a, k = 0.17 / np.sqrt(2.0), 0.016
    places = np.array([[a, a, 0.0], [-a, a, 0.0], [-a, -a, 0.0], [a, -a, 0.0]])
    spin = np.array([1.0, -1.0, 1.0, -1.0])
    f = np.array([1.0, 2.0, 0.5, 1.7])
    torque = np.cross(places, np.array([0.0, 0.0, 1.0]) * f[:, None]).sum(0) + [0.0, 0.0, k * (spin * f).sum()]
    x = quadrotor().state.sample(rng=1)
    by_rotors = quadrotor(rotors=True).step(x, f, 0.05)
    np.testing.assert_allclose(by_rotors, quadrotor().step(x, [f.sum(), *torque], 0.05), atol=1e-12)
