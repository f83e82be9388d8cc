"""Joint compatibility: which landmarks a scan of detections shows, by branch and bound.

A hypothesis pairs detections i with landmarks j, each landmark at most once. Its pairings are compatible together if

    D^2 = y' S^-1 y  <=  chi2_(k m)(gate),     y = stacked z_i (-) h(x, j),   S = G + R,   G = H P H'

for all k pairings of m components at once, and each alone. D^2 and log det S are added up pairing by pairing, by a row
of the Cholesky factor of S each, so that a branch is cut as soon as it is not compatible, or cannot have as many
pairings as the best one found. Of the hypotheses with most pairings, the best has the least ``D^2 + log det S``: it is
the most likely one.

The search takes exponential time at worst. It therefore gives up after a number of tries, with the best hypothesis
found until then; the first that it finds takes for each detection the nearest landmark that fits those before.

Source: Neira and Tardos, "Data association in stochastic mapping using the joint compatibility test", IEEE Trans.
Robotics and Automation 17(6), 2001, with the likelihood in place of D^2 alone.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..core.arrays import Array
from ..models.trace import driver
from ._inputs import gate_quantiles

Pairing = NDArray[np.int64]
"""The landmark of each detection ``(K,)``, -1 for none."""
TRIES = 100_000
"""Pairings that a search tries at most."""


def individual_distances(y: Array, S: Array) -> Array:
    """``D^2 = y' S^-1 y`` of each detection with each landmark ``(K, L)``; y ``(K, L, m)``, S ``(L, m, m)``.

    Example:
        >>> individual_distances(np.array([[[2.0], [1.0]]]), np.array([[[4.0]], [[0.5]]])).tolist()
        [[1.0, 2.0]]
    """
    return np.einsum("kli,lij,klj->kl", y, np.linalg.inv(S), y)


def joint_pairing(
    y: Array, G: Array, R: Array, gate: float, odds: float = 1.0, *, tries: int = TRIES, alone: Array | None = None
) -> Pairing:
    """The landmark that each detection shows ``(K,)``, -1 for none.

    A pairing is refused where the best hypothesis without it that has as many pairings is not less likely by a factor
    of `odds`: what is ambiguous is not used.

    Args:
        y: innovations of each detection with each landmark ``(K, L, m)``.
        G: covariance ``H P H'`` of the expected readings of all landmarks together ``(L m, L m)``.
        R: noise of the readings of each landmark ``(L, m, m)``.
        gate: probability that the pairings of a true hypothesis pass together.
        odds: least odds against the best alternative of each pairing.
        tries: pairings that are tried at most, for the best hypothesis and for each alternative.
        alone: `individual_distances`, if they are known.

    Example:
        >>> y = np.array([[[0.1], [3.0]], [[-2.9], [0.2]]])
        >>> joint_pairing(y, np.ones((2, 2)), np.ones((2, 1, 1)), gate=0.99, odds=10.0).tolist()
        [0, 1]
    """
    K, L, m = y.shape
    kept = np.full(K, -1, np.int64)
    if K == 0 or L == 0:
        return kept
    if alone is None:
        blocks = np.stack([G[j * m : j * m + m, j * m : j * m + m] for j in range(L)])
        alone = individual_distances(y, blocks + R)
    limits = np.ascontiguousarray(gate_quantiles(gate, K * m)[::m])
    fits = alone <= limits[1]
    hopeful = np.flatnonzero(fits.any(1))
    rows = hopeful[np.argsort(fits[hopeful].sum(1), kind="stable")]  # those with few candidates first
    if not len(rows):
        return kept
    order = _candidates(alone[rows], fits[rows])
    given = tuple(np.ascontiguousarray(each, np.float64) for each in (y[rows], G, R))
    floor = float(np.linalg.slogdet(R)[1].min())
    search_ = _Search(given, limits, order, floor, tries)
    found, most, least = search_.best(-1, -1)
    sure = found.copy()
    if odds > 1.0:
        for i in np.flatnonzero(found >= 0):
            _, count, cost = search_.best(int(i), int(found[i]))
            if count == most and cost - least < 2.0 * math.log(odds):
                sure[i] = -1
    kept[rows] = sure
    return kept


def _candidates(alone: Array, fits: Array) -> NDArray[np.int64]:
    """The landmarks that fit each detection, nearest first ``(K, most + 1)``, and -1 after them."""
    order = np.argsort(np.where(fits, alone, np.inf), axis=1, kind="stable")
    counts, width = fits.sum(1), int(fits.sum(1).max())
    order = np.pad(order[:, :width], ((0, 0), (0, 1)), constant_values=-1)
    order[np.arange(width + 1) >= counts[:, None]] = -1
    return np.ascontiguousarray(order, np.int64)


class _Search:
    """A search with its scratch."""

    def __init__(
        self, given: tuple[Array, ...], limits: Array, order: NDArray[np.int64], floor: float, tries: int
    ) -> None:
        K, L, m = given[0].shape
        self._given, self._count = (*given, limits, order, floor, tries), K
        self._memory = (
            np.zeros((K * m, K * m)), np.zeros(K * m), np.zeros((K + 1, 2)), np.zeros(K + 1, np.int64),
            np.zeros(K + 1, np.int64), np.zeros(K + 1, np.int64), np.zeros(K * m, np.int64), np.zeros(L, np.bool_),
        )  # fmt: skip

    def best(self, i: int, j: int) -> tuple[Pairing, int, float]:
        """The best hypothesis that does not pair detection i with landmark j, its pairings, and its cost."""
        found = np.full(self._count, -1, np.int64)
        count, cost = search.compiled(*self._given, i, j, found, *self._memory)
        return found, int(count), float(cost)


@driver(
    "Tuple((i8, f8))(f8[:,:,::1], f8[:,::1], f8[:,:,::1], f8[::1], i8[:,::1], f8, i8, i8, i8, i8[::1], "
    "f8[:,::1], f8[::1], f8[:,::1], i8[::1], i8[::1], i8[::1], i8[::1], b1[::1])"
)
def search(y, G, R, limits, order, floor, tries, bi, bj, best, L, v, scores, counts, tried, holds, columns, used):
    """The best hypothesis, written to `best`; the number of its pairings and ``D^2 + log det S``.

    Depth i of the search pairs detection i; `tried` counts the candidates that had their turn there, and `holds` is the
    one that it has, -1 for none.

    Args:
        limits: of D^2, for each number of pairings.
        order: the landmarks that are compatible with each detection alone, the nearest first, and then -1.
        floor: the least that a pairing adds to the cost, the least log det R.
        tries: pairings that are tried at most.
        bi, bj: a pairing that is not allowed.
        L, v: Cholesky factor of S, and ``L^-1 y``, of the pairings held.
        scores, counts: (D^2, log det S) and number of pairings before each depth.
        columns: the columns of G of the pairings held. used: which landmarks are taken.
    """
    K = y.shape[0]
    most, least = -1, np.inf
    for j in range(used.shape[0]):
        used[j] = False
    scores[0, 0], scores[0, 1], counts[0], tried[0], holds[0] = 0.0, 0.0, 0, 0, -1
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
        possible = counts[i] + K - i
        cost = scores[i, 0] + scores[i, 1] + (K - i) * floor
        if tried[i] < 0 or possible < most or (possible == most and cost >= least) or (tries <= 0 and most >= 0):
            i -= 1
            continue
        j = order[i, tried[i]]
        tried[i] += 1
        down = False
        if j < 0:
            tried[i] = -1  # all had their turn
            if possible - 1 >= most:
                counts[i + 1], scores[i + 1, 0], scores[i + 1, 1] = counts[i], scores[i, 0], scores[i, 1]
                down = True
        elif not used[j] and not (i == bi and j == bj):
            tries -= 1
            if extend(y[i, j], j, G, R, i, counts[i], L, v, scores, columns):
                counts[i + 1] = counts[i] + 1
                if scores[i + 1, 0] <= limits[counts[i + 1]]:
                    used[j], holds[i] = True, j
                    down = True
        if down:
            i += 1
            tried[i], holds[i] = 0, -1
    return most, least


@driver
def extend(y, j, G, R, i, count, L, v, scores, columns):
    """The rows of one more pairing in the Cholesky factor, and the scores behind depth i; whether S is a covariance."""
    m = y.shape[0]
    base = count * m
    nis, log_det = 0.0, 0.0
    for a in range(m):
        row = base + a
        columns[row] = j * m + a
        for b in range(row + 1):
            s = G[j * m + a, columns[b]]
            if b >= base:
                s += R[j, a, b - base]
            for t in range(b):
                s -= L[row, t] * L[b, t]
            if b < row:
                L[row, b] = s / L[b, b]
            elif s > 0.0:
                L[row, row] = math.sqrt(s)
            else:
                return False
        e = y[a]
        for t in range(row):
            e -= L[row, t] * v[t]
        v[row] = e / L[row, row]
        nis += v[row] * v[row]
        log_det += 2.0 * math.log(L[row, row])
    scores[i + 1, 0] = scores[i, 0] + nis
    scores[i + 1, 1] = scores[i, 1] + log_det
    return True
