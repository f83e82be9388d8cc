"""Paths that a vehicle can drive among obstacles, and paths in time among others that move."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.harness import Contest, absolute
from benchmarks.ompl_query import footprint_checker, solve
from pilotage.core import Plan, Problem, Space
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import bicycle
from pilotage.planners import HybridAStar, MovingObstacle, ReedsShepp, SpaceTimeAStar, StateLattice

RADIUS, WHEELBASE = 1.0, 0.5
BODY = Footprint.rectangle(0.8, 0.5, center=(0.2, 0.0))


def depot(heading: float = 0.5 * math.pi) -> Problem:
    """20.6 m across the depot, for a small car."""
    grid = OccupancyGrid.load("depot.yaml")
    return grid.problem([5.0, 1.0, 0.0], [24.0, 9.0, heading], BODY, space=Space("pose: SE2"))


@absolute(
    "hybrid_astar",
    limit=50.0,
    unit="ms",
    needs=["ompl"],
    note="20.6 m across the depot (5 cm cells), a 0.8 x 0.5 m car, radius 1 m, both gears; also simulated as a bicycle",
)
def hybrid_astar(quick: bool) -> Contest:
    problem, planner = depot(), HybridAStar(ReedsShepp(RADIUS))

    def check() -> str:
        plan = planner.plan(problem)
        length, room = driven(plan, problem)
        seeds = range(2 if quick else 5)
        connect, star = ([ompl(problem, kind, seed) for seed in seeds] for kind in ("RRTConnect", "RRTstar"))
        first, lengths = (float(np.median(column)) for column in zip(*connect, strict=True))
        best = float(np.median([length for _, length in star]))
        return (
            f"{length:.1f} m, {room:.2f} m clear when driven; OMPL with Reeds-Shepp curves and a checker in Python: "
            f"RRT-Connect {1e3 * first:.0f} ms, {lengths:.1f} m; RRT* {best:.1f} m after {STAR_SECONDS:g} s"
        )

    return Contest(lambda: planner.plan(problem), check=check)


@absolute("state_lattice", limit=50.0, unit="ms", note="as `hybrid_astar`, over a lattice of 16 headings, 0.5 m apart")
def state_lattice(quick: bool) -> Contest:
    problem, planner = depot(), StateLattice(ReedsShepp(RADIUS))

    def check() -> str:
        length, room = driven(planner.plan(problem), problem)
        return f"{length:.1f} m, {room:.2f} m clear when driven"

    return Contest(lambda: planner.plan(problem), check=check)


@absolute(
    "space_time",
    limit=1000.0,
    unit="ms",
    note="20.6 m across the depot, 5 cm cells, among 8 others that walk about",
)
def space_time(quick: bool) -> Contest:
    problem = OccupancyGrid.load("depot.yaml").problem((5.0, 1.0), (24.0, 9.0), Footprint.disc(0.3))
    moving = walkers(problem.world)

    def check() -> str:
        plan = SpaceTimeAStar().plan(problem, moving=moving)
        assert plan.xs is not None and plan.ts is not None, plan.reason
        t = np.linspace(0.0, plan.ts[-1], 20_000)
        x = np.stack([np.interp(t, plan.ts, plan.xs[:, k]) for k in range(2)], -1)
        room = min(float(np.linalg.norm(x - each.at(t), axis=-1).min()) - 0.6 for each in moving)
        assert room > -1e-6, f"it comes within {room:.3f} m of another"
        return f"there after {plan.ts[-1]:.1f} s at 1 m/s, {plan.stats['expansions']} expansions"

    return Contest(lambda: SpaceTimeAStar().plan(problem, moving=moving), check=check)


def walkers(grid: OccupancyGrid) -> list[MovingObstacle]:
    """Discs of radius 0.3 m that walk across the free component at up to 1 m/s, and end away from the goal."""
    rng, places = np.random.default_rng(4), grid.cell_to_world(np.argwhere(grid.free_component((5.0, 1.0))))
    away = places[np.linalg.norm(places - (24.0, 9.0), axis=-1) > 3.0]
    away = away[np.linalg.norm(away - (5.0, 1.0), axis=-1) > 3.0]
    return [MovingObstacle(8.0 * np.arange(5), rng.choice(away, 5), 0.3) for _ in range(8)]


def driven(plan: Plan, problem: Problem) -> tuple[float, float]:
    """Length [m] and least clearance [m] of a bicycle that executes a plan; it has to end at the goal."""
    assert plan.us is not None and plan.ts is not None, plan.reason
    car, x, xs = bicycle(wheelbase=WHEELBASE, integrator="rk4"), np.append(problem.start, 0.0), [problem.start]
    for (speed, rate), seconds in zip(plan.us, np.diff(plan.ts), strict=True):
        steps = math.ceil(seconds / 0.02)
        x[3] = speed
        for _ in range(steps):
            x = car.step(x, [0.0, math.atan(WHEELBASE * rate / speed)], seconds / steps)
            xs.append(x[:3])
    off = float(problem.distance(x[:3], problem.goal))
    assert off < 1e-3, f"the bicycle ends {off:.4f} m from the goal"
    room = float(problem.world.clearance(np.array(xs), BODY).min())
    assert room > 0.0, f"the bicycle touches something, by {-room:.3f} m"
    return float(plan.ts[-1]), room


STAR_SECONDS = 2.0


def ompl(problem: Problem, kind: str, seed: int) -> tuple[float, float]:
    """Seconds of OMPL's search with Reeds-Shepp curves, and the length [m] of its path; infinity without one."""
    from ompl import base

    limits = [(0.0, extent) for extent in problem.world.size]
    return solve(
        base.ReedsSheppStateSpace(RADIUS), limits, footprint_checker(problem), (problem.start, problem.goal),
        planner=kind, resolution=problem.world.resolution, seconds=STAR_SECONDS if kind == "RRTstar" else 10.0,
        seed=seed,
    )  # fmt: skip
