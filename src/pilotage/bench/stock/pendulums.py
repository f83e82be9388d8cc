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
from ...models import TracedTask, compass, discrete_dynamics, sensor, task
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
    model, dt = rod(damping=0.05, noise=0.0), 0.05
    begin = Gaussian.of(model.state, [math.pi, 0.0], std=[0.2, 0.2])

    def swing(final: float) -> TracedTask:
        return reach(
            model, [0.0, 0.0], weights=[1.0, 0.1], effort=0.001, final=final, initial=begin, dt=dt, horizon=200
        )

    seen = {"encoder": slow(compass(reads="theta", std=0.02), dt)}
    return BenchmarkTask(
        "pendulum", model, swing(0.0), planning=swing(20.0), success=lambda x: abs(x[0]) < UPRIGHT,
        optimum=known("pendulum"), disturbances=ROD_DISTURBANCES, **estimated(rod(damping=0.05), begin, seen, dt),
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


ELBOW = two_links(noise=0.0, limits={"torque": (-5.0, 5.0)})


def _bent(x: Any, p: Any, m: Any) -> list[Any]:
    """Deviation of both links from upright, without kinks, and their rates."""
    t1, t2, r1, r2 = x
    both = t1 + t2
    return [m.sin(t1), 1.0 + m.cos(t1), m.sin(both), 1.0 + m.cos(both), r1, r2]


@task(
    state=ELBOW.state, action=ELBOW.action, params={"final": (0.0,) * 6}, terminal=_bent, terminal_weights="final",
    weights=(1.0, 1.0, 1.0, 1.0, 0.05, 0.05, 0.01),
)  # fmt: skip
def straighten(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Both links stand upright, at rest."""
    return [*_bent(x, p, m), u[0]]


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
    dt, begin = 0.05, Gaussian.of(ELBOW.state, [0.0] * 4, std=[0.1, 0.1, 0.1, 0.1])
    swing = straighten(initial=begin, dt=dt, horizon=120)
    return BenchmarkTask(
        "acrobot", ELBOW, swing, planning=swing.replace(final=(50.0, 50.0, 50.0, 50.0, 5.0, 5.0)),
        success=lambda x: np.cos(x[0]) < -0.9 and np.cos(x[0] + x[1]) < -0.9, optimum=known("acrobot"),
        sampling={"std": 1.0, "horizon": 80},
        disturbances={
            "heavy": mismatch(mass2=1.1), "light": mismatch(mass2=0.9), "wind": wind("theta1_rate", 0.3),
            "push": impulse("theta2_rate", 1.0),
        }, **estimated(two_links(limits={"torque": (-5.0, 5.0)}), begin, {"joints": slow(joints(), dt)}, dt),
    )  # fmt: skip
