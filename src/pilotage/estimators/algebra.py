"""Small dense algebra in plain loops: the inner steps of Gaussian filters are written in it, for one lane or many.

For matrices up to a dozen rows this beats calls into BLAS by a wide margin. n is the dimension of the state's tangent,
m that of the reading's. What fails in one lane is false in the mask that is returned, and goes on with
harmless numbers.
"""

from __future__ import annotations

from ..models.trace import driver
from ._memory import absolute, fill, log, select, sqrt

LOG_TURN = 1.8378770664093453  # log 2 pi


@driver
def product(A, B, C, n, k, m, lanes):
    """C = A B, for A (n, k) and B (k, m)."""
    fours = m - m % 4 if len(lanes) == 1 else 0
    for i in range(n):
        for j in range(0, fours, 4):  # four sums at a time keep the processor busy; lanes do that by themselves
            a, b, c, d = fill(0.0, lanes), fill(0.0, lanes), fill(0.0, lanes), fill(0.0, lanes)
            for r in range(k):
                f = A[i, r]
                a += f * B[r, j]
                b += f * B[r, j + 1]
                c += f * B[r, j + 2]
                d += f * B[r, j + 3]
            C[i, j], C[i, j + 1], C[i, j + 2], C[i, j + 3] = a, b, c, d
        for j in range(fours, m):
            a = fill(0.0, lanes)
            for r in range(k):
                a += A[i, r] * B[r, j]
            C[i, j] = a


@driver
def product_transposed(A, B, C, n, k, m, lanes):
    """C = A B', for A (n, k) and B (m, k)."""
    fours = m - m % 4 if len(lanes) == 1 else 0
    for i in range(n):
        for j in range(0, fours, 4):  # four sums at a time keep the processor busy; lanes do that by themselves
            a, b, c, d = fill(0.0, lanes), fill(0.0, lanes), fill(0.0, lanes), fill(0.0, lanes)
            for r in range(k):
                f = A[i, r]
                a += f * B[j, r]
                b += f * B[j + 1, r]
                c += f * B[j + 2, r]
                d += f * B[j + 3, r]
            C[i, j], C[i, j + 1], C[i, j + 2], C[i, j + 3] = a, b, c, d
        for j in range(fours, m):
            a = fill(0.0, lanes)
            for r in range(k):
                a += A[i, r] * B[j, r]
            C[i, j] = a


@driver
def innovation_covariance(H, C, R, S, n, m, lanes):
    """S = H C + R for C = P H' (n, m), symmetric to the last bit, whatever R is."""
    for i in range(m):
        for j in range(i + 1):
            a = 0.5 * (R[i, j] + R[j, i])
            for k in range(n):
                a += H[i, k] * C[k, j]
            S[i, j] = a
            S[j, i] = a


@driver
def symmetric_product(A, B, Q, N, n, k, lanes):
    """N = A B' + Q, for A and B (n, k) whose product is symmetric; symmetric to the last bit, whatever Q is."""
    for i in range(n):
        for j in range(i + 1):
            a = 0.5 * (Q[i, j] + Q[j, i])
            for r in range(k):
                a += A[i, r] * B[j, r]
            N[i, j] = a
            N[j, i] = a


@driver
def sandwich(F, P, Q, A, N, n, lanes):
    """N = F P F' + Q, symmetric to the last bit; A (n, n) is scratch."""
    product(F, P, A, n, n, n, lanes)
    symmetric_product(A, F, Q, N, n, n, lanes)


