"""A building is mapped from its raw log: scans and the odometry of the wheels, and nothing else.

    match    each scan is laid onto those before it, with the odometry as a prior
    close    where the robot comes back to a place, scans say how far it has drifted; graphs spread that over the way
    judge    relations between poses that people have found by hand, or the truth of the simulation

The log is that of the Intel research lab (see `PILOTAGE_DATA`), or any other given as --log; without one, a drive
around the block of a simulated building.
"""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
from tqdm import tqdm

from pilotage.core.arrays import Array
from pilotage.estimators.slam.scans import ScanMapper, ScanSLAM
from pilotage.estimators.slam.scores import TrajectoryErrors, absolute_trajectory_error, relation_errors
from pilotage.io import LaserLog, read_laser_log, read_relations, write_atomic
from pilotage.maps import OccupancyGrid
from pilotage.viz import draw_grid, draw_path, map_figure

from ._ring import simulated

LOG, RELATIONS = "intel_raw_odometry_gfs.json.gz", "intel.relations.gz"
FAILED = 50.0
"""Readings of this or more are failed beams of a laser, and no views of so many metres."""


def mapped(log: LaserLog) -> tuple[ScanMapper, float]:
    """The mapper after all scans, and the seconds it took."""
    mapper, began = ScanSLAM().start(log.angles), perf_counter()
    for ranges, wheels, t in tqdm(
        zip(log.ranges, log.odometry, log.ts.tolist(), strict=True),
        total=len(log.ts), desc="scans", disable=None, leave=False,
    ):  # fmt: skip
        mapper.update(ranges, wheels, t)
    mapper.finish()
    return mapper, perf_counter() - began


def judged(log: LaserLog, poses: Array, relations: Path | None) -> TrajectoryErrors:
    """Errors of relations, if there are some, or of positions."""
    if relations is None:
        return absolute_trajectory_error(log.poses, poses)
    known = read_relations(relations)
    return relation_errors(known.poses, known.times, log.ts, poses)


def picture(grid: OccupancyGrid, mapper: ScanMapper, wheels: Array, title: str) -> bytes:
    """The map, the way as it is known now, closures, and the way by the wheels alone."""
    _, poses = mapper.trajectory
    sheet, ax = map_figure(grid, width=9.0)
    draw_grid(ax, grid)
    start = wheels[0]
    c, s = np.cos(start[2]), np.sin(start[2])
    alone = (wheels[:, :2] - start[:2]) @ np.array([[c, -s], [s, c]])
    draw_path(ax, alone, label="by the wheels alone", linewidth=0.7, color="tab:red", alpha=0.6)
    at = mapper.keyframes.poses
    for closure in mapper.keyframes.closures[::3]:
        draw_path(ax, [at[closure.first][:2], at[closure.second][:2]], linewidth=0.6, color="tab:green")
    draw_path(ax, poses, label="by SLAM", color="tab:blue")
    ax.legend(loc="upper right")
    ax.set_title(title)
    kept = io.BytesIO()
    sheet.savefig(kept, format="png")
    return kept.getvalue()


def main(*, log: Path | None = None, seed: int = 0, out: Path = Path("pilotage-demo")) -> int:
    """Map a building from its raw log; ends with errors, a ROS map and a picture.

    Args:
        log: A log with raw odometry. Default: that of Intel in PILOTAGE_DATA, if it is there.
        seed: Seed of the simulated drive, where there is no log.
        out: Folder for the map and the picture.
    """
    data = Path(os.environ.get("PILOTAGE_DATA", ".")) / "lidar_logs"
    real = log is not None or (data / LOG).is_file()
    drive = read_laser_log(log or data / LOG) if real else simulated(seed)
    drive = replace(drive, ranges=np.where(drive.ranges < FAILED, drive.ranges, np.nan))
    relations = data / RELATIONS if log is None and real else None
    mapper, seconds = mapped(drive)
    ts, poses = mapper.trajectory
    grid, frames = mapper.map(), mapper.keyframes
    name = "ring (simulated)" if not real else (log or Path(LOG)).name.split("_")[0].split(".")[0]
    print(
        f"{name}: {grid}\n"
        f"  scans      {len(ts)} in {seconds:.1f} s, {(ts[-1] - ts[0]) / seconds:.0f} times as fast as the robot\n"
        f"  graph      {len(frames)} keyframes, {len(frames.closures)} loop closures, chi2 {frames.solved:.0f}"
    )
    good = len(frames.closures) > 0
    if log is None:
        errors, wheels = judged(drive, poses, relations), judged(drive, drive.odometry, relations)
        what = "relations" if relations else "positions"
        print(f"  {what}  {errors.mean:.3f} m of error on average; by the wheels alone {wheels.mean:.2f} m")
        good = good and errors.mean < 0.07
    out.mkdir(parents=True, exist_ok=True)
    grid.save(out / "slam-building.yaml")
    write_atomic(out / "slam-building.png", picture(grid, mapper, drive.odometry, f"{name}: {len(ts)} scans"))
    print(f"  see        {out / 'slam-building.yaml'}, {out / 'slam-building.png'}")
    if not good:
        print("not as it should be: loops closed, and errors below 7 cm on average")
    return 0 if good else 1
