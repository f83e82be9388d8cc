"""Quadratic programs along time: an interior point method whose Newton step is one Riccati recursion.

::

    min   sum_t  1/2 dx' lxx dx + dx' lxu du + 1/2 du' luu du + lx' dx + lu' du   +   1/2 dx_T' Txx dx_T + Tx' dx_T
    s.t.  dx_{t+1} = F dx_t + B du_t + defect_t,     dx_0 given
          sign_i (du_t, dx_{t+1})_i <= room_{t,i}                    bounds of actions and next states
          g + gx dx_{t+1} + gu du_t <= z,   z >= 0                   at the price ``price' z``; hard if that is infinite

A row ``a v <= b + z`` has the slack s, the multiplier lambda and, where it is soft, ``nu = price - lambda`` for z.
Newton's step from a point towards ``lambda s = nu z = sigma mu`` solves the problem above without rows, with the
residuals of the point in place of the gradients and defects, and for each row ``1/2 w (a dv)^2 + kappa a dv`` in the
cost:

    1 / w  = s / lambda + z / nu
    kappa  = w (a v - b - z + (sigma mu - c) / lambda - (sigma mu - nu z - c') / nu)   c, c': Mehrotra's corrections

Source: Rao, Wright and Rawlings, "Application of interior-point methods to model predictive control", JOTA 99 (1998);
Mehrotra, "On the implementation of a primal-dual interior point method", SIAM J. Optim. 2 (1992); Frison and Diehl,
"HPIPM", IFAC 2020.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...models.trace import driver
from ._backward import clear
from ._riccati import add_product, add_transposed, factor, sweep

SOLVED, UNFINISHED, INDEFINITE = 0, 1, 2
"""Values of the status that `interior_point` returns; INDEFINITE: the minimum of the quadratic does not exist."""
SHORT = 0.995
"""Largest part of the way to the border of ``lambda, s, nu, z > 0``."""


@driver
def along(t: int, i: int, program: Any, dx: Any, du: Any) -> float:
    """``a v``, the left side of row i after step t."""
    bounds, (index, sign, _) = program[3], program[5]
    m, d, count = du.shape[1], dx.shape[1], len(index)
    if i < count:
        j = index[i]
        return sign[i] * (du[t, j] if j < m else dx[t + 1, j - m])
    k = len(program[6])
    i -= count
    s = 0.0
    for j in range(d):
        s += bounds[t, k + i * d + j] * dx[t + 1, j]
    for j in range(m):
        s += bounds[t, k + k * d + i * m + j] * du[t, j]
    return s


@driver
def right(t: int, i: int, program: Any) -> float:
    """b, the right side of row i after step t."""
    count = len(program[5][0])
    return program[5][2][t, i] if i < count else -program[3][t, i - count]


@driver
def price_of(i: int, program: Any) -> float:
    """The price of a violation of row i; infinite for a bound."""
    count = len(program[5][0])
    return program[6][i - count] if i >= count else math.inf


@driver
def above(i: int, l: float, program: Any) -> float:
    """``nu = price - lambda`` of row i, kept positive."""
    price = price_of(i, program)
    return max(price - l, 1e-15 * price)


@driver
def start(warm: float, program: Any, point: Any) -> None:
    """A point inside ``lambda, s, nu, z > 0`` with ``lambda s = warm``, from the last multipliers if they are given."""
    dx, du, pi, lam, slack, z = point
    clear(dx[1:])
    clear(du)
    clear(pi)
    for t in range(lam.shape[0]):
        for i in range(lam.shape[1]):
            price, b = price_of(i, program), right(t, i, program)
            s = max(b, 1e-6)
            l = min(max(lam[t, i], warm / max(s, 1.0)), 0.9 * price)
            if l > s:
                s = max(warm / l, s if s * l < 100.0 * warm else warm / l)
            else:
                l = min(warm / s, 0.5 * price)
            lam[t, i], slack[t, i] = l, s
            z[t, i] = 0.0 if price == math.inf else max(warm / (price - l), s - b if b < 0.0 else 0.0)


@driver
def weigh(target: float, correct: float, program: Any, point: Any, memory: Any) -> None:
    """w and kappa of all rows, to reach ``lambda s = nu z = target``; with Mehrotra's corrections, or 0 of them."""
    dx, du, _, lam, slack, z = point
    _, (w, kappa), (dlam, dslack, dz), _, _ = memory
    for t in range(lam.shape[0]):
        for i in range(lam.shape[1]):
            l, nu = lam[t, i], above(i, lam[t, i], program)
            c, e = correct * dlam[t, i] * dslack[t, i], -correct * dlam[t, i] * dz[t, i]
            w[t, i] = 1.0 / (slack[t, i] / l + z[t, i] / nu)
            over = along(t, i, program, dx, du) - right(t, i, program)
            kappa[t, i] = w[t, i] * (over + (target - c) / l - (target - e) / nu)


