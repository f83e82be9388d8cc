"""The drivers of sparse Cholesky factors: one dense front a supernode, its remainder added to that of its parent."""

from __future__ import annotations

from typing import Any

from pilotage.models.trace import driver


@driver("void(i8[::1], i8[::1], i8[::1], i8[::1], i8[::1], i8[::1], i8[::1])")
def fill(indptr: Any, before: Any, parents: Any, seen: Any, counts: Any, starts: Any, later: Any) -> None:
    """The elimination tree, and the later variables that each variable is tied to; see `_cholesky.Filled`.

    Those tied to v are the ones on the way up the tree, from each that is tied to v in the matrix. Source: Davis,
    "Direct Methods for Sparse Linear Systems" (2006), section 4.2.

    Args:
        indptr, before: earlier variables that each is tied to in the matrix.
        parents, counts, starts, later: results; where `later` is empty they are only counted.
        seen: memory.
    """
    n = len(indptr) - 1
    for v in range(n):
        parents[v] = seen[v] = -1
        counts[v] = 0
    for v in range(n):
        seen[v] = v
        for t in range(indptr[v], indptr[v + 1]):
            u = before[t]
            while seen[u] != v:
                if parents[u] < 0:
                    parents[u] = v
                if len(later) > 0:
                    later[starts[u] + counts[u]] = v
                counts[u] += 1
                seen[u] = v
                u = parents[u]


@driver("void(i8[:,::1], i8[::1])")
def parts(ties: Any, part: Any) -> None:
    """Number the connected parts of a graph by one of their variables; each is a part of its own at first."""
    for k in range(len(ties)):
        a, b = ties[k, 0], ties[k, 1]
        while part[a] != a:
            part[a] = part[part[a]]
            a = part[a]
        while part[b] != b:
            part[b] = part[part[b]]
            b = part[b]
        part[max(a, b)] = min(a, b)
    for v in range(len(part)):
        part[v] = part[part[v]]


@driver(
    "i8(i8[::1], i8[::1], i8[::1], i8[::1], i8[::1], i8[::1], i8[::1], f8[::1], f8,"
    " i8[::1], f8[::1], f8[::1], f8[::1], f8[::1])"
)
def factorize(
    firsts: Any,
    starts: Any,
    rows: Any,
    places: Any,
    children: Any,
    indptr: Any,
    indices: Any,
    H: Any,
    damping: Any,
    where: Any,
    front: Any,
    stack: Any,
    L: Any,
    pivots: Any,
) -> int:
    """``L L' = H + damping diag(H)``; the first column whose pivot is not positive, or -1.

    Args:
        firsts: first column of each supernode ``(S + 1,)``.
        starts: where the rows of each supernode begin ``(S + 1,)`` in rows; its own columns are the first of them.
        places: where the factor of each supernode begins in L ``(S + 1,)``.
        children: how many supernodes each has below it, the last of those before it ``(S,)``.
        indptr, indices, H: the matrix in compressed columns.
        damping: added to the diagonal, in parts of it.
        where, front, stack: memory.
        L: columns of the factor, one supernode after another.
        pivots: pivot of each column over the entry of the diagonal.
    """
    top, waiting = 0, len(where)  # supernodes that wait for their parent are kept from the end of `where` downwards
    for s in range(len(firsts) - 1):
        first, width, n = firsts[s], firsts[s + 1] - firsts[s], starts[s + 1] - starts[s]
        own = rows[starts[s] : starts[s + 1]]
        F = front[: n * n]
        leaf = children[s] == 0
        for k in range(n):
            where[own[k]] = k
        for k in range(width if leaf else n):
            for r in range(k, n):
                F[k * n + r] = 0.0
        for c in range(width):
            for t in range(indptr[first + c], indptr[first + c + 1]):
                if indices[t] >= first + c:
                    F[c * n + where[indices[t]]] = H[t]
            F[c * n + c] *= 1.0 + damping
            pivots[first + c] = F[c * n + c]
        for _ in range(children[s]):
            child = where[waiting]
            waiting += 1
            inner = firsts[child + 1] - firsts[child]
            below = rows[starts[child] + inner : starts[child + 1]]
            if children[child] == 0:
                extend_leaf(F, n, L[places[child] : places[child + 1]], inner, below, where, stack[top:])
            else:
                top -= len(below) * len(below)
                extend(F, n, stack[top : top + len(below) * len(below)], below, where)
        bad = eliminate(F, n, width, width if leaf else n)
        if bad >= 0:
            return first + bad
        for c in range(width):
            pivots[first + c] = F[c * n + c] * F[c * n + c] / pivots[first + c]
            for r in range(c, n):
                L[places[s] + c * n + r] = F[c * n + r]
        m = 0 if leaf else n - width
        for a in range(m):
            for b in range(a, m):
                stack[top + a * m + b] = F[(width + a) * n + width + b]
        top += m * m
        if n > width:
            waiting -= 1
            where[waiting] = s
    return -1


