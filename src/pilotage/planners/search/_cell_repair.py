"""The state of D* Lite on a grid between plans, and its plans."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._on_cells import Array, Found
from ._on_graph import no_path, out_of_time
from ._repair import EFFORT, KM, LEFT, SIZE, descend, look_again, repair
from .kernel import DIAGONAL, NEVER, STRAIGHT
from .query import advance
from .workspace import Workspace

Integers = NDArray[np.int64]
_CHUNK = 1000
"""Expansions between two looks at the clock."""


class CellRepair:
    """The search of D* Lite on the cells of a workspace, towards one goal, which follows the changes of the map."""

    def __init__(self, space: Workspace, costs: Array | None, goal: int, diagonal: bool) -> None:
        count = len(space.free)
        self.width, self.goal, self.diagonal, self.start = space.width, goal, diagonal, goal
        self.free, self.cells = space.free, np.where(space.free, 0, -1)
        self.costs, self.even = _framed(space, costs), costs is None
        self.g, self.rhs = np.full((2, count), NEVER)
        self.keys, self.heap = np.full((count, 2), LEFT), np.empty((1024, 3), dtype=np.int64)
        self.room, self.state = np.empty(8, dtype=np.int64), np.zeros(4, dtype=np.int64)
        self.rhs[goal] = 0
        self.fresh = True

    def fits(self, space: Workspace, goal: int) -> bool:
        """Whether the grid has the same shape and goal as before."""
        return (self.width, len(self.cells), self.goal) == (space.width, len(space.free), goal)

    def follow(self, space: Workspace, costs: Array | None) -> None:
        """Take over what has changed: of the cells around changed ones, the edges may have."""
        differs, self.free = space.free != self.free, space.free
        if not (self.even and costs is None):
            framed = _framed(space, costs)
            differs |= framed != self.costs
            self.costs, self.even = framed, costs is None
        changed = np.flatnonzero(differs)
        self.cells[changed] = np.where(space.free[changed], 0, -1)
        w = self.width
        around = np.add.outer(changed, [0, 1, -1, w, -w, w + 1, w - 1, -w + 1, -w - 1])
        self._look_again(np.unique(around[(around >= 0) & (around < len(self.cells))]))

    def found(self, start: int, deadline: float | None, order: list[int] | None = None) -> Found:
        """A shortest path from a cell under the present map; `order` takes the cells expanded, as in `advance`."""
        if self.fresh:
            self.start, self.fresh = start, False
            self._look_again(np.array([self.goal]))
        self.state[KM] += self._distance(self.start, start)
        self.start, before = start, int(self.state[EFFORT])
        in_time = advance(
            lambda limit: repair(*self._search, limit), self._grow, self.state[EFFORT:], _CHUNK, deadline, order
        )
        effort = int(self.state[EFFORT]) - before
        if not in_time:
            bound = min(int(self.heap[0, 0]) - int(self.state[KM]), int(self.g[start])) if self.state[SIZE] else 0
            return out_of_time(max(bound, 0) / STRAIGHT, effort)
        if self.rhs[start] >= NEVER:
            return no_path(effort)
        path, cost = descend(
            self.cells, self.width, self.costs, self.diagonal, start, self.goal, self.g, self.room
        )  # fmt: skip
        return Found(True, np.stack(np.divmod(path, self.width), axis=-1) - 1, float(cost), float(cost), effort)

    @property
    def _search(self) -> tuple[object, ...]:
        return (
            self.cells, self.width, self.costs, self.diagonal, self.start, self.goal, self.g, self.rhs, self.keys,
            self.heap, self.room, self.state,
        )  # fmt: skip

    def _look_again(self, changed: Integers) -> None:
        done = 0
        while (done := done + look_again(*self._search, changed[done:])) < len(changed):
            self._grow()

    def _grow(self) -> None:
        self.heap = np.concatenate((self.heap, np.empty_like(self.heap)))

    def _distance(self, a: int, b: int) -> int:
        dx, dy = abs(a % self.width - b % self.width), abs(a // self.width - b // self.width)
        straight = max(dx, dy) * STRAIGHT + min(dx, dy) * (DIAGONAL - STRAIGHT)
        return straight if self.diagonal else (dx + dy) * STRAIGHT


def _framed(space: Workspace, costs: Array | None) -> Array:
    return np.ones(len(space.free)) if costs is None else space.framed(costs)
