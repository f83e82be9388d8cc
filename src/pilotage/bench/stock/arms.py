"""A planar arm that reaches for a point."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...core import Gaussian, Space
from ...core.mathematics import Mathematics
from ...core.parts import Components
from ...models import planar_arm, sensor, task
from ...models.trace.params import Values
from ..benchmark_task import BenchmarkTask, tasks
from ..optimum.store import known
from ._common import estimated, impulse, mismatch, slow, wind

LINKS: dict[str, Any] = {"lengths": (0.5, 0.5), "gravity": 0.0, "damping": 0.1}
ARM = planar_arm(2, noise=0.0, **LINKS)
TARGET = (0.4, 0.5)


def tip(x: Any, m: Any) -> tuple[Any, Any]:
    """The place of the tip."""
    both = x[0] + x[1]
    return 0.5 * m.cos(x[0]) + 0.5 * m.cos(both), 0.5 * m.sin(x[0]) + 0.5 * m.sin(both)


def _short(x: Any, p: Any, m: Any) -> list[Any]:
    px, py = tip(x, m)
    return [px - TARGET[0], py - TARGET[1], x[2], x[3]]


@task(
    state=ARM.state, action=ARM.action, terminal=_short, terminal_weights=(100.0, 100.0, 1.0, 1.0),
    weights=(10.0, 10.0, 0.01, 0.01, 0.01, 0.01),
)  # fmt: skip
def touch(x: Any, u: Any, p: Any, m: Any) -> Any:
    """The tip is at the target, at rest."""
    return [*_short(x, p, m), *u]


@sensor(
    state=Space("joint1: angle", "joint2: angle"), reading=Space("joint1: angle", "joint2: angle"), std=(0.01, 0.01)
)
def joint_angles(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """The angles of both joints."""
    return x


@tasks.add
@cache
def reacher() -> BenchmarkTask:
    """A planar arm of two links moves its tip to a point, with its joint angles measured slowly and late."""
    dt, begin = 0.05, Gaussian.of(ARM.state, [-1.0, 0.5, 0.0, 0.0], std=[1.0, 0.5, 0.2, 0.2])
    reach_out = touch(initial=begin, dt=dt, horizon=60)
    return BenchmarkTask(
        "reacher", ARM, reach_out, success=lambda x: np.hypot(*np.subtract(tip(x, np), TARGET)) < 0.05,
        optimum=known("reacher"), sampling={"std": 0.5, "horizon": 20}, disturbances={
            "heavy": mismatch(masses=1.3), "light": mismatch(masses=0.75), "friction": mismatch(damping=3.0),
            "wind": wind("rate2", 0.5), "push": impulse("rate1", 1.0),
        }, **estimated(planar_arm(2, **LINKS), begin, {"joints": slow(joint_angles(), dt)}, dt),
    )  # fmt: skip
