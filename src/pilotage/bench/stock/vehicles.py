"""Vehicles that drive to a pose, and park."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from ...control import reach
from ...core import Gaussian
from ...models import bicycle, compass, position, task, unicycle
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


CAR = bicycle(noise=0.0)
BAY = (0.0, -5.2, math.pi / 2)
"""Pose of the rear axle of a parked car."""
PARKED = ((-3.0, -4.0), (3.0, -4.0))
"""Centres of the cars beside the bay."""
HALF = (0.9, 2.25)
"""Half of their width and length."""
DISCS, RADIUS, WALL = (0.0, 1.35, 2.7), 1.1, 6.0
"""Discs of the car ahead of its rear axle, and their radius; the wall on the other side of the lane [m]."""


def _touching(x: Any, u: Any, p: Any, m: Any) -> list[Any]:
    """Overlap of each disc with the parked cars and the wall."""
    g = []
    for ahead in DISCS:
        px, py = x[0] + ahead * m.cos(x[2]), x[1] + ahead * m.sin(x[2])
        g += [RADIUS - m.maximum(m.abs(px - a) - HALF[0], m.abs(py - b) - HALF[1]) for a, b in PARKED]
        g.append(py + RADIUS - WALL)
    return g


def _astray(x: Any, p: Any, m: Any) -> list[Any]:
    return [x[0] - BAY[0], x[1] - BAY[1], m.cos(x[2]) - math.cos(BAY[2]), m.sin(x[2]) - math.sin(BAY[2]), x[3]]


@task(
    state=CAR.state, action=CAR.action, params={"final": (20.0, 20.0, 40.0, 40.0, 10.0)}, constraint=_touching,
    terminal=_astray, terminal_weights="final", weights=(0.05, 0.05, 0.1, 0.1, 0.02, 0.02, 0.1),
)  # fmt: skip
def park(x: Any, u: Any, p: Any, m: Any) -> Any:
    """The car stands in the bay and touches nothing."""
    return [*_astray(x, p, m), *u]


@tasks.add
@cache
def parking() -> BenchmarkTask:
    """A car backs into a bay between two others, with its position measured slowly and late, and its yaw often."""
    dt, begin = 0.1, Gaussian.of(CAR.state, [3.0, 2.0, 0.0, 0.0], std=[0.5, 0.3, 0.1, 0.01])
    seen = {"fix": Channel(position(2, std=0.03), period=0.2, delay=0.1), "needle": Channel(compass(std=0.01))}
    return BenchmarkTask(
        "parking", CAR, park(initial=begin, dt=dt, horizon=100),
        success=lambda x: math.hypot(x[0] - BAY[0], x[1] - BAY[1]) < 0.4 and abs(x[2] - BAY[2]) < 0.15,
        optimum=known("parking"), disturbances={
            "long": mismatch(wheelbase=1.15), "short": mismatch(wheelbase=0.87), "push": impulse("yaw", 0.1, at=3.0),
        }, **estimated(bicycle(), begin, seen, dt),
    )  # fmt: skip
