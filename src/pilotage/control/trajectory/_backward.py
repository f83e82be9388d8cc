"""The backward sweep of iLQR: from the end of a plan to its beginning, the best change of each action.

Letters as in the source: x states, u actions, F and B the derivatives of the dynamics, V the cost to go, Q the cost to
go before an action is chosen, k and K the change of the actions. All derivatives are in the tangent.
"""

from __future__ import annotations

import math
from typing import Any

from ...models.trace import call, driver
from ._lagrangian import charge
from .boxqp import box_qp, cholesky_solve


@driver
def clear(a: Any) -> None:
    """a = 0, for matrices."""
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            a[i, j] = 0.0


@driver
def quadratize(move: Any, cost: Any, n: int, Vx: Any, Vxx: Any, Gux: Any, q: Any, VF: Any, VB: Any) -> None:
    """The quadratic Q of one step, out of V after it.

    ::

        Qx  = lx  + F' Vx          Qxx = lxx + F' Vxx F
        Qu += lu  + B' Vx          Quu += luu + B' Vxx B + B' Gux' + Gux B        G: the constraint's share of Q
        Qux = lux + B' Vxx F + Gux F
    """
    Qx, Qu, Qxx, Qux, Quu = q
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


@driver
def steepen(t: int, us: Any, limits: Any, mu: float, q: Any, box: Any, k: Any, K: Any) -> bool:
    """Gains of one step: k by a quadratic program within the limits, K among the actions that these leave free."""
    _, Qu, _, Qux, Quu = q
    H, low, high, column, free, w = box
    m, d = Qux.shape
    for i in range(m):
        low[i], high[i] = limits[0, i] - us[t, i], limits[1, i] - us[t, i]
        for j in range(m):
            H[i, j] = 0.5 * (Quu[i, j] + Quu[j, i]) + (mu if i == j else 0.0)
        k[i] = 0.0
    count = box_qp(H, Qu, low, high, k, free, w)
    for i in range(m):
        if not math.fabs(k[i]) < math.inf:
            return False
    clear(K)
    for i in range(d):
        for a in range(count):
            column[a] = -Qux[free[a], i]
        cholesky_solve(w, column, count)
        for a in range(count):
            K[free[a], i] = column[a]
    return count >= 0


@driver
def bend(models: Any, x: Any, u: Any, Vx: Any, q: Any, w: Any) -> None:
    """Add the curvature of the dynamics to Q: ``Qxx += Vx' d2y/dx2``, and so Qux and Quu."""
    code, dt, p, _ = models
    _, _, Qxx, Qux, Quu = q
    (m, d), (data, out) = Qux.shape, w
    data[0] = dt[0]
    for i in range(d):
        data[1 + i] = Vx[i]
    call(code[9], x, u, data, p, out)
    for i in range(d):
        for j in range(d):
            Qxx[i, j] += out[i * d + j]
        for j in range(m):
            Qux[j, i] += out[d * d + i * m + j]
    for i in range(m):
        for j in range(m):
            Quu[i, j] += out[d * d + d * m + i * m + j]


@driver
def backward(
    n: int, models: Any, xs: Any, us: Any, derivatives: Any, stages: Any, mu: float, k: Any, K: Any, gain: Any,
    scratch: Any,
) -> bool:  # fmt: skip
    """Gains k and K from the end of the plan to its beginning; False where Quu + mu I is not positive definite.

    `gain` becomes the linear and the quadratic part of the expected change of the cost, ``a g0 + a^2 g1`` at step a.

    Source: Tassa, Mansard and Todorov, "Control-limited differential dynamic programming", ICRA 2014, equations 5 to
    11 and section IV; mu is added to the diagonal of Quu, as in Levenberg and Marquardt's method. With code for the
    second derivatives of the dynamics, it is Mayne's differential dynamic programming.
    """
    moves, costs, bounds, end = derivatives
    _, limits, multipliers, weight = stages
    T, m, d = K.shape
    (Vx, Vxx, Gux, VF, VB), q, box, w = scratch
    gain[0], gain[1] = 0.0, 0.0
    for i in range(d):
        Vx[i] = end[1 + i]
        for j in range(d):
            Vxx[i, j] = end[1 + d + i * d + j]
    for t in range(T - 1, -1, -1):
        for i in range(m):
            q[1][i] = 0.0
        clear(q[4])
        clear(Gux)
        if bounds.shape[1] > 0:
            charge(bounds[t], multipliers[t], weight, Vx, Vxx, q[1], q[4], Gux)
        quadratize(moves[t], costs[t], n, Vx, Vxx, Gux, q, VF, VB)
        if models[0][9] > 0:
            bend(models, xs[t], us[t], Vx, q, w)
        if not steepen(t, us, limits, mu, q, box, k[t], K[t]):
            return False
        value_before(k[t], K[t], q, Vx, Vxx, gain)
    return True


@driver
def value_before(k: Any, K: Any, q: Any, Vx: Any, Vxx: Any, gain: Any) -> None:
    """V of a step from its Q and gains.

    ::

        Vx  = Qx  + K' (Quu k + Qu) + Qux' k
        Vxx = Qxx + K' Quu K + K' Qux + Qux' K
        g0 += k' Qu,   g1 += k' Quu k / 2
    """
    Qx, Qu, Qxx, Qux, Quu = q
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
