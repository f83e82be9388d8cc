"""`pilotage slam`: the map of a building and the way of a robot in it, from a log, a bag, or an environment."""

from __future__ import annotations

import json as jsonlib
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pilotage.core.arrays import Array
from pilotage.core.errors import PilotageError, counted, require
from pilotage.core.settings import NonNegative, Positive, setting
from pilotage.estimators.slam.scans import ScanMapper, ScanSLAM
from pilotage.io import LaserLog, read_bag, read_laser_log, read_relations, write_atomic
from pilotage.io.laser_logs import is_bag

from .slam_report import calibration, compared, facts_of, grid_of, known_poses, report, text, write
from .wording import finite, rounded

ENDINGS = {"map": ".yaml", "image": ".pgm", "trajectory": ".tum", "graph": ".g2o", "picture": ".png", "report": ".md"}
ENVIRONMENT = re.compile(r"([\w.:]+/)?[A-Za-z]\w*-v\d+")
FAILED = 50.0
"""Readings of text logs from which on a beam has failed [m]; bags say so themselves."""
EVERY = 30.0
"""Seconds after which the state of a mapper is written again."""
FRAMES = 120
"""Largest number of frames of an animation."""
Watch = Callable[[ScanMapper], None]


def slam(
    log: Path,
    *,
    out: Path | None = None,
    no_odometry: bool = False,
    no_loops: bool = False,
    resolution: float = 0.05,
    max_range: float = 20.0,
    failed: float | None = None,
    noise: float = 0.03,
    truth: Path | None = None,
    relations: Path | None = None,
    scans: str | None = None,
    odometry: str | None = None,
    base: str | None = None,
    mount: tuple[float, float, float] | None = None,
    state: Path | None = None,
    map: str | None = None,
    seed: int = 0,
    seconds: float = 600.0,
    goals: int = 3,
    animation: Path | None = None,
    force: bool = False,
    json: bool = False,
) -> None:
    """Make a map from the raw log of a laser, from a ROS bag, or live in an environment.

    Writes a ROS map, the trajectory of all scans (TUM), the pose graph of the keyframes (g2o), a picture and a report.

    Args:
        log: A CARMEN log (FLASER lines), or JSON of GMapping's files, plain or gzipped; a bag (.bag, .mcap, or the
            folder of a ROS 2 bag); or an environment, pilotage/Navigation-v0, whose robot explores the building.
        out: Name of the files to write, without an ending. Default: named as the log, in this folder.
        no_odometry: Use scans alone: for logs whose odometry is missing, or was corrected already.
        no_loops: Match scans only, and close no loops.
        resolution: Side of a cell [m].
        max_range: Farther readings are no points of a scan, and count as free up to this range in the map [m]. Less
            where a bag says that its laser sees less far.
        failed: Readings of this or more are beams that failed, which many lasers write as their largest number [m].
            Default: 50 for logs; bags tell it themselves.
        noise: Standard deviation of a reading [m], by which walls become wider in the map.
        truth: A trajectory (TUM) to compare with, after alignment.
        relations: Known relations between poses (t1 t2 dx dy dz roll pitch yaw) to compare with.
        scans: Bags: topic of the laser. Default: the one with the most scans.
        odometry: Bags: topic of the odometry. Default: the one with the most messages, or else TF.
        base: Bags: frame of the robot. Default: that of the odometry, or base_link.
        mount: Bags: x, y and yaw of the laser on the robot [m, m, rad]. Default: what TF says.
        state: A file (npz) in which the mapper is kept while it runs. If it is there, the run goes on from it.
        map: Environments: the building, a ROS map (.yaml) or the name of a stock map.
        seed: Environments: seed of the start, the obstacles and the noise.
        seconds: Environments: longest time of the robot [s].
        goals: Environments: places to drive to afterwards in the map that was made.
        animation: File to write an animation of the growing map to: .gif, or .mp4.
        force: Replace files of these names, if there are some.
        json: Print one JSON object instead of text.
    """
    for name, value, kind in (
        ("resolution", resolution, Positive),
        ("noise", noise, Positive),
        ("failed", FAILED if failed is None else failed, NonNegative),
        ("seconds", seconds, Positive),
    ):
        setting(value, kind, name)
    files = _targets(Path(log.name.split(".")[0]) if out is None else out, force)
    of_logs = {
        "no-odometry": no_odometry or None, "failed": failed, "truth": truth, "relations": relations, "scans": scans,
        "odometry": odometry, "base": base, "mount": mount, "state": state,
    }  # fmt: skip
    live = _live(log, of_logs, map)
    if animation is not None:
        require("pilotage.viz", extra="viz")
    began = time.perf_counter()
    film = Film(resolution, noise) if animation is not None else None
    if live:
        from .slam_live import explored

        settings = _settings(max_range, no_loops)
        mapper, known, more = explored(str(log), settings, map, seed, seconds, goals, (resolution, noise), film)
        related = None
    else:
        taken = _taken(log, failed, scans, odometry, base, mount)
        known = None if truth is None else known_poses(truth, taken.ts)
        related = None if relations is None else read_relations(relations)
        settings = _settings(min(max_range, taken.max_range), no_loops)
        wheels = not no_odometry and bool(np.isfinite(taken.odometry).all())
        mapper = driven(taken, settings, odometry=wheels, state=state, watch=film and film.every(len(taken.ts)))
        more = {"odometry": "the log's" if wheels else "none", "left_out": dict(taken.left_out)}
    facts = {"log": str(log), **facts_of(mapper, time.perf_counter() - began), **compared(mapper, known, related)}
    facts |= {**more, "calibration": calibration(mapper)}
    write(mapper, grid_of(mapper, resolution, noise), files)
    if film is not None and animation is not None:
        files["animation"] = film.write(mapper, animation)
    facts = finite(rounded({**facts, "files": {name: str(file) for name, file in files.items()}}))
    write_atomic(files["report"], report(facts))
    print(jsonlib.dumps(facts) if json else text(facts))


