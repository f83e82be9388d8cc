"""Small quadratic programs with bounds, as the backward pass of iLQR solves one per step."""

from __future__ import annotations

import math
from typing import Any

from ...models.trace import driver


@driver
def cholesky(A: Any, L: Any, n: int) -> bool:
    """``L L' = A`` for the leading n rows of both; False when A is not positive definite."""
    for i in range(n):
        for j in range(i + 1):
            s = A[i, j]
            for k in range(j):
                s -= L[i, k] * L[j, k]
            if i == j:
                if not s > 1e-14 * math.fabs(A[i, i]):
                    return False
                L[i, i] = math.sqrt(s)
            else:
                L[i, j] = s / L[j, j]
    return True


@driver
def cholesky_solve(L: Any, b: Any, n: int) -> None:
    """``b <- (L L')^-1 b`` for the leading n rows."""
    for i in range(n):
        s = b[i]
        for k in range(i):
            s -= L[i, k] * b[k]
        b[i] = s / L[i, i]
    for i in range(n - 1, -1, -1):
        s = b[i]
        for k in range(i + 1, n):
            s -= L[k, i] * b[k]
        b[i] = s / L[i, i]


@driver
def gradient(H: Any, q: Any, d: Any, g: Any) -> None:
    """``g = H d + q``."""
    for i in range(len(q)):
        s = 0.0
        for j in range(len(q)):
            s += H[i, j] * d[j]
        g[i] = q[i] + s


@driver
def held_wrongly(H: Any, q: Any, low: Any, high: Any, d: Any, g: Any, held: Any) -> int:
    """The held component whose release lowers the value most steeply; -1 when there is none."""
    worst, which = 0.0, -1
    for i in range(len(q)):
        size = math.fabs(q[i])
        for j in range(len(q)):
            size += math.fabs(H[i, j] * d[j])
        inward = -g[i] if d[i] <= low[i] else g[i]
        if held[i] > 0.0 and low[i] < high[i] and inward > 1e-12 * size and inward > worst:
            worst, which = inward, i
    return which


@driver
def box_qp(H: Any, q: Any, low: Any, high: Any, d: Any, free: Any, w: Any) -> int:
    """Minimise ``1/2 d' H d + q' d`` subject to ``low <= d <= high`` by the primal active set method.

    From a point in the box, Newton's step among the free components: a bound that it meets holds its component from
    then on; where it meets none, the component that a bound holds against its will is set free.

    Args:
        H: symmetric ``(m, m)``; has to be positive definite on the free components only.
        q, low, high: ``(m,)``.
        d: where to begin, ``(m,)``; becomes the minimum.
        free: indices ``(m,)``; the first of them become the components that are not held by a bound.
        w: memory ``(2 m + 3, m)``; its first rows become the Cholesky factor of H among the free components.

    Returns:
        How many components are free, or -1 when H is not positive definite among them.

    Source: Nocedal and Wright, "Numerical optimization" (2006), algorithm 16.3. The projected Newton method of Tassa,
    Mansard and Todorov (2014) stalls where H is badly scaled.
    """
    m = len(q)
    L, A, g, s, held = w[:m], w[m : 2 * m], w[2 * m], w[2 * m + 1], w[2 * m + 2]
    for i in range(m):
        d[i] = min(max(d[i], low[i]), high[i])
    gradient(H, q, d, g)
    for i in range(m):
        held[i] = 1.0 if (d[i] <= low[i] and g[i] > 0.0) or (d[i] >= high[i] and g[i] < 0.0) else 0.0
    count = 0
    for _ in range(100 * m):
        count = 0
        for i in range(m):
            if held[i] == 0.0:
                free[count] = i
                count += 1
        for a in range(count):
            s[a] = -g[free[a]]
            for b in range(count):
                A[a, b] = H[free[a], free[b]]
        if not cholesky(A, L, count):
            return -1
        cholesky_solve(L, s, count)
        step, met = 1.0, -1
        for a in range(count):
            i = free[a]
            bound = high[i] if s[a] > 0.0 else low[i]
            room = bound - d[i]
            if math.fabs(s[a]) * step > math.fabs(room):
                step, met = room / s[a], i
        for a in range(count):
            d[free[a]] += step * s[a]
        if met >= 0:
            d[met] = high[met] if d[met] - low[met] > high[met] - d[met] else low[met]
            held[met] = 1.0
        gradient(H, q, d, g)
        if met < 0:
            which = held_wrongly(H, q, low, high, d, g, held)
            if which < 0:
                return count
            held[which] = 0.0
    return count
