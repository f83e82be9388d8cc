"""Arrays that a search needs and that the next search on the same grid uses again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.errors import ShapeError
from pilotage.maps.cells import GridCells
from pilotage.maps.collision import DiscCells

from .kernel import COARSE, DIAGONAL, FINE, NEVER, STATE_SIZE

Integers = NDArray[np.int64]

_MOST_BUCKETS = 1 << 16


class Workspace:
    """Cells of one grid with a ring of blocked ones, the bucket queue over them and the counter of rounds."""

    def __init__(self, passable: NDArray[np.bool_], resolution: float) -> None:
        ny, nx = passable.shape
        framed = np.zeros((ny + 2, nx + 2), dtype=np.bool_)
        framed[1:-1, 1:-1] = passable
        self.width, self.resolution = nx + 2, resolution
        self.free: NDArray[np.bool_] = framed.ravel()
        self.pool: Integers = np.empty(4096, dtype=np.int64)
        self.heads: NDArray[np.int32] = np.empty(0, dtype=np.int32)
        self.shift = COARSE
        self.found: Integers = np.empty(8, dtype=np.int64)
        self.state: Integers = np.zeros(STATE_SIZE, dtype=np.int64)
        self.passable_count = int(np.count_nonzero(passable))
        self._floor = NEVER
        self.between = False
        """Whether what is forbidden is interpolated between the middles of cells, as for a robot with a footprint."""
        self.order: list[int] | None = None
        """Takes the cells in the order in which a query expands them, if that is recorded."""
        self.tables: dict[str, Any] = {}
        """What a planner has computed of this grid and uses in every query."""

    @cached_property
    def cells(self) -> Integers:
        """The labels of the cells, as in `kernel`."""
        return np.where(self.free, NEVER, -1).astype(np.int64)

    def index(self, row: int, column: int) -> int:
        """Index of a cell of the grid in the flat, framed arrays."""
        return (row + 1) * self.width + column + 1

    def places(self, indices: ArrayLike) -> Integers:
        """Cells (row, column) ``(K, 2)`` of indices ``(K,)``."""
        return np.stack(np.divmod(indices, self.width), axis=-1) - 1

    def begin(self, highest_cost: float, weight: float, farthest: int = 1) -> tuple[int, int]:
        """Make ready for a query: the range of its labels, ``round_ <= label < end``, below all earlier ones."""
        span = 1 << math.ceil(math.log2(2.0 * DIAGONAL * highest_cost * (self.passable_count + 2)))
        if span > NEVER:
            raise ShapeError(
                f"{self.passable_count} cells with costs up to {highest_cost:g} are too much for 62-bit path lengths; "
                "scale the costs down"
            )
        if self._floor < span:
            self.cells[self.free] = NEVER
            self._floor = NEVER
            self.tables.clear()  # they may hold labels too
        self._floor -= span
        self.prepare_buckets(highest_cost, weight, farthest)
        return self._floor, self._floor + span

    def prepare_buckets(self, highest_cost: float, weight: float, farthest: int) -> None:
        """Choose the width of buckets and empty them; their ring covers the values of f that wait together."""
        self.shift = COARSE if highest_cost == 1.0 and weight in (0.0, 1.0) else FINE
        # A consistent f rises by one step at most; a weighted one may fall by the whole heuristic of the start.
        growth = (highest_cost + weight) * DIAGONAL * farthest
        if weight > 1.0:
            growth += weight * DIAGONAL * (self.width + len(self.free) // self.width)
        while growth > _MOST_BUCKETS << self.shift:
            self.shift += 1
        buckets = 1 << math.ceil(math.log2(growth / (1 << self.shift) + 3))
        if len(self.heads) != buckets:
            self.heads = np.empty(buckets, dtype=np.int32)
        self.heads.fill(-1)

    def grow(self) -> None:
        """Double the pool of queue entries; entries keep their places."""
        self.pool = np.concatenate((self.pool, np.empty_like(self.pool)))

    def framed(self, costs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Costs ``(ny, nx)`` with the ring, flat."""
        return np.ascontiguousarray(np.pad(costs, 1, constant_values=1.0)).ravel()


_idle: WeakKeyDictionary[GridCells, dict[str, list[Workspace]]] = WeakKeyDictionary()


@contextmanager
def borrow(grid: GridCells, unknown: str) -> Iterator[Workspace]:
    """A workspace for `grid` that nobody else uses meanwhile; threads that search at the same time get their own.

    Args:
        grid: the map; its workspaces live as long as it does.
        unknown: "blocked" or "free", for cells of which nothing is known.
    """
    shelf = _idle.setdefault(grid, {}).setdefault(unknown, [])
    try:
        space = shelf.pop()
    except IndexError:
        space = Workspace(grid.passable(unknown), grid.resolution)
        space.between = isinstance(grid, DiscCells)
    space.order = None
    yield space
    # Not returned after an exception: an interrupted search may have left it in the middle of a change.
    shelf.append(space)
