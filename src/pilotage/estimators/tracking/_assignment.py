"""The best assignment of detections to tracks, each to one at most, with the option of none."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import Array
from ...models.trace import driver

Whole = NDArray[np.int64]


def assigned(starts: Whole, columns: Whole, costs: Array, detections: int) -> Whole:
    """The pair of each track in the assignment of least cost, -1 for none, which costs nothing; ``(N,)``.

    Args:
        starts: where the pairs of each track begin, ``(N + 1,)``.
        columns: detection of each pair.
        costs: of each pair, of any sign; infinite ones are never taken.
        detections: their number.
    """
    chosen = np.empty(len(starts) - 1, np.int64)
    room, whole = np.empty((2, detections)), np.empty((4, detections), np.int64)
    assign.compiled(starts, np.ascontiguousarray(columns), costs, room, whole, chosen)
    return chosen


@driver("void(i8[::1], i8[::1], f8[::1], f8[:,::1], i8[:,::1], i8[::1])")
def assign(starts, columns, costs, room, whole, chosen):
    """`assigned`, by shortest augmenting paths over the pairs (Jonker and Volgenant, Computing 38, 1987).

    Every track has a detection of its own beside the others that costs nothing, so a path may always end there.
    """
    v, dist = room[0], room[1]
    via, owner, touched, closed = whole[0], whole[1], whole[2], whole[3]  # pairs that lead to and hold a detection
    for j in range(v.shape[0]):
        v[j], dist[j], owner[j], closed[j] = 0.0, math.inf, -1, 0
    for free in range(chosen.shape[0]):
        chosen[free] = -1
        i, shortest, height, count, done = free, 0.0, 0.0, 0, 0
        end, last, least = -1, free, 0.0  # the best end yet: none for the track `last`
        while True:
            for p in range(starts[i], starts[i + 1]):
                j, c = columns[p], costs[p]
                if closed[j]:  # rounding must not lead back to it
                    continue
                d = shortest + c - v[j] - height
                if d < dist[j]:
                    if dist[j] == math.inf:
                        touched[count] = j
                        count += 1
                    dist[j], via[j] = d, p
            near, best = -1, least
            for t in range(done, count):
                if dist[touched[t]] < best:
                    near, best = t, dist[touched[t]]
            if near < 0:
                break
            j = touched[near]
            if owner[j] < 0:
                end, least = j, best
                break
            touched[near], touched[done] = touched[done], j
            closed[j] = 1
            done += 1
            p = owner[j]
            i, shortest, height = track_of(starts, p), best, costs[p] - v[j]
            if shortest - height < least:
                last, least = i, shortest - height
        for t in range(done):
            v[touched[t]] += dist[touched[t]] - least
        augment(starts, columns, via, owner, chosen, free, end, last)
        for t in range(count):
            dist[touched[t]], closed[touched[t]] = math.inf, 0


@driver
def augment(starts, columns, via, owner, chosen, free, end, last):
    """Give each track on the path the detection that leads to its next, from the end back to the free track."""
    j = end
    if j < 0:  # the last track goes without
        if last == free:
            return
        j = columns[chosen[last]]
        chosen[last] = -1
    while True:
        p = via[j]
        i = track_of(starts, p)
        before = chosen[i]
        owner[j], chosen[i] = p, p
        if i == free:
            return
        j = columns[before]


@driver
def track_of(starts, p):
    """The track of a pair."""
    low, high = 0, starts.shape[0] - 1
    while high - low > 1:
        middle = (low + high) // 2
        if starts[middle] <= p:
            low = middle
        else:
            high = middle
    return low
