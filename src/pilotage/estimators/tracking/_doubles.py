"""Tracks that say the same, of which only the better one goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...models.trace import driver
from ._hypotheses import Forest, best
from ._state import TENTATIVE, State
from ._targets import Rows, Targets
from .gate import SINGULAR, UNKNOWN, Gate, beyond, difference, distance, factorized, working
from .merging import Merging

NOWHERE = np.zeros((0, 0), bool)
Counts = Callable[[int, int], tuple[float, float]]
"""Of two tracks, how many detections both explain together, and the smaller P_D P_G."""


@dataclass(frozen=True)
class Doubles:
    """Tracks that end since others follow their targets.

    Attributes:
        into: the places of those that end, and of those that go on.
        doubts: the evidence against pairs of confirmed tracks that say the same, by their numbers.
    """

    into: dict[int, int] = field(default_factory=dict[int, int])
    doubts: dict[tuple[int, int], float] = field(default_factory=dict[tuple[int, int], float])

    def numbers(self, ids: Any) -> dict[int, int]:
        """`into`, by number; of tracks that have one."""
        return {int(ids[j]): int(ids[i]) for j, i in self.into.items() if min(ids[i], ids[j]) > 0}


NOBODY = Doubles()


def doubles_of(targets: Targets, rule: Merging | None, state: State, counts: Counts) -> Doubles:
    """The tracks that end since a better one follows the target: a confirmed one, or an older one."""
    if rule is None or len(state.ids) < 2:
        return NOBODY
    space, mean, cov = targets.moments(state.rows)
    close = rule.gate.pairs(space, mean, cov, mean)
    n, around, within = len(mean), close.rows, close.columns
    if (around == within).all():
        return NOBODY
    mutual = np.isin(around * n + within, within * n + around)
    same = mutual | (state.source[around] >= 0)  # a track that was not seen may be anywhere
    around, within = around[same], within[same]
    tentative = state.status == TENTATIVE
    rank = np.lexsort((state.born, tentative)).argsort()
    later = rank[within] > rank[around]
    rows, columns = around[later], within[later]
    found, ids = Doubles(), state.ids
    for p in np.lexsort((rank[columns], rank[rows])).tolist():
        i, j = int(rows[p]), int(columns[p])
        if i in found.into or j in found.into:
            continue
        pair = int(ids[i]), int(ids[j])
        said = state.doubts.get(pair, 0.0) + float(rule.evidence(*map(np.array, counts(i, j))))
        if tentative[j] or said > rule.enough:
            found.into[j] = i
        else:
            found.doubts[pair] = max(said, 0.0)
    return found


def double_trees(targets: Targets, ellipsoid: Gate | None, leaves: State, forest: Forest, which: Any) -> Any:
    """The leaves of trees, of those in the mask `which`, that are where a better one is in the best hypothesis."""
    shown = best(forest)
    return np.isin(leaves.ids, double_numbers(targets, ellipsoid, leaves[shown[which[shown]]]))


def double_numbers(targets: Targets, ellipsoid: Gate | None, tracks: State) -> Any:
    """The numbers of tracks, each in one row, that are where a better one is: a confirmed one, or an older one."""
    order = np.lexsort((np.abs(tracks.ids), tracks.born))
    double = doubled(targets, ellipsoid, tracks.rows[order], tracks.status[order] == TENTATIVE)
    return tracks.ids[order[double]]


def doubled(targets: Targets, ellipsoid: Gate | None, rows: Rows, worse: Any, apart: Any = NOWHERE) -> Any:
    """Which tracks are where a better one is: within the ellipsoid of that probability around it.

    Args:
        targets, ellipsoid, rows: the filter, the ellipsoid, and the beliefs of N tracks.
        worse: those that give way first, ``(N,)``; among equals it is the later one.
        apart: the pairs that are known to be of two targets, ``(N, N)``.
    """
    doubles = np.zeros(len(rows), bool)
    if ellipsoid is None or len(doubles) < 2:
        return doubles
    return heads(targets, ellipsoid, rows, np.argsort(worse, kind="stable"), apart) != np.arange(len(doubles))


def heads(targets: Targets, ellipsoid: Gate, rows: Rows, order: Any, apart: Any = NOWHERE) -> Any:
    """The head of each row, in the order given: the first head around which it is, or itself."""
    space, mean, cov = targets.moments(rows[order])
    apart = apart[order][:, order] if apart.size else apart
    head, found = np.full((2, len(order)), -1, np.int64)
    take_in.compiled(difference(space), mean, cov, ellipsoid.limit(space.dim), apart, working(space), head)
    found[order] = order[head]
    return found


@driver("void(i8, f8[:,::1], f8[:,:,::1], f8, b1[:,:], f8[::1], i8[::1])")
def take_in(minus, mean, cov, limit, apart, room, head):
    """Each row that no other took in takes in those around it that come later."""
    for i in range(mean.shape[0]):
        if head[i] >= 0:
            continue
        head[i], known = i, UNKNOWN
        for j in range(i + 1, mean.shape[0]):
            if known == SINGULAR or head[j] >= 0 or (minus == 0 and beyond(mean, j, mean, i, cov, limit)):
                continue
            if apart.shape[0] > 0 and apart[i, j]:
                continue
            known = factorized(known, cov[i], room)
            if distance(minus, mean[j], mean[i], cov.shape[1], room, known) <= limit:
                head[j] = i
