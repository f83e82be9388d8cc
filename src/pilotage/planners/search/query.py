"""One search over the labels of a workspace."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ._on_cells import Found
from .kernel import (
    BEST,
    BUCKET,
    DIAGONAL,
    EXPANSIONS,
    FREE,
    LAST,
    NEVER,
    PAUSED,
    POOL_FULL,
    STRAIGHT,
    USED,
    WAITING,
    WEIGHT_BITS,
    reweigh,
    search,
    trace_back,
)
from .workspace import Workspace

Array = NDArray[np.float64]
Cells = NDArray[np.int64]

CHUNK = 50_000
"""Expansions between two looks at the clock, about a millisecond."""
_WITHOUT_CLOCK = 5_000_000
"""Expansions after which Python gets to handle an interrupt."""


def best_first(
    space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None, weight: float, diagonal: bool
) -> Found:
    """Search in order of ``g + weight h`` from one cell to another."""
    query = Query(space, costs, weight, diagonal)
    finished = query.run(first, last, deadline)
    if not finished:
        return Found(False, None, math.inf, query.lower_bound(), query.expansions)
    if query.best == NEVER:
        return Found(True, None, math.inf, math.inf, query.expansions)
    path, length = query.path(first, last)
    bound = length if weight <= 1.0 else max(query.lower_bound(), length / weight)
    return Found(True, path, length, bound, query.expansions)


def advance(
    kernel: Callable[[int], int],
    grow: Callable[[], None],
    effort: Cells,
    chunk: int,
    deadline: float | None,
    order: list[int] | None,
) -> bool:
    """Call a kernel until it is through; False when the deadline came first.

    Args:
        kernel: takes the most expansions of a call; returns FINISHED, PAUSED or POOL_FULL, as `kernel.search`.
        grow: makes room after POOL_FULL.
        effort: the number of expansions and the cell expanded last, ``(2,)``, as the kernel counts them.
        chunk: expansions of a call.
        deadline: a time of the clock, or None.
        order: takes the cells in the order in which they are expanded, one a call; None records nothing.
    """
    while True:
        before = effort[0]
        outcome = kernel(chunk if order is None else 1)
        if order is not None and effort[0] > before:
            order.append(int(effort[1]))
        if outcome == POOL_FULL:
            grow()
        elif outcome != PAUSED:
            return True
        if deadline is not None and time.perf_counter() > deadline:
            return False


class Query:
    """One search in a borrowed workspace.

    Args:
        space: the workspace; its labels are those of this search until the next one begins.
        costs: traversal costs ``(ny, nx)``, or None for 1 everywhere.
        weight: of the heuristic; 0 for none.
        diagonal: whether diagonal steps are allowed.
        farthest: longest step [cells] of the search.
    """

    def __init__(self, space: Workspace, costs: Array | None, weight: float, diagonal: bool, farthest: int = 1) -> None:
        self.space, self.weight, self.diagonal = space, weight, diagonal
        # Rounded down: a little less weight keeps the factor that was asked for.
        self.scaled_weight = int(weight * (1 << WEIGHT_BITS))
        self.costs = None if costs is None else space.framed(costs)
        self.direct = 0
        self.highest = 1.0 if costs is None else float(costs.max())
        self.round, self.end = space.begin(self.highest, weight, farthest)

    def run(self, first: int, last: int, deadline: float | None = None) -> bool:
        """Search from `first` to `last` (-1: to every cell); False when the deadline came first."""
        self.open(first, last, self.round + 1)
        return self._search(last, deadline)

    def run_on(self, last: int, weight: float, deadline: float | None) -> bool:
        """Search on with another weight, from all cells that wait; False when the deadline came first."""
        self.weight, self.scaled_weight = weight, int(weight * (1 << WEIGHT_BITS))
        self.space.prepare_buckets(self.highest, weight, 1)
        self._reweigh(last)
        return self._search(last, deadline)

    def least(self, last: int) -> float:
        """The least ``g + h`` [cells] of the cells that wait, infinity if none does; they are queued again."""
        self.space.heads.fill(-1)
        least = self._reweigh(last)
        return least / STRAIGHT if least < NEVER else math.inf

    def _reweigh(self, last: int) -> int:
        space = self.space
        while len(space.pool) < space.passable_count + 8:
            space.grow()
        return reweigh(
            space.cells, space.width, last, self.scaled_weight, self.round, self.diagonal, self.end, space.heads,
            space.shift, space.pool, space.state,
        )  # fmt: skip

    def _search(self, last: int, deadline: float | None) -> bool:
        space = self.space
        return self.advance(
            lambda limit: search(
                space.cells, space.width, self.costs, last, self.scaled_weight, self.diagonal,
                self.round, space.heads, space.shift, space.pool, space.found, space.state, limit,
            ),
            deadline,
        )  # fmt: skip

    def open(self, first: int, last: int, label: int) -> None:
        """Queue the start under its label."""
        space, state = self.space, self.space.state
        self.direct = self.distance(first, last)
        offset = ((self.direct * self.scaled_weight) >> WEIGHT_BITS) >> space.shift
        space.cells[first] = label
        space.pool[0] = (first << 32) | 0xFFFFFFFF
        space.heads[offset & (len(space.heads) - 1)] = 0
        state[BUCKET], state[FREE], state[USED], state[WAITING] = offset, -1, 1, 1
        state[BEST], state[EXPANSIONS] = (0 if first == last else NEVER), 0

    def advance(self, kernel: Callable[[int], int], deadline: float | None) -> bool:
        """Call a kernel with limits of expansions until it is through; False when the deadline came first."""
        space, chunk = self.space, _WITHOUT_CLOCK if deadline is None else CHUNK
        return advance(kernel, space.grow, space.state[EXPANSIONS : LAST + 1], chunk, deadline, space.order)

    def distance(self, first: int, last: int) -> int:
        """Length of the way from the start to the goal if nothing were in it; 0 without a goal."""
        if last < 0:
            return 0
        (y, x), (goal_y, goal_x) = divmod(first, self.space.width), divmod(last, self.space.width)
        dx, dy = abs(goal_x - x), abs(goal_y - y)
        straight, both = max(dx, dy) * STRAIGHT, min(dx, dy) * (DIAGONAL - STRAIGHT)
        return straight + both if self.diagonal else (dx + dy) * STRAIGHT

    @property
    def best(self) -> int:
        """Length of the best path known, `NEVER` without one."""
        return int(self.space.state[BEST])

    @property
    def expansions(self) -> int:
        """Cells expanded."""
        return int(self.space.state[EXPANSIONS])

    def lower_bound(self) -> float:
        """Length [cells] that no path undercuts: f of the lowest bucket left, over the weight, and the direct way."""
        f = min(int(self.space.state[BUCKET]) << self.space.shift, self.best)
        return max(f / max(self.weight, 1.0), self.direct) / STRAIGHT

    def lengths(self) -> Array:
        """Length [cells] of the way to each cell ``(ny, nx)``, infinity where the search has not been."""
        return np.where(self.reached(), ((self._labels() - self.round) >> 1) / STRAIGHT, np.inf)

    def reached(self) -> NDArray[np.bool_]:
        """Cells ``(ny, nx)`` to which the search has found a way."""
        label = self._labels()
        return (label >= self.round) & (label < self.end)

    def _labels(self) -> Cells:
        return self.space.cells.reshape(-1, self.space.width)[1:-1, 1:-1]

    def path(self, first: int, last: int) -> tuple[Cells, float]:
        """Cells (row, column) ``(K, 2)`` of the best path, and its cost [cells]."""
        space = self.space
        path, cost = trace_back(space.cells, space.width, self.costs, first, last, self.diagonal, self.round)
        if len(path) == 0:
            raise RuntimeError("a path was found whose cells do not lead back to the start; please report this map")
        return space.places(path), float(cost)
