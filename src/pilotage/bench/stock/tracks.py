"""A car and a unicycle on the race tracks of F1TENTH, from the folder that `PILOTAGE_DATA` names."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...control import follow
from ...core import Dynamics, Gaussian
from ...core.arrays import Array
from ...core.errors import MissingFile
from ...io import read_racetrack
from ...maps import OccupancyGrid
from ...models import bicycle, compass, position, unicycle
from ..benchmark_task import BenchmarkTask, Channel, tasks
from ._common import estimated, impulse, mismatch, wind

TRACKS = (
    "Austin", "Budapest", "Hockenheim", "Melbourne", "Montreal", "Monza", "Nuerburgring", "Oschersleben", "Sepang",
    "Silverstone", "Spielberg",
)  # fmt: skip
LIMITS = {"accel": (-4.0, 4.0), "steer": (-0.4, 0.4)}
ROBOTS: dict[str, tuple[Any, float, dict[str, Any]]] = {
    "bicycle": (bicycle, 4.0, {"wheelbase": 0.33, "limits": LIMITS}),
    "unicycle": (unicycle, 2.0, {"limits": {"speed": (-0.5, 2.5)}}),
}
"""Model, speed on the track [m/s], and settings of the model."""
DISTURBANCES = {
    "bicycle": {"long": mismatch(wheelbase=1.15), "short": mismatch(wheelbase=0.87), "push": impulse("yaw", 0.3)},
    "unicycle": {"gusts": wind("x", 0.2), "push": impulse("yaw", 0.3)},
}
DT, RADIUS = 0.1, 0.2


def track_folder(name: str) -> Path:
    """The folder of a track, with `NAME_centerline.csv` and `NAME_map.yaml`.

    Raises:
        MissingFile: if it is not there.
    """
    root = os.environ.get("PILOTAGE_DATA")
    folder = Path(root or ".") / "racetracks" / name
    if not folder.is_dir():
        where = f"{folder} does not exist" if root else "PILOTAGE_DATA is not set"
        raise MissingFile(f"the track {name} is not there: {where}; PILOTAGE_DATA names the folder of racetracks")
    return folder


def centerline(name: str) -> Array:
    """The middle of a track ``(K, 2)`` [m], closed.

    Raises:
        MissingFile: if the track is not there.
    """
    xy = read_racetrack(track_folder(name)).center
    return np.concatenate([xy, xy[:1]])


def published(name: str, speed: float) -> float | None:
    """The time of a lap on the published race line with its speed profile, cut at a speed [s]; None without a line.

    The profile has limits of its own; a lap of the benchmark begins at half speed and ends at rest.
    """
    line = read_racetrack(track_folder(name)).raceline
    return None if line is None else replace(line, speed=np.minimum(line.speed, speed)).seconds


def lap(robot: str, track: str) -> BenchmarkTask:
    """One lap along the middle of a track, clear of the walls of its map.

    Args:
        robot: "bicycle" or "unicycle".
        track: the name of a track.

    Raises:
        MissingFile: if the track is not there.
    """
    make, speed, settings = ROBOTS[robot]
    plant: Dynamics = make(noise=0.0, **settings)
    path, grid = centerline(track), OccupancyGrid.load(track_folder(track) / f"{track}_map.yaml")
    ahead, length = path[1] - path[0], float(np.hypot(*np.diff(path, axis=0).T).sum())
    mean = [*path[0], math.atan2(ahead[1], ahead[0]), *[0.5 * speed] * (robot == "bicycle")]
    begin = Gaussian.of(plant.state, mean, std=[0.1, 0.1, 0.05, 0.2][: len(mean)])
    ride = follow(
        path, grid, speed=speed, decel=2.0, radius=RADIUS, tolerance=0.5, initial=begin, dt=DT,
        horizon=math.ceil(1.3 * length / speed / DT),
    )  # fmt: skip
    seen = {"fix": Channel(position(2, std=0.05), delay=DT, dropout=0.1), "needle": Channel(compass(std=0.02))}
    return BenchmarkTask(
        f"{robot}_{track.lower()}", plant, ride, path=lambda seed: path, disturbances=DISTURBANCES[robot],
        fastest=published(track, speed), finish=True,
        success=lambda x: math.hypot(*(x[:2] - path[-1])) < 1.0, **estimated(make(**settings), begin, seen, DT),
    )  # fmt: skip


def _register(robot: str, track: str) -> None:
    @cache
    def made() -> BenchmarkTask:
        return lap(robot, track)

    made.__name__ = f"{robot}_{track.lower()}"
    made.__doc__ = f"A {robot} drives a lap on the track {track} of F1TENTH, from the data in PILOTAGE_DATA."
    tasks.add(made)


for _robot in ROBOTS:
    for _track in TRACKS:
        _register(_robot, _track)
