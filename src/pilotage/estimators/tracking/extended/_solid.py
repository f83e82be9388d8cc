"""Objects that are in the same place, which solid ones are not: hypotheses that say so are improbable."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._clusters import Whole
from .._hypotheses import Cluster, Forest

SOLID = -20.0
"""Log-weight of two objects that overlap."""


def apart(forest: Forest, ids: Whole, pairs: list[tuple[int, int]]) -> Forest:
    """The clusters, in which no hypothesis has both trees of a pair: it goes on without the first, with less weight.

    Args:
        forest: the clusters.
        ids: the tree of each leaf.
        pairs: trees that overlap, the worse one first.
    """
    after, places = list(forest), dict[int, tuple[int, int]]()
    for c, cluster in enumerate(forest):
        for column, leaf in enumerate(cluster.leaves.max(0).tolist()):
            if leaf >= 0:
                places[int(ids[leaf])] = c, column
    touched = set[int]()
    for worse, better in pairs:
        (c, i), (other, j) = places[worse], places[better]
        leaves, logs = after[c].leaves.copy(), after[c].logs.copy()
        both = leaves[:, i] >= 0
        if other == c:
            both &= leaves[:, j] >= 0
        leaves[both, i] = -1
        logs[both] += SOLID
        after[c] = Cluster(leaves, logs)
        touched.add(c)
    return [merged(each) if c in touched else each for c, each in enumerate(after)]


def merged(cluster: Cluster) -> Cluster:
    """The cluster, with hypotheses that are the same as one."""
    leaves, same = np.unique(cluster.leaves, axis=0, return_inverse=True)
    total: Any = np.full(len(leaves), -np.inf)
    np.logaddexp.at(total, same.ravel(), cluster.logs)
    return Cluster(leaves, total)
