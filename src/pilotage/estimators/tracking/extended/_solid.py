"""Objects that are in the same place, which solid ones are not: hypotheses that say so are improbable."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....core.arrays import Array
from .._clusters import Whole
from .._hypotheses import Cluster, Forest
from ._bodies import Bodies
from ._body_targets import BodyTargets

SOLID = -20.0
"""Log-weight of two objects that overlap."""
TOUCHING, MIDDLE = 1.1, 0.7
"""Objects overlap if their centres are nearer than this share of half their extents; rectangles, and ellipses."""


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


def overlapping(targets: BodyTargets, bodies: Bodies) -> Any:
    """The object that each overlaps, one before it that overlaps none, or -1, ``(N,)``: what is solid does not.

    Rectangles of known direction reach half their extent along the line between the centres. Others only reach as
    far as that one is in the middle of the other.
    """
    mean = targets.means(bodies)[:, targets.axes]
    d = mean - mean[:, None]
    far = np.sqrt(np.square(d).sum(-1))
    half = reaches(targets, bodies, d / np.maximum(far, 1e-9)[..., None])
    boxed = targets.boxed[bodies.kind] & targets.known(*targets.inner.moments(bodies.motion)[1:])
    solid = half * boxed[:, None] + half.T * boxed
    solid = np.where(boxed[:, None] | boxed, TOUCHING * solid, MIDDLE * np.maximum(half, half.T))
    over, better = far < solid, np.full(len(bodies), -1)
    for i in range(len(bodies)):
        found = np.flatnonzero(over[i, :i] & (better[:i] < 0))
        better[i] = found[0] if len(found) else -1
    return better


def reaches(targets: BodyTargets, bodies: Bodies, u: Array) -> Array:
    """How far each object reaches from its centre along directions ``(N, M, 2)``: an ellipse, or a rectangle."""
    X, w = targets.extent(bodies), np.einsum("jba,jib->jia", targets.frames(bodies), u)
    ellipse = 1.0 / np.sqrt(np.einsum("jia,jab,jib->ji", w, np.linalg.inv(X), w) + 1e-300)
    sides = np.sqrt(np.einsum("jaa->ja", X))[:, None] / np.maximum(np.abs(w), 1e-12)
    return np.where(targets.boxed[bodies.kind][:, None], sides.min(-1), ellipse)
