"""CLEAR MOT scores: MOTA, MOTP, and the errors that they count."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ....core.settings import setting
from ....models.trace import driver
from .._assignment import assign_pairs
from .comparison import Comparison, Integers, compared
from .hota import EPS

Convention = Literal["trackeval", "motmetrics"]
KEPT = 1000.0
"""Weight of a match that goes on, and of any match for py-motmetrics: more than all similarities together."""


@dataclass(frozen=True)
class CLEARScores:
    """CLEAR MOT scores.

    Attributes:
        tp: matched rows.
        fp: rows of the tracks without a match.
        fn: rows of the truth without a match.
        idsw: identity switches: a target is matched by another track than the last time.
        fm: fragmentations: a target is matched again after a gap.
        mt: targets that are mostly tracked, for more than 80 % of their rows.
        pt: targets that are partly tracked.
        ml: targets that are mostly lost, tracked for less than 20 % of their rows.
        motp: mean similarity of the matches; 0 if there is none.
        error: mean distance of the matches; NaN if there is none.

    Example:
        >>> CLEARScores(tp=8, fp=1, fn=2, idsw=1, fm=0, mt=1, pt=0, ml=0, motp=0.9, error=0.1).mota
        0.6
    """

    tp: int
    fp: int
    fn: int
    idsw: int
    fm: int
    mt: int
    pt: int
    ml: int
    motp: float
    error: float

    @property
    def mota(self) -> float:
        """``1 - (FN + FP + IDSW) / (TP + FN)``; 0 without truth or without tracks that match, less false ones."""
        return (self.tp - self.fp - self.idsw) / max(1, self.tp + self.fn)

    @property
    def recall(self) -> float:
        """``TP / (TP + FN)``."""
        return self.tp / max(1, self.tp + self.fn)

    @property
    def precision(self) -> float:
        """``TP / (TP + FP)``."""
        return self.tp / max(1, self.tp + self.fp)


def clear(comparison: Comparison, *, convention: Convention = "trackeval") -> CLEARScores:
    """CLEAR MOT scores: errors of detection and of identity, counted instant by instant.

    ::

        MOTA = 1 - sum_t (FN_t + FP_t + IDSW_t) / sum_t (rows of the truth at t)
        MOTP = sum of similarities of the matches / number of matches

    Matches of the instant before go on if they still reach the threshold of the comparison; the other rows are matched
    for the largest sum of similarities.

    ==============  ==============================================  ===========================================
    convention      "trackeval", as MOTChallenge                    "motmetrics", as py-motmetrics
    ==============  ==============================================  ===========================================
    a match goes    with the track of the last instant that has     with the track of the target's last match,
    on              rows of both                                    however long ago
    the others      largest sum of similarities                     most matches, then largest sum
    fragmentation   a gap in the instants that have rows of both    a gap in the rows of the target
    mostly tracked  above 80 %                                      80 % and more
    ==============  ==============================================  ===========================================

    Source: Bernardin and Stiefelhagen, "Evaluating multiple object tracking performance: the CLEAR MOT metrics",
    EURASIP Journal on Image and Video Processing, 2008, section 2.

    Args:
        comparison: tracks beside the truth, from `compare`.
        convention: the details in which packages differ.

    Raises:
        SettingError: if the convention is neither.

    Example:
        >>> from pilotage.core import Space, TrackTable
        >>> from pilotage.estimators.tracking.scores import compare
        >>> truth = TrackTable([0.0, 1.0, 2.0], [1, 1, 1], [[0.0], [1.0], [2.0]], space=Space("x [m]"))
        >>> tracks = TrackTable([0.0, 1.0, 2.0], [5, 5, 6], [[0.0], [1.0], [2.0]], space=Space("x [m]"))
        >>> clear(compare(truth, tracks, cutoff=2.0)).idsw
        1
    """
    c = compared(comparison, "clear")
    like_motmetrics = setting(convention, Convention, "convention") == "motmetrics"
    edges = matches(c, convention)
    found = np.flatnonzero(edges >= 0)
    track = c.track_index[c.column[edges[found]]]
    order = np.argsort(c.truth_target[found], kind="stable")
    target, track, found = c.truth_target[found][order], track[order], found[order]
    same = target[1:] == target[:-1]
    place = _places(c, like_motmetrics)[found]
    share = np.bincount(target, minlength=c.targets) / np.maximum(1, c.target_rows)
    mt = int((share >= 0.8).sum() if like_motmetrics else (share > 0.8).sum())
    ml = int((share < 0.2).sum())
    s, d = c.similarity[edges[found]], c.distance[edges[found]]
    return CLEARScores(
        tp=len(found),
        fp=len(c.track_index) - len(found),
        fn=len(c.truth_target) - len(found),
        idsw=int((same & (track[1:] != track[:-1])).sum()),
        fm=int((same & (np.diff(place) > 1)).sum()),
        mt=mt,
        pt=c.targets - mt - ml,
        ml=ml,
        motp=float(s.mean()) if len(s) else 0.0,
        error=float(d.mean()) if len(d) else float("nan"),
    )


def matches(c: Comparison, convention: Convention = "trackeval") -> Integers:
    """The pair by which each row of the truth is matched ``(R,)``; -1 for none."""
    edges, last = np.empty(len(c.truth_target), dtype=np.int64), np.full((2, c.targets), -1)
    ends = np.stack([np.searchsorted(instant, np.arange(len(c.times) + 1)) for instant in _instants(c)])
    local = c.column - ends[1, c.track_instant[c.column]]
    costs = np.where(c.similarity >= c.threshold - EPS, -c.similarity, np.inf)
    most = int(c.at_instant[1].max(initial=0))
    _match_in_turn.compiled(
        ends,
        c.truth_target,
        c.track_index,
        c.starts,
        local,
        costs,
        convention == "motmetrics",
        last,
        np.zeros(len(edges)),
        np.empty((2, most)),
        np.empty((4, most), dtype=np.int64),
        edges,
    )
    return edges


def _instants(c: Comparison) -> tuple[Integers, Integers]:
    return c.truth_instant, c.track_instant


def _places(c: Comparison, own: bool) -> Integers:
    """The place of each row of the truth ``(R,)``: among those of its target, or among instants with rows of both."""
    if not own:
        a, b = c.at_instant
        return np.cumsum(((a > 0) & (b > 0)).astype(np.int64))[c.truth_instant]
    order = np.argsort(c.truth_target, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place


@driver(
    "void(i8[:,::1], i8[::1], i8[::1], i8[::1], i8[::1], f8[::1], b1, i8[:,::1], f8[::1], f8[:,::1], i8[:,::1], "
    "i8[::1])"
)
def _match_in_turn(ends, target, track, starts, columns, costs, ever, last, none, room, whole, edges):
    """Match instants in turn, so that matches go on.

    Args:
        ends: ends of the rows of truth and tracks by instant.
        target: target of each row of the truth.
        track: track of each row of the tracks.
        starts: ends of the pairs of each row of the truth.
        columns: row of the tracks of each pair, counted from the first of its instant.
        costs: minus the similarity of each pair; infinite for those that must not match. Overwritten.
        ever: whether the last match of a target counts, however long ago, as for py-motmetrics.
        last: -1s; the track of the last match of each target, and the instant of it.
        none: zeros, one for each row of the truth.
        room, whole: memory of `assign_pairs` for the most tracks of an instant.
        edges: receives the pair of each row of the truth.
    """
    before = -1
    for k in range(ends.shape[1] - 1):
        a, b, first, count = ends[0, k], ends[0, k + 1], ends[1, k], ends[1, k + 1] - ends[1, k]
        if a == b or count == 0:
            edges[a:b] = -1
            continue
        taken = whole[0]
        taken[:count] = -1
        for row in range(a, b):
            i = target[row]
            for e in range(starts[row], starts[row + 1]):
                goes_on = track[first + columns[e]] == last[0, i] and (ever or last[1, i] == before)
                if ever and goes_on and costs[e] < math.inf and taken[columns[e]] < 0:
                    taken[columns[e]] = row
                if ever or goes_on:
                    costs[e] -= KEPT
        if ever:
            _keep(starts, columns, costs, a, b, taken)
        assign_pairs(starts[a : b + 1], columns, costs, none[a:b], room[:, :count], whole[:, :count], edges[a:b])
        for row in range(a, b):
            if edges[row] >= 0:
                last[0, target[row]] = track[first + columns[edges[row]]]
                last[1, target[row]] = k
        before = k


@driver
def _keep(starts, columns, costs, a, b, taken):
    """Leave no choice where a match goes on: no other pair of that row of the truth, or of that of the tracks."""
    for row in range(a, b):
        keeps = False
        for e in range(starts[row], starts[row + 1]):
            keeps = keeps or taken[columns[e]] == row
        for e in range(starts[row], starts[row + 1]):
            if taken[columns[e]] != row and (keeps or taken[columns[e]] >= 0):
                costs[e] = math.inf
