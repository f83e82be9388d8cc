"""The drivers of least squares on graphs: gather by factor, linearise, add up; and move every variable.

A factor k weighs the residual ``e = z (-) h(x, context)`` of a variable, and of another that is its context, by an
information matrix W. The cost is ``chi2 = sum e' W e``, and a step solves ``H d = -g`` with

    J = [E G],    H = sum J' W J,    g = sum J' W e

where E and G are the derivatives of e by the two variables.
"""

from __future__ import annotations

from typing import Any

from pilotage.models.trace import LANES, call, driver


@driver("f8(i8, f8[:,::1], f8[:,::1], i8[::1], i8[::1], f8[:,::1], f8[:,:,::1], f8[::1], f8[::1])")
def cost(address: Any, xs: Any, cs: Any, i: Any, j: Any, z: Any, W: Any, p: Any, e: Any) -> float:
    """``sum e' W e`` over the factors of one sensor.

    Args:
        address: machine code of "e".
        xs, cs: all variables of the kinds that are states and contexts ``(N, size)``.
        i, j: which of them each factor ties together ``(K,)``.
        z, W: readings ``(K, size)`` and information ``(K, dim, dim)``.
        p: parameters of the sensor.
        e: memory for a residual.
    """
    total = 0.0
    for k in range(len(i)):
        call(address, xs[i[k]], cs[j[k]], z[k], p, e)
        for r in range(W.shape[1]):
            s = 0.0
            for q in range(W.shape[1]):
                s += W[k, r, q] * e[q]
            total += e[r] * s
    return total


@driver(
    "f8(i8, f8[:,::1], f8[:,::1], i8[::1], i8[::1], f8[:,::1], f8[:,:,::1], f8[::1],"
    " i8[:,::1], i8[::1], f8[::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[::1], f8[::1])"
)
def linearize(
    address: Any,
    xs: Any,
    cs: Any,
    i: Any,
    j: Any,
    z: Any,
    W: Any,
    p: Any,
    slots: Any,
    dims: Any,
    out: Any,
    R: Any,
    V: Any,
    WR: Any,
    g: Any,
    H: Any,
) -> float:
    """``sum e' W e``, with ``J' W e`` and ``J' W J`` added to g and H; the algebra runs over lanes of factors.

    Args:
        address: machine code of "e E G".
        xs, cs, i, j, z, W, p: as in `cost`.
        slots: where the blocks of each factor are added ``(K, 8)``; see `Pattern.slots`.
        dims: tangent dimensions of state and context.
        out: memory for "e E G".
        R, V, WR: memory for [e J], W and their product, of the lanes ``(rows, LANES)``.
        g: gradient.
        H: entries of the matrix, column by column.
    """
    m, d, n = W.shape[1], dims[0], dims[0] + dims[1]
    total = 0.0
    for first in range(0, len(i), LANES):
        count = min(LANES, len(i) - first)
        for lane in range(count):
            k = first + lane
            call(address, xs[i[k]], cs[j[k]], z[k], p, out)
            residual(out, W[k], m, d, n, lane, R, V)
        for r in range(m):
            for c in range(n + 1):
                product(V, r * m, 1, R, c, n + 1, m, WR[r * (n + 1) + c])
        total += gradient(R, WR, m, d, n, slots, first, count, V[0], g)
        blocks(R, WR, m, d, n, slots, first, count, V[0], H)
    return total


@driver
def residual(out: Any, W: Any, m: Any, d: Any, n: Any, lane: Any, R: Any, V: Any) -> None:
    """Keep the rows of ``[e E G]`` and of W of one factor in a lane."""
    for r in range(m):
        row = r * (n + 1)
        R[row, lane] = out[r]
        for c in range(d):
            R[row + 1 + c, lane] = out[m + r * d + c]
        for c in range(n - d):
            R[row + 1 + d + c, lane] = out[m + m * d + r * (n - d) + c]
        for c in range(m):
            V[r * m + c, lane] = W[r, c]


@driver
def product(A: Any, a: Any, da: Any, B: Any, b: Any, db: Any, count: Any, s: Any) -> None:
    """``s = sum_k A[a + k da] B[b + k db]`` in lanes."""
    for lane in range(LANES):
        s[lane] = A[a, lane] * B[b, lane]
    for k in range(1, count):
        for lane in range(LANES):
            s[lane] += A[a + k * da, lane] * B[b + k * db, lane]


@driver
def gradient(R: Any, WR: Any, m: Any, d: Any, n: Any, slots: Any, first: Any, count: Any, s: Any, g: Any) -> float:
    """``sum e' W e``, with ``J' W e`` added to g."""
    product(R, 0, n + 1, WR, 0, n + 1, m, s)
    total = 0.0
    for lane in range(count):
        total += s[lane]
    for c in range(n):
        product(R, c + 1, n + 1, WR, 0, n + 1, m, s)
        variable, place = (0, c) if c < d else (1, c - d)
        for lane in range(count):
            at = slots[first + lane, variable]
            if at >= 0:  # not held fixed
                g[at + place] += s[lane]
    return total


@driver
def blocks(R: Any, WR: Any, m: Any, d: Any, n: Any, slots: Any, first: Any, count: Any, s: Any, H: Any) -> None:
    """Add ``J' W J`` to H: entries (r, c) and (c, r) of the blocks of both variables."""
    for c in range(n):
        for r in range(c + 1):
            product(R, r + 1, n + 1, WR, c + 1, n + 1, m, s)
            if c < d:
                scatter(slots, first, count, 4, 2, r, c, s, H)
                if r < c:
                    scatter(slots, first, count, 4, 2, c, r, s, H)
            elif r >= d:
                scatter(slots, first, count, 7, 3, r - d, c - d, s, H)
                if r < c:
                    scatter(slots, first, count, 7, 3, c - d, r - d, s, H)
            else:
                scatter(slots, first, count, 6, 3, r, c - d, s, H)
                scatter(slots, first, count, 5, 2, c - d, r, s, H)


@driver
def scatter(slots: Any, first: Any, count: Any, block: Any, stride: Any, r: Any, c: Any, s: Any, H: Any) -> None:
    """Add an entry of each lane to its block of H; -1 where a variable is held fixed."""
    for lane in range(count):
        at = slots[first + lane, block]
        if at >= 0:
            H[at + r + c * slots[first + lane, stride]] += s[lane]


@driver("void(i8, f8[:,::1], i8[::1], i8, f8[::1], f8[:,::1])")
def retract(address: Any, xs: Any, columns: Any, dim: Any, d: Any, out: Any) -> None:
    """``x (+) d`` of all variables of a kind; those held fixed have column -1 and stay.

    Args:
        address: machine code of "plus".
        xs: the variables ``(N, size)``.
        columns: where each of them begins in d.
        dim: tangent dimension of a variable.
        d: the step of all variables.
        out: the moved variables ``(N, size)``.
    """
    for v in range(len(xs)):
        if columns[v] >= 0:
            step = d[columns[v] : columns[v] + dim]
            call(address, xs[v], step, step, step, out[v])
        else:
            for k in range(xs.shape[1]):
                out[v, k] = xs[v, k]
