"""The drivers of iLQR: linearise along a plan, sweep backward for gains, sweep forward with a line search.

Letters as in the source: x states, u actions, F and B the derivatives of the dynamics, V the cost to go, Q the cost to
go before an action is chosen, k and K what the backward sweep adds to the actions. All derivatives are in the tangent.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..models.trace import call, driver
from .boxqp import box_qp, cholesky_solve

CONVERGED, UNFINISHED, STUCK, DIVERGED, VIOLATED = 0, 1, 2, 3, 4
"""How `solve` ended: see `pilotage.control.ilqr.STATUSES`."""
LEAST_MU, MOST_MU = 1e-6, 1e10
STEPS = 12
"""Halvings of the step in a line search."""


@driver
def augmented(g: Any, multipliers: Any, weight: float) -> float:
    """``sum (max(0, lambda + w g)^2 - lambda^2) / 2w``: what an augmented Lagrangian charges for a constraint.

    Source: Nocedal and Wright, "Numerical optimization" (2006), equation 17.65.
    """
    total = 0.0
    for i in range(len(multipliers)):
        a = multipliers[i] + weight * g[i]
        a = 0.0 if a < 0.0 else a  # NaN stays
        total += (a * a - multipliers[i] * multipliers[i]) / (2.0 * weight)
    return total


@driver
def stage(code: Any, x: Any, u: Any, r: Any, dt: Any, p: Any, c: Any, y: Any, w: Any) -> float:
    """Cost of action u in state x; y becomes the state that it leads to."""
    call(code[2], x, u, r, c, w)
    cost = w[0]
    call(code[0], x, u, dt, p, y)
    return cost


@driver
def forward(
    code: Any, xs: Any, us: Any, k: Any, K: Any, alpha: float, rows: Any, dt: Any, p: Any, c: Any, limits: Any,
    multipliers: Any, weight: float, ys: Any, vs: Any, w: Any,
) -> float:  # fmt: skip
    """Follow ``v_t = clip(u_t + alpha k_t + K_t (y_t (-) x_t))`` from y_0; returns the cost, constraints included."""
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
        total += stage(code, ys[t], vs[t], rows[t], dt, p, c, ys[t + 1], out)
        if multipliers.shape[1] > 0:
            call(code[4], ys[t + 1], vs[t], rows[t + 1], c, out)
            total += augmented(out, multipliers[t], weight)
    call(code[7], ys[T], vs[T - 1], rows[T], c, out)
    return total + out[0]


@driver
def total(code: Any, xs: Any, us: Any, rows: Any, c: Any, w: Any) -> float:
    """Cost of a plan, without what constraints are charged."""
    T = len(us)
    call(code[7], xs[T], us[T - 1], rows[T], c, w)
    cost = w[0]
    for t in range(T):
        call(code[2], xs[t], us[t], rows[t], c, w)
        cost += w[0]
    return cost


@driver
def expand(
    code: Any, xs: Any, us: Any, rows: Any, dt: Any, p: Any, c: Any, moves: Any, costs: Any, bounds: Any, end: Any
) -> None:
    """Derivatives along a plan: of the dynamics, the cost, the constraint, and the terminal cost."""
    T = len(us)
    for t in range(T):
        call(code[1], xs[t], us[t], dt, p, moves[t])
        call(code[3], xs[t], us[t], rows[t], c, costs[t])
        if bounds.shape[1] > 0:
            call(code[5], xs[t + 1], us[t], rows[t + 1], c, bounds[t])
    call(code[8], xs[T], us[T - 1], rows[T], c, end)


@driver
def charge(bound: Any, multipliers: Any, weight: float, Vx: Any, Vxx: Any, Qu: Any, Quu: Any, Qux: Any) -> None:
    """Add the expansion of `augmented` by the next state to V, and by the action to Q.

    ::

        Vx += gx' a,   Vxx += w gx' gx,   Qu += gu' a,   Quu += w gu' gu,   Qux += w gu' gx       a = lambda + w g > 0
    """
    k, d, m = len(multipliers), len(Vx), len(Qu)
    gx, gu = bound[k : k + k * d].reshape(k, d), bound[k + k * d :].reshape(k, m)
    for i in range(k):
        a = multipliers[i] + weight * bound[i]
        if a > 0.0:
            for j in range(d):
                Vx[j] += gx[i, j] * a
                for l in range(d):
                    Vxx[j, l] += weight * gx[i, j] * gx[i, l]
            for j in range(m):
                Qu[j] += gu[i, j] * a
                for l in range(m):
                    Quu[j, l] += weight * gu[i, j] * gu[i, l]
                for l in range(d):
                    Qux[j, l] += weight * gu[i, j] * gx[i, l]


@driver
def quadratize(move: Any, cost: Any, n: int, Vx: Any, Vxx: Any, Gux: Any, Qx: Any, Qu: Any, Qxx: Any, Qux: Any,
               Quu: Any, VF: Any, VB: Any) -> None:  # fmt: skip
    """The quadratic Q of one step, out of V after it.

    ::

        Qx  = lx  + F' Vx          Qxx = lxx + F' Vxx F
        Qu += lu  + B' Vx          Quu += luu + B' Vxx B + B' Gux' + Gux B        G: the constraint's share of Q
        Qux = lux + B' Vxx F + Gux F
    """
    d, m = len(Qx), len(Qu)
    F, B = move[n : n + d * d].reshape(d, d), move[n + d * d :].reshape(d, m)
    lx, lu = cost[1 : 1 + d], cost[1 + d : 1 + d + m]
    at = 1 + d + m
    lxx, lxu = cost[at : at + d * d].reshape(d, d), cost[at + d * d : at + d * d + d * m].reshape(d, m)
    luu = cost[at + d * d + d * m :].reshape(m, m)
    for i in range(d):
        for j in range(d):
            s = 0.0
            for l in range(d):
                s += Vxx[i, l] * F[l, j]
            VF[i, j] = s
        for j in range(m):
            s = 0.0
            for l in range(d):
                s += Vxx[i, l] * B[l, j]
            VB[i, j] = s
    for i in range(d):
        s = lx[i]
        for l in range(d):
            s += F[l, i] * Vx[l]
        Qx[i] = s
        for j in range(i + 1):
            s = lxx[i, j]
            for l in range(d):
                s += F[l, i] * VF[l, j]
            Qxx[i, j] = s
            Qxx[j, i] = s
    for i in range(m):
        s = lu[i]
        for l in range(d):
            s += B[l, i] * Vx[l]
        Qu[i] += s
        for j in range(d):
            s = lxu[j, i]
            for l in range(d):
                s += B[l, i] * VF[l, j] + Gux[i, l] * F[l, j]
            Qux[i, j] = s
        for j in range(m):
            s = luu[i, j]
            for l in range(d):
                s += B[l, i] * VB[l, j] + Gux[j, l] * B[l, i] + Gux[i, l] * B[l, j]
            Quu[i, j] += s


@driver(heap=True)
def backward(
    n: int, us: Any, moves: Any, costs: Any, bounds: Any, end: Any, limits: Any, multipliers: Any, weight: float,
    mu: float, k: Any, K: Any, gain: Any,
) -> bool:  # fmt: skip
    """Gains k and K from the end of the plan to its beginning; False where Quu + mu I is not positive definite.

    `gain` becomes the linear and the quadratic part of the expected change of the cost, ``a g0 + a^2 g1`` at step a.

    Source: Tassa, Mansard and Todorov, "Control-limited differential dynamic programming", ICRA 2014, equations 5 to
    11 and section IV; mu is added to the diagonal of Quu, as in Levenberg and Marquardt's method.
    """
    T, m = us.shape
    d = K.shape[2]
    Vx, Vxx = end[1 : 1 + d].copy(), end[1 + d :].copy().reshape(d, d)
    Qx, Qu, Qxx, Qux, Quu = np.empty(d), np.empty(m), np.empty((d, d)), np.empty((m, d)), np.empty((m, m))
    Gux, VF, VB, H, w = np.empty((m, d)), np.empty((d, d)), np.empty((d, m)), np.empty((m, m)), np.empty((2 * m + 3, m))
    low, high, column, free = np.empty(m), np.empty(m), np.empty(m), np.empty(m, dtype=np.int64)
    gain[:] = 0.0
    for t in range(T - 1, -1, -1):
        Qu[:], Quu[:], Gux[:] = 0.0, 0.0, 0.0
        if bounds.shape[1] > 0:
            charge(bounds[t], multipliers[t], weight, Vx, Vxx, Qu, Quu, Gux)
        quadratize(moves[t], costs[t], n, Vx, Vxx, Gux, Qx, Qu, Qxx, Qux, Quu, VF, VB)
        for i in range(m):
            low[i], high[i] = limits[0, i] - us[t, i], limits[1, i] - us[t, i]
            for j in range(m):
                H[i, j] = 0.5 * (Quu[i, j] + Quu[j, i]) + (mu if i == j else 0.0)
        count = box_qp(H, Qu, low, high, k[t], free, w)
        if count < 0 or not math.isfinite(k[t].sum()):
            return False
        K[t] = 0.0
        for i in range(d):
            for a in range(count):
                column[a] = -Qux[free[a], i]
            cholesky_solve(w, column, count)
            for a in range(count):
                K[t, free[a], i] = column[a]
        value_before(k[t], K[t], Qx, Qu, Qxx, Qux, Quu, Vx, Vxx, gain)
    return True


@driver
def value_before(k: Any, K: Any, Qx: Any, Qu: Any, Qxx: Any, Qux: Any, Quu: Any, Vx: Any, Vxx: Any, gain: Any) -> None:
    """V of a step from its Q and gains.

    ::

        Vx  = Qx  + K' (Quu k + Qu) + Qux' k
        Vxx = Qxx + K' Quu K + K' Qux + Qux' K
        g0 += k' Qu,   g1 += k' Quu k / 2
    """
    m, d = K.shape
    for i in range(d):
        Vx[i] = Qx[i]
    for a in range(m):
        s = 0.0
        for b in range(m):
            s += Quu[a, b] * k[b]
        gain[0] += k[a] * Qu[a]
        gain[1] += 0.5 * k[a] * s
        for i in range(d):
            Vx[i] += K[a, i] * (s + Qu[a]) + Qux[a, i] * k[a]
    for i in range(d):
        for j in range(i + 1):
            s = Qxx[i, j]
            for a in range(m):
                q = 0.0
                for b in range(m):
                    q += Quu[a, b] * K[b, j]
                s += K[a, i] * (q + Qux[a, j]) + Qux[a, i] * K[a, j]
            Vxx[i, j] = s
            Vxx[j, i] = s


@driver
def violation(code: Any, xs: Any, us: Any, rows: Any, c: Any, multipliers: Any, weight: float, w: Any) -> float:
    """Largest value of the constraint along a plan; the multipliers become ``max(0, lambda + w g)``."""
    worst = -math.inf
    for t in range(len(us)):
        call(code[4], xs[t + 1], us[t], rows[t + 1], c, w)
        for i in range(multipliers.shape[1]):
            worst = w[i] if not w[i] <= worst else worst
            multipliers[t, i] = max(0.0, multipliers[t, i] + weight * w[i])
    return worst


SOLVE = (
    "i8(i8[::1], i8[::1], f8[:,::1], f8[:,::1], f8[:,:,::1], f8[:,::1], f8[::1], f8[::1], f8[::1], f8[:,::1], "
    "f8[:,::1], f8[::1], f8[::1])"
)


@driver(SOLVE, heap=True, nogil=True)
def solve(
    code: Any, sizes: Any, xs: Any, us: Any, K: Any, rows: Any, dt: Any, p: Any, c: Any, limits: Any, multipliers: Any,
    settings: Any, report: Any,
) -> int:  # fmt: skip
    """Improve the plan `us` from the state ``xs[0]`` until it is a local minimum.

    Args:
        code: addresses of the machine code for y; y F B; l; l lx lu lxx lxu luu; g; g gx gu; minus; T; T Tx Txx.
        sizes: numbers of a state, most numbers that any of the codes writes.
        xs: states (T+1, n), of which the first is given; become those of the plan.
        us: actions (T, m), within the limits; become the plan.
        K: becomes the feedback gains (T, m, d).
        rows: references (T+1, nr).
        dt, p, c: seconds a step, parameters of dynamics and task.
        limits: lowest and highest action (2, m).
        multipliers: of the constraint (T, k), of an augmented Lagrangian.
        settings: iterations, tolerance of the cost (relative), tolerance of the constraint, first weight of it.
        report: becomes cost, iterations, largest violation, expected decrease.

    Returns:
        CONVERGED, UNFINISHED, STUCK, DIVERGED or VIOLATED.
    """
    T, m = us.shape
    d, k = K.shape[2], multipliers.shape[1]
    n, most = sizes[0], sizes[1]
    moves, costs = np.empty((T, n + d * d + d * m)), np.empty((T, 1 + d + m + d * d + d * m + m * m))
    bounds, end, w = np.empty((T, k + k * d + k * m)), np.empty(1 + d + d * d), np.empty((2, most))
    ys, vs, feed, gain = np.empty_like(xs), np.empty_like(us), np.zeros((T, m)), np.zeros(2)
    weight, worst, spent, status = settings[3], 0.0, 0, UNFINISHED
    K[:] = 0.0
    while True:
        ys[0] = xs[0]
        xs[:] = xs[0]  # there is no plan to deviate from yet
        cost = forward(code, xs, us, feed, K, 0.0, rows, dt, p, c, limits, multipliers, weight, ys, vs, w)
        xs[:], us[:] = ys, vs
        if not math.fabs(cost) < math.inf:
            report[0], report[1], report[2], report[3] = cost, spent, math.nan, math.nan
            return DIVERGED
        status = UNFINISHED
        mu, factor, fresh = 0.0, 1.0, True
        while spent < settings[0]:
            spent += 1
            if fresh:
                expand(code, xs, us, rows, dt, p, c, moves, costs, bounds, end)
            fresh = False
            feed[:] = 0.0
            good = backward(n, us, moves, costs, bounds, end, limits, multipliers, weight, mu, feed, K, gain)
            small = settings[1] * math.fabs(cost)
            if good and -(gain[0] + gain[1]) <= small:
                if mu <= LEAST_MU:
                    status = CONVERGED
                    break
                factor = min(0.5, 0.5 * factor)
                mu = mu * factor if mu * factor >= LEAST_MU else 0.0
                continue
            found = False
            if good:
                alpha = 1.0
                for _ in range(STEPS):
                    ys[0] = xs[0]
                    new = forward(code, xs, us, feed, K, alpha, rows, dt, p, c, limits, multipliers, weight, ys, vs, w)
                    expected = -(alpha * gain[0] + alpha * alpha * gain[1])
                    if cost - new >= 1e-4 * expected and cost > new:
                        found = True
                        break
                    alpha *= 0.5
            if found:
                cost = new
                xs[:], us[:] = ys, vs
                fresh = True
                factor = min(0.5, 0.5 * factor)
                mu = mu * factor if mu * factor >= LEAST_MU else 0.0
                continue
            if good and -(gain[0] + gain[1]) <= 1e-10 * math.fabs(cost):
                status = CONVERGED  # rounding hides what is left
                break
            factor = max(2.0, 2.0 * factor)
            mu = max(LEAST_MU, mu * factor)
            if mu > MOST_MU:
                status = STUCK
                break
        report[0], report[1], report[2], report[3] = cost, spent, 0.0, -(gain[0] + gain[1])
        if k == 0:
            return status
        report[0] = total(code, xs, us, rows, c, w[0])
        before = worst
        worst = violation(code, xs, us, rows, c, multipliers, weight, w[0])
        report[2] = worst
        if worst <= settings[2]:
            return status
        if spent >= settings[0] or weight > 1e8:
            return VIOLATED
        if worst > 0.25 * before or before == 0.0:
            weight *= 10.0
        feed[:], K[:] = 0.0, 0.0
