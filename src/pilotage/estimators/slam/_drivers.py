"""The drivers of least squares on graphs: gather by factor, linearise, add up; and move every variable.

A factor k weighs the residual ``e = z (-) h(x, context)`` of a variable, and of another that is its context, by an
information matrix W. The cost is ``chi2 = sum e' W e``, and a step solves ``H d = -g`` with

    J = [E G],    H = sum J' W J,    g = sum J' W e

where E and G are the derivatives of e by the two variables.
"""

from __future__ import annotations

from typing import Any

from pilotage.models.trace import call, driver


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
    " i8[:,::1], i8[::1], f8[:,::1], f8[:,::1], f8[::1], f8[::1], f8[::1])"
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
    J: Any,
    WJ: Any,
    out: Any,
    g: Any,
    H: Any,
) -> float:
    """``sum e' W e``, with ``J' W e`` and ``J' W J`` added to g and H.

    Args:
        address: machine code of "e E G".
        xs, cs, i, j, z, W, p: as in `cost`.
        slots: where the blocks of each factor are added ``(K, 8)``; see `pattern.Slots`.
        dims: tangent dimensions of state and context.
        J, WJ: memory for matrices ``(dim of e, sum of dims)``.
        out: memory for "e E G".
        g: gradient.
        H: entries of the matrix, column by column.
    """
    m, d, n = W.shape[1], dims[0], dims[0] + dims[1]
    total = 0.0
    for k in range(len(i)):
        call(address, xs[i[k]], cs[j[k]], z[k], p, out)
        for r in range(m):
            for c in range(d):
                J[r, c] = out[m + r * d + c]
            for c in range(d, n):
                J[r, c] = out[m + m * d + r * (n - d) + c - d]
        for r in range(m):
            for c in range(n):
                WJ[r, c] = 0.0
            s = 0.0
            for q in range(m):
                w = W[k, r, q]
                s += w * out[q]
                for c in range(n):
                    WJ[r, c] += w * J[q, c]
            total += out[r] * s
        at = slots[k]
        gradient(J, WJ, out, m, 0, d, at[0], g)
        gradient(J, WJ, out, m, d, n, at[1], g)
        block(J, WJ, m, 0, d, 0, d, at[4], at[2], H)
        block(J, WJ, m, d, n, d, n, at[7], at[3], H)
        block(J, WJ, m, d, n, 0, d, at[5], at[2], H)
        block(J, WJ, m, 0, d, d, n, at[6], at[3], H)
    return total


@driver
def gradient(J: Any, WJ: Any, e: Any, m: Any, first: Any, last: Any, at: Any, g: Any) -> None:
    """Add ``J' W e`` of the columns first to last; at = -1 for a variable that is held fixed."""
    if at < 0:
        return
    for c in range(first, last):
        s = 0.0
        for r in range(m):
            s += WJ[r, c] * e[r]
        g[at + c - first] += s


@driver
def block(J: Any, WJ: Any, m: Any, a: Any, b: Any, c: Any, d: Any, at: Any, stride: Any, H: Any) -> None:
    """Add rows a to b of columns c to d of ``J' W J``; at = -1 where a variable is held fixed."""
    if at < 0:
        return
    for q in range(c, d):
        base = at + (q - c) * stride
        for r in range(a, b):
            s = 0.0
            for k in range(m):
                s += J[k, r] * WJ[k, q]
            H[base + r - a] += s


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
