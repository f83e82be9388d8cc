"""The cells of a map that changes in place: of a fixed size, growing, or a window that moves along."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError, counted

from .mapping import UNSEEN, Marks

Array = NDArray[np.float64]
LogOdds = NDArray[np.float32]

LARGEST = 2**27
"""Cells of the largest map that grows; a scan from a pose far off is a mistake, and would fill the memory."""
SLACK = 0.25
"""Share by which a map grows beyond what a scan needs, so that it seldom has to."""


def check_size(cells: float, what: str, remedy: str) -> None:
    """Refuse a map of too many cells, before its memory is asked for."""
    if not cells <= LARGEST:
        size = counted(int(cells), "cell")
        raise ShapeError(f"a map that holds these {what} has {size}, more than {LARGEST:,}; {remedy}")


class Storage(ABC):
    """The cells of a map and the marks of a scan.

    Cells are counted from a corner that never moves; they may be stored cyclically, cell (r, c) at (r % ny, c % nx).

    Attributes:
        cells: sums of evidence ``(ny, nx)``, `UNSEEN` if unknown.
        marks: for one scan, blank between scans.
        first: row and column of the lower-left cell.
        cyclic: whether cells are stored cyclically, or from the lower-left cell on.
    """

    cyclic = False

    def __init__(self, cells: LogOdds) -> None:
        self._hold(cells, (0, 0))

    def _hold(self, cells: LogOdds, first: tuple[int, int]) -> None:
        self.cells, self.first = np.ascontiguousarray(cells, dtype=np.float32), first
        self.marks = Marks.blank(*cells.shape)

    def __getstate__(self) -> dict[str, Any]:
        return {"cells": self.cells, "first": self.first}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Fill a storage, with marks of its own: copies of views of one memory would be apart."""
        self._hold(state["cells"], state["first"])

    @property
    def start(self) -> tuple[int, int]:
        """Row and column of the array where the lower-left cell is stored."""
        (row, column), (ny, nx) = self.first, self.cells.shape
        return (row % ny, column % nx) if self.cyclic else (0, 0)

    def ordered(self) -> LogOdds:
        """The cells from the lower-left one on, a copy."""
        row, column = self.start
        return np.roll(self.cells, (-row, -column), axis=(0, 1)) if row or column else self.cells.copy()

    @abstractmethod
    def make_room(self, low: Array, high: Array) -> bool:
        """Prepare for scans that see cells from the corner `low` up to `high`, ``(2,)`` rows and columns.

        Returns whether the lower-left cell has changed.
        """

    @abstractmethod
    def follow(self, row: float, column: float) -> bool:
        """Prepare for a scan from that place; returns whether the lower-left cell has changed."""


class Fixed(Storage):
    """Cells that stay where they are."""

    def make_room(self, low: Array, high: Array) -> bool:
        """Nothing to do."""
        return False

    def follow(self, row: float, column: float) -> bool:
        """Nothing to do."""
        return False


class Growing(Storage):
    """Cells that become more where a scan needs them, by at least a quarter at a time."""

    def make_room(self, low: Array, high: Array) -> bool:
        """Move the cells into a larger array, if need be."""
        first, shape = np.array(self.first, dtype=np.float64), np.array(self.cells.shape)
        low, high = np.floor(low), np.floor(high) + 1.0
        if shape.all():
            low, high = np.minimum(low, first), np.maximum(high, first + shape)
            slack = np.ceil(SLACK * (high - low))
            wide = low - slack * (low < first), high + slack * (high > first + shape)
            low, high = wide if (wide[1] - wide[0]).prod() <= LARGEST else (low, high)
        if bool((low == first).all() and (high == first + shape).all()):
            return False
        check_size(
            (high - low).prod(), "scans", "give a window, a larger resolution, or leave out poses that are wrong"
        )
        cells = np.full((high - low).astype(int), UNSEEN)
        row, column = (first - low).astype(int).tolist() if shape.all() else (0, 0)
        cells[row : row + shape[0], column : column + shape[1]] = self.cells
        self._hold(cells, (int(low[0]), int(low[1])))
        return True

    def follow(self, row: float, column: float) -> bool:
        """Nothing to do."""
        return False


class Rolling(Storage):
    """A window of cells around the sensor, stored cyclically, so that none is copied when it moves."""

    cyclic = True

    def make_room(self, low: Array, high: Array) -> bool:
        """Nothing to do."""
        return False

    def follow(self, row: float, column: float) -> bool:
        """Put the sensor into the middle; the cells that come in are unknown."""
        new = [math.floor(at) - size // 2 for at, size in zip((row, column), self.cells.shape, strict=True)]
        self.cells[_entering(self.first[0], new[0], self.cells.shape[0])] = UNSEEN
        self.cells[:, _entering(self.first[1], new[1], self.cells.shape[1])] = UNSEEN
        moved, self.first = self.first != (new[0], new[1]), (new[0], new[1])
        return moved


def _entering(old: int, new: int, size: int) -> NDArray[np.int64]:
    """Where the rows, or columns, are stored that come in when a window of that size moves."""
    low, high = (max(old + size, new), new + size) if new > old else (new, min(old, new + size))
    return np.arange(low, high) % size


def window_shape(window: ArrayLike, resolution: float) -> tuple[int, int]:
    """Rows and columns of a window of a size [m]: one number for a square, or width and height."""
    sides = numbers(window, "window")
    if sides.shape not in ((), (2,)) or not bool(((sides > 0.0) & (sides < 1e9 * resolution)).all()):
        raise ShapeError(f"window is {window!r}; expected its side [m], or its width and height")
    nx, ny = (math.ceil(round(side / resolution, 6)) for side in np.broadcast_to(sides, 2).tolist())
    return ny, nx


def known_part(cells: LogOdds) -> tuple[slice, slice]:
    """The rows and columns from the first to the last cell that is known."""
    known = ~np.isnan(cells)
    rows, columns = (np.flatnonzero(known.any(axis=axis)).tolist() or [0, -1] for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
