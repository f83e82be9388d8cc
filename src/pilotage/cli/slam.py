"""`pilotage slam`: the map of a building and the way of a robot in it, from the raw log of a laser."""

from __future__ import annotations

import json as jsonlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pilotage.core.errors import PilotageError, counted
from pilotage.core.settings import NonNegative, Positive, setting
from pilotage.estimators.slam.scans import ScanMapper, ScanSLAM
from pilotage.estimators.slam.scores import TrajectoryErrors, absolute_trajectory_error, associate, relation_errors
from pilotage.io import (
    LaserLog,
    Relations,
    read_laser_log,
    read_relations,
    read_tum,
    write_atomic,
    write_g2o,
    write_tum,
)
from pilotage.maps import OccupancyGrid

from .picture import save_picture
from .wording import finite, rounded

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
MANY = 0.1
"""Share of lost scans from which on there is a warning."""
ENDINGS = {"map": ".yaml", "image": ".pgm", "trajectory": ".tum", "graph": ".g2o", "picture": ".png", "report": ".md"}


def slam(
    log: Path,
    *,
    out: Path | None = None,
    no_odometry: bool = False,
    no_loops: bool = False,
    resolution: float = 0.05,
    max_range: float = 20.0,
    failed: float = 50.0,
    noise: float = 0.03,
    truth: Path | None = None,
    relations: Path | None = None,
    force: bool = False,
    json: bool = False,
) -> None:
    """Make a map from the raw log of a laser, with or without odometry.

    Writes a ROS map, the trajectory of all scans (TUM), the pose graph of the keyframes (g2o), a picture and a report.

    Args:
        log: A CARMEN log (FLASER lines), or JSON of GMapping's files, plain or gzipped.
        out: Name of the files to write, without an ending. Default: named as the log, in this folder.
        no_odometry: Use scans alone: for logs whose odometry is missing, or was corrected already.
        no_loops: Match scans only, and close no loops.
        resolution: Side of a cell [m].
        max_range: Farther readings are no points of a scan, and count as free up to this range in the map [m].
        failed: Readings of this or more are beams that failed, which many lasers write as their largest number [m].
        noise: Standard deviation of a reading [m], by which walls become wider in the map.
        truth: A trajectory (TUM) to compare with, after alignment.
        relations: Known relations between poses (t1 t2 dx dy dz roll pitch yaw) to compare with.
        force: Replace files of these names, if there are some.
        json: Print one JSON object instead of text.
    """
    for name, value, kind in (
        ("resolution", resolution, Positive),
        ("noise", noise, Positive),
        ("failed", failed, NonNegative),
    ):
        setting(value, kind, name)
    files = _targets(Path(log.name.split(".")[0]) if out is None else out, force)
    scans = read_laser_log(log)
    scans = replace(scans, ranges=np.where(scans.ranges >= failed, np.nan, scans.ranges))
    known = None if truth is None else _known(truth, scans.ts)
    related = None if relations is None else read_relations(relations)
    settings = ScanSLAM(max_range=max_range) if not no_loops else ScanSLAM(max_range=max_range, loops=None)
    began = time.perf_counter()
    mapper = driven(scans, settings, odometry=not no_odometry)
    seconds = time.perf_counter() - began
    facts = {"log": str(log), **_facts(scans, mapper, seconds), **_compared(mapper, known, related)}
    facts |= {"odometry": "none" if no_odometry else "the log's", "calibration": _calibration(mapper)}
    _write(mapper, _grid(mapper, resolution, noise), files)
    facts = finite(rounded({**facts, "files": {name: str(file) for name, file in files.items()}}))
    write_atomic(files["report"], _report(facts))
    print(jsonlib.dumps(facts) if json else _text(facts))


def driven(log: LaserLog, settings: ScanSLAM, odometry: bool = True) -> ScanMapper:
    """A mapper that has taken all scans of a log, with progress on a terminal."""
    mapper = settings.start(log.angles)
    with tqdm(total=len(log.ts), unit="scan", disable=None, leave=False) as bar:
        for ranges, wheels, t in zip(log.ranges, log.odometry, log.ts.tolist(), strict=True):
            step = mapper.update(ranges, wheels if odometry else None, t)
            if step.keyframe:
                bar.set_postfix(keyframes=len(mapper.keyframes), closures=len(mapper.keyframes.closures), refresh=False)
            bar.update()
    mapper.finish()
    return mapper


def _targets(out: Path, force: bool) -> dict[str, Path]:
    """The files to write; an error where some are there already."""
    if not out.parent.is_dir():
        raise PilotageError(f"{out}: the folder {out.parent} does not exist; make it first, or give another --out")
    files = {name: out.with_name(out.name + ending) for name, ending in ENDINGS.items()}
    if not force and (there := [file.name for file in files.values() if file.exists()]):
        verb = "exists" if len(there) == 1 else "exist"
        raise PilotageError(f"{', '.join(there)} {verb}; give --force to replace, or another name as --out")
    return files


def _grid(mapper: ScanMapper, resolution: float, noise: float) -> OccupancyGrid:
    """The map, each cell occupied, free or unknown for sure, so that any reader of ROS maps agrees."""
    grid = mapper.map(resolution, noise)
    if not (grid.occupied | grid.free).any():
        raise PilotageError("no scan of this log says anything about a map: every range is out of bounds")
    sure = np.where(grid.occupied, 1.0, np.where(grid.free, 0.0, np.nan))
    return OccupancyGrid.from_probability(sure, grid.resolution, rounded(grid.origin))


