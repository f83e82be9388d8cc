"""Small dense algebra in plain loops: the inner steps of Gaussian filters are written in it, for one lane or many.

Products are made by `gemm`, tile by tile where there is one lane: two dozen states gain as much from it as four. What
fails in one lane is false in the mask that is returned, and goes on with harmless numbers.
"""

from __future__ import annotations

from ..models.trace import driver
from ._memory import (
    SIDE,
    absolute,
    along,
    down,
    fill,
    log,
    nothing,
    part,
    plain,
    put_tile,
    select,
    sqrt,
    tile,
    transposed,
)

LOG_TURN = 1.8378770664093453  # log 2 pi


@driver
def gemm(alpha, A, B, beta, D, C, n, k, m, above, lanes):
    """C = alpha A B + beta D for factors A (n, k) and B (k, m), alpha 1 or -1, beta 0 or 1; D may be C.

    The sums of a tile run side by side. Columns right of i + above are left out in row i, but for the rest of a tile:
    0 gives the lower triangle, m all of C.
    """
    side = SIDE if len(lanes) == 1 else 1
    for i in range(0, n, side):
        end = i + side + above
        for j in range(0, m if m < end else end, side):
            a = nothing(lanes)
            if beta != 0.0:
                a += alpha * tile(D, i, j, n, m, lanes)
            for r in range(k):
                a += down(A, i, r, n, lanes) * along(B, r, j, m, lanes)
            put_tile(C, i, j, n, m, alpha * a, lanes)


@driver
def product(A, B, C, n, k, m, lanes):
    """C = A B, for A (n, k) and B (k, m)."""
    gemm(1.0, plain(A), plain(B), 0.0, C, C, n, k, m, m, lanes)


@driver
def product_transposed(A, B, C, n, k, m, lanes):
    """C = A B', for A (n, k) and B (m, k)."""
    gemm(1.0, plain(A), transposed(B), 0.0, C, C, n, k, m, m, lanes)


@driver
def symmetrize(Q, n):
    """Q becomes (Q + Q') / 2."""
    for i in range(n):
        for j in range(i):
            Q[i, j] = 0.5 * (Q[i, j] + Q[j, i])
            Q[j, i] = Q[i, j]


@driver
def mirror(C, n):
    """The upper triangle of C becomes that of its lower one."""
    for i in range(n):
        for j in range(i):
            C[j, i] = C[i, j]


@driver
def sandwich(F, P, Q, A, N, n, lanes):
    """N = F P F' + Q, symmetric to the last bit, whatever Q is; Q becomes symmetric, A (n, n) is scratch."""
    symmetrize(Q, n)
    gemm(1.0, plain(F), plain(P), 0.0, A, A, n, n, n, n, lanes)
    gemm(1.0, plain(A), transposed(F), 1.0, Q, N, n, n, n, 0, lanes)
    mirror(N, n)


@driver
def cholesky(S, L, n, lanes):
    """L L' = S for symmetric positive definite S; false where it is not, and pivots are 1 there.

    Some columns at a time: products take the earlier ones off them. The upper triangle of L holds other numbers.
    """
    good = fill(0.0, lanes) == 0.0
    few = SIDE if len(lanes) == 1 else n
    for i in range(n):
        for j in range(i + 1):
            L[i, j] = S[i, j]
    for start in range(0, n, few):
        end = start + few if start + few < n else n
        left, rest = part(L, start, 0), part(L, start, start)
        if start > 0:
            gemm(-1.0, plain(left), transposed(left), 1.0, rest, rest, n - start, start, end - start, n, lanes)
        for j in range(start, end):
            for i in range(j, n):
                a = L[i, j]
                for k in range(start, j):
                    a -= L[i, k] * L[j, k]
                if i == j:
                    good = good & (a > 0.0)
                    L[j, j] = sqrt(select(a > 0.0, a, 1.0))
                else:
                    L[i, j] = a / L[j, j]
    return good


@driver
def cholesky_semidefinite(P, L, n, lanes):
    """L L' = P for symmetric positive semidefinite P; a pivot that is zero to rounding gives a zero column.

    False where a pivot is negative beyond rounding, or where a column without a pivot holds more than rounding leaves
    there: a component without variance has no covariance. The upper triangle of L is zero.
    """
    zero = fill(0.0, lanes)
    good = zero == 0.0
    for j in range(n):
        a = P[j, j]
        for k in range(j):
            a -= L[j, k] * L[j, k]
        good = good & (a >= -1e-9 * absolute(P[j, j]))
        some = a > 1e-14 * P[j, j]
        root = sqrt(select(some, a, 1.0))
        L[j, j] = select(some, root, 0.0)
        for i in range(j + 1, n):
            a = P[i, j]
            for k in range(j):
                a -= L[i, k] * L[j, k]
            good = good & (some | (a * a <= 1e-8 * absolute(P[j, j] * P[i, i])))
            L[i, j] = select(some, a / root, 0.0)
            L[j, i] = zero
    return good


@driver
def solve(L, C, n, m, lanes):
    """C becomes (L L')^-1 C, for L (n, n) and C (n, m); some rows at a time: products take the others off them."""
    few = SIDE if len(lanes) == 1 else n
    for start in range(0, n, few):
        end, rest = start + few if start + few < n else n, part(C, start, 0)
        if start > 0:
            gemm(-1.0, plain(part(L, start, 0)), plain(C), 1.0, rest, rest, end - start, start, m, m, lanes)
        for i in range(start, end):
            pivot = 1.0 / L[i, i]
            for j in range(m):
                a = C[i, j]
                for k in range(start, i):
                    a -= L[i, k] * C[k, j]
                C[i, j] = a * pivot
    for end in range(n, 0, -few):
        start = end - few if end > few else 0
        rest = part(C, start, 0)
        if end < n:
            below, known = transposed(part(L, end, start)), plain(part(C, end, 0))
            gemm(-1.0, below, known, 1.0, rest, rest, end - start, n - end, m, m, lanes)
        for i in range(end - 1, start - 1, -1):
            pivot = 1.0 / L[i, i]
            for j in range(m):
                a = C[i, j]
                for k in range(i + 1, end):
                    a -= L[k, i] * C[k, j]
                C[i, j] = a * pivot


