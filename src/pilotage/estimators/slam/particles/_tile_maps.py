"""The maps of all particles, in tiles that are shared until they differ (copy on write)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import ShapeError
from pilotage.maps import OccupancyGrid
from pilotage.maps.cells import log_odds
from pilotage.maps.mapping import UNSEEN, InverseModel, Marks, Scan, set_beams
from pilotage.maps.raycast import entered

from ._tiles import BLANK, SIDE, add_scan, gather_ends

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

FIRST = 64
"""Tiles at the start."""
MOST_ENDS = 100_000
"""Ends that a search compares with."""
MORE = 1.5
"""Factor by which the store of tiles grows."""
LARGEST = 2**26
"""Entries of all tables together: poses farther apart than that are a mistake, and would fill the memory."""


class TileMaps:
    """Occupancy maps of many particles. Each is a table of tiles; tiles are shared, and copied before they change.

    A cell holds its evidence as in `OccupancyMap`, and the mean end of the beams that ended in it. Cells are counted
    from the origin of the world, so all maps have the same.

    Attributes:
        tables: tiles of each map ``(N, R, C)``; `BLANK` where nothing is known.
        first: row and column of the tile in the lower-left corner of the tables.
        references: number of maps that hold each tile ``(T,)``.
        evidence: ``(T, SIDE, SIDE)``, and ends: ``(T, SIDE, SIDE, 3)``, see `add_scan`.
    """

    def __init__(self, count: int, resolution: float, model: InverseModel, clamp: tuple[float, float], far: float):
        self.resolution, self.model, self.far = resolution, model, far
        self._limits = tuple(log_odds(list(clamp)).tolist())
        self.tables, self.first = np.zeros((count, 0, 0), np.int32), (0, 0)
        self.references = np.zeros(FIRST, np.int32)
        self.evidence = np.full((FIRST, SIDE, SIDE), UNSEEN)
        self.ends = np.zeros((FIRST, SIDE, SIDE, 3), np.float32)
        self._blank_marks()
        self._count_references()

    def _blank_marks(self) -> None:
        self._reach = entered(self.far / self.resolution)
        across = 2.0 * (self.far + self.model.beyond(self.resolution)) / self.resolution / SIDE
        self._across = math.ceil(across) + 2
        self._marks = Marks.blank(self._across * SIDE, self._across * SIDE)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_marks"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Fill the maps, with marks of their own: copies of views of one memory would be apart."""
        self.__dict__ |= state
        self._blank_marks()

    @property
    def used(self) -> int:
        """The number of tiles in use, each counted once."""
        return int(np.count_nonzero(self.references))

    @property
    def nbytes(self) -> int:
        """Memory of all maps [bytes], without tiles that are free."""
        tile = self.evidence[0].nbytes + self.ends[0].nbytes
        return self.used * tile + self.tables.nbytes

    @property
    def unshared(self) -> int:
        """Memory that the maps would need if each had its own tiles [bytes]."""
        tile = self.evidence[0].nbytes + self.ends[0].nbytes
        return int(np.count_nonzero(self.tables != BLANK)) * tile + self.tables.nbytes

    @property
    def corner(self) -> Array:
        """x, y of the lower-left corner of the tables, and the side of a cell ``(3,)`` [m]."""
        row, column = self.first
        return np.array([column * SIDE * self.resolution, row * SIDE * self.resolution, self.resolution])

    def make_room(self, low: Array, high: Array) -> None:
        """Let the tables grow to hold scans from positions between `low` and `high` ``(2,)`` [m]."""
        margin = (self._across // 2 + 2) * SIDE * self.resolution
        tile = SIDE * self.resolution
        first = np.floor((low[::-1] - margin) / tile).astype(np.int64)
        last = np.ceil((high[::-1] + margin) / tile).astype(np.int64)
        shape = np.array(self.tables.shape[1:])
        if shape.all():
            old = np.array(self.first)
            first, last = np.minimum(first, old), np.maximum(last, old + shape)
            if (first == old).all() and (last == old + shape).all():
                return
        rows, columns = (last - first).tolist()
        if len(self.tables) * rows * columns > LARGEST:
            raise ShapeError(f"a map of these poses has {rows} x {columns} tiles; leave out poses that are wrong")
        tables = np.full((len(self.tables), rows, columns), BLANK, np.int32)
        if shape.all():
            row, column = (np.array(self.first) - first).tolist()
            tables[:, row : row + shape[0], column : column + shape[1]] = self.tables
        self.tables, self.first = tables, (int(first[0]), int(first[1]))

    def add(self, n: int, pose: Array, ranges: Array, angles: Array, least: float) -> None:
        """Add a scan from a pose ``(3,)`` to one map."""
        x, y = pose[0] / self.resolution, pose[1] / self.resolution
        row, column = (math.floor(at / SIDE) - self._across // 2 for at in (y, x))
        beams = np.empty((3, len(angles)))
        set_beams(beams, pose[2], angles, ranges, least, self.resolution)
        x, y = x - column * SIDE, y - row * SIDE
        self.model.mark(self._marks, Scan(x, y, beams, self._reach, self.resolution))
        cells, _, words, box, _, _ = self._marks
        while not add_scan(
            self.tables[n], row - self.first[0], column - self.first[1], self.references, self._free, self._counts,
            self.evidence, self.ends, cells, words, box, *self.model.evidence, *self._limits, x, y, beams, self._reach,
        ):  # fmt: skip
            self._grow()

    def ends_around(self, n: int, x: float, y: float, far: float) -> Array:
        """The mean ends of beams in the occupied cells of a map within a square of half width `far` ``(M, 2)`` [m]."""
        out = np.empty((MOST_ENDS, 2))
        count = gather_ends(self.tables[n], self.evidence, self.ends, self.corner, x, y, far, out)
        return out[:count]

    def resample(self, index: Indices) -> None:
        """Replace the maps by those of the particles at these indices ``(N,)``; no tile is copied."""
        self.tables = self.tables[index]
        self._count_references()

    def grid(self, n: int) -> OccupancyGrid:
        """The part of a map about which anything is known."""
        rows, columns = self.tables.shape[1:]
        cells = self.evidence[self.tables[n]].swapaxes(1, 2).reshape(SIDE * rows, SIDE * columns)
        known = ~((cells == 0.0) & np.signbit(cells))
        if not known.any():
            return OccupancyGrid(np.full((1, 1), np.nan, np.float32), self.resolution)
        rows, columns = np.flatnonzero(known.any(axis=1)), np.flatnonzero(known.any(axis=0))
        j, i = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        x, y = self.corner[:2] + self.resolution * np.array([columns[0], rows[0]])
        found = np.where(known[j, i], cells[j, i], np.float32(np.nan))
        return OccupancyGrid(found, self.resolution, (float(x), float(y), 0.0), 0.65, 0.45)

    # --- parts ---

    def _count_references(self) -> None:
        counts = np.bincount(self.tables.ravel(), minlength=len(self.references)).astype(np.int32)
        counts[BLANK] = 1
        self.references = counts
        free = np.flatnonzero(counts == 0)[::-1]
        self._free = np.zeros(len(counts), np.int32)
        self._free[: len(free)] = free
        self._counts = np.array([len(free)])

    def _grow(self) -> None:
        more = max(math.ceil((MORE - 1.0) * len(self.references)), 1)
        self.evidence = np.concatenate([self.evidence, np.full((more, SIDE, SIDE), UNSEEN)])
        self.ends = np.concatenate([self.ends, np.zeros((more, SIDE, SIDE, 3), np.float32)])
        self.references = np.concatenate([self.references, np.zeros(more, np.int32)])
        self._count_references()
