"""Best-first search on a grid, compiled: A*, weighted A* and Dijkstra are one loop.

::

    f = g + w h,   h = octile distance to the goal (Manhattan for 4 neighbours),   w = 1: A*, w = 0: Dijkstra

Lengths are integers: a straight step is S, a diagonal one D, with D / S a convergent of sqrt(2). Neighbouring
convergents are the best approximations there are, so two paths whose numbers of diagonal steps differ by less than S
(a million) compare under S and D exactly as they do under 1 and sqrt(2): the optimum found is the true optimum, and
no rounding error piles up along a path.

The open list is a ring of buckets of width 2^shift in f, each a stack (Dial, 1969). A bucket holds cells whose f
differs a little, so a cell may be expanded again when a shorter way to it turns up (label correcting); the search ends
when no bucket below the best known length of the goal is left, which is when that length is final.

Everything about a cell is in one integer, so that a neighbour costs one memory access::

    -1                              blocked, or the ring around the grid
    round | 2 g + 1                 reached with length g, waiting
    round | 2 g                     reached with length g, expanded

`round` occupies the high bits and falls from query to query: cells of earlier queries look infinitely far away and
nothing has to be cleared.
"""

from __future__ import annotations

import numpy as np

from ...models.trace import driver

STRAIGHT = 1136689
DIAGONAL = 1607521
"""A Pell convergent: 1607521 / 1136689 - sqrt(2) = 2.7e-13."""

COARSE, FINE = 19, 13
"""Widths of buckets, as powers of two: 0.46 cells when f takes few values (cost 1 everywhere, weight 0 or 1), which
measured best between 2^16 and 2^21, and 0.007 cells when it takes many, where wider ones expand cells repeatedly."""

NEVER = 1 << 62

WEIGHT_BITS = 10

# What `search` returns.
FINISHED, PAUSED, POOL_FULL = 0, 1, 2

# Where `search` keeps what it needs to go on, in the array `state`.
BUCKET, FREE, USED, WAITING, BEST, EXPANSIONS, LAST = 0, 1, 2, 3, 4, 5, 6  # LAST: the cell expanded last
STATE_SIZE = 7


@driver(
    "i8(i8[::1], i8, none, i8, i8, b1, i8, i4[::1], i8, i8[::1], i8[::1], i8[::1], i8)",
    "i8(i8[::1], i8, f8[::1], i8, i8, b1, i8, i4[::1], i8, i8[::1], i8[::1], i8[::1], i8)",
    nogil=True,
)
def search(cells, width, costs, goal, weight, diagonal, round_, heads, shift, pool, found, state, limit):
    """Expand cells in order of f until the goal's length is final, the open list is empty or `limit` is reached.

    Args:
        cells: what is known about each cell (see above), flat, with a ring of blocked cells; changed.
        width: cells in a row, ring included.
        costs: traversal cost of each cell >= 1, flat as `cells`, or None for 1 everywhere. A step costs its length
            times the mean cost of its two cells.
        goal: index of the goal, or -1 to reach every cell.
        weight: of the heuristic, times 2^WEIGHT_BITS: an integer costs less per neighbour than a conversion.
        diagonal: whether diagonal steps are allowed; they never cut a corner.
        round_: high bits of the cells of this query.
        heads: first entry of each bucket or -1, a power of two of them, used as a ring; changed. Where f spans more
            than the ring, entries come up early, which costs expansions and not the guarantee.
        shift: logarithm of the width of a bucket.
        pool: entries ``cell << 32 | next entry``, free ones chained; changed.
        found: room for eight neighbours; changed.
        state: see the constants above; changed.
        limit: expansions of this call.

    Returns:
        FINISHED, PAUSED (`limit` reached; call again to go on) or POOL_FULL (call again with a larger pool).
    """
    most = state[EXPANSIONS] + limit
    goal_x, goal_y = goal % width, goal // width
    while True:
        # 1. Take the last cell of the lowest bucket.
        n, outcome = take_waiting(cells, heads, shift, pool, state, 8, most)
        if n < 0:
            return outcome
        g = (cells[n] - round_) >> 1
        if g >= state[BEST]:
            continue
        state[EXPANSIONS] += 1
        state[LAST] = n

        # 2. Label and queue the neighbours that this way reaches sooner.
        straight, all_found = _neighbours(cells, width, costs, n, cells[n] + 1, diagonal, round_, found)
        for i in range(all_found):
            m = found[i]
            length = g + _step(costs, n, m, STRAIGHT if i < straight else DIAGONAL)
            new_label = round_ + 2 * length + 1
            if costs is not None and new_label >= cells[m]:
                continue
            f = length
            if goal >= 0:
                f += (_distance(m, width, goal_x, goal_y, diagonal) * weight) >> WEIGHT_BITS
            if m == goal and f >= state[BEST]:
                continue
            cells[m] = new_label  # even if it is not queued: with less weight, it may be
            if m == goal:
                state[BEST] = length
            elif f < state[BEST]:
                put(heads, shift, pool, state, m, f)


