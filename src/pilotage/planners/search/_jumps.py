"""Jump distances of every cell of a grid, and the search that skips the cells between jump points, compiled.

A cell n, entered straight from c, is a jump point when a cell beside n is free and the one beside c is blocked: only
there may a shortest path turn off. Diagonal moves stop where a straight move ahead or aside leads to a jump point. No
path cuts a corner, so diagonal moves have no forced neighbours. Of each cell and direction the table holds::

    t > 0     the next jump point is t cells away
    t <= 0    there is none; the way is free for -t cells
"""

from __future__ import annotations

import numpy as np

from ...models.trace import driver
from .kernel import (
    BEST,
    BUCKET,
    DIAGONAL,
    EXPANSIONS,
    FINISHED,
    FREE,
    PAUSED,
    POOL_FULL,
    STRAIGHT,
    USED,
    WAITING,
    _pop,
    _push,
)

FARTHEST = 32767
"""Largest distance in a table of int16; a longer way is cut by a jump point in between, which harms no path."""

EVERYWHERE = 255

EAST, NORTH = (1, -1, 0, 0, 1, -1, 1, -1), (0, 0, 1, -1, 1, 1, -1, -1)
"""Steps of the eight directions E, W, N, S, NE, NW, SE, SW."""


@driver("void(b1[::1], i8, i2[::1])", nogil=True)
def fill_jumps(free, width, table):
    """Write the jump distances of all cells: eight numbers a cell, in the order E, W, N, S, NE, NW, SE, SW.

    Args:
        free: cells that can be passed, flat, with a ring of blocked ones.
        width: cells in a row, ring included.
        table: eight distances a cell; changed.
    """
    for k in range(8):
        ahead, aside = EAST[k], NORTH[k] * width
        offset = ahead + aside
        for i in range(width + 1, free.shape[0] - width - 1):
            c = free.shape[0] - 1 - i if offset > 0 else i
            n = c + offset
            if not free[c] or not free[n] or (k >= 4 and not (free[c + ahead] and free[c + aside])):
                table[8 * c + k] = 0
                continue
            further = table[8 * n + k]
            if k < 4:
                beside = width if k < 2 else 1
                stop = (free[n + beside] and not free[c + beside]) or (free[n - beside] and not free[c - beside])
            else:
                stop = table[8 * n + (k & 1)] > 0 or table[8 * n + 2 + ((k - 4) >> 1)] > 0
            if stop or abs(further) == FARTHEST:
                table[8 * c + k] = 1
            else:
                table[8 * c + k] = further + 1 if further > 0 else further - 1


