"""D* Lite on the cells of a grid, compiled; `dstar_lite.Repair` is the same for any graph.

Lengths are the integers of `kernel`. The queue is a heap of keys and cells; an entry counts only while it is the last
one of its cell, whose key is in `keys`.
"""

from __future__ import annotations

import numpy as np

from ...models.trace import driver
from .kernel import DIAGONAL, FINISHED, NEVER, PAUSED, POOL_FULL, STRAIGHT, _distance, _neighbours, _step

KM, SIZE, EFFORT, LAST = 0, 1, 2, 3
"""Places in the state of a repair: the modifier of keys, entries in the heap, expansions, the cell expanded last."""
LEFT = -1
"""First number of a key in `keys` when the cell is not queued."""
ROOM = 32
"""Entries that one expansion may queue, and more."""

_SEARCH = "(i8[::1], i8, f8[::1], b1, i8, i8, i8[::1], i8[::1], i8[:,::1], i8[:,::1], i8[::1], i8[::1], i8)"


@driver(f"i8{_SEARCH}", nogil=True)
def repair(cells, width, costs, diagonal, start, goal, g, rhs, keys, heap, found, state, limit):
    """Make cells consistent until the start is, and no waiting one could change its length.

    Args:
        cells: -1 where blocked, flat, with a ring of blocked cells.
        width: cells in a row, ring included.
        costs: traversal cost of each cell, flat.
        diagonal: whether diagonal steps are allowed.
        start: index of the cell of the robot.
        goal: index of the goal.
        g, rhs: lengths to the goal, found so far and seen from the neighbours; changed.
        keys: keys of the queued cells ``(count, 2)``; changed.
        heap: entries (key, key, cell); changed.
        found: room for eight neighbours; changed.
        state: see the constants above; changed.
        limit: expansions of this call.

    Returns:
        FINISHED, PAUSED or POOL_FULL (call again with a larger heap), as `kernel.search`.
    """
    most = state[EFFORT] + limit
    x, y = start % width, start // width
    here = (cells, width, costs, diagonal, x, y, goal, g, rhs, keys, heap, found, state)
    while True:
        while state[SIZE] > 0 and (keys[heap[0, 2], 0] != heap[0, 0] or keys[heap[0, 2], 1] != heap[0, 1]):
            _pop(heap, state)
        if state[SIZE] == 0:
            return FINISHED
        first, second, u = heap[0, 0], heap[0, 1], heap[0, 2]
        k, least = _key(here, start)
        if g[start] == rhs[start] and not _before(first, second, k, least):
            return FINISHED
        if state[EFFORT] >= most:
            return PAUSED
        if state[SIZE] + ROOM > heap.shape[0]:
            return POOL_FULL
        _pop(heap, state)
        keys[u, 0] = LEFT
        state[EFFORT] += 1
        state[LAST] = u
        k, least = _key(here, u)
        if _before(first, second, k, least):
            _update(here, u)
            continue
        straight, count = _neighbours(cells, width, costs, u, 0, diagonal, -1, found)
        if g[u] > rhs[u]:
            g[u] = rhs[u]
            for i in range(count):
                s = found[i]
                length = g[u] + _step(costs, u, s, STRAIGHT if i < straight else DIAGONAL)
                if length < rhs[s]:
                    rhs[s] = length
                    _update(here, s)
        else:
            g[u] = NEVER
            _look_ahead(here, u)
            _, count = _neighbours(cells, width, costs, u, 0, diagonal, -1, found)
            around = (found[0], found[1], found[2], found[3], found[4], found[5], found[6], found[7])
            for i in range(count):
                _look_ahead(here, around[i])


