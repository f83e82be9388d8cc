"""Systems that the tests of control share."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import solve_discrete_are

from pilotage.core import Dynamics, Gaussian, Space, Task
from pilotage.models import discrete_dynamics, dynamics, task

LINE, PUSH = Space("x [m]", "v [m/s]"), Space("a [m/s^2] in [-4, 4]")
ROD, TORQUE = Space("theta: angle", "rate [rad/s]"), Space("torque [N m] in [-2, 2]")


@dynamics(state=LINE, action=PUSH)
def cart(x: Any, u: Any, p: Any, m: Any) -> Any:
    return x[1], u[0]


@task(state=LINE, action=PUSH, params={"weight": 1.0})
def stop(x: Any, u: Any, p: Any, m: Any) -> Any:
    return p.weight * (x[0] ** 2 + 0.1 * x[1] ** 2) + 0.1 * u[0] ** 2


@task(
    state=LINE, action=PUSH, constraint=lambda x, u, p, m: m.where(x[0] > 5.0, m.sqrt(-1.0 - x[0] * x[0]), x[0] - 1.0)
)
def forward(x: Any, u: Any, p: Any, m: Any) -> Any:
    return -x[0]


@discrete_dynamics(state=ROD, action=TORQUE)
def rod(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    """Gymnasium's Pendulum-v1."""
    theta, rate = x
    rate = m.clip(rate + (15.0 * m.sin(theta) + 3.0 * u[0]) * dt, -8.0, 8.0)
    return theta + rate * dt, rate


@task(state=ROD, action=TORQUE)
def swing_up(x: Any, u: Any, p: Any, m: Any) -> Any:
    return x[0] ** 2 + 0.1 * x[1] ** 2 + 0.001 * u[0] ** 2


FLAT, TURN = Space("x y [m]", "yaw [rad]"), Space("v [m/s] in [-1, 1]", "w [rad/s] in [-2, 2]")


@dynamics(state=FLAT, action=TURN)
def roller(x: Any, u: Any, p: Any, m: Any) -> Any:
    return u[0] * m.cos(x[2]), u[0] * m.sin(x[2]), u[1]


@dynamics(state=Space("x y [m]", "vx vy [m/s]"), action=Space("ax ay [m/s^2] in [-2, 2]"))
def glider(x: Any, u: Any, p: Any, m: Any) -> Any:
    return x[2], x[3], u[0], u[1]


def past(state: Space, action: Space, discs: Any) -> Any:
    """From the origin to (4, 0) in the plane, past discs (x, y, radius)."""

    @task(
        state=state,
        action=action,
        weights=(1.0, 1.0, 0.1, 0.1),
        terminal=lambda x, p, m: (x[0] - 4.0, x[1]),
        terminal_weights=(20.0, 20.0),
        constraint=lambda x, u, p, m: [
            r - m.sqrt((x[0] - a) * (x[0] - a) + (x[1] - b) * (x[1] - b) + 1e-12) for a, b, r in discs
        ],
    )
    def past(x: Any, u: Any, p: Any, m: Any) -> Any:
        return x[0] - 4.0, x[1], u[0], u[1]

    return past()


class PlainDynamics(Dynamics):
    """Dynamics of which only the step is known."""

    def __init__(self, model: Dynamics) -> None:
        self.model, self.state, self.action = model, model.state, model.action

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return self.model.step(x, u, dt)


class PlainTask(Task):
    """A task of which only the costs are known."""

    def __init__(self, model: Any, state: Space) -> None:
        self.model, self.dt, self.horizon, self.stage = model, model.dt, model.horizon, model.stage
        self.initial = Gaussian.of(state, std=1.0)

    def cost(self, x: Any, u: Any, r: Any = None) -> Any:
        return self.model.cost(x, u, r)

    def terminal_cost(self, x: Any, r: Any = None) -> Any:
        return self.model.terminal_cost(x, r)

    def constraint(self, x: Any, u: Any, r: Any = None) -> Any:
        return self.model.constraint(x, u, r)

    def references(self, x: Any, t: float, steps: int, carry: Any = None) -> Any:
        return self.model.references(x, t, steps, carry)


def riccati_cost(x: Any, dt: float) -> float:
    """Least cost of `stop` on `cart` from `x` for ever, by Riccati's equation."""
    F, B = np.array([[1.0, dt], [0.0, 1.0]]), np.array([[0.5 * dt * dt], [dt]])
    P = solve_discrete_are(F, B, np.diag([1.0, 0.1]), np.array([[0.1]]))
    return float(x @ P @ x)


def driven(controller: Any, model: Dynamics, cost: Any, x: Any, ticks: int, dt: float) -> tuple[float, np.ndarray]:
    """Cost of a closed loop, and its states ``(ticks + 1, n)``."""
    total, xs = 0.0, [np.asarray(x, dtype=float)]
    for tick in range(ticks):
        u = controller.act(xs[-1], tick * dt).u
        total += float(cost(xs[-1], u))
        xs.append(model.step(xs[-1], u, dt))
    return total, np.array(xs)
