"""Predictive control of the truck: iterative LQR and path integral control on one cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ....control import ILQR, MPPI
from ....control.receding import RecedingHorizon
from ....control.solver import Horizon
from ....core import Task
from ....core.arrays import Array
from ....envs.truck.starts import BOX, FRONT
from ....envs.truck.yard import rear, space
from ....models import task
from ._steering import Steering
from .bending import NUMBERS, bending, bent, trailer
from .kinematics import HOLD, STRIDE
from .line_regulator import LineRegulator

MARGIN = 0.1
"""Distance to the walls that plans keep [m]."""


class Predictive(Steering):
    """A predictive controller of the hitch angle, whose loop `bending` chooses the steering angle.

    Backing is unsteady: over 24 m, errors grow e^6 times, so plans of steering angles are hard to improve. Plans of
    hitch angles are not.

    Args:
        controller: a predictive controller of the model `bent`.

    Example:
        >>> bool(abs(ilqr(horizon=10).act([20.0, 0.0, 0.0, 0.0, 0.0]).u[0]) < 1e-3)
        True
    """

    def __init__(self, controller: RecedingHorizon) -> None:
        super().__init__()
        self.controller = controller

    def reset(self, *, seed: int | None = None) -> None:
        super().reset(seed=seed)
        self.controller.reset(seed=seed)

    def decide(self, x: Array) -> Array:
        return np.array([bending(x.tolist(), float(self.controller.act(x).u[0]), NUMBERS)])


def errand(walls: bool) -> Task:
    """The task of a plan of hitch angles.

    ::

        off   = y^2 + 4 (1 - cos a)                                 y, a: error and heading of the trailer at the axle
        cost  = sqrt(off + 0.01) + 10 off / (1 + exp(4 x)) + 0.1 bend^2           x: distance to the wall of the dock
        last  = 20 off / (1 + 0.2 max(x, 0))

    Behind the wall of the dock, an error costs much; a truck that comes in askew had better turn before. The constraint
    is a hitch angle of at most 90 degrees, and with `walls` the sides of the yard.
    """

    def limits(x: Any, u: Any, p: Any, m: Any) -> Any:
        rx, ry = rear(x, m)
        fx, fy = x[0] + FRONT * m.cos(x[2]), x[1] + FRONT * m.sin(x[2])
        before = m.where(rx > 0.0, 1.0, 0.0)
        sides = [fx - BOX[0], rx - BOX[0], m.abs(ry) - BOX[1], m.abs(fy) - BOX[1], -fx]
        hitch = -m.cos(x[2] - x[3])
        return (hitch, *(before * (side + MARGIN) for side in sides)) if walls else (hitch,)

    def error(x: Any, m: Any) -> tuple[Any, Any]:
        rx, ry = rear(x, m)
        return rx, (ry - x[4]) ** 2 + 4.0 * (1.0 - m.cos(x[3]))

    def last(x: Any, p: Any, m: Any) -> Any:
        rx, off = error(x, m)
        return 20.0 * off / (1.0 + 0.2 * m.maximum(rx, 0.0))

    @task(state=space(1), action=bent().action, constraint=limits, terminal=last)
    def dock(x: Any, u: Any, p: Any, m: Any) -> Any:
        rx, off = error(x, m)
        return m.sqrt(0.01 + off) + 10.0 * off / (1.0 + m.exp(m.clip(4.0 * rx, -20.0, 20.0))) + 0.1 * u[0] ** 2

    return dock(dt=HOLD * STRIDE)


def ilqr(walls: bool = False, *, horizon: int = 60, iterations: int = 20) -> Predictive:
    """Iterative LQR over 24 m. It starts from its last plan, or from that of `LineRegulator` if that is better."""
    controller = ILQR(bent(), errand(walls), horizon=horizon, iterations=iterations, tolerance=1e-3, feasible=1e-2)
    controller.warm_start = regulated(LineRegulator())
    return Predictive(controller)


def mppi(walls: bool = False, *, horizon: int = 60, samples: int = 500) -> Predictive:
    """Path integral control over 24 m, whose noise adapts to where the good samples are."""
    controller = MPPI(
        bent(), errand(walls), horizon=horizon, samples=samples, std=0.3, correlation=0.8, effective=0.01,
        adapt=0.3, iterations=2, precision="single", rng=0,
    )  # fmt: skip
    return Predictive(controller)


def regulated(law: LineRegulator) -> Callable[[Horizon, Array, Array], Array]:
    """The plans of hitch angles that a regulator drives."""

    def proposal(problem: Horizon, x: Array, rows: Array) -> Array:
        us = np.empty((problem.steps, 1))
        for u in us:
            _, y, a, _ = trailer(x.tolist())
            u[0] = law.wanted(y, a)
            x = problem.dynamics.step(x, u, problem.dt)
        return us

    return proposal
