"""Inner steps of particle filters: a whole cloud moved or weighed, `LANES` particles side by side.

Rows are particles, ``(N, ...)``. Inputs that are shared by the particles of a cloud, one row for each cloud or one for
all, are found by ``min(i // each, rows - 1)``: `each` is the number of particles of a cloud. Models are reached through
the addresses of their machine code; `w` is scratch, and an index that is returned is that of a particle where something
went wrong, or -1.
"""

from __future__ import annotations

from ..models.trace import LANES, call, driver
from ._algebra import cholesky, cholesky_semidefinite, finite, score
from ._memory import BLOCK, everywhere, fill, matrix, select, table, vector
from ._steps import drop_noise


@driver("i8(i8, i8, i8, f8[:,::1], f8[:,::1], f8[::1], f8[::1], f8[:,::1], f8[:,::1], f8[::1])")
def move_traced(step, plus, each, x, us, dt, p, e, y, w):
    """``y_i = f(x_i, u, dt) (+) L_i e_i``, ``L_i L_i' = Q_i``: `step` is code of y and Q."""
    n, d, m = x.shape[1], e.shape[1], us.shape[1]
    a, at = table(w.ctypes.data, n, LANES), w.ctypes.data + 8 * n * LANES
    b, at = table(at, m, LANES), at + 8 * m * LANES
    bad = -1
    for start in range(0, x.shape[0], LANES):
        gather(a, x, start, 1)
        gather(b, us, start, each)
        call(step, a, b, dt, p, at)
        if not add_noise(plus, at, e, start, y, n, d) and bad < 0:
            bad = start
    return bad


@driver("i8(i8, i8, f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[::1])")
def move_given(plus, each, moved, Q, e, y, w):
    """``y_i = moved_i (+) L_i e_i``, ``L_i L_i' = Q_i``, for covariances ``(K, d d)`` that `each` particles share."""
    n, d = moved.shape[1], e.shape[1]
    at = w.ctypes.data
    a, b = table(at, n, LANES), table(at + 8 * n * LANES, d * d, LANES)
    bad = -1
    for start in range(0, moved.shape[0], LANES):
        gather(a, moved, start, 1)
        gather(b, Q, start, each)
        if not add_noise(plus, at, e, start, y, n, d) and bad < 0:
            bad = start
    return bad


@driver
def add_noise(plus, at, e, start, y, n, d):
    """y = x (+) L e for a block of particles, x and Q at an address, with scratch behind; false where Q is none."""
    Q, w = matrix(at + 8 * n * LANES, d, d, BLOCK)
    L, w = matrix(w, d, d, BLOCK)
    z, v = table(w, d, LANES), w
    z_lanes, w = vector(w, d, BLOCK)
    gather(z, e, start, 1)
    good = everywhere(cholesky_semidefinite(Q, L, d, BLOCK))
    for i in range(d - 1, -1, -1):
        a = fill(0.0, BLOCK)
        for k in range(i + 1):
            a += L[i, k] * z_lanes[k]
        z_lanes[i] = a
    call(plus, at, v, 0, 0, w)
    scatter(table(w, n, LANES), y, start)
    return good


@driver("i8(i8, i8, f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[::1], f8[::1], f8[::1])")
def weigh_traced(sensor, each, x, contexts, zs, seen, p, logs, w):
    """``log N(z (-) h(x_i); 0, R_i)`` over the components that were seen: `sensor` is code of e and R.

    seen is 1 or 0 for each component of the tangent, ``(K, d)``. There may be fewer states than logs: they repeat.
    """
    n, c, k, d = x.shape[1], contexts.shape[1], zs.shape[1], seen.shape[1]
    a, at = table(w.ctypes.data, n, LANES), w.ctypes.data + 8 * n * LANES
    b, at = table(at, c, LANES), at + 8 * c * LANES
    z, at = table(at, k, LANES), at + 8 * k * LANES
    s = table(at, d, LANES)
    there, at = vector(at, d, BLOCK)
    e, behind = vector(at, d, BLOCK)
    R, behind = matrix(behind, d, d, BLOCK)
    L, behind = matrix(behind, d, d, BLOCK)
    v, behind = vector(behind, d, BLOCK)
    out = table(behind, 2, LANES)
    found, behind = vector(behind, 2, BLOCK)
    bad = -1
    for start in range(0, logs.shape[0], LANES):
        gather_repeated(a, x, start)
        gather(b, contexts, start, each)
        gather(z, zs, start, each)
        gather(s, seen, start, each)
        call(sensor, a, b, z, p, at)
        measured = fill(0.0, BLOCK)
        for i in range(d):
            measured += there[i]
            e[i] = select(there[i] > 0.0, e[i], 0.0)
            drop_noise(there[i] > 0.0, R, i, d)
        good = cholesky(R, L, d, BLOCK)
        score(L, e, v, measured, found, d, BLOCK)
        for l in range(min(LANES, logs.shape[0] - start)):
            logs[start + l] = out[1, l]
        if bad < 0 and not everywhere(good & finite(found, 2, BLOCK)):
            bad = start
    return bad


@driver
def gather(v, rows, start, each):
    """v = rows of the particles from `start` on, turned into lanes; lanes beyond the last particle repeat it."""
    last = rows.shape[0] - 1
    for l in range(v.shape[1]):
        row = min((start + l) // each, last)
        for i in range(v.shape[0]):
            v[i, l] = rows[row, i]


@driver
def gather_repeated(v, rows, start):
    """The same for rows that begin again after the last one."""
    for l in range(v.shape[1]):
        row = (start + l) % rows.shape[0]
        for i in range(v.shape[0]):
            v[i, l] = rows[row, i]


@driver
def scatter(v, rows, start):
    """Rows of the particles from `start` on = lanes of v."""
    for l in range(min(v.shape[1], rows.shape[0] - start)):
        for i in range(v.shape[0]):
            rows[start + l, i] = v[i, l]
