"""Marginals of joint association events by loopy belief propagation, for clusters that are too wide to be exact."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import Array
from ...models.trace import driver

Whole = NDArray[np.int64]


def propagated(starts: Whole, columns: Whole, odds: Array, detections: int, rounds: int, accuracy: float) -> Any:
    """Probabilities of pairs ``(P,)`` and of no detection ``(N,)``; see `propagate`."""
    beta, missed = np.empty(len(columns)), np.empty(len(starts) - 1)
    propagate.compiled(
        starts,
        np.ascontiguousarray(columns),
        odds,
        np.empty((2, len(columns))),
        np.empty(detections),
        rounds,
        accuracy,
        beta,
        missed,
    )
    return beta, missed


@driver("void(i8[::1], i8[::1], f8[::1], f8[:,::1], f8[::1], i8, f8, f8[::1], f8[::1])")
def propagate(starts, columns, odds, messages, sums, rounds, accuracy, beta, missed):
    """Messages between tracks i and detections j, until none changes by more than the accuracy::

        nu_ij  =  w_ij / (1 + sum_(k != j) w_ik mu_ki)            from a track to a detection
        mu_ji  =  1 / (1 + sum_(k != i) nu_kj)                    from a detection to a track
        beta_ij  =  w_ij mu_ji / (1 + sum_k w_ik mu_ki)

    It converges always, to marginals that are exact where pairs form no loop, and too sure where they do.

    Source: Williams and Lau, "Approximate evaluation of marginal association probabilities with belief propagation",
    IEEE Trans. Aerospace and Electronic Systems 50, 2014.
    """
    nu, mu = messages[0], messages[1]
    for p in range(odds.shape[0]):
        mu[p] = 1.0
    for _ in range(rounds):
        for j in range(sums.shape[0]):
            sums[j] = 1.0
        for i in range(missed.shape[0]):
            before = 1.0
            for p in range(starts[i], starts[i + 1]):
                nu[p] = before
                before += odds[p] * mu[p]
            behind = 0.0  # sums from both ends: the whole less one may cancel to nothing
            for p in range(starts[i + 1] - 1, starts[i] - 1, -1):
                nu[p] = odds[p] / (nu[p] + behind)
                behind += odds[p] * mu[p]
                sums[columns[p]] += nu[p]
        change = 0.0
        for p in range(odds.shape[0]):
            new = 1.0 / max(sums[columns[p]] - nu[p], 1.0)
            change = max(change, abs(new - mu[p]))
            mu[p] = new
        if change <= accuracy:
            break
    for i in range(missed.shape[0]):
        total = 1.0
        for p in range(starts[i], starts[i + 1]):
            total += odds[p] * mu[p]
        missed[i] = 1.0 / total
        for p in range(starts[i], starts[i + 1]):
            beta[p] = odds[p] * mu[p] / total
