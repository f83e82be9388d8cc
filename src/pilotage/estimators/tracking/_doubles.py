"""Tracks that say the same, of which only the better one goes on."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...models.trace import driver
from ._hypotheses import Forest, best
from ._state import TENTATIVE, State
from ._targets import Rows, Targets
from .gate import SINGULAR, UNKNOWN, Gate, beyond, difference, distance, factorized, working


def double_trees(targets: Targets, twins: Gate | None, leaves: State, forest: Forest, which: Any) -> Any:
    """The leaves of trees, of those in the mask `which`, that are where a better one is in the best hypothesis."""
    shown = best(forest)
    shown = shown[which[shown]]
    shown = shown[np.lexsort((np.abs(leaves.ids[shown]), leaves.born[shown]))]
    double = doubled(targets, twins, leaves.rows[shown], leaves.status[shown] == TENTATIVE)
    return np.isin(leaves.ids, leaves.ids[shown[double]])


def doubled(targets: Targets, twins: Gate | None, rows: Rows, worse: Any) -> Any:
    """Which tracks are where a better one is: within the ellipsoid of that probability around it.

    `worse` tells those that give way first; among equals it is the later one.
    """
    doubles = np.zeros(len(rows), bool)
    if twins is None or len(doubles) < 2:
        return doubles
    space, mean, cov = targets.moments(rows)
    order, limit = np.argsort(worse, kind="stable"), twins.limit(space.dim)
    give_way.compiled(difference(space), mean, cov, limit, working(space), order, doubles)
    return doubles


@driver("void(i8, f8[:,::1], f8[:,:,::1], f8, f8[::1], i8[::1], b1[::1])")
def give_way(minus, mean, cov, limit, room, order, doubles):
    """Tracks in order of their rank: each that stays lets those around it that come later give way."""
    for rank in range(order.shape[0]):
        i, known = order[rank], UNKNOWN
        if doubles[i]:
            continue
        for j in order[rank + 1 :]:
            if known == SINGULAR or doubles[j] or (minus == 0 and beyond(mean[j], mean[i], cov[i], limit)):
                continue
            known = factorized(known, cov[i], room)
            doubles[j] = distance(minus, mean[j], mean[i], cov.shape[1], room, known) <= limit
