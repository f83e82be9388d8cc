"""Dead ends of a grid: cells that no shortest path between other cells needs, compiled.

A cell with a single free neighbour beside it is a dead end, and so is one that has a single one left when dead ends are
taken away. A diagonal step needs a block of four free cells, each of which has two of the others beside it, so no
diagonal step leads into a dead end: from each, one way of straight steps leads out. What is left is the core.
"""

from __future__ import annotations

import numpy as np

from ...models.trace import driver
from ._jumps import ALL, PARENT, SIDES


@driver("void(b1[::1], i8, i4[::1])", nogil=True)
def close_dead_ends(free, width, exits):
    """Take the dead ends from a grid.

    Args:
        free: cells that can be passed, flat, with a ring of blocked ones; changed.
        width: cells in a row, ring included.
        exits: the cell to which the way out of each dead end leads, 0 in the core; changed.
    """
    for i in range(width, free.shape[0] - width):
        n = i
        while free[n] and free[n + 1] + free[n - 1] + free[n + width] + free[n - width] == 1:
            m = n + 1 if free[n + 1] else n - 1 if free[n - 1] else n + width if free[n + width] else n - width
            free[n] = False
            exits[n] = m
            n = m


@driver("UniTuple(i8, 3)(i8[::1], i4[::1], i8, i8, i8, i8)", nogil=True)
def leave_dead_ends(marks, exits, start, goal, round_, end):
    """The cells of the core to which start and goal lead, twice the same when their ways meet; steps of both ways.

    The marks then say how to get from the start to its cell of the core, and from that of the goal to the goal.
    """
    n, steps = start, 0
    marks[2 * n] = round_
    while exits[n] != 0:
        m = np.int64(exits[n])
        marks[2 * m] = round_
        marks[2 * m + 1] = (n << PARENT) | (marks[2 * m + 1] & (ALL << SIDES))
        n = m
        steps += 1
    m = goal
    while marks[2 * m] >= end and exits[m] != 0:
        marks[2 * m + 1] = (np.int64(exits[m]) << PARENT) | (marks[2 * m + 1] & (ALL << SIDES))
        m = np.int64(exits[m])
        steps += 1
    return n, n if marks[2 * m] < end else m, steps