@driver("i8(i8[::1], i8, i8, i8, i8, b1, i8, i4[::1], i8, i8[::1], i8[::1])", nogil=True)
def reweigh(cells, width, goal, weight, round_, diagonal, end, heads, shift, pool, state):
    """Queue all waiting cells again, in order of ``g + weight h``, into empty buckets; the least ``g + h`` of them.

    Args:
        end: end of the labels of this query; the pool has room for all cells, and the others are as for `search`.
    """
    goal_x, goal_y = goal % width, goal // width
    state[FREE], state[USED], state[WAITING], state[BUCKET] = -1, 0, 0, NEVER >> shift
    least = NEVER
    for m in range(cells.shape[0]):
        if cells[m] < round_ or cells[m] >= end or cells[m] & 1 == 0 or m == goal:
            continue
        g, h = (cells[m] - round_) >> 1, _distance(m, width, goal_x, goal_y, diagonal)
        least = min(least, g + h)
        f = g + ((h * weight) >> WEIGHT_BITS)
        if f < state[BEST]:
            put(heads, shift, pool, state, m, f)
    return least


@driver(inline=True)
def take(heads, shift, pool, state, room, most):
    """The last cell of the lowest bucket, which leaves it; or -1, and why there is none.

    Before the cell is taken, the pool must have `room` for what its expansion queues, and fewer than `most` cells must
    have been expanded.
    """
    if state[WAITING] == 0:
        return -1, FINISHED
    if state[EXPANSIONS] >= most:  # before anything changes: a search with pauses is the one without
        return -1, PAUSED
    mask = heads.shape[0] - 1
    bucket = state[BUCKET]
    entry = heads[bucket & mask]
    while entry < 0:
        bucket += 1
        if (bucket << shift) >= state[BEST]:
            state[BUCKET] = bucket
            return -1, FINISHED
        entry = heads[bucket & mask]
    state[BUCKET] = bucket
    if state[USED] + room > pool.shape[0]:
        return -1, POOL_FULL
    packed = pool[entry]
    heads[bucket & mask] = np.int32(packed & 0xFFFFFFFF)
    pool[entry] = state[FREE]
    state[FREE] = entry
    state[WAITING] -= 1
    return packed >> 32, FINISHED


@driver(inline=True)
def take_waiting(cells, heads, shift, pool, state, room, most):
    """The last waiting cell of the lowest bucket, expanded from now on; or -1, and why there is none. See `take`."""
    n, outcome = take(heads, shift, pool, state, room, most)
    while n >= 0 and cells[n] & 1 == 0:  # it waited twice, and was expanded when a shorter way had led to it
        n, outcome = take(heads, shift, pool, state, room, most)
    if n >= 0:
        cells[n] -= 1
    return n, outcome


@driver(inline=True)
def put(heads, shift, pool, state, n, f):
    """Put a cell into the bucket of its f, in a free entry of the pool or the next unused one."""
    entry = state[FREE]
    if entry >= 0:
        state[FREE] = pool[entry]
    else:
        entry = state[USED]
        state[USED] += 1
    slot = (f >> shift) & (heads.shape[0] - 1)
    pool[entry] = (n << 32) | (np.int64(heads[slot]) & 0xFFFFFFFF)
    heads[slot] = entry
    state[WAITING] += 1
    # Only a weighted f falls along a path; the lowest bucket then moves back.
    state[BUCKET] = min(state[BUCKET], f >> shift)


