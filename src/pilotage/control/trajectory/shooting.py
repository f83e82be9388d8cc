"""The driver of SQP by multiple shooting: linearise along a plan, solve a quadratic program, search along its solution.

::

    defect_t = step(x_t, u_t) (-) x_{t+1}
    L        = sum l + T + sum pi' defect + sum lambda' g               exact Hessian; or that of the costs alone
    merit    = sum l + T + sigma sum |defect| + rho sum max(0, g)       rho: the price of the constraint

Letters as in `stage_qp`, whose program each iteration minimises in the deviations dx and du. The constraint is soft
there, at the price rho, so that every program has a solution; rho grows while a plan that is a minimum violates it.

Source: Nocedal and Wright, "Numerical optimization" (2006), sections 18.3, 18.4 and 17.2; Bock and Plitt, "A multiple
shooting algorithm", IFAC 1984.
"""

from __future__ import annotations

import math
from typing import Any

from ...models.trace import call, driver
from . import stage_qp
from ._lagrangian import nudge
from .ddp import BLOCKED, CONVERGED, DIVERGED, STUCK, UNFINISHED, VIOLATED, copy, expand
from .stage_qp import INDEFINITE, interior_point

LEAST_REGULAR, MOST_REGULAR = 1e-4, 1e10
MOST_PRICE = 1e7
STEPS = 20
"""Halvings of the step in a line search."""
QP_ITERATIONS = 50
WARM, COLD = 1e-2, 1.0
"""Where the interior point method begins: with multipliers of a program like this, and without."""
PREPARE, FEEDBACK, WHOLE = 0, 1, 2
"""Phases of `shoot`."""


@driver
def linearise(models: Any, rows: Any, plan: Any, limits: Any, point: Any, program: Any, w: Any) -> None:
    """The program around a plan: derivatives, defects, and room to the limits of the actions."""
    code, dt, p, _ = models
    xs, us = plan
    moves, defects, costs, bounds, end, (index, sign, room), _ = program
    expand(models, rows, xs, us, (moves, costs, bounds, end))
    for t in range(us.shape[0]):
        call(code[6], moves[t], xs[t + 1], dt, p, defects[t])
        for i in range(len(index)):
            j = index[i]
            room[t, i] = limits[1, j] - us[t, j] if sign[i] > 0.0 else us[t, j] - limits[0, j]
    if code[10] > 0:
        bend(models, rows, plan, point, program, w)


@driver
def add(a: Any, first: int, count: int, out: Any, at: int) -> None:
    """Add `count` numbers of `out` to those of `a`."""
    for i in range(count):
        a[first + i] += out[at + i]


@driver
def bend(models: Any, rows: Any, plan: Any, point: Any, program: Any, w: Any) -> None:
    """Add the curvature of dynamics and constraint to the Hessians of the costs: those of the Lagrangian.

    The derivatives of the constraint by a state and an action at once are left out: these are of different steps.
    """
    code, dt, p, c = models
    xs, us = plan
    costs, end, (index, _, _) = program[2], program[4], program[5]
    pi, lam, out, data = point[2], point[3], w[0], w[1]
    (T, m), d, k, nr = us.shape, pi.shape[1], len(program[6]), rows.shape[1]
    dd, at = d * d + d * m + m * m, 1 + d + m
    for t in range(T):
        data[0] = dt[0]
        for i in range(d):
            data[1 + i] = pi[t, i]
        call(code[10], xs[t], us[t], data, p, out)
        add(costs[t], at, dd, out, 0)
        if k > 0:
            for i in range(nr):
                data[i] = rows[t + 1, i]
            for i in range(k):
                data[nr + i] = lam[t, len(index) + i]
            call(code[11], xs[t + 1], us[t], data, c, out)
            add(costs[t], at + d * d + d * m, m * m, out, d * d + d * m)
            if t + 1 < T:
                add(costs[t + 1], at, d * d, out, 0)
            else:
                add(end, 1 + d, d * d, out, 0)


@driver
def measure(program: Any, found: Any) -> None:
    """Cost, sum of all ``|defect|``, and sum and largest value of the violations of the constraint, of the program."""
    _, defects, costs, bounds, end, _, price = program
    cost, gap, over, worst = end[0], 0.0, 0.0, -math.inf
    for t in range(len(costs)):
        cost += costs[t, 0]
        for i in range(defects.shape[1]):
            gap += math.fabs(defects[t, i])
        for i in range(len(price)):
            worst = bounds[t, i] if not bounds[t, i] <= worst else worst
            over += bounds[t, i] if not bounds[t, i] <= 0.0 else 0.0
    found[0], found[1], found[2], found[3] = cost, gap, over, worst


