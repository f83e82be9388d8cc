"""Direct collocation: a whole manoeuvre of continuous dynamics as one sparse nonlinear program."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from ...core.arrays import Array
from ...core.compiled import Compiled
from ...core.errors import ModelError, SettingError, ShapeError
from ...core.plan import Plan, PlanStatus
from ...core.settings import Count, Natural, Positive, instance, number, positive, settings
from ...core.states import state_of
from ...core.task import Task
from ...models.trace import ParameterMemory, call, code_of, driver
from ...models.trace.dynamics import TracedDynamics
from ._interior_point import Point, minimise

SMALL = 2.0**-10
"""Seconds of an Euler step that gives the rates: short, so that no angle wraps."""
GAUSS = 0.5 - np.sqrt(1.0 / 12.0)


@driver("void(i8, f8[:,::1], f8[:,::1], f8[:,::1], f8[::1], f8[:,::1])")
def each(address: int, xs: Any, us: Any, cs: Any, p: Any, out: Any) -> None:
    """Results of a model's machine code for each row of its inputs."""
    for i in range(xs.shape[0]):
        call(address, xs[i], us[i], cs[i], p, out[i])


class Evaluated:
    """Results of a traced model at many points, by its machine code."""

    def __init__(self, model: Any, dt: float | None = None) -> None:
        self._model, self._memory, self._run = model, ParameterMemory(model, dt), each.compiled
        self._codes: dict[str, Any] = {}

    def __call__(self, results: str, xs: Array, us: Array, cs: Array) -> list[Array]:
        """One array ``(P, ...)`` for each of the results."""
        if results not in self._codes:
            self._codes[results] = code_of(self._model, results)
        code = self._codes[results]
        out = np.empty((len(xs), code.size))
        self._memory.refresh()
        self._run(code.address, np.ascontiguousarray(xs), np.ascontiguousarray(us), cs, self._memory.vector, out)
        first = code.offsets
        return [out[:, first[r] : first[r] + int(np.prod(s))].reshape(len(xs), *s) for r, s in code.shapes.items()]


