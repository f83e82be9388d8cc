"""A planar arm that reaches for a point."""

from __future__ import annotations

from functools import cache

import numpy as np

from ...core import Space
from ...core.mathematics import Mathematics
from ...core.parts import Components
from ...envs.reacher import ARM, BEGIN, LINKS, TARGET, TOUCH, tip
from ...models import planar_arm, sensor
from ...models.trace.params import Values
from ..benchmark_task import BenchmarkTask, tasks
from ..optimum.store import known
from ._common import estimated, impulse, mismatch, slow, wind


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
    dt = TOUCH.dt
    return BenchmarkTask(
        "reacher", ARM, TOUCH, success=lambda x: np.hypot(*np.subtract(tip(x, np), TARGET)) < 0.05,
        optimum=known("reacher"), sampling={"std": 0.5, "horizon": 20}, disturbances={
            "heavy": mismatch(masses=1.3), "light": mismatch(masses=0.75), "friction": mismatch(damping=3.0),
            "wind": wind("rate2", 0.5), "push": impulse("rate1", 1.0),
        }, **estimated(planar_arm(2, **LINKS), BEGIN, {"joints": slow(joint_angles(), dt)}, dt),
    )  # fmt: skip
