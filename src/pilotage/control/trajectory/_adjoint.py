"""The gradient of the cost of a plan by its actions, by the adjoint method: one sweep forward, one back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.arrays import Array
from ...core.compiled import Compiled
from ...core.errors import ModelError
from ...models.trace import ParameterMemory, call, code_of, driver
from ..receding import Horizon
from ._lagrangian import augmented

SWEEP = (
    "f8(i8, b1, i8[::1], f8[::1], f8[::1], f8[::1], f8[:,::1], f8[:,::1], f8, f8[:,::1], f8[:,::1], "
    "f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1])"
)


@driver(SWEEP, nogil=True)
def sweep(
    n: int, known: bool, code: Any, dt: Any, p: Any, c: Any, rows: Any, multipliers: Any, weight: float, us: Any,
    xs: Any, moves: Any, costs: Any, bounds: Any, gradient: Any, w: Any,
) -> float:  # fmt: skip
    """The augmented cost of the actions `us`, and its gradient.

    ::

        lambda_T = Tx,   lambda_t = lx + F' lambda_{t+1},   dJ/du_t = lu + B' lambda_{t+1}

    where the constraint adds its derivatives, times ``max(0, multiplier + weight g)``, to lambda_{t+1} and dJ/du_t.

    Args:
        n: numbers of a state.
        known: whether states and derivatives of the dynamics are in `xs` and `moves` already.
        code: addresses of the machine code for y F B; l lx lu; g gx gu; T Tx.
        dt, p, c: seconds a step (1,), parameters of dynamics and task.
        rows: references (T+1, nr).
        multipliers, weight: of the constraint (T, k).
        us: actions (T, m).
        xs: states (T+1, n), of which the first is given; moves: y F B of each step.
        costs, bounds: memory for l lx lu and g gx gu of each step.
        gradient: becomes dJ/du (T, m).
        w: memory (2, at least d and the numbers of T Tx).

    Source: Bryson and Ho, "Applied optimal control" (1975), section 2.2.
    """
    T, m = us.shape
    k, d = multipliers.shape[1], costs.shape[1] - 1 - m
    total = 0.0
    for t in range(T):
        if not known:
            call(code[0], xs[t], us[t], dt, p, moves[t])
            for i in range(n):
                xs[t + 1, i] = moves[t, i]
        call(code[1], xs[t], us[t], rows[t], c, costs[t])
        total += costs[t, 0]
        if k > 0:
            call(code[2], xs[t + 1], us[t], rows[t + 1], c, bounds[t])
            total += augmented(bounds[t], multipliers[t], weight)
    call(code[3], xs[T], us[T - 1], rows[T], c, w[0])
    total += w[0, 0]
    after = w[1]
    for i in range(d):
        after[i] = w[0, 1 + i]
    for t in range(T - 1, -1, -1):
        F, B = moves[t, n : n + d * d].reshape(d, d), moves[t, n + d * d :].reshape(d, m)
        for j in range(m):
            gradient[t, j] = costs[t, 1 + d + j]
        for i in range(k):
            a = multipliers[t, i] + weight * bounds[t, i]
            if a > 0.0:
                for j in range(d):
                    after[j] += a * bounds[t, k + i * d + j]
                for j in range(m):
                    gradient[t, j] += a * bounds[t, k + k * d + i * m + j]
        for j in range(m):
            for i in range(d):
                gradient[t, j] += B[i, j] * after[i]
        for j in range(d):
            w[0, j] = costs[t, 1 + j]
            for i in range(d):
                w[0, j] += F[i, j] * after[i]
        for j in range(d):
            after[j] = w[0, j]
    return total


class Adjoint:
    """Cost and gradient of plans for a problem.

    Traced dynamics run as machine code. The derivatives of all others are those of `Dynamics.linearize`, for all steps
    of a plan in one call: automatic differentiation for networks, differences for simulators.
    """

    def __init__(self, problem: Horizon) -> None:
        dynamics, task = problem.dynamics, problem.task
        if not isinstance(task, Compiled):
            raise ModelError(f"GradientMPC needs the derivatives of the task; {task!r} has none, write it with @task")
        self.problem, self.coded = problem, isinstance(dynamics, Compiled)
        self._codes = [code_of(task, results) for results in ("l lx lu", "g gx gu", "T Tx")]
        if self.coded:
            self._codes.insert(0, code_of(dynamics, "y F B"))
        addresses = [*([] if self.coded else [0]), *(code.address for code in self._codes)]
        self._code, self._dt = np.array(addresses, dtype=np.int64), np.array([problem.dt])
        self._parameters = ParameterMemory(dynamics, problem.dt), ParameterMemory(task)
        T, m, n, d = problem.steps, problem.action.size, dynamics.state.size, dynamics.state.dim
        self.constraints = code_of(task, "g").size
        k = self.constraints
        self.bounds = np.zeros((T, k * (1 + d + m)))
        self._memory = np.empty((T, n + d * d + d * m)), np.empty((T, 1 + d + m))
        self._w, self._sweep = np.empty((2, d + 1)), sweep.compiled

    def __call__(
        self, x: Array, us: Array, rows: Array, multipliers: Array, weight: float
    ) -> tuple[float, Array, Array]:
        """The augmented cost, its gradient ``(T, m)`` and the states ``(T+1, n)``."""
        dynamics, gradient, (moves, costs) = self.problem.dynamics, np.empty(us.shape), self._memory
        xs = np.tile(x, (len(us) + 1, 1))
        if not self.coded:
            xs = np.ascontiguousarray(dynamics.rollout(x, us, self.problem.dt))
            F, B = dynamics.linearize(xs[:-1], us, self.problem.dt)
            moves = np.hstack([xs[1:], np.reshape(F, (len(us), -1)), np.reshape(B, (len(us), -1))])
        for each in self._parameters:
            each.refresh()
        J = self._sweep(
            len(x), not self.coded, self._code, self._dt, *(each.vector for each in self._parameters), rows,
            multipliers, weight, us, xs, moves, costs, self.bounds, gradient, self._w,
        )  # fmt: skip
        return J, gradient, xs
