"""Searches of a grid that keep the first way found to a cell, compiled: three famous ones are one loop.

They differ in the bucket into which a cell goes when it is found, in the queue of `kernel`::

    FEWEST     the next one: buckets count steps                    breadth-first search
    NEAREST    that of the distance h to the goal                   greedy best-first search
    NEWEST     always the same one, which is a stack                depth-first search

The label of a cell says by which step k it was reached: ``round | 2 k + 1`` while it waits, ``round | 2 k`` once it is
expanded; the start has k = 8.
"""

from __future__ import annotations

import numpy as np

from ...models.trace import driver
from ._jumps import EAST, NORTH
from ._on_cells import Array, Found, path_cost
from ._on_graph import no_path, out_of_time
from .kernel import BEST, BUCKET, EXPANSIONS, LAST, NEVER, STRAIGHT, _distance, put, take_waiting
from .query import Query
from .workspace import Workspace

FEWEST, NEAREST, NEWEST = 0, 1, 2
START = 8


def first_way(
    space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None, order: int, diagonal: bool
) -> Found:
    """Search in one of the orders from one cell to another."""
    # A ring of buckets for all distances that wait together: none comes up early.
    span = space.width + len(space.free) // space.width if order == NEAREST else 1
    query = Query(space, None, float(order == NEAREST), diagonal, farthest=span)
    query.open(first, last, query.round + 2 * START + 1)
    finished = query.advance(
        lambda limit: search(
            space.cells, space.width, order, last, diagonal, query.round, query.end, space.heads, space.shift,
            space.pool, space.state, limit,
        ),
        deadline,
    )  # fmt: skip
    direct = query.direct / STRAIGHT
    if not finished:
        return out_of_time(direct, query.expansions)
    if query.best == NEVER:
        return no_path(query.expansions)
    path = space.places(way_back(space.cells, space.width, last, query.round))
    return Found(True, path, path_cost(path, costs), direct, query.expansions)


@driver("i8(i8[::1], i8, i8, i8, b1, i8, i8, i4[::1], i8, i8[::1], i8[::1], i8)", nogil=True)
def search(cells, width, order, goal, diagonal, round_, end, heads, shift, pool, state, limit):
    """Expand cells in one of the orders until the goal is found, none waits or `limit` is reached.

    Args:
        cells: labels, flat, with a ring of blocked cells (-1); those of `end` and above are of earlier rounds; changed.
        width: cells in a row, ring included.
        order: FEWEST, NEAREST or NEWEST.
        goal: index of the goal.
        diagonal: whether diagonal steps are allowed; they never cut a corner.
        round_, end: range of the labels of this query.
        heads, shift, pool, state, limit: as for `kernel.search`; BEST becomes 0 when the goal is found.

    Returns:
        FINISHED, PAUSED (`limit` reached; call again to go on) or POOL_FULL (call again with a larger pool).
    """
    most = state[EXPANSIONS] + limit
    x, y = goal % width, goal // width
    while True:
        n, outcome = take_waiting(cells, heads, shift, pool, state, 8, most)
        if n < 0 or state[BEST] == 0:
            return outcome
        state[EXPANSIONS] += 1
        state[LAST] = n
        for k in range(7 if diagonal else 3, -1, -1):  # of the newest, the first neighbour comes first
            m = n + EAST[k] + NORTH[k] * width
            if cells[m] < end and not (order == NEWEST and cells[m] >= round_ and cells[m] & 1 == 1):
                continue  # blocked, or another way came first
            if k >= 4 and (cells[n + EAST[k]] < 0 or cells[n + NORTH[k] * width] < 0):
                continue
            cells[m] = round_ + 2 * k + 1
            if m == goal:
                state[BEST] = 0
            if order == FEWEST:
                put(heads, shift, pool, state, m, (state[BUCKET] + 1) << shift)
            else:
                put(heads, shift, pool, state, m, _distance(m, width, x, y, diagonal) if order == NEAREST else 0)


@driver("i8[::1](i8[::1], i8, i8, i8)", heap=True)
def way_back(cells, width, goal, round_):
    """Indices of the cells from the start to the goal, by the steps in their labels."""
    steps = (1, -1, width, -width, width + 1, width - 1, -width + 1, -width - 1, 0)
    count, n = 1, goal
    while cells[n] >> 1 != (round_ >> 1) + START:
        n -= steps[(cells[n] - round_) >> 1]
        count += 1
    path, n = np.empty(count, np.int64), goal
    for i in range(count - 1, -1, -1):
        path[i] = n
        n -= steps[(cells[n] - round_) >> 1]
    return path