@driver("i8(i8[::1], i8, i8, i8, i4[::1], i8, i8[::1], i8[::1], i2[::1], u1[::1], i4[::1], i8)", nogil=True)
def jump_search(cells, width, goal, round_, heads, shift, pool, state, table, directions, parents, limit):
    """Expand jump points in order of f until the goal's length is final, none is left or `limit` is reached.

    Args:
        cells: labels ``round | 2 g`` of the cells reached, as in `kernel.search`; changed.
        width: cells in a row, ring included.
        goal: index of the goal.
        round_: high bits of the labels of this query.
        heads: first entry of each bucket; changed.
        shift: logarithm of the width of a bucket.
        pool: entries ``cell << 32 | next entry``; changed.
        state: progress, as in `kernel.search`; changed.
        table: jump distances, from `fill_jumps`.
        directions: two numbers a cell: the directions to search from it, as bits, and those searched; changed. A cell
            reached on several shortest ways is searched in the directions of each.
        parents: the jump point from which each cell was reached; changed.
        limit: expansions of this call.

    Returns:
        FINISHED, PAUSED or POOL_FULL, as `kernel.search`.
    """
    bucket, free, used, waiting, best = state[BUCKET], state[FREE], state[USED], state[WAITING], state[BEST]
    mask = heads.shape[0] - 1
    goal_x, goal_y = goal % width, goal // width
    expansions = 0
    outcome = FINISHED
    while waiting > 0:
        entry = heads[bucket & mask]
        if entry < 0:
            bucket += 1
            if (bucket << shift) >= best:
                break
            continue
        if expansions >= limit:
            outcome = PAUSED
            break
        if used + 8 > pool.shape[0]:
            outcome = POOL_FULL
            break

        # 1. Take the last jump point of the lowest bucket, and the directions that it still has to look in.
        n = _pop(pool, heads, bucket & mask, entry, free)
        free = entry
        waiting -= 1
        ahead = directions[2 * n]
        g = (cells[n] - round_) >> 1
        if ahead == 0 or g >= best:
            continue
        directions[2 * n] = 0
        directions[2 * n + 1] |= ahead
        expansions += 1
        dx, dy = goal_x - n % width, goal_y - n // width

        # 2. Jump in each direction; label and queue the cell where the jump ends.
        for k in range(8):
            if not (ahead >> k) & 1:
                continue
            leap = _leap(table[8 * n + k], EAST[k], NORTH[k], dx, dy)
            if leap == 0:
                continue
            m = n + leap * (EAST[k] + NORTH[k] * width)
            length = g + leap * (STRAIGHT if k < 4 else DIAGONAL)
            label = round_ + 2 * length
            f = length + _octile(abs(dx - leap * EAST[k]), abs(dy - leap * NORTH[k]))
            if label > cells[m] or f >= best:
                continue
            turns = _turns(cells, width, m, k)
            if label < cells[m]:
                cells[m] = label
                parents[m] = n
                directions[2 * m] = 0
                directions[2 * m + 1] = 0
            if m == goal:
                best = length
                continue
            turns &= ~(np.int64(directions[2 * m]) | np.int64(directions[2 * m + 1]))
            if turns == 0:
                continue
            directions[2 * m] |= turns
            bucket = min(bucket, f >> shift)
            free, used = _push(pool, heads, (f >> shift) & mask, m, free, used)
            waiting += 1
    state[BUCKET], state[FREE], state[USED], state[WAITING], state[BEST] = bucket, free, used, waiting, best
    state[EXPANSIONS] += expansions
    return outcome


@driver(inline=True)
def _octile(dx, dy):
    """Octile length of a way of dx columns and dy rows, both positive."""
    return max(dx, dy) * STRAIGHT + min(dx, dy) * (DIAGONAL - STRAIGHT)


@driver(inline=True)
def _leap(t, east, north, dx, dy):
    """Cells to jump one way: to the goal or to its row or column, if nearer than the jump point; 0 for none."""
    there = 0
    if east != 0 and north != 0:
        there = min(dx * east, dy * north)
    elif dx * north == 0 and dy * east == 0:
        there = dx * east + dy * north
    if 0 < there <= abs(t):
        return there
    return max(np.int64(t), 0)


@driver(inline=True)
def _turns(cells, width, m, k):
    """Directions, as bits, in which a shortest path may go on from m, entered in direction k."""
    if k >= 4:
        return (1 << k) | (1 << (k & 1)) | (4 << ((k - 4) >> 1))
    turns = 1 << k
    behind = m - EAST[k] - NORTH[k] * width
    beside = width if k < 2 else 1
    for s in range(2):
        side = beside * (1 - 2 * s)
        if cells[behind + side] < 0 and cells[m + side] >= 0:
            turns |= (4 << s) | (16 << (2 * s + k)) if k < 2 else (1 << s) | (16 << (2 * (k - 2) + s))
    return turns


@driver("Tuple((i8[:,::1], f8))(i4[::1], i8, i8, i8)", heap=True)
def walk(parents, width, start, goal):
    """All cells (row, column) ``(K, 2)`` of the path through the jump points, and its length [cells]."""
    straights, diagonals = 0, 0
    n = goal
    while n != start:
        dx, dy = abs(n % width - parents[n] % width), abs(n // width - parents[n] // width)
        straights += max(dx, dy) - min(dx, dy)
        diagonals += min(dx, dy)
        n = parents[n]
    i = straights + diagonals
    path = np.empty((i + 1, 2), np.int64)
    path[i, 0], path[i, 1] = goal // width - 1, goal % width - 1
    n = goal
    while n != start:
        row, column = parents[n] // width - 1, parents[n] % width - 1
        while path[i, 0] != row or path[i, 1] != column:
            path[i - 1, 0] = path[i, 0] + np.sign(row - path[i, 0])
            path[i - 1, 1] = path[i, 1] + np.sign(column - path[i, 1])
            i -= 1
        n = parents[n]
    return path, straights + diagonals * np.sqrt(2.0)
