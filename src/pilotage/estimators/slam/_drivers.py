"""The drivers of least squares on graphs: gather by factor, linearise, add up; and move every variable.

A factor k weighs the residual ``e = z (-) h(x, context)`` by an information matrix W; the variables that it ties
together make up x and the context. The cost is ``chi2 = sum e' W e``, and a step solves ``H d = -g`` with

    J = [E G],    H = sum J' W J,    g = sum J' W e

where E and G are the derivatives of e by x and the context, and so have a block of columns for each variable. With a
robust kernel rho, ``chi2 = sum rho(e' W e)``, and the slope of rho there scales W.
"""

from __future__ import annotations

from typing import Any

from pilotage.models.trace import LANES, call, driver


@driver
def gather(x: Any, places: Any, sizes: Any, v: Any) -> None:
    """Copy the variables of a factor into v, one after another."""
    at = 0
    for n in range(len(sizes)):
        for t in range(sizes[n]):
            v[at + t] = x[places[n] + t]
        at += sizes[n]


@driver
def squared(e: Any, W: Any, m: Any) -> float:
    """``e' W e``."""
    total = 0.0
    for r in range(m):
        s = 0.0
        for q in range(m):
            s += W[r, q] * e[q]
        total += e[r] * s
    return total


@driver(
    "f8(i8, f8[::1], i8[:,::1], i8[::1], i8, f8[:,::1], f8[::1], f8[::1], i8, f8[::1], f8[:,:,::1], f8[::1], f8[::1])"
)
def cost(
    address: Any,
    x: Any,
    places: Any,
    sizes: Any,
    size: Any,
    z: Any,
    p: Any,
    v: Any,
    kernel: Any,
    loss: Any,
    W: Any,
    squares: Any,
    e: Any,
) -> float:
    """``sum rho(e' W e)`` over the factors of one sensor.

    Args:
        address: machine code of "e".
        x: all variables, and known contexts.
        places: where the variables of each factor begin in x ``(K, n)``, those of the state before the context.
        sizes: numbers of each of them ``(n,)``.
        size: numbers of the state.
        z: readings ``(K, size)``.
        p: parameters of the sensor.
        v: memory for the variables of a factor.
        kernel: machine code of "rho w" of the robust kernel; 0 where there is none.
        loss: memory for the square, rho and its slope w.
        W: information ``(K, dim, dim)``.
        squares: results, ``e' W e`` of each factor ``(K,)``.
        e: memory for the residual of a factor.
    """
    total = 0.0
    for k in range(len(z)):
        gather(x, places[k], sizes, v)
        call(address, v, v[size:], z[k], p, e)
        squares[k] = loss[0] = squared(e, W[k], W.shape[1])
        if kernel != 0:
            call(kernel, loss, loss, loss, loss, loss[1:])
            total += loss[1]
        else:
            total += loss[0]
    return total


@driver(
    "f8(i8, f8[::1], i8[:,::1], i8[::1], i8, f8[:,::1], f8[::1], f8[::1], i8, f8[::1], f8[:,:,::1],"
    " i8[:,::1], i8[::1], i8, f8[::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[::1], f8[::1], f8[::1])"
)
def linearize(
    address: Any,
    x: Any,
    places: Any,
    sizes: Any,
    size: Any,
    z: Any,
    p: Any,
    v: Any,
    kernel: Any,
    loss: Any,
    W: Any,
    slots: Any,
    ends: Any,
    d: Any,
    out: Any,
    R: Any,
    V: Any,
    WR: Any,
    step: Any,
    g: Any,
    H: Any,
) -> float:
    """``sum rho(e' W e)``, with ``w J' W e`` and ``w J' W J`` added to g and H; the algebra runs over lanes of factors.

    Args:
        address: machine code of "e E G".
        x, places, sizes, size, z, p, v, kernel, loss, W: as in `cost`.
        slots: where the blocks of each factor are added; see `Pattern.slots`.
        ends: columns of J before each variable, and of all ``(n + 1,)``.
        d: columns of E.
        out: memory for "e E G".
        R, V, WR: memory for [e J], W and their product, of the lanes ``(rows, LANES)``.
        step: where it is not empty, J step takes the place of e, and H stays as it is.
        g: gradient.
        H: entries of the matrix, column by column.
    """
    m, n = W.shape[1], ends[len(ends) - 1]
    total = 0.0
    for first in range(0, len(z), LANES):
        count = min(LANES, len(z) - first)
        for lane in range(count):
            k = first + lane
            gather(x, places[k], sizes, v)
            call(address, v, v[size:], z[k], p, out)
            weight = 1.0
            if kernel != 0:
                loss[0] = squared(out, W[k], m)
                call(kernel, loss, loss, loss, loss, loss[1:])
                weight = loss[2]
                if len(step) == 0:
                    total += loss[1]
            residual(out, W[k], weight, m, d, n, lane, R, V)
            if len(step) > 0:
                advance(R, m, ends, slots[k], lane, step)
        for r in range(m):
            for c in range(n + 1):
                product(V, r * m, 1, R, c, n + 1, m, WR[r * (n + 1) + c])
        noticed = gradient(R, WR, m, ends, slots, first, count, V[0], g)
        if kernel == 0 or len(step) > 0:
            total += noticed
        if len(step) == 0:
            blocks(R, WR, m, ends, slots, first, count, V[0], H)
    return total


