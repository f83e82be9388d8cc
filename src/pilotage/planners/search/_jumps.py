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
from .kernel import BEST, DIAGONAL, EXPANSIONS, LAST, STRAIGHT, put, take

FARTHEST = 32767
"""Largest distance in a table of int16; a longer way is cut by a jump point in between, which harms no path."""

ALL = 255
"""All eight directions, as bits."""
SIDES, PARENT = 16, 24
"""Where the marks of a cell hold the sides with forced neighbours, and the parent."""

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


@driver("void(b1[::1], i8, i8[::1])", nogil=True)
def fill_sides(free, width, marks):
    """Write to the marks of each cell where a straight way into it may turn: to a side that was blocked a cell before.

    Args:
        free: as for `fill_jumps`.
        width: cells in a row, ring included.
        marks: two numbers a cell, see `jump_search`; changed.
    """
    for m in range(width + 1, free.shape[0] - width - 1):
        for k in range(4):
            behind, beside = m - EAST[k] - NORTH[k] * width, width if k < 2 else 1
            for s in range(2):
                side = beside * (1 - 2 * s)
                if free[m + side] and not free[behind + side]:
                    marks[2 * m + 1] |= 1 << (SIDES + 2 * k + s)


@driver("i8(i8[::1], i8, i8, i8, i4[::1], i8, i8[::1], i8[::1], i2[::1], i8[::1], i8)", nogil=True)
def jump_search(marks, width, goal, round_, heads, shift, pool, state, table, found, limit):
    """Expand jump points in order of f until the goal's length is final, none is left or `limit` is reached.

    Args:
        marks: two numbers a cell, side by side in memory: the label ``round | 2 g``, as in `kernel.search`, and
            ``parent << PARENT | sides << SIDES | searched << 8 | ahead``, with the jump point from which the cell was
            reached, the sides where forced neighbours are, and as bits the directions searched from the cell and
            those still to be searched; changed. A cell reached on several shortest ways is searched in the directions
            of each.
        width: cells in a row, ring included.
        goal: index of the goal.
        round_: high bits of the labels of this query.
        heads: first entry of each bucket; changed.
        shift: logarithm of the width of a bucket.
        pool: entries ``cell << 32 | next entry``; changed.
        state: progress, as in `kernel.search`; changed.
        table: jump distances, from `fill_jumps`.
        found: room for what one expansion finds; changed.
        limit: expansions of this call.

    Returns:
        FINISHED, PAUSED or POOL_FULL, as `kernel.search`.
    """
    most, room = state[EXPANSIONS] + limit, found.shape[0] // 4
    goal_x, goal_y = goal % width, goal // width
    while True:
        # 1. Take the last jump point of the lowest bucket, and the directions that it still has to look in.
        n, outcome = take(heads, shift, pool, state, room, most)
        if n < 0:
            return outcome
        ahead = marks[2 * n + 1] & ALL
        g = (marks[2 * n] - round_) >> 1
        if ahead == 0 or g >= state[BEST]:
            continue
        marks[2 * n + 1] += (ahead << 8) - ahead
        state[EXPANSIONS] += 1
        state[LAST] = n
        dx, dy = goal_x - n % width, goal_y - n // width

        # 2. Jump straight; along each diagonal, jump ahead and aside from where that leads to something.
        count = 0
        for k in range(8):
            if not (ahead >> k) & 1:
                continue
            if k < 4:
                count = _jump(table, width, n, k, g, dx, dy, found, count)
                continue
            c, length, x, y = n, g, dx, dy
            leap = _leap(table[8 * n + k], k, dx, dy)
            while leap > 0:
                c += leap * (EAST[k] + NORTH[k] * width)
                length, x, y = length + leap * DIAGONAL, x - leap * EAST[k], y - leap * NORTH[k]
                count = _jump(table, width, c, k & 1, length, x, y, found, count)
                count = _jump(table, width, c, 2 + ((k - 4) >> 1), length, x, y, found, count)
                leap = _leap(table[8 * c + k], k, x, y)

        # 3. Label and queue what was found, where this way is as short as any.
        for i in range(0, 4 * count, 4):
            m, k, length, f = found[i], found[i + 1], found[i + 2], found[i + 3]
            label = round_ + 2 * length
            if label > marks[2 * m] or f >= state[BEST]:
                continue
            known = marks[2 * m + 1]
            if label < marks[2 * m]:
                marks[2 * m] = label
                known = (n << PARENT) | (known & (ALL << SIDES))
            if m == goal:
                state[BEST] = length
            turns = _turns(k, (known >> (SIDES + 2 * k)) & 3) & ~(known | (known >> 8))
            marks[2 * m + 1] = known | turns
            if turns != 0 and m != goal:
                put(heads, shift, pool, state, m, f)


