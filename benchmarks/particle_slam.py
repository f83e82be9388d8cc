"""SLAM by particles: grids on the logs of three buildings, and landmarks in Victoria Park."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.accuracy import Figures, table
from benchmarks.harness import Contest, absolute
from benchmarks.landmark_slam import park, park_driven, park_errors
from benchmarks.slam_logs import FAR, RBPF, folder, measured, spoiled
from pilotage.core.arrays import Array
from pilotage.estimators.slam.particles import FastSLAM, GridRBPF
from pilotage.estimators.slam.scores import absolute_trajectory_error, relation_errors
from pilotage.io import LaserLog, read_relations

INTEL = "intel_raw_odometry_gfs.json.gz"
SEEDS = 3


def driven(log: LaserLog, odometry: Array, seed: int = 0) -> tuple[Array, float, float]:
    """Poses of all scans, the seconds of processor time, and the share of the memory of maps that share nothing."""
    mapper, began = GridRBPF(max_range=FAR).start(log.angles, rng=seed), time.process_time()
    for ranges, wheels, t in zip(log.ranges, odometry, log.ts.tolist(), strict=True):
        mapper.update(ranges, wheels, t)
    maps = mapper.maps
    return mapper.trajectory[1], time.process_time() - began, maps.nbytes / maps.unshared


@absolute(
    "grid_rbpf", limit=50.0, unit="ms", note="SLAM by 30 particles on the Intel log, for each second of the robot"
)
def grid_rbpf(quick: bool) -> Contest:
    log = measured(INTEL)
    scans = slice(0, 200 if quick else len(log.ts))
    part = replace(log, ts=log.ts[scans], odometry=log.odometry[scans], ranges=log.ranges[scans])

    def check() -> str:
        known, (poses, _, share) = read_relations(folder() / "intel.relations.gz"), driven(part, part.odometry)
        error = relation_errors(known.poses, known.times, part.ts, poses).mean
        assert quick or error <= RBPF, f"errors of relations are {error:.3f} m"
        return f"errors of relations {error:.3f} m, memory {share:.0%} of that of maps that share nothing"

    return Contest(lambda: driven(part, part.odometry), check=check, work=float(part.ts[-1] - part.ts[0]))


def buildings(lines: list[Any], bars: list[Any]) -> None:
    log, known = measured(INTEL), read_relations(folder() / "intel.relations.gz")
    for seed in range(SEEDS):
        poses, seconds, share = driven(log, log.odometry, seed)
        error = relation_errors(known.poses, known.times, log.ts, poses).mean
        lines.append((f"intel, raw odometry, relations: seed {seed}", f"{error:.3f}", seconds, f"{share:.0%}"))
        bars.append((f"intel, seed {seed}: not above particle filters before, {RBPF} m", error <= RBPF))
    for name in ("aces", "freiburg-079"):
        log = measured(f"{name}-corrected.log.gz")
        poses, seconds, share = driven(log, spoiled(log.poses, 0))
        ate = absolute_trajectory_error(log.poses, poses).rmse
        lines.append((f"{name}, motion with errors, ATE", f"{ate:.3f}", seconds, f"{share:.0%}"))
        bars.append((f"{name}: below 0.3 m", ate < 0.3))


def seeded(version: int, car: Any, dt: float) -> Any:
    """FastSLAM with 50 particles, started with a seed."""
    made: Any = FastSLAM(car, dt=dt, particles=50, version=version)  # pyright: ignore[reportArgumentType]
    return SimpleNamespace(start=partial(made.start, rng=0))


def trees(lines: list[Any], bars: list[Any]) -> None:
    """The quartile tells more than the median: where a way splits, half of it may still be right."""
    log, found = park(), dict[int, Array]()
    for version in (1, 2):
        _, poses, seconds = park_driven(partial(seeded, version), log, known=True)
        found[version] = np.quantile(park_errors(log, poses), [0.5, 0.75])
        errors = " / ".join(f"{error:.2f}" for error in found[version])
        lines.append(
            (f"Victoria Park, ids given, GPS (half / three quarters): FastSLAM {version}", errors, seconds, "")
        )
    bars += [
        ("Victoria Park: half of the GPS fixes within 2 m of FastSLAM 2", bool(found[2][0] < 2.0)),
        ("Victoria Park: three quarters nearer than to FastSLAM 1", bool(found[2][1] < found[1][1])),
    ]


@table("particle_slam", note="SLAM by particles on public data: errors [m], seconds of one core, share of memory")
def particle_slam(quick: bool) -> Figures:
    lines: list[Any] = []
    bars: list[Any] = []
    if not quick:
        buildings(lines, bars)
    trees(lines, bars)
    return Figures(("drive", "error [m]", "seconds", "memory"), lines, bars)
