"""The evidence of a scan for tracks that are each one belief: detections, scores and existence, in compiled code."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...core.arrays import Array
from ...models.trace import driver
from ._state import NEVER, REALS, SURE, WHOLES, GatedPairs, Scan, State
from .association import Shares

EXISTENCE, SEEN, SCORE, BEST, LOOKED = (REALS.index(name) for name in ("existence", "seen", "score", "best", "looked"))
SOURCE, SCANS, HITS = (WHOLES.index(name) for name in ("source", "scans", "hits"))


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
    pairs, reals, wholes = found.pairs, state.reals.copy(), state.wholes.copy()
    taken, given, missed, real = np.zeros(len(scan.z)), np.empty(len(found.w)), np.empty(len(r)), np.empty(len(r))
    room = np.empty(len(taken) + len(r), np.int64)
    collect.compiled(
        pairs.rows, pairs.columns, contiguous(shares.beta), contiguous(shares.missed), found.w, found.seen, found.P, r,
        scan.places, scan.t, start, room, real, given, missed, taken, reals, wholes,
    )  # fmt: skip
    return state.changed(reals=reals, wholes=wholes), taken, Shares(given, missed)


def odds_of(found: GatedPairs, r: Array) -> tuple[Array, Any]:
    """The log-odds of `Association` of each pair, of tracks with this existence, and whether they are finite."""
    odds, good = np.empty(len(found.w)), np.empty(len(found.w), np.bool_)
    weigh_odds.compiled(found.pairs.rows, found.w, found.P, r, odds, good)
    return odds, good


@driver("void(i8[::1], f8[::1], f8[::1], f8[::1], f8[::1], b1[::1])")
def weigh_odds(rows, w, P, r, odds, good):
    """``odds = w + log(r / (1 - r P))``."""
    for p in range(rows.shape[0]):
        x = r[rows[p]]
        seen = x * P[rows[p]]
        good[p] = x > 0.0 and seen < 1.0
        if good[p]:
            odds[p] = w[p] + (math.log(x) - math.log1p(-seen))


def contiguous(a: Any) -> Array:
    """Floats, as compiled code takes them."""
    return np.ascontiguousarray(a, np.float64)


@driver(
    "void(i8[::1], i8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], i8[::1], f8, f8, i8[::1], f8[::1], "
    "f8[::1], f8[::1], f8[::1], f8[:,::1], i8[:,::1])"
)
def collect(
    rows, columns, beta, missed, w, visible, P, weight, places, t, start, room, real, given, left, taken, reals, wholes,
):  # fmt: skip
    """`weighed_evidence`; `room` and `real` are room, what is behind them the results: tables are changed in place.

    The detection of a track is the one of its largest share, if no other track has more of it. So of two tracks on one
    target one is missed.
    """
    winners, own = room[: taken.shape[0]], room[taken.shape[0] :]
    existence, score, best = reals[EXISTENCE], reals[SCORE], reals[BEST]
    hard = strongest(rows, columns, beta, winners, own)
    for i in range(own.shape[0]):
        p, r, ratio, left[i] = own[i], weight[i], math.log1p(-P[i]), missed[i]
        after = 1.0
        if not hard:
            if r < 1.0:
                left[i] *= r * (1.0 - P[i]) / (1.0 - r * P[i])
                after = left[i] + (1.0 - missed[i])
            ratio = math.log(after / r) + math.log1p(-r * P[i]) - math.log(max(missed[i], 1e-300))
            left[i] /= after
        elif p >= 0 and beta[p] == 1.0:
            ratio = w[p]
        detected = p >= 0 and beta[p] > 0.5 * after and winners[columns[p]] == p
        alive = 1.0 / (1.0 + (1.0 - existence[i]) / existence[i] * math.exp(-ratio))
        existence[i] = min(max(alive, NEVER), SURE)
        if detected:
            reals[SEEN, i] = t
        wholes[SOURCE, i] = places[columns[p]] if detected else -1
        if visible[i] > 0.0:
            score[i] += ratio
            reals[LOOKED, i] = t
            wholes[HITS, i] = wholes[HITS, i] << 1 | detected
            wholes[SCANS, i] += 1
        best[i] = max(best[i], score[i])
        real[i] = after
    for p in range(rows.shape[0]):
        given[p] = beta[p] / real[rows[p]]
        taken[columns[p]] += given[p] if existence[rows[p]] >= start else beta[p]


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
