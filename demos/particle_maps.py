"""Thirty maps at once: particles that each follow a way of their own, until the robot comes back and one map is right.

    drive    each particle draws its pose from the match of the scan on its own map, so that ways drift apart
    close    back at the start, scans fit the maps of a few particles only; they are copied, and the others end
    share    copies share the tiles of their maps until they differ, so that thirty maps need little memory

The drive is simulated, around the block of a building. Its laser sees no farther than 4 m.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pilotage.core.arrays import Array
from pilotage.estimators.slam.particles import GridRBPF, ParticleMapper
from pilotage.estimators.slam.scores import absolute_trajectory_error
from pilotage.io import LaserLog, write_atomic
from pilotage.maps import OccupancyGrid
from pilotage.viz import draw_grid, draw_path, fit_axes

from ._ring import simulated

REACH = 4.0
"""Range of the laser [m]."""


@dataclass(frozen=True)
class Moment:
    """The likeliest map and the ways of all particles at one moment, and how far these have drifted apart [m]."""

    scan: int
    spread: float
    grid: OccupancyGrid
    paths: list[Array]


def moment(mapper: ParticleMapper) -> Moment:
    """This moment."""
    paths = [mapper.path(n) for n in range(mapper.settings.particles)]
    return Moment(len(paths[0]), spread(mapper), mapper.map(), paths)


def spread(mapper: ParticleMapper) -> float:
    """The standard deviation of the positions of all particles [m]."""
    return float(np.hypot(*mapper.belief.points[:, :2].std(axis=0)))


def driven(log: LaserLog, seed: int) -> tuple[ParticleMapper, Moment]:
    """The mapper after all scans, and the moment at which its particles were farthest apart."""
    mapper, widest = GridRBPF(max_range=REACH).start(log.angles, rng=seed), None
    for ranges, wheels, t in zip(log.ranges, log.odometry, log.ts.tolist(), strict=True):
        mapper.update(ranges, wheels, t)
        if widest is None or spread(mapper) > widest.spread:
            widest = moment(mapper)
    assert widest is not None
    return mapper, widest


def picture(moments: list[Moment]) -> bytes:
    """The maps side by side, with the ways of all particles."""
    sheet = Figure(figsize=(13.0, 5.6), dpi=110, layout="constrained")
    known = np.vstack([each.grid.cell_to_world(np.argwhere(~each.grid.unknown)) for each in moments])
    for k, each in enumerate(moments):
        ax = sheet.add_subplot(1, len(moments), k + 1)
        draw_grid(ax, each.grid)
        for path in each.paths:
            draw_path(ax, path, color="tab:blue", linewidth=0.5, alpha=0.5)
        fit_axes(ax, known.min(axis=0) - 0.3, known.max(axis=0) + 0.3)
        ax.set_title(f"scan {each.scan}: {len(each.paths)} particles, {100.0 * each.spread:.0f} cm apart")
    kept = io.BytesIO()
    sheet.savefig(kept, format="png")
    return kept.getvalue()


def main(*, seed: int = 0, out: Path = Path("pilotage-demo")) -> int:
    """Map a building with thirty particles; ends with errors, the memory of all maps, and a picture.

    Args:
        seed: Seed of the drive and of the particles.
        out: Folder for the picture.
    """
    log = simulated(seed)
    mapper, widest = driven(log, seed)
    last, maps = moment(mapper), mapper.maps
    error = absolute_trajectory_error(log.poses, mapper.trajectory[1]).rmse
    wheels = absolute_trajectory_error(log.poses, log.odometry).rmse
    print(
        f"particles  {len(last.paths)}; {100.0 * widest.spread:.0f} cm apart at scan {widest.scan}, "
        f"{100.0 * last.spread:.0f} cm at the end\n"
        f"position   {error:.3f} m of error (RMSE); by the wheels alone {wheels:.2f} m\n"
        f"memory     {maps.nbytes / 1e6:.1f} MB for all maps; {maps.unshared / 1e6:.1f} MB if each had its own tiles"
    )
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "particle-maps.png", picture([widest, last]))
    print(f"see {out / 'particle-maps.png'}")
    good = error < 0.15 and last.spread < 0.5 * widest.spread and maps.nbytes < 0.6 * maps.unshared
    if not good:
        print("not as it should be: errors below 15 cm, ways that meet again, and maps that share their tiles")
    return 0 if good else 1
