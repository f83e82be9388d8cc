"""The landmarks of all particles, in records that are shared until they differ (copy on write)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

NONE = -1
"""The record of a landmark that a particle does not have."""
FIRST = 64
"""Records at the start."""


class SharedLandmarks:
    """Gaussian landmarks of many particles. Each particle has a row of record numbers; resampling copies rows alone.

    Attributes:
        ids: id of the landmark of each column ``(L,)``.
        table: record of each landmark in each particle ``(N, L)``; `NONE` where it has none.
        references: number of particles that hold each record ``(T,)``.
        means, covs: of the records, ``(T, c)`` and ``(T, c, c)``.
        facts: how often each was seen, the scan in which it began, and the log-odds that it exists ``(T, 3)``.

    Example:
        >>> marks = SharedLandmarks(2, 1)
        >>> marks.add([0, 1], np.array([7]), np.array([[[1.0]], [[2.0]]]), np.ones((2, 1, 1, 1)), np.ones((2, 1, 3)))
        >>> marks.resample(np.array([1, 1]))
        >>> marks.used, marks.means[marks.table].ravel().tolist()
        (1, [2.0, 2.0])
        >>> marks.put(np.array([0]), np.array([0]), np.array([[3.0]]), np.ones((1, 1, 1)), np.ones((1, 3)))
        >>> marks.used, marks.means[marks.table].ravel().tolist()
        (2, [3.0, 2.0])
    """

    def __init__(self, count: int, c: int) -> None:
        self.ids, self.table = np.zeros(0, np.int64), np.zeros((count, 0), np.int32)
        self.references = np.zeros(FIRST, np.int64)
        self.means, self.covs, self.facts = np.zeros((FIRST, c)), np.zeros((FIRST, c, c)), np.zeros((FIRST, 3))

    def copy(self) -> SharedLandmarks:
        """The same, which changes on its own."""
        new = object.__new__(SharedLandmarks)
        vars(new).update({name: value.copy() for name, value in vars(self).items()})
        return new

    @property
    def there(self) -> NDArray[np.bool_]:
        """Which particle has which landmark ``(N, L)``."""
        return self.table != NONE

    @property
    def used(self) -> int:
        """The number of records in use, each counted once."""
        return int(np.count_nonzero(self.references))

    def add(self, rows: Any, ids: Indices, means: Array, covs: Array, facts: Array) -> None:
        """Begin landmarks ``(l,)`` in some particles ``(n,)``: means ``(n, l, c)``, covariances and facts alike."""
        new = np.full((len(self.table), len(ids)), NONE, np.int32)
        self.ids = np.append(self.ids, ids)
        self.table = np.concatenate([self.table, new], axis=1)
        columns = np.arange(len(self.ids) - len(ids), len(self.ids))
        i, j = (each.ravel() for each in np.meshgrid(rows, columns, indexing="ij"))
        self.put(i, j, means.reshape(len(i), -1), covs.reshape(len(i), *covs.shape[2:]), facts.reshape(len(i), 3))

    def put(self, i: Indices, j: Indices, means: Array, covs: Array, facts: Array) -> None:
        """Write landmarks j of particles i ``(k,)``, each pair once; records that others hold stay as they are."""
        old = self.table[i, j]
        alone = (old != NONE) & (np.where(old == NONE, 0, self.references[old]) == 1)
        np.subtract.at(self.references, old[~alone & (old != NONE)], 1)
        self.table[i[~alone], j[~alone]] = new = self._free(int((~alone).sum()))
        self.references[new] = 1
        at = self.table[i, j]
        self.means[at], self.covs[at], self.facts[at] = means, covs, facts

    def remove(self, gone: NDArray[np.bool_]) -> None:
        """Take landmarks ``(N, L)`` from the particles."""
        self.table = np.where(gone, np.int32(NONE), self.table)
        self._count()

    def resample(self, index: Indices) -> None:
        """Replace the particles by those at these indices ``(N,)``; no record is copied."""
        self.table = self.table[index]
        self._count()

    def _count(self) -> None:
        """Count the references, and drop landmarks that no particle has."""
        held = self.there.any(axis=0)
        self.ids, self.table = self.ids[held], self.table[:, held]
        self.references = np.bincount(self.table[self.there], minlength=len(self.references))

    def _free(self, count: int) -> Indices:
        """Free records, so many; the store grows to twice its size where there are too few."""
        free = np.flatnonzero(self.references == 0)
        if len(free) < count:
            more = max(count - len(free), len(self.references))
            for name in ("references", "means", "covs", "facts"):
                held = getattr(self, name)
                setattr(self, name, np.concatenate([held, np.zeros((more, *held.shape[1:]), held.dtype)]))
            free = np.flatnonzero(self.references == 0)
        return free[:count].astype(np.int64)