class Transcription:
    """The nonlinear program of a mesh; see `DirectCollocation`. Its variables: points (x, u), slacks of g, duration.

    ::

        points      the nodes, and with Hermite and Simpson the middles of the intervals
        A x - T W f(x, u) = 0,    q: weights of the quadrature         constant matrices of the mesh and the method
    """

    def __init__(
        self, plan: DirectCollocation, mesh: Array, x0: Array, goal: Array, duration: tuple[float, float]
    ) -> None:
        dynamics, task = plan.dynamics, plan.task
        self.mesh, self.duration, self.free = mesh, duration, duration[0] < duration[1]
        self.state, self.d, self.m = dynamics.state, dynamics.state.size, dynamics.action.size
        self.rates, self.costs, self.dt = Evaluated(dynamics._with(rule="euler")), Evaluated(task), task.dt
        self.taus, self.A, self.W, self.q = MATRICES[plan.method](mesh)
        P, d, m = len(self.taus), self.d, self.m
        self.P, self.k = P, task.constraints
        self.x0, self.goal = x0, goal
        wanted = np.flatnonzero(np.isfinite(goal))
        ends = sp.lil_matrix((d + len(wanted), P * (d + m)))
        for row, column in enumerate([*range(d), *((P - 1) * (d + m) + wanted)]):
            ends[row, column] = 1.0
        self.ends, self.fixed = ends.tocsr(), np.concatenate([x0, goal[wanted]])
        self.linear = sp.kron(self.A, sp.eye(d, d + m)).tocsr()
        self.weights = sp.kron(self.W, sp.eye(d)).tocsr()
        low = np.tile(np.concatenate([dynamics.state.low, dynamics.action.low]), (P, 1))
        high = np.tile(np.concatenate([dynamics.state.high, dynamics.action.high]), (P, 1))
        turns = np.abs(np.diag(self.state.minus(x0 + 2.0 * np.pi * np.eye(d), x0))) < 1.0  # angles, which have no ends
        low[:, :d][:, turns], high[:, :d][:, turns] = -np.inf, np.inf
        low[0, :d], high[0, :d] = -np.inf, np.inf
        last, extra = int(self.free), self.k * (P - 1)
        self.low = np.concatenate([low.ravel(), np.zeros(extra), [duration[0]] * last])
        self.high = np.concatenate([high.ravel(), np.full(extra, np.inf), [duration[1]] * last])
        i, j = np.meshgrid(np.arange(d + m), np.arange(d + m), indexing="ij")
        self._block = (
            (i.ravel() + (d + m) * np.arange(P)[:, None]).ravel(),
            (j.ravel() + (d + m) * np.arange(P)[:, None]).ravel(),
        )

    def split(self, v: Array) -> tuple[Array, Array, Array, float]:
        """States, actions, slacks and duration."""
        n = self.P * (self.d + self.m)
        points = v[:n].reshape(self.P, -1)
        slacks = v[n : n + self.k * (self.P - 1)].reshape(self.P - 1, self.k)
        return points[:, : self.d], points[:, self.d :], slacks, float(v[-1]) if self.free else self.duration[0]

    def joined(self, xs: Array, us: Array, T: float) -> Array:
        """Variables with slacks that keep the constraint where it is kept."""
        g = self._costs("g", xs[1:], us[1:])[0] if self.k else np.zeros((self.P - 1, 0))
        return np.concatenate([np.hstack([xs, us]).ravel(), np.maximum(-g, 0.1).ravel(), [T] * int(self.free)])

    def f(self, xs: Array, us: Array) -> Array:
        """Rates ``(P, d)``."""
        y = self.rates("y", xs, us, np.full((len(xs), 1), SMALL))[0]
        return self.state.minus(y, xs) / SMALL

    def _costs(self, results: str, xs: Array, us: Array, weights: Array | None = None) -> list[Array]:
        return self.costs(results, xs, us, np.zeros((len(xs), 0)) if weights is None else weights)

    def values(self, v: Array) -> tuple[float, Array]:
        xs, us, slacks, T = self.split(v)
        cost = T / self.dt * self.q @ self._costs("l", xs, us)[0]
        cost += self._costs("T", xs[-1:], us[-1:])[0][0]
        parts = [self.A @ xs - T * (self.W @ self.f(xs, us)), self.ends @ v[: self.ends.shape[1]] - self.fixed]
        if self.k:
            parts.append(self._costs("g", xs[1:], us[1:])[0] + slacks)
        return float(cost), np.concatenate([p.ravel() for p in parts])

    def slopes(self, v: Array) -> tuple[Array, Any]:
        xs, us, _, T = self.split(v)
        P, d, m, k = self.P, self.d, self.m, self.k
        F, B = self.rates("F B", xs, us, np.ones((P, 1)))
        D = _diagonal(np.concatenate([F - np.eye(d), B], 2))
        J = self.linear - T * self.weights @ D
        l, lx, lu = self._costs("l lx lu", xs, us)
        grad = T / self.dt * self.q[:, None] * np.hstack([lx, lu])
        grad[-1, :d] += self._costs("Tx", xs[-1:], us[-1:])[0][0]
        slack, column = np.zeros(k * (P - 1)), []
        if self.free:
            column, by_T = [sp.csr_matrix(-(self.W @ self.f(xs, us)).reshape(-1, 1))], [self.q @ l / self.dt]
        rows: list[list[Any]] = [[J, None, *column], [self.ends, None, *[None for _ in column]]]
        if k:
            gx, gu = self._costs("gx gu", xs[1:], us[1:])
            G = sp.hstack([sp.csr_matrix((k * (P - 1), d + m)), _diagonal(np.concatenate([gx, gu], 2))])
            rows.append([G, sp.eye(k * (P - 1)), *[None for _ in column]])
        else:
            rows = [[row[0], *row[2:]] for row in rows]
        return np.concatenate([grad.ravel(), slack, by_T if self.free else []]), sp.bmat(rows, format="csr")

    def hessian(self, v: Array, y: Array) -> Any:
        xs, us, _, T = self.split(v)
        P, d, m, k = self.P, self.d, self.m, self.k
        held, n = self.weights.T @ y[: self.weights.shape[0]], P * (d + m)
        H = np.zeros((P, d + m, d + m))

        def add(xx: Array, xu: Array, uu: Array, scale: Any = 1.0, first: int = 0) -> None:
            H[first:, :d, :d] += scale * xx
            H[first:, :d, d:] += scale * xu
            H[first:, d:, :d] += scale * xu.transpose(0, 2, 1)
            H[first:, d:, d:] += scale * uu

        add(*self._costs("lxx lxu luu", xs, us), scale=(T / self.dt * self.q)[:, None, None])
        add(*self.rates("yxx yxu yuu", xs, us, np.hstack([np.ones((P, 1)), -T * held.reshape(P, d)])))
        H[-1, :d, :d] += self._costs("Txx", xs[-1:], us[-1:])[0][0]
        if k:
            price = np.ascontiguousarray(y[-k * (P - 1) :].reshape(P - 1, k))
            add(*self._costs("gxx gxu guu", xs[1:], us[1:], price), first=1)
        size = len(v)
        rows, columns, entries = [*self._block, H.ravel()]
        if self.free:
            F, B = self.rates("F B", xs, us, np.ones((P, 1)))
            _, lx, lu = self._costs("l lx lu", xs, us)
            cross = self.q[:, None] / self.dt * np.hstack([lx, lu])
            cross -= np.einsum("pi,pij->pj", held.reshape(P, d), np.concatenate([F - np.eye(d), B], 2))
            at, end = np.arange(n), np.full(n, size - 1)
            rows, columns = np.concatenate([rows, at, end]), np.concatenate([columns, end, at])
            entries = np.concatenate([entries, cross.ravel(), cross.ravel()])
        return sp.csr_matrix((entries, (rows, columns)), shape=(size, size))

    def interpolated(self, v: Array, taus: Array) -> tuple[Array, Array, Array]:
        """States, their rates and actions at fractions of the duration, by the polynomials of the method.

        The rates are a polynomial through those at the points, whose integral is the state; so are the actions.
        """
        xs, us, _, T = self.split(v)
        f, step = self.f(xs, us), 1 if len(self.taus) == len(self.mesh) else 2
        i = np.clip(np.searchsorted(self.mesh, taus, side="right") - 1, 0, len(self.mesh) - 2)
        h, first = np.diff(self.mesh)[i][:, None], step * i
        s = (taus[:, None] - self.mesh[i][:, None]) / h
        if step == 1:
            rate, u = f[first] + s * (f[first + 1] - f[first]), us[first] + s * (us[first + 1] - us[first])
            return xs[first] + T * h * (s * f[first] + s * s / 2 * (f[first + 1] - f[first])), rate, u
        a, b, c = 1 - 3 * s + 2 * s * s, 4 * s - 4 * s * s, 2 * s * s - s
        A, B, C = s - 1.5 * s**2 + 2 / 3 * s**3, 2 * s**2 - 4 / 3 * s**3, 2 / 3 * s**3 - s**2 / 2
        parts = [p[first + j] for p in (f, us) for j in range(3)]
        x = xs[first] + T * h * (A * parts[0] + B * parts[1] + C * parts[2])
        return x, a * parts[0] + b * parts[1] + c * parts[2], a * parts[3] + b * parts[4] + c * parts[5]

    def errors(self, v: Array) -> Array:
        """An estimate of the error of the states over each interval: ``T h |dx/dt - f(x, u)|`` between the points."""
        xs, _, _, T = self.split(v)
        h, scale, worst = np.diff(self.mesh), 1.0 + np.abs(xs).max(0), np.zeros(len(self.mesh) - 1)
        for s in (GAUSS, 1.0 - GAUSS):
            x, rate, u = self.interpolated(v, self.mesh[:-1] + s * h)
            worst = np.maximum(worst, (np.abs(rate - self.f(x, u)) / scale).max(1) * T * h)
        return worst


