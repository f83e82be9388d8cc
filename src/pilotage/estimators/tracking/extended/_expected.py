"""Expected readings of extended objects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ....core.arrays import Array


@dataclass(frozen=True)
class Expected:
    """The reading that a sensor is expected to have of each object.

    Attributes:
        tables: numbers of each, for `weighed`, for each of several views of it, ``(W, N, EXPECTED)``.
        views: log-probabilities of the views, ``(W, N)``.
        space, mean, cov: the beliefs of their states.
        gain: P H', ``(N, n, 2)``.
        known: whether the expected reading is finite, ``(N,)``.
    """

    tables: Array
    views: Array
    space: Any
    mean: Array
    cov: Array
    gain: Array
    known: Any

    @property
    def table(self) -> Array:
        """The numbers of the first view, ``(N, EXPECTED)``."""
        return self.tables[0]

    @cached_property
    def place(self) -> Array:
        """Expected means of points, ``(N, 2)``."""
        return self.table[:, 6:8]

    @cached_property
    def around(self) -> Array:
        """Covariances of single points, ``(N, 2, 2)``."""
        return (self.table[:, 8:11] + self.table[:, 11:14])[:, [0, 1, 1, 2]].reshape(-1, 2, 2)

    @cached_property
    def empty(self) -> Array:
        """Probability that a detected object causes no point at all, ``(N,)``."""
        return (self.table[:, 1] / (self.table[:, 1] + 1.0)) ** self.table[:, 0]

    def distances(self, z: Array) -> Array:
        """Mahalanobis distances squared of points ``(K, 2)`` from each, ``(N, K)``."""
        d = z - self.place[:, None]
        return np.einsum("nka,nab,nkb->nk", d, np.linalg.inv(self.around), d)
