"""Gymnasium's own MuJoCo tasks: the same models, starts by seed, and minus the rewards as costs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...core import Gaussian, Space
from ...core.arrays import Array
from ...envs.mujoco import MujocoDynamics
from ...models import LinearSensor, task
from ..benchmark_task import BenchmarkTask, Channel, tasks
from ._common import estimated, impulse, wind


def _plant(file: str, **settings: Any) -> MujocoDynamics:
    import gymnasium

    return MujocoDynamics(Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets" / file, **settings)


def _start(name: str, shift: int = 0) -> Callable[[int], Array]:
    """Function from a seed to the positions and velocities after the reset of an environment.

    Args:
        name: the name of the environment.
        shift: number of first components that become 0.
    """

    def start(seed: int) -> Array:
        import gymnasium

        env = gymnasium.make(name)
        env.reset(seed=seed)
        data: Any = env.unwrapped.data  # type: ignore[attr-defined]
        return np.concatenate([np.zeros(shift), data.qpos[shift:], data.qvel])

    return start


POLE = Space("slider [m]", "hinge [rad]", "slider.rate [m/s]", "hinge.rate [rad/s]")
SEEN = Space("slider [m]", "hinge [rad]")
"""What the encoders of the inverted pendulum read."""
FALLEN = 0.2
"""Angle at which the pole counts as fallen [rad]."""


def _lost(x: Any, p: Any, m: Any) -> Any:
    return m.where(m.abs(x[1]) > FALLEN, 1.0, 0.0)


@task(state=POLE, action=Space(), terminal=_lost)
def survive(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Minus one for each step that ends upright: the step in which the pole falls is paid back at the end."""
    return -1.0 + 0.0 * x[0]


@task(state=POLE, action=Space("slide"), weights=(0.1, 10.0, 0.01, 0.1, 0.001))
def upright(x: Any, u: Any, p: Any, m: Any) -> Any:
    """The pole is upright, in the middle."""
    return [*x, u[0]]


@tasks.add
@cache
def inverted_pendulum() -> BenchmarkTask:
    """Gymnasium's InvertedPendulum-v5 in MuJoCo: the cost is minus its reward, the optimum is -1000."""
    plant = _plant("inverted_pendulum.xml")
    settings: dict[str, Any] = {"dt": 0.04, "horizon": 1000}
    begin = Gaussian.of(plant.state, [0.0] * 4, std=[0.01] * 4)  # resets draw each number from -0.01 to 0.01
    seen = {"encoders": Channel(LinearSensor(np.eye(2), R=[1e-6, 1e-6], state=SEEN, reading=SEEN))}
    return BenchmarkTask(
        "inverted_pendulum", plant, survive(done=lambda x, r=None: np.abs(x[..., 1]) > FALLEN, **settings),
        planning=upright(**settings), start=_start("InvertedPendulum-v5"), optimum=lambda seed: -1000.0,
        success=lambda x: abs(x[1]) <= FALLEN,
        disturbances={"wind": wind("hinge.rate", 0.3), "push": impulse("hinge.rate", 0.5)},
        **estimated(_plant("inverted_pendulum.xml", noise=[1e-3, 1e-3, 0.02, 0.02]), begin, seen, 0.04),
    )  # fmt: skip


def _gap(x: Any, m: Any) -> tuple[Any, Any]:
    """From the target to the fingertip; the links are 0.1 and 0.11 m long."""
    both = x[0] + x[1]
    across = 0.1 * m.cos(x[0]) + 0.11 * m.cos(both) - x[2]
    return across, 0.1 * m.sin(x[0]) + 0.11 * m.sin(both) - x[3]


def _distance(x: Any, p: Any, m: Any) -> Any:
    return m.sqrt(sum(e * e for e in _gap(x, m)) + 1e-12)


@task(state=Space("joint0 joint1 [rad]", "target_x target_y [m]"), action=Space("u0 u1"), terminal=_distance)
def touching(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Distance of the fingertip to the target, and effort."""
    return _distance(x, p, m) + u[0] * u[0] + u[1] * u[1]


@tasks.add
@cache
def mujoco_reacher() -> BenchmarkTask:
    """Gymnasium's Reacher-v5 in MuJoCo: the cost is minus its reward, plus the distance at the start."""
    plant, touch = _plant("reacher.xml"), touching(dt=0.02, horizon=50)
    return BenchmarkTask(
        "mujoco_reacher", plant, touch, start=_start("Reacher-v5"),
        success=lambda x: np.hypot(*_gap(x, np)) < 0.02,
        disturbances={"wind": wind("joint0.rate", 1.0), "push": impulse("joint0.rate", 3.0, at=0.4)},
    )  # fmt: skip


LEGS = Space("bthigh bshin bfoot fthigh fshin ffoot")
CHEETAH = Space("rootx [m]", "rootx.rate [m/s]")
STRIDE = 0.05
"""Seconds of a step of HalfCheetah."""


def _covered(x: Any, p: Any, m: Any) -> Any:
    return -x[0] / STRIDE


def _effort(u: Any) -> Any:
    return 0.1 * sum(each * each for each in u)


@task(state=CHEETAH, action=LEGS, terminal=_covered)
def run_far(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Effort; the distance counts at the end."""
    return _effort(u)


@task(state=CHEETAH, action=LEGS)
def run_fast(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Effort minus speed."""
    return _effort(u) - x[1]


@tasks.add
@cache
def half_cheetah() -> BenchmarkTask:
    """Gymnasium's HalfCheetah-v5 in MuJoCo: the cost is minus its reward; the start is moved to x = 0."""
    settings: dict[str, Any] = {"dt": STRIDE, "horizon": 1000}
    return BenchmarkTask(
        "half_cheetah", _plant("half_cheetah.xml"), run_far(**settings), planning=run_fast(**settings),
        start=_start("HalfCheetah-v5", shift=1),
        disturbances={"wind": wind("rootx.rate", 1.0, mean=-0.5), "push": impulse("rooty.rate", 3.0)},
    )  # fmt: skip
