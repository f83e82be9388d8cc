"""Changes of the working set: rows that enter and leave, with their multipliers; letters as in `active_set`."""

from __future__ import annotations

import math
from typing import Any

from ...models.trace import driver
from ._factor import back_substitute, pivot, remove, subtract

FREE, ACTIVE, CAPPED = 0, 1, 2
"""Sides of a row, positive at its upper bound and negative at its lower: a capped row pays its weight."""
SINGULAR = 1e-11
"""A pivot of L D L', relative to the diagonal of G, below which a row depends on the working set."""


@driver
def room(i: int, step: float, lam: Any, side: Any, bounds: Any, weight: Any) -> float:
    """The largest multiple of `step` that the multiplier of the row i can make: to zero or to its weight."""
    equal = bounds[0, i] == bounds[1, i]
    most = weight[i] if side[i] > 0 or equal else 0.0
    least = -weight[i] if side[i] < 0 or equal else 0.0
    if step > 0.0:
        return (most - lam[i]) / step
    return (least - lam[i]) / step if step < 0.0 else math.inf


@driver
def leave(k: int, lam: Any, side: Any, weight: Any, L: Any, D: Any, W: Any, count: int) -> int:
    """Take the k-th row out of the working set, to zero or to its weight; how many are left."""
    i = W[k]
    retire(i, lam, side, weight)
    remove(L, D, W, count, k)
    return count - 1


@driver
def retire(i: int, lam: Any, side: Any, weight: Any) -> None:
    """Hold the multiplier of the row i where it is: at zero, or at its weight."""
    if math.fabs(lam[i]) > 0.5 * weight[i]:
        side[i] = CAPPED if lam[i] > 0.0 else -CAPPED
        lam[i] = math.copysign(weight[i], lam[i])
    else:
        side[i], lam[i] = FREE, 0.0


@driver
def restart(y: Any, bounds: Any, G: Any, weight: Any, lam: Any, side: Any, L: Any, D: Any, W: Any) -> int:
    """Factor the working set that `side` describes, and subtract G lam from y; how many rows it has."""
    count = 0
    for i in range(len(y)):
        if side[i] != FREE and not math.fabs(bounds[1 if side[i] > 0 else 0, i]) < math.inf:
            side[i] = FREE
        if side[i] == ACTIVE or side[i] == -ACTIVE:
            d = pivot(L, D, G, W, count, i) if count < len(D) else 0.0
            if d > SINGULAR * G[i, i]:
                D[count], W[count] = d, i
                count += 1
            else:
                side[i] = FREE
        if side[i] == FREE:
            lam[i] = 0.0
        else:
            subtract(G, i, lam[i], y)
    return count


@driver
def most_violated(y: Any, bounds: Any, G: Any, side: Any, tolerance: float, first: bool) -> int:
    """The row farthest outside its bounds, in the metric of H, or a capped one inside; -1 if there is none."""
    worst, which = 0.0, -1
    for j in range(len(y)):
        v = 0.0
        if side[j] == FREE:
            v = max(y[j] - bounds[1, j], bounds[0, j] - y[j])
        elif side[j] == CAPPED:
            v = bounds[1, j] - y[j]
        elif side[j] == -CAPPED:
            v = y[j] - bounds[0, j]
        if v > tolerance:
            if first:
                return j
            v = v * v / max(G[j, j], 1e-300)
            if v > worst:
                worst, which = v, j
    return which


@driver
def enter(
    j: int, y: Any, bounds: Any, G: Any, weight: Any, lam: Any, side: Any, L: Any, D: Any, W: Any, s: Any, count: int
) -> int:
    """Bring the row j into the working set; how many rows it then has, or -1 when no z can satisfy them.

    While j depends on the working set, the dual grows along ``p_j = +-1, p_W = -G_WW^-1 G_Wj p_j``, where ``A' p = 0``,
    until a multiplier meets zero or its weight and leaves. Where none does, p proves that there is no solution.
    """
    up = y[j] > bounds[1, j] if side[j] == FREE else side[j] < 0
    if side[j] == FREE:
        side[j] = ACTIVE if up else -ACTIVE
    else:
        side[j] = ACTIVE if side[j] > 0 else -ACTIVE
    sign = 1.0 if up else -1.0
    while True:
        d = pivot(L, D, G, W, count, j)
        if d > SINGULAR * G[j, j] and count < len(D):
            D[count], W[count] = d, j
            return count + 1
        for a in range(count):
            s[a] = -sign * L[count, a]
        back_substitute(L, count, s)
        step, block = room(j, sign, lam, side, bounds, weight), count
        for a in range(count):
            if math.fabs(s[a]) > 1e-12:
                r = room(W[a], s[a], lam, side, bounds, weight)
                if r < step:
                    step, block = r, a
        if step == math.inf:
            W[count] = j
            s[count] = sign
            return -1 - count
        for a in range(count):
            lam[W[a]] += step * s[a]
            subtract(G, W[a], step * s[a], y)
        lam[j] += step * sign
        subtract(G, j, step * sign, y)
        if block == count:
            retire(j, lam, side, weight)
            return count
        count = leave(block, lam, side, weight, L, D, W, count)
