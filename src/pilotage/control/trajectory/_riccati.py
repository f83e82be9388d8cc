"""The Riccati recursion of Newton's step in `stage_qp`: matrices once, vectors twice.

Letters as there: w and kappa are the weights of the rows, G their share of the Hessian between action and next state.
"""

from __future__ import annotations

from typing import Any

from ...models.trace import driver
from ._backward import clear, quadratize
from .boxqp import cholesky, cholesky_solve


@driver
def add_product(A: Any, at: int, x: Any, out: Any) -> None:
    """``out += A x``, A the matrix in a row of numbers from `at` on."""
    for i in range(len(out)):
        s = out[i]
        for j in range(len(x)):
            s += A[at + j] * x[j]
        out[i] = s
        at += len(x)


@driver
def add_transposed(A: Any, at: int, x: Any, out: Any) -> None:
    """``out += A' x``, likewise."""
    for i in range(len(x)):
        for j in range(len(out)):
            out[j] += A[at + j] * x[i]
        at += len(out)


@driver
def add_outer(weight: float, row: Any, a: int, b: int, out: Any) -> None:
    """``out += weight a b'``, for vectors in a row of numbers from `a` and `b` on."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] += weight * row[a + i] * row[b + j]


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
            add_outer(weight, bounds[t], x, x, V[t + 1])
            add_outer(weight, bounds[t], u, u, Quu)
            add_outer(weight, bounds[t], u, x, G[t])
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
        add_transposed(bounds[t], rows, kappa[t, count:], Vx[t + 1])
        add_transposed(bounds[t], rows + rows * d, kappa[t, count:], Qu)
        for i in range(d):
            p[i] = Vx[t + 1, i]
        add_product(V[t + 1].reshape(d * d), 0, rpi[t], p)
        add_transposed(moves[t], n + d * d, p, Qu)
        add_product(G[t].reshape(m * d), 0, rpi[t], Qu)
        for i in range(m):
            k[t, i] = -Qu[i]
        cholesky_solve(L[t], k[t], m)
        add_transposed(moves[t], n, p, Vx[t])
        add_transposed(K[t].reshape(m * d), 0, Qu, Vx[t])
    for t in range(T):
        for i in range(m):
            du[t, i] = k[t, i]
        add_product(K[t].reshape(m * d), 0, dx[t], du[t])
        for i in range(d):
            dx[t + 1, i], dpi[t, i] = rpi[t, i], Vx[t + 1, i]
        add_product(moves[t], n, dx[t], dx[t + 1])
        add_product(moves[t], n + d * d, du[t], dx[t + 1])
        add_product(V[t + 1].reshape(d * d), 0, dx[t + 1], dpi[t])
        add_transposed(G[t].reshape(m * d), 0, du[t], dpi[t])