def _write(mapper: ScanMapper, grid: OccupancyGrid, files: dict[str, Path]) -> None:
    ts, poses = mapper.trajectory
    grid.save(files["map"])
    write_tum(files["trajectory"], ts, poses)
    if len(mapper.keyframes) > 1:
        write_g2o(files["graph"], mapper.graph)
    else:
        del files["graph"]
    save_picture(grid, poses, poses[[0, -1], :2], files["picture"])


def _facts(log: LaserLog, mapper: ScanMapper, seconds: float) -> dict[str, Any]:
    duration = float(log.ts.max() - log.ts.min())
    _, poses = mapper.trajectory
    return {
        "scans": len(log.ts),
        "beams": len(log.angles),
        "duration": duration,
        "seconds": seconds,
        "real_time": duration / seconds if duration > 0.0 else None,
        "way": float(np.hypot(*np.diff(poses[:, :2], axis=0).T).sum()),
        "keyframes": len(mapper.keyframes),
        "closures": len(mapper.keyframes.closures),
        "given_up": len(mapper.rejected),
        "waiting": len(mapper.pending),
        "lost": mapper.lost,
        "chi2": mapper.keyframes.solved,
    }


def _calibration(mapper: ScanMapper) -> dict[str, float] | None:
    """The errors of the odometry, if there was any, and the robot both drove and turned."""
    try:
        return {name: float(value) for name, value in vars(mapper.calibration()).items()}
    except PilotageError:
        return None


def _known(truth: Path, ts: Array) -> tuple[Array, Indices]:
    """True poses ``(N, 3)``, and the scans that they belong to ``(N,)``."""
    trajectory = read_tum(truth)
    pairs = associate(trajectory.ts, ts, 0.05)
    if len(pairs) < 2:
        raise PilotageError(f"--truth {truth} has no poses within 0.05 s of the scans; expected the same clock")
    return trajectory.planar[pairs[:, 0]], pairs[:, 1]


def _compared(
    mapper: ScanMapper, known: tuple[Array, Indices] | None, relations: Relations | None
) -> dict[str, dict[str, float]]:
    """Scores against known poses and relations."""
    (ts, poses), found = mapper.trajectory, dict[str, dict[str, float]]()
    if known is not None:
        found["ate"] = _scores(absolute_trajectory_error(known[0], poses[known[1]]))
    if relations is not None:
        found["relations"] = _scores(relation_errors(relations.poses, relations.times, ts, poses))
    return found


def _scores(errors: TrajectoryErrors) -> dict[str, float]:
    return {
        "count": len(errors.translation),
        "rmse": errors.rmse,
        "mean": errors.mean,
        "std": errors.std,
        "median": errors.median,
        "max": errors.max,
        "rotation_mean": float(errors.rotation.mean()),
    }


def _lines(facts: dict[str, Any]) -> list[str]:
    """The results in sentences, one a line."""
    faster = f", {facts['real_time']:.0f} times as fast as the robot" if facts["real_time"] else ""
    lines = [
        f"{counted(facts['scans'], 'scan')} of {counted(facts['beams'], 'beam')} in {facts['seconds']:.1f} s{faster}",
        f"{counted(facts['keyframes'], 'keyframe')} on a way of {facts['way']:.1f} m",
        f"{counted(facts['closures'], 'loop closure')} accepted, {facts['given_up']} given up, {facts['waiting']} not "
        f"confirmed; chi2 {facts['chi2']:.4g}",
        f"{counted(facts['lost'], 'scan')} matched nothing; odometry: {facts['odometry']}",
    ]
    if facts["lost"] > MANY * facts["scans"]:
        lines.append(
            f"warning: {facts['lost'] / facts['scans']:.0%} of the scans matched nothing, so the map may be wrong; "
            "scans that are far apart need odometry"
        )
    if wheels := facts["calibration"]:
        lines.append(
            f"the wheels: {wheels['advance_gain']:.3f} m a metre, {wheels['turn_gain']:.3f} rad a radian, "
            f"{wheels['curl']:+.3f} rad a metre"
        )
    for name, label in (("ate", "error of position (ATE)"), ("relations", "error of relations")):
        if score := facts.get(name):
            lines.append(
                f"{label}: mean {score['mean']:.3f} m, RMSE {score['rmse']:.3f} m, median {score['median']:.3f} m, "
                f"at most {score['max']:.3f} m ({score['count']} compared)"
            )
    return lines


def _text(facts: dict[str, Any]) -> str:
    return "\n".join([*_lines(facts), *(f"wrote {file}" for file in facts["files"].values())])


def _report(facts: dict[str, Any]) -> str:
    """A page of Markdown with all that was found."""
    picture = Path(facts["files"]["picture"]).name
    items = "\n".join(f"- {line}" for line in _lines(facts))
    files = "\n".join(f"- {name}: `{Path(file).name}`" for name, file in facts["files"].items())
    return f"# SLAM of {Path(facts['log']).name}\n\n![map and way]({picture})\n\n{items}\n\n## Files\n\n{files}\n"
