"""Inner steps of particle filters: a whole cloud moved or weighed, `LANES` particles side by side.

Rows are particles, ``(N, ...)``. Inputs that are shared by the particles of a cloud, one row for each cloud or one for
all, are found by ``min(i // each, rows - 1)``: `each` is the number of particles of a cloud. Models are reached through
the addresses of their machine code; `w` is scratch, and an index that is returned is that of a particle where something
went wrong, or -1.
"""

from __future__ import annotations

import math

from ..models.trace import LANES, call, driver
from ._algebra import LOG_TURN, cholesky, cholesky_semidefinite, log_determinant, whitened
from ._memory import BLOCK, absolute, everywhere, fill, log, matrix, opposite, select, table, vector
from ._steps import drop_noise

GIVEN = "Array(f8, 2, 'C', True)"
"""The type of rows that are read only, such as those of a belief."""


@driver(f"i8(i8, i8, i8, b1, {GIVEN}, {GIVEN}, f8[::1], f8[::1], f8[:,::1], f8[:,::1], f8[::1])")
def move_traced(step, plus, each, same, x, us, dt, p, e, y, w):
    """``y_i = f(x_i, u, dt) (+) L_i e_i``, ``L_i L_i' = Q_i``: `step` is code of y and Q; the `same` Q has one root."""
    n, d, m = x.shape[1], e.shape[1], us.shape[1]
    a, at = table(w.ctypes.data, n, LANES), w.ctypes.data + 8 * n * LANES
    b, at = table(at, m, LANES), at + 8 * m * LANES
    bad = -1
    for start in range(0, x.shape[0], LANES):
        gather(a, x, start, 1)
        if start == 0 or us.shape[0] > 1:
            gather(b, us, start, each)
        call(step, a, b, dt, p, at)
        if not ((same and start > 0) or noise_root(at, n, d)) and bad < 0:
            bad = start
        add_noise(plus, at, e, start, y, n, d)
    return bad


@driver(f"i8(i8, i8, {GIVEN}, {GIVEN}, f8[:,::1], f8[:,::1], f8[::1])")
def move_given(plus, each, moved, Q, e, y, w):
    """``y_i = moved_i (+) L_i e_i``, ``L_i L_i' = Q_i``, for covariances ``(K, d d)`` that `each` particles share."""
    n, d = moved.shape[1], e.shape[1]
    at = w.ctypes.data
    a, b = table(at, n, LANES), table(at + 8 * n * LANES, d * d, LANES)
    bad = -1
    for start in range(0, moved.shape[0], LANES):
        gather(a, moved, start, 1)
        gather(b, Q, start, each)
        if not noise_root(at, n, d) and bad < 0:
            bad = start
        add_noise(plus, at, e, start, y, n, d)
    return bad


@driver
def noise_root(at, n, d):
    """The root L of Q behind it, Q behind n rows at an address; false where Q is no covariance."""
    Q, behind = matrix(at + 8 * n * LANES, d, d, BLOCK)
    L, _ = matrix(behind, d, d, BLOCK)
    return everywhere(cholesky_semidefinite(Q, L, d, BLOCK))


@driver
def add_noise(plus, at, e, start, y, n, d):
    """y = x (+) L e for a block of particles, x, Q and L at an address, with scratch behind."""
    L, v = matrix(at + 8 * (n + d * d) * LANES, d, d, BLOCK)
    z, w = vector(v, d, BLOCK)
    gather(table(v, d, LANES), e, start, 1)
    rooted(L, z, d)
    call(plus, at, v, 0, 0, w)
    scatter(table(w, n, LANES), y, start)


