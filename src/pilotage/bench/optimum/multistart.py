"""The best of many local optima, for tasks whose state is too large for a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...control import ILQR
from ...core.arrays import Array
from ...core.streams import generator
from ...core.task import Task, references_of
from ..benchmark_task import BenchmarkTask

CORNERS = 8
"""Corners of a random plan: it is linear in between."""
SHORT = 30
"""Receding horizon of the first start, in steps."""
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
    """Local optimisation by iLQR from many plans, over the whole horizon.

    ::

        u* = argmin over the starts i of  cost(iLQR(u_i))

    u_0 holds the actions of iLQR with a receding horizon, u_1 is at rest, the others are linear between random corners.

    Each start is first improved on the task for planning, whose terminal cost pulls to the goal, then on the task
    itself. The result is an upper bound on the optimum, and with many starts usually the optimum.

    Args:
        benchmark: a task whose references, if any, depend on the time only.
        starts: number of starts.
        iterations: largest number of sweeps.

    Example:
        >>> from pilotage.bench import benchmark_task
        >>> cart = benchmark_task("double_integrator")
        >>> abs(Multistart(cart, starts=1).best(3).cost / cart.best(3) - 1.0) < 1e-6
        True
    """

    def __init__(self, benchmark: BenchmarkTask, *, starts: int = 8, iterations: int = 300) -> None:
        self.benchmark, self.starts = benchmark, starts
        tasks = [each for each in (benchmark.planning, benchmark.task) if each is not None]
        settings = {"horizon": benchmark.task.horizon, "iterations": iterations, "tolerance": 1e-10}
        self._driver = ILQR(benchmark.plant, tasks[0], horizon=min(SHORT, benchmark.task.horizon), iterations=50)
        self._solvers = [ILQR(benchmark.plant, each, **settings) for each in tasks]

    def best(self, seed: int, plans: Sequence[Array] = ()) -> Best:
        """The best plan from the start of a seed, with some plans ``(T, m)`` as further starts."""
        rng = generator(seed, "multistart")
        rest = np.tile(self.benchmark.action, (self.benchmark.task.horizon, 1))
        drawn = [self._driven(seed), rest, *(random_plan(self.benchmark, rng) for _ in range(self.starts - 2))]
        drawn = drawn[: self.starts]
        tried = [self._improved(seed, us, self._solvers) for us in drawn]
        tried += [self._improved(seed, us, self._solvers[-1:]) for us in plans]
        own = [Best(episode_cost(self.benchmark, seed, us), us, math.nan) for us in (*drawn, *plans)]
        return min([*tried, *own], key=lambda each: each.cost)

    def _driven(self, seed: int) -> Array:
        """The actions of iLQR with a receding horizon."""
        plant, T, dt = self.benchmark.plant, self.benchmark.task.horizon, self.benchmark.task.dt
        x, us = self.benchmark.first(seed), np.empty((T, plant.action.size))
        self._driver.reset()
        for k in range(T):
            us[k] = self._driver.act(x, k * dt).u
            x = plant.step(x, us[k], dt)
        return us

    def _improved(self, seed: int, us: Array, solvers: Sequence[ILQR]) -> Best:
        residual, x = math.nan, self.benchmark.first(seed)
        for solver in solvers:
            plan = solver.solve(x, us=us)
            if plan.us is not None:
                us, residual = plan.us, plan.stats["expected"] / max(abs(plan.cost), 1e-12)
        return Best(episode_cost(self.benchmark, seed, us), us, residual)
