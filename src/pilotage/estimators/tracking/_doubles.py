"""Tracks that say the same, of which only the better one goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...core.arrays import Array
from ...models.trace import driver
from ._hypotheses import Forest, best
from ._state import TENTATIVE, GatedPairs, State
from ._targets import Rows, Targets
from .gate import SINGULAR, UNKNOWN, Gate, beyond, difference, distance, factorized, working
from .merging import Merging

NOWHERE = np.zeros((0, 0), bool)
Claims = Callable[[int], tuple[Array, float]]
"""Of a track, the odds with which it explains each detection, and P_D P_G; see `Merging.evidence`."""


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


def doubles_of(targets: Targets, rule: Merging | None, state: State, claims: Claims, old: int) -> Doubles:
    """The tracks that end since a better one follows the target: a confirmed one, or an older one.

    Those that begin, behind the `old` ones, are compared among themselves.
    """
    if rule is None or len(state.ids) < 2:
        return NOBODY
    rows, columns = alike(targets, rule, state, old)
    if not len(rows):
        return NOBODY
    tentative = state.status == TENTATIVE
    rank = np.lexsort((state.born, tentative)).argsort()
    found, ids = Doubles(), state.ids
    later = np.flatnonzero(rank[columns] > rank[rows])
    for p in later[np.lexsort((rank[columns[later]], rank[rows[later]]))].tolist():
        i, j = int(rows[p]), int(columns[p])
        if i in found.into or j in found.into:
            continue
        pair = int(ids[i]), int(ids[j])
        said = 0.0 if tentative[j] else state.doubts.get(pair, 0.0) + rule.evidence(*claims(i), *claims(j))
        if tentative[j] or said > rule.enough:
            found.into[j] = i
        elif said > 0.0:
            found.doubts[pair] = said
    return found


def claims_of(found: GatedPairs, i: int) -> tuple[Array, float]:
    """The claims of the track in row i."""
    first, last = np.searchsorted(found.pairs.rows, (i, i + 1))
    odds = np.zeros(found.pairs.detections)
    odds[found.pairs.columns[first:last]] = np.exp(np.minimum(found.w[first:last], 300.0))
    return odds, float(found.P[i])


def alike(targets: Targets, rule: Merging, state: State, old: int) -> tuple[Any, Any]:
    """The pairs of tracks that may be of one target; see `Merging`. The second is within the ellipsoid of the first."""
    space, mean, cov = targets.moments(state.rows)
    limits = np.where(state.status == TENTATIVE, rule.gate.limit(space.dim), rule.region.limit(space.dim))
    reach = limits * np.where(space.linear, cov[:, 0, 0], np.inf)
    given = difference(space), mean, cov, state.source, limits, reach, old, working(space)
    pairs = np.empty((2, 4 * len(mean)), np.int64)
    if (count := near_pairs.compiled(*given, pairs)) > pairs.shape[1]:
        pairs = np.empty((2, count), np.int64)
        near_pairs.compiled(*given, pairs)
    return pairs[0, :count], pairs[1, :count]


@driver("i8(i8, f8[:,::1], f8[:,:,::1], i8[::1], f8[::1], f8[::1], i8, f8[::1], i8[:,::1])")
def near_pairs(minus, mean, cov, source, limits, reach, old, room, pairs):
    """Write down `alike`, as far as there is room; how many they are.

    `limits` are those of the ellipsoids around each track, of two the smaller; `reach` is that in the first component.
    """
    count = 0
    for i in range(mean.shape[0]):
        x = mean[i, 0]
        for j in range(i + 1, old if i < old else mean.shape[0]):
            y = mean[j, 0] - x  # most pairs are apart in the first component already
            if y * y > reach[i] and y * y > reach[j]:
                continue
            limit = min(limits[i], limits[j])
            if minus == 0 and apart(mean, cov, i, j, limit):
                continue
            here = around(minus, mean, cov, i, j, room) <= limit
            there = around(minus, mean, cov, j, i, room) <= limit
            for a, b, within in ((i, j, here), (j, i, there)):
                if within and ((here and there) or source[a] >= 0):  # one that was not seen may be anywhere
                    if count < pairs.shape[1]:
                        pairs[0, count], pairs[1, count] = a, b
                    count += 1
    return count


@driver
def apart(mean, cov, i, j, limit):
    """Whether two points are so far apart in one component that neither is in the ellipsoid around the other."""
    far = False
    for a in range(mean.shape[1]):
        y = mean[j, a] - mean[i, a]
        far = far or y * y > limit * max(cov[i, a, a], cov[j, a, a])
        if far:
            break
    return far


@driver
def around(minus, mean, cov, i, j, room):
    """The Mahalanobis distance squared of mean j from mean i, in the covariance of i."""
    return distance(minus, mean[j], mean[i], cov.shape[1], room, factorized(UNKNOWN, cov[i], room))


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
