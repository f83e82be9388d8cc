"""Joint compatibility: which landmarks a scan of detections shows, compiled.

A hypothesis pairs detections i with landmarks j, each landmark at most once. Its pairings are compatible together if

    D^2 = y' S^-1 y  <=  chi2_(k m)(gate),     y = stacked z_i (-) h(x, j),   S = H P H' + R

for all k pairings of m components at once, and each alone. D^2 and log det S are added up pairing by pairing, with the
belief conditioned on those before (chain rule), so that a branch is cut as soon as it is not compatible, or cannot have
as many pairings as the best one found. Of the hypotheses with most pairings, the best has the least
``D^2 + log det S``: it is the most likely one.

Source: Neira and Tardos, "Data association in stochastic mapping using the joint compatibility test", IEEE Trans.
Robotics and Automation 17(6), 2001, with the likelihood in place of D^2 alone.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import Array
from ...models.trace import driver
from .._inputs import gate_quantiles

Pairing = NDArray[np.int64]
"""The landmark of each detection ``(K,)``, -1 for none."""


def associate(y: Array, H: Array, R: Array, P: Array, gate: float, odds: float) -> Pairing:
    """The landmark that each detection shows ``(K,)``, -1 for none.

    A pairing is refused where the best hypothesis without it that has as many pairings is not less likely by a factor
    of `odds`: what is ambiguous is not used.

    Args:
        y: innovations of each detection with each landmark ``(K, L, m)``.
        H: Jacobians ``(L, m, d)`` of the readings of landmarks.
        R: noise ``(L, m, m)``.
        P: covariance of the state ``(d, d)``.
        gate: probability that the pairings of a true hypothesis pass together.
        odds: least odds against the best alternative of each pairing.

    Example:
        >>> y = np.array([[[0.1], [3.0]], [[-2.9], [0.2]]])
        >>> associate(y, np.ones((2, 1, 1)), np.ones((2, 1, 1)), np.eye(1), gate=0.99, odds=10.0).tolist()
        [0, 1]
    """
    K, L, m = y.shape
    if K == 0 or L == 0:
        return np.full(K, -1, np.int64)
    limits = np.ascontiguousarray(gate_quantiles(gate, K * m)[::m])
    S = H @ P @ np.swapaxes(H, -1, -2) + R
    alone = np.einsum("kli,lij,klj->kl", y, np.linalg.inv(S), y) <= limits[1:2]
    floor = float(np.linalg.slogdet(R)[1].min(initial=np.inf))
    memory = _Memory(K, L, m, P.shape[0])

    def best() -> tuple[Pairing, int, float]:
        pairing = np.full(K, -1, np.int64)
        count, cost = search.compiled(y, H, R, P, limits, alone, floor, pairing, *memory.arrays)
        return pairing, int(count), float(cost)

    found, most, least = best()
    kept = found.copy()
    for i in np.flatnonzero(found >= 0):
        alone[i, found[i]] = False
        _, count, cost = best()
        alone[i, found[i]] = True
        if count == most and cost - least < 2.0 * math.log(odds):
            kept[i] = -1
    return kept


class _Memory:
    """Scratch of a search, for each depth of it."""

    def __init__(self, K: int, L: int, m: int, d: int) -> None:
        self.arrays: tuple[Any, ...] = (
            np.empty((K + 1, d)), np.empty((K + 1, d, d)), np.empty((K + 1, 2)),
            *(np.empty(K + 1, np.int64) for _ in range(3)), np.empty(L, np.bool_),
            np.empty((m, m)), np.empty((m, d)), np.empty(m),
        )  # fmt: skip


@driver(
    "Tuple((i8, f8))(f8[:,:,::1], f8[:,:,::1], f8[:,:,::1], f8[:,::1], f8[::1], b1[:,::1], f8, i8[::1], "
    "f8[:,::1], f8[:,:,::1], f8[:,::1], i8[::1], i8[::1], i8[::1], b1[::1], f8[:,::1], f8[:,::1], f8[::1])"
)
def search(y, H, R, P, limits, alone, floor, best, dx, Ps, scores, counts, tried, holds, used, S, G, v):
    """The best hypothesis, written to `best`; the number of its pairings and ``D^2 + log det S``.

    Depth i of the search pairs detection i; `tried` is the landmark whose turn it is there, L for none, and `holds` the
    one that it has, -1 for none.

    Args:
        limits: of D^2, for each number of pairings.
        alone: which pairings are compatible on their own ``(K, L)``.
        floor: the least that a pairing adds to the cost, the least log det R.
        dx, Ps, scores, counts: belief, (D^2, log det S) and number of pairings before each depth.
        used: which landmarks are taken. S, G, v: scratch.
    """
    K, L = y.shape[0], y.shape[1]
    most, least = -1, np.inf
    begin(P, dx, Ps, scores, counts, used)
    tried[0], holds[0] = -1, -1
    i = 0
    while i >= 0:
        if i == K:
            cost = scores[K, 0] + scores[K, 1]
            if counts[K] > most or (counts[K] == most and cost < least):
                most, least = counts[K], cost
                for k in range(K):
                    best[k] = holds[k]
            i -= 1
            continue
        if holds[i] >= 0:
            used[holds[i]] = False
            holds[i] = -1
        tried[i] += 1
        j = tried[i]
        possible = counts[i] + K - i
        cost = scores[i, 0] + scores[i, 1] + (K - i) * floor
        if j > L or possible < most or (possible == most and cost >= least):
            i -= 1
        elif j == L:
            if counts[i] + K - i - 1 >= most:
                skip(i, dx, Ps, scores, counts)
                i += 1
                tried[i], holds[i] = -1, -1
        elif alone[i, j] and not used[j] and condition(y[i, j], H[j], R[j], i, dx, Ps, scores, S, G, v):
            counts[i + 1] = counts[i] + 1
            if scores[i + 1, 0] <= limits[counts[i + 1]]:
                used[j], holds[i] = True, j
                i += 1
                tried[i], holds[i] = -1, -1
    return most, least


@driver
def begin(P, dx, Ps, scores, counts, used):
    """The belief before any pairing."""
    for b in range(P.shape[0]):
        dx[0, b] = 0.0
        for c in range(P.shape[0]):
            Ps[0, b, c] = P[b, c]
    scores[0, 0], scores[0, 1], counts[0] = 0.0, 0.0, 0
    for j in range(used.shape[0]):
        used[j] = False


@driver
def skip(i, dx, Ps, scores, counts):
    """The belief behind depth i without a pairing: that before it."""
    for b in range(dx.shape[1]):
        dx[i + 1, b] = dx[i, b]
        for c in range(dx.shape[1]):
            Ps[i + 1, b, c] = Ps[i, b, c]
    scores[i + 1, 0], scores[i + 1, 1], counts[i + 1] = scores[i, 0], scores[i, 1], counts[i]


@driver
def condition(y, H, R, i, dx, Ps, scores, S, G, v):
    """Belief and scores behind depth i from those before it, by a Kalman update with innovation y; whether S is one."""
    m, d = H.shape
    P, N = Ps[i], Ps[i + 1]
    for a in range(m):
        v[a] = y[a]
        for b in range(d):
            v[a] -= H[a, b] * dx[i, b]
            G[a, b] = 0.0
            for c in range(d):
                G[a, b] += H[a, c] * P[c, b]
    for a in range(m):
        for b in range(m):
            S[a, b] = R[a, b]
            for c in range(d):
                S[a, b] += G[a, c] * H[b, c]
    # Gauss: S = L D L', component by component, which leaves L^-1 in v and G.
    nis, log_det = 0.0, 0.0
    for b in range(d):
        dx[i + 1, b] = dx[i, b]
        for c in range(d):
            N[b, c] = P[b, c]
    for a in range(m):
        pivot = S[a, a]
        if not pivot > 0.0:
            return False
        nis += v[a] * v[a] / pivot
        log_det += math.log(pivot)
        for b in range(d):
            dx[i + 1, b] += G[a, b] * v[a] / pivot
            for c in range(d):
                N[b, c] -= G[a, b] * G[a, c] / pivot
        for e in range(a + 1, m):
            f = S[e, a] / pivot
            v[e] -= f * v[a]
            for b in range(d):
                G[e, b] -= f * G[a, b]
            for c in range(a + 1, m):
                S[e, c] -= f * S[a, c]
    scores[i + 1, 0] = scores[i, 0] + nis
    scores[i + 1, 1] = scores[i, 1] + log_det
    return True
