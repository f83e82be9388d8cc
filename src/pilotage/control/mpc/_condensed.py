"""The solver of linear predictive control: a dense quadratic program in the actions, at every tick."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import Array
from ...core.errors import ModelError
from ...core.results import ActionStatus
from ...core.settings import Fraction, Positive, settings
from ..receding import Horizon, Solution, Stopwatch
from ._methods import Method
from ._prediction import Affine
from ._tracking import Tracking
from .program import QPSolution, QPStatus, QuadraticProgram

PRICE = 1e3
"""Price of a unit beyond a hard bound, in weights of a deviation: bounds come first within 500 units of a goal."""


@dataclass(frozen=True, eq=False)
class Memory:
    """The state of the solver: the working set, the last action, the disturbance, and the state it predicted."""

    warm: Any = None
    last: Array | None = None
    disturbance: Array | None = None
    expected: Array | None = None


@settings
class CondensedQP:
    """The solver of `LinearMPC`: the dense quadratic program in the actions of the horizon.

    Attributes:
        rows: matrix C ``(k, d)``, lower and upper bounds, weights of violations and names of the bounded states.
        rates: lowest and highest change of the actions in a step ``(2, m)``, and weights ``(m,)``.
    """

    rows: Any
    rates: Any
    relinearize: bool = False
    offset_free: Fraction = 0.0
    method: str = "auto"
    tolerance: float = 1e-8
    budget: Positive | None = None

    def workspace(self, problem: Horizon) -> Prediction:
        """The quadratic program for a problem, with all that does not change factored."""
        return Prediction(problem, self)

    def init(self, seed: int) -> Memory:
        """The state without a last tick."""
        return Memory()

    def step(
        self, workspace: Prediction, state: Memory, x: Array, us: Array, rows: Array, passed: float
    ) -> tuple[Memory, Solution]:
        """The plan that minimises the cost, or the reason why there is none."""
        watch = Stopwatch(self.budget)
        state, method = workspace.observed(state, x, passed), workspace.at(x, us)
        method.warm, method.deadline = workspace.shifted(state.warm, passed), watch.deadline
        theta = workspace.theta(state, x, rows)
        found = method.run(theta)
        reason, warm = found.reason, method.warm
        if found.status is QPStatus.INFEASIBLE:
            reason, warm = workspace.why(found.rows, found.certificate), None
            found = workspace.elastic(method, theta) if workspace.outside(x, us, rows) else found
            reason = f"the state itself violates a bound; {reason}; the plan leads back" if found.ok else reason
        late = found.status is QPStatus.LIMIT and method.late()
        reason = f"the budget of {self.budget:g} s ended; {reason}" if late else reason
        stats = {
            "iterations": found.iterations, "primal_residual": found.primal_residual,
            "dual_residual": found.dual_residual, "gap": found.gap,
        }  # fmt: skip
        if not found.ok and not (
            found.status is QPStatus.LIMIT and found.primal_residual <= workspace.problem.max_violation
        ):
            lost = Solution(us, status=ActionStatus.FALLBACK, reason=reason, stats=stats)
            return replace(state, warm=warm if late else None, expected=None), lost
        plan = workspace.actions(found.z)
        state = replace(state, warm=warm, expected=workspace.next_state(state, x, plan[0]))
        status = ActionStatus.IMPROVED if reason else ActionStatus.SOLVED
        return state, Solution(plan, workspace.cost(theta, x, rows) + found.cost, status, reason, stats=stats)


class Prediction:
    """The quadratic program of a problem: built once at the goal, or at every tick along the plan."""

    def __init__(self, problem: Horizon, settings: CondensedQP) -> None:
        task = problem.task
        if not isinstance(task, Tracking):
            raise ModelError(
                "the program of LinearMPC is that of its own goal; make another LinearMPC for another task"
            )
        self.problem, self.settings, self.task = problem, settings, task
        space, (self.C, low, high, soft, names) = problem.dynamics.state, settings.rows
        self.d, self.m, T = space.dim, problem.action.size, problem.steps
        self.bounds = np.stack([low, high])
        rates, rate_soft = settings.rates
        self._limited = bool(np.isfinite(rates).any())
        hard = np.full(self.m, np.inf)
        parts = [(problem.limits, hard)] + ([(rates, rate_soft)] if self._limited else []) + [(self.bounds, soft)]
        self._bounds = np.concatenate([each for each, _ in parts], axis=1)
        self._soft = np.tile(np.concatenate([each for _, each in parts]), (T, 1))
        actions = problem.action.names
        self._names = [*actions, *(f"the change of {name}" for name in actions if self._limited), *names]
        self._kept = np.flatnonzero(np.isfinite(self._bounds).any(axis=0))
        self.back_off = np.zeros((T, len(self._names)))
        self._nominal = np.tile(task.ug, (T, 1))
        self.F, self.B, self._drift = self._linear(task.goal, task.ug)
        self._target, self._spans = self._steady(), self._places()
        self.method: Method | None = None
        self._elastic: tuple[Method, Method] | None = None
        if not settings.relinearize:
            F, B = (np.tile(each, (T, 1, 1)) for each in (self.F, self.B))
            self.method = self._build(F, B, self._drift[None], None)

    def _linear(self, x: Array, u: Array) -> tuple[Array, Array, Array]:
        p = self.problem
        F, B = p.dynamics.linearize(x, u, p.dt)
        return F, B, p.dynamics.state.minus(p.dynamics.step(x, u, p.dt), x)

    def _steady(self) -> Array:
        """Steady deviations ``(d + m, d)`` of states and actions per disturbance: ``(F - 1) d + B v + w = 0``."""
        d, m, small = self.d, self.m, 1e-6
        G = np.concatenate([self.F - np.eye(d), self.B], axis=1)
        W = np.zeros((d + m, d + m))
        W[:d, :d], W[d:, d:] = self.task.Q, small * self.task.R
        K = np.block([[W, G.T], [G, np.zeros((d, d))]])
        right = np.concatenate([np.zeros((d + m, d)), -np.eye(d)])
        return np.asarray(np.linalg.lstsq(K, right, rcond=1e-12)[0][: d + m], dtype=np.float64)

    def _places(self) -> dict[str, slice]:
        """The places of the parameters in ``[1, theta]``."""
        sizes = {
            "one": 1,
            "state": self.d,
            "reference": self.problem.steps * self.d if self.task.stage.size else 0,
            "last": self.m if self._limited else 0,
            "disturbance": self.d if self.settings.offset_free else 0,
        }
        ends = np.cumsum(list(sizes.values())).tolist()
        return {name: slice(end - size, end) for (name, size), end in zip(sizes.items(), ends, strict=True)}

    def _build(self, F: Array, B: Array, c: Array, away: Array | None) -> Method:
        """The program of the linear models F, B ``(T, d, ...)`` with drifts c, or of deviations from a trajectory.

        Args:
            F, B, c: the models of the steps.
            away: the deviations ``(T + 1, d)`` of that trajectory from the goal; None for the goal itself.
        """
        T, task, spans = self.problem.steps, self.task, self._spans
        q = spans["disturbance"].stop
        start, drift = np.zeros((self.d, q)), np.zeros((T, self.d, q))
        if away is None:
            start[:, spans["state"]] = np.eye(self.d)
            drift[:, :, 0] = c
        if self.settings.offset_free:
            drift[:, :, spans["disturbance"]] = np.eye(self.d)
        affine = Affine(start, F, B, drift)
        xs, vs = affine.xs, affine.vs
        if away is not None:  # from here on, deviations from the goal
            xs[:, :, 0] += away[1:]
            vs[:, :, 0] += self._nominal - task.ug
        dx, dv = xs.copy(), vs.copy()
        if task.stage.size:
            dx[:, :, spans["reference"]] -= np.eye(T * self.d).reshape(T, self.d, T * self.d)
        if self.settings.offset_free:
            dx[:, :, spans["disturbance"]] -= self._target[: self.d]
            dv[:, :, spans["disturbance"]] -= self._target[self.d :]
        Q = np.concatenate([np.tile(task.Q, (T - 1, 1, 1)), task.P[None]])
        parts = [vs + np.pad(task.ug[:, None], ((0, 0), (0, vs.shape[2] - 1)))]
        if self._limited:
            before = np.concatenate([np.zeros_like(vs[:1]), vs[:-1]])
            before[0, :, spans["last"]] = np.eye(self.m)
            parts.append(vs - before)
        parts.append(self.C @ xs)
        rows = np.concatenate(parts, axis=1)[:, self._kept]
        cost = [(Q, dx), (np.tile(task.R, (T, 1, 1)), dv)]
        self._offset = rows[:, :, 0]
        program, self._constant = affine.program(cost, rows, self._tight(), self._soft[:, self._kept])
        return program.solver(self.settings.method, self.settings.tolerance)

    def outside(self, x: Array, us: Array, rows: Array) -> bool:
        """Whether the state itself violates a hard bound."""
        return 0.0 < self.problem.worst(x[None], us[:1], rows[:1]) < np.inf

    def elastic(self, method: Method, theta: Array) -> QPSolution:
        """The plan that violates the hard bounds of states least, at a high price; those of actions stay hard."""
        if self._elastic is None or self._elastic[0] is not method:
            p, weight = method.program, max(np.abs(self.task.Q).max(), np.abs(self.task.P).max())
            prices = np.full(len(self._names), np.inf)
            prices[len(prices) - len(self.C) :] = PRICE * weight / np.maximum(np.linalg.norm(self.C, axis=1), 1e-9)
            prices = np.minimum(p.soft, np.tile(prices[self._kept], self.problem.steps))
            soft = QuadraticProgram(p.H, p.f, p.A, p.lower, p.upper, prices, p.F, p.E)
            self._elastic = method, soft.solver(self.settings.method, self.settings.tolerance)
        solver = self._elastic[1]
        solver.warm, solver.deadline = None, method.deadline
        return solver.solve(theta, lower=method.bounds[0], upper=method.bounds[1])

    def _tight(self) -> Array:
        """Bounds ``(2, T, k)`` of the kept rows, moved inward by `back_off`; those that cross are at their middle."""
        low, high = self._bounds[:, None, self._kept] + np.stack([self.back_off, -self.back_off])[:, :, self._kept]
        return np.where(low > high, (low + high) / 2.0, [low, high])

    def at(self, x: Array, us: Array) -> Method:
        """The method of the program at the goal, or of one that is linearised along the plan from x."""
        p = self.problem
        if self.method is None or self.settings.relinearize:
            self._nominal = us
            xs = p.dynamics.rollout(x, us, p.dt)
            F, B = p.dynamics.linearize(xs[:-1], us, p.dt)
            self.method = self._build(F, B, np.zeros(()), self._away(xs))
        return self.method

    def _away(self, xs: Array) -> Array:
        """Deviations of states ``(T + 1, n)`` from the goal; angles that pass half a turn from it go on.

        ::

            d_0 = x_0 (-) goal,    d_{k+1} = d_k + x_{k+1} (-) x_k,    of rotations: x_k (-) goal
        """
        space, goal = self.problem.dynamics.state, self.task.goal
        if not space.flat:
            return space.minus(xs, goal)
        return np.cumsum(np.vstack([space.minus(xs[:1], goal), space.minus(xs[1:], xs[:-1])]), axis=0)

    def tighten(self, actions: Array, rows: Array) -> str:
        """Move the bounds of the actions ``(T, m)`` and of C ``(T, k)`` inward; the names of those that cross."""
        between = np.zeros((len(rows), len(self._names) - self.m - rows.shape[1]))
        self.back_off = np.concatenate([actions, between, rows], axis=1)
        if self.method is not None and not self.settings.relinearize:
            self.method.bounds[:] = (self._tight() - self._offset).reshape(2, -1)
        crossed = (2.0 * self.back_off > self._bounds[1] - self._bounds[0]).any(axis=0)
        return ", ".join(name for name, c in zip(self._names, crossed, strict=True) if c)

    def observed(self, state: Memory, x: Array, passed: float) -> Memory:
        """The state with the disturbance that explains x."""
        if not self.settings.offset_free:
            return state
        known = np.zeros(self.d) if state.disturbance is None else state.disturbance
        if state.expected is not None and abs(passed - 1.0) < 1e-6:
            known = known + self.settings.offset_free * self.problem.dynamics.state.minus(x, state.expected)
        return replace(state, disturbance=known)

    def next_state(self, state: Memory, x: Array, u: Array) -> Array | None:
        """The state after a step, with the disturbance."""
        p = self.problem
        if state.disturbance is None:
            return None
        return p.dynamics.state.plus(p.dynamics.step(x, u, p.dt), state.disturbance)

    def theta(self, state: Memory, x: Array, rows: Array) -> Array:
        """The parameters of this tick ``(p,)``."""
        space, spans = self.problem.dynamics.state, self._spans
        theta = np.zeros(spans["disturbance"].stop)
        theta[spans["state"]] = space.minus(x, self.task.goal)
        if self.task.stage.size:
            theta[spans["reference"]] = self._away(np.vstack([x, rows[1:]]))[1:].ravel()
        if self._limited:
            theta[spans["last"]] = (self.task.ug if state.last is None else state.last) - self.task.ug
        if state.disturbance is not None:
            theta[spans["disturbance"]] = state.disturbance
        return theta[1:]

    def shifted(self, warm: Any, passed: float) -> Any:
        """The working set of the last tick, moved by the steps that have passed."""
        if warm is None:
            return None
        if passed == 0.0:
            return warm
        gone = min(round(passed), self.problem.steps) * len(self._kept)
        return tuple(np.concatenate([each[gone:], each[len(each) - gone :]]) for each in warm)

    def actions(self, z: Array) -> Array:
        """The plan ``(T, m)``."""
        base = self._nominal if self.settings.relinearize else self.task.ug
        return self.problem.action.clip(base + z.reshape(-1, self.m))

    def cost(self, theta: Array, x: Array, rows: Array) -> float:
        """The share of the cost that the actions do not change."""
        one = np.concatenate([[1.0], theta])
        d = self.problem.dynamics.state.minus(x, rows[0] if rows.shape[1] else self.task.goal)
        return float(one @ self._constant @ one + d @ self.task.Q @ d)

    def why(self, rows: NDArray[np.int64], certificate: Array) -> str:
        """The bounds that cannot be kept together, with their steps."""
        k, (low, high), told = len(self._kept), self._bounds, list[str]()
        for row in rows[np.argsort(-np.abs(certificate[rows]), kind="stable")][:3].tolist():
            i, step = self._kept[row % k], row // k
            sign, bound = (">=", low[i]) if certificate[row] < 0.0 else ("<=", high[i])
            told.append(f"{self._names[i]} {sign} {bound:.4g} at step {step + (i >= len(self._names) - len(self.C))}")
        more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
        return f"no plan keeps {', '.join(told)}{more}; a soft bound would give way"
