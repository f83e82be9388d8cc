"""Model predictive path integral control: the mean of random plans, weighted by their costs."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.arrays import Array, numbers
from ...core.dynamics import Dynamics
from ...core.errors import ModelError, SettingError
from ...core.results import ActionStatus
from ...core.settings import Count, Interval, NonNegative, Positive, by_name, settings
from ...core.space import Space
from ...core.streams import Rng
from ...core.task import Task
from ..receding import Fallback, Horizon, RecedingHorizon, Solution
from ._samples import Samples

DRAWN = np.array([0, 0, 1])


@settings
class PathIntegral:
    """The solver of `MPPI`: its settings, and a step that improves a plan by random samples around it.

    Its state is the key of the random numbers: two words of the seed, and the number of draws so far.

    Example:
        >>> PathIntegral(samples=100).init(0).tolist()
        [2968811710, 3677149159, 0]
    """

    samples: Count = 1000
    temperature: Positive | None = None
    effective: Annotated[float, Interval(0.0, 1.0)] = 0.05
    std: Any = None
    correlation: Annotated[float, Interval(0.0, 1.0, "[)")] = 0.8
    pull: NonNegative = 0.0
    penalty: NonNegative = 1000.0
    iterations: Count = 1
    threads: Count = 1

    def __post_init__(self) -> None:
        if self.temperature is None and self.pull != 0.0:
            raise SettingError("pull is relative to the temperature; give a temperature with it")

    def workspace(self, problem: Horizon) -> Samples:
        """The machine code and memory for rollouts of a problem."""
        limits = np.stack([spread(self.std, problem.action), problem.action.low, problem.action.high])
        pull = self.pull * self.temperature if self.temperature is not None else 0.0
        settings = np.array([self.correlation, self.penalty, pull], dtype=np.float64)
        return Samples(problem, self.samples, limits, settings, self.threads)

    def init(self, seed: int) -> NDArray[np.int64]:
        """The key at the start of an episode."""
        return np.array([*np.random.SeedSequence(seed).generate_state(2, np.uint32), 0], dtype=np.int64)

    def step(
        self, workspace: Samples, state: Any, x: Array, us: Array, rows: Array, passed: float
    ) -> tuple[Any, Solution]:
        """Move the plan to the weighted mean of samples around it."""
        plan, heat, cost = us.copy(), math.inf, math.inf
        for _ in range(self.iterations):
            state = state + DRAWN
            workspace.roll(x, plan, rows, state)
            heat, cost = workspace.improve(plan, self.temperature or 0.0, self.effective)
        least = workspace.violation
        stats = {"costs": workspace.costs.copy(), "weights": workspace.weights.copy()}
        stats = {**stats, "temperature": heat, "violation": least}
        if heat == math.inf:
            why = f"none of {self.samples} samples has a finite cost"
            return state, Solution(us, math.inf, ActionStatus.FALLBACK, why, stats=stats)
        if least > 0.0:
            why = f"all {self.samples} samples violate the constraint, which is at {least:.2g} in the best"
            p = workspace.problem
            xs = np.concatenate([x[None], p.dynamics.rollout(x, plan, p.dt)[1:]])
            if (
                math.inf > (own := p.worst(x[None], plan[:1], rows[:1])) > 0.0
                and p.worst(xs[1:], plan, rows[1:]) <= own
            ):
                return state, Solution(plan, cost, ActionStatus.IMPROVED, f"{why}, as in the state itself", stats=stats)
            return state, Solution(us, math.inf, ActionStatus.FALLBACK, why, stats=stats)
        return state, Solution(plan, cost, stats=stats)


class MPPI(RecedingHorizon):
    """Model predictive path integral control (MPPI), by random rollouts.

    ::

        u_k = clip(plan + e_k),   e_k ~ N(0, std^2)                        K samples of T steps
        S_k = sum_t cost(x_t, u_t) + penalty sum_i [g_i > 0] (1 + g_i) + pull temperature plan_t e_t / std^2
              + terminal_cost(x_T)                                         g = constraint(x_{t+1}, u_t)
        w_k = exp(-(S_k - min S) / temperature) / sum
        plan <- plan + sum_k w_k e_k                                       e_k after clipping

    Noise that is clipped on one side has a nonzero mean, so if the cost is flat, the plan drifts towards the middle of
    the limits. Every call of `act` shifts the plan by the elapsed time and improves it from the current state.

    It works with any `Dynamics` and `Task`. Traced models run as machine code, 32 samples side by side; for others, all
    samples of a tick are rolled out in one call of `Dynamics.rollout` and evaluated in one call of `Task.cost`. Both
    use the same random numbers. If every sample violates the constraint, none is used, and the status is FALLBACK. If
    the state itself violates it, the plan leads out of the violation, and the status is IMPROVED.

    Args:
        dynamics, task, horizon, dt, fallback, brake: as for every `RecedingHorizon`.
        samples: number of plans tried at each tick, K. The first is the current plan without noise.
        temperature: in units of cost; small values follow the best sample, large ones average. Default: chosen at every
            tick so that the effective number of samples, ``1 / sum w^2``, is the share `effective` of all.
        effective: effective share of the samples.
        std: standard deviation of the noise, one number or one per action component; default: a quarter of the range
            between the bounds. This explores well, but is coarse if the bounds are much wider than the task needs. For
            example, a car with bounds of 5 m/s^2 and 0.6 rad comes closer to its goal with (1.0, 0.2).
        correlation: correlation of the noise between consecutive steps, in [0, 1). High values give smooth plans that
            reach far; 0 is white noise.
        pull: weight of the control cost of Williams et al., which pulls actions towards zero; 1 is their original, 0
            leaves the cost to the task.
        penalty: cost of each step that violates the task's constraint, plus the same for each unit of the violation. A
            heuristic: it should be large compared to the cost of a good plan.
        iterations: number of improvements per tick.
        threads: number of threads for machine code.
        rng: seed or generator of the random numbers.

    Source: Williams, Drews, Goldfain, Rehg and Theodorou, "Information-theoretic model predictive control", T-RO 34(6),
    2018, algorithm 2; the correlated noise is a first-order process, whose own density enters S.

    Example:
        >>> from pilotage.control import reach
        >>> from pilotage.models import unicycle
        >>> robot = unicycle()
        >>> drive = MPPI(robot, reach(robot, [2.0, 1.0, 0.0]), horizon=20, samples=256, rng=1)
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
        samples: int = 1000,
        temperature: float | None = None,
        effective: float = 0.05,
        std: ArrayLike | None = None,
        dt: float | None = None,
        correlation: float = 0.8,
        pull: float = 0.0,
        penalty: float = 1000.0,
        iterations: int = 1,
        fallback: Fallback = "shift",
        brake: ArrayLike | None = None,
        rng: Rng = None,
        threads: int = 1,
    ) -> None:
        solver = PathIntegral(samples, temperature, effective, std, correlation, pull, penalty, iterations, threads)
        super().__init__(
            dynamics, task, solver, horizon=horizon, dt=dt, fallback=fallback, brake=brake, rng=rng
        )  # fmt: skip

    @property
    def costs(self) -> Array:
        """The cost of each sample of the last tick, ``(K,)``; infinity if it was not finite."""
        return self._last_stats()["costs"]

    @property
    def weights(self) -> Array:
        """The weight of each sample of the last tick, ``(K,)``; their sum is 1."""
        return self._last_stats()["weights"]

    def _last_stats(self) -> Any:
        if self.solution is None:
            raise ModelError("there are no samples before the first call of act")
        return self.solution.stats


def spread(std: ArrayLike | None, action: Space) -> Array:
    """The standard deviation of the noise per component, ``(m,)``."""
    if std is None:
        free = [name for name, low, high in zip(action.names, action.low, action.high, strict=True)
                if not np.isfinite(high - low)]  # fmt: skip
        if free:
            raise SettingError(f"the action {', '.join(free)} has no bounds to take the noise from; give std")
        return (action.high - action.low) / 4.0
    given = numbers(std, "std")
    if given.shape not in ((), (action.size,)) or not (np.isfinite(given) & (given > 0.0)).all():
        raise SettingError(f"std is {std}; expected a positive number, or one for each of {', '.join(action.names)}")
    return np.broadcast_to(given, (action.size,)).copy()
