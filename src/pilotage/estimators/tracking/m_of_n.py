"""The M of N rule: a track is a target when it is detected in M of N scans, and ends when it is missed in as many."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ...core.errors import SettingError
from ...core.settings import Interval, settings
from .management import Bools, Evidence, Management

Some = Annotated[int, Interval(1, 64, "[]")]


@settings
class MofN(Management):
    """Confirmation by M of N detections, deletion by as many misses.

    Scans that cannot see a track, since it is outside the field of view or the detection probability is zero there, do
    not count. A tentative track ends as soon as M of its first N scans can no longer be reached.

    Source: Blackman and Popoli, "Design and Analysis of Modern Tracking Systems", 1999, section 6.2.

    Args:
        enough: M and N that confirm a track, the first detection included.
        misses: M and N that end a track: misses, and the scans among which they are counted.
        start: existence of a track that begins, for what `existence` tells, and `MHT`.
        lifetime: mean life of a target [s], for the same.

    Example:
        >>> from pilotage.estimators.tracking import MofN
        >>> MofN(enough=(2, 3))
        MofN(enough=(2, 3), misses=(5, 5), start=0.2, lifetime=inf)
    """

    enough: tuple[Some, Some] = (3, 5)
    misses: tuple[Some, Some] = (5, 5)
    start: Annotated[float, Interval(0.0, 1.0, "()")] = 0.2
    lifetime: Annotated[float, Interval(0.0, np.inf, "(]")] = np.inf

    def __post_init__(self) -> None:
        for name, (m, n) in (("enough", self.enough), ("misses", self.misses)):
            if m > n:
                raise SettingError(f"{name} of MofN is {(m, n)}; expected M of N scans, M not above N")

    def confirm(self, evidence: Evidence) -> Bools:
        m, n = self.enough
        return ones(evidence.hits, n) >= m

    def delete(self, evidence: Evidence) -> Bools:
        m, n = self.enough
        lost, of = self.misses
        count = np.minimum(evidence.scans, of)
        missed = count - ones(evidence.hits, of) >= lost
        hopeless = ones(evidence.hits, n) + np.maximum(n - evidence.scans, 0) < m
        return np.where(evidence.confirmed, missed, hopeless | missed)


def ones(bits: NDArray[np.uint64], n: int) -> NDArray[np.int64]:
    """How many of the lowest n bits are set."""
    mask = np.uint64((1 << n) - 1)
    return np.bitwise_count(bits & mask).astype(np.int64)
