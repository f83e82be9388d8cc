"""A loop is closed: the map of scans that are only matched to each other, and the same once places are recognised.

    before   each scan is matched to those before it; small errors add up, and a corridor that the robot drives
             along twice is drawn twice
    after    scans of the second lap are found to lie on those of the first; these closures have to agree with each
             other and with the drift, and the graph bends the whole way so that both laps meet

The drive is simulated, around the block of a building. Its laser sees no farther than 4 m and is not quite level, so
that there is drift to be seen.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pilotage.core.arrays import Array
from pilotage.estimators.slam.scans import LoopCloser, ScanMapper, ScanSLAM
from pilotage.estimators.slam.scores import MapQuality, absolute_trajectory_error, map_quality
from pilotage.io import LaserLog, write_atomic
from pilotage.maps import OccupancyGrid
from pilotage.viz import draw_grid, draw_path, fit_axes

from ._ring import simulated

REACH = 4.0
"""Range of the laser [m]."""


def drifting(log: LaserLog) -> LaserLog:
    """The log with ranges that are a little too long on the right, as of a laser that is not level."""
    slope = 1.0 + 0.012 * np.sin(log.angles)
    return LaserLog(log.ts, log.poses, log.odometry, log.ranges * slope, log.angles)


def mapped(log: LaserLog, loops: LoopCloser | None) -> ScanMapper:
    """The mapper after all scans."""
    mapper = ScanSLAM(max_range=REACH, loops=loops).start(log.angles)
    for ranges, wheels, t in zip(log.ranges, log.odometry, log.ts.tolist(), strict=True):
        mapper.update(ranges, wheels, t)
    mapper.finish()
    return mapper


def judged(log: LaserLog, mapper: ScanMapper) -> tuple[OccupancyGrid, float, MapQuality]:
    """The map, the error of positions, and how all scans agree with the map."""
    grid, (_, poses) = mapper.map(), mapper.trajectory
    quality = map_quality(grid, poses, log.ranges, log.angles, REACH)
    return grid, absolute_trajectory_error(log.poses, poses).rmse, quality


def picture(panels: list[tuple[str, OccupancyGrid, Array, list[Array]]]) -> bytes:
    """Maps side by side, with the way and the closures."""
    sheet = Figure(figsize=(13.0, 5.6), dpi=110, layout="constrained")
    known = np.vstack([grid.cell_to_world(np.argwhere(~grid.unknown)) for _, grid, _, _ in panels])
    for k, (title, grid, poses, closures) in enumerate(panels):
        ax = sheet.add_subplot(1, len(panels), k + 1)
        draw_grid(ax, grid)
        draw_path(ax, poses, color="tab:blue", linewidth=1.0)
        for ends in closures:
            draw_path(ax, ends, color="tab:green", linewidth=1.2)
        fit_axes(ax, known.min(axis=0) - 0.3, known.max(axis=0) + 0.3)
        ax.set_title(title)
    kept = io.BytesIO()
    sheet.savefig(kept, format="png")
    return kept.getvalue()


def main(*, seed: int = 0, out: Path = Path("pilotage-demo")) -> int:
    """Close the loop around a block; ends with errors before and after, and a picture.

    Args:
        seed: Seed of the drive.
        out: Folder for the picture.
    """
    log, found, panels = drifting(simulated(seed)), [], []
    for name, loops in (("before", None), ("after", LoopCloser())):
        mapper = mapped(log, loops)
        grid, error, quality = judged(log, mapper)
        at, closures = mapper.keyframes.poses, mapper.keyframes.closures
        print(
            f"{name:7}{len(closures):3} closures; error of position {error:.3f} m; {quality.ends:.1%} of the beams end "
            f"at walls, {quality.passages:.1%} pass where it is free"
        )
        found.append((error, quality))
        lines = [np.array([at[c.first][:2], at[c.second][:2]]) for c in closures]
        panels.append((f"{name}: {error:.2f} m RMSE", grid, mapper.trajectory[1], lines))
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "loop-closing.png", picture(panels))
    print(f"see {out / 'loop-closing.png'}")
    (before, drawn), (after, closed) = found
    good = after < 0.7 * before and closed.ends > drawn.ends
    if not good:
        print("not as it should be: closed loops take a third of the error or more, and beams end at walls")
    return 0 if good else 1
