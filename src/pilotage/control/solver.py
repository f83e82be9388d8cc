"""The parts of a solver of predictive control: its problem, its solution, its protocol, and what solvers share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ..core.arrays import Array
from ..core.dynamics import Dynamics
from ..core.results import ActionStatus
from ..core.settings import Positive, setting
from ..core.space import Space
from ..core.task import Task

SLACK = 1e-4
"""What a solver may leave of a violation of the constraint, in a plan that counts as one that keeps it."""


MARGIN = 1e-3
"""The share of its cost that another plan has to save, to replace one."""


@dataclass(frozen=True, eq=False)
class Horizon:
    """An optimal control problem with a finite horizon, the input of a solver.

    Attributes:
        dynamics: model of the motion.
        task: costs and constraints, mounted on the state of the dynamics.
        steps: number of steps T.
        dt: duration of a step [s].
        action: the action space, with the bounds of dynamics and task.
    """

    dynamics: Dynamics
    task: Task
    steps: int
    dt: float
    action: Space

    @property
    def limits(self) -> Array:
        """The lowest and the highest action, ``(2, m)``."""
        return np.stack([self.action.low, self.action.high])

    def violated(self, x: Array, u: Array, rows: Array, feasible: float = 0.0) -> bool:
        """Whether the state itself violates the constraint, or that is NaN; a plan may still lead out."""
        with np.errstate(invalid="ignore", over="ignore"):
            g = np.asarray(self.task.constraint(x, u, *((rows[0],) if rows.shape[1] else ())))
        return not np.max(g, initial=-np.inf) <= feasible

    def worst(self, xs: Array, us: Array, rows: Array) -> float:
        """Largest value of the constraint in states ``(K, n)``, for K actions and references; infinite where NaN."""
        with np.errstate(invalid="ignore", over="ignore"):
            g = np.asarray(self.task.constraint(xs, us, *((rows,) if rows.shape[1] else ())))
        return float(np.nan_to_num(g, nan=np.inf).max(initial=-np.inf))

    def better(self, x: Array, plans: Array, rows: Array) -> Array:
        """The plan ``(T, m)`` among ``(K, T, m)`` with the smallest violation, then the smallest cost; NaN is infinite.

        Violations up to `SLACK` count as none; of equals, the first is chosen.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            xs = self.dynamics.rollout(np.tile(x, (len(plans), 1)), plans, self.dt)
        verdicts = [self.judged(*each, rows) for each in zip(xs, plans, strict=True)]
        return plans[verdicts.index(min(verdicts))]

    def judged(self, xs: Array, us: Array, rows: Array) -> tuple[float, float]:
        """The violation of states ``(T + 1, n)`` and actions, at least `SLACK`, and their cost; infinite where NaN."""
        task = self.task
        now, last = ((rows[:-1],), (rows[-1],)) if rows.shape[1] else ((), ())
        with np.errstate(invalid="ignore", over="ignore"):
            cost = float(np.sum(task.cost(xs[:-1], us, *now)) + task.terminal_cost(xs[-1], *last))
        return max(self.worst(xs[1:], us, rows[1:]), SLACK), math.inf if math.isnan(cost) else cost