@driver
def follow(
    models: Any, rows: Any, step: float, plan: Any, limits: Any, program: Any, point: Any, K: Any, memory: Any
) -> None:
    """A part of the deviations dx and du, along the dynamics; its cost, and sum and largest value of the violations.

    ::

        v_t     = clip(u_t + a du_t + K_t (y_t (-) (x_t (+) a dx_t)))          a: the part
        y_{t+1} = step(y_t, v_t) (+) -(1 - a) defect_t

    Source: Mastalli et al., "Crocoddyl", ICRA 2020, section III, which closes the gaps like this.
    """
    code, dt, p, c = models
    xs, us = plan
    ys, vs, w = memory
    dx, du, defects, k = point[0], point[1], program[1], len(program[6])
    (T, m), d, delta, y, out, found = us.shape, dx.shape[1], w[0], w[1], w[2], w[3]
    cost, over, worst = 0.0, 0.0, -math.inf
    for i in range(d):
        delta[i] = step * dx[0, i]
    call(code[9], xs[0], delta, dt, p, ys[0])
    for t in range(T):
        for i in range(d):
            delta[i] = step * dx[t, i]
        call(code[9], xs[t], delta, dt, p, y)
        call(code[6], ys[t], y, dt, p, delta)
        for j in range(m):
            v = us[t, j] + step * du[t, j]
            for i in range(d):
                v += K[t, j, i] * delta[i]
            vs[t, j] = min(max(v, limits[0, j]), limits[1, j])
        call(code[2], ys[t], vs[t], rows[t], c, out)
        cost += out[0]
        call(code[0], ys[t], vs[t], dt, p, y)
        for i in range(d):
            delta[i] = (step - 1.0) * defects[t, i]
        call(code[9], y, delta, dt, p, ys[t + 1])
        if k > 0:
            call(code[4], ys[t + 1], vs[t], rows[t + 1], c, out)
            for i in range(k):
                worst = out[i] if not out[i] <= worst else worst
                over += out[i] if not out[i] <= 0.0 else 0.0
    call(code[7], ys[T], vs[T - 1], rows[T], c, out)
    found[0], found[2], found[3] = cost + out[0], over, worst


@driver
def slope(program: Any, point: Any) -> float:
    """The derivative of the cost along dx and du."""
    costs, end = program[2], program[4]
    dx, du = point[0], point[1]
    (T, m), d, s = du.shape, dx.shape[1], 0.0
    for t in range(T):
        for i in range(d):
            s += costs[t, 1 + i] * dx[t, i]
        for j in range(m):
            s += costs[t, 1 + d + j] * du[t, j]
    for i in range(d):
        s += end[1 + i] * dx[T, i]
    return s


@driver
def left_over(program: Any, point: Any) -> float:
    """The sum of z: violations of the constraint that remain in the program."""
    z, first, s = point[5], len(program[5][0]), 0.0
    for t in range(z.shape[0]):
        for i in range(first, z.shape[1]):
            s += z[t, i]
    return s


@driver
def largest(a: Any) -> float:
    """The largest ``|a|`` of a matrix."""
    s = 0.0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            s = max(s, math.fabs(a[i, j]))
    return s


@driver
def minimise(warm: float, regular: float, program: Any, point: Any, qp: Any, report: Any) -> float:
    """Solve the program, with more regularisation where it is indefinite; returns that, or infinity.

    Its tolerance is a thousandth of the decrease that the last program expected, between 1e-9 and 1e-6 of the cost. So
    the first program is solved to 1e-9, and no second one is needed for a problem that is one.
    """
    scale = max(1.0, math.fabs(report[0]), 1e-3 * report[8])
    tolerance = max(1e-9 * scale, min(1e-3 * report[3], 1e-6 * scale))
    while regular <= MOST_REGULAR:
        status = interior_point(QP_ITERATIONS, tolerance, warm, regular, program, point, qp, report[4:8])
        if status != INDEFINITE:
            return regular
        regular = max(LEAST_REGULAR, 10.0 * regular)
    return math.inf


@driver
def clocked(code: Any, w: Any, last: float, longest: float) -> Any:
    """The time, and the longest that an iteration has taken, of which the last began at `last`; 0 before the first."""
    call(code, w[0], w[0], w[0], w[0], w[1])
    now = w[1, 0]
    return now, max(longest, now - last) if last > 0.0 else longest


@driver
def searched(
    models: Any, rows: Any, plan: Any, limits: Any, program: Any, point: Any, K: Any, memory: Any, weights: Any,
    expected: float, whole: bool,
) -> float:  # fmt: skip
    """The step of 1, 1/2, 1/4, ... that lowers the merit enough, or 1 if it is taken as a whole; 0 if there is none."""
    sigma, rho, gap, merit = weights
    found, step = memory[2][3], 1.0
    for _ in range(STEPS):
        follow(models, rows, step, plan, limits, program, point, K, memory)
        new = found[0] + sigma * (1.0 - step) * gap + rho * found[2]
        if whole or merit - new >= 1e-4 * step * expected:
            return step
        step *= 0.5
    return 0.0


@driver
def regularised(regular: float, step: float) -> float:
    """The regularisation after a step: less after a whole one, more after a short one, and most after none."""
    if step == 0.0:
        return max(LEAST_REGULAR, 10.0 * regular)
    less = regular * (0.2 if step == 1.0 else 1.0 if step > 0.2 else 4.0)
    return 0.0 if less < LEAST_REGULAR else less


