"""Management by the track score: Wald's sequential test of a target against false detections."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np

from ...core.settings import Interval, settings
from .management import Bools, Evidence, Management

Inside = Annotated[float, Interval(0.0, 1.0, "()")]


@settings
class ScoreTest(Management):
    """Confirmation and deletion by the log-likelihood ratio of a target against false detections.

    ::

        score  <-  score + log L,      L = (1 - P_D P_G) (1 + sum_j w_j)
        confirmed    score > log((1 - beta) / alpha)
        ended        score < log(beta / (1 - alpha)),   or   score < best - drop

    with w_j the odds of `Association`. A confirmed track ends when it falls by `drop` below its best score.

    Source: Wald, "Sequential Analysis", 1947; Blackman and Popoli, "Design and Analysis of Modern Tracking Systems",
    1999, section 6.2.

    Args:
        false: alpha, the share of false tracks that are confirmed.
        lost: beta, the share of targets that are given up; at 0.02, two misses at P_D P_G = 0.9 end a track that has
            just begun.
        drop: how far a confirmed track may fall below its best score; 5 misses at P_D P_G = 0.9 are 11.5.
        start: existence of a track that begins, for what `existence` tells, and `MHT`.
        lifetime: mean life of a target [s], for the same.

    Example:
        >>> round(ScoreTest(false=1e-3).upper, 2)
        6.89
    """

    false: Inside = 1e-4
    lost: Inside = 2e-2
    drop: Annotated[float, Interval(0.0, np.inf, "(]")] = 11.5
    start: Inside = 0.2
    lifetime: Annotated[float, Interval(0.0, np.inf, "(]")] = np.inf

    @property
    def upper(self) -> float:
        """The score above which a track is confirmed."""
        return math.log((1.0 - self.lost) / self.false)

    @property
    def lower(self) -> float:
        """The score below which a tentative track ends."""
        return math.log(self.lost / (1.0 - self.false))

    def confirm(self, evidence: Evidence) -> Bools:
        return np.asarray(evidence.score > self.upper)

    def delete(self, evidence: Evidence) -> Bools:
        fallen = evidence.score < evidence.best - self.drop
        return np.where(evidence.confirmed, fallen, evidence.score < self.lower)
