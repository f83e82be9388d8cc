"""Laps on the F1TENTH tracks against the published race lines, with the limits of the published speed profiles.

The limits are the largest lateral acceleration v^2 |kappa|, acceleration, deceleration and speed of the published
profile; for tracks without one, the means of the others. A bicycle model of an F1TENTH car drives from standstill; the
second lap is timed. Each of its poses is checked against the map, and each of its accelerations against the limits.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.accuracy import Figures, table
from pilotage.control import Stanley
from pilotage.core import ActionStatus
from pilotage.io import RaceTrack, read_racetrack
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import bicycle
from pilotage.planners import RacingLine

WHEELBASE, DT, STEER = 0.33, 0.02, 0.42
FOOTPRINT = Footprint.rectangle(0.58, 0.31, (0.5 * WHEELBASE, 0.0))
MARGIN, GRIPS, REACH = 0.255, (0.9, 0.87), 2.0
"""Of the line: distance to walls [m], 0.1 m more than half the width of the car; shares of the lateral acceleration,
since the car corrects its course, of which the first is taken whose lap is within the limits; and offsets from the
centre line that are tried, if there is no wall [m]."""


class Lap(NamedTuple):
    """A driven lap, its states, and what was published.

    `used` is the largest acceleration, along and across together, as a share of the limit.
    """

    seconds: float
    published: float | None
    on_published: float | None
    clearance: float
    published_clearance: float | None
    used: float
    xs: np.ndarray


def tracks() -> list[str]:
    """The names of the tracks."""
    names = "Austin Budapest Hockenheim Melbourne Montreal Monza Nuerburgring Oschersleben Sepang Silverstone Spielberg"
    return [*names.split()]


def limits(track: RaceTrack) -> dict[str, Any]:
    """The limits of the published profile [m/s, m/s^2]."""
    line = track.raceline
    if line is None:
        return {"speed": 8.0, "acceleration": 3.8, "braking": 5.2, "lateral": 10.0}
    lateral = float(abs(line.speed**2 * line.curvature).max())
    return {
        "speed": float(line.speed.max()), "acceleration": float(line.accel.max()),
        "braking": float(-line.accel.min()), "lateral": lateral,
    }  # fmt: skip


def race(folder: Path) -> Lap:
    """A flying lap of a track by our own line."""
    track = read_racetrack(folder)
    grid, most = OccupancyGrid.load(track.map), limits(track)
    seconds, xs, used = np.inf, np.empty((0, 3)), np.inf
    for grip in GRIPS:
        racing = RacingLine(**{**most, "lateral": grip * most["lateral"]}, margin=MARGIN)
        plan = racing.optimize(track.center, REACH, REACH, grid)
        assert plan.xs is not None, plan.reason
        seconds, xs, used = driven(plan.xs, plan.stats["speed"], most)
        if used <= 1.0:
            break
    line, on_published, theirs = track.raceline, None, None
    if line is not None:
        on_published = float(RacingLine(**most).parameterize(line.points[:-1]).cost)
        theirs = float(grid.clearance(np.column_stack([line.points, line.yaw]), FOOTPRINT).min())
    published = None if line is None else line.seconds
    return Lap(seconds, published, on_published, float(grid.clearance(xs, FOOTPRINT).min()), theirs, used, xs)


def driven(line: np.ndarray, speeds: np.ndarray, most: dict[str, Any]) -> tuple[float, np.ndarray, float]:
    """Time of the second lap [s], the poses ``(T, 3)``, and the largest share of the acceleration that was used."""
    car = bicycle(
        wheelbase=WHEELBASE, limits={"accel": (-most["braking"], most["acceleration"]), "steer": (-STEER, STEER)}
    )
    n = len(line) - 1
    thrice = np.arange(2 * n + n // 4) % n
    drive = Stanley(car, line[thrice, :2], speed=speeds[thrice], decel=0.8 * most["braking"], gain=15.0, tolerance=0.3)
    x, xs, used, crossed, action = np.array([*line[0], 0.0]), [], 0.0, [0.0], None
    for tick in range(20_000):
        action = drive.act(x, DT * tick)
        if action.status is not ActionStatus.SOLVED:
            break
        xs.append(x)
        used = max(used, float(np.hypot(action.u[0], x[3] ** 2 * np.tan(action.u[1]) / WHEELBASE)) / most["lateral"])
        x = car.step(x, action.u, DT)
        ahead = np.array([np.cos(line[0, 2]), np.sin(line[0, 2])])
        before, after = (ahead @ (at[:2] - line[0, :2]) for at in (xs[-1], x))
        if before < 0.0 <= after and np.hypot(*(x[:2] - line[0, :2])) < 1.0:
            crossed.append(DT * (tick - before / (after - before)))
    assert action is not None and action.status is ActionStatus.DONE and len(crossed) == 3, action
    return crossed[2] - crossed[1], np.array(xs)[:, :3], used


@table("race", note="the second lap of a car on the F1TENTH tracks, with the limits of the published profiles")
def racing(quick: bool) -> Figures:
    folder = Path(os.environ.get("PILOTAGE_DATA", "shared/data")) / "racetracks"
    if not folder.is_dir():
        raise FileNotFoundError(f"there are no race tracks in {folder}; set PILOTAGE_DATA")
    lines, bars = [], []
    for name in ["Oschersleben"] if quick else tracks():
        lap = race(folder / name)
        shown = [f"{each:.2f}" if each is not None else "-" for each in (lap.published, lap.on_published, lap.seconds)]
        theirs = "-" if lap.published_clearance is None else f"{lap.published_clearance:.3f}"
        lines.append((name, *shown, f"{lap.clearance:.3f}", theirs, f"{lap.used:.3f}"))
        bars.append((f"{name}: no wall touched, within the limits", lap.clearance > 0.0 and lap.used <= 1.0))
        if lap.published is not None:
            bars.append((f"{name}: not slower than published", lap.seconds <= lap.published))
    columns = (
        "track", "published [s]", "our profile on the published line [s]", "ours, driven [s]", "least clearance [m]",
        "that of the published line [m]", "share of the acceleration",
    )  # fmt: skip
    return Figures(columns, lines, bars)