@driver(f"i8{_SEARCH[:-4]}i8[::1])", nogil=True)
def look_again(cells, width, costs, diagonal, start, goal, g, rhs, keys, heap, found, state, changed):
    """Compute rhs of cells whose edges have changed, as many as the heap has room for; how many that were."""
    here = (cells, width, costs, diagonal, start % width, start // width, goal, g, rhs, keys, heap, found, state)
    for i in range(changed.shape[0]):
        if state[SIZE] + ROOM > heap.shape[0]:
            return i
        _look_ahead(here, changed[i])
    return changed.shape[0]


@driver
def _look_ahead(here, s):
    """Compute rhs of a cell from its neighbours; a blocked one has none."""
    cells, width, costs, diagonal, _, _, goal, g, rhs, _, _, found, _ = here
    if s != goal:
        least = NEVER
        if cells[s] >= 0:
            straight, count = _neighbours(cells, width, costs, s, 0, diagonal, -1, found)
            for i in range(count):
                if g[found[i]] < NEVER:
                    length = g[found[i]] + _step(costs, s, found[i], STRAIGHT if i < straight else DIAGONAL)
                    least = min(least, length)
        rhs[s] = least
    _update(here, s)


@driver
def _update(here, s):
    """Queue a cell when it is inconsistent; else take it from the queue."""
    _, _, _, _, _, _, _, g, rhs, keys, heap, _, state = here
    if g[s] == rhs[s]:
        keys[s, 0] = LEFT
        return
    k, least = _key(here, s)
    if keys[s, 0] == k and keys[s, 1] == least:
        return  # it waits with this key already
    keys[s, 0], keys[s, 1] = k, least
    i = state[SIZE]
    state[SIZE] += 1
    while i > 0 and _before(k, least, heap[(i - 1) // 2, 0], heap[(i - 1) // 2, 1]):
        _copy(heap, (i - 1) // 2, i)
        i = (i - 1) // 2
    heap[i, 0], heap[i, 1], heap[i, 2] = k, least, s


@driver
def _pop(heap, state):
    """Take the first entry from the heap."""
    state[SIZE] -= 1
    last, i = state[SIZE], 0
    k, least = heap[last, 0], heap[last, 1]
    while 2 * i + 1 < last:
        child = 2 * i + 1
        if child + 1 < last and _before(heap[child + 1, 0], heap[child + 1, 1], heap[child, 0], heap[child, 1]):
            child += 1
        if not _before(heap[child, 0], heap[child, 1], k, least):
            break
        _copy(heap, child, i)
        i = child
    _copy(heap, last, i)


@driver
def _copy(heap, i, j):
    heap[j, 0], heap[j, 1], heap[j, 2] = heap[i, 0], heap[i, 1], heap[i, 2]


@driver
def _key(here, s):
    """The key of a cell: the length to the goal and from the start, then that to the goal."""
    _, width, _, diagonal, x, y, _, g, rhs, _, _, _, state = here
    least = min(g[s], rhs[s])
    if least >= NEVER:
        return NEVER, NEVER
    return least + _distance(s, width, x, y, diagonal) + state[KM], least


@driver
def _before(first, second, k, least):
    """Whether a key is less than another."""
    return first < k or (first == k and second < least)


@driver("Tuple((i8[::1], f8))(i8[::1], i8, f8[::1], b1, i8, i8, i8[::1], i8[::1])", heap=True)
def descend(cells, width, costs, diagonal, start, goal, g, found):
    """Indices of the cells from the start to the goal, always to the least length left, and the cost [cells]."""
    path = np.empty(64, np.int64)
    path[0] = start
    count, cost, n = 1, 0.0, start
    while n != goal:
        straight, around = _neighbours(cells, width, costs, n, 0, diagonal, -1, found)
        least, ahead, stride = NEVER, n, 1.0
        for i in range(around):
            if g[found[i]] < NEVER:
                length = g[found[i]] + _step(costs, n, found[i], STRAIGHT if i < straight else DIAGONAL)
                if length < least:
                    least, ahead, stride = length, found[i], 1.0 if i < straight else np.sqrt(2.0)
        cost += 0.5 * (costs[n] + costs[ahead]) * stride
        n = ahead
        if count == path.shape[0]:
            path = np.concatenate((path, np.empty(count, np.int64)))
        path[count] = n
        count += 1
    return path[:count].copy(), cost
