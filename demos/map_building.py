"""A map is made of a real building from the log of a laser, and a way is planned in it.

    map     every second scan of a log, whose poses SLAM has corrected, changes the cells of one map in place
    judge   the other scans: are the ends of their beams walls on the map, and is the way there free?
    plan    a round robot goes to the farthest place that the log has seen, by the shortest path on the map

The log is one of CARMEN (intel, see `PILOTAGE_DATA`), or any other given as --log; without one, scans of a simulated
lidar in the depot that comes with Pilotage.
"""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from tqdm import tqdm

from pilotage.core import Plan
from pilotage.io import LaserLog, read_carmen, write_atomic
from pilotage.maps import Footprint, InverseLikelihoodModel, Lidar, OccupancyGrid, OccupancyMap
from pilotage.models import unicycle
from pilotage.planners import AStar
from pilotage.viz import draw_grid, draw_path, map_figure

LOG = Path("lidar_logs") / "intel-corrected.log.gz"
REACH = 20.0
FAILED = 50.0
"""Readings of this or more are failed beams of a laser, and no views of so many metres."""
ROBOT = Footprint.disc(0.2)


def measured(path: Path) -> LaserLog:
    """The log, with failed beams as not measured."""
    log = read_carmen(path)
    return replace(log, ranges=np.where(log.ranges < FAILED, log.ranges, np.nan))


def simulated(seed: int, count: int = 500) -> LaserLog:
    """Scans of a robot in the depot that drives on where there is room."""
    grid, rng = OccupancyGrid.load("depot.yaml"), np.random.default_rng(seed)
    robot, angles = unicycle(), np.linspace(-0.5 * np.pi, 0.5 * np.pi, 181)
    lidar = Lidar(grid, angles=angles, max_range=REACH, sigma=0.02, hit=1.0, short=0.0, missed=0.0, random=0.0)
    x, poses = np.array([5.0, 1.0, 0.0]), []
    for _ in range(count):
        ranges = lidar.observe(x)
        ahead, left, right = ranges[70:111].min(), ranges[111:].mean(), ranges[:70].mean()
        turn = 0.3 * np.clip(left - right, -1.0, 1.0) if ahead > 0.8 else 1.5
        x = robot.step(x, [0.8 if ahead > 0.8 else 0.0, turn], 0.25)
        poses.append(x)
    track, ts = np.array(poses), 0.25 * np.arange(count, dtype=np.float64)
    return LaserLog(ts, track, track, lidar.sample(track, rng=rng), angles)


def build(log: LaserLog) -> tuple[OccupancyGrid, float]:
    """The map of every second scan, and the milliseconds that a scan took."""
    built, spent = OccupancyMap(0.05, model=InverseLikelihoodModel(sigma=0.03)), []
    for pose, scan in tqdm(list(zip(log.poses, log.ranges, strict=True))[::2], desc="scans", disable=None, leave=False):
        begun = perf_counter()
        built.insert(pose, scan, log.angles, REACH)
        spent.append(perf_counter() - begun)
    return built.grid(), 1e3 * float(np.median(spent))


def judge(grid: OccupancyGrid, log: LaserLog) -> tuple[float, float]:
    """Of the other scans, the shares of ends of beams that are walls, and of points 0.5 m before that are free."""
    poses, ranges = log.poses[1::2], log.ranges[1::2]
    t, b = np.nonzero((ranges > 1.0) & (ranges < REACH))
    bearing = poses[t, 2] + log.angles[b]
    ray, r = np.column_stack((np.cos(bearing), np.sin(bearing))), ranges[t, b][:, None]
    ends, before = (poses[t, :2] + length * ray for length in (r, r - 0.5))
    return float(grid.is_occupied(ends).mean()), float(grid.is_free(before).mean())


def plan_far(grid: OccupancyGrid, log: LaserLog) -> tuple[Plan, Any]:
    """The shortest path from the first place of the log where the robot fits to the farthest one, and the log's own."""
    roomy = np.flatnonzero(grid.clearance(log.poses, ROBOT) > 0.0)
    first = int(roomy[0])
    away = np.hypot(*(log.poses[roomy, :2] - log.poses[first, :2]).T)
    last = int(roomy[np.argmax(away)])
    driven = log.poses[first : last + 1, :2]
    return AStar().plan(grid.problem(driven[0], driven[-1], ROBOT)), driven


def picture(grid: OccupancyGrid, plan: Plan, driven: Any, title: str) -> bytes:
    """The map with the way that was driven, and the one that was planned."""
    sheet, ax = map_figure(grid, width=9.0)
    draw_grid(ax, grid)
    draw_path(ax, driven, label="driven, while the map was made")
    if plan.xs is not None:
        ax.plot(*plan.xs[:, :2].T, linewidth=2.0, zorder=5, label="planned on the map")
    ax.legend(loc="upper right")
    ax.set_title(title)
    kept = io.BytesIO()
    sheet.savefig(kept, format="png")
    return kept.getvalue()


def length(points: Any) -> float:
    return float(np.hypot(*np.diff(points[:, :2], axis=0).T).sum())


def main(*, log: Path | None = None, seed: int = 0, out: Path = Path("pilotage-demo")) -> int:
    """Make a map of a building from its log and plan in it; ends with a table, a ROS map and a picture.

    Args:
        log: A CARMEN log with corrected poses. Default: intel of the data in PILOTAGE_DATA, if it is there.
        seed: Seed of the simulated drive, where there is no log.
        out: Folder for the map and the picture.
    """
    path = log if log is not None else Path(os.environ.get("PILOTAGE_DATA", ".")) / LOG
    real = log is not None or path.is_file()
    drive, name = (measured(path), path.name.split("-corrected")[0]) if real else (simulated(seed), "depot (simulated)")
    grid, spent = build(drive)
    walls, free = judge(grid, drive)
    plan, driven = plan_far(grid, drive)
    gap = float(grid.clearance(plan.xs, ROBOT).min()) if plan.xs is not None else -np.inf
    print(
        f"{name}: {grid}\n"
        f"  map             {len(drive.ts[::2])} scans, {spent:.2f} ms each\n"
        f"  other scans     {walls:.1%} of the beams end in walls, {free:.1%} pass through free cells\n"
        f"  plan            {plan.status.value}, {plan.cost:.1f} m; driven: {length(driven):.1f} m\n"
        f"  gap to walls    {100.0 * gap:.1f} cm at the narrowest place"
    )
    out.mkdir(parents=True, exist_ok=True)
    grid.save(out / "map-building.yaml")
    write_atomic(out / "map-building.png", picture(grid, plan, driven, f"{name}: {plan.cost:.1f} m"))
    print(f"  see             {out / 'map-building.yaml'}, {out / 'map-building.png'}")
    good = walls > 0.75 and free > 0.95 and plan.ok and gap >= 0.0 and plan.cost <= length(driven)
    if not good:
        print("not as it should be: three quarters of the ends on walls, a free path no longer than the one driven")
    return 0 if good else 1
