"""Predictive control by the gradient of the cost through the unrolled model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array
from ...core.dynamics import Dynamics
from ...core.results import ActionStatus
from ...core.settings import Count, Positive, by_name, settings
from ...core.task import Task
from ..receding import MAX_VIOLATION, Fallback, Horizon, RecedingHorizon, Solution, Stopwatch
from ._adjoint import Adjoint
from ._descent import OPTIMISERS, Optimiser

ROUNDS, HALVINGS, LOOSE = 12, 20, 1e-4
"""Solves of the augmented Lagrangian, halvings of a step in a line search, and tolerance of the first solves."""


@settings
class GradientDescent:
    """The solver of `GradientMPC`: its settings, and a step that leads a plan down the gradient of its cost.

    Example:
        >>> GradientDescent(optimiser="adam").iterations
        100
    """

    optimiser: Optimiser = "lbfgs"
    iterations: Count = 100
    rate: Positive = 0.02
    tolerance: Positive = 1e-8
    feasible: Positive = 1e-3
    weight: Positive = 10.0
    budget: Positive | None = None
    solves: Count = 1

    def workspace(self, problem: Horizon) -> Adjoint:
        """The machine code of the sweeps for a problem."""
        return Adjoint(problem)

    def init(self, seed: int) -> None:
        """None: the solver has no state and no randomness."""
        return

    def step(
        self, workspace: Adjoint, state: Any, x: Array, us: Array, rows: Array, passed: float
    ) -> tuple[Any, Solution]:
        """The plan at the end of the descent; each solve of the augmented Lagrangian starts from the last."""
        k, weight, before, worst = workspace.constraints, self.weight, np.inf, -np.inf
        multipliers, watch = np.zeros((len(us), k)), Stopwatch(self.budget, self.solves)
        left = watch.iterations(self.iterations)
        u, xs, J, why, loose = us, np.empty(0), np.inf, "", max(self.tolerance, LOOSE if k else 0.0)
        for _ in range(ROUNDS):
            u, why, spent = self._descend(workspace, x, u, (rows, multipliers, weight), loose, left)
            J, _, xs = workspace(x, u, rows, multipliers, weight)
            g = workspace.bounds[:, :k]
            worst = float(np.nan_to_num(g, nan=np.inf).max(initial=-np.inf))
            gap = float(np.abs(np.maximum(np.nan_to_num(g, nan=np.inf), -multipliers / weight)).max(initial=0.0))
            pressed = np.maximum(0.0, multipliers + weight * g)
            J -= float((pressed**2 - multipliers**2).sum()) / (2.0 * weight)  # the share of the constraint
            settled = gap <= self.feasible and loose <= self.tolerance  # as `violation` of iLQR judges
            why = why or ("" if settled else f"the constraint is {gap:.2g} from its multipliers after {ROUNDS} solves")
            if spent or settled or not np.isfinite(J):
                break
            loose = self.tolerance if gap <= self.feasible else loose
            multipliers = pressed
            weight, before = weight * (10.0 if gap > 0.25 * before else 1.0), gap
        return state, self._solution(workspace, x, us, rows, u, xs, J, why, worst, watch.reason)

    def _descend(
        self, workspace: Adjoint, x: Array, u: Array, stages: tuple[Array, Array, float], tolerance: float,
        left: Iterator[int],
    ) -> tuple[Array, str, bool]:  # fmt: skip
        """The plan, why the descent has not converged, if it has not, and whether the iterations are spent."""
        low, high = workspace.problem.limits
        direction = OPTIMISERS[self.optimiser](self.rate * np.tile(reach_of(low, high), (len(u), 1)))
        J, g, _ = workspace(x, u, *stages)
        if not np.isfinite(J):
            return u, "the plan has no finite cost", False
        best, expected = (J, u), np.inf
        for _ in left:
            free = np.where(((u <= low) & (g > 0.0)) | ((u >= high) & (g < 0.0)), 0.0, g)
            d = direction(u, free)
            expected = float(np.abs(free * d).sum())
            if expected <= tolerance * abs(J):
                return u, "", False
            for halving in range(HALVINGS if direction.searches else 1):
                v = np.clip(u + 0.5**halving * d, low, high)
                new, slope, _ = workspace(x, v, *stages)
                if not direction.searches or new <= J + 1e-4 * float((g * (v - u)).sum()):
                    u, J, g = v, new, slope
                    break
            else:
                return u, f"no step leads down any more; {missing(expected, J)}", False
            best = min(best, (J, u), key=lambda pair: pair[0])
        return best[1], f"the iterations are spent; {missing(expected, best[0])}", True

    def _solution(
        self, workspace: Adjoint, x: Array, us: Array, rows: Array, u: Array, xs: Array, J: float, why: str,
        worst: float, late: str,
    ) -> Solution:  # fmt: skip
        stats = {"violation": worst}
        if not np.isfinite(J):
            return Solution(us, J, ActionStatus.FALLBACK, "the plan has no finite cost", stats=stats)
        if worst > self.feasible:
            broken = f"the constraint is at {worst:.2g}; {late or f'stopped after {self.iterations} iterations'}"
            own = workspace.problem.worst(x[None], u[:1], rows[:1])
            if used := workspace.problem.tolerated(worst, own):
                return Solution(u, J, ActionStatus.IMPROVED, f"{used}; {broken}", xs, stats)
            return Solution(us, J, ActionStatus.FALLBACK, broken, stats=stats)
        why = f"{late}; {why}" if late and why else why
        return Solution(u, J, ActionStatus.IMPROVED if why else ActionStatus.SOLVED, why, xs, stats)


def missing(expected: float, J: float) -> str:
    """How far a descent is from its end: the decrease that the last step promised, and the cost."""
    return f"{expected:.2g} less was expected of a cost of {J:.4g}"


def reach_of(low: Array, high: Array) -> Array:
    """The range of each action, 1 where it has no bounds."""
    return np.where(np.isfinite(high - low), high - low, 1.0)


class GradientMPC(RecedingHorizon):
    """Predictive control by gradient descent through the unrolled model.

    ::

        dJ/du_t = lu + B' lambda_{t+1},   lambda_t = lx + F' lambda_{t+1},   lambda_T = Tx      the adjoint method
        u <- clip(u + a d)                                                    d by an optimiser, a by line search

    It needs only first derivatives, and so takes any `Dynamics`: traced models run as machine code, networks are
    differentiated automatically and simulators by differences, for all steps in one call of `linearize`. `ILQR`
    converges in fewer sweeps where the task has residuals; the gradient is cheaper for states of many numbers. The
    constraint of the task is handled by an augmented Lagrangian.

    Args:
        dynamics, task, horizon, dt, fallback, brake, max_violation: as for every `RecedingHorizon`; the task must be
            traced.
        optimiser: "adam", "cg" (nonlinear conjugate gradients of Polak and Ribiere) or "lbfgs". The last two search
            along lines.
        iterations: steps of the optimiser per tick, over all solves of the augmented Lagrangian. A plan that has not
            converged by then is used with status IMPROVED.
        rate: step of Adam, and first step of the others, as a share of the range of each action.
        tolerance: relative change of the cost that is expected of a step, at which the plan counts as converged.
        feasible: largest value of the constraint that counts as satisfied.
        weight: initial weight of violated constraints.
        budget: seconds of a decision. After the first, no iteration begins that would end later, if it takes as long as
            those before; the plan so far is used with status IMPROVED, and the reason tells.
        restart: whether each tick also solves from rest, and continues with that plan if it is better: a way out of a
            poor local minimum, such as a torque at its limit that holds a pendulum below. A tick takes twice as long or
            more, and each solve has half of the budget.

    Source: Bryson and Ho, "Applied optimal control" (1975), section 2.2; the optimisers: Kingma and Ba (2015), and
    Nocedal and Wright, "Numerical optimization" (2006), chapters 5 and 7.

    Example:
        >>> from pilotage.control import reach
        >>> from pilotage.models import unicycle
        >>> robot = unicycle()
        >>> drive = GradientMPC(robot, reach(robot, [2.0, 1.0, 0.0]), horizon=20)
        >>> drive.act([0.0, 0.0, 0.0]).u.shape
        (2,)
    """

    @by_name
    def __init__(
        self,
        dynamics: Dynamics,
        task: Task,
        *,
        horizon: int = 30,
        optimiser: Optimiser = "lbfgs",
        iterations: int = 100,
        rate: float = 0.02,
        tolerance: float = 1e-8,
        feasible: float = 1e-3,
        weight: float = 10.0,
        dt: float | None = None,
        fallback: Fallback = "shift",
        brake: ArrayLike | None = None,
        max_violation: float = MAX_VIOLATION,
        budget: float | None = None,
        restart: bool = False,
    ) -> None:
        solver = GradientDescent(optimiser, iterations, rate, tolerance, feasible, weight, budget, 2 if restart else 1)
        super().__init__(
            dynamics,
            task,
            solver,
            horizon=horizon,
            dt=dt,
            fallback=fallback,
            brake=brake,
            max_violation=max_violation,
            rng=0,
            restart=restart,
        )
