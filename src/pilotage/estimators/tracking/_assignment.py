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
    assign.compiled(starts, np.ascontiguousarray(columns), costs, np.zeros(len(chosen)), room, whole, chosen)
    return chosen


def best_assignments(starts: Whole, columns: Whole, costs: Array, detections: int, count: int) -> tuple[Array, Whole]:
    """The assignments of least cost in order, at most so many: their costs ``(k,)``, and the pairs of each ``(k, N)``.

    Args:
        starts, columns, costs, detections: as for `assigned`.
        count: how many.
    """
    tracks, pairs = len(starts) - 1, len(columns)
    nodes = 2 + count * max(tracks, 1)  # the last holds what is split
    totals, chosen = np.empty(count), np.empty((count, tracks), np.int64)
    found = best_by_murty.compiled(
        starts, np.ascontiguousarray(columns), costs, np.empty((2, detections)), np.empty((4, detections), np.int64),
        np.empty((2, max(pairs, tracks))), np.empty(nodes), np.empty((nodes, tracks), np.int64),
        np.empty((nodes, pairs + tracks), np.bool_), np.empty(nodes, np.int64), totals, chosen,
    )  # fmt: skip
    return totals[:found], chosen[:found]


@driver(
    "i8(i8[::1], i8[::1], f8[::1], f8[:,::1], i8[:,::1], f8[:,::1], f8[::1], i8[:,::1], b1[:,::1], i8[::1], f8[::1], "
    "i8[:,::1])"
)
def best_by_murty(starts, columns, costs, room, whole, given, values, plans, barred, fixed, totals, chosen):
    """`best_assignments`."""
    return murty(starts, columns, costs, room, whole, given, values, plans, barred, fixed, totals, chosen)


@driver
def murty(starts, columns, costs, room, whole, given, values, plans, barred, fixed, totals, chosen):
    """`best_assignments`, by Murty's partition: what is not the best is split by the first track that has another pair.

    A node is the assignments in which the tracks before ``fixed`` have their pairs, and the next one none of those
    that are barred; the place behind the pairs bars that a track goes without.

    Source: Murty, "An algorithm for ranking all the assignments in order of increasing cost", Operations Research 16,
    1968.
    """
    tracks, pairs, count = plans.shape[1], columns.shape[0], 1
    spare = values.shape[0] - 1
    for p in range(pairs + tracks):
        barred[0, p] = False
    fixed[0] = 0
    values[0] = solved(starts, columns, costs, room, whole, given, plans[0], barred[0], 0)
    found = 0
    while found < totals.shape[0]:
        best = 0
        for node in range(1, count):
            if values[node] < values[best]:
                best = node
        if values[best] == math.inf:
            break
        totals[found] = values[best]
        first, plan, before = fixed[best], plans[spare], barred[spare]
        for i in range(tracks):
            chosen[found, i] = plan[i] = plans[best, i]
        for p in range(pairs + tracks):
            before[p] = barred[best, p]
        found += 1
        values[best] = math.inf
        if found == totals.shape[0]:
            break
        free = best  # the first part takes the place of the whole
        for i in range(first, tracks):
            for a in range(tracks):
                plans[free, a] = plan[a]
            for p in range(pairs + tracks):
                barred[free, p] = i == first and before[p]
            barred[free, plan[i] if plan[i] >= 0 else pairs + i] = True
            fixed[free] = i
            values[free] = solved(starts, columns, costs, room, whole, given, plans[free], barred[free], i)
            if values[free] < math.inf:
                free, count = count, count + 1
        values[free] = math.inf
    return found


@driver
def solved(starts, columns, costs, room, whole, given, plan, barred, fixed):
    """The cost of the best assignment of a node, which `plan` becomes; infinite where there is none."""
    mine, none = given[0], given[1]
    tracks, pairs = plan.shape[0], columns.shape[0]
    for i in range(tracks):
        none[i] = math.inf if barred[pairs + i] or (i < fixed and plan[i] >= 0) else 0.0
        for p in range(starts[i], starts[i + 1]):
            mine[p] = math.inf if barred[p] or (i < fixed and plan[i] != p) else costs[p]
    assign_pairs(starts, columns, mine, none, room, whole, plan)
    total = 0.0
    for i in range(tracks):
        total += none[i] if plan[i] < 0 else mine[plan[i]]
    return total


@driver("void(i8[::1], i8[::1], f8[::1], f8[::1], f8[:,::1], i8[:,::1], i8[::1])")
def assign(starts, columns, costs, none, room, whole, chosen):
    """`assigned`."""
    assign_pairs(starts, columns, costs, none, room, whole, chosen)


@driver
def assign_pairs(starts, columns, costs, none, room, whole, chosen):
    """`assigned`, by shortest augmenting paths over the pairs (Jonker and Volgenant, Computing 38, 1987).

    Every track has a detection of its own beside the others, which costs `none`, and where a path may end.
    """
    v, dist = room[0], room[1]
    via, owner, touched, closed = whole[0], whole[1], whole[2], whole[3]  # pairs that lead to and hold a detection
    for j in range(v.shape[0]):
        v[j], dist[j], owner[j], closed[j] = 0.0, math.inf, -1, 0
    for free in range(chosen.shape[0]):
        chosen[free] = -1
        i, shortest, height, count, done = free, 0.0, 0.0, 0, 0
        end, last, least = -1, free, none[free]  # the best end yet: none for the track `last`
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
                d = dist[touched[t]]  # of those equally far, one without a track ends the search
                if d < best or (d == best and near >= 0 and owner[touched[t]] < 0):
                    near, best = t, d
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
            if shortest + none[i] - height < least:
                last, least = i, shortest + none[i] - height
        if least < math.inf:
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