@dataclass(frozen=True, eq=False)
class Solution:
    """The plan that a solver returns.

    Attributes:
        us: actions ``(T, m)``.
        cost: cost of the plan according to the solver.
        status: SOLVED, IMPROVED (usable, but the solver has not converged) or FALLBACK (not usable).
        reason: a sentence, empty if solved.
        xs: states ``(T + 1, n)``, or None if the solver does not compute them.
        stats: statistics of the solver.

    Example:
        >>> Solution(np.zeros((5, 2)), cost=3.5).status
        <ActionStatus.SOLVED: 'solved'>
    """

    us: Array
    cost: float = math.nan
    status: ActionStatus = ActionStatus.SOLVED
    reason: str = ""
    xs: Array | None = None
    stats: Mapping[str, Any] = field(default_factory=lambda: dict[str, Any]())

    def states_after(self, passed: float, us: Array, space: Space) -> Array | None:
        """The states ``(T + 1, n)`` after `passed` steps; the last is repeated. None if `us` is not this plan then."""
        T = len(us)
        if self.xs is None or passed >= T or not np.array_equal(shifted(self.us, passed), us):
            return None
        ahead = int(passed + 1e-6)
        i = np.minimum(np.arange(ahead, ahead + T + 1), T)
        xs = self.xs[i]
        if passed - ahead > 1e-6:
            xs = space.interpolate(xs, self.xs[np.minimum(i + 1, T)], passed - ahead)
        return xs

    def beats(self, other: Solution) -> bool:
        """Whether it is usable and violates the constraint less than another one, or as little and is cheaper.

        Violations up to `SLACK` count as none, and so do savings up to `MARGIN`: a controller does not go to and fro
        between plans that cost the same.
        """
        if self.status is ActionStatus.FALLBACK or other.status is ActionStatus.FALLBACK:
            return self.status is not ActionStatus.FALLBACK
        mine, its = (max(SLACK, float(np.nan_to_num(s.stats.get("violation", 0.0)))) for s in (self, other))
        return mine < its or (mine == its and self.cost < other.cost - MARGIN * abs(other.cost))


Proposal = Callable[[Horizon, Array, Array], ArrayLike]
"""A function of problem, state ``(n,)`` and references ``(T + 1, nr)`` that proposes actions ``(T, m)``."""


class Solver(Protocol):
    """The interface of an algorithm that improves plans; a frozen dataclass of its settings.

    The workspace holds compiled models and scratch memory, but no state that lasts from one step to the next; `init`
    and `step` are pure functions.
    """

    def workspace(self, problem: Horizon) -> Any:
        """The workspace of the solver for a problem; everything is compiled before it returns."""
        ...

    def init(self, seed: int) -> Any:
        """The state of the solver at the start of an episode."""
        ...

    def step(self, workspace: Any, state: Any, x: Array, us: Array, rows: Array, passed: float) -> tuple[Any, Solution]:
        """Improve a plan; returns the state for the next step, and the plan.

        Args:
            workspace: compiled models and memory, from `workspace`.
            state: state from the last step, or from `init`.
            x: state of the robot at which the plan starts ``(n,)``.
            us: the current plan ``(T, m)``, shifted to now.
            rows: references ``(T + 1, nr)``.
            passed: number of plan steps that have passed since the last call, not necessarily whole; 0 at first. A
                solver state that depends on time, such as multipliers of constraints, must be shifted by this number;
                none of it is left if `passed` is T or more.
        """
        ...


def shifted(plans: Array, passed: float) -> Array:
    """Plans ``(..., T, m)`` after so many steps, interpolated; the last action fills the end.

    Example:
        >>> shifted(np.array([[1.0], [2.0], [4.0]]), 0.5).T
        array([[1.5, 3. , 4. ]])
    """
    ahead, last = round(passed), plans.shape[-2] - 1
    at = np.minimum(np.arange(last + 1) + (ahead if abs(passed - ahead) < 1e-6 else passed), last)
    i = at.astype(np.int64)
    share = (at - i)[:, None]
    return (1.0 - share) * plans[..., i, :] + share * plans[..., np.minimum(i + 1, last), :]


def share_of(budget: float | None, restart: bool) -> float | None:
    """The seconds of a solve, of the seconds of a tick: half of them where a tick solves twice.

    Example:
        >>> share_of(0.02, True), share_of(0.02, False), share_of(None, True)
        (0.01, 0.02, None)
    """
    given = setting(budget, Positive | None, "budget")
    return given / 2.0 if given is not None and restart else given


def iterations_within(most: int, budget: float | None) -> Iterator[int]:
    """0, 1, ... below `most`, the next as long as it should end within `budget` seconds, like those before."""
    begun = time.perf_counter()
    for k in range(most):
        if k and budget is not None and (time.perf_counter() - begun) * (k + 1) > k * budget:
            return
        yield k
