"""The samples of MPPI: memory, machine code of traced models, and one call per tick of all others."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import Array
from ...core.compiled import Compiled
from ...core.declared import called, returned
from ...core.errors import ModelError
from ...models.trace import LANES, ParameterMemory, code_of
from ..receding import Horizon
from .path_integral import draw, improve, roll


class Samples:
    """Samples around a plan, their costs and weights.

    Args:
        problem: what is to be solved.
        count: how many samples, K.
        limits: standard deviation of the noise, lowest and highest action ``(3, m)``.
        settings: correlation of the noise, penalty of a violated constraint, pull times temperature.
        threads: machine code is run in so many.
    """

    def __init__(self, problem: Horizon, count: int, limits: Array, settings: Array, threads: int) -> None:
        self.problem, self.count, self.limits, self._settings = problem, count, limits, settings
        blocks, numbers = -(-count // LANES), problem.steps * problem.action.size
        self._costs, self._weights = np.full((blocks, LANES), np.inf), np.zeros((blocks, LANES))
        self._violations = np.full((blocks, LANES), -np.inf)
        self._deviations = np.zeros((blocks, -(-numbers // 4) * 4, LANES))
        self._improve = improve.compiled
        dynamics, task = problem.dynamics, problem.task
        self._coded = isinstance(dynamics, Compiled) and isinstance(task, Compiled)
        if self._coded:
            codes = [code_of(dynamics, "y", lanes=True), *(code_of(task, name, lanes=True) for name in ("l", "g", "T"))]
            self._codes = codes  # whose machine code lives as long as they do
            self._addresses = np.array([*(code.address for code in codes), codes[2].size], dtype=np.int64)
            self._dt = np.array([problem.dt])
            self._parameters = ParameterMemory(dynamics, problem.dt), ParameterMemory(task)
            self._roll = split(roll.compiled, blocks, threads)
        else:
            self._draw = draw.compiled
            if isinstance(dynamics, Compiled):  # its rollout is compiled here, and not in the first tick
                dynamics.rollout(dynamics.state.identity(), np.zeros((1, problem.action.size)), problem.dt)

    @property
    def costs(self) -> Array:
        """Cost of each sample, ``(K,)``, infinite where it was not finite."""
        return self._costs.ravel()[: self.count]

    @property
    def weights(self) -> Array:
        """Weight of each sample, ``(K,)``; their sum is 1."""
        return self._weights.ravel()[: self.count]

    @property
    def violation(self) -> float:
        """Least of what the samples violate the constraint by: its largest value along the best of them in that."""
        return float(self._violations.ravel()[: self.count].min())

    def roll(self, x: Array, plan: Array, rows: Array, key: NDArray[np.int64]) -> None:
        """Draw samples around `plan` and add up what they cost from `x`."""
        if self._coded:
            p, c = self._parameters
            p.refresh()
            c.refresh()
            self._roll(
                self._addresses, x, plan, rows, self.limits, self._dt, self._settings, key, p.vector, c.vector,
                self._costs, self._violations, self._deviations,
            )  # fmt: skip
        else:
            self._draw(plan, self.limits, self._settings, key, self._costs, self._deviations)
            self.costs[:] += self._charged(x, plan, rows)
            self._costs[~np.isfinite(self._costs)] = np.inf
            self._violations[np.isinf(self._costs)] = np.inf

    def improve(self, plan: Array, temperature: float, effective: float) -> tuple[float, float]:
        """Move `plan` to the weighted mean: temperature and mean cost; see `path_integral.improve`."""
        return self._improve(
            plan, self.limits, temperature, effective, self.count, self._costs, self._deviations, self._weights
        )

    def _charged(self, x: Array, plan: Array, rows: Array) -> Array:
        """Costs ``(K,)`` of the samples drawn last, by the methods of dynamics and task."""
        dynamics, task, K, (T, m) = self.problem.dynamics, self.problem.task, self.count, plan.shape
        e = self._deviations[:, : T * m].transpose(0, 2, 1).reshape(-1, T, m)[:K]
        us = np.clip(plan + e, self.limits[1], self.limits[2])
        x0 = np.broadcast_to(x, (K, len(x)))
        xs = _answer(dynamics.rollout(x0, us, self.problem.dt), (K, T + 1, len(x)), "rollout", dynamics)
        staged = rows.shape[1] > 0
        r, after, last = ((rows[:-1],), (rows[1:],), (rows[-1],)) if staged else ((), (), ())
        with np.errstate(invalid="ignore", over="ignore"):
            total = _answer(task.cost(xs[:, :-1], us, *r), (K, T), "cost", task).sum(-1)
            g = np.asarray(task.constraint(xs[:, 1:], us, *after), dtype=np.float64)
            g = _answer(g, (K, T, g.shape[-1] if g.ndim else 0), "constraint", task)
            self._violations.ravel()[:K] = np.where(np.isnan(g), np.inf, g).max((-2, -1), initial=-np.inf)
            fine = self._settings[1] * (1.0 + np.where(g > 0.0, g, 0.0))
            total = total + np.where(g <= 0.0, 0.0, fine).sum((-1, -2))
            return total + _answer(task.terminal_cost(xs[:, -1], *last), (K,), "terminal_cost", task)


def _answer(value: Any, shape: tuple[int, ...], method: str, model: Any) -> Array:
    """The answer of a user's method as an array of the right shape: one for each sample."""
    if value is None or np.shape(value) != shape:
        raise ModelError(f"{method}() of {called(model)} returned {returned(value)}; expected {shape}")
    return np.asarray(value, dtype=np.float64)


def split(sample: Callable[..., None], blocks: int, threads: int) -> Callable[..., None]:
    """`sample` over all blocks, in `threads` threads; the result does not depend on how many."""
    if threads == 1:
        return lambda *rest: sample(0, blocks, *rest)
    cuts = [blocks * i // threads for i in range(threads + 1)]

    def run(*rest: Any) -> None:
        waiting = [_pool(threads).submit(sample, a, b, *rest) for a, b in pairwise(cuts[1:])]
        sample(cuts[0], cuts[1], *rest)
        for each in waiting:
            each.result()

    return run


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not survive a fork
