"""Management by the probability of existence: integrated track confirmation and deletion."""

from __future__ import annotations

import numpy as np

from ...core.errors import SettingError
from ...core.settings import settings
from ._intervals import Duration, Probability
from .management import Bools, Evidence, Management


@settings
class Existence(Management):
    """Confirmation and deletion by the probability r that there is a target at all.

    ::

        predict    r <- r exp(-dt / lifetime)
        update     r <- r L / (1 - r + r L),     L = (1 - P_D P_G) (1 + sum_j w_j)

    L is the likelihood ratio of the scan, with w_j the odds of `Association`; with `JIPDA` the update is that of its
    joint sum.

    Source: Musicki, Evans and Stankovic, "Integrated probabilistic data association", IEEE Trans. Automatic Control
    39, 1994.

    Args:
        sure: existence above which a track is confirmed.
        doubtful: existence below which it ends.
        start: existence of a track that begins at an unexplained detection.
        lifetime: mean life of a target [s].

    Example:
        >>> from pilotage.estimators.tracking import Existence
        >>> Existence(sure=0.99, lifetime=60.0).doubtful
        0.01
    """

    sure: Probability = 0.95
    doubtful: Probability = 0.01
    start: Probability = 0.1
    lifetime: Duration = 100.0

    def __post_init__(self) -> None:
        if not self.doubtful < self.start <= self.sure:
            raise SettingError(
                f"Existence begins at {self.start}; expected a start above doubtful {self.doubtful} and not above sure "
                f"{self.sure}"
            )

    def confirm(self, evidence: Evidence) -> Bools:
        return np.asarray(evidence.existence > self.sure)

    def delete(self, evidence: Evidence) -> Bools:
        return np.asarray(evidence.existence < self.doubtful)
