"""The drivers of SLAM by landmarks: models at many landmarks, innovations of a scan, and covariances in place.

The covariance P lies in the first n rows and columns of memory that may be larger, and is symmetric to the last bit, so
that columns are read as rows. Readings of landmarks have derivatives H ``(K, m, d)`` by the vehicle, whose columns come
first, and C ``(K, m, c)`` by their landmark, whose columns begin at `starts` ``(K,)``; together they are
``J = [H 0 .. C .. 0]``.
"""

from __future__ import annotations

import math
from typing import Any

from pilotage.models.trace import call, driver


@driver("void(i8, f8[:,::1], f8[:,::1], f8[:,::1], f8[::1], f8[:,::1])")
def evaluate(address: Any, x: Any, places: Any, z: Any, p: Any, out: Any) -> None:
    """A sensor's results for each landmark, a row of `out` ``(L, size)`` each.

    Args:
        address: machine code of the sensor.
        x: states ``(L, n)``, or one for all ``(1, n)``.
        places: landmarks ``(L, c)``.
        z: readings ``(L, k)``, or one for all ``(1, k)``.
        p: parameters of the sensor.
        out: results.
    """
    own, read = 1 if len(x) > 1 else 0, 1 if len(z) > 1 else 0
    for k in range(len(out)):
        call(address, x[k * own], places[k], z[k * read], p, out[k])


@driver("void(i8, f8[::1], f8[::1], f8[::1], f8[::1], f8[::1])")
def move(address: Any, x: Any, u: Any, dt: Any, p: Any, out: Any) -> None:
    """The results of dynamics at one state."""
    call(address, x, u, dt, p, out)


@driver("void(f8[:,::1], i8[::1], f8[:,:,::1], f8[:,:,::1], f8[:,:,::1], f8[:,::1], f8[:,:,::1])")
def alone(P: Any, starts: Any, H: Any, C: Any, R: Any, w: Any, S: Any) -> None:
    """``S = J P J' + R`` ``(K, m, m)`` of each reading on its own; w ``(m, d + c)`` is scratch."""
    (K, m, d), c = H.shape, C.shape[2]
    for k in range(K):
        s = starts[k]
        for a in range(m):
            for j in range(d + c):
                column, total = j if j < d else s + j - d, 0.0
                for b in range(d):
                    total += H[k, a, b] * P[b, column]
                for b in range(c):
                    total += C[k, a, b] * P[s + b, column]
                w[a, j] = total
        for a in range(m):
            for b in range(m):
                total = R[k, a, b]
                for j in range(d):
                    total += w[a, j] * H[k, b, j]
                for j in range(c):
                    total += w[a, d + j] * C[k, b, j]
                S[k, a, b] = total


@driver("void(f8[:,::1], i8[::1], f8[:,:,::1], f8[:,:,::1], f8[:,::1], f8[:,::1])")
def innovations(P: Any, starts: Any, H: Any, C: Any, JP: Any, G: Any) -> None:
    """``J P`` ``(K m, n)`` and ``G = J P J'`` ``(K m, K m)`` of all readings together."""
    (K, m, d), c, n = H.shape, C.shape[2], JP.shape[1]
    for k in range(K):
        for a in range(m):
            row = JP[k * m + a]
            for j in range(n):
                row[j] = 0.0
            for b in range(d):
                for j in range(n):
                    row[j] += H[k, a, b] * P[b, j]
            for b in range(c):
                for j in range(n):
                    row[j] += C[k, a, b] * P[starts[k] + b, j]
    for r in range(K * m):
        for q in range(r + 1):
            k, a, total = q // m, q % m, 0.0
            for b in range(d):
                total += JP[r, b] * H[k, a, b]
            for b in range(c):
                total += JP[r, starts[k] + b] * C[k, a, b]
            G[r, q] = total
            G[q, r] = total


@driver("f8(f8[:,::1], f8[:,::1], f8[::1])")
def whiten(S: Any, W: Any, v: Any) -> float:
    """S becomes its Cholesky factor L, and W ``L^-1 W``, v ``L^-1 v``; ``log det S``, or NaN where S is no covariance.

    W may have rows of zeros behind those of S.
    """
    logs, n = 0.0, W.shape[1]
    for i in range(len(S)):
        for j in range(i + 1):
            total = S[i, j]
            for k in range(j):
                total -= S[i, k] * S[j, k]
            if j < i:
                S[i, j] = total / S[j, j]
            elif total > 0.0:
                S[i, i] = math.sqrt(total)
            else:
                return math.nan
    for i in range(len(S)):
        for k in range(i):
            v[i] -= S[i, k] * v[k]
            for j in range(n):
                W[i, j] -= S[i, k] * W[k, j]
        scale = 1.0 / S[i, i]
        v[i] *= scale
        for j in range(n):
            W[i, j] *= scale
        logs += 2.0 * math.log(S[i, i])
    return logs


@driver("void(f8[:,::1], i8, f8[:,::1], f8[:,::1])")
def add_product(P: Any, n: Any, A: Any, B: Any) -> None:
    """``P = P + A' B``, which is symmetric.

    Args:
        P: the covariance.
        n: its size.
        A, B: ``(4 k, n)``: rows go in by four, so that a row of P is read and written once for all of them.
    """
    for i in range(n):
        row = P[i]
        for r in range(0, len(A), 4):
            a, b, c, d = A[r, i], A[r + 1, i], A[r + 2, i], A[r + 3, i]
            if a == 0.0 and b == 0.0 and c == 0.0 and d == 0.0:
                continue
            E, F, G, H = B[r], B[r + 1], B[r + 2], B[r + 3]
            for j in range(i + 1):
                row[j] += a * E[j] + b * F[j] + c * G[j] + d * H[j]
    mirror(P, n)


@driver
def mirror(P: Any, n: Any) -> None:
    """The upper triangle becomes that of the lower one, by tiles that fit into the cache."""
    side = 32
    for i in range(0, n, side):
        for j in range(0, i + 1, side):
            for k in range(i, min(i + side, n)):
                for m in range(j, min(j + side, k)):
                    P[m, k] = P[k, m]
