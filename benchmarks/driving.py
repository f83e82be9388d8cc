"""The two stages of driving: many candidates beside a lane; a corridor, the curve in it, and the times along it."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from benchmarks.harness import Contest, absolute, row
from pilotage.core import Plan, Problem, Space
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.planners import (
    AStar,
    Corridor,
    CorridorSmoother,
    FrenetPlanner,
    MovingObstacle,
    ReferenceLine,
    TimeParameterization,
)

STATE = Space("x y [m]", "yaw: angle", "speed [m/s]")
CAR = Footprint.rectangle(4.5, 1.8, (1.35, 0.0))
STATIONS = np.arange(0.0, 301.0, 5.0)
TRAFFIC = ((34.0, 0.0, 4.0), (48.0, 2.5, 6.0), (80.0, -1.0, 5.0))
"""Others on the road: station [m], offset [m] and speed [m/s]."""
RADIUS = 1.3


def lane() -> ReferenceLine:
    return ReferenceLine(np.stack([STATIONS, 8.0 * np.sin(STATIONS / 40.0)], -1))


def traffic(line: ReferenceLine) -> list[MovingObstacle]:
    """Discs that drive along the lane, for 6 s."""
    ts, others = np.arange(0.0, 6.1, 0.5), []
    for station, offset, speed in TRAFFIC:
        states = np.zeros((len(ts), 6))
        states[:, 0], states[:, 1], states[:, 3] = station + speed * ts, speed, offset
        others.append(MovingObstacle(ts, line.to_cartesian(states)[:, :2], RADIUS))
    return others


def road(line: ReferenceLine) -> OccupancyGrid:
    """The lane and 5 m on both sides of it, in cells of 0.25 m."""
    middle = line.poses(np.arange(0.0, line.length, 0.25))[:, :2]
    occupied = np.ones((240, 1300), dtype=bool)
    grid = OccupancyGrid.from_occupied(occupied, 0.25, (-10.0, -30.0, 0.0))
    rows, columns = grid.world_to_cell(middle).T
    for shift in range(-20, 21):
        occupied[rows + shift, columns] = False
    occupied[:, :60] &= occupied[:, 60:61]
    return OccupancyGrid.from_occupied(occupied, grid.resolution, grid.origin)


def planner(line: ReferenceLine) -> FrenetPlanner:
    """10 offsets, speeds and durations each: a thousand candidates."""
    tenth = np.linspace(0.0, 1.0, 10)
    return FrenetPlanner(
        line, speed=30.0, target=13.0, acceleration=3.0, braking=6.0, lateral=4.0, curvature=0.25,
        offsets=tuple(-3.0 + 6.0 * tenth), speeds=tuple(13.0 * tenth), durations=tuple(3.0 + 2.0 * tenth),
    )  # fmt: skip


def drive() -> tuple[Problem, FrenetPlanner, list[MovingObstacle]]:
    """A car at 10 m/s in the lane, behind a slower one."""
    line = lane()
    start = line.to_cartesian([10.0, 10.0, 0.0, 0.0, 0.0, 0.0])[:4]
    return road(line).problem(start, STATE, CAR, space=STATE), planner(line), traffic(line)


@absolute(
    "corridor",
    limit=30.0,
    unit="ms",
    note="1000 candidates of 3 to 5 s beside a winding lane, the body of a car among walls and three moving discs; all "
    "are checked, though the plan needs only those cheaper than the best",
)
def corridor(quick: bool) -> Contest:
    problem, frenet, moving = drive()

    def check() -> str:
        every, plan = frenet.candidates(problem, moving=moving), frenet.plan(problem, moving=moving)
        allowed = every.verdicts == "allowed"
        assert plan.cost == every.costs[allowed].min(), "the lazy search found another plan"
        assert plan.xs is not None
        clear = CAR.clearance(problem.world.obstacles(), plan.xs[:, :3]).min()
        assert clear >= 0.0, f"the plan is {-clear:.3f} m inside an obstacle"
        return (
            f"{allowed.sum()} allowed; a plan checks {plan.stats['checked']}, in {1e3 * plan.stats['seconds']:.1f} ms"
        )

    return Contest(lambda: frenet.candidates(problem, moving=moving), check=check)


@row(
    "frenet",
    peer="fiss-planner FOP+",
    bar=0.5,
    unit="ms",
    needs=["fiss_planner"],
    note="the best of 1000 candidates, as `corridor`; both sides check in the order of their costs; the peer (C++) has "
    "no map but the edges of the road, boxes in place of discs, and other costs",
)
def frenet(quick: bool) -> Contest:
    problem, ours, moving = drive()
    peer = fiss(moving)

    def check() -> str:
        plan, other = ours.plan(problem, moving=moving), peer()
        assert plan.ok, plan.reason
        return f"{plan.stats['checked']} candidates checked against {other.stats.num_validated}"

    return Contest(lambda: ours.plan(problem, moving=moving), peer, check)


def fiss(moving: list[MovingObstacle]) -> Any:
    """The peer on the same road, with the same numbers of ends and limits."""
    fp: Any = importlib.import_module("fiss_planner")
    settings = fp.make_config("fop_plus", num_width=10, num_speed=10, num_t=10, min_t=3.0, max_t=5.0)
    settings.safety.enabled = False
    reference = fp.ReferenceLine(STATIONS, 8.0 * np.sin(STATIONS / 40.0))
    band = fp.Corridor.uniform(0.0, reference.length, -4.0, 4.0)
    boxes = []
    for k, other in enumerate(moving):
        ts, xys = np.arange(0.0, 5.05, 0.1), other.at(np.arange(0.0, 5.05, 0.1))
        yaws = np.arctan2(*np.gradient(xys, axis=0).T[::-1])
        boxes.append(fp.Obstacle.from_arrays(k, 2.0 * RADIUS, 2.0 * RADIUS, ts, *xys.T, yaws))
    made = fp.make_planner(settings)
    return lambda: made.plan(fp.FrenetState(s=10.0, s_d=10.0), reference, band, boxes, target_speed=13.0)


def depot() -> tuple[Problem, Plan]:
    """20.6 m across the depot, and the shortest path of a disc."""
    problem = OccupancyGrid.load("depot.yaml").problem((5.0, 1.0), (24.0, 9.0), Footprint.disc(0.3))
    return problem, AStar().plan(problem)


@absolute("corridor_regions", limit=30.0, unit="ms", note="the convex corridor along a path across the depot")
def corridor_regions(quick: bool) -> Contest:
    problem, path = depot()
    return Contest(lambda: Corridor.along(path, problem), check=lambda: repr(Corridor.along(path, problem)))


@absolute("corridor_curve", limit=10.0, unit="ms", note="the smoothest curve in that corridor, and its states")
def corridor_curve(quick: bool) -> Contest:
    problem, path = depot()
    found, smoother = Corridor.along(path, problem), CorridorSmoother()

    def check() -> str:
        plan = smoother.smooth(path, problem, found)
        assert plan.xs is not None and found.contains(plan.xs[:, :2]).all(), "the curve leaves the corridor"
        return f"{len(plan.xs)} states, {plan.stats['iterations']} iterations"

    return Contest(lambda: smoother.smooth(path, problem, found), check=check)


@absolute(
    "corridor_times", limit=50.0, unit="ms", note="times along that curve with limits of speed, acceleration, jerk"
)
def corridor_times(quick: bool) -> Contest:
    problem, path = depot()
    smooth = CorridorSmoother().smooth(path, problem)
    limited = TimeParameterization(speed=1.0, acceleration=0.5, lateral=0.5, jerk=1.0)

    def check() -> str:
        plan = limited.parameterize(smooth)
        assert plan.ts is not None, plan.reason
        dt, v = np.diff(plan.ts), plan.stats["speed"]
        a = np.diff(v) / dt
        jerk = abs(np.diff(a) / (0.5 * (dt[1:] + dt[:-1]))).max()
        assert jerk < 1.001 and abs(a).max() < 0.501, f"jerk {jerk:.3f}, acceleration {abs(a).max():.3f}"
        return f"{plan.ts[-1]:.2f} s"

    return Contest(lambda: limited.parameterize(smooth), check=check)
