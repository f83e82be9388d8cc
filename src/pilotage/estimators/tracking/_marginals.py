"""Exact marginals of joint association events, by dynamic programming over the detections that tracks share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import Array
from ...models.trace import driver

Whole = NDArray[np.int64]


def marginals(
    order: Whole, begins: Whole, starts: Whole, columns: Whole, odds: Array, detections: int, width: int
) -> tuple[Array, Array, Whole]:
    """Probabilities of pairs ``(P,)`` and of no detection ``(N,)``, and the clusters that are too wide for this.

    The weight of an event is the product of the odds of its pairs; in an event no detection belongs to two tracks.

    Args:
        order, begins: the tracks by cluster; see `clusters`.
        starts: where the pairs of each track begin, ``(N + 1,)``.
        columns: detection of each pair.
        odds: of each pair, against no detection.
        detections: their number.
        width: detections that may be open at a time, at most: memory is 2 to that power for each track of a cluster.
    """
    tracks, columns = len(order), np.ascontiguousarray(columns)
    largest = int(np.diff(begins).max(initial=1))
    beta, missed, wide = np.zeros(len(columns)), np.ones(tracks), np.zeros(len(begins) - 1, np.int64)
    whole = np.empty((4, max(detections, tracks, 1)), np.int64)
    sequence = np.empty(max(largest, 1), np.int64)
    size = widest(order, begins, starts, columns, whole, sequence, width)
    forward = np.empty((largest + 1, 1 << size))
    joint_marginals.compiled(order, begins, starts, columns, odds, forward, np.empty((2, 1 << size)), whole, sequence,
                             width, beta, missed, wide)  # fmt: skip
    return beta, missed, wide


def widest(
    order: Whole, begins: Whole, starts: Whole, columns: Whole, whole: Whole, sequence: Whole, width: int
) -> int:
    """Detections that are open at a time in the widest cluster that is not too wide."""
    return int(widest_cluster.compiled(order, begins, starts, columns, whole, sequence, width))


@driver("i8(i8[::1], i8[::1], i8[::1], i8[::1], i8[:,::1], i8[::1], i8)")
def widest_cluster(order, begins, starts, columns, whole, sequence, width):
    most = 0
    for j in range(whole.shape[1]):
        whole[0, j] = 0
    for c in range(begins.shape[0] - 1):
        found = arrange(order, begins[c], begins[c + 1], starts, columns, whole, sequence)
        if found <= width:
            most = max(most, found)
    return most


@driver
def arrange(order, first, last, starts, columns, whole, sequence):
    """Put the tracks of a cluster in an order that keeps few detections open; the most that are open at a time.

    A detection is open from the first of its tracks to the last. The next track is the one after which fewest are.
    """
    left, done = whole[0], whole[1]  # tracks of each detection that are still to come; whether a track was taken
    open_now, most = 0, 0
    for a in range(first, last):
        done[order[a]] = 0
        for p in range(starts[order[a]], starts[order[a] + 1]):
            left[columns[p]] = 0
    for a in range(first, last):
        for p in range(starts[order[a]], starts[order[a] + 1]):
            left[columns[p]] += 1
    total = whole[2]  # tracks of each detection
    for a in range(first, last):
        for p in range(starts[order[a]], starts[order[a] + 1]):
            total[columns[p]] = left[columns[p]]
    for step in range(last - first):
        best, change, grown = -1, 0, 0
        for a in range(first, last):
            i = order[a]
            if done[i]:
                continue
            fresh, closed = 0, 0
            for p in range(starts[i], starts[i + 1]):
                j = columns[p]
                if left[j] == total[j] and left[j] > 1:
                    fresh += 1
                elif left[j] == 1 and total[j] > 1:
                    closed += 1
            if best < 0 or fresh - closed < change:
                best, change, grown = i, fresh - closed, fresh
        done[best] = 1
        sequence[step] = best
        most = max(most, open_now + grown)
        open_now += change
        for p in range(starts[best], starts[best + 1]):
            left[columns[p]] -= 1
    return most


@driver(
    "void(i8[::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[:,::1], f8[:,::1], i8[:,::1], i8[::1], i8, f8[::1], "
    "f8[::1], i8[::1])"
)
def joint_marginals(
    order, begins, starts, columns, odds, forward, room, whole, sequence, width, beta, missed, wide
):  # fmt: skip
    """`marginals`, cluster by cluster."""
    for c in range(begins.shape[0] - 1):
        first, last = begins[c], begins[c + 1]
        if last - first == 1:
            alone(order[first], starts, odds, beta, missed)
            continue
        size = arrange(order, first, last, starts, columns, whole, sequence)
        if size <= width:
            together(last - first, 1 << size, sequence, starts, columns, odds, forward, room, whole, beta, missed)
        else:
            wide[c] = 1


@driver
def alone(i, starts, odds, beta, missed):
    """Marginals of a track that shares no detection."""
    total = 1.0
    for p in range(starts[i], starts[i + 1]):
        total += odds[p]
    for p in range(starts[i], starts[i + 1]):
        beta[p] = odds[p] / total
    missed[i] = 1.0 / total


@driver
def together(count, sets, sequence, starts, columns, odds, forward, room, whole, beta, missed):
    """Marginals of the tracks of a cluster, forward and backward over their sequence.

    ``forward[t, S]`` is the weight of all events of the first t tracks in which S is the set of open detections that
    are taken; `slot` is the bit of an open detection, -1 for none. A closed one leaves its bit to others.
    """
    left, total, slot = whole[0], whole[2], whole[3]
    used, bits = 0, 0  # sets are numbers below 2 to the power of `bits`
    for t in range(count):
        for p in range(starts[sequence[t]], starts[sequence[t] + 1]):
            left[columns[p]], slot[columns[p]] = total[columns[p]], -1
    for S in range(sets):
        forward[0, S] = 1.0 if S == 0 else 0.0
    for t in range(count):
        i, here, after = sequence[t], forward[t], room[0]
        before = bits
        for p in range(starts[i], starts[i + 1]):
            j = columns[p]
            if left[j] == total[j] and total[j] > 1:
                s = 0
                while used >> s & 1:
                    s += 1
                slot[j], used, bits = s, used | 1 << s, max(bits, s + 1)
        for S in range(1 << bits):
            after[S] = here[S] if 1 << before > S else 0.0
        for p in range(starts[i], starts[i + 1]):
            bit = 1 << slot[columns[p]] if slot[columns[p]] >= 0 else 0
            for S in range(1 << before):
                if here[S] != 0.0 and S & bit == 0:
                    after[S | bit] += here[S] * odds[p]
        for p in range(starts[i], starts[i + 1]):
            j = columns[p]
            left[j] -= 1
            if left[j] == 0 and slot[j] >= 0:
                bit = 1 << slot[j]
                for S in range(1 << bits):
                    if S & bit and after[S] != 0.0:
                        after[S & ~bit] += after[S]
                        after[S] = 0.0
                used &= ~bit
        scale = 0.0
        for S in range(1 << bits):
            scale = max(scale, after[S])
        for S in range(1 << bits):
            forward[t + 1, S] = after[S] / scale
        for S in range(1 << bits, sets):
            forward[t + 1, S] = 0.0
    backward(count, bits, sequence, starts, columns, odds, forward, room, whole, beta, missed)


@driver
def backward(count, bits, sequence, starts, columns, odds, forward, room, whole, beta, missed):
    """The second half of `together`: what follows each set, and with it the marginals of each track.

    A set with a bit that no detection holds at the time has no weight in `forward`, so it may hold anything here.
    """
    left, slot = whole[0], whole[3]
    then, now = room[0], room[1]
    for S in range(1 << bits):
        then[S] = 1.0
    for back in range(count):
        i = sequence[count - 1 - back]
        here = forward[count - 1 - back]
        closing = 0  # what this track closed may be taken or not
        for p in range(starts[i], starts[i + 1]):
            if left[columns[p]] == 0 and slot[columns[p]] >= 0:
                closing |= 1 << slot[columns[p]]
            left[columns[p]] += 1
        total = 0.0
        for S in range(1 << bits):
            now[S] = then[S & ~closing]
            total += here[S] * now[S]
        missed[i] = total
        for p in range(starts[i], starts[i + 1]):
            bit, weight = 1 << slot[columns[p]] if slot[columns[p]] >= 0 else 0, 0.0
            for S in range(1 << bits):
                if here[S] != 0.0 and S & bit == 0:
                    weight += here[S] * odds[p] * then[(S | bit) & ~closing]
            beta[p] = weight
            total += weight
        missed[i] /= total
        for p in range(starts[i], starts[i + 1]):
            beta[p] /= total
        scale = 0.0
        for S in range(1 << bits):
            a = then[S & ~closing]
            for p in range(starts[i], starts[i + 1]):
                bit = 1 << slot[columns[p]] if slot[columns[p]] >= 0 else 0
                if S & bit == 0:
                    a += odds[p] * then[(S | bit) & ~closing]
            now[S] = a
            scale = max(scale, a)
        for S in range(1 << bits):
            then[S] = now[S] / scale
