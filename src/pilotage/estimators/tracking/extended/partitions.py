"""Partitions: which points of a scan may come from the same object."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from ....core.arrays import Array
from .._clusters import Whole
from ._evidence import EXPECTED as EXPECTED


@dataclass(frozen=True)
class Nearby:
    """The objects that are expected near a group of points, for `Partitions`.

    Attributes:
        distances: Mahalanobis distance squared of each point from each of N objects, ``(N, K)``.
        limit: that of the gate.
        table: the expected objects, and behind them the new ones of each kind, ``(N + B, EXPECTED)``.
        odds: log-odds of each of the N that it is there and detected, and log-intensity of the B new ones.
        clutter: log-density of false points at each, ``(K,)``.

    Example:
        >>> import numpy as np
        >>> none = Nearby(np.zeros((0, 3)), 9.0, np.zeros((0, EXPECTED)), np.zeros(0), np.zeros(3))
        >>> len(none.distances)                                 # no object is expected near three points
        0
    """

    distances: Array
    limit: float
    table: Array
    odds: Array
    clutter: Array


class Partitions(ABC):
    """Base of the ways to divide a group of points into cells, each of one object or of none.

    Several partitions are tried, since none is right for all: the filter weighs each by its likelihood.

    Attributes:
        reach: points that are farther apart [m] are in different groups, unless an object is expected at both.

    Example:
        >>> import numpy as np
        >>> class Whole(Partitions):
        ...     "All points that are near each other are one object."
        ...     reach = 2.0
        ...
        ...     def divide(self, z, nearby):
        ...         return [np.zeros(len(z), np.int64)]
    """

    reach: float

    @abstractmethod
    def divide(self, z: Array, nearby: Nearby) -> list[Whole]:
        """Partitions of the points ``(K, 2)``: the number of its cell for each point, ``(K,)``.

        The list may be empty where another of the `partitions` of the filter gives one.

        Args:
            z: the points of a group.
            nearby: the objects that are expected near them.
        """
