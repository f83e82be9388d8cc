"""Safe intervals of cells beside moving obstacles, and the search through them, compiled.

The unit of length is a cell, that of time the time of a straight step, so the speed of the robot is 1.

An obstacle is a list of segments, on each of which a disc moves at a constant velocity. A robot on the way from one
cell to the next moves at a constant velocity too, so all times at which the two touch are roots of quadratic equations:
nothing is sampled.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...core.moving import MovingObstacle
from ...maps.cells import GridCells
from ...models.trace import driver
from ._heap import WAITING, pop, push

FOREVER = 1e9
"""A time that stands for the end of all times."""
# Columns of a segment: where the disc is when it begins, its velocity, begin and end, radius (that of the robot added).
PX, PY, VX, VY, BEGIN, END, RADIUS = 0, 1, 2, 3, 4, 5, 6
FINISHED, PAUSED, FULL = 0, 1, 2
# The array `state`, after what `_heap` keeps there: intervals expanded, the one where the goal was reached, how many
# the next expansion may add to the heap.
EXPANSIONS, REACHED, RESERVE = 1, 2, 3
TINY = 1e-9
TIE = 1e-12
"""How much more the rest of the way counts, for ties; no more than rounding adds to the times of a long way."""


def segments(
    obstacle: MovingObstacle, radius: float, grid: GridCells | None = None, speed: float = 1.0
) -> NDArray[np.float64]:
    """The segments ``(S, 7)`` of an obstacle, with the radius of the robot added.

    Without a grid, they are in metres and seconds; else in its cells, framed, and in straight steps at a speed [m/s].
    """
    unit = 1.0 if grid is None else grid.resolution
    ts, radii = np.asarray(obstacle.ts) * (speed / unit), np.asarray(obstacle.radius)
    ts = np.concatenate(([min(0.0, ts[0])], ts, [FOREVER]))
    at = np.asarray(obstacle.xys) if grid is None else grid.world_to_grid(np.asarray(obstacle.xys))
    at, radii = np.concatenate((at[:1], at, at[-1:])), np.concatenate((radii[:1], radii, radii[-1:]))
    spans = np.diff(ts)
    velocities = np.diff(at, axis=0) / np.maximum(spans, 1e-300)[:, None]
    reach = (np.maximum(radii[1:], radii[:-1]) + radius) / unit
    found = np.column_stack((at[:-1], velocities, ts[:-1], ts[1:], reach))
    return found[(spans > 0.0) & (ts[1:] > 0.0)]


@driver("void(i8, f8[:,::1], f8, i8[::1], i8[::1], b1)")
def neighbourhoods(width, segments, margin, first, items, fill):
    """The segments that come within the margin of the middle of each cell, as rows one after the other.

    Args:
        width: cells in a row of the framed grid.
        segments: ``(S, 7)``.
        margin: what is added to the radius of each.
        first: where the row of each cell begins; one more than there are cells. Without `fill`, the lengths of the rows
            are counted there, one place later.
        items: the rows.
        fill: whether to write the rows; `first` is moved one place ahead by it.
    """
    height = (first.shape[0] - 1) // width
    for s in range(segments.shape[0]):
        reach = segments[s, RADIUS] + margin
        ax, ay = segments[s, PX], segments[s, PY]
        span = segments[s, END] - segments[s, BEGIN]
        dx, dy = segments[s, VX] * span, segments[s, VY] * span
        square = dx * dx + dy * dy
        low, high = min(ay, ay + dy) - reach, max(ay, ay + dy) + reach
        left, right = min(ax, ax + dx) - reach, max(ax, ax + dx) + reach
        for row in range(max(int(low), 1), min(int(high) + 2, height - 1)):
            for column in range(max(int(left), 1), min(int(right) + 2, width - 1)):
                x, y = column - 0.5 - ax, row - 0.5 - ay
                share = min(max((x * dx + y * dy) / square, 0.0), 1.0) if square > 0.0 else 0.0
                if math.hypot(x - share * dx, y - share * dy) <= reach:
                    n = row * width + column
                    if fill:
                        items[first[n]] = s
                        first[n] += 1
                    else:
                        first[n + 1] += 1


@driver
def roots(x, y, vx, vy, r):
    """The times at which ``|(x, y) + t (vx, vy)| = r``, the earlier one first; NaN where there are none."""
    a, b, c = vx * vx + vy * vy, x * vx + y * vy, x * x + y * y - r * r
    if a < 1e-18:
        return np.nan, np.nan
    d = b * b - a * c
    if d < 0.0:
        return np.nan, np.nan
    d = math.sqrt(d)
    return (-b - d) / a, (-b + d) / a


@driver
def covered(segment, x, y):
    """The interval of time in which a segment covers the point (x, y); empty if its end is not above its begin."""
    rx, ry = segment[PX] - x, segment[PY] - y
    vx, vy, begin, end, r = segment[VX], segment[VY], segment[BEGIN], segment[END], segment[RADIUS]
    if abs(vx) + abs(vy) < TINY:
        return (begin, end) if math.hypot(rx, ry) < r else (begin, begin)
    enter, leave = roots(rx, ry, vx, vy, r)
    if math.isnan(enter):
        return begin, begin
    return max(begin, begin + enter), min(end, begin + leave)


@driver("i8(i8, f8[:,::1], i8[::1], i8[::1], f8[:,::1], i8[::1], f8[:,::1])")
def safe_intervals(width, segments, first, items, work, starts, intervals):
    """The intervals of time in which a robot may stand in each cell: their number.

    Args:
        width, segments, first, items: as in `neighbourhoods`.
        work: memory, a row more than the longest row of `items`.
        starts: the first interval of each cell; overwritten.
        intervals: begin and end of each; overwritten.
    """
    count = 0
    for n in range(first.shape[0] - 1):
        starts[n] = count
        x, y = n % width - 0.5, n // width - 0.5
        k = 0
        for i in range(first[n], first[n + 1]):
            low, high = covered(segments[items[i]], x, y)
            if high > low:
                j = k
                while j > 0 and work[j - 1, 0] > low:  # sorted by insertion
                    work[j, 0], work[j, 1] = work[j - 1, 0], work[j - 1, 1]
                    j -= 1
                work[j, 0], work[j, 1] = low, high
                k += 1
        begin = 0.0
        for i in range(k):
            if work[i, 0] > begin + TINY:
                intervals[count, 0], intervals[count, 1] = begin, work[i, 0]
                count += 1
            begin = max(begin, work[i, 1])
        if begin < FOREVER:
            intervals[count, 0], intervals[count, 1] = begin, FOREVER
            count += 1
    starts[first.shape[0] - 1] = count
    return count


@driver
def later(last, late, theta, x, y, ux, uy, segment, r, took):
    """The later one of two departures, of which one, `late`, counts only if it meets the obstacle after `theta`.

    It is `late` seconds after the begin of the segment; (x, y) is where the robot departs, seen from the obstacle then.
    """
    passed = late + theta
    if theta < -TINY or theta > took + TINY or passed < -TINY or passed > segment[END] - segment[BEGIN] + TINY:
        return last
    rx, ry = x + ux * theta - segment[VX] * passed, y + uy * theta - segment[VY] * passed
    if not math.hypot(rx, ry) <= r + TINY:
        return last
    return max(last, late)


@driver
def conflict(segment, more, px, py, ux, uy, took):
    """The last departure from (px, py) at velocity (ux, uy), for `took` seconds, that meets a segment.

    The radius of the segment is larger by `more`.
    Departures and times on the way that meet the disc form a convex set, so all departures between two of them meet it.
    The last one lies where the robot grazes the disc, or where its way or the segment begins or ends.
    """
    x, y, vx, vy, r = px - segment[PX], py - segment[PY], segment[VX], segment[VY], segment[RADIUS] + more
    lasts = segment[END] - segment[BEGIN]
    last = -math.inf
    wx, wy = ux - vx, uy - vy
    speed = math.hypot(wx, wy)
    if speed > TINY:
        nx, ny = -wy / speed, wx / speed
        across = nx * vx + ny * vy
        if abs(across) > TINY:
            for side in (-r, r):
                late = (nx * x + ny * y + side) / across
                theta = -(wx * (x - vx * late) + wy * (y - vy * late)) / (speed * speed)
                last = later(last, late, theta, x, y, ux, uy, segment, r, took)
    one, two = roots(x, y, -vx, -vy, r)
    last = later(last, one, 0.0, x, y, ux, uy, segment, r, took)
    last = later(last, two, 0.0, x, y, ux, uy, segment, r, took)
    one, two = roots(x + wx * took, y + wy * took, -vx, -vy, r)
    last = later(last, one, took, x, y, ux, uy, segment, r, took)
    last = later(last, two, took, x, y, ux, uy, segment, r, took)
    one, two = roots(x, y, ux, uy, r)
    last = later(last, -one, one, x, y, ux, uy, segment, r, took)
    last = later(last, -two, two, x, y, ux, uy, segment, r, took)
    one, two = roots(x - vx * lasts, y - vy * lasts, ux, uy, r)
    last = later(last, lasts - one, one, x, y, ux, uy, segment, r, took)
    last = later(last, lasts - two, two, x, y, ux, uy, segment, r, took)
    for theta in (0.0, took):
        last = later(last, -theta, theta, x, y, ux, uy, segment, r, took)
        last = later(last, lasts - theta, theta, x, y, ux, uy, segment, r, took)
    return segment[BEGIN] + last


@driver
def meets(segment, more, at, px, py, ux, uy, took):
    """Whether a robot that departs at a time meets a segment, the radius of which is larger by `more`."""
    low, high = max(segment[BEGIN] - at, 0.0), min(segment[END] - at, took)
    if low >= high:
        return False
    since = at - segment[BEGIN]
    x, y = px - segment[PX] - segment[VX] * since, py - segment[PY] - segment[VY] * since
    wx, wy = ux - segment[VX], uy - segment[VY]
    square = wx * wx + wy * wy
    theta = min(max(-(x * wx + y * wy) / square, low), high) if square > 0.0 else low
    x, y = x + wx * theta, y + wy * theta
    return x * x + y * y < (segment[RADIUS] + more) ** 2


@driver
def departure(at, segments, items, low, high, px, py, ux, uy, took):
    """The earliest departure from `at` on that meets none of the segments of a cell."""
    again = True
    while again:
        again = False
        for i in range(low, high):
            segment = segments[items[i]]
            if meets(segment, 0.0, at, px, py, ux, uy, took):
                late = conflict(segment, 0.0, px, py, ux, uy, took)
                if late > at + TINY:
                    at, again = late, True
    return at


@driver(
    "i8(f8[::1], i8, b1, i8, f8, f8[:,::1], i8[::1], i8[::1], i8[::1], f8[:,::1], i8[::1], f8[::1],"
    " i8[::1], i8[::1], f8[::1], i8[::1], i8)",
    nogil=True,
)
def search(
    rest, width, diagonal, goal, release, segments, first, items, starts, intervals, cells, arrivals, parents,
    heap, keys, state, limit,
):  # fmt: skip
    """Expand intervals in order of ``arrival + h`` until the last one of the goal is reached, or at its begin.

    Args:
        rest: time from each cell to the goal if nothing moved, flat, with a ring; infinity where there is no way.
        width, diagonal, goal: cells in a row, whether diagonal steps are allowed, the goal.
        release: the time from which on the robot may stay at the goal.
        segments, first, items, starts, intervals: as in `safe_intervals`.
        cells, arrivals, parents: cell, earliest arrival so far and previous interval of each interval; changed. The
            arrival of an interval that is expanded is final, and its cell is negative: ``-1 - cell``, as is that of
            the last interval of the goal.
        heap, keys, state: intervals that wait, their keys; counts; changed.
        limit: expansions of this call.

    Returns:
        FINISHED, PAUSED (`limit` reached; call again to go on) or FULL (call again with a larger heap).
    """
    offsets, last = (1, -1, width, -width, width + 1, width - 1, -width + 1, -width - 1), starts[goal + 1] - 1
    while state[WAITING] > 0:
        if limit <= 0:
            return PAUSED
        if state[WAITING] + state[RESERVE] > heap.shape[0]:
            return FULL
        # 1. Take the interval with the earliest arrival at the goal, as estimated.
        node, _ = pop(heap, keys, state)
        n = cells[node]
        if n < 0:
            continue
        cells[node] = -1 - n
        if node == last:
            state[REACHED] = node
            return FINISHED
        state[EXPANSIONS] += 1
        limit -= 1
        x, y = n % width - 0.5, n // width - 0.5
        for k in range(8 if diagonal else 4):
            step = offsets[k]
            m = n + step
            if rest[m] == math.inf:
                continue
            dx, dy = m % width - n % width, m // width - n // width
            if k >= 4 and max(rest[n + dx], rest[n + dy * width]) == math.inf:
                continue
            took = 1.0 if k < 4 else math.sqrt(2.0)
            ux, uy = dx / took, dy / took
            # 2. Depart for each interval of the neighbour as early as nothing is in the way.
            for other in range(starts[m], starts[m + 1]):
                if cells[other] < 0 or intervals[other, 0] > intervals[node, 1] + took:
                    continue
                at = max(arrivals[node], intervals[other, 0] - took)
                at = departure(at, segments, items, first[n], first[n + 1], x, y, ux, uy, took)
                if at > intervals[node, 1] or at + took > intervals[other, 1] or at + took >= arrivals[other]:
                    continue
                arrivals[other], parents[other] = at + took, node
                if other == last and at + took <= release + TINY:  # no way is there sooner
                    cells[other], state[REACHED] = -1 - m, other
                    return FINISHED
                # Of those that are as early, the nearest to the goal first.
                push(heap, keys, state, other, at + took + (1.0 + TIE) * rest[m])
    return FINISHED
