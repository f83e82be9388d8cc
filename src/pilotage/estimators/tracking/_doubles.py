"""Tracks that say the same, of which only the better one goes on."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...models.trace import driver
from ._hypotheses import Forest, best
from ._state import TENTATIVE, State
from ._targets import Rows, Targets
from .gate import Gate, Pairs


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
    return given_way(worse, pairs)


def given_way(worse: Any, pairs: Pairs) -> Any:
    """Which rows are paired with a better one that stays; see `doubled`."""
    return heads(np.argsort(worse, kind="stable"), pairs) != np.arange(len(worse))


def heads(order: Any, pairs: Pairs) -> Any:
    """The head of each row, in the order given: the first row that is paired with it and is a head itself."""
    head = np.full(len(order), -1, np.int64)
    take_in.compiled(np.ascontiguousarray(order), pairs.starts, np.ascontiguousarray(pairs.columns), head)
    return head


@driver("void(i8[::1], i8[::1], i8[::1], i8[::1])")
def take_in(order, starts, columns, head):
    """`heads`: rows in order, each of which takes in those of its pairs that no other has."""
    for i in order:
        if head[i] < 0:
            head[i] = i
            for p in range(starts[i], starts[i + 1]):
                if head[columns[p]] < 0:
                    head[columns[p]] = i
