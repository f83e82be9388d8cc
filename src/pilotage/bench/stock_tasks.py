"""The tasks that come with Pilotage."""

from __future__ import annotations

import math
from functools import cache
from typing import Any, cast

import numpy as np

from ..control import reach
from ..core import Dynamics, Gaussian, Space
from ..core.arrays import Array
from ..core.mathematics import Mathematics
from ..core.parts import Components
from ..estimators import EKF
from ..models import (
    TracedTask,
    cart_pole,
    compass,
    discrete_dynamics,
    position,
    quadrotor,
    sensor,
    task,
    unicycle,
)
from ..models import (
    double_integrator as integrator,
)
from ..models import (
    pendulum as rod,
)
from ..models.trace.params import Values
from .benchmark_task import BenchmarkTask, Channel, tasks

UPRIGHT = 0.2
"""Angle to the vertical [rad] at which a pendulum counts as upright."""


def _estimated(model: Dynamics, belief: Gaussian, sensors: dict[str, Channel], dt: float) -> dict[str, Any]:
    """The settings of a task that is also run on the estimate of an EKF."""
    named = {name: channel.sensor for name, channel in sensors.items()}
    return {"sensors": sensors, "filter": lambda seed: EKF(model, dt=dt).start(belief=belief, sensors=named)}


@tasks.add
@cache
def double_integrator() -> BenchmarkTask:
    """A cart on a line comes to rest at the origin; its optimum is that of the linear-quadratic regulator."""
    cart, dt, horizon = integrator(1, noise=0.0), 0.1, 50
    begin = Gaussian.of(cart.state, [1.0, 0.0], std=[0.3, 0.3])
    home = reach(cart, [0.0, 0.0], weights=[1.0, 0.1], effort=0.1, final=10.0, initial=begin, dt=dt, horizon=horizon)
    seen = {"range": Channel(position(1, std=0.05), delay=dt, dropout=0.1)}
    P = riccati(*cart.linearize(np.zeros(2), np.zeros(1), dt), np.diag([1.0, 0.1]), [[0.1]], np.diag([10, 1]), horizon)
    made = BenchmarkTask(
        "double_integrator", cart, home, optimum=lambda seed: float((x := made.first(seed)) @ P @ x),
        success=lambda x: np.abs(x).max() < 0.2, **_estimated(integrator(1), begin, seen, dt),
    )  # fmt: skip
    return made


def riccati(A: Any, B: Any, Q: Any, R: Any, P: Any, steps: int) -> Array:
    """The cost-to-go matrix of a linear-quadratic problem, ``x' P_0 x`` with no bounds active.

    ::

        P_t = Q + A' P_{t+1} A - A' P_{t+1} B (R + B' P_{t+1} B)^-1 B' P_{t+1} A

    Args:
        A, B: the model ``x' = A x + B u``.
        Q, R: weights of state and action.
        P: weight of the last state.
        steps: number of steps.

    Source: Anderson and Moore, "Optimal Control" (1990), section 2.4.

    Example:
        >>> riccati([[1.0]], [[1.0]], [[1.0]], [[1.0]], [[1.0]], 1).round(3).tolist()
        [[1.5]]
    """
    A, B, Q, R, P = (np.asarray(each, dtype=np.float64) for each in (A, B, Q, R, P))
    for _ in range(steps):
        K = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
        P = Q + A.T @ P @ (A - B @ K)
    return P


@tasks.add
@cache
def pendulum() -> BenchmarkTask:
    """A pendulum with little torque swings up from hanging, with its angle measured."""
    model, dt = rod(damping=0.05, noise=0.0), 0.05
    begin = Gaussian.of(model.state, [math.pi, 0.0], std=[0.2, 0.2])

    def swing(final: float) -> TracedTask:
        return reach(
            model, [0.0, 0.0], weights=[1.0, 0.1], effort=0.001, final=final, initial=begin, dt=dt, horizon=200
        )

    seen = {"encoder": Channel(compass(reads="theta", std=0.02))}
    return BenchmarkTask(
        "pendulum", model, swing(0.0), planning=swing(20.0), success=lambda x: abs(x[0]) < UPRIGHT,
        **_estimated(rod(damping=0.05), begin, seen, dt),
    )  # fmt: skip


