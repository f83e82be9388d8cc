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
from .gate import Gate
from .merging import Merging

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
    if len(close.rows) <= len(state.ids):  # each is close to itself
        return NOBODY
    tentative = state.status == TENTATIVE
    rank = np.lexsort((state.born, tentative)).argsort()
    later = rank[close.columns] > rank[close.rows]
    rows, columns = close.rows[later], close.columns[later]
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
    pairs = twins.pairs(space, mean, cov, mean)
    rank = np.argsort(worse, kind="stable").argsort()
    give_way.compiled(np.argsort(rank), rank, pairs.starts, pairs.columns, doubles)
    return doubles


@driver("void(i8[::1], i8[::1], i8[::1], i8[::1], b1[::1])")
def give_way(order, rank, starts, columns, doubles):
    """Tracks in order of their rank: each that stays lets those of its pairs that come later give way."""
    for i in order:
        if not doubles[i]:
            for p in range(starts[i], starts[i + 1]):
                if rank[columns[p]] > rank[i]:
                    doubles[columns[p]] = True
