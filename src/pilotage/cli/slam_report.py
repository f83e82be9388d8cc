"""The results of `pilotage slam`: files, facts, sentences, and a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import PilotageError, counted
from pilotage.estimators.slam.scans import ScanMapper
from pilotage.estimators.slam.scores import TrajectoryErrors, absolute_trajectory_error, associate, relation_errors
from pilotage.io import Relations, read_tum, write_g2o, write_tum
from pilotage.maps import OccupancyGrid

from .picture import save_picture
from .wording import rounded

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
MANY = 0.1
"""Share of lost scans from which on there is a warning."""


def grid_of(mapper: ScanMapper, resolution: float, noise: float) -> OccupancyGrid:
    """The map, each cell occupied, free or unknown for sure, so that any reader of ROS maps agrees."""
    grid = mapper.map(resolution, noise)
    if not (grid.occupied | grid.free).any():
        raise PilotageError("no scan of this log says anything about a map: every range is out of bounds")
    sure = np.where(grid.occupied, 1.0, np.where(grid.free, 0.0, np.nan))
    return OccupancyGrid.from_probability(sure, grid.resolution, rounded(grid.origin))


def write(mapper: ScanMapper, grid: OccupancyGrid, files: dict[str, Path]) -> None:
    """Write map, trajectory, graph and picture; a map of one scan has no graph."""
    ts, poses = mapper.trajectory
    grid.save(files["map"])
    write_tum(files["trajectory"], ts, poses)
    if len(mapper.keyframes) > 1:
        write_g2o(files["graph"], mapper.graph)
    else:
        del files["graph"]
    save_picture(grid, poses, poses[[0, -1], :2], files["picture"])


def facts_of(mapper: ScanMapper, seconds: float) -> dict[str, Any]:
    """What a mapper has done, in that many seconds."""
    ts, poses = mapper.trajectory
    duration = float(np.ptp(ts))
    return {
        "scans": len(ts),
        "beams": len(mapper.angles),
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
        "end": poses[-1].tolist(),
    }


def calibration(mapper: ScanMapper) -> dict[str, float] | None:
    """The errors of the odometry, if there was any, and the robot both drove and turned."""
    try:
        return {name: float(value) for name, value in vars(mapper.calibration()).items()}
    except PilotageError:
        return None


def known_poses(truth: Path, ts: Array) -> tuple[Array, Indices]:
    """True poses ``(N, 3)``, and the scans that they belong to ``(N,)``."""
    trajectory = read_tum(truth)
    pairs = associate(trajectory.ts, ts, 0.05)
    if len(pairs) < 2:
        raise PilotageError(f"--truth {truth} has no poses within 0.05 s of the scans; expected the same clock")
    return trajectory.planar[pairs[:, 0]], pairs[:, 1]


def compared(
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
        f"the robot ended at {' '.join(f'{x:.3f}' for x in facts['end'])}",
    ]
    if left := facts.get("left_out"):
        lines.append("left out: " + ", ".join(f"{counted(count, 'scan')} {why}" for why, count in left.items()))
    lines += _lived(facts)
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


def _lived(facts: dict[str, Any]) -> list[str]:
    """What a robot that drives itself has done, in sentences."""
    lines: list[str] = []
    if drive := facts.get("drive"):
        lines.append(f"explored in {drive['seconds']:.1f} s of the robot: {drive['reason']}; {drive['seen']:.1%} seen")
    if patrol := facts.get("patrol"):
        lines.append(
            f"drove on in the map to {patrol['reached']} of {counted(patrol['goals'], 'place')}, localized by its "
            f"laser: error {patrol['median']:.3f} m in the middle, 95 % below {patrol['most']:.3f} m"
        )
    return lines


def text(facts: dict[str, Any]) -> str:
    """What is printed."""
    return "\n".join([*_lines(facts), *(f"wrote {file}" for file in facts["files"].values())])


def report(facts: dict[str, Any]) -> str:
    """A page of Markdown with all that was found."""
    picture = Path(facts["files"]["picture"]).name
    items = "\n".join(f"- {line}" for line in _lines(facts))
    files = "\n".join(f"- {name}: `{Path(file).name}`" for name, file in facts["files"].items())
    return f"# SLAM of {Path(facts['log']).name}\n\n![map and way]({picture})\n\n{items}\n\n## Files\n\n{files}\n"
