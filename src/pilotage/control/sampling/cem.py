"""The cross-entropy method: draw plans, keep the best, draw the next ones like them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array
from ...core.dynamics import Dynamics
from ...core.settings import Count, Fraction, Interval, Natural, by_name, settings
from ...core.streams import Rng
from ...core.task import Task
from ..receding import MAX_VIOLATION, Fallback, RecedingHorizon, Solution, Stopwatch, shifted
from ._samples import DRAWN, Law, Precision, Sampler, Samples
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
    restarts: Natural = 0
    best: bool = False

    def step(
        self, workspace: Samples, state: Any, x: Array, us: Array, rows: Array, passed: float
    ) -> tuple[Any, Solution]:
        """Fit mean and variance to the elites of each iteration, from the last mean and again from rest."""
        key, before, last = state
        none = np.empty((0, *us.shape))
        first = (us, none) if before is None else (shifted(before[0], passed), shifted(before[1], passed))
        rest = np.tile(workspace.problem.action.clip(np.zeros(us.shape[1])), (len(us), 1))
        found = list[tuple[Fit, tuple[Array, Array]]]()
        for mean, elites in (first, *[(rest, none)] * self.restarts):
            watch = Stopwatch(self.budget, 1 + self.restarts)
            law = workspace.law(x, mean, rows) if found else workspace.law(x, us, rows, last, passed)
            key, fit = self._fit(workspace, key, x, mean, elites, rows, law, watch)
            found.append((fit, (workspace.costs.copy(), workspace.violations.copy())))
        best, (workspace.costs[:], workspace.violations[:]) = min(found, key=lambda each: each[0].cost)
        if best.cost == np.inf:
            return (key, None, None), workspace.solution(x, us, np.inf, us, rows, best.watch)
        solution = workspace.solution(
            x, best.plan if self.best else best.mean, best.cost, us, rows, best.watch, std=best.std
        )
        return (key, (best.mean, best.elites) if self.best else None, solution), solution

    def _fit(
        self, workspace: Samples, key: Any, x: Array, mean: Array, elites: Array, rows: Array, law: Law | None,
        watch: Stopwatch,
    ) -> tuple[Any, Fit]:  # fmt: skip
        """The key after a search from a mean with the full deviation, and what it found."""
        elite, floor = max(round(self.elites * self.samples), 1), self.least * workspace.std
        fit = Fit(mean, workspace.std, mean, np.inf, elites)
        for i in watch.iterations(self.iterations):
            count = min(max(round(self.samples / self.decay**i), 2 * elite), self.samples)
            given = fit.elites[: round(self.kept * elite)]
            if not self.best or i == self.iterations - 1:
                given = np.concatenate([fit.mean[None], given])
            key = key + DRAWN
            law = workspace.law(x, fit.plan, rows) if i else law
            workspace.roll(x, fit.mean, rows, key, watch, std=fit.std, kept=given, count=count, law=law)
            drawn = workspace.drawn
            best = elite if drawn == count else max(round(self.elites * drawn), 1)
            order = np.argsort(workspace.costs[:drawn], kind="stable")[:best]
            order = order[np.isfinite(workspace.costs[order])]
            if not len(order):
                return key, Fit(mean, fit.std, mean, np.inf, elites, watch)
            fit = fit.after(workspace.taken(order, fit.mean), float(workspace.costs[order[0]]), self.smoothing, floor)
        return key, replace(fit, watch=watch)


@dataclass(frozen=True, eq=False)
class Fit:
    """A normal distribution of plans, the best plan drawn from it with its cost, and the elites it was fitted to."""

    mean: Array
    std: Array
    plan: Array
    cost: float
    elites: Array
    watch: Stopwatch | None = None

    def after(self, elites: Array, cost: float, a: float, floor: Array) -> Fit:
        """The distribution fitted to elites, of which the first costs so much, smoothed by the share `a` of this."""
        plan, cost = (elites[0], cost) if cost < self.cost else (self.plan, self.cost)
        mean, variance = a * self.mean + (1.0 - a) * elites.mean(0), a * self.std**2 + (1.0 - a) * elites.var(0)
        return Fit(mean, np.maximum(np.sqrt(variance), floor), plan, cost, elites)


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
        dynamics, task, horizon, dt, fallback, brake, max_violation: as for every `RecedingHorizon`.
        samples: number of plans tried in each iteration, K. The first is the mean.
        elites: share of the samples that the distribution is fitted to.
        iterations: fits at each tick.
        smoothing: a, in [0, 1): the share of mean and variance that stays from one iteration to the next.
        least: standard deviation that it does not fall below, as a share of `std`.
        restarts: further searches at each tick, which begin at rest instead of the last plan, with as many samples; the
            best plan of all is executed. They find a way around, or a swing to the other side, that no small change of
            the last plan leads to.
        scales: factors of `std` that the samples take in turn, such as ``(1, 0.3, 0.1)``: those with a large one
            explore, those with a small one refine the plan, as unstable systems need.
            Among obstacles they make plans that stay where they are, so that the default is one size.
        std, penalty, threads, precision, feedback, budget, rng: as for `MPPI`.
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
        restarts: int = 0,
        std: ArrayLike | None = None,
        scales: ArrayLike = 1.0,
        noise: Noise | None = None,
        dt: float | None = None,
        penalty: float = 1000.0,
        fallback: Fallback = "shift",
        brake: ArrayLike | None = None,
        max_violation: float = MAX_VIOLATION,
        rng: Rng = None,
        threads: int = 1,
        budget: float | None = None,
        precision: Precision = "double",
        feedback: bool = False,
    ) -> None:
        solver = CrossEntropy(
            samples, std, noise, penalty, iterations, threads, budget, True, scales, precision, feedback, elites,
            smoothing, least, restarts=restarts,
        )  # fmt: skip
        super().__init__(
            dynamics,
            task,
            solver,
            horizon=horizon,
            dt=dt,
            fallback=fallback,
            brake=brake,
            max_violation=max_violation,
            rng=rng,
        )
