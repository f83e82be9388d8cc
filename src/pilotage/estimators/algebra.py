"""Small dense algebra in plain loops: copied into compiled drivers, where sizes are constants and loops unroll.

For matrices up to a dozen rows this beats calls into BLAS by a wide margin. Arrays may be larger than the matrices in
their upper left corners, so sizes are arguments: n for the tangent of the state, m for that of the reading.
"""

import math

LOG_TURN = 1.8378770664093453  # log 2 pi


def sandwich(F, P, Q, A, n):
    """P = F P F' + Q, symmetric to the last bit; A (n, n) is scratch."""
    for i in range(n):
        for j in range(n):
            a = 0.0
            for k in range(n):
                a += F[i, k] * P[k, j]
            A[i, j] = a
    for i in range(n):
        for j in range(i + 1):
            a = 0.5 * (Q[i, j] + Q[j, i])
            for k in range(n):
                a += A[i, k] * F[j, k]
            P[i, j] = a
            P[j, i] = a


def product_transposed(P, H, C, n, m):
    """C = P H', (n, m)."""
    for i in range(n):
        for j in range(m):
            a = 0.0
            for k in range(n):
                a += P[i, k] * H[j, k]
            C[i, j] = a


def innovation_covariance(H, C, R, S, n, m):
    """S = H C + R, symmetric to the last bit, for C = P H'."""
    for i in range(m):
        for j in range(i + 1):
            a = 0.5 * (R[i, j] + R[j, i])
            for k in range(n):
                a += H[i, k] * C[k, j]
            S[i, j] = a
            S[j, i] = a


def cholesky(S, L, n):
    """L L' = S for symmetric positive definite S; False when it is not."""
    for j in range(n):
        for i in range(j, n):
            a = S[i, j]
            for k in range(j):
                a -= L[i, k] * L[j, k]
            if i == j:
                if not a > 0.0:
                    return False
                L[j, j] = math.sqrt(a)
            else:
                L[i, j] = a / L[j, j]
    return True


def cholesky_semidefinite(P, L, n):
    """L L' = P for symmetric positive semidefinite P; a pivot that is zero to rounding gives a zero column.

    False when a pivot is negative beyond rounding, or when a column without a pivot holds more than rounding leaves
    there: a component without variance has no covariance. The upper triangle of L is zero.
    """
    for j in range(n):
        pivot = P[j, j]
        for k in range(j):
            pivot -= L[j, k] * L[j, k]
        if not pivot >= -1e-9 * math.fabs(P[j, j]):
            return False
        root = math.sqrt(pivot) if pivot > 1e-14 * P[j, j] else 0.0
        L[j, j] = root
        for i in range(j + 1, n):
            a = P[i, j]
            for k in range(j):
                a -= L[i, k] * L[j, k]
            if root == 0.0 and a * a > 1e-8 * math.fabs(P[j, j] * P[i, i]):
                return False
            L[i, j] = a / root if root > 0.0 else 0.0
            L[j, i] = 0.0
    return True


def plausible(Q, n):
    """Whether Q can be a covariance: no variance is negative or NaN, and no correlation beyond 1, but for rounding."""
    top = 0.0
    for i in range(n):
        top = max(top, math.fabs(Q[i, i]))
    good = True
    for i in range(n):
        good = good and Q[i, i] >= -1e-9 * top
        for j in range(i):
            good = good and Q[i, j] * Q[i, j] <= 1.000001 * Q[i, i] * Q[j, j] + 1e-18 * top * top
    return good


def solve_rows(L, C, n, m):
    """Each of the n rows of C becomes (L L')^-1 times that row; L is (m, m)."""
    for r in range(n):
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


def drop_unmeasured(y, e, H, R, n, m):
    """e = y, with components that are NaN taken out of the equations; returns how many are left.

    A component without innovation, sensitivity or correlation, and with unit noise, adds nothing to gain, NIS or
    likelihood, so the sizes of all loops stay what they are.
    """
    left = 0
    for i in range(m):
        e[i] = y[i]
        if y[i] == y[i]:
            left += 1
        else:
            e[i] = 0.0
            for j in range(n):
                H[i, j] = 0.0
            for j in range(m):
                R[i, j] = 0.0
                R[j, i] = 0.0
            R[i, i] = 1.0
    return left


def whitened(L, y, v, m):
    """``y' (L L')^-1 y`` and ``log det (L L')``; v is scratch of the length of y."""
    nis = 0.0
    root = 1.0
    logdet = 0.0
    for i in range(m):
        a = y[i]
        for k in range(i):
            a -= L[i, k] * v[k]
        v[i] = a / L[i, i]
        nis += v[i] * v[i]
        root *= L[i, i]
        # One logarithm at the end is enough unless the product leaves the range of floats.
        if root < 1e-150 or root > 1e150:
            logdet += 2.0 * math.log(root)
            root = 1.0
    return nis, logdet + 2.0 * math.log(root)


def score(L, e, v, measured, scores, m):
    """NIS and log-likelihood of an innovation e of which so many components were measured; v is scratch."""
    nis, logdet = whitened(L, e, v, m)
    scores[0] = nis
    scores[1] = -0.5 * (nis + logdet + measured * LOG_TURN)
    return nis


def times(K, e, d, n, m):
    """d = K e, for K (n, m)."""
    for r in range(n):
        a = 0.0
        for c in range(m):
            a += K[r, c] * e[c]
        d[r] = a


def joseph(P, H, R, K, M, N, A, n, m):
    """P = M P M' + K R K' with M = I - K H, symmetric to the last bit; M, N and A (n, n) are scratch.

    M comes first and is not multiplied out, so that what a precise reading leaves of a vague P is no difference of
    large numbers.
    """
    for i in range(n):
        for j in range(m):
            a = 0.0
            for k in range(m):
                a += K[i, k] * R[k, j]
            A[i, j] = a
    for i in range(n):
        for j in range(n):
            a = 0.0
            c = 1.0 if i == j else 0.0
            for k in range(m):
                a += A[i, k] * K[j, k]
                c -= K[i, k] * H[k, j]
            N[i, j] = a
            M[i, j] = c
    sandwich(M, P, N, A, n)
