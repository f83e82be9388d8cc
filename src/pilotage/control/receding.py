"""Receding horizon control: plan some steps ahead, do the first one, plan again."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ..core.arrays import Array
from ..core.dynamics import Dynamics
from ..core.errors import ModelError, SettingError, ShapeError
from ..core.plan import Plan, PlanStatus
from ..core.results import Action, ActionStatus
from ..core.settings import Finite, by_name, instance, positive, setting, whole
from ..core.space import Space
from ..core.states import state_of
from ..core.streams import Rng, seeded
from ..core.task import Task, references_of
from ._states import broken

Fallback = Literal["hold", "shift", "brake"]
SLACK = 1e-4
"""What a solver may leave of a violation of the constraint, in a plan that counts as one that keeps it."""


@dataclass(frozen=True, eq=False)
class Horizon:
    """An optimal control problem of some steps, as solvers are given it.

    Attributes:
        dynamics: how the state moves.
        task: what is to be achieved, mounted on the state of the dynamics.
        steps: decisions ahead, T.
        dt: seconds a step.
        action: the action space, within the bounds that dynamics and task set.
    """

    dynamics: Dynamics
    task: Task
    steps: int
    dt: float
    action: Space

    @property
    def limits(self) -> Array:
        """Lowest and highest action, ``(2, m)``."""
        return np.stack([self.action.low, self.action.high])

    def violated(self, x: Array, u: Array, rows: Array, feasible: float = 0.0) -> bool:
        """Whether the state itself violates the constraint: it cannot be kept then, but a plan may lead out of it."""
        with np.errstate(invalid="ignore", over="ignore"):
            g = np.asarray(self.task.constraint(x, u, *((rows[0],) if rows.shape[1] else ())))
        return bool(feasible < np.max(g, initial=-np.inf) < np.inf)

    def worst(self, xs: Array, us: Array, rows: Array) -> float:
        """Largest value of the constraint in states ``(K, n)``, for K actions and references; infinite where NaN."""
        with np.errstate(invalid="ignore", over="ignore"):
            g = np.asarray(self.task.constraint(xs, us, *((rows,) if rows.shape[1] else ())))
        return float(np.nan_to_num(g, nan=np.inf).max(initial=-np.inf))


@dataclass(frozen=True, eq=False)
class Solution:
    """A plan as a solver leaves it.

    Attributes:
        us: actions ``(T, m)``.
        cost: cost of the plan as the solver sees it.
        status: SOLVED, IMPROVED (usable, but the solver has not converged) or FALLBACK (not usable).
        reason: one sentence, empty when solved.
        xs: states ``(T + 1, n)``, or None when the solver does not know them.
        stats: what the solver counts.

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


class Solver(Protocol):
    """Settings of an algorithm that improves plans; a frozen dataclass.

    `workspace` holds the machine code of a problem's models and memory, and nothing that lasts from one step to the
    next; `init` and `step` are pure.
    """

    def workspace(self, problem: Horizon) -> Any:
        """A solver's working memory for this problem: everything is compiled when it returns."""
        ...

    def init(self, seed: int) -> Any:
        """The state of the solver at the start of an episode."""
        ...

    def step(self, workspace: Any, state: Any, x: Array, us: Array, rows: Array, passed: float) -> tuple[Any, Solution]:
        """Improve a plan; answer with the state for the next step, and the plan.

        Args:
            workspace: machine code and memory.
            state: what the last step answered, or `init`.
            x: where the plan starts ``(n,)``.
            us: the plan so far ``(T, m)``, shifted to now.
            rows: references ``(T + 1, nr)``.
            passed: steps of the plan that have passed since the last step, whole or not; 0 at the first. A state that
                belongs to times, such as multipliers of constraints, is shifted by so many; nothing of it is left
                where it is T or more.
        """
        ...