def _diagonal(blocks: Array) -> Any:
    """The block diagonal matrix of ``(P, r, c)``."""
    P, r, c = blocks.shape
    rows = np.repeat(np.arange(P * r), c)
    columns = (np.arange(c) + c * np.arange(P)[:, None, None] + np.zeros((1, r, 1), int)).ravel()
    return sp.csr_matrix((blocks.ravel(), (rows, columns)), shape=(P * r, P * c))


def _trapezoidal(mesh: Array) -> tuple[Array, Any, Any, Array]:
    """``x_{k+1} - x_k = h / 2 (f_k + f_{k+1})``."""
    K, h = len(mesh) - 1, np.diff(mesh)
    here, there = sp.eye(K, K + 1), sp.eye(K, K + 1, 1)
    q = np.concatenate([h, [0.0]]) / 2 + np.concatenate([[0.0], h]) / 2
    return mesh, (there - here).tocsr(), (sp.diags(h / 2) @ (here + there)).tocsr(), q


def _hermite_simpson(mesh: Array) -> tuple[Array, Any, Any, Array]:
    """``x_{k+1} - x_k = h / 6 (f_k + 4 f_m + f_{k+1})`` and ``x_m = (x_k + x_{k+1}) / 2 + h / 8 (f_k - f_{k+1})``."""
    K, h = len(mesh) - 1, np.diff(mesh)
    taus = np.sort(np.concatenate([mesh, mesh[:-1] + h / 2]))
    here, middle, there = (
        sp.csr_matrix((np.ones(K), (np.arange(K), 2 * np.arange(K) + i)), shape=(K, 2 * K + 1)) for i in range(3)
    )
    A = sp.vstack([there - here, middle - (here + there) / 2]).tocsr()
    W = sp.vstack([sp.diags(h / 6) @ (here + 4 * middle + there), sp.diags(h / 8) @ (here - there)]).tocsr()
    q = np.asarray((sp.diags(h / 6) @ (here + 4 * middle + there)).sum(0)).ravel()
    return taus, A, W, q


MATRICES = {"hermite-simpson": _hermite_simpson, "trapezoidal": _trapezoidal}


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
        program = Transcription(self, mesh, x0, wanted, bounds)
        v, spent = self._guess(program, guess), 0
        for round in range(self.refinements + 1):
            point = minimise(program, v, self.iterations, self.tolerance)
            spent, errors = spent + point.iterations, program.errors(point.v)
            if round == self.refinements or not point.error <= self.tolerance or errors.max() <= self.accuracy:
                break
            order = 4 if self.method == "hermite-simpson" else 2
            parts = np.clip(np.ceil((errors / self.accuracy) ** (1.0 / order)), 1, 4).astype(int)
            cuts = [np.linspace(a, b, n + 1)[:-1] for a, b, n in zip(mesh, mesh[1:], parts, strict=False)]
            mesh, before = np.concatenate([*cuts, [1.0]]), program
            program = Transcription(self, mesh, x0, wanted, bounds)
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
