"""Identity scores: IDF1, IDP and IDR."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._assignment import assigned
from .comparison import Comparison, compared
from .hota import EPS


@dataclass(frozen=True)
class IdentityScores:
    """Identity scores.

    Attributes:
        idtp: rows of the truth that are matched by the track of their target.
        idfp: other rows of the tracks.
        idfn: other rows of the truth.

    Example:
        >>> print(IdentityScores(idtp=6, idfp=2, idfn=2).idf1)
        0.75
    """

    idtp: int
    idfp: int
    idfn: int

    @property
    def idf1(self) -> float:
        """``2 IDTP / (2 IDTP + IDFP + IDFN)``."""
        return self.idtp / max(1.0, self.idtp + 0.5 * self.idfp + 0.5 * self.idfn)

    @property
    def idp(self) -> float:
        """``IDTP / (IDTP + IDFP)``."""
        return self.idtp / max(1, self.idtp + self.idfp)

    @property
    def idr(self) -> float:
        """``IDTP / (IDTP + IDFN)``."""
        return self.idtp / max(1, self.idtp + self.idfn)


def identity(comparison: Comparison) -> IdentityScores:
    """Identity scores: how many rows agree when each target is given one track for all time.

    ::

        IDTP = max over one-to-one maps of targets to tracks of  sum of instants at which both match
        IDF1 = 2 IDTP / (2 IDTP + IDFP + IDFN)

    Two rows match if their similarity reaches the threshold of the comparison.

    Source: Ristani et al., "Performance measures and a data set for multi-target, multi-camera tracking", ECCV
    workshops 2016, equations 3 to 6; equal to TrackEval and py-motmetrics.

    Args:
        comparison: tracks beside the truth, from `compare`.

    Example:
        >>> from pilotage.core import Space, TrackTable
        >>> from pilotage.estimators.tracking.scores import compare
        >>> truth = TrackTable([0.0, 1.0, 2.0], [1, 1, 1], [[0.0], [1.0], [2.0]], space=Space("x [m]"))
        >>> tracks = TrackTable([0.0, 1.0, 2.0], [5, 5, 6], [[0.0], [1.0], [2.0]], space=Space("x [m]"))
        >>> identity(compare(truth, tracks, cutoff=2.0))
        IdentityScores(idtp=2, idfp=1, idfn=1)
    """
    c = compared(comparison, "identity")
    target, track, link = c.links
    both = np.bincount(link[c.similarity >= c.threshold - EPS], minlength=len(target)).astype(np.float64)
    starts = np.searchsorted(target, np.arange(c.targets + 1)).astype(np.int64)
    edges = assigned(starts, track, -both, c.count)
    idtp = int(both[edges[edges >= 0]].sum())
    return IdentityScores(idtp, len(c.track_index) - idtp, len(c.truth_target) - idtp)
