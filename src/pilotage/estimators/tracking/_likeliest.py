"""Marginals of joint association events by the likeliest of them."""

from __future__ import annotations

import numpy as np

from ...core.arrays import Array
from ._assignment import best_assignments
from ._clusters import Whole


def likeliest(
    order: Whole, begins: Whole, starts: Whole, columns: Whole, log_odds: Array, detections: int, events: int
) -> tuple[Array, Array]:
    """Probabilities of pairs ``(P,)`` and of no detection ``(N,)``, from so many events of each cluster.

    The marginals are exact where a cluster has no more events than that, and otherwise too sure: what is left out has
    no weight. The other arguments are those of `marginals`.
    """
    beta, missed = np.zeros(len(columns)), np.ones(len(starts) - 1)
    for c in range(len(begins) - 1):
        tracks = order[begins[c] : begins[c + 1]]
        places = np.concatenate([np.arange(int(starts[i]), int(starts[i + 1])) for i in tracks])
        if not len(places):
            continue
        named, inside = np.unique(columns[places], return_inverse=True)
        bounds = np.concatenate([[0], np.cumsum(np.diff(starts)[tracks])]).astype(np.int64)
        costs, chosen = best_assignments(bounds, inside.astype(np.int64), -log_odds[places], len(named), events)
        weights = np.exp(costs[0] - costs)
        weights /= weights.sum()
        event, track = np.nonzero(chosen >= 0)
        beta[places] = np.bincount(chosen[event, track], weights[event], len(places))
        missed[tracks] = weights @ (chosen < 0)
    return beta, missed