@driver(inline=True)
def _neighbours(cells, width, costs, n, label, diagonal, round_, found):
    """Write to `found` the neighbours of n that may be reached sooner through it: (straight ones, all of them).

    Without `costs` a label tells at once; with them, all that are not blocked are candidates.
    """
    east, west, north, south = cells[n + 1], cells[n - 1], cells[n + width], cells[n - width]
    nearer = label + 2 * STRAIGHT if costs is None else round_
    k = 0
    if nearer < east:
        found[k] = n + 1
        k += 1
    if nearer < west:
        found[k] = n - 1
        k += 1
    if nearer < north:
        found[k] = n + width
        k += 1
    if nearer < south:
        found[k] = n - width
        k += 1
    straight = k
    if diagonal:
        nearer = label + 2 * DIAGONAL if costs is None else round_
        if north >= 0 and east >= 0 and nearer < cells[n + width + 1]:
            found[k] = n + width + 1
            k += 1
        if north >= 0 and west >= 0 and nearer < cells[n + width - 1]:
            found[k] = n + width - 1
            k += 1
        if south >= 0 and east >= 0 and nearer < cells[n - width + 1]:
            found[k] = n - width + 1
            k += 1
        if south >= 0 and west >= 0 and nearer < cells[n - width - 1]:
            found[k] = n - width - 1
            k += 1
    return straight, k


@driver(inline=True)
def _step(costs, n, m, length):
    """Cost of a step of `length` from n to m, or from m to n: times the mean of both cells."""
    if costs is None:
        return length
    return int(0.5 * (costs[n] + costs[m]) * length)


@driver(inline=True)
def _distance(m, width, x, y, diagonal):
    """Octile distance of a cell from (x, y), or Manhattan distance where there are no diagonal steps."""
    dx, dy = abs(m % width - x), abs(m // width - y)
    if diagonal:
        return max(dx, dy) * STRAIGHT + min(dx, dy) * (DIAGONAL - STRAIGHT)
    return (dx + dy) * STRAIGHT


@driver(
    "Tuple((i8[::1], f8))(i8[::1], i8, none, i8, i8, b1, i8)",
    "Tuple((i8[::1], f8))(i8[::1], i8, f8[::1], i8, i8, b1, i8)",
    heap=True,
)
def trace_back(cells, width, costs, start, goal, diagonal, round_):
    """Indices of the cells from `start` to `goal`, and the cost of the path [cells].

    Goes backwards, always to a neighbour whose length explains the own one: a step from it costs no more than the
    difference. It may cost less, where a weighted search found a shorter way to the neighbour and ended before that
    was passed on. The direction of the last step is tried first: fewer turns. The cost is computed afresh, from the
    number of diagonal steps or the costs as given, free of what rounding lengths to integers does.
    """
    offsets = (1, -1, width, -width, width + 1, width - 1, -width + 1, -width - 1)
    path = np.empty(64, np.int64)
    path[0] = goal
    count = 1
    n = goal
    last = 0
    diagonals = 0
    cost = 0.0
    while n != start:
        g = (cells[n] - round_) >> 1
        previous = -1
        for attempt in range(-1, 8 if diagonal else 4):
            i = last if attempt < 0 else attempt
            m = n + offsets[i]
            if cells[m] < round_ or cells[m] >= cells[n]:
                continue
            if i >= 4 and (cells[n + (1 if i % 2 == 0 else -1)] < 0 or cells[n + (width if i < 6 else -width)] < 0):
                continue
            if ((cells[m] - round_) >> 1) + _step(costs, n, m, STRAIGHT if i < 4 else DIAGONAL) <= g:
                previous, last = m, i
                break
        if previous < 0:
            return np.empty(0, np.int64), np.nan  # the caller reports it; cannot happen on cells that `search` labelled
        diagonals += last >= 4
        if costs is not None:
            cost += 0.5 * (costs[n] + costs[previous]) * (1.0 if last < 4 else np.sqrt(2.0))
        if count == path.shape[0]:
            grown = np.empty(2 * count, np.int64)
            for k in range(count):
                grown[k] = path[k]
            path = grown
        path[count] = previous
        count += 1
        n = previous
    if costs is None:
        cost = (count - 1 - diagonals) + diagonals * np.sqrt(2.0)
    forward = np.empty(count, np.int64)
    for k in range(count):
        forward[k] = path[count - 1 - k]
    return forward, cost
