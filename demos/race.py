"""A car races around a track: along its middle, along the line of least time, and along the published one.

    track    one of the F1TENTH tracks with its map (see `PILOTAGE_DATA`), or an invented one between two walls
    line     a sequence of quadratic programs over offsets from the centre line and speeds: the least lap time
    drive    a bicycle model of the car follows each line with `Stanley`, at its fastest speeds; the second lap counts

Every pose is checked against the map by the exact outline of the car, and every acceleration against the limits.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pilotage.control import Stanley
from pilotage.core import ActionStatus, Plan
from pilotage.io import RaceTrack, read_racetrack, write_atomic
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import bicycle
from pilotage.planners import RacingLine
from pilotage.viz import draw_grid, draw_path

WHEELBASE, DT = 0.33, 0.02
BODY = Footprint.rectangle(0.58, 0.31, (0.5 * WHEELBASE, 0.0))
LIMITS: dict[str, Any] = {"speed": 8.0, "acceleration": 3.5, "braking": 5.0}
LATERAL, GRIP = 10.0, 0.9
"""The limit of the acceleration [m/s^2], along and across together, and the share of it that the line uses: the rest is
left for corrections of the course."""
RACING = RacingLine(**LIMITS, lateral=GRIP * LATERAL, margin=0.255)


class Run(NamedTuple):
    """A driven line: time of the second lap [s], poses, least clearance [m], largest share of the acceleration."""

    plan: Plan
    seconds: float
    xs: np.ndarray
    clearance: float
    used: float


def invented() -> tuple[RaceTrack, OccupancyGrid]:
    """A track of 2.4 m between two walls."""
    turn = np.linspace(0.0, 2.0 * np.pi, 700, endpoint=False)
    radius = 9.0 + 2.5 * np.cos(3.0 * turn) + np.sin(2.0 * turn)
    center = np.stack([1.4 * radius * np.cos(turn), radius * np.sin(turn)], -1)
    middle = OccupancyGrid.from_occupied(np.zeros((280, 380)), 0.1, (-19.0, -14.0, 0.0))
    line = np.zeros(middle.shape, dtype=bool)
    rows, columns = middle.world_to_cell(center).T
    line[rows, columns] = True
    away = OccupancyGrid.from_occupied(line, middle.resolution, middle.origin).distance_field().values
    half = np.full(len(center), 1.2)
    grid = OccupancyGrid.from_occupied(away > 1.2, middle.resolution, middle.origin)
    return RaceTrack("invented", center, half, half, None, Path("invented_map.yaml")), grid


def drive(plan: Plan, grid: OccupancyGrid) -> Run:
    """Two laps and a little more, from standstill."""
    assert plan.xs is not None, plan.reason
    car = bicycle(wheelbase=WHEELBASE, limits={"accel": (-LIMITS["braking"], LIMITS["acceleration"])})
    n = len(plan.xs) - 1
    around = np.arange(2 * n + n // 4) % n
    speeds = plan.stats["speed"][around]
    tracker = Stanley(car, plan.xs[around, :2], speed=speeds, decel=4.0, gain=15.0, tolerance=0.3)
    x, xs, used = np.array([*plan.xs[0], 0.0]), [], 0.0
    while (action := tracker.act(x, DT * len(xs))).status is ActionStatus.SOLVED:
        xs.append(x)
        used = max(used, float(np.hypot(action.u[0], x[3] ** 2 * np.tan(action.u[1]) / WHEELBASE)) / LATERAL)
        x = car.step(x, action.u, DT)
    assert action.status is ActionStatus.DONE, action.reason
    poses = np.array(xs)[:, :3]
    ahead = (poses[:, :2] - plan.xs[0, :2]) @ [np.cos(plan.xs[0, 2]), np.sin(plan.xs[0, 2])]
    near = np.hypot(*(poses[1:, :2] - plan.xs[0, :2]).T) < 1.0
    k = np.flatnonzero((ahead[:-1] < 0.0) & (ahead[1:] >= 0.0) & near)
    ts = DT * (k - ahead[k] / (ahead[k + 1] - ahead[k]))
    return Run(plan, float(ts[1] - ts[0]), poses, float(grid.clearance(poses, BODY).min()), used)


def picture(track: RaceTrack, grid: OccupancyGrid, runs: dict[str, Run]) -> Figure:
    """The racing line in the colours of its speeds, and the speeds along the lap."""
    figure = Figure(figsize=(9.0, 8.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    ax, below = figure.subplots(2, 1, height_ratios=[3, 1])
    draw_grid(ax, grid)
    draw_path(ax, track.center, color="0.6", linestyle=":", label="centre line")
    plan = runs["least time"].plan
    assert plan.xs is not None
    dots = ax.scatter(*plan.xs[:, :2].T, c=plan.stats["speed"], s=3, cmap="plasma", label="line of least time")
    low, high = track.center.min(0) - 3.0, track.center.max(0) + 3.0
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), title=track.name, xlabel="x [m]", ylabel="y [m]")
    ax.legend(loc="best")
    figure.colorbar(dots, ax=ax, label="speed [m/s]", shrink=0.7)
    for name, run in runs.items():
        assert run.plan.xs is not None
        s = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(run.plan.xs[:, :2], axis=0).T))])
        below.plot(s / s[-1], run.plan.stats["speed"], label=f"{name}: {run.seconds:.2f} s")
    below.set(xlabel="share of the lap", ylabel="speed [m/s]", ylim=(0.0, None))
    below.legend()
    return figure


def main(*, track: str = "Spielberg", out: Path = Path("pilotage-demo")) -> int:
    """Race around a track along the line of least time; ends with a table and a picture.

    Args:
        track: One of the F1TENTH tracks of the data in PILOTAGE_DATA; without the data, an invented track is used.
        out: Folder for the picture.
    """
    folder = Path(os.environ.get("PILOTAGE_DATA", ".")) / "racetracks" / track
    if folder.is_dir():
        course = read_racetrack(folder)
        grid = OccupancyGrid.load(course.map)
    else:
        course, grid = invented()
    lines = {
        "centre line": RACING.parameterize(course.center),
        "least time": RACING.optimize(course.center, 2.0, 2.0, grid),
    }
    if course.raceline is not None:
        lines["published line"] = RACING.parameterize(course.raceline.points[:-1])
    runs = {name: drive(plan, grid) for name, plan in lines.items()}
    print(f"{course.name}\nline             planned [s]  driven [s]  clearance [m]  share of the acceleration")
    for name, run in runs.items():
        print(f"{name:16} {run.plan.cost:11.2f} {run.seconds:11.2f} {run.clearance:14.3f} {run.used:26.2f}")
    saved = io.BytesIO()
    picture(course, grid, runs).savefig(saved, format="png")
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "race.png", saved.getvalue())
    print(f"see              {out / 'race.png'}")
    best, middle = runs["least time"], runs["centre line"]
    if best.seconds < middle.seconds and best.clearance > 0.0 and best.used <= 1.0:
        return 0
    print("not as it should be: the line of least time should be faster than the middle, within the limits, and clear")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