def _live(log: Path, of_logs: dict[str, Any], map: str | None) -> bool:
    """Whether the log is an environment; options of the other kind are refused."""
    live = not log.exists() and ENVIRONMENT.fullmatch(str(log)) is not None
    if live and (given := [f"--{name}" for name, value in of_logs.items() if value is not None]):
        raise PilotageError(f"{log} is an environment, and {', '.join(given)} is for logs; leave it out")
    if not live and map is not None:
        raise PilotageError(f"--map {map} is the building of an environment, but {log} is a log; leave it out")
    return live


def _settings(max_range: float, no_loops: bool) -> ScanSLAM:
    return ScanSLAM(max_range=max_range, loops=None) if no_loops else ScanSLAM(max_range=max_range)


def driven(
    log: LaserLog, settings: ScanSLAM, odometry: bool = True, *, state: Path | None = None, watch: Watch | None = None
) -> ScanMapper:
    """A mapper that has taken all scans of a log, with progress on a terminal.

    Args:
        log: the log.
        settings: settings of the mapper.
        odometry: whether to use that of the log.
        state: file from which the mapper goes on if it is there, and in which it is kept.
        watch: called after each scan.
    """
    mapper, done = _begun(log, settings, state)
    kept = time.monotonic()
    with tqdm(total=len(log.ts), initial=done, unit="scan", disable=None, leave=False) as bar:
        for k in range(done, len(log.ts)):
            step = mapper.update(log.ranges[k], log.odometry[k] if odometry else None, float(log.ts[k]))
            if step.keyframe:
                bar.set_postfix(keyframes=len(mapper.keyframes), closures=len(mapper.keyframes.closures), refresh=False)
            if state is not None and time.monotonic() - kept > EVERY:
                mapper.save(state)
                kept = time.monotonic()
            if watch is not None:
                watch(mapper)
            bar.update()
    if state is not None:
        mapper.save(state)
    mapper.finish()
    return mapper


def _begun(log: LaserLog, settings: ScanSLAM, state: Path | None) -> tuple[ScanMapper, int]:
    """The mapper at its beginning, or of a file, and the number of scans that it has taken."""
    if state is None or not state.exists():
        return settings.start(log.angles, mount=log.mount), 0
    mapper = settings.resume(state)
    ts = mapper.trajectory[0]
    same = len(mapper.angles) == len(log.angles) and np.array_equal(mapper.angles, log.angles)
    if not same or not np.array_equal(ts, log.ts[: len(ts)]):
        raise PilotageError(f"--state {state} is of another log; delete it, or give another name")
    return mapper, len(ts)


def _taken(
    log: Path, failed: float | None, scans: str | None, odometry: str | None, base: str | None,
    mount: tuple[float, float, float] | None,
) -> LaserLog:  # fmt: skip
    """The log of a file, with failed beams as not measured."""
    if is_bag(log):
        taken = read_bag(log).laser_log(scans, odometry=odometry, base=base, mount=mount)
    else:
        taken, failed = read_laser_log(log), FAILED if failed is None else failed
    if failed is None:
        return taken
    return replace(taken, ranges=np.where(taken.ranges >= failed, np.nan, taken.ranges))


def _targets(out: Path, force: bool) -> dict[str, Path]:
    """The files to write; an error where some are there already."""
    if not out.parent.is_dir():
        raise PilotageError(f"{out}: the folder {out.parent} does not exist; make it first, or give another --out")
    files = {name: out.with_name(out.name + ending) for name, ending in ENDINGS.items()}
    if not force and (there := [file.name for file in files.values() if file.exists()]):
        verb = "exists" if len(there) == 1 else "exist"
        raise PilotageError(f"{', '.join(there)} {verb}; give --force to replace, or another name as --out")
    return files


class Film:
    """The frames of an animation of a growing map.

    Example:
        >>> Film(0.1, 0.03).frames
        []
    """

    def __init__(self, resolution: float, noise: float) -> None:
        self.frames, self._map = list[Any](), (max(resolution, 0.1), noise)

    def every(self, scans: int) -> Watch:
        """A function that takes as many frames as an animation has, evenly, when it is called after each scan."""
        apart, count = max(1, scans // FRAMES), 0

        def watch(mapper: ScanMapper) -> None:
            nonlocal count
            count += 1
            if count % apart == 0:
                self.take(mapper, f"{counted(count, 'scan')}, {counted(len(mapper.keyframes), 'keyframe')}")

        return watch

    def take(self, mapper: ScanMapper, words: str, plan: Array | None = None) -> None:
        """Take a frame."""
        from pilotage.viz import MappingFrame

        path = np.zeros((0, 2)) if plan is None else plan
        self.frames.append(MappingFrame(mapper.map(*self._map), mapper.trajectory[1], path, words))

    def write(self, mapper: ScanMapper, file: Path) -> Path:
        """Write the animation, which ends with the map as it is now."""
        from pilotage.viz import mapping_animation

        self.take(mapper, "done")
        many = np.unique(np.linspace(0, len(self.frames) - 1, FRAMES).astype(int))
        return mapping_animation(file, [self.frames[k] for k in many])
