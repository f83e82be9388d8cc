"""A robot finds out where it is in a real building, is carried away, and finds itself again.

    map         made of every second scan of a log of the building, whose poses SLAM has corrected
    localize    the robot drives on the other scans: Monte Carlo localization from anywhere on the map
    carry away  halfway, a piece of the log is cut out, which the odometry does not notice

The log is one of CARMEN (freiburg-079, see `PILOTAGE_DATA`), or any other given as --log; without one, the depot that
comes with Pilotage, through which a robot with a simulated lidar drives.
"""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pilotage.core import Space
from pilotage.estimators.localization import MonteCarloLocalization, odometry_motion, odometry_move
from pilotage.io import LaserLog, read_carmen, write_atomic
from pilotage.maps import Lidar, OccupancyGrid
from pilotage.models import unicycle
from pilotage.viz import draw_grid, draw_particles, draw_path, map_figure

PLANE = Space("pose: SE2")
LOG = Path("lidar_logs") / "freiburg-079-corrected.log.gz"
REACH = 20.0
BLIND = 80.0
"""Ranges above this are failed beams of a SICK laser, and no views of so many metres."""
RIGHT = 0.3
"""The robot is right within this distance [m]."""


def measured(path: Path) -> tuple[OccupancyGrid, LaserLog]:
    """The map of a log from every second scan, and the other scans."""
    log = read_carmen(path)
    log = replace(log, ranges=np.where(log.ranges > BLIND, np.nan, log.ranges))
    grid = OccupancyGrid.from_scans(log.poses[::2], log.ranges[::2], log.angles, REACH)
    others = {name: getattr(log, name)[1::2] for name in ("ts", "poses", "odometry", "ranges")}
    return grid, replace(log, **others)


def simulated(seed: int, count: int = 600) -> tuple[OccupancyGrid, LaserLog]:
    """The depot, and scans of a robot that drives on where there is room."""
    grid, rng = OccupancyGrid.load("depot.yaml"), np.random.default_rng(seed)
    robot, angles = unicycle(), np.linspace(-0.5 * np.pi, 0.5 * np.pi, 181)
    lidar = Lidar(grid, angles=angles, max_range=REACH, sigma=0.03, hit=0.94, short=0.03, missed=0.02, random=0.01)
    x, poses = np.array([5.0, 1.0, 0.0]), []
    for _ in range(count):
        ranges = lidar.observe(x)
        ahead, left, right = ranges[70:111].min(), ranges[111:].mean(), ranges[:70].mean()
        turn = 0.3 * np.clip(left - right, -1.0, 1.0) if ahead > 0.8 else 1.5
        x = robot.step(x, [0.8 if ahead > 0.8 else 0.0, turn], 0.25)
        poses.append(x)
    track = np.array(poses)
    return grid, LaserLog(0.25 * np.arange(count, dtype=np.float64), track, track, lidar.sample(track, rng=rng), angles)


def wheels(poses: Any, seed: int) -> Any:
    """Poses by the wheels: the true ones, with errors of 5 % of the way and of each turn, and 0.02 rad / m^.5."""
    rng, d = np.random.default_rng(seed), np.array(PLANE.minus(poses[1:], poses[:-1]))
    way = np.hypot(d[:, 0], d[:, 1])
    d[:, :2] *= 1.0 + 0.05 * rng.normal(size=(len(d), 1))
    d[:, 2] += 0.05 * d[:, 2] * rng.normal(size=len(d)) + 0.02 * np.sqrt(way) * rng.normal(size=len(d))
    track = [poses[0]]
    for step in d:
        track.append(np.asarray(PLANE.plus(track[-1], step)))
    return np.array(track)


