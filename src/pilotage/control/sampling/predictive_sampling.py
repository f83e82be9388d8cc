"""Predictive sampling: the best of some random plans around the last one."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array
from ...core.dynamics import Dynamics
from ...core.settings import by_name, settings, whole
from ...core.streams import Rng
from ...core.task import Task
from ..receding import MAX_VIOLATION, Fallback, RecedingHorizon, Solution, Stopwatch
from ._samples import DRAWN, Precision, Sampler, Samples
from .noise import SplineNoise


@settings
class BestSample(Sampler):
    """The solver of `PredictiveSampling`: its settings, and a step that takes the best sample.

    Example:
        >>> BestSample(samples=20).penalty
        1000.0
    """

    def step(
        self, workspace: Samples, state: Any, x: Array, us: Array, rows: Array, passed: float
    ) -> tuple[Any, Solution]:
        """The cheapest of the samples around the plan, of which the plan itself is one."""
        (key, _, last), plan, best, watch = state, us, 0, Stopwatch(self.budget)
        law = workspace.law(x, us, rows, last, passed)
        for i in watch.iterations(self.iterations):
            key = key + DRAWN
            law = workspace.law(x, plan, rows) if i else law
            workspace.roll(x, plan, rows, key, watch, law=law)
            best = int(np.argmin(workspace.costs[: workspace.drawn]))
            plan = workspace.taken(best, plan)
        found = workspace.solution(x, plan, float(workspace.costs[best]), us, rows, watch)
        return (key, None, found), found


class PredictiveSampling(RecedingHorizon):
    """Predictive sampling: the best of K plans, which deviate from the last plan by random splines.

    ::

        u_k  = clip(plan + spline(std e_k)),   e_k ~ N(0, I) at the knots,   u_1 = plan
        plan <- u_k with the least cost

    The simplest of the controllers by samples, and a strong one where a rollout is expensive: a simulator in the loop
    needs few samples, and the plan is smooth because its deviations are. Costs, constraints, random numbers and
    fallbacks are as for `MPPI`.

    Args:
        dynamics, task, horizon, dt, fallback, brake, max_violation: as for every `RecedingHorizon`.
        samples: number of plans tried at each tick, K. The first is the current plan.
        knots: knots of a spline, at even distances, 2 or more, and no more than steps; default: 5, or one for each step
            of a shorter horizon.
        order: "zero" (constant between knots), "linear" or "cubic"; see `SplineNoise`.
        iterations: number of improvements per tick.
        std, penalty, threads, precision, feedback, budget, rng: as for `MPPI`.
        scales: as for `CEM`.

    Source: Howell et al., "Predictive sampling: real-time behaviour synthesis with MuJoCo", 2022, algorithm 1. There,
    the plan itself is the spline, and is sampled again at the knots in each tick; here, it keeps all its steps.

    Example:
        >>> from pilotage.control import reach
        >>> from pilotage.models import unicycle
        >>> robot = unicycle()
        >>> drive = PredictiveSampling(robot, reach(robot, [2.0, 1.0, 0.0]), horizon=20, rng=1)
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
        samples: int = 100,
        knots: int | None = None,
        order: Literal["zero", "linear", "cubic"] = "cubic",
        std: ArrayLike | None = None,
        scales: ArrayLike = 1.0,
        iterations: int = 1,
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
        few = max(min(5, whole(horizon, "horizon")), 2)
        noise = SplineNoise(few if knots is None else knots, order)
        solver = BestSample(
            samples, std, noise, penalty, iterations, threads, budget, True, scales, precision, feedback
        )
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
