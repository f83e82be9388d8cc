"""Direct collocation: a whole manoeuvre of continuous dynamics as one sparse nonlinear program."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array
from ...core.compiled import Compiled
from ...core.errors import ModelError, SettingError, ShapeError
from ...core.plan import Plan, PlanStatus
from ...core.settings import Count, Natural, Positive, instance, number, positive, settings
from ...core.states import state_of
from ...core.task import Task
from ...models.trace.dynamics import TracedDynamics
from ._interior_point import Point, minimise
from ._transcription import Transcription


@settings
class DirectCollocation:
    """A planner of whole manoeuvres by direct collocation, with a fixed or a free duration.

    ::

        min_{x, u, T}  1/dt int_0^T cost(x, u) dt + terminal_cost(x(T))
        s.t.  dx/dt = f(x, u),   x(0) = start,   x(T) = goal where one is given
              constraint(x, u) <= 0,   bounds of states and actions

    States and actions at the points of a mesh are unknowns. Between two nodes, the rates are a polynomial through f at
    the points: of degree 2 (Hermite and Simpson) or 1 (trapezoidal). The nonlinear program is solved by an interior
    point method with exact second derivatives, from tracing, and sparse LU factors. Where the polynomial and f differ
    between the points by more than `accuracy`, the mesh is refined, and the program is solved again from there.

    The cost of a task is that of a step of `task.dt` seconds, so its integral is divided by it: the result tends to
    that of `ILQR` and `SQP` on short steps. A task that costs ``p.time * dt`` a step minimises the duration.

    Args:
        dynamics: traced dynamics given by their rates, on a state without rotations (angles are unwrapped).
        task: traced; without references.
        method: "hermite-simpson" (the error falls with the fourth power of the step) or "trapezoidal" (the second).
        intervals: number of intervals of the first mesh.
        accuracy: largest error of the states over an interval, relative to ``1 + max |x|``.
        refinements: how many times the mesh may be refined.
        iterations: largest number of iterations on each mesh.
        tolerance: largest residual of the optimality conditions.

    Raises:
        ModelError: for other dynamics and tasks.

    Source: Kelly, "An introduction to trajectory optimization", SIAM Review 59 (2017), sections 3 to 5 and 8.

    Example:
        >>> from pilotage.control import reach
        >>> from pilotage.models import double_integrator
        >>> cart = double_integrator(1, limits={"ax": (-1.0, 1.0)})
        >>> plan = DirectCollocation(cart, reach(cart, [1.0, 0.0])).solve([0.0, 0.0], goal=[1.0, 0.0], duration=3.0)
        >>> plan.ok, bool(abs(plan.xs[-1] - [1.0, 0.0]).max() < 1e-6)
        (True, True)
    """

    dynamics: TracedDynamics
    task: Task
    method: Literal["hermite-simpson", "trapezoidal"] = "hermite-simpson"
    intervals: Count = 25
    accuracy: Positive = 1e-4
    refinements: Natural = 3
    iterations: Count = 300
    tolerance: Positive = 1e-7

    def __post_init__(self) -> None:
        if not self.dynamics.continuous or not self.dynamics.state.flat:
            raise ModelError(f"DirectCollocation needs rates of reals and angles; {self.dynamics!r} has none")
        if not isinstance(self.task, Compiled) or self.task.stage.size:
            raise ModelError(f"DirectCollocation needs a traced task without references, not {self.task!r}")
        object.__setattr__(self, "task", self.task.on(self.dynamics.state, self.dynamics.action))

    def solve(
        self,
        start: Any,
        goal: ArrayLike | Mapping[str, float] | None = None,
        *,
        duration: float | tuple[float, float],
        guess: Plan | None = None,
    ) -> Plan:
        """The plan from a state or belief, with states at the nodes and the mean action of each interval.

        Its status is SOLVED, BUDGET (it keeps all constraints but is no minimum yet) or NO_PATH, with a reason. Its
        stats hold times, states and actions of all points (``ts``, ``xs``, ``us``), the number of intervals, the
        estimated ``error``, and the iterations and the residual of the nonlinear program.

        Args:
            start: initial state.
            goal: final state ``(n,)``, or values of some components by name; default: free.
            duration: seconds, or bounds of a free duration.
            guess: plan to begin with; default: a straight line to the goal, without action.
        """
        begun, x0 = time.perf_counter(), state_of(start, self.dynamics.state)
        wanted = x0 + self.dynamics.state.minus(self._goal(goal), x0)  # of an angle, the nearest turn
        bounds, mesh = _bounds(duration), np.linspace(0.0, 1.0, self.intervals + 1)
        program = Transcription(self.dynamics, self.task, self.method, mesh, x0, wanted, bounds)
        v, spent, left = self._guess(program, guess), 0, self.refinements
        while True:
            point = minimise(program, v, self.iterations, self.tolerance)
            spent, errors = spent + point.iterations, program.errors(point.v)
            if not left or not point.error <= self.tolerance or errors.max() <= self.accuracy:
                break
            left -= 1
            order = 4 if self.method == "hermite-simpson" else 2
            parts = np.clip(np.ceil((errors / self.accuracy) ** (1.0 / order)), 1, 4).astype(int)
            cuts = [np.linspace(a, b, n + 1)[:-1] for a, b, n in zip(mesh, mesh[1:], parts, strict=False)]
            mesh, before = np.concatenate([*cuts, [1.0]]), program
            program = Transcription(self.dynamics, self.task, self.method, mesh, x0, wanted, bounds)
            x, _, u = before.interpolated(point.v, program.taus)
            v = program.joined(x, u, before.split(point.v)[3])
        stats = {"iterations": spent, "error": float(errors.max()), "intervals": len(mesh) - 1}
        return self._plan(program, point, stats, time.perf_counter() - begun)

    def _goal(self, goal: ArrayLike | Mapping[str, float] | None) -> Array:
        """The final state, NaN where it is free."""
        space = self.dynamics.state
        wanted = np.full(space.size, np.nan)
        if isinstance(goal, Mapping):
            for name, value in goal.items():
                wanted[space.index(name)] = number(value, f"goal of {name}")
        elif goal is not None:
            wanted = space.check(goal, "goal")
        return wanted

    def _guess(self, program: Transcription, guess: Plan | None) -> Array:
        """Variables to begin with: the plan given, or a straight line and no action."""
        low, high = program.duration
        taus, P = program.taus, program.P
        if guess is None:
            end = np.where(np.isnan(program.goal), program.x0, program.goal)
            xs = program.x0 + taus[:, None] * (end - program.x0)
            return program.joined(xs, np.tile(self.dynamics.action.clip(np.zeros(program.m)), (P, 1)), (low + high) / 2)
        instance(guess, Plan, "guess")
        if guess.xs is None or guess.us is None or guess.ts is None or guess.xs.shape[1] != program.d:
            raise ShapeError("the guess has no states, actions and times of these dynamics; expected a Plan that does")
        ts = (guess.ts - guess.ts[0]) / (guess.ts[-1] - guess.ts[0])
        us = np.concatenate([guess.us, guess.us[-1:]])
        steps = self.dynamics.state.minus(guess.xs[1:], guess.xs[:-1])
        path = np.concatenate([guess.xs[:1], guess.xs[:1] + np.cumsum(steps, 0)])
        xs = np.stack([np.interp(taus, ts, x) for x in path.T], -1)
        us = np.stack([np.interp(taus, ts, u) for u in us.T], -1)
        return program.joined(xs, us, float(np.clip(guess.ts[-1] - guess.ts[0], low, high)))

    def _plan(self, program: Transcription, point: Point, stats: dict[str, Any], seconds: float) -> Plan:
        """The plan of the last program, with its verdict."""
        xs, us, _, T = program.split(point.v)
        f, c = program.values(point.v)
        stats = {**stats, "seconds": seconds, "violation": point.violation, "residual": point.error}
        if not np.isfinite(f) or not point.violation <= 1e-5:
            return Plan(PlanStatus.NO_PATH, reason=self._why(program, c), stats=stats)
        status, reason = PlanStatus.SOLVED, ""
        if point.error > self.tolerance:
            status, reason = PlanStatus.BUDGET, f"it keeps all constraints, but the residual is {point.error:.2g} still"
        elif stats["error"] > self.accuracy:
            status = PlanStatus.BUDGET
            reason = f"the error over an interval is {stats['error']:.2g} still; allow more intervals or refinements"
        step = 1 if len(program.mesh) == program.P else 2
        mean = (us[:-1] + us[1:]) / 2 if step == 1 else (us[:-1:2] + 4.0 * us[1::2] + us[2::2]) / 6
        stats |= {"ts": T * program.taus, "xs": xs, "us": us}
        space = self.dynamics.state
        return Plan(status, space, space.normalize(xs[::step]), mean, T * program.mesh, f, reason=reason, stats=stats)

    def _why(self, program: Transcription, c: Array) -> str:
        """The sentence for a program whose constraints are violated."""
        if not np.isfinite(c).all():
            return "the model is not finite along the guess; give another one (guess)"
        rows, worst = program.weights.shape[0], int(np.abs(c).argmax())
        ends = rows + len(program.fixed)
        what = "the dynamics" if worst < rows else "start and goal" if worst < ends else "the constraint of the task"
        return (
            f"no plan meets all constraints: {what} is off by {np.abs(c).max():.2g}; allow more time, or begin with "
            "another plan (guess)"
        )


def _bounds(duration: Any) -> tuple[float, float]:
    """The bounds of the duration."""
    low, high = duration if np.ndim(duration) else (duration, duration)
    low, high = positive(low, "duration"), positive(high, "duration")
    if low > high:
        raise SettingError(f"duration is from {low:g} to {high:g} s; expected the shorter one first")
    return low, high
