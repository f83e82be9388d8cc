"""Gymnasium's own MuJoCo tasks: the same models, starts by seed, and minus the rewards as costs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...control import dlqr
from ...core import Gaussian, Space
from ...core.arrays import Array
from ...envs.mujoco import MujocoDynamics
from ...models import LinearSensor, task
from ..benchmark_task import BenchmarkTask, Channel, tasks
from ._common import estimated, impulse, mismatch, wind


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


def reader(seen: Space, *std: float) -> LinearSensor:
    """A sensor of some components of the state, with the standard deviation of each, or one for all."""
    R = np.square(np.broadcast_to(np.array(std), seen.size))
    return LinearSensor(np.eye(seen.size), R=R, state=seen, reading=seen)


POLE = Space("slider [m]", "hinge [rad]", "slider.rate [m/s]", "hinge.rate [rad/s]")
SEEN = Space("slider [m]", "hinge [rad]")
"""What the encoders of the inverted pendulum read."""
FALLEN = 0.2
"""Angle at which the pole counts as fallen [rad]."""
CHEAP = {"samples": 12, "iterations": 2, "restarts": 0}
"""Settings of the cross-entropy methods for the pole."""


def _lost(x: Any, p: Any, m: Any) -> Any:
    return m.where(m.abs(x[1]) > FALLEN, 1.0, 0.0)


@task(state=POLE, action=Space(), terminal=_lost)
def survive(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Minus one for each step that ends upright: the step in which the pole falls is paid back at the end."""
    return -1.0 + 0.0 * x[0]


UPRIGHT = (0.1, 10.0, 0.01, 0.1, 0.001)
"""Weights of the slider, the hinge, their rates and the action, in the task that controllers plan with."""


def _left(x: Any, p: Any, m: Any) -> list[Any]:
    return [sum(p.left[4 * i + j] * x[j] for j in range(4)) for i in range(4)]


@task(
    state=POLE, action=Space("slide"), params={"left": (0.0,) * 16}, weights=UPRIGHT,
    terminal=_left, terminal_weights=(1.0,) * 4,
)  # fmt: skip
def upright(x: Any, u: Any, p: Any, m: Any) -> Any:
    """The pole is upright, in the middle."""
    return [*x, u[0]]


def _cost_to_go(plant: MujocoDynamics, dt: float) -> tuple[float, ...]:
    """A root of the cost-to-go of LQR around the upright pole: plans are shorter than the cart takes to come back."""
    F, B = plant.linearize(np.zeros(4), np.zeros(1), dt)
    S = dlqr(F, B, np.diag(UPRIGHT[:4]), np.diag(UPRIGHT[4:])).S
    return tuple(np.linalg.cholesky(S).T.ravel().tolist())


@tasks.add
@cache
def inverted_pendulum() -> BenchmarkTask:
    """Gymnasium's InvertedPendulum-v5 in MuJoCo: the cost is minus its reward, the optimum is -1000."""
    plant = _plant("inverted_pendulum.xml")
    settings: dict[str, Any] = {"dt": 0.04, "horizon": 1000}
    begin = Gaussian.of(plant.state, [0.0] * 4, std=[0.01] * 4)  # resets draw each number from -0.01 to 0.01
    seen = {"encoders": Channel(reader(SEEN, 0.001), delay=0.04, dropout=0.1)}
    return BenchmarkTask(
        "inverted_pendulum", plant, survive(done=lambda x, r=None: np.abs(x[..., 1]) > FALLEN, **settings),
        planning=upright(left=_cost_to_go(plant, 0.04), **settings),
        start=_start("InvertedPendulum-v5"), optimum=lambda seed: -1000.0,
        success=lambda x: abs(x[1]) <= FALLEN, sampling={"std": 0.05, "horizon": 8, "samples": 20},
        tuned={"ilqr": {"horizon": 5, "iterations": 1, "restart": False}, "cem": CHEAP, "icem": CHEAP},
        disturbances={
            "heavy": mismatch(mass=1.5), "friction": mismatch(damping=3.0), "wind": wind("hinge.rate", 0.3),
            "push": impulse("hinge.rate", 0.5),
        },
        **estimated(_plant("inverted_pendulum.xml", noise=[1e-3, 1e-3, 0.02, 0.02]), begin, seen, 0.04),
    )  # fmt: skip


def _gap(x: Any, m: Any) -> tuple[Any, Any]:
    """From the target to the fingertip; the links are 0.1 and 0.11 m long."""
    both = x[0] + x[1]
    across = 0.1 * m.cos(x[0]) + 0.11 * m.cos(both) - x[2]
    return across, 0.1 * m.sin(x[0]) + 0.11 * m.sin(both) - x[3]


def _distance(x: Any, p: Any, m: Any) -> Any:
    return m.sqrt(sum(e * e for e in _gap(x, m)) + 1e-12)


JOINTS, TARGET = Space("joint0 joint1 [rad]"), Space("target_x target_y [m]")


