"""Latency: the time that a tracker takes to notice a target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.arrays import Array
from .clear import matches
from .comparison import Comparison, Integers, compared


@dataclass(frozen=True, eq=False, repr=False)
class LatencyScores:
    """The time from the birth of each target to its first track.

    Attributes:
        ids: ids of the targets ``(N,)``.
        delays: times from the first row of each target to its first match ``(N,)`` [s]; infinite if there is none.

    Example:
        >>> LatencyScores(np.array([1, 2, 3]), np.array([0.5, 0.1, np.inf]))
        LatencyScores(mean 0.3 s, worst 0.5 s, 1 of 3 targets never)
    """

    ids: Integers
    delays: Array

    @property
    def noticed(self) -> Array:
        """The finite delays [s]."""
        return self.delays[np.isfinite(self.delays)]

    @property
    def mean(self) -> float:
        """The mean delay of the targets that are noticed [s]; NaN if none is."""
        return float(self.noticed.mean()) if len(self.noticed) else float("nan")

    @property
    def worst(self) -> float:
        """The longest delay of the targets that are noticed [s]; NaN if none is."""
        return float(self.noticed.max()) if len(self.noticed) else float("nan")

    @property
    def never(self) -> int:
        """Number of targets that are never noticed."""
        return len(self.delays) - len(self.noticed)

    def __repr__(self) -> str:
        missed = f"{self.never} of {len(self.delays)} targets never"
        return f"LatencyScores(mean {self.mean:.3g} s, worst {self.worst:.3g} s, {missed})"


def latency(comparison: Comparison) -> LatencyScores:
    """The time from the birth of each target to its first track, by the matches of `clear`.

    A table of tracks should hold confirmed tracks only, with a row from the instant at which each was confirmed.

    Args:
        comparison: tracks beside the truth, from `compare`.

    Example:
        >>> from pilotage.core import Space, TrackTable
        >>> from pilotage.estimators.tracking.scores import compare
        >>> truth = TrackTable([0.0, 1.0, 2.0], [1, 1, 1], [[0.0], [1.0], [2.0]], space=Space("x [m]"))
        >>> tracks = TrackTable([1.0, 2.0], [5, 5], [[1.0], [2.0]], space=Space("x [m]"))
        >>> latency(compare(truth, tracks, cutoff=2.0)).delays
        array([1.])
    """
    c = compared(comparison, "latency")
    t = c.times[c.truth_instant]
    born, seen = np.full((2, c.targets), np.inf)
    hit = matches(c) >= 0
    np.minimum.at(born, c.truth_target, t)
    np.minimum.at(seen, c.truth_target[hit], t[hit])
    ids = np.concatenate([np.zeros(0, np.int64), *(table.ids for table in c.truth)])
    return LatencyScores(ids, seen - born)