@driver
def solve_semidefinite(L, C, n, m, lanes):
    """C becomes a solution X of ``L L' X = C``, for L of `cholesky_semidefinite`: zero where L has a zero column."""
    for i in range(n):
        some = L[i, i] > 0.0
        pivot = select(some, 1.0 / select(some, L[i, i], 1.0), 0.0)
        for j in range(m):
            a = C[i, j]
            for k in range(i):
                a -= L[i, k] * C[k, j]
            C[i, j] = a * pivot
    for i in range(n - 1, -1, -1):
        some = L[i, i] > 0.0
        pivot = select(some, 1.0 / select(some, L[i, i], 1.0), 0.0)
        for j in range(m):
            a = C[i, j]
            for k in range(i + 1, n):
                a -= L[k, i] * C[k, j]
            C[i, j] = a * pivot


@driver
def joseph(P, H, R, K, N, A, M, B, n, m, lanes):
    """N = (I - K H) P (I - K H)' + K R K', symmetric to the last bit; A (m, n), M and B (n, n) are scratch.

    K is given as its transpose (m, n), and M is (K H - I)', whose sign makes no difference. M comes first and is not
    multiplied out, so that what a precise reading leaves of a vague P is no difference of large numbers. Its sums begin
    with -1 and 0: that of K H alone would round where it is nearly 1.
    """
    for i in range(n):
        for j in range(n):
            M[i, j] = fill(-1.0 if i == j else 0.0, lanes)
    gemm(1.0, transposed(H), plain(K), 1.0, M, M, n, m, n, n, lanes)
    gemm(1.0, plain(P), plain(M), 0.0, B, B, n, n, n, n, lanes)
    gemm(1.0, plain(R), plain(K), 0.0, A, A, m, m, n, n, lanes)
    gemm(1.0, transposed(K), plain(A), 0.0, N, N, n, m, n, 0, lanes)
    gemm(1.0, transposed(M), plain(B), 1.0, N, N, n, n, n, 0, lanes)
    mirror(N, n)


@driver
def invert(A, G, n, lanes):
    """G = A^-1, for A whose symmetric part is positive definite, which needs no pivots; A becomes the identity."""
    for i in range(n):
        for j in range(n):
            G[i, j] = fill(1.0 if i == j else 0.0, lanes)
    for k in range(n):
        pivot = 1.0 / A[k, k]
        for j in range(n):
            A[k, j] = A[k, j] * pivot
            G[k, j] = G[k, j] * pivot
        for i in range(n):
            a = A[i, k]
            if i != k:
                for j in range(n):
                    A[i, j] = A[i, j] - a * A[k, j]
                    G[i, j] = G[i, j] - a * G[k, j]


@driver
def times(K, e, d, n, m, lanes):
    """d = K e, for K given as its transpose (m, n)."""
    for i in range(n):
        a = fill(0.0, lanes)
        for k in range(m):
            a += K[k, i] * e[k]
        d[i] = a


@driver
def score(L, e, v, measured, found, m, lanes):
    """NIS ``e' (L L')^-1 e`` and log-likelihood, of m components of which so many were measured; v is scratch."""
    found[0] = whitened(L, e, v, m, lanes)
    found[1] = -0.5 * (found[0] + log_determinant(L, m, lanes) + measured * LOG_TURN)


@driver
def whitened(L, e, v, m, lanes):
    """v becomes ``L^-1 e``; its square."""
    square = fill(0.0, lanes)
    for i in range(m):
        a = e[i]
        for k in range(i):
            a -= L[i, k] * v[k]
        v[i] = a / L[i, i]
        square += v[i] * v[i]
    return square


@driver
def log_determinant(L, m, lanes):
    """``log det L L'``; one logarithm does for a few pivots: the product of many could leave the range of floats."""
    root, logdet = fill(1.0, lanes), fill(0.0, lanes)
    for i in range(m):
        root = root * L[i, i]
        if i % 4 == 3:
            logdet += 2.0 * log(root)
            root = fill(1.0, lanes)
    return logdet + 2.0 * log(root)


@driver
def plausible(Q, n, lanes):
    """False where Q is no covariance: a variance negative or NaN, or a correlation beyond 1, but for rounding."""
    top = fill(0.0, lanes)
    for i in range(n):
        a = absolute(Q[i, i])
        top = select(a > top, a, top)
    good = top >= 0.0
    for i in range(n):
        good = good & (Q[i, i] >= -1e-9 * top)
        for j in range(i):
            good = good & (Q[i, j] * Q[i, j] <= 1.000001 * Q[i, i] * Q[j, j] + 1e-18 * top * top)
    return good


@driver
def finite(v, n, lanes):
    """False where a vector holds NaN or infinity."""
    a = fill(0.0, lanes)
    for i in range(n):
        a += v[i] - v[i]
    return a == 0.0


@driver
def finite_matrix(A, n, m, lanes):
    """False where a matrix holds NaN or infinity."""
    a = fill(0.0, lanes)
    for i in range(n):
        for j in range(m):
            a += A[i, j] - A[i, j]
    return a == 0.0