@driver(inline=True)
def _jump(table, width, c, k, length, dx, dy, found, count):
    """Write where a jump from c in the straight direction k ends, if at something: (cell, k, length, f)."""
    leap = _leap(table[8 * c + k], k, dx, dy)
    if leap == 0 and (dx != 0 or dy != 0):
        return count
    x, y = abs(dx - leap * EAST[k]), abs(dy - leap * NORTH[k])
    i = 4 * count
    found[i], found[i + 1] = c + leap * (EAST[k] + NORTH[k] * width), k
    found[i + 2] = length + leap * STRAIGHT
    found[i + 3] = found[i + 2] + max(x, y) * STRAIGHT + min(x, y) * (DIAGONAL - STRAIGHT)
    return count + 1


@driver(inline=True)
def _leap(t, k, dx, dy):
    """Cells to jump in direction k: to the goal or to its row or column, if nearer than the jump point; 0 for none."""
    ahead, aside = dx * EAST[k], dy * NORTH[k]
    there = min(ahead, aside) if k >= 4 else ahead + aside if dx * NORTH[k] == 0 and dy * EAST[k] == 0 else 0
    if 0 < there <= abs(t):
        return there
    return max(np.int64(t), 0) if dx != 0 or dy != 0 else 0


@driver(inline=True)
def _turns(k, sides):
    """Directions, as bits, in which a shortest path may go on that came in the straight direction k."""
    one, other = sides & 1, sides >> 1
    if k < 2:
        return (1 << k) | one * (4 | 16 << k) | other * (8 | 64 << k)
    return (1 << k) | one * (1 | 16 << 2 * (k - 2)) | other * (2 | 32 << 2 * (k - 2))


@driver("Tuple((i8[:,::1], f8))(i8[::1], i8, i8, i8)", heap=True)
def walk(marks, width, start, goal):
    """All cells (row, column) ``(K, 2)`` of the path through the jump points, and its length [cells]."""
    straights, diagonals = 0, 0
    n = goal
    while n != start:
        parent = marks[2 * n + 1] >> PARENT
        dx, dy = abs(n % width - parent % width), abs(n // width - parent // width)
        straights += max(dx, dy) - min(dx, dy)
        diagonals += min(dx, dy)
        n = parent
    i = straights + diagonals
    path = np.empty((i + 1, 2), np.int64)
    n, y, x = goal, goal // width - 1, goal % width - 1
    path[i, 0], path[i, 1] = y, x
    while n != start:
        n = marks[2 * n + 1] >> PARENT
        up, right = n // width - 1 - y, n % width - 1 - x
        while up != 0 or right != 0:  # diagonal moves come first, straight ones last
            rise = np.sign(up) if abs(up) >= abs(right) else 0
            run = np.sign(right) if abs(right) >= abs(up) else 0
            y, x, up, right = y + rise, x + run, up - rise, right - run
            i -= 1
            path[i, 0], path[i, 1] = y, x
    return path, straights + diagonals * np.sqrt(2.0)
