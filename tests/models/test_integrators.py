"""Runge-Kutta rules keep their order on every kind of space."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg

from pilotage.core import ModelError, Space
from pilotage.models import dynamics

ORDERS = {"euler": 1, "midpoint": 2, "rk4": 4}
NONE = Space()


@dynamics(state=Space("pose: SE2", "phase [rad]"), action=NONE)
def wandering(x: Any, u: Any, p: Any, m: Any) -> Any:
    px, _, yaw, phase = x
    return 1.0 + 0.5 * m.sin(phase), 0.3 * m.cos(2.0 * phase) + 0.1 * px, 0.8 + 0.6 * m.sin(phase + yaw), 1.0


@dynamics(state=Space("q: quaternion", "phase [rad]"), action=NONE)
def tumbling(x: Any, u: Any, p: Any, m: Any) -> Any:
    w, i, j, _, phase = x
    return m.sin(phase) + w * i, 1.0 + 0.5 * m.cos(phase), 0.7 - w * j, 1.0


@dynamics(state=Space("body: SE3", "phase [rad]"), action=NONE)
def flying(x: Any, u: Any, p: Any, m: Any) -> Any:
    phase, w, i = x[7], x[3], x[4]
    return 1.0 + w * i, m.sin(phase), 0.2 * m.cos(phase), 0.6 * m.cos(phase), 0.5 + w * i, 0.8 * m.sin(2.0 * phase), 1.0


@dynamics(state=Space("x y [m]", "yaw: angle"), action=NONE)
def spinning(x: Any, u: Any, p: Any, m: Any) -> Any:
    a, b, yaw = x
    return m.cos(yaw) - 0.2 * b, m.sin(yaw) + 0.2 * a, 1.0 + 0.5 * m.sin(a)


FAMILIES = (wandering, tumbling, flying, spinning)


def arrive(family: Any, rule: str, steps: int, seconds: float = 1.0) -> np.ndarray:
    model = family(integrator=rule)
    x = model.state.sample(20, rng=5)
    for _ in range(steps):
        x = model.step(x, np.zeros((20, 0)), seconds / steps)
    return x


@pytest.mark.parametrize("rule", ORDERS)
@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.__name__)
def test_order(family: Any, rule: str) -> None:
    """Halving the step divides the error by 2^order."""
    space = family().state
    truth = arrive(family, "rk4", 1024)
    coarse, fine = (space.distance(truth, arrive(family, rule, n)).mean() for n in (16, 32))
    assert np.log2(coarse / fine) == pytest.approx(ORDERS[rule], abs=0.25)


@pytest.mark.parametrize("rule", ORDERS)
def test_constant_twist_is_exact(rule: str) -> None:
    """With a constant body rate every rule gives the exponential of the group: here by the matrix exponential."""

    @dynamics(state=Space("pose: SE2"), action=Space("vx vy [m/s]", "omega [rad/s]"), integrator=rule)
    def rover(x: Any, u: Any, p: Any, m: Any) -> Any:
        return u

    x, (vx, vy, w), dt = np.array([1.0, -2.0, 0.7]), (1.5, -0.4, 2.1), 0.9
    pose = np.array([[np.cos(x[2]), -np.sin(x[2]), x[0]], [np.sin(x[2]), np.cos(x[2]), x[1]], [0.0, 0.0, 1.0]])
    pose = pose @ scipy.linalg.expm(dt * np.array([[0.0, -w, vx], [w, 0.0, vy], [0.0, 0.0, 0.0]]))
    y = rover().step(x, [vx, vy, w], dt)
    expected = [pose[0, 2], pose[1, 2], np.arctan2(pose[1, 0], pose[0, 0])]
    np.testing.assert_allclose(y, expected, atol=1e-14)


def test_constant_body_rate_is_exact() -> None:
    @dynamics(state=Space("q: quaternion"), action=Space("wx wy wz [rad/s]"))
    def body(x: Any, u: Any, p: Any, m: Any) -> Any:
        return u

    w, dt = np.array([0.4, -1.1, 0.8]), 1.3
    angle = np.linalg.norm(w) * dt
    turn = np.array([np.cos(angle / 2), *(np.sin(angle / 2) * w / np.linalg.norm(w))])
    np.testing.assert_allclose(body().step([1.0, 0.0, 0.0, 0.0], w, dt), turn, atol=1e-15)


def test_unknown_rule() -> None:
    with pytest.raises(ModelError, match="there is no integrator 'rk5'; choose one of euler, midpoint, rk4"):
        wandering(integrator="rk5")