@driver
def residual(out: Any, W: Any, weight: Any, m: Any, d: Any, n: Any, lane: Any, R: Any, V: Any) -> None:
    """Keep the rows of ``[e E G]`` and of the weighted W of one factor in a lane."""
    for r in range(m):
        row = r * (n + 1)
        R[row, lane] = out[r]
        for c in range(d):
            R[row + 1 + c, lane] = out[m + r * d + c]
        for c in range(n - d):
            R[row + 1 + d + c, lane] = out[m + m * d + r * (n - d) + c]
        for c in range(m):
            V[r * m + c, lane] = weight * W[r, c]


@driver
def advance(R: Any, m: Any, ends: Any, slots: Any, lane: Any, step: Any) -> None:
    """Put J step in the place of e."""
    width = ends[len(ends) - 1] + 1
    for r in range(m):
        total = 0.0
        for v in range(len(ends) - 1):
            for c in range(ends[v], ends[v + 1]):
                if slots[v] >= 0:  # not held fixed
                    total += R[r * width + 1 + c, lane] * step[slots[v] + c - ends[v]]
        R[r * width, lane] = total


@driver
def product(A: Any, a: Any, da: Any, B: Any, b: Any, db: Any, count: Any, s: Any) -> None:
    """``s = sum_k A[a + k da] B[b + k db]`` in lanes."""
    for lane in range(LANES):
        s[lane] = A[a, lane] * B[b, lane]
    for k in range(1, count):
        for lane in range(LANES):
            s[lane] += A[a + k * da, lane] * B[b + k * db, lane]


@driver
def gradient(R: Any, WR: Any, m: Any, ends: Any, slots: Any, first: Any, count: Any, s: Any, g: Any) -> float:
    """``sum e' W e``, with ``J' W e`` added to g."""
    width = ends[len(ends) - 1] + 1
    product(R, 0, width, WR, 0, width, m, s)
    total = 0.0
    for lane in range(count):
        total += s[lane]
    for v in range(len(ends) - 1):
        for c in range(ends[v], ends[v + 1]):
            product(R, c + 1, width, WR, 0, width, m, s)
            for lane in range(count):
                at = slots[first + lane, v]
                if at >= 0:  # not held fixed
                    g[at + c - ends[v]] += s[lane]
    return total


@driver
def blocks(R: Any, WR: Any, m: Any, ends: Any, slots: Any, first: Any, count: Any, s: Any, H: Any) -> None:
    """Add ``J' W J`` to H: entries (r, c) and (c, r) of the blocks of all pairs of variables (u, v)."""
    n, width = len(ends) - 1, ends[len(ends) - 1] + 1
    for v in range(n):
        for u in range(v + 1):
            above, below = 2 * n + v * n + u, 2 * n + u * n + v
            for c in range(ends[v], ends[v + 1]):
                for r in range(ends[u], min(ends[u + 1], c + 1)):
                    product(R, r + 1, width, WR, c + 1, width, m, s)
                    scatter(slots, first, count, above, n + v, r - ends[u], c - ends[v], s, H)
                    if r < c:
                        scatter(slots, first, count, below, n + u, c - ends[v], r - ends[u], s, H)


@driver
def scatter(slots: Any, first: Any, count: Any, block: Any, stride: Any, r: Any, c: Any, s: Any, H: Any) -> None:
    """Add an entry of each lane to its block of H; -1 where a variable is held fixed."""
    for lane in range(count):
        at = slots[first + lane, block]
        if at >= 0:
            H[at + r + c * slots[first + lane, stride]] += s[lane]


@driver("void(i8, f8[:,::1], i8[::1], i8, f8[::1], f8[:,::1])")
def retract(address: Any, xs: Any, columns: Any, dim: Any, d: Any, out: Any) -> None:
    """``x (+) d`` of all variables of a kind but those held fixed, which have column -1.

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
