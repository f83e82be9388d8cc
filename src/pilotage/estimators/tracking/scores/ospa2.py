"""OSPA(2): OSPA of whole tracks, which also counts wrong identities."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....core.arrays import Array
from ....core.settings import Count, setting
from .._assignment import assigned
from .comparison import Comparison, Integers, compared
from .ospa import OSPAScores, order_of


class OSPA2Scores(OSPAScores):
    """OSPA(2) of the windows that end at each instant; see `OSPAScores`.

    Example:
        >>> OSPA2Scores(np.zeros(1), np.array([1.5]))
        OSPA2Scores(OSPA 1.5 at 1 instants)
    """


def ospa2(comparison: Comparison, *, p: float = 1.0, q: float = 1.0, window: int | None = None) -> OSPA2Scores:
    """OSPA(2): the OSPA metric of sets of tracks, whose distances are averaged over time.

    ::

        d(f, g) = ( 1/|D|  sum over t in D of  min(c, d(f_t, g_t))^q )^(1/q),   D: instants with f or g, or both

    Where only one of the two exists the distance is c. The tracks of a window are then compared by OSPA with order p
    and cutoff c. Unlike OSPA, it grows with switched and broken tracks.

    Source: Beard, Vo and Vo, "OSPA(2): using the OSPA metric to evaluate multi-target tracking performance", ICCAIS
    2017, equations 8 and 9.

    Args:
        comparison: tracks beside the truth, from `compare`, with the cutoff c.
        p: order of the metric of sets.
        q: order of the distance of tracks.
        window: number of instants of a window, which ends at each instant in turn; None: one window with all of them.

    Raises:
        SettingError: if an order is below 1 or infinite, or the window has no instant.

    Example:
        >>> from pilotage.core import Space, TrackTable
        >>> from pilotage.estimators.tracking.scores import compare
        >>> truth = TrackTable([0.0, 1.0], [1, 1], [[0.0], [1.0]], space=Space("x [m]"))
        >>> tracks = TrackTable([0.0, 1.0], [5, 6], [[0.0], [1.0]], space=Space("x [m]"))
        >>> ospa2(compare(truth, tracks, cutoff=4.0)).values
        array([3.])
    """
    c = compared(comparison, "ospa2")
    p, q = order_of(p), order_of(q)
    count = len(c.times)
    if window is None:
        ends = np.arange(count, count + 1) if count else np.zeros(0, int)
        begins = np.zeros_like(ends)
    else:
        ends = np.arange(1, count + 1)
        opened = np.searchsorted(c.sequence, c.sequence)  # no window reaches into the sequence before
        begins = np.maximum(ends - setting(window, Count, "window"), opened)
    events = _events(c, q)
    values = [_value(c, events, slice(i, j), p, q) for i, j in zip(begins, ends, strict=True)]
    return OSPA2Scores(c.times[ends - 1], np.array(values, dtype=np.float64))


Events = tuple[Integers, Integers, Array]


def _events(c: Comparison, q: float) -> Events:
    """Instant, link, and ``c^q - min(c, d)^q``, wherever a target and a track that are ever near both exist."""
    target, track, link = c.links
    order = np.argsort(c.truth_target, kind="stable")
    begin = np.searchsorted(c.truth_target[order], target)
    many = c.target_rows[target]
    of = np.repeat(np.arange(len(target)), many)
    instant = c.truth_instant[order[np.arange(len(of)) - np.repeat(np.cumsum(many) - many - begin, many)]]
    known = np.sort(c.track_index * max(len(c.times), 1) + c.track_instant)
    wanted = track[of] * max(len(c.times), 1) + instant
    both = known[np.minimum(np.searchsorted(known, wanted), len(known) - 1)] == wanted if len(known) else wanted < 0
    instant, of = instant[both], of[both]
    saved = np.zeros(len(of))
    keys = of * max(len(c.times), 1) + instant
    places = np.searchsorted(keys, link * max(len(c.times), 1) + c.truth_instant[c.row])
    saved[places] = c.cutoff**q - np.minimum(c.distance, c.cutoff) ** q
    by_time = np.argsort(instant, kind="stable")
    return instant[by_time], of[by_time], saved[by_time]


def _value(c: Comparison, events: Events, window: slice, p: float, q: float) -> float:
    """OSPA(2) of the instants of a window."""
    instant, link, saved = events
    part = slice(*np.searchsorted(instant, [window.start, window.stop]))
    alive = [
        np.bincount(index[slice(*np.searchsorted(at, [window.start, window.stop]))], minlength=total)
        for at, index, total in (
            (c.truth_instant, c.truth_target, c.targets),
            (c.track_instant, c.track_index, c.count),
        )
    ]
    near, inverse = np.unique(link[part], return_inverse=True)
    target, track = c.links[0][near], c.links[1][near]
    either = alive[0][target] + alive[1][track] - np.bincount(inverse, minlength=len(near))
    mean = c.cutoff**q - np.bincount(inverse, saved[part], len(near)) / np.maximum(either, 1)
    return _ospa(c, target, track, mean ** (1.0 / q), p, max(*((some > 0).sum() for some in alive)))


def _ospa(c: Comparison, target: Integers, track: Integers, d: Array, p: float, most: Any) -> float:
    """OSPA of the tracks of a window from the distances of those that are near, of all `most` that there are."""
    starts = np.searchsorted(target, np.arange(c.targets + 1)).astype(np.int64)
    gain = c.cutoff**p - d**p
    edges = assigned(starts, track, -gain, c.count)
    saved = gain[edges[edges >= 0]].sum()
    return float(max(c.cutoff**p - saved / most, 0.0) ** (1.0 / p)) if most else 0.0
