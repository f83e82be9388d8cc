"""The factor ``L D L'`` of the working set's block of G, and its changes, in compiled code.

W holds the rows of the working set in the order of the factor; `count` says how many there are.
"""

from __future__ import annotations

from typing import Any

from ...models.trace import driver


@driver(fast=True)
def subtract(rows: Any, i: int, c: float, out: Any) -> None:
    """``out -= c rows_i``."""
    for j in range(rows.shape[1]):
        out[j] -= c * rows[i, j]


@driver
def pivot(L: Any, D: Any, G: Any, W: Any, count: int, j: int) -> float:
    """The row and the pivot that the row j of G adds to the factor: ``L D l = G_Wj``, ``d = G_jj - l' D l``."""
    d = G[j, j]
    for a in range(count):
        s = G[j, W[a]]
        for b in range(a):
            s -= L[a, b] * L[count, b]
        L[count, a] = s
    for a in range(count):
        s = L[count, a] / D[a]
        d -= s * L[count, a]
        L[count, a] = s
    return d


@driver
def back_substitute(L: Any, count: int, s: Any) -> None:
    """``s <- L'^-1 s``."""
    for a in range(count - 1, -1, -1):
        for b in range(a + 1, count):
            s[a] -= L[b, a] * s[b]


@driver
def solve_working(L: Any, D: Any, count: int, s: Any) -> None:
    """``s <- (L D L')^-1 s``."""
    for a in range(count):
        for b in range(a):
            s[a] -= L[a, b] * s[b]
    for a in range(count):
        s[a] /= D[a]
    back_substitute(L, count, s)


@driver
def remove(L: Any, D: Any, W: Any, count: int, k: int) -> None:
    """Remove the k-th row of the working set: the trailing block of L D L' gains ``d_k l l'``.

    Source: Gill, Golub, Murray and Saunders, "Methods for modifying matrix factorizations" (1974), method C1.
    """
    alpha = D[k]
    for a in range(k + 1, count):
        L[k, a] = L[a, k]  # l, kept in the unused half
    for a in range(k + 1, count):
        p = L[k, a]
        d = D[a] + alpha * p * p
        beta = alpha * p / d
        alpha *= D[a] / d
        for b in range(a + 1, count):
            L[k, b] -= p * L[b, a]
            L[b, a] += beta * L[k, b]
        D[a - 1], W[a - 1] = d, W[a]
        for b in range(k):
            L[a - 1, b] = L[a, b]
    for a in range(k + 1, count):
        for b in range(k + 1, a):
            L[a - 1, b - 1] = L[a, b]
