"""A car parks between two others, and a truck backs its trailer into a bay: hybrid A* plans both.

    car      Reeds-Shepp arcs and curves; the bay is searched from, since few ways lead out of it
    truck    the actions of the model `truck`, whose constraint forbids collisions of cab and trailer, and a jackknife

Both plans are then executed by the models `bicycle` and `truck`, in small steps, and every pose is checked against the
map by the exact outline of the vehicle.
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pilotage.core import Plan, Problem, Space
from pilotage.core.errors import counted
from pilotage.io import write_atomic
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import bicycle, task, truck
from pilotage.planners import HybridAStar, ReedsShepp
from pilotage.viz import draw_grid
from pilotage.viz.palette import ESTIMATE, MUTED, PLAN

RADIUS, WHEELBASE = 5.0, 2.7
BODY = Footprint.rectangle(4.2, 1.8, center=(1.35, 0.0), rows=3)
RIG = truck(wheelbase=2.5, trailer_length=4.0)
CAB, TRAILER = Footprint.rectangle(3.8, 2.0, center=(1.2, 0.0)), Footprint.rectangle(5.0, 2.0, center=(-2.5, 0.0))
JACKKNIFE = 0.9
"""Largest angle between cab and trailer [rad]."""
STEER, DT = math.atan(2.5 / 4.0), 0.25
MARGIN = 0.1
"""Clearance of the truck [m]: half of the way of its outermost disc between two points at which it is checked."""


class Run(NamedTuple):
    """A plan and how it was driven: states of the simulation, outlines at them, and the least clearance [m]."""

    plan: Plan
    xs: np.ndarray
    outlines: list[np.ndarray]
    clearance: float
    off: float


def street() -> OccupancyGrid:
    """A street with a gap between two parked cars."""
    occupied = np.zeros((110, 300), dtype=bool)
    occupied[:40] = occupied[95:] = True
    occupied[18:40, 150:212] = False
    return OccupancyGrid.from_occupied(occupied, 0.1)


def yard() -> OccupancyGrid:
    """A yard with a bay."""
    occupied = np.pad(np.zeros((126, 176), dtype=bool), 2, constant_values=True)
    occupied[:40] = True
    occupied[4:40, 90:110] = False
    return OccupancyGrid.from_occupied(occupied, 0.2)


def park() -> Run:
    """A car that parks between two others, and drives the plan as a bicycle."""
    grid = street()
    problem = grid.problem([3.0, 6.5, 0.0], [16.75, 2.9, 0.0], BODY, space=Space("pose: SE2"))
    plan = HybridAStar(ReedsShepp(RADIUS)).plan(problem)
    assert plan.ok, plan.reason
    xs = drive(plan)
    return Run(plan, xs, outlines(xs, BODY), float(grid.clearance(xs, BODY).min()), gap(problem, xs[-1]))


def drive(plan: Plan) -> np.ndarray:
    """Poses ``(N, 3)`` of a bicycle that executes a plan: at each change of direction or steering it stops."""
    assert plan.us is not None and plan.ts is not None and plan.xs is not None
    car, x, xs = bicycle(wheelbase=WHEELBASE, integrator="rk4"), np.append(plan.xs[0], 0.0), [plan.xs[0]]
    for (speed, rate), seconds in zip(plan.us, np.diff(plan.ts), strict=True):
        steps = math.ceil(seconds / 0.05)
        x[3] = speed
        for _ in range(steps):
            x = car.step(x, [0.0, math.atan(WHEELBASE * rate / speed)], seconds / steps)
            xs.append(x[:3])
    return np.array(xs)


def dock() -> Run:
    """A truck that backs its trailer into a bay, and executes the plan."""
    grid = yard()

    def forbidden(x: Any, u: Any, p: Any, m: Any) -> Any:
        bodies = (CAB, x[2]), (TRAILER, x[3])
        touching = [g + MARGIN for body, yaw in bodies for g in body.constraint(x[0], x[1], yaw, p.field, m)]
        return [*touching, math.cos(JACKKNIFE) - m.cos(x[2] - x[3])]

    @task(state=RIG.state, action=Space(), params={"field": grid.obstacles().field}, constraint=forbidden)
    def clear(x: Any, u: Any, p: Any, m: Any) -> Any:
        return 0.0

    space = RIG.state.bounded({"x": (0.0, grid.size[0]), "y": (0.0, grid.size[1])})
    start, goal = [9.0, 17.0, 0.0, 0.0], [20.0, 7.0, 0.5 * math.pi, 0.5 * math.pi]
    problem = Problem(space, start, goal, clear(), weights=[1.0, 1.0, 3.0, 4.0], world=grid, resolution=0.12)
    steers = STEER * np.linspace(-1.0, 1.0, 5)
    actions = np.array([[speed, steer] for speed in (1.0, -1.0) for steer in steers])
    planner = HybridAStar(
        ReedsShepp(4.0), weight=4.0, model=RIG, actions=actions, dt=DT, steps=8, tolerance=0.5, refinements=0
    )
    plan = planner.plan(problem)
    assert plan.ok and plan.us is not None, plan.reason
    xs = RIG.rollout(np.array(problem.start), np.repeat(plan.us, 5, axis=0), DT / 5)
    bodies = (CAB, xs[:, [0, 1, 2]]), (TRAILER, xs[:, [0, 1, 3]])
    room = min(float(grid.clearance(poses, body).min()) for body, poses in bodies)
    assert np.cos(xs[:, 2] - xs[:, 3]).min() > math.cos(JACKKNIFE) - 1e-3
    return Run(plan, xs, [each for body, poses in bodies for each in outlines(poses, body)], room, gap(problem, xs[-1]))


def gap(problem: Problem, x: np.ndarray) -> float:
    """The distance between a state and the goal, in the metric of the problem."""
    return float(problem.distance(x, problem.goal))


def outlines(poses: np.ndarray, body: Footprint) -> list[np.ndarray]:
    """The corners of a vehicle at some forty of its poses, and at the last one."""
    hull = np.array([*body.hull, body.hull[0]])
    chosen = poses[[*range(0, len(poses), max(1, len(poses) // 40)), -1]]
    return [
        np.stack([x + math.cos(a) * hull[:, 0] - math.sin(a) * hull[:, 1],
                  y + math.sin(a) * hull[:, 0] + math.cos(a) * hull[:, 1]], -1)
        for x, y, a in chosen
    ]  # fmt: skip


def picture(runs: list[tuple[OccupancyGrid, Run, str]]) -> Figure:
    """The outlines along each path, forwards and in reverse."""
    figure = Figure(figsize=(8.0, 9.0), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for ax, (grid, run, title) in zip(figure.subplots(len(runs), 1), runs, strict=True):
        draw_grid(ax, grid)
        for corners in run.outlines:
            ax.plot(*corners.T, color=MUTED, lw=0.5)
        xs, us = run.plan.xs, run.plan.us
        assert xs is not None and us is not None
        for back, color, label in ((False, ESTIMATE, "forwards"), (True, PLAN, "in reverse")):
            way = np.full((len(xs) - 1, 3, 2), np.nan)
            chosen = (us[:, 0] < 0.0) == back
            way[chosen, 0], way[chosen, 1] = xs[:-1][chosen, :2], xs[1:][chosen, :2]
            ax.plot(*way.reshape(-1, 2).T, color=color, lw=2.0, label=label)
        ax.set(xlim=(0.0, grid.size[0]), ylim=(0.0, grid.size[1]), aspect="equal")
        ax.set(title=title, xlabel="x [m]", ylabel="y [m]")
        ax.legend(frameon=True, fontsize=8, loc="upper right")
    return figure


def main(*, out: Path = Path("pilotage-demo")) -> int:
    """Park a car and back up a trailer with hybrid A*; ends with a table and a picture.

    Args:
        out: Folder for the picture.
    """
    car, rig = park(), dock()
    for name, run in (("car", car), ("trailer", rig)):
        assert run.plan.us is not None and run.plan.ts is not None
        length = np.abs(run.plan.us[:, 0]) @ np.diff(run.plan.ts)
        turns = int((np.diff(np.sign(run.plan.us[:, 0])) != 0.0).sum())
        print(
            f"{name:8} {length:.1f} m, {counted(turns, 'change')} of direction, "
            f"{run.plan.stats['expansions']} expansions in {run.plan.stats['seconds']:.2f} s; driven, "
            f"{run.clearance:.2f} m clear, ends {run.off:.2f} away"
        )
    figure = picture([(street(), car, "a car parks"), (yard(), rig, "a truck backs its trailer into a bay")])
    saved = io.BytesIO()
    figure.savefig(saved, format="png")
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "park-car.png", saved.getvalue())
    print(f"see      {out / 'park-car.png'}")
    if min(car.clearance, rig.clearance) > 0.0 and car.off < 0.01 and rig.off <= 0.5 + 1e-6:
        return 0
    print("not as it should be: both should get there without touching anything")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