@driver
def directions(target: float, correct: float, program: Any, point: Any, memory: Any) -> float:
    """dlambda, ds and dz towards the new plan; the longest step that keeps all positive, at most 1."""
    lam, slack, z = point[3], point[4], point[5]
    _, (w, kappa), (dlam, dslack, dz), (dx, du, _, _, _, _), _ = memory
    step = 1.0
    for t in range(lam.shape[0]):
        for i in range(lam.shape[1]):
            l, s, nu = lam[t, i], slack[t, i], above(i, lam[t, i], program)
            c, e = correct * dlam[t, i] * dslack[t, i], -correct * dlam[t, i] * dz[t, i]
            a = kappa[t, i] + w[t, i] * along(t, i, program, dx, du)
            dlam[t, i] = a
            dslack[t, i] = (target - c - s * a) / l - s
            dz[t, i] = 0.0 if nu == math.inf else (target - e + z[t, i] * a) / nu - z[t, i]
            if step * a < -SHORT * l:
                step = -SHORT * l / a
            if step * a > SHORT * nu:
                step = SHORT * nu / a
            if step * dslack[t, i] < -SHORT * s:
                step = -SHORT * s / dslack[t, i]
            if step * dz[t, i] < -SHORT * z[t, i]:
                step = -SHORT * z[t, i] / dz[t, i]
    return step


@driver
def complementarity(step: float, program: Any, point: Any, memory: Any) -> float:
    """mu, the mean of all ``lambda s`` and ``nu z``, after a step of this length."""
    lam, slack, z = point[3], point[4], point[5]
    dlam, dslack, dz = memory[2]
    total, count = 0.0, 0
    for t in range(lam.shape[0]):
        for i in range(lam.shape[1]):
            l = lam[t, i] + step * dlam[t, i]
            nu = above(i, l, program)
            total += l * (slack[t, i] + step * dslack[t, i])
            count += 1
            if nu < math.inf:
                total += nu * (z[t, i] + step * dz[t, i])
                count += 1
    return total / max(count, 1)


@driver
def beyond(step: float, a: Any, b: Any) -> None:
    """``a += step b``, for matrices."""
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            a[i, j] += step * b[i, j]


@driver
def residuals(regular: float, program: Any, point: Any, memory: Any, report: Any) -> None:
    """Residuals of the optimality conditions at a point; the largest primal, dual and complementary one as report[1:4].

    ::

        r_x  = lx + lxx dx + lxu du + F' pi - pi before + sum lambda a_x        at the end: Tx + Txx dx - pi before ...
        r_u  = lu + lxu' dx + luu du + B' pi + sum lambda a_u
        r_pi = F dx + B du + defect - dx after
    """
    moves, defects, costs, bounds, end, (index, sign, _), price = program
    dx, du, pi, lam, slack, z = point
    rx, ru, rpi = memory[3][3], memory[3][4], memory[3][5]
    (T, m), d, count, k = du.shape, dx.shape[1], len(index), len(price)
    n, lxu = moves.shape[1] - d * d - d * m, 1 + d + m + d * d
    primal, dual, gap = 0.0, 0.0, 0.0
    for i in range(d):
        rx[T, i] = end[1 + i] + regular * dx[T, i]
    add_product(end, 1 + d, dx[T], rx[T])
    for t in range(T - 1, -1, -1):
        for i in range(m):
            ru[t, i] = costs[t, 1 + d + i] + regular * du[t, i]
        add_transposed(costs[t], lxu, dx[t], ru[t])
        add_product(costs[t], lxu + d * m, du[t], ru[t])
        add_transposed(moves[t], n + d * d, pi[t], ru[t])
        for i in range(lam.shape[1]):
            l, most = lam[t, i], price_of(i, program)
            gap = max(gap, l * slack[t, i], 0.0 if most == math.inf else (most - l) * z[t, i])
            primal = max(primal, along(t, i, program, dx, du) - right(t, i, program) - z[t, i])
            if i < count:
                j = index[i]
                if j < m:
                    ru[t, j] += sign[i] * l
                else:
                    rx[t + 1, j - m] += sign[i] * l
        add_transposed(bounds[t], k, lam[t, count:], rx[t + 1])
        add_transposed(bounds[t], k + k * d, lam[t, count:], ru[t])
        for i in range(m):
            dual = max(dual, math.fabs(ru[t, i]))
        for i in range(d):
            rx[t + 1, i] -= pi[t, i]
            dual = max(dual, math.fabs(rx[t + 1, i]))
            rx[t, i], rpi[t, i] = costs[t, 1 + i] + regular * dx[t, i], defects[t, i] - dx[t + 1, i]
        add_product(moves[t], n, dx[t], rpi[t])
        add_product(moves[t], n + d * d, du[t], rpi[t])
        for i in range(d):
            primal = max(primal, math.fabs(rpi[t, i]))
        add_product(costs[t], lxu - d * d, dx[t], rx[t])
        add_product(costs[t], lxu, du[t], rx[t])
        add_transposed(moves[t], n, pi[t], rx[t])
    report[1], report[2], report[3] = primal, dual, gap


