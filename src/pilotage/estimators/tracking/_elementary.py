"""The number of targets after a scan of the CPHD filter, by elementary symmetric functions in logarithms."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ...core.arrays import Array
from ...core.weights import log_sum_exp
from ...models.trace import driver

FLOOR = -690.0
"""Logarithm of a probability at least, and of its inverse at most."""


def corrected(known: Array, rho: Array, m: float, W: float) -> tuple[Array, float, Array]:
    """The distribution of the number of targets after a scan, and the factors of those missed and of those detected.

    Args:
        known: logarithms of the probabilities before, ``(N + 1,)``.
        rho: expected number of targets that cause each detection, over the density of clutter, ``(K,)``.
        m: expected number of targets that are not detected.
        W: expected number of targets.
    """
    N, K = len(known) - 1, len(rho)
    J = min(N, K)
    if W <= 0.0:
        return known, 1.0, np.ones(K)
    with np.errstate(divide="ignore"):
        x, log_m = np.log(rho), float(np.log(m))
    table, g, after, gains = np.empty((K + 1, J + 1)), np.empty(J + 2), np.empty(N + 1), np.empty(K)
    left = count_targets.compiled(known, x, log_m, math.log(W), log_factorials(N), table, g, after, gains)
    after = np.maximum(after - log_sum_exp(after), FLOOR)
    return after, math.exp(min(left, -FLOOR)), np.exp(np.minimum(gains, -FLOOR))


def thinned(p: Array, stays: float) -> Array:
    """The distribution of the number of targets, each of which stays with that probability."""
    if stays == 0.0:
        return np.where(np.arange(len(p)), 0.0, p.sum())
    return p if stays == 1.0 else p @ thinning(len(p), stays)


@lru_cache(maxsize=8)
def thinning(count: int, stays: float) -> Array:
    """The probability that of i targets j stay, ``(count, count)``."""
    n, factorials = np.arange(count), log_factorials(count - 1)
    lost = n[:, None] - n
    logs = factorials[:, None] - factorials - factorials[np.maximum(lost, 0)]
    logs += n * math.log(stays) + lost * math.log1p(-stays)
    return np.exp(np.where(lost >= 0, logs, -np.inf))


@lru_cache(maxsize=8)
def log_factorials(most: int) -> Array:
    """log 0!, ..., log most!."""
    return np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, most + 1)))))


@driver("f8(f8[::1], f8[::1], f8, f8, f8[::1], f8[:,::1], f8[::1], f8[::1], f8[::1])")
def count_targets(known, x, m, W, factorials, table, g, after, gains):
    """`corrected`, in logarithms; the factor of those missed.

    With ``g_s = sum_n p(n) n! / (n - s)! m^(n - s) / W^n``, the likelihood of the scan is ``sum_j g_j e_j``, its
    derivative by m is ``sum_j g_(j+1) e_j``, and those by each x follow from the end of the recursion to its beginning.

    Args:
        known, x, m, W, factorials: logarithms.
        table: room for e_j of the first k detections, in row k.
        g: room, one longer than such a row.
        after, gains: the results.
    """
    K, J = x.shape[0], table.shape[1] - 1
    for s in range(J + 2):
        g[s] = inner(known, m, W, factorials, s)
    for j in range(J + 1):
        table[0, j] = 0.0 if j == 0 else -math.inf
    for k in range(K):
        table[k + 1, 0] = 0.0
        for j in range(1, J + 1):
            table[k + 1, j] = added(table[k, j], x[k] + table[k, j - 1]) if j <= k + 1 else -math.inf
    whole, fewer = -math.inf, -math.inf
    for j in range(J + 1):
        whole, fewer = added(whole, g[j] + table[K, j]), added(fewer, g[j + 1] + table[K, j])
    for n in range(after.shape[0]):
        total = -math.inf
        for j in range(min(n, J) + 1):
            total = added(total, power(m, n - j) - factorials[n - j] + table[K, j])
        after[n] = known[n] + factorials[n] - n * W + total
    for k in range(K - 1, -1, -1):
        total = -math.inf
        for j in range(1, min(J, k + 1) + 1):
            total = added(total, g[j] + table[k, j - 1])
        gains[k] = total - whole
        for j in range(J):
            g[j] = added(g[j], x[k] + g[j + 1])
    return fewer - whole


@driver
def inner(known, m, W, factorials, s):
    """log g_s; see `count_targets`."""
    total = -math.inf
    for n in range(s, known.shape[0]):
        total = added(total, known[n] + factorials[n] - factorials[n - s] + power(m, n - s) - n * W)
    return total


@driver
def power(m, n):
    """n m, which is 0 where n is, even for an infinite m."""
    return n * m if n > 0 else 0.0


@driver
def added(a, b):
    """log(exp(a) + exp(b))."""
    high, low = max(a, b), min(a, b)
    return high if low < high - 40.0 or low == -math.inf else high + math.log1p(math.exp(low - high))
