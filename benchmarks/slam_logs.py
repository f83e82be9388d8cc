"""SLAM on real logs: from raw odometry where there is some, from scans alone where there is none."""

from __future__ import annotations

import importlib.util
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import Figures, table
from benchmarks.harness import Contest, absolute
from pilotage.core import Space
from pilotage.core.arrays import Array
from pilotage.estimators.slam.scans import ScanSLAM
from pilotage.estimators.slam.scores import absolute_trajectory_error, relation_errors
from pilotage.io import LaserLog, read_carmen, read_laser_log, read_relations

RBPF = 0.070
"""Mean error of relations on Intel of Rao-Blackwellised particle filters, Kümmerle et al. 2009, table 2 [m]."""
FAR, FAILED = 20.0, 50.0


def folder() -> Path:
    return Path(os.environ.get("PILOTAGE_DATA", "shared/data")) / "lidar_logs"


def measured(name: str) -> LaserLog:
    """A log with failed beams as not measured; FileNotFoundError where the data is absent."""
    log = read_laser_log(folder() / name)
    return replace(log, ranges=np.where(log.ranges < FAILED, log.ranges, np.nan))


def spoiled(poses: Array, seed: int) -> Array:
    """Odometry of a log that has none: the motions of the corrected poses with errors of 5 % and 0.02 rad / m^.5."""
    plane, rng = Space("pose: SE2"), np.random.default_rng(seed)
    d = np.array(plane.minus(poses[1:], poses[:-1]))
    way = np.hypot(d[:, 0], d[:, 1])
    d[:, :2] *= 1.0 + 0.05 * rng.normal(size=(len(d), 1))
    d[:, 2] += 0.05 * d[:, 2] * rng.normal(size=len(d)) + 0.02 * np.sqrt(way) * rng.normal(size=len(d))
    made = [np.zeros(3)]
    for each in d:
        made.append(np.asarray(plane.plus(made[-1], each)))
    return np.array(made)


def ours(log: LaserLog, odometry: Array | None) -> tuple[Array, float]:
    """Poses of all scans, and the seconds of processor time."""
    mapper, began = ScanSLAM(max_range=FAR).start(log.angles), time.process_time()
    for k, ranges in enumerate(log.ranges):
        mapper.update(ranges, None if odometry is None else odometry[k], float(k))
    mapper.finish()
    return mapper.trajectory[1], time.process_time() - began


def yag(log: LaserLog, odometry: Array) -> tuple[Array, float]:
    """The same by yag-slam (OpenKarto), with its default settings."""
    from yag_slam.graph_slam import GraphSlam  # pyright: ignore[reportMissingImports]
    from yag_slam.helpers import default_config, default_config_loop  # pyright: ignore[reportMissingImports]
    from yag_slam.models import LocalizedRangeScan  # pyright: ignore[reportMissingImports]
    from yag_slam.scan_matching import Scan2DMatcherCpp  # pyright: ignore[reportMissingImports]

    slam, began = (
        GraphSlam(Scan2DMatcherCpp(default_config), Scan2DMatcherCpp(default_config_loop)),
        time.process_time(),
    )
    first, last, step = float(log.angles[0]), float(log.angles[-1]), float(log.angles[1] - log.angles[0])
    for ranges, (x, y, yaw) in zip(log.ranges, odometry.tolist(), strict=True):
        seen = np.where(np.isfinite(ranges), ranges, 81.0).tolist()
        slam.process_scan(LocalizedRangeScan(seen, first, last, step, 0.0, 80.0, FAR, x, y, yaw))
    slam.run_opt()
    poses = [vertex.obj.corrected_pose for vertex in slam.graph.vertices]
    return np.array([[p.x, p.y, p.euler[-1]] for p in poses]), time.process_time() - began


def intel(lines: list[Any], bars: list[Any]) -> None:
    log, known = measured("intel_raw_odometry_gfs.json.gz"), read_relations(folder() / "intel.relations.gz")
    corrected, found = read_carmen(folder() / "intel-corrected.log.gz").poses, dict[str, tuple[Array, float]]()
    found["Pilotage"] = ours(log, log.odometry)
    if importlib.util.find_spec("yag_slam"):
        found["yag-slam"] = yag(log, log.odometry)
    found |= {"odometry": (log.odometry, 0.0), "corrected log": (corrected, 0.0)}
    duration, means = float(log.ts[-1] - log.ts[0]), dict[str, float]()
    for name, (poses, seconds) in found.items():
        e = relation_errors(known.poses, known.times, log.ts, poses)
        means[name] = e.mean
        ate = absolute_trajectory_error(corrected, poses).rmse
        faster = f"{duration / seconds:.0f}" if seconds else ""
        lines.append((f"intel: {name}", f"{e.mean:.3f} +- {e.std:.3f}", f"{ate:.3f}", seconds or "", faster))
    bars += [
        (f"intel: errors of relations below those of particle filters, {RBPF} m", means["Pilotage"] <= RBPF),
        ("intel: 20 times as fast as the robot", duration >= 20.0 * found["Pilotage"][1]),
    ]
    if "yag-slam" in means:
        bars.append(("intel: errors of relations not above those of yag-slam", means["Pilotage"] <= means["yag-slam"]))


@absolute("slam_intel", limit=50.0, unit="ms", note="SLAM of the Intel log, for each second of its 44 minutes")
def slam_intel(quick: bool) -> Contest:
    log = measured("intel_raw_odometry_gfs.json.gz")
    scans = slice(0, 200 if quick else len(log.ts))
    part = replace(log, ts=log.ts[scans], odometry=log.odometry[scans], ranges=log.ranges[scans])

    def check() -> str:
        known, (poses, _) = read_relations(folder() / "intel.relations.gz"), ours(part, part.odometry)
        error = relation_errors(known.poses, known.times, part.ts, poses).mean
        assert quick or error < RBPF, f"errors of relations are {error:.3f} m"
        return f"errors of relations {error:.3f} m"

    return Contest(lambda: ours(part, part.odometry), check=check, work=float(part.ts[-1] - part.ts[0]))


@table("slam_logs", note="SLAM in real buildings; errors of relations and of positions [m], seconds of one core")
def slam_logs(quick: bool) -> Figures:
    lines: list[Any] = []
    bars: list[tuple[str, bool]] = []
    intel(lines, bars)
    logs = [("aces", range(1 if quick else 3))] + ([] if quick else [("freiburg-079", [None, 0])])
    for name, seeds in logs:
        log = measured(f"{name}-corrected.log.gz")
        for seed in seeds:
            poses, seconds = ours(log, None if seed is None else spoiled(log.poses, seed))
            ate = absolute_trajectory_error(log.poses, poses).rmse
            source = "scans alone" if seed is None else f"corrected motion with errors, seed {seed}"
            faster = f"{(log.ts[-1] - log.ts[0]) / seconds:.0f}"
            lines.append((f"{name}: {source}", "", f"{ate:.3f}", seconds, faster))
            bars.append((f"{name}, {source}: below 0.3 m", ate < 0.3))
    return Figures(("log: by", "relations [m]", "ATE [m]", "seconds", "x real time"), lines, bars)