@driver
def extend(F: Any, n: Any, update: Any, below: Any, where: Any) -> None:
    """Add what a child leaves to the front of its parent."""
    m = len(below)
    for a in range(m):
        column = F[where[below[a]] * n : where[below[a]] * n + n]
        for b in range(a, m):
            column[where[below[b]]] += update[a * m + b]


@driver
def extend_leaf(F: Any, n: Any, L: Any, width: Any, below: Any, where: Any, row: Any) -> None:
    """Add what a child without children leaves, from its factor: it need not wait in memory.

    A graph of poses and points has a leaf for each point, and this is the Schur complement.
    """
    m, height = len(below), width + len(below)
    for a in range(m):
        count, start = m - a, width + a
        target, to = F[where[below[a]] * n : where[below[a]] * n + n], below[a:]
        c = L[start : start + count]
        l = c[0]
        for b in range(count):
            row[b] = l * c[b]
        k = 1
        while k + 2 <= width:
            c, d = L[k * height + start : (k + 1) * height], L[(k + 1) * height + start : (k + 2) * height]
            l, e = c[0], d[0]
            for b in range(count):
                row[b] += l * c[b] + e * d[b]
            k += 2
        if k < width:
            c = L[k * height + start : (k + 1) * height]
            l = c[0]
            for b in range(count):
                row[b] += l * c[b]
        for b in range(count):
            target[where[to[b]]] -= row[b]


@driver
def eliminate(F: Any, n: Any, width: Any, last: Any) -> int:
    """Eliminate the first columns of a dense symmetric matrix in its columns up to `last`; the bad pivot, or -1."""
    for j in range(last):
        target = F[j * n + j : j * n + n]
        count = min(j, width)
        k = 0
        while k + 4 <= count:
            a, b = F[k * n + j : k * n + n], F[(k + 1) * n + j : (k + 1) * n + n]
            c, d = F[(k + 2) * n + j : (k + 2) * n + n], F[(k + 3) * n + j : (k + 3) * n + n]
            a0, b0, c0, d0 = a[0], b[0], c[0], d[0]
            for i in range(n - j):
                target[i] -= a0 * a[i] + b0 * b[i] + c0 * c[i] + d0 * d[i]
            k += 4
        while k < count:
            a = F[k * n + j : k * n + n]
            a0 = a[0]
            for i in range(n - j):
                target[i] -= a0 * a[i]
            k += 1
        if j < width:
            if not target[0] > 0.0:
                return j
            scale = 1.0 / target[0] ** 0.5
            for i in range(n - j):
                target[i] *= scale
    return -1


