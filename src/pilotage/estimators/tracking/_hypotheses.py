"""Global hypotheses: which leaf of each track tree is true, several ways at once, cluster by cluster.

A tree is what may have become of one track; its leaves are rows of beliefs. A global hypothesis takes one leaf of each
tree, or none, so that no detection is used twice. Trees that have never shared a detection are in different clusters,
whose hypotheses are apart.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import Array
from ._branching import followed, survey
from ._clusters import Whole, clusters
from ._distinct import distinct
from .gate import Pairs

Bools = NDArray[np.bool_]
Forest = list["Cluster"]
WORK = 10**8
"""Hypotheses times pairs times trees of a cluster at most: what is beyond that is ranked less far."""


@dataclass(frozen=True)
class Cluster:
    """The hypotheses of a few trees, the likeliest first.

    Args:
        leaves: leaf of each tree in each hypothesis, -1 for none; ``(H, T)``.
        logs: logarithms of their weights, ``(H,)``.
    """

    leaves: Whole
    logs: Array

    @staticmethod
    def alone(leaf: int) -> Cluster:
        """One leaf of one tree, for certain."""
        return Cluster(np.array([[leaf]], np.int64), np.zeros(1))

    @property
    def certain(self) -> bool:
        """Whether it is a single leaf."""
        return self.leaves.size == 1

    @property
    def weights(self) -> Array:
        """Probabilities of the hypotheses, ``(H,)``."""
        return np.exp(self.logs - total(self.logs))

    def summed(self, values: Array) -> Array:
        """The sum of a value of leaves over each hypothesis, ``(H,)``."""
        return np.where(self.leaves >= 0, values[self.leaves], 0.0).sum(1)


@dataclass(frozen=True)
class Choices:
    """The ways in which a scan may continue leaves. New leaves are: those missed, those of pairs, those that begin.

    Args:
        pairs: of a leaf and a detection, L leaves and K detections.
        odds: log-odds of each pair: against a missed leaf and a detection of another cause.
        missed: log-weight of each leaf that is missed, ``(L,)``.
        new: the new leaf of the tree that may begin at each detection, -1 for none; ``(K,)``.
    """

    pairs: Pairs
    odds: Array
    missed: Array
    new: Whole


def grown(forest: Forest, choices: Choices, most: int) -> Forest:
    """The clusters after a scan, with at most so many hypotheses each, by the likeliest assignments of each."""
    pairs, owner = choices.pairs, np.empty(choices.pairs.tracks + 1, np.int64)
    owner[flat(forest)] = np.repeat(np.arange(len(forest)), [cluster.leaves.size for cluster in forest])
    mine, starts, after = owner[pairs.rows], pairs.starts, Forest()
    order, begins = clusters(mine, pairs.columns, len(forest), pairs.detections)
    busy, order, begins = np.bincount(mine, minlength=len(forest)).tolist(), order.tolist(), begins.tolist()
    for first, last in itertools.pairwise(begins):
        one, *others = (forest[c] for c in order[first:last])
        if busy[order[first]]:
            together = reduce(lambda a, b: product(a, b, most), others, one)
            after.append(branched(together, choices, starts, most))
        else:  # of a cluster that shares no detection with others
            after.append(one if one.certain else Cluster(one.leaves, one.logs + one.summed(choices.missed)))
    free = choices.new.copy()
    free[pairs.columns] = -1
    return after + [Cluster.alone(leaf) for leaf in free[free >= 0].tolist()]


def product(a: Cluster, b: Cluster, most: int) -> Cluster:
    """The likeliest hypotheses of two clusters together."""
    logs = (a.logs[:, None] + b.logs).ravel()
    best = np.argsort(-logs, kind="stable")[:most]
    i, j = np.divmod(best, len(b.logs))
    return Cluster(np.concatenate([a.leaves[i], b.leaves[j]], axis=1), logs[best])


def branched(cluster: Cluster, choices: Choices, starts: Whole, most: int) -> Cluster:
    """The hypotheses that follow from each one, as many of each as it has weight."""
    leaves, pairs = np.ascontiguousarray(cluster.leaves), choices.pairs
    local, named = np.full((2, pairs.detections), -1, np.int64)
    counts, ways = np.empty(len(leaves), np.int64), np.empty(len(leaves))
    named = named[: survey.compiled(leaves, starts, pairs.columns, local, named, counts, ways)]
    width, busy = leaves.shape[1], int(counts.max())
    shares = np.ceil(np.minimum(min(most, WORK // max(width * busy, 1)) * cluster.weights, ways))
    shares = np.maximum(shares, 1.0)
    logs, table = followed(
        leaves, cluster.logs, shares.astype(np.int64), starts, pairs.columns, -choices.odds, choices.missed, local,
        choices.new[named], busy,
    )  # fmt: skip
    return Cluster(table, logs)


def total(logs: Array) -> Any:
    """The logarithm of the sum of these weights, of which one at least is not 0."""
    top = logs.max()
    return np.log(np.exp(logs - top).sum()) + top


def without(forest: Forest, dead: Bools, relief: Array) -> Forest:
    """The clusters without these leaves, each of which leaves this log-weight to the hypotheses that had it.

    Hypotheses that are then the same are one.
    """
    after = Forest()
    for cluster in forest:
        gone = (cluster.leaves >= 0) & dead[cluster.leaves]
        if gone.any():
            logs = cluster.logs + np.where(gone, relief[cluster.leaves], 0.0).sum(1)
            cluster = Cluster(*distinct(np.where(gone, -1, cluster.leaves), logs))
        after.append(cluster)
    return after


def pruned(forest: Forest, bonus: Array, least: float, most: int) -> Forest:
    """The clusters with their likeliest hypotheses, in order; see `Cluster`.

    Args:
        forest: the clusters.
        bonus: log-weight of leaves that counts here only.
        least: probability of a hypothesis that is kept.
        most: number of hypotheses that are kept.
    """
    some = bool(bonus.any())
    return [
        each if each.certain else best_of(each, each.logs + each.summed(bonus) if some else each.logs, least, most)
        for each in forest
    ]


def best_of(cluster: Cluster, rank: Array, least: float, most: int) -> Cluster:
    """`pruned`, of one cluster whose hypotheses have that rank."""
    order = np.argsort(-rank, kind="stable")[:most]
    if least > 0.0:
        order = order[: max(int((rank[order] - total(rank) > math.log(least)).sum()), 1)]
    logs = cluster.logs[order]
    return Cluster(cluster.leaves[order], logs - logs.max())


def lengthened(path: Whole, parents: Whole, source: Whole) -> Whole:
    """The paths of new leaves, the first of which come from these parents; see `Histories`.

    Args:
        path: of the leaves before, ``(L, N, 2)``.
        parents: places of the parents.
        source: the detection of each new leaf, -1 for none.
    """
    after = np.full((len(source), *path.shape[1:]), -1, np.int64)
    after[: len(parents), 1:] = path[parents, :-1]
    after[:, 0] = np.stack([np.arange(len(source)), source], 1)
    return after


def decided(forest: Forest, ancestor: Whole) -> Forest:
    """The clusters with the hypotheses whose leaves come from the likeliest ancestors, over all hypotheses together.

    Args:
        forest: the clusters.
        ancestor: of each leaf, -1 for a tree that was not there yet.
    """
    after = Forest()
    for cluster in forest:
        if len(cluster.logs) == 1:
            after.append(cluster)
            continue
        old = np.where(cluster.leaves >= 0, ancestor[cluster.leaves], -1)
        if not (old == old[0]).all():
            _, group = np.unique(old, axis=0, return_inverse=True)
            keep = group.ravel() == np.bincount(group.ravel(), cluster.weights).argmax()
            cluster = Cluster(cluster.leaves[keep], cluster.logs[keep])
        after.append(cluster)
    return after


def parted(forest: Forest) -> Forest:
    """The clusters, in which what all hypotheses agree about is a cluster of its own."""
    after = Forest()
    for cluster in forest:
        if cluster.certain and cluster.leaves[0, 0] >= 0:
            after.append(cluster)
            continue
        same = (cluster.leaves == cluster.leaves[0]).all(0)
        after += [Cluster.alone(leaf) for leaf in cluster.leaves[0, same].tolist() if leaf >= 0]
        if not same.all():
            after.append(Cluster(cluster.leaves[:, ~same], cluster.logs))
    return after


def used(forest: Forest) -> Whole:
    """The leaves of all hypotheses, in order."""
    leaves = flat(forest)
    some = np.zeros(leaves.max(initial=-1) + 1, bool)
    some[leaves[leaves >= 0]] = True
    return np.flatnonzero(some)


def flat(forest: Forest) -> Whole:
    """The leaves of all hypotheses one after another, -1 for none."""
    return np.concatenate([np.zeros(0, np.int64), *(cluster.leaves.ravel() for cluster in forest)])


def renumbered(forest: Forest, kept: Whole) -> Forest:
    """The clusters over these leaves alone."""
    place = np.full(kept.max(initial=-1) + 2, -1, np.int64)  # the last is that of none
    place[kept] = np.arange(len(kept))
    return [Cluster(place[cluster.leaves], cluster.logs) for cluster in forest]


def masses(forest: Forest, leaves: int) -> Array:
    """The probability of each leaf over the hypotheses, ``(leaves,)``."""
    weights = [np.repeat(cluster.weights, cluster.leaves.shape[1]) for cluster in forest]
    mass = np.bincount(flat(forest) + 1, np.concatenate([np.zeros(0), *weights]), leaves + 1)
    return np.asarray(mass[1:], np.float64)


def best(forest: Iterable[Cluster]) -> Whole:
    """The leaves of the likeliest hypothesis, in order."""
    rows = [cluster.leaves[0] for cluster in forest]
    leaves = np.concatenate([np.zeros(0, np.int64), *rows])
    return np.sort(leaves[leaves >= 0])
