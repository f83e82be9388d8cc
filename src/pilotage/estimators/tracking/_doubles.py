"""Tracks that say the same, of which only the better one goes on."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...models.trace import driver
from ._hypotheses import Forest, best
from ._state import TENTATIVE, State
from ._targets import Rows, Targets
from .gate import SINGULAR, UNKNOWN, Gate, beyond, difference, distance, factorized, working

NOWHERE = np.zeros((0, 0), bool)


def double_trees(targets: Targets, twins: Gate | None, leaves: State, forest: Forest, which: Any) -> Any:
    """The leaves of trees, of those in the mask `which`, that are where a better one is in the best hypothesis."""
    shown = best(forest)
    shown = shown[which[shown]]
    shown = shown[np.lexsort((np.abs(leaves.ids[shown]), leaves.born[shown]))]
    double = doubled(targets, twins, leaves.rows[shown], leaves.status[shown] == TENTATIVE)
    return np.isin(leaves.ids, leaves.ids[shown[double]])


def doubled(targets: Targets, twins: Gate | None, rows: Rows, worse: Any, apart: Any = NOWHERE) -> Any:
    """Which tracks are where a better one is: within the ellipsoid of that probability around it.

    Args:
        targets, twins, rows: the filter, the ellipsoid, and the beliefs of N tracks.
        worse: those that give way first, ``(N,)``; among equals it is the later one.
        apart: the pairs that are known to be of two targets, ``(N, N)``.
    """
    doubles = np.zeros(len(rows), bool)
    if twins is None or len(doubles) < 2:
        return doubles
    order = np.argsort(worse, kind="stable")
    space, mean, cov = targets.moments(rows[order])
    apart, later = apart[order][:, order] if apart.size else apart, np.zeros(len(order), bool)
    give_way.compiled(difference(space), mean, cov, twins.limit(space.dim), apart, working(space), later)
    doubles[order] = later
    return doubles


@driver("void(i8, f8[:,::1], f8[:,:,::1], f8, b1[:,:], f8[::1], b1[::1])")
def give_way(minus, mean, cov, limit, apart, room, doubles):
    """Each track that stays lets those around it that come later give way."""
    for i in range(mean.shape[0]):
        known = SINGULAR if doubles[i] else UNKNOWN
        for j in range(i + 1, mean.shape[0]):
            if (minus == 0 and beyond(mean, j, mean, i, cov, limit)) or doubles[j] or known == SINGULAR:
                continue
            if apart.shape[0] > 0 and apart[i, j]:
                continue
            known = factorized(known, cov[i], room)
            doubles[j] = distance(minus, mean[j], mean[i], cov.shape[1], room, known) <= limit
