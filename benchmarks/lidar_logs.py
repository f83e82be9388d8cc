"""Localization: a robot with a lidar in real buildings, from logs that SLAM has corrected."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import Figures, table

LOGS = {"intel": "its wheels' own odometry", "freiburg-079": "corrected poses, with errors added"}
"""Logs by name, and what is taken for odometry."""
REACH = 20.0
SCANS = 40
"""Before the robot is carried away, and after that."""
RIGHT = 0.3
"""A position is right within this distance [m]."""


@dataclass(frozen=True)
class Building:
    """A building: the map from every second scan of its log, the other scans with reference poses, and odometry."""

    grid: Any
    log: Any
    odometry: np.ndarray | None

    def odometry_of(self, seed: int) -> np.ndarray:
        """Poses by the wheels ``(T, 3)``: the log's, or corrected ones with errors of 5 % and 0.02 rad / m^.5."""
        from pilotage.core import Space

        if self.odometry is not None:
            return self.odometry
        plane, rng = Space("pose: SE2"), np.random.default_rng(seed)
        d = np.array(plane.minus(self.log.poses[1:], self.log.poses[:-1]))
        way = np.hypot(d[:, 0], d[:, 1])
        d[:, :2] *= 1.0 + 0.05 * rng.normal(size=(len(d), 1))
        d[:, 2] += 0.05 * d[:, 2] * rng.normal(size=len(d)) + 0.02 * np.sqrt(way) * rng.normal(size=len(d))
        poses = [self.log.poses[0]]
        for each in d:
            poses.append(np.asarray(plane.plus(poses[-1], each)))
        return np.array(poses)


def building(name: str) -> Building:
    """A building of `LOGS`; FileNotFoundError where the data is absent."""
    from pilotage.io import read_carmen
    from pilotage.maps import OccupancyGrid

    folder = Path(os.environ.get("PILOTAGE_DATA", "shared/data")) / "lidar_logs"
    log = read_carmen(folder / f"{name}-corrected.log.gz")
    # A SICK laser writes its largest number where a beam has failed: that is not a view of 80 m.
    log = replace(log, ranges=np.where(log.ranges > 80.0, np.nan, log.ranges))
    grid = OccupancyGrid.from_scans(log.poses[::2], log.ranges[::2], log.angles, REACH)
    odometry = None
    if name == "intel":
        steps = json.loads(gzip.decompress((folder / "intel_raw_odometry_gfs.json.gz").read_bytes()))["map"]
        odometry = np.array([[steps[t][axis] for axis in ("x", "y", "theta")] for t in sorted(steps, key=float)])
    others = slice(1, None, 2)
    kept = replace(log, **{each: getattr(log, each)[others] for each in ("ts", "poses", "odometry", "ranges")})
    return Building(grid, kept, None if odometry is None else odometry[others])


@dataclass(frozen=True)
class Episode:
    """One run: errors of position [m], and whether the robot says that it knows its pose, scan by scan.

    The first `SCANS` start from anywhere; then the robot is carried away, as a piece of the log is cut out.
    """

    errors: np.ndarray
    sure: np.ndarray

    def found(self, carried: bool) -> int:
        """The number of scans after which the robot is sure and right; more than there were if it never is."""
        part = slice(SCANS, None) if carried else slice(0, SCANS)
        good = self.sure[part] & (self.errors[part] < RIGHT)
        return int(np.argmax(good)) + 1 if good.any() else SCANS + 1

    @property
    def known(self) -> np.ndarray:
        """Errors of sure beliefs once the robot has found itself, before it is carried away and afterwards."""
        k = np.arange(len(self.errors))
        late = np.where(k < SCANS, k >= self.found(False) - 1, k >= SCANS + self.found(True) - 1)
        return self.errors[self.sure & late]


def episode(place: Building, seed: int, **settings: Any) -> Episode:
    """A robot that starts anywhere, and is carried away."""
    from pilotage.estimators.localization import MonteCarloLocalization, odometry_motion, odometry_move
    from pilotage.maps import Lidar

    log, wheels, rng = place.log, place.odometry_of(seed), np.random.default_rng(seed)
    lidar = Lidar(place.grid, angles=log.angles, max_range=REACH, beams=60)
    last = len(log.ts) - SCANS
    first = int(rng.integers(last))
    far = np.hypot(*(log.poses[:last, :2] - log.poses[first + SCANS - 1, :2]).T) > 3.0
    again = int(rng.choice(np.flatnonzero(far)))
    run = MonteCarloLocalization(place.grid, odometry_motion(), dt=1.0, clearance=0.1, **settings).start(rng=seed)
    errors, sure = [], []
    for begun in (first, again):
        for k in range(begun, begun + SCANS):
            if k > begun:
                run.predict(u=odometry_move(wheels[k - 1], wheels[k]))
            belief = run.update(lidar, log.ranges[k]).belief
            errors.append(float(np.hypot(*(belief.best.mean - log.poses[k])[:2])))
            sure.append(belief.converged)
    return Episode(np.array(errors), np.array(sure))


@table("mcl_logs", note="MCL in two real buildings, from anywhere on a map of every second scan, on the other scans")
def mcl_logs(quick: bool) -> Figures:
    lines, bars = [], []
    for name, source in LOGS.items():
        place = building(name)
        runs = [episode(place, seed) for seed in range(3 if quick else 10)]
        found, back = (np.array([run.found(carried) for run in runs]) for carried in (False, True))
        errors = np.concatenate([run.known for run in runs])
        median, most = float(np.median(errors)), float(np.quantile(errors, 0.95))
        lines.append((
            name, source, len(runs), f"{(found <= 10).mean():.0%}", f"{np.median(found):.0f} / {found.max()}",
            f"{(back <= SCANS).mean():.0%}", f"{np.median(back):.0f} / {back.max()}", 100.0 * median, 100.0 * most,
            f"{(errors > RIGHT).mean():.1%}",
        ))  # fmt: skip
        bars += [
            (f"{name}: median error below 5 cm", median < 0.05),
            (f"{name}: converged within ten scans, every time", bool((found <= 10).all())),
            (f"{name}: recovered within {SCANS} scans, every time", bool((back <= SCANS).all())),
        ]
    columns = (
        "log", "odometry", "runs",
        "found in 10 scans", "scans (median / most)", "recovered", "scans to that (median / most)",
        "median error [cm]", "95 % [cm]", "sure and wrong",
    )  # fmt: skip
    return Figures(columns, lines, bars)
