"""The hypotheses that follow from others in a scan, over all partitions of a group of points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ....core.arrays import Array
from .._branching import followed
from .._clusters import Whole
from .._hypotheses import Cluster
from ..gate import Pairs

IMPROBABLE = 20.0
"""Log-weight below that of the best from which on a partition is dropped."""
SHARE = 1e-3
"""Of a partition in a cluster, at least, when hypotheses are shared out."""


@dataclass(frozen=True)
class Choices:
    """The ways in which cells may continue tracks. New leaves are: those missed, those of pairs, those that begin.

    Attributes:
        pairs: of a leaf and a cell.
        odds: log-odds of each pair, against a missed leaf and a cell of another cause.
        missed: log-weight of each leaf that is missed, ``(L,)``.
        other: log-weight of each cell that is of no track, ``(M,)``.
        begins: first of the leaves that begin at each cell, and the one behind the last, ``(M + 1,)``.
        shares: log-probability of each leaf that begins, among those of its cell.
        end: place of the first leaf that begins.
    """

    pairs: Pairs
    odds: Array
    missed: Array
    other: Array
    begins: Whole
    shares: Array
    end: int

    @cached_property
    def starts(self) -> Whole:
        """Where the pairs of each leaf begin."""
        return self.pairs.starts

    def first(self, cells: Whole) -> Whole:
        """The first leaf that begins at each cell, -1 for none."""
        some = self.begins[cells + 1] > self.begins[cells]
        return np.where(some, self.end + self.begins[cells], -1)


def probable(parts: list[Whole], choices: Choices, gain: Array, keep: int) -> tuple[list[Whole], Array]:
    """The likeliest partitions of a group by a bound of their weight, and the logarithm of that.

    Args:
        parts: cells of each partition.
        choices: of the scan.
        gain: the largest log-odds of a track for each cell, 0 where none is better than no track.
        keep: number of partitions.
    """
    if len(parts) == 1:
        return parts, np.zeros(1)
    weight = choices.other + gain
    bound = np.array([weight[each].sum() for each in parts])
    order = np.argsort(-bound, kind="stable")[:keep]
    order = order[bound[order] > bound[order[0]] - IMPROBABLE]
    return [parts[k] for k in order], bound[order]


def branched(cluster: Cluster | None, parts: list[Whole], bound: Array, choices: Choices, most: int) -> Cluster:
    """The hypotheses that follow from those of a cluster, by the likeliest assignments for each partition.

    Args:
        cluster: the hypotheses before; None for points without tracks.
        parts, bound: the partitions; see `probable`.
        choices: of the scan.
        most: number of hypotheses.
    """
    if cluster is None and len(parts) == len(parts[0]) == 1:
        return _kinds(Cluster(choices.first(parts[0])[None], np.zeros(1)), parts[0], 0, choices, most)
    cells = parts[0] if len(parts) == 1 else np.unique(np.concatenate(parts))
    weight = np.exp(bound - bound.max())
    shares = most * np.maximum(weight / weight.sum(), SHARE)
    found = [_assigned(cluster, part, choices, float(n)) for part, n in zip(parts, shares, strict=True)]
    width = 0 if cluster is None else cluster.leaves.shape[1]
    tables = list[Whole]()
    for part, (_, leaves) in zip(parts, found, strict=True):
        table = np.full((len(leaves), width + len(cells)), -1, np.int64)
        table[:, :width] = leaves[:, :width]
        table[:, width + np.searchsorted(cells, part)] = leaves[:, width:]
        tables.append(table)
    logs, table = np.concatenate([each for each, _ in found]), np.concatenate(tables)
    order = np.argsort(-logs, kind="stable")[:most]
    return _kinds(Cluster(table[order], logs[order] - logs.max()), cells, width, choices, most)


def _assigned(cluster: Cluster | None, part: Whole, choices: Choices, most: float) -> tuple[Array, Whole]:
    """Log-weights and leaves of the hypotheses of one partition, with the cells of the partition behind the trees."""
    base, new = float(choices.other[part].sum()), choices.first(part)
    if cluster is None:
        return np.array([base]), new[None]
    leaves, starts = cluster.leaves, choices.starts
    own = np.unique(leaves[leaves >= 0])
    places = ranges(starts, own)
    local = np.searchsorted(part, choices.pairs.columns[places])
    inside = part[np.minimum(local, len(part) - 1)] == choices.pairs.columns[places]
    row = np.repeat(np.arange(len(own)), (starts[own + 1] - starts[own]))[inside]
    places, local = places[inside], local[inside]
    bounds = np.searchsorted(row, np.arange(len(own) + 1)).astype(np.int64)
    inner = np.where(leaves >= 0, np.searchsorted(own, leaves), -1)
    counts = np.diff(bounds)
    busy = int(np.where(inner >= 0, counts[inner], 0).sum(1).max())
    ways = np.exp(np.minimum(np.where(inner >= 0, np.log1p(counts)[inner], 0.0).sum(1), 40.0))
    shares = np.maximum(np.ceil(np.minimum(most * cluster.weights, ways)), 1.0).astype(np.int64)
    logs, table = followed(
        inner, cluster.logs, shares, bounds, local.astype(np.int64), -choices.odds[places], choices.missed[own],
        np.arange(len(part)), new, busy,
    )  # fmt: skip
    trees, width, n = table[:, : leaves.shape[1]], leaves.shape[1], len(own)
    after = np.concatenate([own, len(choices.missed) + places, [-1]])
    table[:, :width] = after[np.where(trees < 0, n + len(places), trees)]
    return logs + base, table


def ranges(starts: Whole, which: Whole) -> Whole:
    """The places from ``starts[i]`` to ``starts[i + 1]`` of each i."""
    counts = starts[which + 1] - starts[which]
    return np.arange(counts.sum()) + np.repeat(starts[which] - np.cumsum(counts) + counts, counts)


def _kinds(cluster: Cluster, cells: Whole, width: int, choices: Choices, most: int) -> Cluster:
    """The cluster, in which a leaf that begins is of one kind of object or of another."""
    several = choices.begins[cells + 1] - choices.begins[cells] > 1
    for k in np.flatnonzero(several):
        low, high = int(choices.begins[cells[k]]), int(choices.begins[cells[k] + 1])
        begins = np.flatnonzero(cluster.leaves[:, width + k] >= 0)
        if not len(begins):
            continue
        tables, logs = [cluster.leaves], [cluster.logs.copy()]
        logs[0][begins] += choices.shares[low]
        for other in range(low + 1, high):
            table = cluster.leaves[begins].copy()
            table[:, width + k] = choices.end + other
            tables.append(table)
            logs.append(cluster.logs[begins] + choices.shares[other])
        table, log = np.concatenate(tables), np.concatenate(logs)
        order = np.argsort(-log, kind="stable")[:most]
        cluster = Cluster(table[order], log[order])
    return cluster
