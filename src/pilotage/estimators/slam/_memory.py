"""Memory that grows: tables of numbers, and blocks of numbers of which a table says where they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _terms

Table = NDArray[np.int64]


def enlarged(array: NDArray[Any], rows: int) -> NDArray[Any]:
    """The array, or one of at least twice as many rows that begins with it; the others are -1."""
    if rows <= len(array):
        return array
    more = np.full((max(rows, 2 * len(array)), *array.shape[1:]), -1, dtype=array.dtype)
    more[: len(array)] = array
    return more


class Pool:
    """Blocks of numbers, one after another; those that are no longer needed are waste until the next compaction.

    Args:
        dtype: of the numbers.
        place, length: columns of the table that says where blocks begin, and how long they are.
        power: of the length: 1, or 2 where it is the side of a square.
    """

    def __init__(self, dtype: type, place: int, length: int, power: int = 1) -> None:
        self.array, self.used, self.waste = np.empty(256, dtype=dtype), 0, 0
        self._columns = place, length, power

    def room(self, count: int, table: Table, rows: int) -> None:
        """Make room for more numbers; blocks move where there is none."""
        if self.used + count > len(self.array):
            live = self.used - self.waste + count
            new = np.empty(2 * live, dtype=self.array.dtype)
            self.used = _terms.compacted.compiled(table, rows, *self._columns, self.array, new, 0)
            self.array, self.waste = new, 0
