"""Bidirectional search on a grid, compiled: best-first searches from the start and from the goal, in turns.

::

    forward key  2 g_f(v) + p(v),   backward key  2 g_b(v) - p(v),   p(v) = h(v, goal) - h(start, v)

Lengths, labels and buckets are those of `kernel`, in two rows, one a side. Keys are twice those of Ikeda et al., which
makes them integers. No cell waits with a key below the lowest bucket of its side, so the best path known is a shortest
one as soon as the sum of both lowest buckets reaches twice its length.
"""

from __future__ import annotations

import numpy as np

from ...models.trace import driver
from ._on_cells import Array, Found
from ._on_graph import no_path, out_of_time
from .kernel import (
    BEST,
    BUCKET,
    DIAGONAL,
    EXPANSIONS,
    FINISHED,
    FREE,
    NEVER,
    STATE_SIZE,
    STRAIGHT,
    USED,
    WAITING,
    _distance,
    _neighbours,
    _step,
    put,
    take_waiting,
    trace_back,
)
from .query import CHUNK, Query, advance
from .workspace import Integers, Workspace

LENGTH, MIDDLE, COUNT, NEWEST = 0, 1, 2, 3
"""Where the array `best` holds twice the length of the best path known, the cell where its halves meet, the number of
expansions of both sides and the cell expanded last."""


class Sides:
    """The labels and queues of both searches, kept with a grid."""

    def __init__(self, space: Workspace) -> None:
        self.cells: Integers = np.tile(np.where(space.free, NEVER, -1), (2, 1))
        self.pool: Integers = np.empty((2, 4096), dtype=np.int64)
        self.state: Integers = np.zeros((2, STATE_SIZE), dtype=np.int64)
        self.best: Integers = np.zeros(4, dtype=np.int64)

    def open(self, query: Query, ends: tuple[int, int]) -> None:
        """Queue the start and the goal, each on its side."""
        key = query.direct if query.weight else 0
        bucket = key >> (query.space.shift + 1)
        self.heads = np.full((2, len(query.space.heads)), -1, dtype=np.int32)
        self.heads[:, bucket & (len(query.space.heads) - 1)] = 0
        self.pool[:, 0] = [end << 32 | 0xFFFFFFFF for end in ends]
        self.cells[[0, 1], ends] = query.round + 1
        self.state[:, [BUCKET, FREE, USED, WAITING, BEST, EXPANSIONS]] = bucket, -1, 1, 1, NEVER, 0
        self.best[:] = (0, ends[0], 0, -1) if ends[0] == ends[1] else (NEVER, -1, 0, -1)

    def grow(self) -> None:
        """Double the pools of queue entries; entries keep their places."""
        self.pool = np.concatenate((self.pool, np.empty_like(self.pool)), axis=1)


def two_sided(
    space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None, weight: float, diagonal: bool
) -> Found:
    """Search from both ends, with the heuristic (weight 1) or without (weight 0)."""
    query = Query(space, costs, weight, diagonal)
    query.direct = query.distance(first, last)
    sides: Sides | None = space.tables.get("sides")
    if sides is None:
        sides = space.tables["sides"] = Sides(space)
    sides.open(query, (first, last))
    shift = space.shift + 1
    in_time = advance(
        lambda limit: meet(
            sides.cells, space.width, query.costs, first, last, weight > 0.0, diagonal, query.round, query.end,
            sides.heads, shift, sides.pool, space.found, sides.state, sides.best, limit,
        ),
        sides.grow, sides.best[COUNT:], CHUNK, deadline, space.order,
    )  # fmt: skip
    expansions, middle = int(sides.best[COUNT]), int(sides.best[MIDDLE])
    if not in_time:
        bound = min(int(sides.state[:, BUCKET].sum()) << shift, int(sides.best[LENGTH])) // 2
        return out_of_time(max(bound, query.direct) / STRAIGHT, expansions)
    if middle < 0:
        return no_path(expansions)
    (there, cost), (back, rest) = (
        trace_back(sides.cells[side], space.width, query.costs, end, middle, diagonal, query.round)
        for side, end in enumerate((first, last))
    )
    path = space.places(np.concatenate((there, back[-2::-1])))
    return Found(True, path, float(cost + rest), float(cost + rest), expansions)


_REST = "i8, i8, b1, b1, i8, i8, i4[:,::1], i8, i8[:,::1], i8[::1], i8[:,::1], i8[::1], i8)"


@driver(f"i8(i8[:,::1], i8, none, {_REST}", f"i8(i8[:,::1], i8, f8[::1], {_REST}", nogil=True)
def meet(
    cells, width, costs, start, goal, heuristic, diagonal, round_, end, heads, shift, pool, found, state, best, limit
):
    """Expand cells of the side with fewer of them waiting until the best path known is final or `limit` is reached.

    Args:
        cells, heads, pool, state: as for `kernel.search`, a row for each side; changed.
        width, costs, diagonal, found, limit: as for `kernel.search`.
        start, goal: indices of the ends.
        heuristic: whether keys contain the potential p.
        round_, end: range of the labels of this query.
        shift: logarithm of the width of a bucket of keys.
        best: what the names of its places say; changed.

    Returns:
        FINISHED, PAUSED (`limit` reached; call again to go on) or POOL_FULL (call again with larger pools).
    """
    x, y, start_x, start_y = goal % width, goal // width, start % width, start // width
    most = best[COUNT] + limit
    while (state[0, BUCKET] + state[1, BUCKET]) << shift < best[LENGTH]:
        # 1. Take the last cell of the lowest bucket of one side.
        side = 1 if state[1, WAITING] < state[0, WAITING] else 0
        near, far, here, there = cells[side], cells[1 - side], state[side], state[1 - side]
        n, outcome = take_waiting(near, heads[side], shift, pool[side], here, 8, most - there[EXPANSIONS])
        if n < 0:
            return outcome
        g = (near[n] - round_) >> 1
        here[EXPANSIONS] += 1
        best[COUNT], best[NEWEST] = best[COUNT] + 1, n

        # 2. Label the neighbours that this way reaches sooner, look whether the other side has been there, queue them.
        straight, count = _neighbours(near, width, costs, n, near[n] + 1, diagonal, round_, found)
        for i in range(count):
            m = found[i]
            length = g + _step(costs, n, m, STRAIGHT if i < straight else DIAGONAL)
            new_label = round_ + 2 * length + 1
            if costs is not None and new_label >= near[m]:
                continue
            near[m] = new_label
            if far[m] < end and 2 * length + far[m] - round_ - (far[m] & 1) < best[LENGTH]:
                best[LENGTH], best[MIDDLE] = 2 * length + far[m] - round_ - (far[m] & 1), m
            key = 2 * length
            if heuristic:
                p = _distance(m, width, x, y, diagonal) - _distance(m, width, start_x, start_y, diagonal)
                key += p if side == 0 else -p
            if key + (there[BUCKET] << shift) < best[LENGTH]:
                put(heads[side], shift, pool[side], here, m, key)
    return FINISHED
