"""The recipes by which the stored optima are computed, and their program."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ...control import ValueTable
from ...core.arrays import Array
from ...core.settings import settings
from ..benchmark_task import BenchmarkTask, benchmark_task
from ..stock.arms import LINKS, TARGET
from .multistart import Best, Multistart
from .postures import elbows, moves
from .store import keep, lower, record

Told = Callable[[str], Any]
CHECKED = 10
"""Number of seeds on which half the effort is tried too."""


@settings
class Grid:
    """The grid of a task whose optimum is found by dynamic programming; see `ValueTable`.

    Example:
        >>> Grid((-1.0,), (1.0,), (101,), 11).halved.shape
        [51]
    """

    low: Sequence[float]
    high: Sequence[float]
    shape: Sequence[int]
    actions: int

    @property
    def halved(self) -> Grid:
        """The grid with half as many intervals on each axis."""
        return Grid(self.low, self.high, [k // 2 + 1 for k in self.shape], self.actions // 2 + 1)


@settings
class Starts:
    """The effort for a task whose optimum is found by `Multistart`.

    Args:
        starts, episodes, hops: see `Multistart`.
        durations: number of durations of the moves to each posture that touches the target, for an arm.

    Example:
        >>> Starts(9, hops=40).times(0.5)
        Starts(starts=4, episodes=0, hops=20, durations=0)
    """

    starts: int
    episodes: int = 0
    hops: int = 0
    durations: int = 0

    def times(self, factor: float) -> Starts:
        """A multiple of it."""
        return Starts(*(int(each * factor) for each in (self.starts, self.episodes, self.hops, self.durations)))

    def best(self, benchmark: BenchmarkTask, seed: int) -> Best:
        """The best plan that is found with this effort."""
        solver = Multistart(benchmark, starts=self.starts, episodes=self.episodes, hops=self.hops)
        return solver.best(seed, self._moves(benchmark, seed) if self.durations else ())

    def _moves(self, benchmark: BenchmarkTask, seed: int) -> list[Array]:
        first, task = benchmark.first(seed), benchmark.task
        return moves(benchmark.plant, first, POSTURES[benchmark.name], task.dt, task.horizon, self.durations)


GRIDS = {
    "pendulum_v1": Grid((-math.pi, -8.0), (math.pi, 8.0), (1001, 501), 41),
    "pendulum": Grid((-math.pi, -10.0), (math.pi, 10.0), (501, 251), 41),
}
STARTS = {
    "acrobot": Starts(4, episodes=1, hops=12),
    "cart_pole_balance": Starts(2),
    "cart_pole_swingup": Starts(12, episodes=4, hops=40),
    "parking": Starts(8, episodes=2, hops=8),
    "quadrotor_eight": Starts(2),
    "quadrotor_hover": Starts(2),
    "reacher": Starts(24, episodes=4, hops=100, durations=6),
    "unicycle_goal": Starts(12),
}
"""The starts of the tasks whose optimum is found by `Multistart`."""
POSTURES = {"reacher": elbows(LINKS["lengths"], TARGET)}
"""The postures that touch the target of an arm."""


def compute(name: str, seeds: int = 100, told: Told = print) -> None:
    """Compute the optimum of a task for seeds 0 to `seeds` - 1, and write its file.

    Both methods end with iLQR from the best plan, so that regret is measured against the best plan that is known.
    """
    (_by_grid if name in GRIDS else _by_starts)(benchmark_task(name), seeds, told)


def improve(name: str, seeds: Sequence[int], factor: int = 4, told: Told = print) -> None:
    """Search again on some seeds of a stored task with `factor` times the effort, and keep what is lower."""
    benchmark, costs = benchmark_task(name), record(name)["costs"]
    effort = STARTS[name].times(factor)
    for seed in seeds:
        best = effort.best(benchmark, seed)
        told(f"{name}: seed {seed} costs {best.cost:.6f}; it was {costs[seed]}")
        if best.cost < costs[seed]:
            lower(name, seed, best.cost, (_states(benchmark, seed, best.us), best.us))


def _states(benchmark: BenchmarkTask, seed: int, us: Array) -> Array:
    return benchmark.plant.rollout(benchmark.first(seed), us, benchmark.task.dt)


def _by_grid(benchmark: BenchmarkTask, seeds: int, told: Told) -> None:
    grid = GRIDS[benchmark.name]
    half, full = (_rollouts(benchmark, each, seeds, told) for each in (grid.halved, grid))
    solver = Multistart(benchmark, starts=1, episodes=0, hops=0)
    found = [solver.best(seed, [both[1], other[1]]) for seed, (both, other) in enumerate(zip(full, half))]
    convergence = {
        "grid": list(grid.shape), "actions": grid.actions, "grid_mean": float(np.mean([c for c, _ in full])),
        "half_grid_mean": float(np.mean([c for c, _ in half])),
        "polished_mean": float(np.mean([each.cost for each in found])),
    }  # fmt: skip
    _write(benchmark, "dynamic programming, then iLQR from its plan", found, convergence, told)


def _rollouts(benchmark: BenchmarkTask, grid: Grid, seeds: int, told: Told) -> list[tuple[float, Array]]:
    table = ValueTable(benchmark.plant, benchmark.task, grid.low, grid.high, grid.shape, grid.actions)
    found = [table.rollout(benchmark.first(seed)) for seed in range(seeds)]
    told(f"{benchmark.name}: grid {tuple(grid.shape)} gives a mean of {np.mean([c for c, *_ in found]):.3f}")
    return [(cost, us) for cost, _, us in found]


def _by_starts(benchmark: BenchmarkTask, seeds: int, told: Told) -> None:
    effort = STARTS[benchmark.name]
    found = [effort.best(benchmark, seed) for seed in range(seeds)]
    check = range(min(seeds, CHECKED))
    convergence = {
        **asdict(effort), f"mean_of_{CHECKED}": float(np.mean([found[i].cost for i in check])),
        f"half_effort_mean_of_{CHECKED}": float(np.mean([effort.times(0.5).best(benchmark, i).cost for i in check])),
        "largest_residual": float(np.nanmax([each.residual for each in found])),
    }  # fmt: skip
    _write(benchmark, "the best of many starts of iLQR, and of hops from them", found, convergence, told)


def _write(
    benchmark: BenchmarkTask, method: str, found: list[Best], convergence: dict[str, Any], told: Told
) -> None:  # fmt: skip
    told(f"{benchmark.name}: mean {np.mean([each.cost for each in found]):.4f}; {convergence}")
    plans = [(_states(benchmark, i, b.us), b.us) for i, b in enumerate(found)]
    keep(benchmark.name, method, [each.cost for each in found], plans, convergence)
