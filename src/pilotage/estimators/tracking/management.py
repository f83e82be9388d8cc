"""Management: when a track becomes a target, and when it ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import Array

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Evidence:
    """The evidence for tracks after a scan, a row for each.

    Args:
        hits: the last scans that could see the track, as bits of 64: 1 where it was detected, the latest lowest.
        scans: how many scans could see it, the first included.
        existence: the probability that there is a target.
        score: the log-likelihood ratio of a target against false detections, since the first detection.
        best: the largest score so far.
        confirmed: whether it is confirmed.
        unseen: seconds since the last scan that could see it.

    Example:
        >>> bits, one = np.array([0b1011], np.uint64), np.ones(1)
        >>> evidence = Evidence(bits, np.array([4]), 0.9 * one, 5.0 * one, 5.0 * one, np.array([False]), 0.0 * one)
        >>> from pilotage.estimators.tracking import MofN
        >>> MofN(enough=(3, 5)).confirm(evidence).tolist()       # detected in three of four scans
        [True]
    """

    hits: NDArray[np.uint64]
    scans: NDArray[np.int64]
    existence: Array
    score: Array
    best: Array
    confirmed: Bools
    unseen: Array


class Management(ABC):
    """Base of the rules by which a `Tracker` confirms and deletes tracks.

    Subclasses give the existence and the mean lifetime with which tracks begin: `start` is the probability that an
    unexplained detection is a new target, `lifetime` [s] its mean life, with ``r <- r exp(-dt / lifetime)``.

    Example:
        >>> class Patient(Management):
        ...     "A track is a target after ten scans, and ends when it is almost surely none."
        ...
        ...     start, lifetime = 0.2, float("inf")
        ...
        ...     def confirm(self, evidence):
        ...         return evidence.scans >= 10
        ...
        ...     def delete(self, evidence):
        ...         return evidence.existence < 1e-3
    """

    start: float
    lifetime: float

    @abstractmethod
    def confirm(self, evidence: Evidence) -> Bools:
        """Which tracks are confirmed, ``(N,)``; those that are already stay so."""

    @abstractmethod
    def delete(self, evidence: Evidence) -> Bools:
        """Which tracks end, ``(N,)``."""
