"""The comparison of tracks with the truth: the states that are near each other at an instant, found for all scores."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....core import ShapeError, TrackTable
from ....core.arrays import Array
from ....core.settings import instance, instances, positive
from ._closeness import Closeness, closeness

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Tracks beside the truth, with the pairs of states that are near each other at the same instant; see `compare`.

    Rows are those of the tables, in their order; several sequences follow each other. Targets and tracks are counted
    from 0.

    Attributes:
        truth: the tables of the truth, one a sequence.
        tracks: the tables of the tracks, one a sequence.
        cutoff: distance c from which on states count as unrelated.
        threshold: similarity from which on a pair may be a match.
        times: times of the instants ``(K,)`` [s].
        sequence: number of the sequence of each instant ``(K,)``.
        truth_instant: instant of each row of the truth ``(R,)``.
        truth_target: target of each row of the truth ``(R,)``.
        track_instant: instant of each row of the tracks ``(Q,)``.
        track_index: track of each row of the tracks ``(Q,)``.
        starts: ``(R + 1,)``; the pairs of row r of the truth are ``starts[r]:starts[r + 1]``.
        row: row of the truth of each pair ``(P,)``.
        column: row of the tracks of each pair ``(P,)``.
        similarity: similarity of each pair ``(P,)``, above 0 and up to 1.
        distance: distance of each pair ``(P,)``.

    Example:
        >>> from pilotage.core import Space
        >>> one = TrackTable([0.0], [1], [[2.0]], space=Space("x [m]"))
        >>> compare(one, one, cutoff=1.0).similarity
        array([1.])
    """

    truth: tuple[TrackTable, ...]
    tracks: tuple[TrackTable, ...]
    cutoff: float
    threshold: float
    times: Array
    sequence: Integers
    truth_instant: Integers
    truth_target: Integers
    track_instant: Integers
    track_index: Integers
    starts: Integers
    row: Integers
    column: Integers
    similarity: Array
    distance: Array

    @cached_property
    def targets(self) -> int:
        """Number of targets in the truth."""
        return sum(len(table.ids) for table in self.truth)

    @cached_property
    def count(self) -> int:
        """Number of tracks."""
        return sum(len(table.ids) for table in self.tracks)

    @cached_property
    def target_rows(self) -> Integers:
        """Number of rows of each target."""
        return np.bincount(self.truth_target, minlength=self.targets)

    @cached_property
    def track_rows(self) -> Integers:
        """Number of rows of each track."""
        return np.bincount(self.track_index, minlength=self.count)

    @cached_property
    def at_instant(self) -> tuple[Integers, Integers]:
        """Numbers of rows ``(K,)`` of the truth and of the tracks at each instant."""
        k = len(self.times)
        return np.bincount(self.truth_instant, minlength=k), np.bincount(self.track_instant, minlength=k)

    @cached_property
    def links(self) -> tuple[Integers, Integers, Integers]:
        """Target and track ``(L,)`` of those that are ever near each other, in order, and the link of each pair."""
        key = self.truth_target[self.row] * max(self.count, 1) + self.track_index[self.column]
        unique, link = np.unique(key, return_inverse=True)
        target, track = np.divmod(unique, max(self.count, 1))
        return target, track, link

    def __repr__(self) -> str:
        return (
            f"Comparison({self.targets} targets, {self.count} tracks, {len(self.times)} instants, {len(self.row)} "
            f"pairs within {self.cutoff:g})"
        )


def compare(
    truth: TrackTable | Sequence[TrackTable],
    tracks: TrackTable | Sequence[TrackTable],
    *,
    distance: Any = None,
    similarity: Any = None,
    cutoff: float | None = None,
    threshold: float | None = None,
    tolerance: float = 1e-6,
) -> Comparison:
    """The pairs of true and tracked states that are near each other, for `score` and its parts.

    ::

        d(x, y)                  distance of a true and a tracked state at the same instant
        s(x, y) = 1 - d / c      similarity, 0 beyond the cutoff c;   for boxes  s = IoU, d = 1 - IoU, c = 1

    Args:
        truth: the true states; a list of tables for several sequences, which are scored together.
        tracks: the tracked states; as many tables.
        distance: names of the components whose Euclidean distance counts, such as ``"x y"``, or a function of states
            ``(P, n)`` and ``(P, m)`` that returns the distance of each pair ``(P,)``. None: that of the position x, y
            and z, as far as both have it; for boxes, ``1 - IoU``.
        similarity: in place of a distance, a function of states ``(P, n)`` and ``(P, m)`` that returns similarities
            ``(P,)`` from 0 to 1; the distance is ``1 - s``.
        cutoff: distance c, in the unit of the distance; needed unless there is a similarity, which has 1.
        threshold: similarity from which on CLEAR, identity, NEES and latency may match a pair. None: 0.5 for
            similarities, and 0 for distances: the cutoff is the limit.
        tolerance: times closer than that are one instant [s].

    Raises:
        ShapeError: if there are more or fewer tables of tracks than of the truth, or a distance is not a number.
        SettingError: if the cutoff is missing or not positive.
        SpaceError: if the spaces share no position and no distance is given.

    Warns:
        RuntimeWarning: if truth and tracks have no instant in common.

    Example:
        >>> from pilotage.core import Space
        >>> plane = Space("x y [m]")
        >>> truth = TrackTable([0.0, 1.0], [1, 1], [[0.0, 0.0], [1.0, 0.0]], space=plane)
        >>> tracks = TrackTable([0.0, 1.0, 1.0], [8, 8, 9], [[0.0, 1.0], [1.0, 1.0], [50.0, 0.0]], space=plane)
        >>> compare(truth, tracks, cutoff=4.0)
        Comparison(1 targets, 2 tracks, 2 instants, 2 pairs within 4)
        >>> compare(truth, tracks, cutoff=4.0).similarity
        array([0.75, 0.75])
    """
    all_truth, all_tracks = _tables(truth, "truth"), _tables(tracks, "tracks")
    if len(all_truth) != len(all_tracks):
        raise ShapeError(
            f"there are {len(all_truth)} tables of truth and {len(all_tracks)} of tracks; give one of each a sequence"
        )
    near = closeness(all_truth, all_tracks, distance, similarity, cutoff, threshold)
    span = positive(tolerance, "tolerance", zero=True)
    parts = [_compared(a, b, near, span) for a, b in zip(all_truth, all_tracks, strict=True)]
    return _joined(all_truth, all_tracks, near, parts)


