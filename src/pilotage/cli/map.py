"""`pilotage map`: a ROS map of a building from the log of a laser, whose poses SLAM has corrected."""

from __future__ import annotations

import json as jsonlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pilotage.core import Space
from pilotage.core.errors import PilotageError, counted
from pilotage.core.settings import NonNegative, Positive, setting, shown
from pilotage.io import LaserLog, read_carmen
from pilotage.maps import InverseBeamModel, InverseLikelihoodModel, OccupancyGrid, OccupancyMap
from pilotage.maps.loading import ros_target

from .mask import masked
from .wording import rounded

Pose = tuple[float, float, float]
SE2 = Space("pose: SE2")
CHUNK = 20
"""Scans between two steps of the progress bar."""


def map(
    log: Path,
    *,
    out: Path | None = None,
    resolution: float = 0.05,
    max_range: float = 20.0,
    failed: float = 50.0,
    noise: float = 0.03,
    origin: Pose = (0.0, 0.0, 0.0),
    mask: Path | None = None,
    negate_mask: bool = False,
    force: bool = False,
    json: bool = False,
) -> None:
    """Make a map from a laser log with corrected poses.

    Args:
        log: A CARMEN log (FLASER lines), plain or gzipped. Poses must be those that SLAM has corrected.
        out: The ROS map to write (.yaml); its image (.pgm) is written beside it. Default: named as the log, in this
            folder.
        resolution: Side of a cell [m].
        max_range: Farther readings count as free up to this range [m].
        failed: Readings of this or more are beams that failed, which many lasers write as their largest number [m].
        noise: Standard deviation of a reading [m], by which walls become wider; 0 for exact beams.
        origin: x [m], y [m] and yaw [rad] in the log, which become 0 0 0 in the map: a yaw lays walls along its axes.
        mask: A second map, whose occupied cells are marked as occupied too: glass, stairs, what a laser does not see.
            It lies in the frame of the new map, that is, after --origin. An image alone must have the size of the new
            map, which this command prints.
        negate_mask: White is occupied in a mask that is an image alone, instead of black.
        force: Replace a map of that name, if there is one.
        json: Print one JSON object instead of text.
    """
    if not np.isfinite(origin).all():
        raise PilotageError(f"--origin is {shown(origin)}; expected three finite numbers: x, y and yaw")
    if not failed >= 0.0:
        raise PilotageError(f"--failed is {failed}; expected a range of 0 or more")
    for name, value, kind in (("resolution", resolution, Positive), ("noise", noise, NonNegative)):
        setting(value, kind, name)
    target = _target(Path(f"{log.name.split('.')[0]}.yaml") if out is None else out, force)
    scans = read_carmen(log)
    began = time.perf_counter()
    built = OccupancyMap(resolution, model=InverseLikelihoodModel(sigma=noise) if noise else InverseBeamModel())
    poses = SE2.compose(SE2.inverse(origin), scans.poses)
    grid, cells = masked(_filled(built, replace(scans, poses=poses), max_range, failed), mask, negate_mask)
    seconds = time.perf_counter() - began
    grid.save(target)
    facts = rounded(_facts(log, target, scans, grid, seconds))
    facts["mask_cells"] = None if cells is None else int(cells.sum())
    print(jsonlib.dumps(facts) if json else _text(facts))


def _target(out: Path, force: bool) -> Path:
    """The yaml file to write, before the work begins; an error where it or its image is a file already."""
    target = ros_target(out)
    if not force and (there := [file.name for file in (target, target.with_suffix(".pgm")) if file.exists()]):
        verb = "exists" if len(there) == 1 else "exist"
        raise PilotageError(f"{' and '.join(there)} {verb}; give --force to replace, or another name as --out")
    return target


def _filled(built: OccupancyMap, log: LaserLog, max_range: float, failed: float) -> OccupancyGrid:
    """The map of a log, each cell occupied, free or unknown for sure, so that any reader of ROS maps agrees."""
    ranges = np.where(log.ranges >= failed, np.nan, log.ranges)
    with tqdm(total=len(log.ts), unit="scan", disable=None, leave=False) as bar:
        for begin in range(0, len(log.ts), CHUNK):
            part = slice(begin, begin + CHUNK)
            built.insert(log.poses[part], ranges[part], log.angles, max_range)
            bar.update(len(log.ts[part]))
    grid = built.grid()
    if not (grid.occupied | grid.free).any():
        raise PilotageError("no scan of this log says anything about a map: every pose or range is out of bounds")
    sure = np.where(grid.occupied, 1.0, np.where(grid.free, 0.0, np.nan))
    return OccupancyGrid.from_probability(sure, grid.resolution, rounded(grid.origin))


def _facts(log: Path, out: Path, scans: LaserLog, grid: OccupancyGrid, seconds: float) -> dict[str, Any]:
    rows, columns = grid.shape
    return {
        "log": str(log),
        "out": str(out),
        "scans": len(scans.ts),
        "beams": len(scans.angles),
        "seconds": seconds,
        "resolution": grid.resolution,
        "cells": [columns, rows],
        "size": list(grid.size),
        "occupied": int(grid.occupied.sum()),
        "free": int(grid.free.sum()),
    }


def _text(facts: dict[str, Any]) -> str:
    (columns, rows), (width, height) = facts["cells"], facts["size"]
    known = (facts["occupied"] + facts["free"]) / (rows * columns)
    return (
        f"{counted(facts['scans'], 'scan')} of {counted(facts['beams'], 'beam')} in {facts['seconds']:.2f} s\n"
        f"{columns} x {rows} cells of {facts['resolution']:g} m, {width:.1f} x {height:.1f} m, {known:.0%} known\n"
        f"{facts['out']}"
    )