def localize(grid: OccupancyGrid, log: LaserLog, seed: int, scans: int) -> dict[str, Any]:
    """Beliefs and true poses, scan by scan; `scans` before the robot is carried away, and `scans` after that."""
    lidar, odometry = Lidar(grid, angles=log.angles, max_range=REACH, beams=60), wheels(log.poses, seed)
    mcl = MonteCarloLocalization(grid, odometry_motion(), dt=1.0, clearance=0.1)
    run, rng = mcl.start(rng=seed), np.random.default_rng(seed)
    first = int(rng.integers(len(log.ts) // 2 - scans))
    away = np.hypot(*(log.poses[: len(log.ts) - scans, :2] - log.poses[first + scans - 1, :2]).T)
    parts = [first, int(rng.choice(np.flatnonzero(away > 5.0)))]
    found: dict[str, list[Any]] = {"truth": [], "mean": [], "sure": [], "cloud": []}
    with tqdm(total=2 * scans, desc="scans", disable=None, leave=False) as bar:
        for begin in parts:
            for k in range(begin, begin + scans):
                if k > begin:
                    run.predict(u=odometry_move(odometry[k - 1], odometry[k]))
                belief = run.update(lidar, log.ranges[k]).belief
                found["truth"].append(log.poses[k])
                found["mean"].append(belief.best.mean)
                found["sure"].append(belief.converged)
                found["cloud"].append(belief.particles.points[:: max(1, len(belief.particles.points) // 3000), :2])
                bar.update()
    return {name: np.array(each) if name != "cloud" else each for name, each in found.items()}


def judge(found: dict[str, Any], scans: int) -> dict[str, float]:
    """Scans until the robot is sure and right, at first and after it was carried away; errors from then on [m]."""
    error = np.hypot(*(found["mean"] - found["truth"])[:, :2].T)
    good = found["sure"] & (error < RIGHT)
    after = [int(np.argmax(part)) + 1 if part.any() else scans + 1 for part in (good[:scans], good[scans:])]
    k = np.arange(2 * scans)
    known = found["sure"] & np.where(k < scans, k >= after[0] - 1, k >= scans + after[1] - 1)
    errors = error[known] if known.any() else np.array([np.inf])
    return {
        "found": after[0], "again": after[1], "median": float(np.median(errors)),
        "most": float(np.quantile(errors, 0.95)),
    }  # fmt: skip


def pictures(grid: OccupancyGrid, found: dict[str, Any], scans: int, title: str) -> dict[str, bytes]:
    """The map with particles, the way of the robot, and where it was sure to be; at first, and carried away."""
    drawn = {}
    for name, begin, shown in (("anywhere", 0, 0), ("carried-away", scans, 1)):
        part = slice(begin, begin + scans)
        sheet, ax = map_figure(grid, width=9.0)
        draw_grid(ax, grid)
        draw_particles(ax, found["cloud"][begin + shown], label="particles before it knew")
        draw_path(ax, found["truth"][part], label="true path")
        sure = found["sure"][part]
        ax.plot(*found["mean"][part][sure, :2].T, ".", markersize=4, zorder=5, label="sure")
        ax.legend(loc="upper right")
        ax.set_title(f"{title}, {name.replace('-', ' ')}")
        kept = io.BytesIO()
        sheet.savefig(kept, format="png")
        drawn[name] = kept.getvalue()
    return drawn


def main(*, log: Path | None = None, seed: int = 0, scans: int = 60, out: Path = Path("pilotage-demo")) -> int:
    """Localize a robot in a real building from its log; ends with a table and two pictures.

    Args:
        log: A CARMEN log with corrected poses. Default: freiburg-079 of the data in PILOTAGE_DATA, if it is there.
        seed: Seed of everything random: start, cut, errors of the wheels, particles.
        scans: Scans before the robot is carried away, and after that.
        out: Folder for the pictures.
    """
    path = log if log is not None else Path(os.environ.get("PILOTAGE_DATA", ".")) / LOG
    real = log is not None or path.is_file()
    grid, drive = measured(path) if real else simulated(seed)
    found = localize(grid, drive, seed, scans)
    result, name = judge(found, scans), path.name.split("-corrected")[0] if real else "depot (simulated)"
    print(
        f"{name}: {grid}\n"
        f"  sure and right    after {result['found']} scans, from anywhere on the map\n"
        f"  carried away      sure and right again after {result['again']} scans\n"
        f"  position error    {100 * result['median']:.1f} cm in the middle, 95 % below {100 * result['most']:.1f} cm"
    )
    out.mkdir(parents=True, exist_ok=True)
    for part, drawn in pictures(grid, found, scans, f"{name}: {100 * result['median']:.1f} cm").items():
        write_atomic(out / f"mcl-{part}.png", drawn)
        print(f"  see               {out / f'mcl-{part}.png'}")
    good = result["found"] <= 10 and result["again"] <= scans and result["median"] < 0.06
    if not good:
        print("not as it should be: sure and right within ten scans, again when carried away, and within 6 cm")
    return 0 if good else 1
