"""The drivers of iLQR: linearise along a plan, sweep backward for gains, sweep forward with a line search."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...models.trace import call, driver
from ._backward import backward, clear
from ._lagrangian import augmented, nudge, pressed, violation

CONVERGED, UNFINISHED, STUCK, DIVERGED, VIOLATED, BLOCKED = 0, 1, 2, 3, 4, 5
"""Values of the status that `solve` returns, in this order."""
LEAST_MU, MOST_MU = 1e-6, 1e10
LOOSE, MOST_WEIGHT = 0.03, 1e9
"""Tolerance of the first solve while a constraint presses, and largest weight of a constraint."""
NOTHING = 1e-20
"""A decrease of the cost that is nothing: residuals that are zero are rounded to 1e-16."""
STEPS = 12
"""Halvings of the step in a line search."""


@driver
def copy(a: Any, b: Any) -> None:
    """a = b, for matrices. Loops compile in a fraction of the time that numba takes for slices."""
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            a[i, j] = b[i, j]


@driver
def forward(
    models: Any, stages: Any, xs: Any, us: Any, k: Any, K: Any, alpha: float, ys: Any, vs: Any, w: Any
) -> float:
    """Follow ``v_t = clip(u_t + alpha k_t + K_t (y_t (-) x_t))`` from y_0; returns the cost, constraints included."""
    code, dt, p, c = models
    rows, limits, multipliers, weight = stages
    T, m = us.shape
    dx, out = w[0], w[1]
    total = 0.0
    for t in range(T):
        call(code[6], ys[t], xs[t], dt, p, dx)
        for j in range(m):
            v = us[t, j] + alpha * k[t, j]
            for i in range(K.shape[2]):
                v += K[t, j, i] * dx[i]
            vs[t, j] = min(max(v, limits[0, j]), limits[1, j])
        call(code[2], ys[t], vs[t], rows[t], c, out)
        total += out[0]
        call(code[0], ys[t], vs[t], dt, p, ys[t + 1])
        if multipliers.shape[1] > 0:
            call(code[4], ys[t + 1], vs[t], rows[t + 1], c, out)
            total += augmented(out, multipliers[t], weight)
    call(code[7], ys[T], vs[T - 1], rows[T], c, out)
    return total + out[0]


@driver
def expand(models: Any, rows: Any, xs: Any, us: Any, derivatives: Any) -> None:
    """Derivatives along a plan: of the dynamics, the cost, the constraint, and the terminal cost."""
    code, dt, p, c = models
    moves, costs, bounds, end = derivatives
    T = len(us)
    for t in range(T):
        call(code[1], xs[t], us[t], dt, p, moves[t])
        call(code[3], xs[t], us[t], rows[t], c, costs[t])
        if bounds.shape[1] > 0:
            call(code[5], xs[t + 1], us[t], rows[t + 1], c, bounds[t])
    call(code[8], xs[T], us[T - 1], rows[T], c, end)


@driver
def descend(
    n: int, most: int, tolerance: float, loose: float, deadline: float, models: Any, stages: Any, plan: Any,
    derivatives: Any, memory: Any,
) -> Any:  # fmt: skip
    """Sweep backward and forward until no gain is left; status, cost, number of sweeps and expected gain.

    The tolerance is `loose` while a constraint presses. The regularisation mu grows where Quu is not positive definite
    or no step leads down, and shrinks where one does.
    """
    xs, us, K = plan
    ys, vs, k, gain, w, scratch = memory
    rows = stages[0]
    copy_states(ys, xs)
    cost = forward(models, stages, xs, us, k, K, 0.0, ys, vs, w)
    copy(xs, ys)
    copy(us, vs)
    if not math.fabs(cost) < math.inf:
        return DIVERGED, cost, 0, math.nan
    mu, factor, fresh, left, wanted, last, longest = 0.0, 1.0, True, math.nan, tolerance, 0.0, 0.0
    for sweep in range(most):
        if deadline < math.inf:
            call(models[0][10], w[0], w[0], w[0], w[0], w[1])
            longest = max(longest, w[1, 0] - last) if sweep > 0 else longest
            if w[1, 0] + longest > deadline:
                return UNFINISHED, cost, sweep, left
            last = w[1, 0]
        if fresh:
            expand(models, rows, xs, us, derivatives)
            wanted = loose if pressed(derivatives[2], stages[2], stages[3]) else tolerance
        good = backward(n, models, xs, us, derivatives, stages, mu, k, K, gain, scratch)
        left = -(gain[0] + gain[1])
        done = good and left <= wanted * math.fabs(cost)
        if done and mu <= LEAST_MU:
            return CONVERGED, cost, sweep + 1, left
        new = math.inf
        if good and not done:
            new = search(models, stages, plan, memory, cost)
        fresh = new < math.inf
        if fresh:
            cost = new
            copy(xs, ys)
            copy(us, vs)
        if fresh or done:
            factor = min(0.5, 0.5 * factor)
            mu = mu * factor if mu * factor >= LEAST_MU else 0.0
        elif good and left <= max(1e-10 * math.fabs(cost), NOTHING):
            return CONVERGED, cost, sweep + 1, left  # rounding hides what is left
        else:
            factor = max(2.0, 2.0 * factor)
            mu = max(LEAST_MU, mu * factor)
            if mu > MOST_MU:
                return STUCK, cost, sweep + 1, left
    return UNFINISHED, cost, most, left


@driver
def search(models: Any, stages: Any, plan: Any, memory: Any, cost: float) -> float:
    """The cost of the first step, of 1, 1/2, 1/4, ..., that lowers it enough; infinite when there is none."""
    xs, us, K = plan
    ys, vs, k, gain, w, _ = memory
    alpha = 1.0
    for _ in range(STEPS):
        new = forward(models, stages, xs, us, k, K, alpha, ys, vs, w)
        expected = -(alpha * gain[0] + alpha * alpha * gain[1])
        if cost - new >= 1e-4 * expected and new < cost:
            return new
        alpha *= 0.5
    return math.inf


@driver
def copy_states(ys: Any, xs: Any) -> None:
    """All of both is the first state of `xs`: there is no plan to deviate from yet."""
    for t in range(xs.shape[0]):
        for i in range(xs.shape[1]):
            ys[t, i] = xs[0, i]
            xs[t, i] = xs[0, i]


MODELS = "Tuple((i8[::1], f8[::1], f8[::1], f8[::1]))"
PLAN = "Tuple((f8[:,::1], f8[:,::1], f8[:,:,::1]))"
DERIVATIVES = "Tuple((f8[:,::1], f8[:,::1], f8[:,::1], f8[::1]))"
SCRATCH = (
    "Tuple((Tuple((f8[::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1])), "
    "Tuple((f8[::1], f8[::1], f8[:,::1], f8[:,::1], f8[:,::1])), "
    "Tuple((f8[:,::1], f8[::1], f8[::1], f8[::1], i8[::1], f8[:,::1])), UniTuple(f8[::1], 2)))"
)
MEMORY = f"Tuple((f8[:,::1], f8[:,::1], f8[:,::1], f8[::1], f8[:,::1], {SCRATCH}))"
SOLVE = f"i8(i8, {MODELS}, {PLAN}, f8[:,::1], f8[:,::1], f8[:,::1], f8[::1], f8[::1], {DERIVATIVES}, {MEMORY})"


def memory_for(T: int, n: int, d: int, m: int, k: int) -> tuple[Any, Any]:
    """The last two arguments of `solve`, for T steps, a state of n numbers and dim d, m actions and k constraints."""
    e = np.empty
    derivatives = (
        e((T, n + d * d + d * m)), e((T, 1 + d + m + d * d + d * m + m * m)), e((T, k + k * d + k * m)),
        e(1 + d + d * d),
    )  # fmt: skip
    value, q = (e(d), e((d, d)), e((m, d)), e((d, d)), e((d, m))), (e(d), e(m), e((d, d)), e((m, d)), e((m, m)))
    box = e((m, m)), e(m), e(m), e(m), e(m, dtype=np.int64), e((2 * m + 3, m))
    curvature = e(1 + d), e(d * d + d * m + m * m)
    return derivatives, (e((T + 1, n)), e((T, m)), e((T, m)), e(2), e((2, max(d, k, 1))), (value, q, box, curvature))


LEAD = f"f8({MODELS}, {PLAN}, f8[:,::1], f8[:,::1], f8[:,::1], f8, f8[::1], {MEMORY})"


@driver(LEAD, nogil=True)
def lead(
    models: Any, plan: Any, rows: Any, limits: Any, multipliers: Any, weight: float, x: Any, memory: Any
) -> float:  # fmt: skip
    """The augmented cost of a plan with its gains from a state x that is not its first one; it becomes its rollout.

    ::

        y_0 = x,    v_t = clip(u_t + K_t (y_t (-) x_t)),    y_{t+1} = step(y_t, v_t)
    """
    xs, us, K = plan
    ys, vs, k, _, w, _ = memory
    clear(k)
    for i in range(len(x)):
        ys[0, i] = x[i]
    cost = forward(models, (rows, limits, multipliers, weight), xs, us, k, K, 0.0, ys, vs, w)
    copy(xs, ys)
    copy(us, vs)
    return cost


GAINS = f"b1(i8, {MODELS}, {PLAN}, f8[:,::1], f8[:,::1], f8[:,::1], {DERIVATIVES}, {MEMORY})"


@driver(GAINS, nogil=True)
def gains(
    n: int, models: Any, plan: Any, rows: Any, limits: Any, multipliers: Any, derivatives: Any, memory: Any
) -> bool:  # fmt: skip
    """Gains K along a plan, which it does not improve; without the constraint, for all `multipliers` are zero."""
    xs, us, K = plan
    _, _, k, gain, _, scratch = memory
    expand(models, rows, xs, us, derivatives)
    stages, mu = (rows, limits, multipliers, 0.0), 0.0
    while mu <= MOST_MU:
        if backward(n, models, xs, us, derivatives, stages, mu, k, K, gain, scratch):
            return True
        mu = max(LEAST_MU, 10.0 * mu)
    return False


@driver(SOLVE, nogil=True)
def solve(
    n: int, models: Any, plan: Any, rows: Any, limits: Any, multipliers: Any, settings: Any, report: Any,
    derivatives: Any, memory: Any,
) -> int:  # fmt: skip
    """Improve a plan until it is a local minimum.

    Args:
        n: numbers of a state.
        models: addresses of the machine code for y; y F B; l; l lx lu lxx lxu luu; g; g gx gu; minus; T; T Tx Txx;
            yxx yxu yuu, or 0 for iLQR; and of the clock. Then seconds a step, parameters of dynamics and task.
        plan: states (T+1, n), of which the first is given; actions (T, m), within the limits; feedback gains (T, m, d).
            They become those of the improved plan.
        rows: references (T+1, nr).
        limits: lowest and highest action (2, m).
        multipliers: of the constraint (T, k), of an augmented Lagrangian, to begin with; they become those of the plan.
        settings: sweeps, tolerance of the cost (relative), tolerance of the constraint, first weight of it, time by the
            clock by which a sweep has to end, if it takes as long as the longest before it.
        report: becomes cost, sweeps, largest violation, expected decrease, weight at the end.
        derivatives, memory: see `memory_for`.

    Each solve of the augmented Lagrangian starts from the last, to a tolerance ten times tighter. Its weight grows when
    the multipliers have not come four times nearer. A plan that violates the constraint at the largest weight is nudged
    once, and solved from there.

    Returns:
        CONVERGED, UNFINISHED, STUCK, DIVERGED, VIOLATED (sweeps are used up) or BLOCKED (no small change of the plan
        brings the constraint down).
    """
    xs, us, K = plan
    tolerance, feasible = settings[1], settings[2]
    weight, loose, before, spent, nudged = settings[3], max(LOOSE, tolerance), math.inf, 0, False
    report[2] = math.nan
    while True:
        stages = rows, limits, multipliers, weight
        most = int(settings[0]) - spent
        clear(memory[2])
        for t in range(len(us)):
            clear(K[t])
        status, cost, sweeps, left = descend(
            n, most, tolerance, loose, settings[4], models, stages, plan, derivatives, memory
        )
        spent += sweeps
        report[0], report[1], report[3], report[4] = cost, spent, left, weight
        if status == DIVERGED:
            return BLOCKED if nudged else DIVERGED
        if multipliers.shape[1] == 0:
            return status
        report[2], report[0], gap = violation(models, rows, xs, us, multipliers, weight, memory[4][0])
        if gap <= feasible and (loose <= tolerance or left <= tolerance * math.fabs(cost)):
            return status
        if spent >= settings[0] or status == UNFINISHED:
            return UNFINISHED if report[2] <= feasible else VIOLATED
        loose = tolerance if gap <= feasible else max(tolerance, 0.1 * loose)
        if gap <= max(feasible, 0.25 * before):
            before = gap
        elif weight < MOST_WEIGHT:
            weight, before = 10.0 * weight, gap
        elif nudged:
            return BLOCKED
        else:
            nudge(us, limits)
            clear(multipliers)
            weight, loose, before, nudged = settings[3], max(LOOSE, tolerance), math.inf, True
