"""Sampling planners beside OMPL's: the first path, and the cost that is reached in time.

``python -m benchmarks.sampling PICTURE.png`` draws the cost over time of both sides.
"""

from __future__ import annotations

import math
import sys
from functools import cache
from typing import Any

import numpy as np

import benchmarks.one_thread  # noqa: F401  # isort: split
from benchmarks.harness import Contest, row
from benchmarks.ompl_query import solve
from pilotage.core import Problem, Space
from pilotage.models import task
from pilotage.planners import BITStar, InformedRRTStar, ReedsShepp, RRTConnect, RRTStar

SEEDS, SEEDS_QUICK = 20, 3
OURS_SECONDS, PEER_SECONDS = 0.1, 1.0
SIDE, RESOLUTION = 100.0, 0.5
CHECKER = "both with a compiled checker (the peer calls numba from Python), at points 0.5 apart"


def circles() -> np.ndarray:
    """56 circles (x, y, radius) in a square of 100, clear of the corners."""
    rng, found = np.random.default_rng(3), list[np.ndarray]()
    while len(found) < 56:
        x, y, r = c = rng.uniform((5.0, 5.0, 2.0), (95.0, 95.0, 6.5))
        if min(math.hypot(x - 2.0, y - 2.0), math.hypot(x - 98.0, y - 98.0)) > r + 3.0:
            found.append(c)
    return np.array(found)


def plane() -> Problem:
    """A point among the circles, from corner to corner."""
    space, rows = Space(f"x y [m] in [0, {SIDE}]"), circles().tolist()

    @task(state=space, action=Space(), constraint=lambda x, u, p, m: depth(x, m, rows))
    def clear(x: Any, u: Any, p: Any, m: Any) -> Any:
        return 0.0

    return Problem(space, [2.0, 2.0], [98.0, 98.0], clear(), resolution=RESOLUTION)


def car() -> Problem:
    """A point with a heading among the circles; turning is free, so that the cost is the length of the way."""
    space, rows = Space("pose: SE2").bounded({"pose.x": (0.0, SIDE), "pose.y": (0.0, SIDE)}), circles().tolist()

    @task(state=space, action=Space(), constraint=lambda x, u, p, m: depth(x, m, rows))
    def clear(x: Any, u: Any, p: Any, m: Any) -> Any:
        return 0.0

    ends = [2.0, 2.0, 0.0], [98.0, 98.0, 0.5 * math.pi]
    return Problem(space, *ends, clear(), weights=[1.0, 1.0, 1e-6], resolution=RESOLUTION)


