"""Pendulums that swing up: one link with a weak motor, and two links with a motor at the elbow."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from ...control import reach
from ...core import Gaussian, Space
from ...core.mathematics import Mathematics
from ...core.parts import Components
from ...envs.acrobot import ELBOW, STRAIGHTEN
from ...envs.acrobot import HANGING as BOTH_HANGING
from ...envs.pendulum import HANGING, ROD, swing
from ...envs.pendulum import SWING as ROD_TASK
from ...models import TracedTask, compass, discrete_dynamics, sensor
from ...models import acrobot as two_links
from ...models import pendulum as rod
from ...models.trace.params import Values
from ..benchmark_task import BenchmarkTask, tasks
from ..optimum.store import known
from ._common import UPRIGHT, estimated, impulse, mismatch, slow, wind

ROD_DISTURBANCES = {
    "light": mismatch(mass=0.8),
    "heavy": mismatch(mass=1.25),
    "long": mismatch(length=1.1),
    "wind": wind("theta_rate", 1.0),
    "push": impulse("theta_rate", 2.0, at=6.0),
}


@tasks.add
@cache
def pendulum() -> BenchmarkTask:
    """A pendulum with little torque swings up from hanging, with its angle measured slowly and late."""
    dt = ROD_TASK.dt
    seen = {"encoder": slow(compass(reads="theta", std=0.02), dt)}
    return BenchmarkTask(
        "pendulum", ROD, ROD_TASK, planning=swing(20.0), success=lambda x: abs(x[0]) < UPRIGHT,
        optimum=known("pendulum"), disturbances=ROD_DISTURBANCES, **estimated(rod(damping=0.05), HANGING, seen, dt),
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
    seen = {"encoder": slow(compass(reads="theta", std=0.02), 0.05)}
    begin = Gaussian.of(plant.state, [0.0, 0.0], std=high / math.sqrt(3.0))
    return BenchmarkTask(
        "pendulum_v1", plant, swing(0.0), planning=swing(20.0), success=lambda x: abs(x[0]) < UPRIGHT,
        start=lambda seed: np.random.default_rng(seed).uniform(-high, high), optimum=known("pendulum_v1"),
        disturbances=ROD_DISTURBANCES, **estimated(pendulum_v1_plant(noise=(0.01, 0.05)), begin, seen, 0.05),
    )  # fmt: skip


@sensor(
    state=Space("theta1: angle", "theta2: angle"), reading=Space("theta1: angle", "theta2: angle"), std=(0.01, 0.01)
)
def joints(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """The angles of both joints."""
    return x


@tasks.add
@cache
def acrobot() -> BenchmarkTask:
    """Two links swing up from hanging, with a motor at the elbow only, and their angles measured slowly and late."""
    dt = STRAIGHTEN.dt
    return BenchmarkTask(
        "acrobot", ELBOW, STRAIGHTEN, planning=STRAIGHTEN.replace(final=(50.0, 50.0, 50.0, 50.0, 5.0, 5.0)),
        success=lambda x: np.cos(x[0]) < -0.9 and np.cos(x[0] + x[1]) < -0.9, optimum=known("acrobot"),
        sampling={"std": 1.0, "horizon": 80},
        disturbances={
            "heavy": mismatch(mass2=1.1), "light": mismatch(mass2=0.9), "wind": wind("theta1_rate", 0.3),
            "push": impulse("theta2_rate", 1.0),
        }, **estimated(two_links(limits={"torque": (-5.0, 5.0)}), BOTH_HANGING, {"joints": slow(joints(), dt)}, dt),
    )  # fmt: skip
