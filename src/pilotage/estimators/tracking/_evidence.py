"""What a scan says of tracks that are each one belief, in compiled code: their detections, scores and existence."""

from __future__ import annotations

import math

import numpy as np

from ...core.arrays import Array
from ...models.trace import driver
from ._state import SURE, Scan, Sighting, State


def heard(
    state: State, found: Sighting, beta: Array, missed: Array, scan: Scan, integrated: bool
) -> tuple[State, Array]:
    """The tracks after a scan but for their beliefs, and the probability that each detection comes from one of them.

    Args:
        state, found: the tracks before, and the detections in their gates.
        beta, missed: how these are shared out; see `Shares`.
        scan: the scan.
        integrated: whether shares count that a track may not exist.
    """
    taken, count = np.zeros(len(scan.z)), len(state.ids)
    source, hits, scans = np.empty(count, np.int64), state.hits.copy(), state.scans.copy()
    numbers = np.empty((4, count))
    collect.compiled(
        found.pairs.rows, found.pairs.columns, beta, missed, found.w, found.seen, found.P, scan.places,
        scan.t, integrated, state.existence, state.score, state.best, state.seen, np.empty(len(scan.z), np.int64),
        np.empty(count, np.int64), taken, numbers, hits, scans, source,
    )  # fmt: skip
    existence, score, best, seen = numbers
    return state.changed(
        existence=existence, score=score, best=best, seen=seen, hits=hits, scans=scans, source=source
    ), taken


@driver(
    "void(i8[::1], i8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], i8[::1], f8, b1, f8[::1], f8[::1], f8[::1], "
    "f8[::1], i8[::1], i8[::1], f8[::1], f8[:,::1], u8[::1], i8[::1], i8[::1])"
)
def collect(
    rows, columns, beta, missed, w, visible, P, places, t, integrated, existence, score, best, seen, winners, own,
    taken, numbers, hits, scans, source,
):  # fmt: skip
    """`heard`; `winners` and `own` are room, and what is behind them the results.

    The detection of a track is the one of its largest share, if no other track has more of it. So of two tracks on one
    target one is missed.
    """
    hard = strongest(rows, columns, beta, winners, own, taken)
    for i in range(own.shape[0]):
        p, none = own[i], math.log1p(-P[i])
        if hard:
            ratio = w[p] if p >= 0 and beta[p] == 1.0 else none
        else:
            ratio = none - math.log(max(missed[i], 1e-300))
        if integrated:
            r = existence[i]
            after = missed[i] * r * (1.0 - P[i]) / (1.0 - r * P[i]) + 1.0 - missed[i]
        else:
            after = 1.0 / (1.0 + (1.0 - existence[i]) / existence[i] * math.exp(-ratio))
        detected = p >= 0 and beta[p] > 0.5 and winners[columns[p]] == p
        numbers[0, i] = min(max(after, 0.0), SURE)
        numbers[1, i] = score[i] + (ratio if visible[i] > 0.0 else 0.0)
        numbers[2, i] = max(best[i], numbers[1, i])
        numbers[3, i] = t if detected else seen[i]
        source[i] = places[columns[p]] if detected else -1
        if visible[i] > 0.0:
            hits[i] = hits[i] << np.uint64(1) | np.uint64(detected)
            scans[i] += 1


@driver
def strongest(rows, columns, beta, winners, own, taken):
    """The pair of the largest share of each detection and of each track, -1 for none; whether all shares are 0 or 1."""
    hard = True
    for j in range(winners.shape[0]):
        winners[j] = -1
    for i in range(own.shape[0]):
        own[i] = -1
    for p in range(rows.shape[0]):
        i, j, share = rows[p], columns[p], beta[p]
        hard = hard and (share == 0.0 or share == 1.0)
        taken[j] += share
        if winners[j] < 0 or share > beta[winners[j]]:  # of equal ones the oldest track
            winners[j] = p
        if own[i] < 0 or share >= beta[own[i]]:
            own[i] = p
    return hard
