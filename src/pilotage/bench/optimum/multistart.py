"""The best of many local optima, for tasks whose state is too large for a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...control import ICEM, ILQR
from ...core.arrays import Array
from ...core.protocols import Controller
from ...core.streams import generator
from ...core.task import Task, references_of
from ..benchmark_task import BenchmarkTask

CORNERS = 8
"""Corners of a random plan: it is linear in between."""
SHORT = 30
"""Receding horizon of the first start, in steps."""
HORIZONS = (30, 60)
"""Receding horizons of the episodes of ICEM, in turn."""
ELITE = 3
"""Number of the best plans from which hops begin."""
SCALES = (0.1, 0.3, 1.0)
"""Sizes of the hops, in half widths of the bounds."""
PATIENCE = 5
"""Sweeps for the best plans, in those of an attempt."""
SAME = 1e-6
"""Relative difference of the costs of two plans that count as the same optimum."""
FEASIBLE = 1e-3
"""Largest value of a constraint that does not count as a violation."""


@dataclass(frozen=True, eq=False)
class Best:
    """A plan, its cost on the true plant, and the decrease that another sweep expects, relative to the cost.

    Example:
        >>> Best(2.5, np.zeros((10, 1)), 1e-9).us.shape
        (10, 1)
    """

    cost: float
    us: Array
    residual: float


def episode_cost(benchmark: BenchmarkTask, seed: int, us: Array) -> float:
    """The cost of a sequence of actions ``(T, m)`` on the plant, from the start of a seed; infinite if it fails.

    Example:
        >>> from pilotage.bench import benchmark_task
        >>> cart = benchmark_task("double_integrator")
        >>> bool(episode_cost(cart, 0, np.zeros((50, 1))) > cart.best(0))
        True
    """
    plant, task, x = benchmark.plant, benchmark.task.on(benchmark.plant.state), benchmark.first(seed)
    with np.errstate(over="ignore", invalid="ignore"):
        return trajectory_cost(task, plant.rollout(x, us, task.dt), us)


def trajectory_cost(task: Task, xs: Array, us: Array) -> float:
    """The cost of states ``(T + 1, n)`` and actions ``(T, m)``; infinite if they violate the constraint.

    Example:
        >>> from pilotage.bench import benchmark_task
        >>> task = benchmark_task("double_integrator").task
        >>> trajectory_cost(task, np.ones((2, 2)), np.zeros((1, 1)))
        12.1
    """
    x, T = xs[0], len(us)
    rows, _ = references_of(task, x, 0.0, T, None)
    before, after, last = ((rows[:-1],), (rows[1:],), (rows[-1],)) if rows.shape[1] else ((), (), ())
    if not np.max(task.constraint(xs[1:], us, *after), initial=-math.inf) <= FEASIBLE:
        return math.inf
    total = float(np.sum(task.cost(xs[:-1], us, *before)) + task.terminal_cost(xs[-1], *last))
    return total if math.isfinite(total) else math.inf


def random_plan(benchmark: BenchmarkTask, rng: np.random.Generator) -> Array:
    """Actions ``(T, m)`` that are linear between random corners, around the action at rest."""
    space, T = benchmark.plant.action, benchmark.task.horizon
    low, high = np.where(np.isfinite(space.low), space.low, -1.0), np.where(np.isfinite(space.high), space.high, 1.0)
    corners = rng.uniform(low, high, (CORNERS, space.size)) * rng.uniform()
    times, places = np.linspace(0.0, 1.0, T), np.linspace(0.0, 1.0, CORNERS)
    return np.stack([np.interp(times, places, c) for c in corners.T], -1) + benchmark.action


class Multistart:
    """Local optimisation by iLQR from many plans, over the whole horizon, and hops from the best of them.

    ::

        u_i = iLQR(start i)                                   starts
        u_j = iLQR(one of the best plans + a random plan)     hops
        u*  = the best of all

    The first starts hold the actions of iLQR with a receding horizon, rest, and plans that are linear between random
    corners. Then follow whole episodes of ICEM, with horizons of 30 and 60 steps and seeds of their own. A hop changes
    one of the three best plans by a random plan of a random size, and improves it again.

    Each start is first improved on the task for planning, whose terminal cost pulls to the goal, then on the task
    itself. The result is an upper bound on the optimum, and with many starts and hops usually the optimum.

    Args:
        benchmark: a task whose references, if any, depend on the time only.
        starts: number of starts.
        episodes: number of episodes of ICEM.
        hops: number of hops.
        iterations: largest number of sweeps of an attempt; the best plans get `PATIENCE` times as many in the end.

    Source: Wales and Doye, "Global Optimization by Basin-Hopping" (1997), for the hops.

    Example:
        >>> from pilotage.bench import benchmark_task
        >>> cart = benchmark_task("double_integrator")
        >>> abs(Multistart(cart, starts=1, episodes=0, hops=0).best(3).cost / cart.best(3) - 1.0) < 1e-6
        True
    """

    def __init__(
        self, benchmark: BenchmarkTask, *, starts: int = 8, episodes: int = 4, hops: int = 40, iterations: int = 100,
    ) -> None:  # fmt: skip
        self.benchmark, self.starts, self.episodes, self.hops = benchmark, starts, episodes, hops
        tasks = [each for each in (benchmark.planning, benchmark.task) if each is not None]
        settings = {"horizon": benchmark.task.horizon, "tolerance": 1e-10}
        self._driver = ILQR(benchmark.plant, tasks[0], horizon=min(SHORT, benchmark.task.horizon), iterations=50)
        self._solvers = [ILQR(benchmark.plant, each, iterations=iterations, **settings) for each in tasks]
        self._last = ILQR(benchmark.plant, benchmark.task, iterations=PATIENCE * iterations, **settings)

    def best(self, seed: int, plans: Sequence[Array] = ()) -> Best:
        """The best plan from the start of a seed, with some plans ``(T, m)`` as further starts."""
        rng = generator(seed, "multistart")
        drawn = [*self._drawn(seed, rng), *(self._sampled(seed, i) for i in range(self.episodes))]
        tried = [self._improved(seed, us, self._solvers) for us in drawn]
        tried += [self._improved(seed, us, self._solvers[-1:]) for us in [*drawn[self.starts :], *plans]]
        tried += [Best(episode_cost(self.benchmark, seed, us), us, math.nan) for us in (*drawn, *plans)]
        tried = _elite(tried)
        for _ in range(self.hops):
            parent = tried[rng.integers(len(tried))]
            solvers = self._solvers[rng.integers(len(self._solvers)) :]
            tried = _elite([*tried, self._improved(seed, self._changed(parent.us, rng), solvers)])
        return _elite([*tried, *(self._improved(seed, each.us, [self._last]) for each in tried)])[0]

    def _drawn(self, seed: int, rng: np.random.Generator) -> list[Array]:
        """The starts: the actions of iLQR with a receding horizon, rest, and random plans."""
        rest = np.tile(self.benchmark.action, (self.benchmark.task.horizon, 1))
        drawn = [random_plan(self.benchmark, rng) for _ in range(self.starts - 2)]
        return [self._driven(seed, self._driver), rest, *drawn][: self.starts]

    def _sampled(self, seed: int, number: int) -> Array:
        """The actions of an episode of ICEM."""
        plant, task = self.benchmark.known
        horizon = min(HORIZONS[number % len(HORIZONS)], task.horizon)
        settings: dict[str, Any] = {"brake": self.benchmark.action, "samples": 60, "rng": number}
        return self._driven(seed, ICEM(plant, task, horizon=horizon, **settings))

    def _driven(self, seed: int, driver: Controller) -> Array:
        """The actions of an episode of a controller."""
        plant, T, dt = self.benchmark.plant, self.benchmark.task.horizon, self.benchmark.task.dt
        x, us = self.benchmark.first(seed), np.empty((T, plant.action.size))
        driver.reset()
        for k in range(T):
            us[k] = driver.act(x, k * dt).u
            x = plant.step(x, us[k], dt)
        return us

    def _changed(self, us: Array, rng: np.random.Generator) -> Array:
        """A plan with a smooth random change, within the bounds."""
        change = random_plan(self.benchmark, rng) - self.benchmark.action
        return self.benchmark.plant.action.clip(us + rng.choice(SCALES) * change)

    def _improved(self, seed: int, us: Array, solvers: Sequence[ILQR]) -> Best:
        residual, x = math.nan, self.benchmark.first(seed)
        for solver in solvers:
            plan = solver.solve(x, us=us)
            if plan.us is not None:
                us, residual = plan.us, plan.stats["expected"] / max(abs(plan.cost), 1e-12)
        return Best(episode_cost(self.benchmark, seed, us), us, residual)


def _elite(tried: list[Best]) -> list[Best]:
    """The best plans, those of the same optimum once."""
    kept: list[Best] = []
    for each in sorted(tried, key=lambda each: each.cost):
        if not kept or each.cost - kept[-1].cost > SAME * abs(kept[-1].cost):
            kept.append(each)
    return kept[:ELITE]
