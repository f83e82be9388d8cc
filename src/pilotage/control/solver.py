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
from ..core.space import Space
from ..core.task import MAX_VIOLATION as MAX_VIOLATION
from ..core.task import Task

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
        max_violation: largest violation of the constraint in a plan that is used, in the units of the constraint.
    """

    dynamics: Dynamics
    task: Task
    steps: int
    dt: float
    action: Space
    max_violation: float = MAX_VIOLATION

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

    def tolerated(self, violation: float, own: float = -math.inf) -> str:
        """Why a plan is used that violates the constraint by so much from a state that does by `own`; else empty."""
        if violation <= self.max_violation:
            over = max(violation, 0.0)
            return f"the constraint is violated by {over:.2g}, within max_violation ({self.max_violation:g})"
        return "the state itself violates the constraint" if violation <= own < math.inf else ""

    def better(self, x: Array, plans: Array, rows: Array) -> Array:
        """The plan ``(T, m)`` among ``(K, T, m)`` with the smallest violation, then the smallest cost; NaN is infinite.

        Violations up to `max_violation` count as none; of equals, the first is chosen.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            xs = self.dynamics.rollout(np.tile(x, (len(plans), 1)), plans, self.dt)
        verdicts = [self.judged(*each, rows) for each in zip(xs, plans, strict=True)]
        return plans[verdicts.index(min(verdicts))]

    def judged(self, xs: Array, us: Array, rows: Array) -> tuple[float, float]:
        """Violation of states ``(T + 1, n)`` and actions, `max_violation` at least, and the cost; NaN is infinite."""
        task = self.task
        now, last = ((rows[:-1],), (rows[-1],)) if rows.shape[1] else ((), ())
        with np.errstate(invalid="ignore", over="ignore"):
            cost = float(np.sum(task.cost(xs[:-1], us, *now)) + task.terminal_cost(xs[-1], *last))
        return max(self.worst(xs[1:], us, rows[1:]), self.max_violation), math.inf if math.isnan(cost) else cost


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

    def beats(self, other: Solution, allowed: float = MAX_VIOLATION) -> bool:
        """Whether it is usable and violates the constraint less than another one, or as little and is cheaper.

        Violations up to `allowed` count as none, and so do savings up to `MARGIN`: a controller does not go to and fro
        between plans that cost the same.
        """
        if self.status is ActionStatus.FALLBACK or other.status is ActionStatus.FALLBACK:
            return self.status is not ActionStatus.FALLBACK
        mine, its = (max(allowed, float(np.nan_to_num(s.stats.get("violation", 0.0)))) for s in (self, other))
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


class Stopwatch:
    """The time of one solve of a decision, from now on.

    Args:
        budget: seconds of the decision; None for as many as it takes.
        solves: how many solves share them.

    Attributes:
        deadline: when the share of this solve ends, by `time.perf_counter`.
        share: seconds of this solve.
        cut: what was left undone, such as "2 of 4 iterations"; empty if nothing was.
    """

    def __init__(self, budget: float | None, solves: int = 1) -> None:
        self.budget, self.cut = budget, ""
        self.share: float = math.inf if budget is None else budget / solves
        self.deadline: float = math.inf if budget is None else time.perf_counter() + self.share

    @property
    def reason(self) -> str:
        """A sentence on what was left undone; empty if nothing was."""
        return f"the budget of {self.budget:g} s ended after {self.cut}" if self.cut else ""

    def iterations(self, most: int) -> Iterator[int]:
        """0, 1, ... below `most`, the next as long as it should end in time, like those before."""
        begun = 0.0 if self.budget is None else time.perf_counter()
        for k in range(most):
            if k and self.budget is not None and (now := time.perf_counter()) + (now - begun) / k > self.deadline:
                self.cut = self.cut or f"{k} of {most} iterations"
                return
            yield k

    def batches(self, total: int, first: int, what: str) -> Iterator[tuple[int, int]]:
        """Parts ``(start, stop)`` of so many equal pieces of work: all at once, or as many as end in time.

        The first part is small; each other one should take half of the time that is left, but for a tenth of all, like
        the pieces before. At least one part is done.
        """
        if self.budget is None:
            yield 0, total
            return
        begun, stop, size = time.perf_counter(), 0, first
        while stop < total and size > 0:
            start, stop = stop, min(stop + size, total)
            yield start, stop
            now = time.perf_counter()
            size = int(0.5 * (self.deadline - 0.1 * self.share - now) * stop / max(now - begun, 1e-9))
        if stop < total:
            self.cut = f"{stop} of {total} {what}"
