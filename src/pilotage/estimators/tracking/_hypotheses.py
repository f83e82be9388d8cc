"""Global hypotheses: which leaf of each track tree is true, several ways at once, cluster by cluster.

A tree is what may have become of one track; its leaves are rows of beliefs. A global hypothesis takes one leaf of each
tree, or none, so that no detection is used twice. Trees that have never shared a detection are in different clusters,
whose hypotheses are apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import Array
from ...core.weights import log_sum_exp
from ._branching import followed
from ._clusters import Whole, clusters
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
        return np.exp(self.logs - log_sum_exp(self.logs))

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
    pairs, owner = choices.pairs, np.full(choices.pairs.tracks, -1, np.int64)
    for c, cluster in enumerate(forest):
        owner[cluster.leaves[cluster.leaves >= 0]] = c
    mine = owner[pairs.rows]
    order, begins = clusters(mine, pairs.columns, len(forest), pairs.detections)
    busy, starts = np.bincount(mine, minlength=len(forest)) > 0, pairs.starts
    after = Forest()
    for group in np.split(order, begins[1:-1]) if len(order) else []:
        if busy[group].any():
            together = reduce(lambda a, b: product(a, b, most), (forest[c] for c in group))
            after.append(branched(together, choices, starts, most))
        else:
            (one,) = (forest[c] for c in group)
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
    leaves, pairs, counts = cluster.leaves, choices.pairs, np.diff(starts)
    named = np.unique(pairs.columns[ranges(starts, np.unique(leaves[leaves >= 0]))])
    local = np.full(pairs.detections, -1, np.int64)
    local[named] = np.arange(len(named))
    width, busy = leaves.shape[1], int(cluster.summed(counts).max())
    all_there_are = np.exp(np.minimum(cluster.summed(np.log1p(counts)), 40.0))
    shares = np.ceil(np.minimum(min(most, WORK // max(width * busy, 1)) * cluster.weights, all_there_are))
    shares = np.maximum(shares, 1.0)
    logs, table = followed(
        leaves, cluster.logs, shares.astype(np.int64), starts, pairs.columns, -choices.odds, choices.missed, local,
        choices.new[named], busy,
    )  # fmt: skip
    return Cluster(table, logs)


def ranges(starts: Whole, which: Whole) -> Whole:
    """The places from ``starts[i]`` to ``starts[i + 1]`` of each i."""
    counts = starts[which + 1] - starts[which]
    return np.arange(counts.sum()) + np.repeat(starts[which] - np.cumsum(counts) + counts, counts)


def without(forest: Forest, dead: Bools, relief: Array) -> Forest:
    """The clusters without these leaves, each of which leaves this log-weight to the hypotheses that had it.

    Hypotheses that are then the same are one.
    """
    after = Forest()
    for cluster in forest:
        gone = (cluster.leaves >= 0) & dead[cluster.leaves]
        if gone.any():
            logs = cluster.logs + np.where(gone, relief[cluster.leaves], 0.0).sum(1)
            leaves, same = np.unique(np.where(gone, -1, cluster.leaves), axis=0, return_inverse=True)
            total = np.full(len(leaves), -np.inf)
            np.logaddexp.at(total, same.ravel(), logs)
            cluster = Cluster(leaves, total)
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
    return [cluster if cluster.certain else best_of(cluster, bonus, least, most) for cluster in forest]


def best_of(cluster: Cluster, bonus: Array, least: float, most: int) -> Cluster:
    """`pruned`, of one cluster."""
    rank = cluster.logs + cluster.summed(bonus)
    order = np.argsort(-rank, kind="stable")[:most]
    good = rank[order] - log_sum_exp(rank) > (math.log(least) if least > 0.0 else -math.inf)
    order = order[good | (np.arange(len(order)) == 0)]
    return Cluster(cluster.leaves[order], cluster.logs[order] - cluster.logs[order].max())


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
    return np.unique(np.concatenate([np.zeros(0, np.int64), *(cluster.leaves.ravel() for cluster in forest), [-1]]))[1:]


def renumbered(forest: Forest, kept: Whole) -> Forest:
    """The clusters over these leaves alone."""
    certain = np.array([c.leaves[0, 0] for c in forest if c.certain], np.int64)
    places = iter(np.searchsorted(kept, certain).tolist())
    return [
        Cluster.alone(next(places))
        if c.certain
        else Cluster(np.where(c.leaves >= 0, np.searchsorted(kept, c.leaves), -1), c.logs)
        for c in forest
    ]


def masses(forest: Forest, leaves: int) -> Array:
    """The probability of each leaf over the hypotheses, ``(leaves,)``."""
    mass = np.zeros(leaves + 1)
    for cluster in forest:
        np.add.at(mass, cluster.leaves, cluster.weights[:, None])
    return mass[:-1]


def best(forest: Iterable[Cluster]) -> Whole:
    """The leaves of the likeliest hypothesis, in order."""
    rows = [cluster.leaves[0] for cluster in forest]
    leaves = np.concatenate([np.zeros(0, np.int64), *rows])
    return np.sort(leaves[leaves >= 0])
