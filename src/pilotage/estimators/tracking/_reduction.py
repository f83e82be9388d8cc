"""The reduction of weighted beliefs to a few, and what those of a track say together."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.arrays import Array
from ._doubles import NOWHERE, double_numbers, heads
from ._state import COASTING, CONFIRMED, SURE, TENTATIVE, State
from ._targets import Targets
from .gate import Gate


def labels(ids: Any, weights: Array) -> tuple[Any, Any, Any]:
    """The numbers of tracks in order, the place of each belief among these, and the heaviest belief of each track."""
    names, of = np.unique(ids, return_inverse=True)
    order = np.lexsort((weights, of))
    return names, of, order[np.searchsorted(of[order], np.arange(len(names)), side="right") - 1]


def reduced(
    targets: Targets, ellipsoid: Gate | None, leaves: State, weights: Array, apart: bool, most: int
) -> tuple[State, Array]:
    """Fewer beliefs: heavier ones take in those within the ellipsoid around them, and the lightest are left out.

    Args:
        targets, ellipsoid: the filter, and the ellipsoid; None for none.
        leaves, weights: the beliefs.
        apart: whether each track is reduced on its own, to that many beliefs of the same total weight. Then of two
            tracks that say the same, only the better one stays.
        most: the number of beliefs, at most.
    """
    leaves, weights = merged(targets, ellipsoid, leaves, weights, apart)
    _, of, _ = labels(leaves.ids, weights)
    kept = heaviest_of(of if apart else np.zeros(len(of), np.int64), weights, most)
    if not apart:
        return leaves[kept], weights[kept]
    total = np.bincount(of, weights)
    scale = np.minimum(total, SURE) / np.bincount(of[kept], weights[kept], len(total))
    leaves, weights = leaves[kept], weights[kept] * scale[of[kept]]
    tracks = leaves[labels(leaves.ids, weights)[2]]
    good = ~np.isin(leaves.ids, double_numbers(targets, ellipsoid, tracks))
    return (leaves, weights) if good.all() else (leaves[good], weights[good])


def heaviest_of(group: Any, weights: Array, most: int) -> Any:
    """The places of the heaviest beliefs of each group, at most so many, in order."""
    if len(group) <= most:
        return np.arange(len(group))
    order = np.lexsort((-weights, group))
    rank = np.arange(len(order)) - np.searchsorted(group[order], group[order])
    return np.sort(order[rank < most])


def merged(targets: Targets, ellipsoid: Gate | None, leaves: State, weights: Array, apart: bool) -> tuple[State, Array]:
    """The moments of beliefs that are taken together, each with the track and the history of the heaviest."""
    if ellipsoid is None or len(weights) < 2:
        return leaves, weights
    other = leaves.ids[:, None] != leaves.ids if apart else NOWHERE
    head = heads(targets, ellipsoid, leaves.rows, np.argsort(-weights, kind="stable"), other)
    order = np.argsort(head, kind="stable")
    first, starts = np.unique(head[order], return_index=True)
    if len(first) == len(weights):
        return leaves, weights
    total = np.add.reduceat(weights[order], starts)
    starts = np.append(starts, len(order)).astype(np.int64)
    shares = weights[order] / np.repeat(total, np.diff(starts))
    return leaves[first].changed(rows=targets.merge(leaves.rows[order], starts, shares)), total


def split(leaves: State, weights: Array, sure: float, lowest: int) -> State:
    """The beliefs, of which each that is surely a target beside the heaviest of its track begins a track of its own."""
    _, _, heaviest = labels(leaves.ids, weights)
    other = (weights > sure) & (leaves.source >= 0)
    other[heaviest] = False
    if not other.any():
        return leaves
    ids = np.where(other, lowest - 1 - np.arange(len(other)), leaves.ids)
    return leaves.changed(
        ids=ids,
        born=np.where(other, leaves.t, leaves.born),
        status=np.where(other, TENTATIVE, leaves.status),
    )


def judged(leaves: State, weights: Array, sure: float, lost: float, forget: float) -> tuple[State, Array]:
    """The beliefs with the existence and status of their tracks, without those of tracks that end.

    Args:
        leaves, weights: the beliefs.
        sure: expected number of targets above which a track is confirmed.
        lost: the same, where it was confirmed before and is missed now.
        forget: expected number below which a track that has a number ends.
    """
    names, of, heaviest = labels(leaves.ids, weights)
    total = np.bincount(of, weights, len(names))
    was = np.bincount(of, leaves.status != TENTATIVE, len(names)) > 0
    found = leaves.source[heaviest] >= 0
    real = total > np.where(was & ~found, lost, sure)
    status = np.where(real, np.where(found, CONFIRMED, COASTING), TENTATIVE)
    leaves = leaves.changed(existence=np.minimum(total, SURE)[of], status=status[of])
    ends = ((names > 0) & (total < forget))[of]
    return (leaves[~ends], weights[~ends]) if ends.any() else (leaves, weights)