@discrete_dynamics(
    state=Space("theta: angle", "theta_rate [rad/s]"),
    action=Space("torque [N m] in [-2, 2]"),
    params={"mass": 1.0, "length": 1.0, "gravity": 10.0},
    positive="mass length",
)
def pendulum_v1_plant(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Components:
    """The dynamics of Gymnasium's Pendulum-v1: semi-implicit Euler steps, with the rate clipped to 8 rad/s.

    ::

        w' = clip(w + (3 g / (2 l) sin theta + 3 / (m l^2) torque) dt, -8, 8),      theta' = theta + w' dt
    """
    theta, rate = x
    turn = 1.5 * p.gravity / p.length * m.sin(theta) + 3.0 / (p.mass * p.length**2) * u[0]
    new = m.minimum(m.maximum(rate + turn * dt, -8.0), 8.0)
    return theta + new * dt, new


@tasks.add
@cache
def pendulum_v1() -> BenchmarkTask:
    """Gymnasium's Pendulum-v1: the same dynamics, cost and, for each seed, the same start."""
    plant = pendulum_v1_plant()

    def swing(final: float) -> TracedTask:
        return reach(plant, [0.0, 0.0], weights=[1.0, 0.1], effort=0.001, final=final, dt=0.05, horizon=200)

    high = np.array([np.pi, 1.0])
    return BenchmarkTask(
        "pendulum_v1", plant, swing(0.0), planning=swing(20.0), success=lambda x: abs(x[0]) < UPRIGHT,
        start=lambda seed: np.random.default_rng(seed).uniform(-high, high),
    )  # fmt: skip


@sensor(state=Space("x [m]", "theta: angle"), reading=Space("x [m]", "theta: angle"), std=(0.01, 0.01))
def encoders(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """The position of the cart and the angle of the pole."""
    return x


CART = cart_pole(noise=0.0)
TRACK, TILT = 2.4, 0.5
"""Where balancing has failed [m, rad]."""


def _cart_pole(name: str, judged: TracedTask, planning: TracedTask) -> BenchmarkTask:
    seen = {"encoders": Channel(encoders())}
    return BenchmarkTask(
        name, CART, judged, planning=planning, success=lambda x: abs(x[2]) < UPRIGHT and abs(x[3]) < 1.0,
        **_estimated(cart_pole(), cast(Gaussian, judged.initial), seen, judged.dt),
    )  # fmt: skip


def _fallen(x: Any, u: Any, p: Any, m: Any) -> Any:
    return m.abs(x[0]) - TRACK, m.abs(x[2]) - TILT


@task(state=CART.state, action=CART.action, constraint=_fallen, weights=(1.0, 0.1, 10.0, 0.1, 0.01))
def balance(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Stay in the middle and upright."""
    return *x, u[0]


@tasks.add
@cache
def cart_pole_balance() -> BenchmarkTask:
    """A pole on a cart stays upright, with the position of the cart and the angle of the pole measured."""
    begin = Gaussian.of(CART.state, [0.0] * 4, std=[0.2, 0.1, 0.05, 0.1])
    stay = balance(initial=begin, dt=0.05, horizon=100)
    return _cart_pole("cart_pole_balance", stay, stay)


@tasks.add
@cache
def cart_pole_swingup() -> BenchmarkTask:
    """A hanging pole on a cart swings up, with the position of the cart and the angle of the pole measured."""
    begin = Gaussian.of(CART.state, [0.0, 0.0, math.pi - 0.1, 0.0], std=[0.1, 0.05, 0.05, 0.05])

    def upright(final: float) -> TracedTask:
        weights = [0.5, 0.05, 1.0, 0.05]
        return reach(CART, [0.0] * 4, weights=weights, effort=0.001, final=final, initial=begin, dt=0.05, horizon=120)

    return _cart_pole("cart_pole_swingup", upright(0.0), upright(20.0))


@tasks.add
@cache
def unicycle_goal() -> BenchmarkTask:
    """A unicycle drives to a pose, with its position measured slowly and late, and its yaw often."""
    robot, dt, goal = unicycle(noise=0.0), 0.1, [3.0, 1.0, 0.0]
    begin = Gaussian.of(robot.state, [0.0, 0.0, 0.0], std=[0.3, 0.3, 0.5])
    drive = reach(robot, goal, weights=[1.0, 1.0, 0.2], effort=0.05, final=20.0, initial=begin, dt=dt, horizon=80)
    seen = {
        "fix": Channel(position(2, std=0.05), period=0.5, delay=0.2, dropout=0.1),
        "needle": Channel(compass(std=0.03)),
    }
    made = BenchmarkTask(
        "unicycle_goal", robot, drive, success=lambda x: math.hypot(x[0] - goal[0], x[1] - goal[1]) < 0.3,
        path=lambda seed: [made.first(seed)[:2], goal[:2]], **_estimated(unicycle(), begin, seen, dt),
    )  # fmt: skip
    return made


@tasks.add
@cache
def quadrotor_hover() -> BenchmarkTask:
    """A quadrotor flies to a point and hovers there."""
    drone, dt = quadrotor(noise=0.0), 0.05
    weight = drone.params["mass"] * drone.params["gravity"]
    begin = Gaussian.of(drone.state, drone.state.identity(), std=[0.5] * 3 + [0.1] * 3 + [0.2] * 6)
    weights, effort = [1.0] * 3 + [0.1] * 9, [1e-4, 10.0, 10.0, 10.0]
    hover = reach(
        drone, drone.state.identity(), weights=weights, effort=effort, final=10.0, initial=begin, dt=dt, horizon=80
    )
    return BenchmarkTask(
        "quadrotor_hover", drone, hover, rest=[weight, 0.0, 0.0, 0.0], success=lambda x: np.abs(x[:3]).max() < 0.3
    )