@task(state=Space("joint0 joint1 [rad]", "target_x target_y [m]"), action=Space("u0 u1"), terminal=_distance)
def touching(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Distance of the fingertip to the target, and effort."""
    return _distance(x, p, m) + u[0] * u[0] + u[1] * u[1]


@tasks.add
@cache
def mujoco_reacher() -> BenchmarkTask:
    """Gymnasium's Reacher-v5 in MuJoCo: the cost is minus its reward, plus the distance at the start."""
    plant, dt = _plant("reacher.xml"), 0.02
    # Resets draw the joints from -0.1 to 0.1, and the target in a disc of 0.2 m.
    begin = Gaussian.of(plant.state, np.zeros(8), std=[0.06, 0.06, 0.1, 0.1, 0.003, 0.003, 1e-4, 1e-4])
    seen = {
        "encoders": Channel(reader(JOINTS, 0.005), delay=dt, dropout=0.1),
        "camera": Channel(reader(TARGET, 0.005), period=5.0 * dt, delay=2.0 * dt, dropout=0.1),
    }
    guess = _plant("reacher.xml", noise=[1e-3, 1e-3, 1e-4, 1e-4, 0.5, 0.5, 1e-4, 1e-4])
    return BenchmarkTask(
        "mujoco_reacher", plant, touching(dt=dt, horizon=50), start=_start("Reacher-v5"),
        success=lambda x: np.hypot(*_gap(x, np)) < 0.02, sampling={"std": 0.1, "horizon": 15, "samples": 150},
        tuned={
            "ilqr": {"horizon": 12, "iterations": 3, "restart": False},
            "cem": {"samples": 40, "iterations": 4, "restarts": 0},
            "icem": {"samples": 40, "iterations": 3, "restarts": 0},
            "predictive_sampling": {"std": 0.05, "horizon": 12},
        },
        disturbances={
            "heavy": mismatch(mass=1.3), "light": mismatch(mass=0.75), "friction": mismatch(damping=3.0),
            "wind": wind("joint0.rate", 1.0), "push": impulse("joint0.rate", 3.0, at=0.4),
        },
        **estimated(guess, begin, seen, dt),
    )  # fmt: skip


LEGS = Space("bthigh bshin bfoot fthigh fshin ffoot")
CHEETAH = Space("rootx [m]", "rootx.rate [m/s]")
ANGLES, RATES = (Space(*(f"{leg}{kind}" for leg in LEGS.names)) for kind in (" [rad]", ".rate [rad/s]"))
TORSO, PITCH = Space("rootx [m]", "rootz [m]"), Space("rooty [rad]", "rooty.rate [rad/s]")
STRIDE = 0.05
"""Seconds of a step of HalfCheetah."""
CONTACTS = [0.05] * 3 + [0.1] * 6 + [1.0] * 3 + [5.0] * 6
"""Noise of the filter of HalfCheetah: what a step of linear prediction misses when feet touch the floor."""


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
    return _cheetah("half_cheetah", 1000)


@tasks.add
@cache
def half_cheetah_dash() -> BenchmarkTask:
    """The first 10 s of `half_cheetah`, which slow controllers finish in a minute."""
    return _cheetah("half_cheetah_dash", 200)


def _cheetah(name: str, horizon: int) -> BenchmarkTask:
    settings: dict[str, Any] = {"dt": STRIDE, "horizon": horizon}
    plant = _plant("half_cheetah.xml")
    # Resets draw each position from -0.1 to 0.1, and each rate from N(0, 0.1^2).
    begin = Gaussian.of(plant.state, np.zeros(18), std=[0.06] * 9 + [0.1] * 9)
    seen = {
        "encoders": Channel(reader(ANGLES, 0.01), dropout=0.1),
        "tachometers": Channel(reader(RATES, 0.3), dropout=0.1),
        "inertial": Channel(reader(PITCH, 0.02, 0.1)),
        "tracker": Channel(reader(TORSO, 0.02), period=2.0 * STRIDE, delay=STRIDE, dropout=0.1),
    }
    guess = _plant("half_cheetah.xml", noise=CONTACTS)
    return BenchmarkTask(
        name, plant, run_far(**settings), planning=run_fast(**settings),
        start=_start("HalfCheetah-v5", shift=1), sampling={"std": 1.0, "horizon": 20, "samples": 80},
        tuned={
            "ilqr": {"horizon": 16, "iterations": 1, "restart": False},
            "cem": {"samples": 40, "iterations": 2, "restarts": 0},
            "icem": {"samples": 40, "iterations": 2, "horizon": 15, "restarts": 0},
            "predictive_sampling": {"std": 0.5, "horizon": 15},
        },
        disturbances={
            "heavy": mismatch(mass=1.3), "weak": mismatch(gear=0.7), "slippery": mismatch(friction=0.3),
            "wind": wind("rootx.rate", 1.0, mean=-0.5), "push": impulse("rooty.rate", 3.0),
        },
        **estimated(guess, begin, seen, STRIDE),
    )  # fmt: skip
