"""The Riccati recursion of Newton's step in `stage_qp`: matrices once, vectors twice.

Letters as there: w and kappa are the weights of the rows, G their share of the Hessian between action and next state.
"""

from __future__ import annotations

from typing import Any

from ...models.trace import driver
from ._backward import clear, quadratize
from .boxqp import cholesky, cholesky_solve


@driver
def factor(regular: float, program: Any, memory: Any) -> bool:
    """The matrices of the Riccati recursion: V, K and the Cholesky factors of Quu; False where one has none."""
    moves, _, costs, bounds, end, (index, _, _), price = program
    (V, G, L, K, _, _), (w, _), _, _, (q, zero, VF, VB, column) = memory
    T, m, d = K.shape
    n, count, k = moves.shape[1] - d * d - d * m, len(index), len(price)
    _, Qu, Qxx, Qux, Quu = q
    for i in range(d):
        for j in range(d):
            V[T, i, j] = end[1 + d + i * d + j] + (regular if i == j else 0.0)
    for t in range(T - 1, -1, -1):
        clear(G[t])
        clear(Quu)
        for i in range(m):
            Qu[i] = 0.0
        for i in range(count):
            j = index[i]
            if j < m:
                Quu[j, j] += w[t, i]
            else:
                V[t + 1, j - m, j - m] += w[t, i]
        for r in range(k):
            weight, x, u = w[t, count + r], k + r * d, k + k * d + r * m
            for i in range(d):
                for j in range(d):
                    V[t + 1, i, j] += weight * bounds[t, x + i] * bounds[t, x + j]
            for i in range(m):
                for j in range(m):
                    Quu[i, j] += weight * bounds[t, u + i] * bounds[t, u + j]
                for j in range(d):
                    G[t, i, j] += weight * bounds[t, u + i] * bounds[t, x + j]
        quadratize(moves[t], costs[t], n, zero, V[t + 1], G[t], q, VF, VB)
        for i in range(m):
            Quu[i, i] += regular
        if not cholesky(Quu, L[t], m):
            return False
        for i in range(d):
            for j in range(m):
                column[j] = -Qux[j, i]
            cholesky_solve(L[t], column, m)
            for j in range(m):
                K[t, j, i] = column[j]
        for i in range(d):
            for j in range(i + 1):
                s = Qxx[i, j] + (regular if i == j else 0.0)
                for l in range(m):
                    s += Qux[l, i] * K[t, l, j]
                V[t, i, j] = s
                V[t, j, i] = s
    return True


@driver
def sweep(program: Any, memory: Any) -> None:
    """The vectors of the Riccati recursion backward, and the change of plan and multipliers pi of the dynamics forward.

    ::

        p = Vx + V r_pi     Qu = r_u + B' p + G r_pi     k = -Quu^-1 Qu     Vx <- r_x + F' p + K' Qu
        du = k + K dx       dx <- F dx + B du + r_pi     dpi = Vx + V dx + G' du
    """
    moves, _, _, bounds, _, (index, sign, _), price = program
    (V, G, L, K, k, Vx), (_, kappa), _, (dx, du, dpi, rx, ru, rpi), (q, p, _, _, _) = memory
    T, m, d = K.shape
    n, count, rows, Qu = moves.shape[1] - d * d - d * m, len(index), len(price), q[1]
    for t in range(T + 1):
        for i in range(d):
            Vx[t, i] = rx[t, i]
    for t in range(T - 1, -1, -1):
        for i in range(m):
            Qu[i] = ru[t, i]
        for i in range(count):
            j = index[i]
            if j < m:
                Qu[j] += sign[i] * kappa[t, i]
            else:
                Vx[t + 1, j - m] += sign[i] * kappa[t, i]
        for r in range(rows):
            for i in range(d):
                Vx[t + 1, i] += kappa[t, count + r] * bounds[t, rows + r * d + i]
            for i in range(m):
                Qu[i] += kappa[t, count + r] * bounds[t, rows + rows * d + r * m + i]
        for i in range(d):
            s = Vx[t + 1, i]
            for j in range(d):
                s += V[t + 1, i, j] * rpi[t, j]
            p[i] = s
        for i in range(m):
            s = Qu[i]
            for j in range(d):
                s += moves[t, n + d * d + j * m + i] * p[j] + G[t, i, j] * rpi[t, j]
            Qu[i] = s
            k[t, i] = -s
        cholesky_solve(L[t], k[t], m)
        for i in range(d):
            s = Vx[t, i]
            for j in range(d):
                s += moves[t, n + j * d + i] * p[j]
            for j in range(m):
                s += K[t, j, i] * Qu[j]
            Vx[t, i] = s
    for i in range(d):
        p[i] = 0.0
    for t in range(T):
        for i in range(m):
            s = k[t, i]
            for j in range(d):
                s += K[t, i, j] * dx[t, j]
            du[t, i] = s
        for i in range(d):
            s = rpi[t, i]
            for j in range(d):
                s += moves[t, n + i * d + j] * dx[t, j]
            for j in range(m):
                s += moves[t, n + d * d + i * m + j] * du[t, j]
            dx[t + 1, i] = s
        for i in range(d):
            s = Vx[t + 1, i]
            for j in range(d):
                s += V[t + 1, i, j] * dx[t + 1, j]
            for j in range(m):
                s += G[t, j, i] * du[t, j]
            dpi[t, i] = s