MODELS = "Tuple((i8[::1], f8[::1], f8[::1], f8[::1]))"
SHOOT = (
    f"i8(i8, {MODELS}, UniTuple(f8[:,::1], 2), f8[:,::1], f8[:,::1], f8[::1], f8[::1], {stage_qp.PROGRAM}, "
    f"{stage_qp.POINT}, {stage_qp.MEMORY}, Tuple((f8[:,::1], f8[:,::1], f8[:,::1])))"
)


@driver(SHOOT, nogil=True)
def shoot(
    phase: int, models: Any, plan: Any, rows: Any, limits: Any, settings: Any, report: Any, program: Any, point: Any,
    qp: Any, memory: Any,
) -> int:  # fmt: skip
    """Improve a plan until it is a local minimum; or one phase of a real-time iteration.

    Args:
        phase: WHOLE; PREPARE, which linearises along the plan; FEEDBACK, which solves the program prepared and takes
            its whole step from the first deviation, point[0][0].
        models: addresses of the machine code for y; y F B; l; l lx lu lxx lxu luu; g; g gx gu; minus; T; T Tx Txx;
            plus; yxx yxu yuu and gxx gxu guu, or 0 for the Hessian of the costs alone; the clock. Then seconds
            a step, parameters of dynamics and task.
        plan: states (T+1, n) and actions (T, m); they become those of the improved plan.
        rows: references (T+1, nr).
        limits: lowest and highest action (2, m).
        settings: iterations, tolerance of the cost (relative), tolerance of the constraint, price of the constraint,
            whether it may stay violated at that price, and the second of the clock by which an iteration has to end, if
            it takes as long as the longest before it.
        report: becomes cost, iterations, largest violation, expected decrease; iterations of the last program, and its
            primal, dual and complementary residual; the price at the end.
        program, point, qp: see `stage_qp`; the multipliers of the point are those to begin with.
        memory: states and actions to try, and rows of memory.

    Returns:
        CONVERGED, UNFINISHED, STUCK, DIVERGED, VIOLATED (iterations are used up) or BLOCKED (no small change of the
        plan brings the constraint down).
    """
    xs, us = plan
    ys, vs, w = memory
    price, k, found = program[6], len(program[6]), memory[2][3]
    tolerance, feasible, soft = settings[1], settings[2], settings[4] > 0.0
    rho, sigma, regular, nudged, warm, again = settings[3], 0.0, 0.0, False, largest(point[3]) > 0.0, False
    last, longest = 0.0, 0.0
    for count in range(int(settings[0])):
        if settings[5] < math.inf:
            last, longest = clocked(models[0][12], w, last, longest)
            if count > 0 and last + longest > settings[5]:
                break
        for i in range(k):
            price[i] = rho
        if phase != FEEDBACK:
            linearise(models, rows, plan, limits, point, program, w)
        if phase == PREPARE:
            return UNFINISHED
        measure(program, found)
        report[0], report[1], report[2], report[8] = found[0], count + 1, found[3], rho
        cost, gap, over = found[0], found[1], found[2]
        if phase == WHOLE and not math.fabs(cost + gap + over) < math.inf:
            return BLOCKED if nudged else DIVERGED
        regular = minimise(WARM if warm else COLD, regular, program, point, qp, report)
        if not regular < math.inf:
            return STUCK
        warm = True
        sigma = max(sigma, 1.5 * largest(point[2]))
        left = left_over(program, point)
        expected = -slope(program, point) + sigma * gap + rho * (over - left)
        if phase == WHOLE:
            report[3] = expected
        if phase == WHOLE and expected <= tolerance * math.fabs(cost) + 1e-20:
            if not again and report[7] * point[3].size > tolerance * math.fabs(cost):
                again = True  # the program was not solved well enough to tell; now its tolerance is the least
                continue
            if soft or not over > 0.0 or found[3] <= feasible:
                return CONVERGED
            if rho < MOST_PRICE:
                rho *= 10.0
                continue
            if nudged:
                return BLOCKED
            nudge(us, limits)
            nudged, rho = True, settings[3]
            continue
        again, weights = False, (sigma, rho, gap, cost + sigma * gap + rho * over)
        step = searched(
            models, rows, plan, limits, program, point, qp[0][3], memory, weights, expected, phase == FEEDBACK
        )  # fmt: skip
        if step > 0.0:
            copy(xs, ys)
            copy(us, vs)
        if phase == FEEDBACK:
            report[0], report[2] = found[0], found[3]
            if not math.fabs(found[0]) < math.inf:
                return DIVERGED
            return CONVERGED if soft or left <= feasible else VIOLATED
        if step == 0.0 and expected <= 1e-9 * math.fabs(cost):
            return CONVERGED if soft or found[3] <= feasible else VIOLATED
        regular = regularised(regular, step)
        if regular > MOST_REGULAR:
            return STUCK
    return UNFINISHED if soft or not report[2] > feasible else VIOLATED
