"""A robot with a lidar that crosses a hall with moving people."""

from __future__ import annotations

import gzip
import math
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...core import Gaussian, Space
from ...core.arrays import Array
from ...maps import Lidar, OccupancyGrid
from ...models import compass, task, unicycle
from ..benchmark_task import BenchmarkTask, Channel, tasks
from ._common import estimated, impulse, wind

PERIOD, SAMPLES, FIRST = 0.4, 101, 0
"""Seconds between samples of the tracks, number of samples, and the first one."""
NEAREST, FAR = 6, 1e3
"""Number of people that the task looks at, and the place of those that are not there [m]."""
APART, AROUND = 0.5, 1.0
"""Distance to a person that is a collision, and below which nearness costs [m]."""
GOAL, DT = (13.0, 11.0), 0.1
ROBOT = unicycle(noise=0.0, limits={"speed": (-0.5, 1.5)})


@dataclass(frozen=True, eq=False)
class Crowd:
    """The places of people over time, as references of a task: the nearest ones, predicted at constant velocity.

    Attributes:
        places: x and y of each person at each sample ``(samples, people, 2)`` [m]; NaN where there is none.
    """

    places: Array

    def __call__(self, x: Any, t: float, steps: int, carry: Any = None) -> tuple[Array, Any]:
        """References ``(steps + 1, 2 NEAREST)``; the first row is the truth at time t."""
        now, soon = self.at(t), self.at(t + DT)
        order = np.argsort(np.hypot(*(now - np.asarray(x)[:2]).T))[:NEAREST]
        p, v = now[order], ((soon - now) / DT)[order]
        return (p + v * DT * np.arange(steps + 1)[:, None, None]).reshape(steps + 1, -1), carry

    def at(self, t: float) -> Array:
        """The places of all people at a time ``(people, 2)``; far away for those who are not there."""
        place = min(max(t / PERIOD, 0.0), len(self.places) - 1.001)
        k = int(place)
        found = self.places[k] + (place - k) * (self.places[k + 1] - self.places[k])
        return np.where(np.isnan(found), FAR, found)


def recorded() -> Array | None:
    """The tracks of the recording students003 of UCY from the folder that `PILOTAGE_DATA` names; None without it."""
    file = Path(os.environ.get("PILOTAGE_DATA", ".")) / "traffic" / "pedestrians_eth_ucy" / "students003.txt.gz"
    if not file.is_file():
        return None
    with gzip.open(file, "rt") as lines:
        frame, person, *xy = np.loadtxt(lines).T
    k = np.rint(frame / 10.0).astype(int) - FIRST
    kept = (k >= 0) & (k < SAMPLES)
    names, index = np.unique(person[kept], return_inverse=True)
    places = np.full((SAMPLES, len(names), 2), np.nan)
    places[k[kept], index] = np.stack(xy, -1)[kept]
    return places


def simulated(people: int = 24) -> Array:
    """Tracks of people who cross the hall on straight lines, each at a steady pace.

    Example:
        >>> simulated(3).shape
        (101, 3, 2)
    """
    rng, t = np.random.default_rng(0), PERIOD * np.arange(SAMPLES)
    begin, way = rng.uniform((1.0, 1.0), (14.0, 12.0), (people, 2)), rng.uniform(-math.pi, math.pi, people)
    pace = rng.normal(1.1, 0.2, people)
    moved = begin + t[:, None, None] * pace[:, None] * np.stack([np.cos(way), np.sin(way)], -1)
    return 0.5 + np.abs((moved - 0.5) % np.array([28.0, 24.0]) - np.array([14.0, 12.0]))  # they turn back at the walls


def hall() -> OccupancyGrid:
    """A hall of 16 by 14 m with walls."""
    walls = np.ones((144, 164), dtype=bool)
    walls[2:-2, 2:-2] = False
    return OccupancyGrid.from_occupied(walls, resolution=0.1, origin=(-0.2, -0.2, 0.0))


def _apart(x: Any, u: Any, r: Any, p: Any, m: Any) -> list[Any]:
    return [APART - m.sqrt((x[0] - a) ** 2 + (x[1] - b) ** 2 + 1e-9) for a, b in zip(r[::2], r[1::2])]


def _left(x: Any, r: Any, p: Any, m: Any) -> list[Any]:
    return [x[0] - GOAL[0], x[1] - GOAL[1]]


@task(
    state=ROBOT.state, action=ROBOT.action, stage=Space(*(f"x{i} y{i} [m]" for i in range(NEAREST))),
    constraint=_apart, params={"final": (1.0, 1.0)}, terminal=_left, terminal_weights="final",
    weights=(0.05, 0.05, 0.05, 0.05, *(5.0,) * NEAREST),
)  # fmt: skip
def cross(x: Any, u: Any, r: Any, p: Any, m: Any) -> Any:
    """The robot comes to the goal and keeps its distance from people."""
    near = [m.maximum(g - APART + AROUND, 0.0) for g in _apart(x, u, r, p, m)]
    return [*_left(x, r, p, m), *u, *near]


@tasks.add
@cache
def people() -> BenchmarkTask:
    """A robot crosses a hall among moving people, recorded ones with the data in PILOTAGE_DATA, on a lidar and a map.

    The people are those of the first 40 s of students003 (Lerner, Chrysanthou and Lischinski, "Crowds by example",
    2007), or simulated ones if the file is not there. Planners predict them at constant velocity. They do not react to
    the robot, and the lidar sees only walls.
    """
    tracks = recorded()
    begin = Gaussian.of(ROBOT.state, [1.5, 1.5, 0.8], std=[0.4, 0.4, 0.3])
    walk = cross(references=Crowd(simulated() if tracks is None else tracks), initial=begin, dt=DT, horizon=300)
    lidar = Lidar(hall(), 16, 30.0, sigma=0.05, hit=1.0, short=0.0, missed=0.0, random=0.0)
    seen = {"lidar": Channel(lidar, period=0.2, dropout=0.05), "needle": Channel(compass(std=0.05))}
    return BenchmarkTask(
        "people", ROBOT, walk, planning=walk.replace(final=(2.0, 2.0)),
        success=lambda x: math.hypot(x[0] - GOAL[0], x[1] - GOAL[1]) < 0.5,
        disturbances={"gusts": wind("x", 0.2), "push": impulse("yaw", 0.5)},
        **estimated(unicycle(limits={"speed": (-0.5, 1.5)}), begin, seen, DT),
    )  # fmt: skip