def _tables(given: Any, name: str) -> tuple[TrackTable, ...]:
    return (given,) if isinstance(given, TrackTable) else instances(given, TrackTable, name)


Part = dict[str, Any]
"""The arrays of the comparison of one sequence."""


def _compared(truth: TrackTable, tracks: TrackTable, near: Closeness, tolerance: float) -> Part:
    """The arrays of one sequence."""
    t = np.concatenate([truth.t, tracks.t])
    order = np.argsort(t, kind="stable")
    new = np.diff(t[order], prepend=-np.inf) > tolerance
    instant = np.empty(len(t), dtype=np.int64)
    instant[order] = np.cumsum(new) - 1
    a, b = instant[: len(truth)], instant[len(truth) :]
    for table, rows, name in ((truth, a, "truth"), (tracks, b, "tracks")):
        _refuse_merged(table, rows, name, tolerance)
    first, after = np.searchsorted(b, a), np.searchsorted(b, a, side="right")
    _warn_of_times(truth, tracks, first, after)
    row, column, s, d = near.pairs(truth.x, tracks.x, first, after)
    return {
        "times": t[order][new],
        "truth_instant": a,
        "truth_target": np.searchsorted(truth.ids, truth.id),
        "track_instant": b,
        "track_index": np.searchsorted(tracks.ids, tracks.id),
        "row": row,
        "column": column,
        "similarity": s,
        "distance": d,
    }


def _warn_of_times(truth: TrackTable, tracks: TrackTable, first: Integers, after: Integers) -> None:
    """A warning if no instant of the truth is one of the tracks, as when a clock is off."""
    if len(truth) and len(tracks) and (after == first).all():
        warnings.warn(
            f"truth (from {truth.t[0]:.12g} to {truth.t[-1]:.12g} s) and tracks (from {tracks.t[0]:.12g} to "
            f"{tracks.t[-1]:.12g} s) have no instant in common, so nothing matches; give the truth at the times of the "
            "scans, truth.interpolated(ts), or a larger tolerance",
            RuntimeWarning,
            stacklevel=4,
        )


def _refuse_merged(table: TrackTable, instant: Integers, name: str, tolerance: float) -> None:
    """Refuse a tolerance that brings two states of one target into one instant."""
    if len(table.times) == len(np.unique(instant)):
        return
    key = instant * len(table.ids) + np.searchsorted(table.ids, table.id)
    if len(np.unique(key)) < len(key):
        raise ShapeError(f"the {name} hold a target twice within {tolerance:g} s; give a smaller tolerance")


def _joined(truth: Any, tracks: Any, near: Closeness, parts: list[Part]) -> Comparison:
    """One comparison of all sequences, whose rows, instants, targets and tracks are counted on."""
    sizes = [
        (len(p["times"]), len(p["truth_instant"]), len(p["track_instant"]), len(a.ids), len(b.ids))
        for p, a, b in zip(parts, truth, tracks, strict=True)
    ]
    instants, rows, columns, targets, ids = np.cumsum([(0,) * 5, *sizes], axis=0).T
    shifts = {
        "truth_instant": instants,
        "track_instant": instants,
        "truth_target": targets,
        "track_index": ids,
        "row": rows,
        "column": columns,
    }

    def joined(name: str) -> Any:
        shift = shifts.get(name, np.zeros(len(parts) + 1, int))
        return np.concatenate([part[name] + by if by else part[name] for part, by in zip(parts, shift, strict=False)])

    arrays = {name: joined(name) for name in parts[0]}
    starts = np.searchsorted(arrays["row"], np.arange(rows[-1] + 1)).astype(np.int64)
    sequence = np.repeat(np.arange(len(parts)), [size[0] for size in sizes])
    return Comparison(truth, tracks, near.cutoff, near.threshold, sequence=sequence, starts=starts, **arrays)


def compared(comparison: Any, who: str) -> Comparison:
    """A comparison, or a sentence that says how to make one."""
    return instance(comparison, Comparison, who, "make one by compare(truth, tracks, cutoff=...)")
