"""A robot with a lidar that crosses a hall among moving people."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

import numpy as np

from ...core import Gaussian, Space, generator
from ...core.arrays import Array
from ...core.raster import Raster
from ...estimators.localization import MonteCarloLocalization
from ...maps import Footprint, Lidar, OccupancyGrid
from ...models import compass, task, unicycle
from ...planners import AStar
from ..benchmark_task import BenchmarkTask, Channel, tasks
from ._common import impulse, wind
from .crowd import DT, PERIOD, PERSON, Crowd, recorded, simulated

TICKS = 300
START, GOAL = (1.0, 1.0, 0.9), (6.6, 13.2)
"""Pose and place that nobody in the recording comes nearer to than 1.5 and 1.2 m."""
PILLARS = ((2.2, 2.3, 0.4), (8.4, 11.5, 0.3), (1.2, 10.3, 0.7))
"""Middle and radius of pillars where nobody walks [m]."""
BEAMS, REACH = 60, 30.0
LIMITS = {"speed": (-0.5, 1.5), "yaw_rate": (-2.0, 2.0)}
ROBOT = unicycle(noise=0.0, limits=LIMITS)
FOOTPRINT = Footprint.disc(0.2)
BEGIN = Gaussian.of(ROBOT.state, START, std=[0.2, 0.2, 0.2])
APART = FOOTPRINT.radius + PERSON
"""Distance to the middle of a person that is a collision [m]."""


@cache
def hall() -> OccupancyGrid:
    """A hall of 16 by 14 m with walls and pillars."""
    walls = np.ones((148, 168), dtype=bool)
    walls[2:-2, 2:-2] = False
    grid = OccupancyGrid.from_occupied(walls, resolution=0.1, origin=(-0.4, -0.4, 0.0))
    return grid.with_discs([pillar[:2] for pillar in PILLARS], [pillar[2] for pillar in PILLARS])


def _left(x: Any, *_: Any) -> list[Any]:
    return [x[0] - GOAL[0], x[1] - GOAL[1]]


def _clear(x: Any, u: Any, p: Any, m: Any) -> list[Any]:
    return FOOTPRINT.constraint(x[0], x[1], x[2], p.clearance, m)


def _apart(x: Any, u: Any, r: Any, p: Any, m: Any) -> list[Any]:
    return [*_clear(x, u, p, m), APART - m.sqrt((x[0] - r[0]) ** 2 + (x[1] - r[1]) ** 2)]


SETTINGS: dict[str, Any] = {
    "state": ROBOT.state, "action": ROBOT.action, "weights": (0.05,) * 4, "terminal": _left,
    "terminal_weights": "final", "params": {"final": (1.0, 1.0), "clearance": Raster(np.zeros((1, 1)), 1.0)},
}  # fmt: skip


@task(constraint=_clear, **SETTINGS)
def walk(x: Any, u: Any, p: Any, m: Any) -> Any:
    """The robot comes to the goal, clear of walls and pillars."""
    return [*_left(x), *u]


@task(constraint=_apart, stage=Space("x y [m]"), **SETTINGS)
def cross(x: Any, u: Any, r: Any, p: Any, m: Any) -> Any:
    """The robot comes to the goal, clear of walls, pillars and the nearest person."""
    return [*_left(x), *u]


def arrived(x: Any, r: Any = None, tolerance: float = 0.3) -> Any:
    """Whether the robot is at the goal."""
    return np.hypot(x[..., 0] - GOAL[0], x[..., 1] - GOAL[1]) < tolerance


def surely_arrived(x: Any) -> Any:
    """Whether a robot that knows where it is to a few centimetres is at the goal."""
    return arrived(x, tolerance=0.15)


def crossing(name: str, places: Array) -> BenchmarkTask:
    """A robot crosses the hall among people, whose window of time depends on the seed.

    The people do not react to the robot. A seed draws the begin of the window from all that leave time for an episode.
    Scans end on people; the filter is a particle filter on the map, which knows of no people. Controllers plan with the
    map alone, unless they ask for the `tracks` of the task.

    Args:
        name: of the task.
        places: of the people, as in `Crowd`; without people, the hall is empty.
    """
    last = (len(places) - 2) * PERIOD - TICKS * DT

    @lru_cache(maxsize=4)
    def scene(seed: int) -> BenchmarkTask:
        return _scene(name, Crowd(places, generator(seed, "window").uniform(PERIOD, last)))

    return replace(scene(0), scenes=scene)


def _scene(name: str, crowd: Crowd) -> BenchmarkTask:
    """The task in one window of time."""
    grid = hall()
    setting: dict[str, Any] = {
        "initial": BEGIN, "dt": DT, "horizon": TICKS, "clearance": grid.obstacles().field
    }  # fmt: skip
    lidar = Lidar(grid, BEAMS, REACH, sigma=0.03, hit=1.0, short=0.0, missed=0.0, random=0.0)
    return BenchmarkTask(
        name, ROBOT, cross(references=crowd.nearest, done=arrived, **setting), success=arrived,
        planning=walk(done=surely_arrived, **setting),
        model=unicycle(limits=LIMITS), path=lambda seed: way(), grid=grid, tracks=crowd.tracks,
        sensors={
            "lidar": Channel(lidar, surroundings=crowd.discs, period=0.2, dropout=0.05),
            "needle": Channel(compass(std=0.05)),
        },
        filter=localized, disturbances={"gusts": wind("x", 0.2), "push": impulse("yaw", 0.5)},
    )  # fmt: skip


def localized(seed: int) -> Any:
    """A particle filter on the map; half of what a scan meets may be nearer than the map."""
    expected = Lidar(hall(), BEAMS, REACH, sigma=0.1, hit=0.5, short=0.4, missed=0.01, random=0.09, inset=0.05)
    cloud = MonteCarloLocalization(hall(), unicycle(limits=LIMITS), dt=DT, particles=(400, 4000), kidnapped=0.0)
    return cloud.start(belief=BEGIN, sensors={"lidar": expected, "needle": compass(std=0.05)}, rng=seed)


@cache
def way() -> Array:
    """The shortest way past walls and pillars ``(K, 2)`` [m]."""
    xs = AStar().plan(hall().inflate(0.7), start=START[:2], goal=GOAL).xs
    assert xs is not None
    return xs


@tasks.add
@cache
def people() -> BenchmarkTask:
    """A robot with a lidar crosses a hall among recorded people, from the data in PILOTAGE_DATA.

    The people are those of students003 (Lerner, Chrysanthou and Lischinski, "Crowds by example", 2007).
    """
    return crossing("people", recorded())


@tasks.add
@cache
def people_simulated() -> BenchmarkTask:
    """A robot with a lidar crosses a hall among simulated people, who walk to and fro."""
    return crossing("people_simulated", simulated())