class RecedingHorizon:
    """A controller that improves a plan every tick and does its first action.

    It owns what all predictive controllers need: the clock, the plan and its shift by the time that has passed, the
    carry of the task's references, and the policy for a failed solve. `MPPI` and `ILQR` are made of it and a solver.
    It keeps the bounds of actions and the task's `constraint`. Bounds of the state space are for planners, sampling and
    environments: where a plan must stay within them, the task's constraint says so. Where a robot has not `advanced` in
    its task for the `patience` of that, the status is STUCK, with the reason; actions go on to be those of the plan.

    Args:
        dynamics: how the state moves; the bounds of its action space are kept.
        task: what is to be achieved; a traced task is mounted on the state by the names it needs. Bounds of its action
            space are kept, too: a task may ask for gentler driving than the vehicle could do.
        solver: improves the plan.
        horizon: steps of a plan, T.
        dt: seconds a step; default: that of the task.
        fallback: what is done when the solver fails or the state is NaN: "shift" goes on with the last plan while it
            lasts and then brakes, "hold" repeats the last action, "brake" takes the action `brake`. What would violate
            the constraint from the state at hand, more than that does itself, gives way to "brake".
        brake: the action that stops the vehicle, within its bounds; default: of all actions for one step, that after
            which the action of zeros, or what is nearest to it within the bounds, leaves the state most nearly where it
            is. It brakes a vehicle that is driven by acceleration until it stands, and is zero for one that stands.
        rng: seed or generator of the solver's random numbers.

    Attributes:
        seed: replays the controller, as `rng` or through `reset`.
        plan: actions ``(T, m)`` that are to come, the first of them now.
        carry: what the task's references remember; see `pilotage.core.Task`.
        solution: of the last tick, or None.

    Example:
        >>> from pilotage.control import reach
        >>> from pilotage.control.mppi import PathIntegral
        >>> from pilotage.models import unicycle
        >>> robot = unicycle()
        >>> drive = RecedingHorizon(robot, reach(robot, [2.0, 1.0, 0.0]), PathIntegral(samples=100), horizon=20, rng=0)
        >>> drive.act([0.0, 0.0, 0.0], t=0.0).plan.shape, drive.solve([0.0, 0.0, 0.0]).xs.shape
        ((20, 2), (21, 3))
    """

    @by_name
    def __init__(
        self,
        dynamics: Dynamics,
        task: Task,
        solver: Solver,
        *,
        horizon: int = 30,
        dt: float | None = None,
        fallback: Fallback = "shift",
        brake: ArrayLike | None = None,
        rng: Rng = None,
    ) -> None:
        who, steps = type(self).__name__, whole(horizon, "horizon")
        mounted = _mounted(task, dynamics, who)
        if fallback not in ("hold", "shift", "brake"):
            raise SettingError(f"fallback is {fallback!r}; expected hold, shift or brake")
        action = _narrowed(dynamics.action, task.action)
        self.problem = Horizon(dynamics, mounted, steps, _step_of(mounted, dt), action)
        self.solver, self.fallback = solver, fallback
        self.brake, self._brakes = braking(brake, action), brake is None
        self.seed: int = int(rng.integers(2**63)) if isinstance(rng, np.random.Generator) else _seed(rng)
        self._workspace = solver.workspace(self.problem)
        self._stopping(dynamics.state.identity())  # compiled here, and not when it is needed
        self.reset()

    def __getstate__(self) -> dict[str, Any]:
        """All but the workspace, which another process makes for itself."""
        return {name: value for name, value in vars(self).items() if name != "_workspace"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._workspace = self.solver.workspace(self.problem)

    def __repr__(self) -> str:
        p = self.problem
        return f"{type(self).__name__}({p.dynamics!r}, {p.task!r}, {p.steps} steps of {p.dt:g} s)"

    @property
    def task(self) -> Task:
        """The task, mounted on the state of the dynamics."""
        return self.problem.task

    def reset(self, *, seed: int | None = None) -> None:
        """Forget the plan and restart the random numbers: from `seed`, or so that the last episode is replayed."""
        if seed is not None:
            self.seed = _seed(seed)
        self.plan: Array = np.tile(self.brake, (self.problem.steps, 1))
        self.carry: Any = None
        self._mark: tuple[float, Array, Array] | None = None  # time, state and reference when it last got on
        self.solution: Solution | None = None
        self._state = self.solver.init(self.seed)
        self._last = self.brake
        self._clock: float | None = None
        self._used = 0.0  # steps of the plan that have passed since it was last improved
        self._passed = 0.0  # and since the solver last tried to

    def retarget(self, task: Task) -> None:
        """Go on with another task, from the plan and the carry at hand. Bounds of the action stay what they were.

        Raises:
            ModelError: when its references are of another dt, or it cannot be put to these dynamics.
        """
        p = self.problem
        mounted = _mounted(task, p.dynamics, type(self).__name__)
        problem = Horizon(p.dynamics, mounted, p.steps, _step_of(mounted, p.dt), p.action)
        self._workspace, self.problem = self.solver.workspace(problem), problem

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action at time `t` [s]; default: one step after the last call. Of a belief it takes the mean.

        Raises:
            ShapeError: on a state of the wrong length; one that is NaN leads to the fallback.
            SettingError: on a time that is not finite.
        """
        begun, space = time.perf_counter(), self.problem.dynamics.state
        x = state_of(belief_or_state, space, finite=False)
        now = self._advance(t)
        lost = broken(x, space)
        if lost:
            return self._fall_back(lost, x, begun)
        rows, self.carry = references_of(self.task, x, now, self.problem.steps, self.carry)
        done = self.task.done(x, rows[0]) if rows.shape[1] else self.task.done(x)
        if done and done == done:  # a verdict that is NaN is no verdict
            self._last = self._stopping(x)
            return Action(self._last.copy(), ActionStatus.DONE, solve_time=time.perf_counter() - begun)
        self._state, found = self.solver.step(self._workspace, self._state, x, self.plan, rows, self._passed)
        self._passed = 0.0
        self.solution = found
        if found.status is ActionStatus.FALLBACK:
            why = "; ".join(filter(None, (self._stuck(x, rows, now), found.reason)))
            return self._fall_back(why, x, begun, rows)
        self.plan, self._used, self._last = found.us, 0.0, found.us[0].copy()
        status, reason, stuck = found.status, found.reason, self._stuck(x, rows, now)
        if stuck:
            status, reason = ActionStatus.STUCK, "; ".join(filter(None, (stuck, reason)))
        spent = time.perf_counter() - begun
        return Action(self._last.copy(), status, found.us.copy(), found.cost, spent, reason)

    def solve(self, belief_or_state: Any, t: float = 0.0, us: ArrayLike | None = None) -> Plan:
        """The plan from a state, as an episode of its own that leaves the controller as it is.

        Its status is SOLVED, BUDGET (usable, but the solver has not converged) or NO_PATH; `reason` says why.

        Args:
            belief_or_state: where it starts.
            t: when, for references that depend on it [s].
            us: actions ``(T, m)`` to begin with; default: the action `brake`.
        """
        problem, space = self.problem, self.problem.dynamics.state
        if np.ndim(t):
            raise SettingError(f"t has shape {np.shape(t)}; expected a time. Give actions by name: solve(x, us=...)")
        t = setting(t, Finite, "t")
        x = state_of(belief_or_state, space, finite=False)
        begin = np.tile(self.brake, (problem.steps, 1)) if us is None else problem.action.check(us, "us")
        if begin.shape != (problem.steps, problem.action.size):
            raise ShapeError(f"us has shape {begin.shape}; expected ({problem.steps}, {problem.action.size})")
        if lost := broken(x, space):
            return Plan(PlanStatus.INVALID, reason=lost)
        rows, _ = references_of(self.task, x, t, problem.steps, None)
        begin = np.array(problem.action.clip(begin), order="C")
        _, found = self.solver.step(self._workspace, self.solver.init(self.seed), x, begin, rows, 0.0)
        solved, lost = found.status is ActionStatus.SOLVED, found.status is ActionStatus.FALLBACK
        if lost or (not solved and problem.violated(x, found.us[0], rows)):
            return Plan(PlanStatus.NO_PATH, reason=found.reason, stats=found.stats)
        xs = problem.dynamics.rollout(x, found.us, problem.dt) if found.xs is None else found.xs
        status = PlanStatus.SOLVED if solved else PlanStatus.BUDGET
        ts = t + problem.dt * np.arange(problem.steps + 1, dtype=np.float64)
        return Plan(status, space, xs, found.us, ts, found.cost, reason=found.reason, stats=found.stats)

    def _advance(self, t: float | None) -> float:
        """The time now; the plan is shifted to it, between steps by interpolation, and goes on with its last action.

        A clock that goes back begins another episode of the references.
        """
        t = None if t is None else setting(t, Finite, "t")
        dt, steps = self.problem.dt, self.problem.steps
        if self._clock is None:
            self._clock = 0.0 if t is None else float(t)
            return self._clock
        now = self._clock + dt if t is None else float(t)
        if now < self._clock:
            self.carry = None
        passed = max(now - self._clock, 0.0) / dt
        self._clock, self._used, self._passed = now, self._used + passed, self._passed + passed
        ahead = round(passed)
        if passed >= steps:  # nothing of the plan is left
            self.plan = np.tile(self.brake, (steps, 1))
        elif abs(passed - ahead) < 1e-6:
            after = self.plan[-1:].repeat(ahead, axis=0)
            self.plan = np.concatenate([self.plan[ahead:], after])
        else:
            index = np.arange(steps)
            self.plan = np.stack([np.interp(index + passed, index, u) for u in self.plan.T], -1)
        return now

    def _stuck(self, x: Array, rows: Array, now: float) -> str:
        """One sentence on a robot that has got nowhere for longer than the task has patience; else empty."""
        mark, self._mark = self._mark, (now, x, rows[0])
        if mark is None or now < mark[0] or self.task.advanced(x, rows[0], *mark[1:]):
            return ""
        self._mark, waited = mark, now - mark[0]
        if waited <= self.task.patience:
            return ""
        why = self.task.obstruction(x, rows)
        return f"the robot has got nowhere for {waited:.0f} s{': ' if why else ''}{why}"

    def _stopping(self, x: Array) -> Array:
        """The action that stops the vehicle in the state `x` ``(n,)``; what is not known of it counts as zero.

        ::

            d(u) = f(f(x, u), rest) (-) f(x, u),    u = clip(rest - D^+ d(rest)),    D = the differences of d by u
        """
        p, rest = self.problem, self.brake
        if not self._brakes:
            return rest
        space, h = p.dynamics.state, 1e-3
        x = space.normalize(np.where(np.isfinite(x), x, space.identity()))
        tried = rest + np.vstack([np.zeros(rest.size), h * np.eye(rest.size)])
        with np.errstate(all="ignore"):
            xs = p.dynamics.step(np.tile(x, (len(tried), 1)), tried, p.dt)
            d = space.minus(p.dynamics.step(xs, np.tile(rest, (len(tried), 1)), p.dt), xs)
        if not np.isfinite(d).all():
            return rest
        change = np.linalg.pinv((d[1:] - d[0]).T / h, rcond=1e-6) @ d[0]
        return p.action.clip(rest - change)

    def _kept(self, x: Array, us: Array, rows: Array) -> bool:
        """Whether the actions `us`, and braking after them, keep the constraint, or violate it no more than `x`."""
        p, xs, vs = self.problem, [x], list(us)
        for k in range(p.steps):
            vs += [self._stopping(xs[-1])] if k == len(vs) else []
            xs.append(p.dynamics.step(xs[-1], vs[k], p.dt))
        own = p.worst(x[None], vs[0][None], rows[:1])
        return p.worst(np.array(xs[1:]), np.array(vs), rows[1:]) <= max(own, SLACK)

    def _fall_back(self, why: str, x: Array, begun: float, rows: Array | None = None) -> Action:
        """The action of the policy; braking where that would violate the constraint. Of a lost state, none is known."""
        policy: str = self.fallback
        left = self.plan[: max(math.ceil(len(self.plan) - self._used - 1e-6), 0)]
        coming = {"hold": self._last[None], "shift": left, "brake": left[:0]}[policy]
        if policy != "brake" and not len(coming):
            policy, why = "brake", f"{why}; the last plan is used up"
        elif policy != "brake" and rows is not None and not self._kept(x, coming, rows):
            policy, why = "brake", f"{why}; to {policy} would violate it"
        if policy == "brake" and rows is not None:
            self.plan = np.tile(self.brake, (len(self.plan), 1))  # the solver begins anew
        self._last = (self._stopping(x) if policy == "brake" else coming[0]).copy()
        plan = self.plan.copy() if policy == "shift" else None
        spent = time.perf_counter() - begun
        reason = f"{why}; fell back to {policy}"
        return Action(self._last.copy(), ActionStatus.FALLBACK, plan, solve_time=spent, reason=reason)


def _seed(rng: Rng) -> int:
    found = seeded(rng)[1]
    assert found is not None, "only a running generator has no seed"
    return found


def _mounted(task: Any, dynamics: Any, who: str) -> Task:
    """The task on the state and action of these dynamics."""
    model = instance(dynamics, Dynamics, who)
    return instance(task, Task, who).on(model.state, model.action)


def _step_of(task: Task, dt: float | None) -> float:
    """Seconds a step, which are the task's own where its references are so far apart."""
    step = positive(task.dt if dt is None else dt, "dt")
    if step != task.dt and task.stage.size:
        raise ModelError(f"dt is {step}, but the references of the task are {task.dt} s apart; set its dt")
    return step


def _narrowed(action: Space, wanted: Space) -> Space:
    """An action space within the bounds of another one, too, where that has components of the same names."""
    if wanted.names != action.names:
        return action
    low, high = np.maximum(action.low, wanted.low), np.minimum(action.high, wanted.high)
    tighter = (low > action.low) | (high < action.high)
    for i in np.flatnonzero(low > high):
        raise ModelError(
            f"the task wants {action.names[i]} in [{wanted.low[i]:g}, {wanted.high[i]:g}], but the dynamics have it in "
            f"[{action.low[i]:g}, {action.high[i]:g}]"
        )
    return action.bounded({action.names[i]: (low[i], high[i]) for i in np.flatnonzero(tighter)})


def braking(brake: ArrayLike | None, action: Space) -> Array:
    """The action that stops the vehicle ``(m,)``; one that was given lies within the bounds, or is refused."""
    if brake is None:
        return action.clip(np.zeros(action.size))
    given = action.check(brake, "brake")
    if given.ndim != 1:
        raise SettingError(f"brake is one action ({action.size},); an array of shape {given.shape} was given")
    for name, value, low, high in zip(action.names, given, action.low, action.high, strict=True):
        if not low <= value <= high:
            raise SettingError(f"brake has {name} {value:g}, outside its bounds [{low:g}, {high:g}]")
    return action.clip(given)
