"""Search for paths of any angle on a grid, compiled: Theta* and lazy Theta* are one loop."""

from __future__ import annotations

import numpy as np

from ...models.trace import driver
from ._jumps import EAST, NORTH
from .kernel import FINISHED, PAUSED, POOL_FULL

# Where `any_angle` keeps what it needs to go on, in the array `state`.
SIZE, EFFORT, LAST = 0, 1, 2


@driver("i8(b1[::1], i8, i8, b1, b1, f8[::1], i4[::1], f8[::1], i4[::1], f8[::1], i4[::1], i8[::1], i8)", nogil=True)
def any_angle(free, width, goal, lazy, between, g, parents, final_g, final_parents, keys, queue, state, limit):
    """Expand cells in order of ``f = g + h`` until the goal is, none is left or `limit` is reached.

    A cell is expanded again when a shorter way to it turns up. No path is longer than that of A*, by induction along
    the latter: the way over the parent of a cell is no longer than the way over the cell, by the triangle inequality.

    Args:
        free: cells that can be passed, flat, with a ring of blocked ones.
        width: cells in a row, ring included.
        goal: index of the goal.
        lazy: whether the line of sight is checked when a cell is expanded, not for each of its neighbours.
        between: whether what is forbidden is interpolated between the middles of cells; see `in_sight`.
        g: shortest length known; of a lazy search, perhaps one without line of sight; changed.
        parents: where that way comes from; changed.
        final_g: length with which a cell was last expanded, infinity before; changed.
        final_parents: where that way comes from, in line of sight; changed.
        keys: f of the queue, a binary heap; changed.
        queue: cells of the queue; changed.
        state: number of cells in the queue, of expansions, and the cell expanded last; changed.
        limit: expansions of this call.

    Returns:
        FINISHED, PAUSED (`limit` reached; call again to go on) or POOL_FULL (call again with a larger queue).
    """
    size, expansions = state[SIZE], 0
    outcome = FINISHED
    while size > 0:
        if expansions >= limit:
            outcome = PAUSED
            break
        if size + 8 > queue.shape[0]:
            outcome = POOL_FULL
            break

        # 1. Take the cell with the lowest f.
        f, s = keys[0], queue[0]
        size = _sift_down(keys, queue, size)
        if f > g[s] + _straight(s, goal, width) or g[s] >= final_g[s]:
            continue

        # 2. Where its parent is not in sight, go back to its best neighbour.
        if lazy and not in_sight(free, width, parents[s], s, between):
            g[s], parents[s] = final_g[s], final_parents[s]
            for k in range(8):
                m = _neighbour(free, width, s, k)
                if m >= 0 and final_g[m] + (1.0 if k < 4 else np.sqrt(2.0)) < g[s]:
                    g[s], parents[s] = final_g[m] + (1.0 if k < 4 else np.sqrt(2.0)), m
            if g[s] < final_g[s]:
                size = _sift_up(keys, queue, size, g[s] + _straight(s, goal, width), s)
            continue
        final_g[s], final_parents[s] = g[s], parents[s]
        if s == goal:
            break
        expansions += 1
        state[LAST] = s

        # 3. Reach its neighbours from its parent, or from itself.
        for k in range(8):
            m = _neighbour(free, width, s, k)
            if m < 0:
                continue
            p = final_parents[s]
            if not lazy and not in_sight(free, width, p, m, between):
                p = s
            length = final_g[p] + _straight(p, m, width)
            if length < g[m]:
                g[m], parents[m] = length, p
                size = _sift_up(keys, queue, size, length + _straight(m, goal, width), m)
    state[SIZE] = size
    state[EFFORT] += expansions
    return outcome


@driver(inline=True)
def _neighbour(free, width, s, k):
    """The cell one step away in direction k; -1 where it is blocked or the step would cut a corner."""
    m = s + EAST[k] + NORTH[k] * width
    if not free[m] or not free[s + EAST[k]] or not free[s + NORTH[k] * width]:
        return np.int64(-1)
    return np.int64(m)


@driver(inline=True)
def _straight(a, b, width):
    """Straight distance between the middles of two cells [cells]."""
    dx, dy = np.int64(a % width) - np.int64(b % width), np.int64(a // width) - np.int64(b // width)
    return np.sqrt(float(dx * dx + dy * dy))


@driver("b1(b1[::1], i8, i8, i8, b1)")
def in_sight(free, width, a, b, between):
    """Whether the straight line between the middles of two cells is clear; integers make this exact.

    All cells that the line touches must be free; where it runs through a corner, it touches all four around it. With
    `between`, the four middles around each of its points must be free.

    Args:
        free: cells that can be passed, flat.
        width: cells in a row.
        a: index of a cell.
        b: index of another.
        between: whether what is forbidden is interpolated between the middles of cells.
    """
    nx, ny = abs(b % width - a % width), abs(b // width - a // width)
    east, north = (1 if b % width > a % width else -1), (width if b // width > a // width else -width)
    n, i, j = a, 0, 0
    # A line along a row or column lies in its cells, and between their middles.
    between = between and nx > 0 and ny > 0
    half = 2 if between else 1
    while free[n] and (i < nx or j < ny):
        # Which comes first, the next line between columns (or middles of columns) or that between rows?
        side = (half + 2 * i) * ny - (half + 2 * j) * nx
        if (side == 0 or between) and not (free[n + east] and free[n + north]):
            return False
        if between and not free[n + east + north]:
            return False
        if side <= 0:
            n, i = n + east, i + 1
        if side >= 0:
            n, j = n + north, j + 1
    return free[n]


@driver(inline=True)
def _sift_up(keys, queue, size, key, item):
    """Put an item into the heap; its new size."""
    i = size
    while i > 0 and keys[(i - 1) >> 1] > key:
        keys[i], queue[i] = keys[(i - 1) >> 1], queue[(i - 1) >> 1]
        i = (i - 1) >> 1
    keys[i], queue[i] = key, item
    return size + 1


@driver(inline=True)
def _sift_down(keys, queue, size):
    """Take the first item from the heap; its new size."""
    size -= 1
    key, item = keys[size], queue[size]
    i = 0
    while 2 * i + 1 < size:
        child = 2 * i + 1
        if child + 1 < size and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[i], queue[i] = keys[child], queue[child]
        i = child
    keys[i], queue[i] = key, item
    return size
