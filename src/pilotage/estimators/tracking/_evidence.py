"""The evidence of a scan for tracks that are each one belief: detections, scores and existence, in compiled code."""

from __future__ import annotations

import math

import numpy as np

from ...core.arrays import Array
from ...models.trace import driver
from ._state import NEVER, SURE, GatedPairs, Scan, State
from .association import Shares


def weighed_evidence(
    state: State, found: GatedPairs, shares: Shares, r: Array, scan: Scan, start: float
) -> tuple[State, Array, Shares]:
    """The tracks after a scan but for their beliefs, how much of each detection is taken, and shares of what exists.

    ::

        r'      =  beta_0 r (1 - P) / (1 - r P)  +  sum_j beta_j
        shares     beta_j / r',    1 - sum_j beta_j / r'
        L       =  (r' / (1 - r')) / (r / (1 - r))  =  r' (1 - r P) / (beta_0 r)

    Source: Musicki and Evans, as in `JIPDA`, equations 20 to 24.

    Args:
        state, found: the tracks before, and the detections in their gates.
        shares: how these are shared out, beta_j and beta_0.
        r: existence of each track, as the shares count it.
        scan: the scan.
        start: existence of a track that begins. Tracks that are likelier count as if they existed in what they take;
            those that are less likely leave their detections to such a one.
    """
    taken, count, pairs = np.zeros(len(scan.z)), len(state.ids), found.pairs
    source, hits, scans = np.empty(count, np.int64), state.hits.copy(), state.scans.copy()
    numbers = np.empty((5, count))
    beta = np.ascontiguousarray(shares.beta, np.float64)
    given = np.empty(len(beta))
    collect.compiled(
        pairs.rows, pairs.columns, beta, np.ascontiguousarray(shares.missed, np.float64), found.w, found.seen, found.P,
        r, scan.places, scan.t, start, state.existence, state.score, state.best, state.seen,
        np.empty(len(scan.z), np.int64), np.empty(count, np.int64), np.empty(count), given, taken, numbers,
        hits, scans, source,
    )  # fmt: skip
    existence, score, best, seen, missed = numbers
    after = state.changed(
        existence=existence, score=score, best=best, seen=seen, hits=hits, scans=scans, source=source,
        looked=np.where(found.seen > 0.0, scan.t, state.looked),
    )  # fmt: skip
    return after, taken, Shares(given, missed)


@driver(
    "void(i8[::1], i8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], i8[::1], f8, f8, f8[::1], f8[::1], "
    "f8[::1], f8[::1], i8[::1], i8[::1], f8[::1], f8[::1], f8[::1], f8[:,::1], u8[::1], i8[::1], i8[::1])"
)
def collect(
    rows, columns, beta, missed, w, visible, P, weight, places, t, start, existence, score, best, seen, winners, own,
    real, given, taken, numbers, hits, scans, source,
):  # fmt: skip
    """`weighed_evidence`; `winners`, `own` and `real` are room, and what is behind them the results.

    The detection of a track is the one of its largest share, if no other track has more of it. So of two tracks on one
    target one is missed.
    """
    hard = strongest(rows, columns, beta, winners, own)
    for i in range(own.shape[0]):
        p, r, ratio, numbers[4, i] = own[i], weight[i], math.log1p(-P[i]), missed[i]
        after = 1.0
        if not hard:
            if r < 1.0:
                numbers[4, i] *= r * (1.0 - P[i]) / (1.0 - r * P[i])
                after = numbers[4, i] + (1.0 - missed[i])
            ratio = math.log(after / r) + math.log1p(-r * P[i]) - math.log(max(missed[i], 1e-300))
            numbers[4, i] /= after
        elif p >= 0 and beta[p] == 1.0:
            ratio = w[p]
        detected = p >= 0 and beta[p] > 0.5 * after and winners[columns[p]] == p
        alive = 1.0 / (1.0 + (1.0 - existence[i]) / existence[i] * math.exp(-ratio))
        numbers[0, i] = min(max(alive, NEVER), SURE)
        numbers[1, i] = score[i] + (ratio if visible[i] > 0.0 else 0.0)
        numbers[2, i] = max(best[i], numbers[1, i])
        numbers[3, i] = t if detected else seen[i]
        source[i] = places[columns[p]] if detected else -1
        if visible[i] > 0.0:
            hits[i] = hits[i] << np.uint64(1) | np.uint64(detected)
            scans[i] += 1
        real[i] = after
    for p in range(rows.shape[0]):
        given[p] = beta[p] / real[rows[p]]
        taken[columns[p]] += given[p] if numbers[0, rows[p]] >= start else beta[p]


@driver
def strongest(rows, columns, beta, winners, own):
    """The pair of the largest share of each detection and of each track, -1 for none; whether all shares are 0 or 1."""
    hard = True
    for j in range(winners.shape[0]):
        winners[j] = -1
    for i in range(own.shape[0]):
        own[i] = -1
    for p in range(rows.shape[0]):
        i, j, share = rows[p], columns[p], beta[p]
        hard = hard and (share == 0.0 or share == 1.0)
        if winners[j] < 0 or share > beta[winners[j]]:  # of equal ones the oldest track
            winners[j] = p
        if own[i] < 0 or share >= beta[own[i]]:
            own[i] = p
    return hard
