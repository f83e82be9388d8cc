"""SIAP scores of the single integrated air picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.arrays import Array
from .comparison import Comparison, Integers, compared


@dataclass(frozen=True)
class SIAPScores:
    """SIAP scores.

    Attributes:
        completeness: share of the rows of the truth that have a track; best 1.
        ambiguity: tracks for each tracked row of the truth; best 1.
        spuriousness: share of the rows of the tracks that belong to no target; best 0.
        accuracy: mean distance of the tracks to their targets.
        rate: track numbers beyond the first, for each second that targets are tracked [1/s]; best 0.
        longest: time with the track that holds a target longest, as a share of the target's life; best 1.

    Example:
        >>> SIAPScores(0.9, 1.0, 0.1, 2.0, 0.0, 0.9).completeness
        0.9
    """

    completeness: float
    ambiguity: float
    spuriousness: float
    accuracy: float
    rate: float
    longest: float


def siap(comparison: Comparison) -> SIAPScores:
    """SIAP scores: is everything tracked, once, without false tracks, and by the same track throughout?

    Each track belongs, at each instant, to the nearest target within the cutoff; a target may have several tracks::

        C  = sum JT / sum J              JT, J:  targets with a track, and all targets, at an instant
        A  = sum NA / sum JT             NA, N:  tracks with a target, and all tracks, at an instant
        S  = sum (N - NA) / sum N
        R  = sum (NU - 1) / sum TT       NU, TT: fewest tracks that hold a target whenever any does; time it is held
        LS = sum TL / sum T              TL, T:  time with the track that holds a target longest; life of a target

    C = 0 and A = 1 where nothing is tracked; S, accuracy, R and LS are 0 where they have no divisor.

    Source: Votruba et al., "Single integrated air picture (SIAP) metrics implementation", 2001; equal to Stone Soup for
    the same association.

    Args:
        comparison: tracks beside the truth, from `compare`.

    Example:
        >>> from pilotage.core import Space, TrackTable
        >>> from pilotage.estimators.tracking.scores import compare
        >>> truth = TrackTable([0.0, 1.0], [1, 1], [[0.0], [1.0]], space=Space("x [m]"))
        >>> tracks = TrackTable([0.0, 1.0, 1.0], [5, 5, 6], [[0.0], [1.0], [30.0]], space=Space("x [m]"))
        >>> siap(compare(truth, tracks, cutoff=2.0)).completeness
        1.0
    """
    c = compared(comparison, "siap")
    pairs = nearest(c)
    held = len(np.unique(c.row[pairs]))
    needed, tracked, longest = _continuity(c, pairs)
    return SIAPScores(
        _ratio(held, len(c.truth_target)),
        _ratio(len(pairs), held, 1.0),
        _ratio(len(c.track_index) - len(pairs), len(c.track_index)),
        _ratio(float(c.distance[pairs].sum()), len(pairs)),
        _ratio(float(np.maximum(needed - 1, 0).sum()), float(tracked.sum())),
        _ratio(float(longest.sum()), float(_lives(c).sum())),
    )


def _ratio(part: float, whole: float, otherwise: float = 0.0) -> float:
    return part / whole if whole else otherwise


def nearest(c: Comparison) -> Integers:
    """The pair of each track with its nearest target, wherever there is one within the cutoff."""
    within = np.flatnonzero(c.distance < c.cutoff)
    order = within[np.lexsort((c.distance[within], c.column[within]))]
    first = np.diff(c.column[order], prepend=-1) != 0
    return np.sort(order[first])


def _lives(c: Comparison) -> Array:
    """The time from the first to the last row of each target [s]."""
    t = c.times[c.truth_instant]
    born, died = np.full(c.targets, np.inf), np.full(c.targets, -np.inf)
    np.minimum.at(born, c.truth_target, t)
    np.maximum.at(died, c.truth_target, t)
    return died - born


def _continuity(c: Comparison, pairs: Integers) -> tuple[Array, Array, Array]:
    """Number of tracks needed, time tracked, and longest time with one track, of each target."""
    first, last, target, track = _runs(c, pairs)
    needed, tracked, longest = np.zeros((3, c.targets))
    order = np.argsort(c.truth_target, kind="stable")
    t = c.times[c.truth_instant[order]]
    _, link = np.unique(target * max(c.count, 1) + track, return_inverse=True)
    np.maximum.at(longest, target, np.bincount(link, t[last] - t[first])[link])
    reach = np.full(len(order), -1)  # the last place that a track holds which is there; places go on by target
    np.maximum.at(reach, first, last)
    reach = np.maximum.accumulate(reach)
    owner = c.truth_target[order]
    steps = np.flatnonzero((reach[:-1] > np.arange(len(reach) - 1)) & (owner[1:] == owner[:-1]))
    np.add.at(tracked, owner[steps], t[steps + 1] - t[steps])
    np.add.at(needed, owner[_starts(reach)], 1.0)
    return needed, tracked, longest


def _starts(reach: Integers) -> list[int]:
    """The places at which a next track is needed, each of which is then followed as far as it goes."""
    found, done = list[int](), -1
    for place, end in enumerate(reach.tolist()):
        if end >= place > done:
            found.append(place)
            done = end
    return found


def _runs(c: Comparison, pairs: Integers) -> tuple[Integers, Integers, Integers, Integers]:
    """First and last place of each unbroken time of a track with a target, among rows by target; target and track."""
    target, track = c.truth_target[c.row[pairs]], c.track_index[c.column[pairs]]
    place = np.empty(len(c.truth_target), dtype=np.int64)
    place[np.argsort(c.truth_target, kind="stable")] = np.arange(len(place))
    at = place[c.row[pairs]]
    order = np.lexsort((at, track, target))
    target, track, at = target[order], track[order], at[order]
    new = np.ones(len(at), dtype=bool)
    new[1:] = (np.diff(target) != 0) | (np.diff(track) != 0) | (np.diff(at) != 1)
    begins = np.flatnonzero(new)
    ends = np.append(begins[1:], len(at)) - 1 if len(begins) else begins
    return at[begins], at[ends], target[begins], track[begins]
