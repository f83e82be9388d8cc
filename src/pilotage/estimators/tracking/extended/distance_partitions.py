"""Distance partitions: points are of one object if a chain of short steps leads from one to the other."""

from __future__ import annotations

import numpy as np

from ....core.arrays import Array
from ....core.errors import SettingError
from ....core.settings import Count, Positive, settings
from ....models.trace import driver
from .._clusters import Whole, root
from .partitions import Nearby, Partitions


@settings
class DistancePartitions(Partitions):
    """Points that are linked by steps below a distance, for several distances; with `least`, DBSCAN.

    A point with at least `least` points within the distance, itself included, is a core; cores within the distance of
    each other are of one cell, other points are of the cell of their nearest core, and those without one are cells of
    their own. With ``least=1`` every point is a core, and the cells are those of single linkage, of which two distances
    bracket every choice that a distance between them makes.

    It is compiled for the few points of a group; scikit-learn's DBSCAN, which it equals, takes longer to be called.

    Source: Granstrom, Lundquist and Orguner, "Extended target tracking using a Gaussian-mixture PHD filter", IEEE
    Trans. Aerospace and Electronic Systems 48, 2012, section IV; Ester, Kriegel, Sander and Xu, "A density-based
    algorithm for discovering clusters in large spatial databases with noise", KDD 1996.

    Args:
        distances: steps [m].
        least: points within the distance that make a core.

    Example:
        >>> points = np.array([[0.0, 0.0], [0.4, 0.0], [2.0, 0.0]])
        >>> [labels.tolist() for labels in DistancePartitions((0.5, 2.0)).divide(points, None)]
        [[0, 0, 2], [0, 0, 0]]
    """

    distances: tuple[Positive, ...] = (0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.7, 2.0, 2.5, 3.0)
    least: Count = 1

    def __post_init__(self) -> None:
        if not self.distances:
            raise SettingError("distances of DistancePartitions is (); give one at least")

    @property
    def reach(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        return max(self.distances)

    def divide(self, z: Array, nearby: Nearby | None) -> list[Whole]:
        return list(linked(z, self.distances, self.least))


def linked(z: Array, distances: tuple[float, ...], least: int = 1) -> Whole:
    """The labels of points for each distance, ``(D, K)``; see `DistancePartitions`."""
    found = np.empty((len(distances), len(z)), np.int64)
    link.compiled(np.ascontiguousarray(z), np.array(distances), least, np.empty(len(z), np.int64), found)
    return found


@driver("void(f8[:,::1], f8[::1], i8, i8[::1], i8[:,::1])")
def link(z, distances, least, counts, labels):
    """`linked`; `counts` is room."""
    points = z.shape[0]
    for t in range(distances.shape[0]):
        limit, parent = distances[t] ** 2, labels[t]
        for i in range(points):
            parent[i], counts[i] = i, 0
            for j in range(points):
                if (z[i, 0] - z[j, 0]) ** 2 + (z[i, 1] - z[j, 1]) ** 2 <= limit:
                    counts[i] += 1
        for i in range(points):
            for j in range(i):
                near = (z[i, 0] - z[j, 0]) ** 2 + (z[i, 1] - z[j, 1]) ** 2 <= limit
                if near and counts[i] >= least and counts[j] >= least:
                    a, b = root(parent, i), root(parent, j)
                    parent[max(a, b)] = min(a, b)
        for i in range(points):
            if counts[i] < least:
                best = limit
                for j in range(points):
                    d = (z[i, 0] - z[j, 0]) ** 2 + (z[i, 1] - z[j, 1]) ** 2
                    if d <= best and counts[j] >= least:
                        best, parent[i] = d, root(parent, j)
        for i in range(points):
            parent[i] = root(parent, i)
