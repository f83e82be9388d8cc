"""Vehicles that drive to a pose, and park."""

from __future__ import annotations

import math
from functools import cache

from ...control import reach
from ...core import Gaussian
from ...envs.parking import ARRIVING, BAY, CAR, PARK
from ...models import bicycle, compass, position, unicycle
from ..benchmark_task import BenchmarkTask, Channel, tasks
from ..optimum.store import known
from ._common import estimated, impulse, mismatch, wind


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
        path=lambda seed: [made.first(seed)[:2], goal[:2]], optimum=known("unicycle_goal"),
        disturbances={"gusts": wind("x", 0.3), "push": impulse("yaw", 0.5)}, **estimated(unicycle(), begin, seen, dt),
    )  # fmt: skip
    return made


@tasks.add
@cache
def parking() -> BenchmarkTask:
    """A car backs into a bay between two others, with its position measured slowly and late, and its yaw often."""
    dt = PARK.dt
    seen = {"fix": Channel(position(2, std=0.03), period=0.2, delay=0.1), "needle": Channel(compass(std=0.01))}
    return BenchmarkTask(
        "parking", CAR, PARK,
        success=lambda x: math.hypot(x[0] - BAY[0], x[1] - BAY[1]) < 0.4 and abs(x[2] - BAY[2]) < 0.15,
        optimum=known("parking"), disturbances={
            "long": mismatch(wheelbase=1.15), "short": mismatch(wheelbase=0.87), "push": impulse("yaw", 0.1, at=3.0),
        }, **estimated(bicycle(), ARRIVING, seen, dt),
    )  # fmt: skip