@driver(f"i8(i8, i8, b1, {GIVEN}, {GIVEN}, {GIVEN}, {GIVEN}, f8[::1], f8[:,::1], f8[::1])")
def weigh_traced(sensor, each, same, x, contexts, zs, seen, p, logs, w):
    """``log N(z (-) h(x_i); 0, R_i)`` over the components that were seen: `sensor` is code of e and R.

    seen is 1 or 0 for each component of the tangent, ``(K, d)``. The `same` R has one root, for one row that was seen.
    There may be fewer states than logs: they repeat. The index returned is that of a particle whose R is no covariance.
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
    out, found = table(behind, 1, LANES), vector(behind, 1, BLOCK)[0]
    bad, good, top = -1, fill(0.0, BLOCK) == 0.0, fill(0.0, BLOCK)
    rows = max(contexts.shape[0], zs.shape[0], seen.shape[0])
    for start in range(0, logs.shape[0], LANES):
        gather_repeated(a, x, start)
        if start == 0 or rows > 1:
            gather(b, contexts, start, each)
            gather(z, zs, start, each)
            gather(s, seen, start, each)
        call(sensor, a, b, z, p, at)
        for i in range(d):
            e[i] = select(there[i] > 0.0, e[i], 0.0)
        if not same or start == 0:
            measured = fill(0.0, BLOCK)
            for i in range(d):
                measured += there[i]
                drop_noise(there[i] > 0.0, R, i, d)
            good = cholesky(R, L, d, BLOCK)
            top = -0.5 * (log_determinant(L, d, BLOCK) + measured * LOG_TURN)
            if bad < 0 and not everywhere(good):
                bad = start
        found[0] = top - 0.5 * whitened(L, e, v, d, BLOCK)
        scatter(out, logs, start)
    return bad


@driver("void(i8, f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[::1], f8[::1])")
def propose(plus, f, Q, m, P, e, y, ratio, w):
    """``y_i = f_i (+) d_i``, ``d_i ~ N(m_i, P_i)`` by normal numbers e_i; log of ``N(d_i; 0, Q_i) / N(d_i; m_i, P_i)``.

    In coordinates s with ``d = L s``, ``L L' = Q``, these are N(0, I) and N(c, E), ``E = G G'``. Where Q has no
    variance both are N(0, 1), and where P is no covariance, y is drawn from N(0, Q).
    """
    n, d, at = f.shape[1], e.shape[1], w.ctypes.data
    Q_at = at + 8 * n * LANES
    Qs, E_at = matrix(Q_at, d, d, BLOCK)
    E, c_at = matrix(E_at, d, d, BLOCK)
    c, z_at = vector(c_at, d, BLOCK)
    z, behind = vector(z_at, d, BLOCK)
    L, behind = matrix(behind, d, d, BLOCK)
    G, s_at = matrix(behind, d, d, BLOCK)
    s, y_at = vector(s_at, d, BLOCK)
    log_at = y_at + 8 * n * LANES
    logs, out = vector(log_at, 1, BLOCK)[0], table(log_at, 1, LANES)
    for start in range(0, f.shape[0], LANES):
        gather(table(at, n, LANES), f, start, 1)
        gather(table(Q_at, d * d, LANES), Q, start, 1)
        gather(table(E_at, d * d, LANES), P, start, 1)
        gather(table(c_at, d, LANES), m, start, 1)
        gather(table(z_at, d, LANES), e, start, 1)
        cholesky_semidefinite(Qs, L, d, BLOCK)
        whiten(L, E, c, d)
        good = cholesky(E, G, d, BLOCK)
        a = fill(0.0, BLOCK)
        for i in range(d):
            s[i] = c[i]
            for k in range(i + 1):
                s[i] = s[i] + G[i, k] * z[k]
            s[i] = select(good, s[i], z[i])
            a += select(good, 0.5 * (z[i] * z[i] - s[i] * s[i]) + log(G[i, i]), 0.0)
        logs[0] = a
        rooted(L, s, d)
        call(plus, at, s_at, 0, 0, y_at)
        scatter(table(y_at, n, LANES), y, start)
        for l in range(min(LANES, f.shape[0] - start)):
            ratio[start + l] = out[0, l]


@driver
def rooted(L, s, d):
    """s becomes L s."""
    for i in range(d - 1, -1, -1):
        a = fill(0.0, BLOCK)
        for k in range(i + 1):
            a += L[i, k] * s[k]
        s[i] = a


@driver
def whiten(L, E, c, d):
    """c becomes ``L^-1 c`` and E ``L^-1 E L^-T``; where L has no pivot they are 0 and 1."""
    for i in range(d):
        some = L[i, i] > 0.0
        scale = 1.0 / select(some, L[i, i], 1.0)
        for k in range(i):
            c[i] = c[i] - L[i, k] * c[k]
        c[i] = select(some, c[i] * scale, 0.0)
        for j in range(d):
            for k in range(i):
                E[i, j] = E[i, j] - L[i, k] * E[k, j]
            E[i, j] = select(some, E[i, j] * scale, 0.0)
    for j in range(d):
        some = L[j, j] > 0.0
        scale = 1.0 / select(some, L[j, j], 1.0)
        for i in range(d):
            for k in range(j):
                E[i, j] = E[i, j] - E[i, k] * L[j, k]
            E[i, j] = select(some, E[i, j] * scale, 1.0 if i == j else 0.0)


@driver("void(i8, f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[::1])")
def reach(minus, f, Q, x, logs, w):
    """``logs[j, i] = log N(x_j (-) f_i; 0, Q_i)`` in the range of Q_i, and -inf for what lies beyond it."""
    n, at = f.shape[1], w.ctypes.data
    d = int(math.sqrt(Q.shape[1]) + 0.5)
    x_at = at + 8 * n * LANES
    Q_at = x_at + 8 * n * LANES
    Qs, behind = matrix(Q_at, d, d, BLOCK)
    L, e_at = matrix(behind, d, d, BLOCK)
    e, log_at = vector(e_at, d, BLOCK)
    total, out = vector(log_at, 1, BLOCK)[0], table(log_at, 1, LANES)
    far, _ = vector(at, n, BLOCK)
    for start in range(0, f.shape[0], LANES):
        gather(table(at, n, LANES), f, start, 1)
        gather(table(Q_at, d * d, LANES), Q, start, 1)
        cholesky_semidefinite(Qs, L, d, BLOCK)
        rounding, constant = fill(1.0, BLOCK), fill(0.0, BLOCK)
        for i in range(n):
            rounding += absolute(far[i])
        for i in range(d):
            some = L[i, i] > 0.0
            constant -= select(some, log(select(some, L[i, i], 1.0)) + 0.5 * LOG_TURN, 0.0)
        for j in range(x.shape[0]):
            gather(table(x_at, n, LANES), x[j : j + 1], 0, 1)
            call(minus, x_at, at, 0, 0, e_at)
            a = constant
            for i in range(d):
                for k in range(i):
                    e[i] = e[i] - L[i, k] * e[k]
                some = L[i, i] > 0.0
                beyond = opposite(some) & (absolute(e[i]) > 1e-8 * rounding)
                e[i] = select(some, e[i] / select(some, L[i, i], 1.0), 0.0)
                a = select(beyond, -math.inf, a - 0.5 * e[i] * e[i])
            total[0] = a
            for l in range(min(LANES, f.shape[0] - start)):
                logs[j, start + l] = out[0, l]


@driver
def gather(v, rows, start, each):
    """v = rows of the particles from `start` on, turned into lanes; lanes beyond the last particle repeat it."""
    last = rows.shape[0] - 1
    if last == 0 or (each == 1 and start + v.shape[1] <= last + 1):  # the lanes of most blocks
        first, stride = (0, 0) if last == 0 else (start, 1)
        for i in range(v.shape[0]):
            for l in range(v.shape[1]):
                v[i, l] = rows[first + stride * l, i]
        return
    row = start // each  # one division for all lanes
    left = each * (row + 1) - start
    for l in range(v.shape[1]):
        for i in range(v.shape[0]):
            v[i, l] = rows[min(row, last), i]
        left -= 1
        if left == 0:
            row, left = row + 1, each


@driver
def gather_repeated(v, rows, start):
    """The same for rows that begin again after the last one."""
    row = start if start < rows.shape[0] else start % rows.shape[0]  # a division takes long
    if row + v.shape[1] <= rows.shape[0]:
        gather(v, rows, row, 1)
        return
    for l in range(v.shape[1]):
        for i in range(v.shape[0]):
            v[i, l] = rows[row, i]
        row = row + 1 if row + 1 < rows.shape[0] else 0


@driver
def scatter(v, rows, start):
    """Rows of the particles from `start` on = lanes of v."""
    count = min(LANES, rows.shape[0] - start)
    for i in range(v.shape[0]):
        for l in range(count):
            rows[start + l, i] = v[i, l]