def depth(x: Any, m: Any, rows: list[list[float]]) -> Any:
    """How deep a point is in a circle, as the largest difference of squares."""
    values = [r * r - (x[0] - cx) ** 2 - (x[1] - cy) ** 2 for cx, cy, r in rows]
    while len(values) > 1:  # in pairs: the processor compares them side by side
        values = [*map(m.maximum, values[::2], values[1::2]), *values[len(values) // 2 * 2 :]]
    return values[0]


@cache
def checker() -> Any:
    """The same check for OMPL, compiled by numba."""
    import numba

    rows = circles()

    @numba.njit("b1(f8, f8)")
    def free(x: float, y: float) -> bool:
        for k in range(len(rows)):  # noqa: SIM110
            if (x - rows[k, 0]) ** 2 + (y - rows[k, 1]) ** 2 < rows[k, 2] ** 2:
                return False
        return True

    return free


def ompl(problem: Problem, planner: str, radius: float = 0.0) -> Any:
    """OMPL's planner for a problem: a seed and seconds to the seconds it took and the length of its path."""
    from ompl import base

    free, ends = checker(), (problem.start, problem.goal)
    valid: Any = (lambda s: free(s.getX(), s.getY())) if radius else (lambda s: free(s[0], s[1]))
    return lambda seed, seconds: solve(
        base.ReedsSheppStateSpace(radius) if radius else base.RealVectorStateSpace(2), [(0.0, SIDE)] * 2, valid, ends,
        planner=planner, resolution=RESOLUTION, seconds=seconds, seed=seed,
    )  # fmt: skip


@row(
    "rrt_connect_circles",
    peer="OMPL's wheel",
    bar=5,
    unit="ms",
    needs=["ompl"],
    note=f"first path among 56 circles in the plane, median of 50 seeds; {CHECKER}",
)
def rrt_connect_circles(quick: bool) -> Contest:
    problem, seeds = plane(), range(10 if quick else 50)
    planner, peer = RRTConnect(), ompl(problem, "RRTConnect")

    def check() -> str:
        plans = [planner.plan(problem, rng=seed) for seed in seeds]
        paths = [plan.xs for plan in plans if plan.xs is not None]
        assert len(paths) == len(plans)
        assert all(problem.edges_allowed(xs[:-1], xs[1:]).all() for xs in paths)
        lengths = [peer(seed, 1.0)[1] for seed in seeds]
        return f"median length {np.median([p.cost for p in plans]):.1f} against {np.median(lengths):.1f}"

    def ours() -> float:
        return float(np.median([planner.plan(problem, rng=seed).stats["seconds"] for seed in seeds]))

    def theirs() -> float:
        return float(np.median([peer(seed, 1.0)[0] for seed in seeds]))

    return Contest(ours, theirs, check, timed=False)


def anytime(planner: Any, problem: Problem, peers: dict[str, float], quick: bool) -> Contest:
    """The median cost over seeds after 0.1 s beside the least of those of the peers after 1 s.

    The figures are costs, in thousandths of the unit of the row.
    """
    seeds = range(SEEDS_QUICK if quick else SEEDS)

    def ours() -> float:
        plans = [planner.plan(problem, rng=seed, budget=OURS_SECONDS) for seed in seeds]
        for plan in plans:
            assert plan.xs is None or problem.edges_allowed(plan.xs[:-1], plan.xs[1:]).all()
        return float(np.median([plan.cost for plan in plans]))

    @cache
    def theirs() -> float:
        costs = {name: [ompl(problem, name, r)(seed, PEER_SECONDS)[1] for seed in seeds] for name, r in peers.items()}
        medians.update({name: float(np.median(each)) for name, each in costs.items()})
        return min(medians.values())

    medians: dict[str, float] = {}

    def check() -> str:
        theirs()
        return ", ".join(f"{name} {cost:.2f}" for name, cost in medians.items())

    return Contest(ours, theirs, check, timed=False)


NOTE = f"median cost over 20 seeds, ours after 0.1 s, the best of the peers after 1 s; 56 circles; {CHECKER}"


@row("rrtstar_r2", peer="OMPL's RRT*, informed RRT*", bar=1, unit="s", needs=["ompl"], note=NOTE)
def rrtstar_r2(quick: bool) -> Contest:
    return anytime(InformedRRTStar(), plane(), {"RRTstar": 0.0, "InformedRRTstar": 0.0}, quick)


@row("bitstar", peer="OMPL's BIT*", bar=1, unit="s", needs=["ompl"], note=NOTE)
def bitstar(quick: bool) -> Contest:
    return anytime(BITStar(), plane(), {"BITstar": 0.0}, quick)


RADIUS = 3.0


@row(
    "rrtstar_se2",
    peer="OMPL's RRT*",
    bar=1,
    unit="s",
    needs=["ompl"],
    note=f"{NOTE}; Reeds-Shepp curves of radius 3",
)
def rrtstar_se2(quick: bool) -> Contest:
    return anytime(RRTStar(steering=ReedsShepp(RADIUS)), car(), {"RRTstar": RADIUS}, quick)


SHELF = [(0.45, 0.35, 0.3, 0.15, 0.1, 0.3), (0.5, -0.3, 0.45, 0.12, 0.12, 0.45), (0.0, 0.55, 0.7, 0.25, 0.05, 0.1)]
"""Boxes around the arm: middles and half sizes [m]."""


@row(
    "arm_boxes",
    peer="OMPL's RRT-Connect",
    bar=1,
    unit="ms",
    needs=["ompl", "mujoco"],
    note="first path of a seven-joint arm among boxes, 10 queries, steps of 1 rad; both ask the same MuJoCo checker "
    "from Python, 0.05 rad apart",
)
def arm_boxes(quick: bool) -> Contest:
    from demos.arm_window import boxes, model
    from pilotage.envs import CollisionConstraint

    clear = CollisionConstraint(model(boxes(SHELF)))
    rng, ends = np.random.default_rng(0), list[np.ndarray]()
    while len(ends) < (6 if quick else 20):
        q = clear.space.sample(rng=rng)
        if clear(q)[0] <= 0.0:
            ends.append(q)
    queries = list(zip(ends[::2], ends[1::2], strict=True))
    planner = RRTConnect(step=1.0)

    def ours() -> float:
        plans = [planner.plan(clear.problem(*pair), rng=k, budget=10.0) for k, pair in enumerate(queries)]
        return float(np.mean([plan.stats["seconds"] for plan in plans]))

    def theirs() -> float:
        return float(np.mean([ompl_arm(clear, *pair, seed=k)[0] for k, pair in enumerate(queries)]))

    def check() -> str:
        plans = [planner.plan(clear.problem(*pair), rng=k, budget=10.0) for k, pair in enumerate(queries)]
        peers = [ompl_arm(clear, *pair, seed=k) for k, pair in enumerate(queries)]
        lengths = [np.median([plan.cost for plan in plans]), np.median([length for _, length in peers])]
        solved = sum(plan.ok for plan in plans), sum(math.isfinite(length) for _, length in peers)
        return (
            f"solved {solved[0]} and {solved[1]} of {len(queries)}, median length {lengths[0]:.1f} and {lengths[1]:.1f}"
        )

    return Contest(ours, theirs, check, timed=False)


def ompl_arm(clear: Any, start: np.ndarray, goal: np.ndarray, seed: int) -> tuple[float, float]:
    """Seconds and length of the path of OMPL's RRT-Connect between two postures."""
    from ompl import base

    n = clear.space.size
    return solve(
        base.RealVectorStateSpace(n), list(zip(clear.space.low.tolist(), clear.space.high.tolist(), strict=True)),
        lambda s: bool(clear(np.array([s[i] for i in range(n)]))[0] <= 0.0), (start, goal),
        planner="RRTConnect", resolution=clear.resolution, seconds=10.0, seed=seed, step=1.0,
    )  # fmt: skip


def curves(file: str, seeds: int = 10) -> None:
    """Draw the median cost over time of our planners and of OMPL's among the circles."""
    from matplotlib.figure import Figure

    problem, figure = plane(), Figure(figsize=(6.5, 4.0), dpi=130)
    ax, times = figure.add_subplot(), np.geomspace(5e-3, PEER_SECONDS, 60)
    for color, planner in zip(("C0", "C1", "C2"), (RRTStar, InformedRRTStar, BITStar), strict=True):
        made = planner(iterations=1_000_000)
        made.plan(problem, rng=0, budget=0.01)
        runs = [made.plan(problem, rng=seed, budget=PEER_SECONDS).stats["history"] for seed in range(seeds)]
        costs = [[min([c for t, c, _ in run if t <= now], default=np.nan) for now in times] for run in runs]
        ax.plot(times, np.median(costs, axis=0), color=color, label=planner.__name__)
    for color, name in zip(("C0", "C1", "C2"), ("RRTstar", "InformedRRTstar", "BITstar"), strict=True):
        peer, spots = ompl(problem, name), np.array([0.05, 0.1, 0.2, 0.5, 1.0])
        medians = [np.median([peer(seed, float(now))[1] for seed in range(seeds)]) for now in spots]
        ax.plot(
            spots,
            np.where(np.isfinite(medians), medians, np.nan),
            "--o",
            color=color,
            markersize=3,
            label=f"OMPL {name}",
        )
    ax.set(xscale="log", xlabel="time [s]", ylabel="median length of the path", ylim=(136.5, 141.0))
    ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    figure.savefig(file, bbox_inches="tight")


if __name__ == "__main__":
    curves(sys.argv[1], *map(int, sys.argv[2:3]))