@driver("void(i8[::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[::1])")
def solve(firsts: Any, starts: Any, rows: Any, places: Any, L: Any, x: Any) -> None:
    """``x <- (L L')^-1 x``."""
    for s in range(len(firsts) - 1):
        n = starts[s + 1] - starts[s]
        own = rows[starts[s] : starts[s + 1]]
        for c in range(firsts[s + 1] - firsts[s]):
            column = L[places[s] + c * n : places[s] + (c + 1) * n]
            value = x[own[c]] / column[c]
            x[own[c]] = value
            for r in range(c + 1, n):
                x[own[r]] -= column[r] * value
    for s in range(len(firsts) - 2, -1, -1):
        n = starts[s + 1] - starts[s]
        own = rows[starts[s] : starts[s + 1]]
        for c in range(firsts[s + 1] - firsts[s] - 1, -1, -1):
            column = L[places[s] + c * n : places[s] + (c + 1) * n]
            value = x[own[c]]
            for r in range(c + 1, n):
                value -= column[r] * x[own[r]]
            x[own[c]] = value / column[c]


@driver("void(i8[::1], i8[::1], i8[::1], i8[::1], i8[::1], f8[::1], i8[::1], f8[::1], i8[::1], f8[::1])")
def inverse(
    firsts: Any,
    starts: Any,
    rows: Any,
    places: Any,
    parents: Any,
    L: Any,
    squares: Any,
    Z: Any,
    where: Any,
    Y: Any,
) -> None:
    """The entries of ``(L L')^-1`` where L has entries, front by front from the last.

    With L = [L_1; L_2] of a front, and Z_2 the inverse where its later rows meet, which its parent has:
    ``Y = L_2 L_1^-1,  Z_21 = -Z_2 Y,  Z_1 = (L_1 L_1')^-1 - Y' Z_21``.

    Args:
        firsts, starts, rows, places, L: as in `factorize`.
        parents: parent of each supernode, or -1 ``(S,)``.
        squares: where the square of each front begins in Z ``(S + 1,)``.
        Z: results, a symmetric matrix over the rows of each front.
        where, Y: memory.

    Source: Takahashi, Fagan and Chen, "Formation of a sparse bus impedance matrix and its application to short circuit
    study" (1973); by fronts: Lin et al., "SelInv" (2011).
    """
    for s in range(len(firsts) - 2, -1, -1):
        width, n = firsts[s + 1] - firsts[s], starts[s + 1] - starts[s]
        m, own, F = n - width, rows[starts[s] : starts[s + 1]], Z[squares[s] : squares[s] + n * n]
        if m > 0:
            p = parents[s]
            across = starts[p + 1] - starts[p]
            G = Z[squares[p] : squares[p] + across * across]
            for k in range(across):
                where[rows[starts[p] + k]] = k
            for a in range(m):
                for b in range(m):
                    F[(width + a) * n + width + b] = G[where[own[width + a]] * across + where[own[width + b]]]
        for c in range(width - 1, -1, -1):
            column = L[places[s] + c * n : places[s] + (c + 1) * n]
            for r in range(m):  # Y, column by column
                value = column[width + r]
                for k in range(c + 1, width):
                    value -= Y[k * m + r] * column[k]
                Y[c * m + r] = value / column[c]
        for c in range(width):
            for a in range(m):
                value = 0.0
                for b in range(m):
                    value -= F[(width + a) * n + width + b] * Y[c * m + b]
                F[(width + a) * n + c] = F[c * n + width + a] = value
        for c in range(width):  # (L_1 L_1')^-1 by solving for unit vectors, in the block itself
            for r in range(width):
                F[c * n + r] = 1.0 if r == c else 0.0
            for r in range(width):
                F[c * n + r] /= L[places[s] + r * n + r]
                for k in range(r + 1, width):
                    F[c * n + k] -= L[places[s] + r * n + k] * F[c * n + r]
            for r in range(width - 1, -1, -1):
                value = F[c * n + r]
                for k in range(r + 1, width):
                    value -= L[places[s] + r * n + k] * F[c * n + k]
                F[c * n + r] = value / L[places[s] + r * n + r]
        for c in range(width):
            for r in range(width):
                value = 0.0
                for b in range(m):
                    value += Y[r * m + b] * F[(width + b) * n + c]
                F[c * n + r] -= value
