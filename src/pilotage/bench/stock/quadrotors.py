"""A quadrotor that hovers, and flies a figure eight."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import numpy as np

from ...core import Gaussian, Space
from ...core.mathematics import Mathematics
from ...core.parts import Components
from ...envs.quadrotor import DRONE, HOVER
from ...models import TracedTask, position, quadrotor, sensor, task
from ...models.trace.params import Values
from ..benchmark_task import BenchmarkTask, Channel, tasks
from ..optimum.store import known
from ._common import estimated, impulse, mismatch, wind

WEIGHT = DRONE.params["mass"] * DRONE.params["gravity"]
ATTITUDE = Space("q: quaternion", "wx wy wz [rad/s]")
DISTURBANCES = {
    "heavy": mismatch(mass=1.2),
    "light": mismatch(mass=0.85),
    "gusts": wind("vx", 1.0),
    "breeze": wind("vy", 0.3, mean=0.5),
    "push": impulse("vz", -1.0),
}


@sensor(state=ATTITUDE, reading=ATTITUDE, std=(0.02,) * 3 + (0.02,) * 3)
def attitude(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """Attitude and turn rates, as an inertial unit computes them."""
    return x


def _drone(name: str, judged: TracedTask, success: Any, sampling: Any) -> BenchmarkTask:
    seen = {
        "tracker": Channel(position(3, std=0.02), period=0.1, delay=0.05, dropout=0.1), "inertial": Channel(attitude()),
    }  # fmt: skip
    return BenchmarkTask(
        name, DRONE, judged, rest=[WEIGHT, 0.0, 0.0, 0.0], success=success, optimum=known(name),
        disturbances=DISTURBANCES, sampling=sampling,
        **estimated(quadrotor(), cast(Gaussian, judged.initial), seen, judged.dt),
    )  # fmt: skip


@tasks.add
@cache
def quadrotor_hover() -> BenchmarkTask:
    """A quadrotor flies to a point and hovers there."""
    sampling = {"std": (0.5, 0.003, 0.003, 0.001), "horizon": 20}
    return _drone("quadrotor_hover", HOVER, lambda x: np.abs(x[:3]).max() < 0.3, sampling)


def _off(x: Any, r: Any, p: Any, m: Any) -> list[Any]:
    """Deviation from the reference, and the tilt of the body."""
    _, qx, qy, qz = x[3:7]
    return [*(x[i] - r[i] for i in range(3)), *(x[7 + i] - r[3 + i] for i in range(3)), qx, qy, qz, *x[10:]]


@task(
    state=DRONE.state, action=DRONE.action, stage=Space("x y z [m]", "vx vy vz [m/s]"), terminal=_off,
    terminal_weights=(20.0,) * 3 + (1.0,) * 3 + (0.1,) * 6,
    weights=(10.0,) * 3 + (0.5,) * 3 + (0.05,) * 6 + (1e-3, 1.0, 1.0, 1.0),
)  # fmt: skip
def track(x: Any, u: Any, r: Any, p: Any, m: Any) -> Any:
    """The drone is where the reference is, and turns little."""
    return [*_off(x, r, p, m), u[0] - WEIGHT, *u[1:]]


def eight(x: Any, t: float, steps: int, carry: Any = None) -> tuple[Any, Any]:
    """The figure eight of Gerono in 6 s: ``(2 sin wt, sin 2 wt, 0)`` and its velocity, at times t, t + dt, ..."""
    w, at = 2.0 * np.pi / 6.0, t + EIGHT_DT * np.arange(steps + 1)
    place = 2.0 * np.sin(w * at), np.sin(2.0 * w * at), 0.0 * at
    return np.stack([*place, 2.0 * w * np.cos(w * at), 2.0 * w * np.cos(2.0 * w * at), 0.0 * at], -1), carry


EIGHT_DT = 0.05


@tasks.add
@cache
def quadrotor_eight() -> BenchmarkTask:
    """A quadrotor flies a figure eight at up to 3 m/s."""
    begin = Gaussian.of(DRONE.state, DRONE.state.identity(), std=[0.2] * 3 + [0.05] * 3 + [0.1] * 6)
    fly = track(references=eight, initial=begin, dt=EIGHT_DT, horizon=120)
    sampling = {"std": (1.0, 0.02, 0.02, 0.005), "horizon": 10}
    return _drone("quadrotor_eight", fly, lambda x: bool(np.abs(x[:3]).max() < 0.5), sampling)
