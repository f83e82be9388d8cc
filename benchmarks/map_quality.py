"""Maps of real buildings, judged by scans that were not used to make them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import Figures, table
from benchmarks.maps import crossed
from pilotage.core.arrays import Array
from pilotage.io import LaserLog, read_carmen
from pilotage.maps import InverseConeModel, InverseLikelihoodModel, OccupancyGrid, OccupancyMap

LOGS = ("intel", "freiburg-079", "aces", "belgioioso", "seattle")
REACH = 20.0
FAILED = 50.0
"""Readings of this or more are beams that failed."""


def read(name: str, most: int) -> LaserLog:
    """A log with beams that failed as not measured, and about `most` scans; FileNotFoundError where data is absent."""
    log = read_carmen(Path(os.environ.get("PILOTAGE_DATA", "shared/data")) / "lidar_logs" / f"{name}-corrected.log.gz")
    kept = slice(None, None, max(1, len(log.ts) // most))
    ranges = np.where(log.ranges < FAILED, log.ranges, np.nan)[kept]
    return replace(log, ts=log.ts[kept], poses=log.poses[kept], odometry=log.odometry[kept], ranges=ranges)


def part(log: LaserLog, scans: slice) -> tuple[Array, Array]:
    return log.poses[scans], log.ranges[scans]


def built(**rule: Any) -> Callable[[LaserLog], OccupancyGrid]:
    """A map of every second scan."""
    return lambda log: OccupancyMap(**rule).insert(*part(log, slice(0, None, 2)), log.angles, REACH).grid()


def counted(log: LaserLog) -> OccupancyGrid:
    """A map of how often beams ended in a cell, of those that touched it: (hits + 1) / (hits + passes + 2)."""
    poses, scans = part(log, slice(0, None, 2))
    low, high = poses[:, :2].min(axis=0) - REACH - 1.0, poses[:, :2].max(axis=0) + REACH + 1.0
    nx, ny = np.ceil((high - low) / 0.05).astype(int).tolist()
    passes, hits = np.zeros(nx * ny), np.zeros(nx * ny)
    for pose, scan in zip(poses, scans, strict=True):
        seen = scan > 0.0
        crossing, ends = crossed((ny, nx), low, pose, scan[seen], log.angles[seen], REACH)
        passes[crossing] += 1.0
        hits[ends] += 1.0
    p = np.where(hits + passes > 0.0, (hits + 1.0) / (hits + passes + 2.0), np.nan)
    return OccupancyGrid.from_probability(p.reshape(ny, nx), 0.05, (*low.tolist(), 0.0), free_thresh=0.45)


MAPS: dict[str, Callable[[LaserLog], OccupancyGrid]] = {
    "beam": built(),
    "beam, no clamp": built(clamp=(0.001, 0.999)),
    "likelihood, 3 cm": built(model=InverseLikelihoodModel(sigma=0.03)),
    "cone of a beam": built(model=InverseConeModel(hit=0.7, miss=0.4, width=np.radians(1.0), thickness=0.05)),
    "counting (numpy)": counted,
}


def events(log: LaserLog) -> tuple[Array, Array]:
    """Points ``(N, 2)`` of the other scans: where beams ended, and where they passed, at least 10 cm before that."""
    poses, scans = part(log, slice(1, None, 2))
    t, b = np.nonzero((scans > 0.5) & (scans < REACH))
    bearing, r = poses[t, 2] + log.angles[b], scans[t, b]
    ray = np.column_stack((np.cos(bearing), np.sin(bearing)))
    where = np.random.default_rng(0).uniform(0.0, 1.0, len(r)) * (r - 0.1)
    return poses[t, :2] + (r[:, None] + 1e-6) * ray, poses[t, :2] + where[:, None] * ray


def judge(grid: OccupancyGrid, ends: Array, passed: Array) -> tuple[float, float, float, float]:
    """Area under the curve, loss in nats (0.693 for a coin), and shares of both kinds that the map gets right."""
    on, off = (chance(grid, points) for points in (ends, passed))
    ranks = np.concatenate((on, off)).argsort(kind="stable").argsort() + 1.0
    inverse = np.unique(np.concatenate((on, off)), return_inverse=True)[1]
    mean = (np.bincount(inverse, ranks) / np.bincount(inverse))[inverse]  # of equal ones
    area = (mean[: len(on)].sum() - len(on) * (len(on) + 1) / 2) / (len(on) * len(off))
    loss = -0.5 * (np.log(on).mean() + np.log1p(-off).mean())
    return float(area), float(loss), float(grid.is_occupied(ends).mean()), float(grid.is_free(passed).mean())


def chance(grid: OccupancyGrid, points: Array) -> Array:
    """The probability of occupancy at points; 1/2 where the map does not know."""
    cells = grid.world_to_cell(points)
    inside = grid.contains_cell(cells)
    p = np.full(len(points), 0.5)
    p[inside] = grid.probability[tuple(cells[inside].T)]
    return np.clip(np.nan_to_num(p, nan=0.5), 0.001, 0.999)


@table("map_quality", note="maps of every second scan of a log, 5 cm, against the ends and passages of the other scans")
def map_quality(quick: bool) -> Figures:
    lines, bars = [], []
    for name in LOGS[: 1 if quick else None]:
        log = read(name, 300 if quick else 2000)
        seen = events(log)
        found = {label: judge(make(log), *seen) for label, make in MAPS.items()}
        for label, (area, loss, on, off) in found.items():
            lines.append((f"{name}: {label}", area, loss, f"{on:.1%}", f"{off:.1%}"))
        area, loss, on, off = found["likelihood, 3 cm"]
        others = (found[label][1] for label in MAPS if label != "likelihood, 3 cm")
        bars += [
            (f"{name}: area of likelihood at least 0.96", area >= 0.96),
            (f"{name}: loss of likelihood the lowest", loss < min(others)),
            (f"{name}: 70 % of the ends occupied, 97 % of the passages free", on >= 0.7 and off >= 0.97),
        ]
    return Figures(("log: map", "area under the curve", "loss [nats]", "ends occupied", "passages free"), lines, bars)
