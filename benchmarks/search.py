"""Paths: shortest ones on the maps of MovingAI, and those of a car among obstacles."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Contest, row
from benchmarks.ompl_query import footprint_checker, solve
from pilotage.core import Problem
from pilotage.io import Scenario, find_movingai_map, read_movingai_scenarios
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.planners import AStar, Dubins, JumpPointSearch, ReedsShepp, Replanner, RRTConnect

DATA = Path(os.environ.get("PILOTAGE_DATA", Path(__file__).parents[2] / "shared" / "data")) / "movingai"
EVERY, EVERY_QUICK = 40, 200


@dataclass(frozen=True)
class Round:
    """A map and queries on it, in the terms of either side."""

    grid: OccupancyGrid
    weights: Any
    queries: list[Scenario]

    def ends(self, query: Scenario) -> tuple[Any, Any]:
        """Start and goal in the world; files count rows from the top."""
        cells = [(self.grid.shape[0] - 1 - y, x) for x, y in (query.start, query.goal)]
        start, goal = self.grid.cell_to_world(cells)
        return start, goal


@row(
    "astar",
    peer="pyastar2d",
    bar=1.5,
    unit="ms",
    needs=["pyastar2d"],
    note="a query; MovingAI maps of every kind; true octile metric, while the peer (C++) charges diagonals as straight",
)
def astar(quick: bool) -> Contest:
    return against_pyastar(AStar(), scenario_files(), quick)


def jumps(name: str, bar: float, maps: str, *kinds: str) -> None:
    """A row of jump point search on some kinds of map."""

    @row(
        name,
        peer="pyastar2d",
        bar=bar,
        unit="ms",
        needs=["pyastar2d"],
        note=f"a query on {maps}; dead ends and jump distances of each map found before, by the first query on it; "
        "warthog (C++, JPS(B)) reports 43 us a query on Boston_1_1024",
    )
    def contest(quick: bool) -> Contest:
        return against_pyastar(JumpPointSearch(), scenario_files(*kinds), quick)


jumps("jps_rooms", 15.0, "maps of rooms and mazes", "rooms", "mazes")
jumps("jps_city", 30.0, "city maps", "cities")


@row(
    "dstar_replan",
    peer="AStar from scratch",
    bar=1,
    unit="ms",
    note="a plan after four cells near the robot were blocked and it drove on for five, 20 times on Berlin, 512 x 512; "
    "the peer is ours too; both get a new map",
)
def dstar_replan(quick: bool) -> Contest:
    (file,) = (file for file in scenario_files("cities") if file.name.startswith("Berlin"))
    course = load(file, EVERY_QUICK if quick else EVERY)
    start, goal = course.ends(max(course.queries, key=lambda query: query.optimal_length))
    drive, planner = blocked_on_the_way(course.grid, start, goal, 5 if quick else 20), AStar()

    def ours() -> float:
        replanner = Replanner(goal)
        replanner.plan(course.grid, start)
        return sum(replanner.plan(anew(grid), here).stats["seconds"] for grid, here in drive) / len(drive)

    def theirs() -> float:
        return sum(planner.plan(anew(grid), here, goal).stats["seconds"] for grid, here in drive) / len(drive)

    def check() -> str:
        replanner = Replanner(goal)
        first = replanner.plan(course.grid, start)
        pairs = [(replanner.plan(grid, here), planner.plan(grid, here, goal)) for grid, here in drive]
        assert all(abs(a.cost - b.cost) < 1e-6 * b.cost for a, b in pairs), "a repaired path is longer"
        effort = [np.mean([plan.stats["expansions"] for plan in side]) for side in zip(*pairs, strict=True)]
        return (
            f"{effort[0]:.0f} expansions against {effort[1]:.0f}; the first plan took "
            f"{first.stats['seconds'] * 1e3:.0f} ms"
        )

    return Contest(ours, theirs, check, timed=False)


def blocked_on_the_way(grid: OccupancyGrid, start: Any, goal: Any, count: int) -> list[tuple[OccupancyGrid, Any]]:
    """Maps that change near a robot that follows its plan, and where it then is."""
    rng, drive, occupied = np.random.default_rng(0), [], grid.occupied
    plan = AStar().plan(grid, start, goal)
    for _ in range(count):
        assert plan.xs is not None
        here, ahead = plan.xs[5], grid.world_to_cell(plan.xs[15])
        occupied = occupied.copy()
        occupied[tuple((ahead + rng.integers(-2, 3, (4, 2))).T)] = True
        occupied[tuple(grid.world_to_cell(here))] = False
        grid = anew(grid, occupied)
        plan = AStar().plan(grid, here, goal)
        drive.append((grid, here))
    return drive


def anew(grid: OccupancyGrid, occupied: Any = None) -> OccupancyGrid:
    """A map of which nothing has been computed but its cells."""
    made = OccupancyGrid.from_occupied(grid.occupied if occupied is None else occupied, grid.resolution, grid.origin)
    _ = made.free, made.occupied
    return made


def against_pyastar(planner: Any, files: list[Path], quick: bool) -> Contest:
    """A planner of shortest octile paths beside pyastar2d, on the queries of scenario files."""
    import pyastar2d

    rounds = [load(file, EVERY_QUICK if quick else EVERY) for file in files]
    ready = [(r, [r.ends(query) for query in r.queries]) for r in rounds]
    count = sum(len(r.queries) for r in rounds)

    def ours() -> list[Any]:
        return [planner.plan(r.grid, start, goal) for r, ends in ready for start, goal in ends]

    def peer() -> None:
        for r in rounds:
            for query in r.queries:
                (sx, sy), (gx, gy) = query.start, query.goal
                pyastar2d.astar_path(r.weights, (sy, sx), (gy, gx), allow_diagonal=True)

    def check() -> str:
        optima = [query.optimal_length for r in rounds for query in r.queries]
        plans = ours()
        worst = max(abs(plan.cost - optimum) for plan, optimum in zip(plans, optima, strict=True))
        assert worst < 0.01, f"a path differs from the published optimum by {worst:.3f}"
        first = [planner.plan(anew(r.grid), *ends[0]).stats["seconds"] for r, ends in ready]
        own = [np.median([planner.plan(r.grid, *each).stats["seconds"] for each in ends]) for r, ends in ready]
        names = [file.name.partition(".")[0] for file in files]
        each = ", ".join(f"{name} {seconds * 1e6:.0f}" for name, seconds in zip(names, own, strict=True))
        rate = sum(plan.stats["expansions"] for plan in plans) / sum(plan.stats["seconds"] for plan in plans)
        return (
            f"all {count} on {len(rounds)} maps as published; {rate / 1e6:.1f} million expansions/s; the first "
            f"query on a map takes {np.mean(first) * 1e3:.0f} ms"
            + (f"; median us a query: {each}" if len(files) < 6 else "")
        )

    return Contest(ours, peer, check, work=count)


def scenario_files(*kinds: str) -> list[Path]:
    """The scenario files for single robots, of some kinds of map or of all.

    Raises:
        FileNotFoundError: when the data is not there.
    """
    files = sorted(
        file for file in DATA.glob("*/*.scen*") if (file.parent.name in kinds if kinds else file.parent.name != "mapf")
    )
    if not files:
        raise FileNotFoundError(f"no MovingAI scenarios in {DATA}; set PILOTAGE_DATA")
    return files


def load(file: Path, every: int) -> Round:
    grid = OccupancyGrid.load(find_movingai_map(file))
    weights = np.where(grid.occupied[::-1], np.inf, 1.0).astype(np.float32)
    return Round(grid, weights, read_movingai_scenarios(file)[::every])


@row(
    "rrt_connect_se2",
    peer="OMPL's wheel",
    bar=3,
    unit="ms",
    needs=["ompl"],
    note="first path, seeds 0 to 14, a 0.8 x 0.4 m car as eight discs, 20 x 20 m of 5 cm cells, steps of 1 m; the peer "
    "(C++) asks a checker in Python that looks the same discs up in the same field, 5 cm apart; ours without gaps",
)
def rrt_connect_se2(quick: bool) -> Contest:
    problem = doors()
    seeds = range(5 if quick else 15)
    planner, peer = RRTConnect(step=1.0), ompl_rrt_connect(problem)

    def check() -> str:
        plans = [planner.plan(problem, rng=seed) for seed in seeds]
        for plan in plans:
            assert plan.xs is not None, plan.reason
            assert problem.edges_allowed(plan.xs[:-1], plan.xs[1:]).all()
        costs = [peer(seed)[1] for seed in seeds]
        return f"median length {np.median([p.cost for p in plans]):.1f} against {np.median(costs):.1f}"

    def ours() -> float:
        return float(np.median([planner.plan(problem, rng=seed).stats["seconds"] for seed in seeds]))

    def theirs() -> float:
        return float(np.median([peer(seed)[0] for seed in seeds]))

    return Contest(ours, theirs, check, timed=False)


def doors() -> Problem:
    """Two walls with a door each, and discs, between a start and a goal."""
    rng, n = np.random.default_rng(1), 400
    rows, columns = np.mgrid[:n, :n]
    occupied = np.zeros((n, n), dtype=bool)
    for wall, door in ((130, 60), (270, 300)):
        occupied[:, wall : wall + 4] = True
        occupied[door : door + 24, wall : wall + 4] = False
    for x, y, r in rng.uniform((20, 20, 6), (380, 380, 16), (25, 3)):
        clear = min(abs(x - 132), abs(x - 272), math.hypot(x - 30, y - 30), math.hypot(x - 370, y - 370))
        if clear > r + 25:
            occupied |= (columns - x) ** 2 + (rows - y) ** 2 <= r * r
    grid = OccupancyGrid.from_occupied(occupied, 0.05)
    return grid.problem([1.5, 1.5, 0.0], [18.5, 18.5, 1.57], Footprint.rectangle(0.8, 0.4), turning=0.5)


def ompl_rrt_connect(problem: Problem) -> Any:
    """The same problem for OMPL: a seed to the seconds of the search and the length of the path."""
    from ompl import base

    free, ends, spacing = footprint_checker(problem), (problem.start, problem.goal), problem.world.resolution
    return lambda seed: solve(
        base.SE2StateSpace(), [(0.0, 20.0)] * 2, free, ends,
        planner="RRTConnect", resolution=spacing, seconds=10.0, seed=seed, step=1.0,
    )  # fmt: skip


def curves(name: str, bar: float, curve: Dubins | ReedsShepp, space: str) -> None:
    """A row of the lengths of curves."""

    @row(
        name,
        peer="OMPL from Python",
        bar=bar,
        unit="us",
        needs=["ompl"],
        note="length of the curve between two poses within 16 x 16 m, radius 1.5 m; ours in a batch, the peer (C++) a "
        "pair",
    )
    def contest(quick: bool) -> Contest:
        from ompl import base

        return lengths(curve, getattr(base, space)(curve.radius), 1000 if quick else 10_000)


curves("dubins", 5, Dubins(1.5), "DubinsStateSpace")
curves("reeds_shepp", 10, ReedsShepp(1.5), "ReedsSheppStateSpace")


def lengths(curve: Dubins | ReedsShepp, peer: Any, count: int) -> Contest:
    """Lengths of curves between random poses."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform([-8.0, -8.0, -np.pi], [8.0, 8.0, np.pi], (2, count, 3))
    pairs: list[tuple[Any, Any]] = []
    for ends in zip(a, b, strict=True):
        states = peer.allocState(), peer.allocState()
        for state, (x, y, yaw) in zip(states, ends, strict=True):
            state.setX(x)
            state.setY(y)
            state.setYaw(yaw)
        pairs.append(states)

    def theirs() -> list[float]:
        return [peer.distance(start, goal) for start, goal in pairs]

    def check() -> str:
        worst = float(abs(curve.distance(a, b) - theirs()).max())
        assert worst < 1e-9, f"a length differs by {worst:.2g}"
        return f"lengths within {worst:.0e} m"

    return Contest(lambda: curve.distance(a, b), theirs, check, work=count)
