"""Receding horizon control: plan several steps ahead, execute the first one, plan again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..core.arrays import Array
from ..core.compiled import Compiled
from ..core.dynamics import Dynamics
from ..core.errors import ModelError, SettingError, ShapeError
from ..core.plan import Plan, PlanStatus
from ..core.results import Action, ActionStatus
from ..core.settings import Finite, by_name, instance, positive, setting, whole
from ..core.space import Space
from ..core.states import state_of
from ..core.streams import Rng, seeded
from ..core.task import Task, references_of
from ._growth import grown
from ._states import broken
from .solver import MAX_VIOLATION as MAX_VIOLATION
from .solver import Horizon as Horizon
from .solver import Proposal
from .solver import Solution as Solution
from .solver import Solver as Solver
from .solver import Stopwatch as Stopwatch
from .solver import shifted as shifted

Fallback = Literal["hold", "shift", "brake"]


class RecedingHorizon:
    """A controller that improves a plan at every tick and executes its first action.

    It contains everything that predictive controllers share: the clock, the plan and its shift by the elapsed time, the
    carry of the task's references, and the fallback after a failed solve. `MPPI` and `ILQR` combine it with a solver.

    It respects the bounds of the actions and the `constraint` of the task, but not the bounds of the state space, which
    are for planners, sampling and environments; if a plan must stay within them, add them to the task's constraint. If
    the robot has not `advanced` in its task for the task's `patience`, the status is STUCK with a reason, and the
    controller continues with the plan.

    Args:
        dynamics: model of the motion; the bounds of its action space are respected.
        task: costs and constraints; a traced task is mounted on the state by the names of the components it needs. The
            bounds of its action space are respected as well, so a task may limit the actions further.
        solver: the algorithm that improves the plan.
        horizon: number of steps of a plan, T.
        dt: duration of a step [s]; default: that of the task.
        fallback: policy if the solver fails or the state is NaN: "shift" continues the last plan while it lasts and
            then brakes, "hold" repeats the last action, "brake" uses the action `brake`. If these would violate
            the constraint from the current state more than the state itself does, "brake" replaces them.
        brake: the action that stops the vehicle, within its bounds. Default: the action after whose step the zero
            action (or the nearest within the bounds) keeps the state as constant as possible. This brakes a vehicle
            controlled by acceleration until it stands, and is zero for one that stands.
        max_violation: largest violation of the constraint in a plan that is used, in its units. A plan that violates it
            by less, such as one of a solver that had little time, has the status IMPROVED, and the reason tells.
        rng: seed or generator of the solver's random numbers.
        restart: whether each tick also solves from rest, the action `brake`, and continues with that plan where it is
            better by a thousandth of the cost: for solvers that only find the minimum near their first plan.

    Attributes:
        seed: seed that replays the controller, as `rng` or through `reset`.
        plan: actions ``(T, m)`` from now on.
        carry: memory of the task's references; see `pilotage.core.Task`.
        solution: solution of the last tick, or None.
        warm_start: a `Proposal`, such as a `pilotage.learning.NetworkPolicy`, or None. At every tick, the solver begins
            with its plan instead of the shifted one if it is better on the model: it violates the constraint less, or
            as little at a smaller cost.

    Example:
        >>> from pilotage.control import reach
        >>> from pilotage.control.sampling.mppi import PathIntegral
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
        max_violation: float = MAX_VIOLATION,
        rng: Rng = None,
        restart: bool = False,
    ) -> None:
        who, steps = type(self).__name__, whole(horizon, "horizon")
        mounted = _mounted(task, dynamics, who)
        if fallback not in ("hold", "shift", "brake"):
            raise SettingError(f"fallback is {fallback!r}; expected hold, shift or brake")
        action = _narrowed(dynamics.action, task.action)
        allowed = positive(max_violation, "max_violation", zero=True)
        self.problem = Horizon(dynamics, mounted, steps, _step_of(mounted, dt), action, allowed)
        self.solver, self.fallback, self._proposal = solver, fallback, None
        self.restart: bool = setting(restart, bool, "restart")
        self.brake, self._brakes = braking(brake, action), brake is None
        self.seed: int = int(rng.integers(2**63)) if isinstance(rng, np.random.Generator) else _seed(rng)
        self._workspace = solver.workspace(self.problem)
        anywhere = dynamics.state.identity()  # compiles what these call now rather than in a tick
        self._stopping(anywhere)
        rows, rest = np.zeros((steps + 1, mounted.stage.size)), np.tile(self.brake, (steps, 1))
        self.problem.violated(anywhere, self.brake, rows[:1])
        compiled = isinstance(dynamics, Compiled)
        xs = dynamics.rollout(anywhere, rest, self.problem.dt) if compiled else np.tile(anywhere, (steps + 1, 1))
        self.problem.worst(xs[1:], rest, rows[1:])
        self.reset()

    def __getstate__(self) -> dict[str, Any]:
        """All attributes but the workspace, which another process creates again."""
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

    @property
    def warm_start(self) -> Proposal | None:
        """The function that proposes plans, or None."""
        return self._proposal

    @warm_start.setter
    def warm_start(self, proposal: Proposal | None) -> None:
        tried = setting(proposal, Callable[..., Any] | None, "warm_start")
        p = self.problem  # compiles what it calls now rather than in a tick
        self._begin(tried, p.dynamics.state.identity(), self.plan, np.zeros((p.steps + 1, self.task.stage.size)))
        self._proposal = tried

    def reset(self, *, seed: int | None = None) -> None:
        """Discard the plan and restart the random numbers from `seed`; by default, the last episode is replayed."""
        if seed is not None:
            self.seed = _seed(seed)
        self.plan: Array = np.tile(self.brake, (self.problem.steps, 1))
        self.carry: Any = None
        self._mark: tuple[float, Array, Array] | None = None  # time, state and reference of the last progress
        self.solution: Solution | None = None
        self._state = self.solver.init(self.seed)
        self._last = self.brake
        self._clock: float | None = None
        self._used = 0.0  # steps of the plan that have passed since it was last improved
        self._passed = 0.0  # and since the solver last tried to

    def retarget(self, task: Task) -> None:
        """Continue with another task, from the current plan and carry. The bounds of the actions do not change.

        Raises:
            ModelError: if the references of the task have another dt, or it does not fit the dynamics.
        """
        p = self.problem
        mounted = _mounted(task, p.dynamics, type(self).__name__)
        problem = Horizon(p.dynamics, mounted, p.steps, _step_of(mounted, p.dt), p.action, p.max_violation)
        self._workspace, self.problem = self.solver.workspace(problem), problem

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action at time `t` [s]; default: one step after the last call. A belief is replaced by its mean.

        Raises:
            ShapeError: if the state has the wrong length; if it is NaN, the fallback is used instead.
            SettingError: if the time is not finite.
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
        begin = self._begin(self._proposal, x, self.plan, rows)
        self._state, found = self._improved(self._state, x, begin, rows, self._passed)
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

    def next_time(self, t: float | None = None) -> float:
        """The time [s] at which `act` acts if it is called with `t`; with None, one step after the last call."""
        if t is not None:
            return float(setting(t, Finite, "t"))
        return 0.0 if self._clock is None else self._clock + self.problem.dt

    def solve(self, belief_or_state: Any, t: float = 0.0, us: ArrayLike | None = None) -> Plan:
        """The plan from a state, as a separate episode that does not change the controller.

        Its status is SOLVED, BUDGET (usable, but the solver has not converged) or NO_PATH, with a `reason`.

        Args:
            belief_or_state: initial state.
            t: initial time [s], for references that depend on it.
            us: initial guess of the actions ``(T, m)``; default: the action `brake`, or the plan of `warm_start`.
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
        begin = self._begin(self._proposal, x, begin, rows) if us is None else begin
        _, found = self._improved(self.solver.init(self.seed), x, begin, rows, 0.0)
        solved, lost = found.status is ActionStatus.SOLVED, found.status is ActionStatus.FALLBACK
        if lost or (not solved and problem.violated(x, found.us[0], rows)):
            return Plan(PlanStatus.NO_PATH, reason=found.reason, stats=found.stats)
        xs = problem.dynamics.rollout(x, found.us, problem.dt) if found.xs is None else found.xs
        status = PlanStatus.SOLVED if solved else PlanStatus.BUDGET
        ts = t + problem.dt * np.arange(problem.steps + 1, dtype=np.float64)
        return Plan(status, space, xs, found.us, ts, found.cost, reason=found.reason, stats=found.stats)

    def _improved(self, state: Any, x: Array, us: Array, rows: Array, passed: float) -> tuple[Any, Solution]:
        """The answer of the solver; from a plan that was grown, if it has none because the states escape."""
        state, found = self._solved(state, x, us, rows, passed)
        if found.status is not ActionStatus.FALLBACK:
            return state, found
        first = grown(self.solver, self.problem, self.seed, x, us, rows)
        return (state, found) if first is None else self.solver.step(self._workspace, state, x, first, rows, 0.0)

    def _solved(self, state: Any, x: Array, us: Array, rows: Array, passed: float) -> tuple[Any, Solution]:
        """The state and the solution of the solver from a plan; with `restart`, those from rest if these are better."""
        solver, rest = self.solver, np.tile(self.brake, (len(us), 1))
        after, found = solver.step(self._workspace, state, x, us, rows, passed)
        if not self.restart or np.array_equal(us, rest):
            return after, found
        other, again = solver.step(self._workspace, solver.init(self.seed), x, rest, rows, 0.0)
        return (other, again) if again.beats(found, self.problem.max_violation) else (after, found)

    def _begin(self, proposal: Proposal | None, x: Array, us: Array, rows: Array) -> Array:
        """The better one of a plan and a proposed one, as the model judges them; one with NaN is not used."""
        if proposal is None:
            return us
        p = self.problem
        proposed = p.action.check(proposal(p, x, rows), "the plan of warm_start", finite=False)
        if proposed.shape != us.shape:
            raise ModelError(f"warm_start proposed a plan of shape {proposed.shape}; expected {us.shape}")
        if not np.isfinite(proposed).all():
            return us
        return p.better(x, np.stack([us, p.action.clip(proposed)]), rows)

    def _advance(self, t: float | None) -> float:
        """Shift the plan to the time `t`, with interpolation and its last action at the end; returns the time.

        If the clock goes back, another episode of the references begins.
        """
        now, dt, steps = self.next_time(t), self.problem.dt, self.problem.steps
        if self._clock is None:
            self._clock = now
            return now
        if now < self._clock:
            self.carry = None
        passed = max(now - self._clock, 0.0) / dt
        self._clock, self._used, self._passed = now, self._used + passed, self._passed + passed
        nothing_left = passed >= steps
        self.plan = np.tile(self.brake, (steps, 1)) if nothing_left else shifted(self.plan, passed)
        return now

    def _stuck(self, x: Array, rows: Array, now: float) -> str:
        """A sentence if the robot has made no progress for the patience of the task; else empty."""
        mark, self._mark = self._mark, (now, x, rows[0])
        if mark is None or now < mark[0] or self.task.advanced(x, rows[0], *mark[1:]):
            return ""
        self._mark, waited = mark, now - mark[0]
        if waited <= self.task.patience:
            return ""
        why = self.task.obstruction(x, rows)
        return f"the robot has made no progress for {waited:.0f} s{': ' if why else ''}{why}"

    def _stopping(self, x: Array) -> Array:
        """The action that stops the vehicle in the state `x` ``(n,)``; NaN in it counts as zero.

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
        return p.worst(np.array(xs[1:]), np.array(vs), rows[1:]) <= max(own, p.max_violation)

    def _executed(self, u: Array) -> None:
        """Note in the state of the solver that the fallback executed `u`; a solver that limits changes overrides it."""

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
            self.plan = np.tile(self.brake, (len(self.plan), 1))  # the solver starts over
        self._last = (self._stopping(x) if policy == "brake" else coming[0]).copy()
        self._executed(self._last)
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
    """The duration of a step; it must be that of the task if its references have one."""
    step = positive(task.dt if dt is None else dt, "dt")
    if step != task.dt and task.stage.size:
        raise ModelError(f"dt is {step}, but the references of the task are {task.dt} s apart; set its dt")
    return step


def _narrowed(action: Space, wanted: Space) -> Space:
    """An action space with the additional bounds of another one, for components of the same names."""
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
    """The action that stops the vehicle ``(m,)``; raises an error if it is given outside the bounds."""
    if brake is None:
        return action.clip(np.zeros(action.size))
    given = action.check(brake, "brake")
    if given.ndim != 1:
        raise SettingError(f"brake is one action ({action.size},); an array of shape {given.shape} was given")
    for name, value, low, high in zip(action.names, given, action.low, action.high, strict=True):
        if not low <= value <= high:
            raise SettingError(f"brake has {name} {value:g}, outside its bounds [{low:g}, {high:g}]")
    return action.clip(given)