@driver
def cholesky(S, L, n, lanes):
    """L L' = S for symmetric positive definite S; false where it is not, and pivots are 1 there."""
    good = fill(0.0, lanes) == 0.0
    for j in range(n):
        for i in range(j, n):
            a = S[i, j]
            for k in range(j):
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
def solve_rows(L, C, n, m, lanes):
    """Each of the n rows of C becomes (L L')^-1 times that row; L is (m, m)."""
    fours = n - n % 4 if len(lanes) == 1 else 0
    for r in range(0, fours, 4):
        for i in range(m):
            a, b, c, d = C[r, i], C[r + 1, i], C[r + 2, i], C[r + 3, i]
            for k in range(i):
                f = L[i, k]
                a -= f * C[r, k]
                b -= f * C[r + 1, k]
                c -= f * C[r + 2, k]
                d -= f * C[r + 3, k]
            f = L[i, i]
            C[r, i], C[r + 1, i], C[r + 2, i], C[r + 3, i] = a / f, b / f, c / f, d / f
        for i in range(m - 1, -1, -1):
            a, b, c, d = C[r, i], C[r + 1, i], C[r + 2, i], C[r + 3, i]
            for k in range(i + 1, m):
                f = L[k, i]
                a -= f * C[r, k]
                b -= f * C[r + 1, k]
                c -= f * C[r + 2, k]
                d -= f * C[r + 3, k]
            f = L[i, i]
            C[r, i], C[r + 1, i], C[r + 2, i], C[r + 3, i] = a / f, b / f, c / f, d / f
    for r in range(fours, n):
        for i in range(m):
            a = C[r, i]
            for k in range(i):
                a -= L[i, k] * C[r, k]
            C[r, i] = a / L[i, i]
        for i in range(m - 1, -1, -1):
            a = C[r, i]
            for k in range(i + 1, m):
                a -= L[k, i] * C[r, k]
            C[r, i] = a / L[i, i]


@driver
def joseph(P, H, R, K, N, A, M, B, n, m, lanes):
    """N = M P M' + K R K' with M = I - K H, symmetric to the last bit; A (n, m), M and B (n, n) are scratch.

    M comes first and is not multiplied out, so that what a precise reading leaves of a vague P is no difference of
    large numbers. Its sums begin with 1 and 0: that of K H alone would round where it is nearly 1.
    """
    fours, zero, one = n - n % 4 if len(lanes) == 1 else 0, fill(0.0, lanes), fill(1.0, lanes)
    for i in range(n):
        for j in range(0, fours, 4):
            a, b = one if i == j else zero, one if i == j + 1 else zero
            c, d = one if i == j + 2 else zero, one if i == j + 3 else zero
            for k in range(m):
                f = K[i, k]
                a -= f * H[k, j]
                b -= f * H[k, j + 1]
                c -= f * H[k, j + 2]
                d -= f * H[k, j + 3]
            M[i, j], M[i, j + 1], M[i, j + 2], M[i, j + 3] = a, b, c, d
        for j in range(fours, n):
            a = one if i == j else zero
            for k in range(m):
                a -= K[i, k] * H[k, j]
            M[i, j] = a
    product(M, P, B, n, n, n, lanes)
    product(K, R, A, n, m, m, lanes)
    for i in range(n):
        for j in range(i + 1):
            a = zero
            for k in range(m):
                a += A[i, k] * K[j, k]
            for k in range(n):
                a += B[i, k] * M[j, k]
            N[i, j] = a
            N[j, i] = a


@driver
def times(K, e, d, n, m, lanes):
    """d = K e, for K (n, m)."""
    for i in range(n):
        a = fill(0.0, lanes)
        for k in range(m):
            a += K[i, k] * e[k]
        d[i] = a


@driver
def score(L, e, v, measured, found, m, lanes):
    """NIS ``e' (L L')^-1 e`` and log-likelihood, of m components of which so many were measured; v is scratch."""
    nis, root, logdet = fill(0.0, lanes), fill(1.0, lanes), fill(0.0, lanes)
    for i in range(m):
        a = e[i]
        for k in range(i):
            a -= L[i, k] * v[k]
        v[i] = a / L[i, i]
        nis += v[i] * v[i]
        root = root * L[i, i]
        if i % 4 == 3:  # one logarithm does for a few pivots; the product of many could leave the range of floats
            logdet += 2.0 * log(root)
            root = fill(1.0, lanes)
    found[0] = nis
    found[1] = -0.5 * (nis + (logdet + 2.0 * log(root)) + measured * LOG_TURN)


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
