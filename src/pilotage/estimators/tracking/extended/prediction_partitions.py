"""Prediction partitions: points are of the object that is expected nearest to them."""

from __future__ import annotations

import numpy as np

from ....core.arrays import Array
from ....core.settings import Positive, settings
from .._clusters import Whole
from .distance_partitions import linked
from .partitions import Nearby, Partitions


@settings
class PredictionPartitions(Partitions):
    """Points within the gates of expected objects are of the nearest one, by its Mahalanobis distance.

    So two objects that pass side by side stay two where no distance can tell them apart, and one whose middle is hidden
    stays one. Points outside all gates are linked by steps below a distance.

    Source: Granstrom and Orguner, "A PHD filter for tracking multiple extended targets using random matrices", IEEE
    Trans. Signal Processing 60, 2012, section VI.

    Args:
        distance: of points without an expected object [m].

    Example:
        >>> from pilotage.estimators.tracking.extended import Nearby
        >>> z, none = np.array([[0.0, 0.0], [1.0, 0.0]]), np.zeros(0)
        >>> near = Nearby(np.array([[0.1, 4.0], [5.0, 0.2]]), 9.0, none, none, none)
        >>> PredictionPartitions(2.0).divide(z, near)[0].tolist()
        [0, 1]
    """

    distance: Positive = 1.0

    @property
    def reach(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.distance

    def divide(self, z: Array, nearby: Nearby) -> list[Whole]:
        return [predicted(z, nearby, self.distance)]


def predicted(z: Array, nearby: Nearby, distance: float) -> Whole:
    """The nearest object of each point, and behind the objects the cells of those in no gate, ``(K,)``."""
    objects = len(nearby.distances)
    if not objects:
        return linked(z, (distance,))[0]
    labels = nearby.distances.argmin(0).astype(np.int64)
    free = nearby.distances.min(0) > nearby.limit
    if free.any():
        labels[free] = objects + linked(z[free], (distance,))[0]
    return labels
