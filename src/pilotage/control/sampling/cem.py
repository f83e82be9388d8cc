"""The cross-entropy method: draw plans, keep the best, draw the next ones like them."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array
from ...core.dynamics import Dynamics
from ...core.settings import Count, Fraction, Interval, by_name, settings
from ...core.streams import Rng
from ...core.task import Task
from ..receding import Fallback, RecedingHorizon, Solution, iterations_within, shifted
from ._samples import DRAWN, Sampler, Samples
from .noise import Noise


@settings
class CrossEntropy(Sampler):
    """The solver of `CEM` and `ICEM`: its settings, and a step that fits the distribution to the best samples.

    Its state is the key of the random numbers; where the best plan is executed, also the mean, and the elites that are
    kept.

    Example:
        >>> CrossEntropy(samples=100, elites=0.2).iterations
        4
    """

    iterations: Count = 4
    elites: Annotated[float, Interval(0.0, 1.0)] = 0.1
    smoothing: Annotated[float, Interval(0.0, 1.0, "[)")] = 0.1
    least: Annotated[float, Interval(0.0, 1.0)] = 0.05
    kept: Fraction = 0.0
    decay: Annotated[float, Interval(1.0, math.inf, "[)")] = 1.0
    best: bool = False

    def step(
        self, workspace: Samples, state: Any, x: Array, us: Array, rows: Array, passed: float
    ) -> tuple[Any, Solution]:
        """Fit mean and variance to the elites of each iteration."""
        key, before = state
        mean, elites = (us, np.empty((0, *us.shape))) if before is None else (shifted(each, passed) for each in before)
        elite, floor = max(round(self.elites * self.samples), 1), self.least * workspace.std
        std, plan, cost = workspace.std, us, np.inf
        for i in iterations_within(self.iterations, self.budget):
            count = min(max(round(self.samples / self.decay**i), 2 * elite), self.samples)
            given = elites[: round(self.kept * elite)]
            if not self.best or i == self.iterations - 1:
                given = np.concatenate([mean[None], given])
            key = key + DRAWN
            workspace.roll(x, mean, rows, key, std=std, kept=given, count=count)
            order = np.argsort(workspace.costs, kind="stable")[:elite]
            order = order[np.isfinite(workspace.costs[order])]
            if not len(order):
                return (key, None), workspace.solution(x, us, np.inf, us, rows)
            elites = workspace.taken(order, mean)
            if workspace.costs[order[0]] < cost:
                plan, cost = elites[0], float(workspace.costs[order[0]])
            a = self.smoothing
            variance = a * std**2 + (1.0 - a) * elites.var(0)
            mean, std = a * mean + (1.0 - a) * elites.mean(0), np.maximum(np.sqrt(variance), floor)
        found = workspace.solution(x, plan if self.best else mean, cost, us, rows, std=std)
        return (key, (mean, elites) if self.best else None), found


class CEM(RecedingHorizon):
    """Predictive control by the cross-entropy method (CEM).

    ::

        u_k  = clip(mean + std e_k),   e_k ~ N(0, I)                       K samples of T steps
        S_k  = sum_t cost(x_t, u_t) + penalty sum_i [g_i > 0] (1 + g_i) + terminal_cost(x_T)
        mean <- a mean + (1 - a) mean of the elites                        the share of the samples with the least S
        std^2 <- a std^2 + (1 - a) variance of the elites                  for each step and component alone

    It repeats this at every tick, beginning with the last mean and the full standard deviation, and executes the mean.
    Models, constraints, random numbers and fallbacks are as for `MPPI`.

    Args:
        dynamics, task, horizon, dt, fallback, brake: as for every `RecedingHorizon`.
        samples: number of plans tried in each iteration, K. The first is the mean.
        elites: share of the samples that the distribution is fitted to.
        iterations: fits at each tick.
        smoothing: a, in [0, 1): the share of mean and variance that stays from one iteration to the next.
        least: standard deviation that it does not fall below, as a share of `std`.
        std, penalty, threads, budget, rng: as for `MPPI`.
        noise: kind of noise over time, such as `PowerLawNoise`; default: white.

    Source: Rubinstein and Kroese, "The cross-entropy method" (2004), algorithm 4.2.1; for plans: Chua et al., "Deep
    reinforcement learning in a handful of trials using probabilistic dynamics models", NeurIPS 2018, section 5.

    Example:
        >>> from pilotage.control import reach
        >>> from pilotage.models import unicycle
        >>> robot = unicycle()
        >>> drive = CEM(robot, reach(robot, [2.0, 1.0, 0.0]), horizon=20, samples=128, rng=1)
        >>> drive.act([0.0, 0.0, 0.0]).status
        <ActionStatus.SOLVED: 'solved'>
    """

    @by_name
    def __init__(
        self,
        dynamics: Dynamics,
        task: Task,
        *,
        horizon: int = 30,
        samples: int = 500,
        elites: float = 0.1,
        iterations: int = 4,
        smoothing: float = 0.1,
        least: float = 0.05,
        std: ArrayLike | None = None,
        noise: Noise | None = None,
        dt: float | None = None,
        penalty: float = 1000.0,
        fallback: Fallback = "shift",
        brake: ArrayLike | None = None,
        rng: Rng = None,
        threads: int = 1,
        budget: float | None = None,
    ) -> None:
        solver = CrossEntropy(samples, std, noise, penalty, iterations, threads, budget, True, elites, smoothing, least)
        super().__init__(dynamics, task, solver, horizon=horizon, dt=dt, fallback=fallback, brake=brake, rng=rng)