@driver
def interior_point(
    most: int, tolerance: float, warm: float, regular: float, program: Any, point: Any, memory: Any, report: Any
) -> int:
    """Minimise a quadratic program along time.

    Args:
        most: largest number of iterations.
        tolerance: largest residual, and largest mean of ``lambda s`` and ``nu z``, at the end.
        warm: their value at the start; the lower, the nearer to the last multipliers lambda, which may be 0.
        regular: added to the diagonals of lxx, luu and Txx.
        program: (F B) of each step as the last numbers of rows ``(T, n + d d + d m)``; defects ``(T, d)``; rows
            (l lx lu lxx lxu luu) ``(T, ...)``; rows (g gx gu) ``(T, k + k d + k m)``; (T Tx Txx); bounds as index and
            sign ``(b,)`` and room ``(T, b)``; prices ``(k,)``, infinite where a row is hard.
        point: dx ``(T + 1, d)`` with dx_0 given, du ``(T, m)``, multipliers of the dynamics ``(T, d)``, and of each row
            lambda, slack and z ``(T, b + k)``. They become the solution; only lambda is read.
        memory: see `memory_for`.
        report: becomes iterations and the largest primal, dual and complementary residual.

    Returns:
        SOLVED, UNFINISHED or INDEFINITE.
    """
    dx, du, pi, lam, slack, z = point
    _, _, (dlam, dslack, dz), (ddx, ddu, dpi, _, _, _), _ = memory
    start(warm, program, point)
    clear(ddx)
    step = 1.0
    for count in range(most + 1):
        residuals(regular, program, point, memory, report)
        report[0] = count
        mu = complementarity(0.0, program, point, memory)
        if report[1] <= tolerance and report[2] <= tolerance and mu <= tolerance:
            return SOLVED
        if count == most or not step > 1e-10:
            return UNFINISHED
        target, correct = 0.0, 0.0
        while True:  # the predictor, then the corrector
            weigh(target, correct, program, point, memory)
            if correct == 0.0 and not factor(regular, program, memory):
                return INDEFINITE
            sweep(program, memory)
            step = directions(target, correct, program, point, memory)
            if correct > 0.0 or lam.shape[1] == 0:
                break
            part = complementarity(step, program, point, memory) / mu
            target, correct = max(part * part * part * mu, 0.1 * tolerance), 1.0
        beyond(step, dx, ddx)
        beyond(step, du, ddu)
        beyond(step, pi, dpi)
        beyond(step, lam, dlam)
        beyond(step, slack, dslack)
        beyond(step, z, dz)
    return UNFINISHED


Q = "Tuple((f8[::1], f8[::1], f8[:,::1], f8[:,::1], f8[:,::1]))"
M2, M3 = "f8[:,::1]", "f8[:,:,::1]"
PROGRAM = f"Tuple(({M2}, {M2}, {M2}, {M2}, f8[::1], Tuple((i8[::1], f8[::1], {M2})), f8[::1]))"
POINT = f"UniTuple({M2}, 6)"
MEMORY = (
    f"Tuple((Tuple(({M3}, {M3}, {M3}, {M3}, {M2}, {M2})), UniTuple({M2}, 2), UniTuple({M2}, 3), UniTuple({M2}, 6), "
    f"Tuple(({Q}, f8[::1], {M2}, {M2}, f8[::1]))))"
)
SIGNATURE = f"i8(i8, f8, f8, f8, {PROGRAM}, {POINT}, {MEMORY}, f8[::1])"
"""The numba signature of `interior_point`."""


def memory_for(T: int, d: int, m: int, rows: int) -> tuple[Any, Any]:
    """A point and the memory of `interior_point`, for T steps, a tangent of dim d, m actions and rows of a step."""
    z = np.zeros
    point = z((T + 1, d)), z((T, m)), z((T, d)), z((T, rows)), z((T, rows)), z((T, rows))
    riccati = z((T + 1, d, d)), z((T, m, d)), z((T, m, m)), z((T, m, d)), z((T, m)), z((T + 1, d))
    q = z(d), z(m), z((d, d)), z((m, d)), z((m, m))
    weights, steps = (z((T, rows)), z((T, rows))), (z((T, rows)), z((T, rows)), z((T, rows)))
    changes = z((T + 1, d)), z((T, m)), z((T, d)), z((T + 1, d)), z((T, m)), z((T, d))
    return point, (riccati, weights, steps, changes, (q, z(d), z((d, d)), z((d, m)), z(m)))
