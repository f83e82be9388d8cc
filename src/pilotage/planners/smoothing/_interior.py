"""Mehrotra's interior point method for quadratic programs with banded matrices, compiled."""

from __future__ import annotations

import math

import numpy as np

from ...models.trace import driver

ITERATIONS = 60
TO_EDGE = 0.995
"""Share of the way to the nearest bound that a step may go."""
# Rows of the memory for inequalities.
S, Z, RP, W, RC, DS, DZ = 0, 1, 2, 3, 4, 5, 6


@driver("i8(f8[:,::1], f8[::1], f8[:,::1], i8[::1], f8[::1], f8[::1], f8[:,::1], f8[:,::1], f8[:,::1], f8)")
def interior(P, q, G, first, h, x, M, dual, slack, tolerance):
    """Mehrotra's predictor-corrector method: the number of factorizations, negative if it found no solution.

    ::

        min 1/2 x' P x + q' x   subject to   G x + s = h,  s >= 0
        (P + G' W G) dx = -r_d - G' (W r_p - r_c / s),   W = z / s          normal equations, banded Cholesky

    Args:
        P, q, G, first, h, tolerance: see `_quadratic.minimize`.
        x: first guess ``(n,)``, overwritten.
        M: memory ``(n, w)``, for the normal equations.
        dual: memory ``(3, n)``.
        slack: memory ``(7, m)``.

    Source: S. Mehrotra, On the implementation of a primal-dual interior point method, 1992; for quadratic programs
    J. Nocedal, S. Wright, Numerical optimization, 2006, algorithm 16.4.
    """
    count = h.shape[0]
    s, z, r_p, weights, r_c, ds, dz = slack[S], slack[Z], slack[RP], slack[W], slack[RC], slack[DS], slack[DZ]
    Px, r_d, dx = dual[0], dual[1], dual[2]
    size_d, size_p = 1.0 + largest(q), 1.0 + largest(h)
    start(G, first, h, x, s, z)
    for k in range(ITERATIONS):
        gap, cost = residuals(P, q, G, first, h, x, s, z, Px, r_d, r_p)
        if not gap < np.inf:
            return -k
        if max(largest(r_d) / size_d, largest(r_p) / size_p, gap / (1.0 + abs(cost))) < tolerance:
            return k
        for i in range(count):
            weights[i] = z[i] / s[i]
            r_c[i] = s[i] * z[i]
        if not factorized(P, G, first, weights, M):
            return -k - 1
        direction(M, G, first, r_d, r_p, s, weights, r_c, dx, ds, dz)
        far, after = min(to_edge(s, ds), to_edge(z, dz), 1.0), 0.0
        for i in range(count):
            after += (s[i] + far * ds[i]) * (z[i] + far * dz[i])
        target = (after / gap) ** 3 * gap / count
        for i in range(count):
            r_c[i] += ds[i] * dz[i] - target
        direction(M, G, first, r_d, r_p, s, weights, r_c, dx, ds, dz)
        step = min(1.0, TO_EDGE * min(to_edge(s, ds), to_edge(z, dz)))
        moved(x, step, dx)
        moved(s, step, ds)
        moved(z, step, dz)
    return -ITERATIONS


@driver
def start(G, first, h, x, s, z):
    """Slacks of at least a tenth of the size of h, and multipliers of 1."""
    least = 0.1 * (1.0 + largest(h))
    for i in range(h.shape[0]):
        s[i] = max(h[i] - row_times(G, first, i, x), least)
        z[i] = 1.0


@driver
def residuals(P, q, G, first, h, x, s, z, Px, r_d, r_p):
    """``r_d = P x + q + G' z``, ``r_p = G x + s - h``; the gap ``s' z`` and the cost."""
    n, gap, cost = x.shape[0], 0.0, 0.0
    for j in range(n):
        Px[j] = P[j, 0] * x[j]
    for j in range(n):
        for k in range(1, min(P.shape[1], n - j)):
            Px[j] += P[j, k] * x[j + k]
            Px[j + k] += P[j, k] * x[j]
    for j in range(n):
        r_d[j] = Px[j] + q[j]
        cost += x[j] * (0.5 * Px[j] + q[j])
    for i in range(h.shape[0]):
        add_row(G, first, i, z[i], r_d)
        r_p[i] = row_times(G, first, i, x) + s[i] - h[i]
        gap += s[i] * z[i]
    return gap, cost


@driver
def direction(M, G, first, r_d, r_p, s, weights, r_c, dx, ds, dz):
    """Newton's step to residuals of zero, with ``s z`` changed by -r_c."""
    for j in range(dx.shape[0]):
        dx[j] = -r_d[j]
    for i in range(s.shape[0]):
        add_row(G, first, i, r_c[i] / s[i] - weights[i] * r_p[i], dx)
    solve(M, dx)
    for i in range(s.shape[0]):
        ds[i] = -r_p[i] - row_times(G, first, i, dx)
        dz[i] = -r_c[i] / s[i] - weights[i] * ds[i]


@driver
def factorized(P, G, first, weights, M):
    """The Cholesky factor of ``P + G' W G`` in M, by columns; False if a pivot is not positive, or not a number."""
    n, w = M.shape
    for j in range(n):
        for k in range(w):
            M[j, k] = P[j, k]
    for i in range(first.shape[0]):
        for a in range(min(w, n - first[i])):
            scaled = weights[i] * G[i, a]
            if scaled != 0.0:
                for b in range(a, min(w, n - first[i])):
                    M[first[i] + a, b - a] += scaled * G[i, b]
    for j in range(n):
        if not 0.0 < M[j, 0] < np.inf:
            return False
        reach, root = min(w, n - j), math.sqrt(M[j, 0])
        for k in range(reach):
            M[j, k] /= root
        for a in range(1, reach):
            for b in range(a, reach):
                M[j + a, b - a] -= M[j, a] * M[j, b]
    return True


@driver
def solve(M, y):
    """Solve ``L L' y = y``, with the columns of L in M, in place."""
    n, w = M.shape
    for j in range(n):
        y[j] /= M[j, 0]
        for k in range(1, min(w, n - j)):
            y[j + k] -= M[j, k] * y[j]
    for j in range(n - 1, -1, -1):
        for k in range(1, min(w, n - j)):
            y[j] -= M[j, k] * y[j + k]
        y[j] /= M[j, 0]


@driver
def row_times(G, first, i, x):
    """The product of a row of G and x."""
    out = 0.0
    for k in range(min(G.shape[1], x.shape[0] - first[i])):
        out += G[i, k] * x[first[i] + k]
    return out


@driver
def add_row(G, first, i, share, y):
    """Add a multiple of a row of G to y."""
    for k in range(min(G.shape[1], y.shape[0] - first[i])):
        y[first[i] + k] += G[i, k] * share


@driver
def to_edge(value, change):
    """The largest step in [0, 1e3] that keeps values positive."""
    step = 1e3
    for i in range(value.shape[0]):
        if change[i] < 0.0:
            step = min(step, -value[i] / change[i])
    return step


@driver
def moved(x, step, dx):
    """``x <- x + step dx``."""
    for i in range(x.shape[0]):
        x[i] += step * dx[i]


@driver
def largest(x):
    """The largest absolute value; 0 of nothing."""
    out = 0.0
    for i in range(x.shape[0]):
        out = max(out, abs(x[i]))
    return out
