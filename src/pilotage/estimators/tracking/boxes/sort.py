"""SORT: boxes matched with predictions by their overlap."""

from __future__ import annotations

import math

from ....core.settings import Count, Fraction, NonNegative, settings
from .motion import BoxMotion
from .recipe import BoxRecipe
from .stage import Stage


@settings
class SORT:
    """Simple online and realtime tracking: a Kalman filter for each box, and one assignment by IoU.

    Args:
        least: least IoU of a track and a detection.
        hits: detections in a row that confirm a track.
        patience: seconds without a detection after which a track ends.
        score: detections with lower scores do not count; all do by default.
        begin: detections with lower scores begin no tracks.
        motion: how boxes move, and how exact detections are.

    Source: Bewley et al., "Simple online and realtime tracking", ICIP 2016. Here the state is centre, width and height
    with noise in units of the size, times are real, and confirmed tracks stay so.

    Example:
        >>> from pilotage.estimators.tracking.boxes import BoxTracker
        >>> tracker = BoxTracker(SORT())
        >>> for k in range(3):
        ...     tracks = tracker.update([[10.0 + 4 * k, 20.0, 30.0, 60.0], [200.0, 40.0, 20.0, 50.0]], t=k / 25)
        >>> tracks.ids.tolist(), tracks.mean[1].round(1)[:4].tolist()
        ([1, 2], [210.0, 65.0, 20.0, 50.0])
    """

    least: Fraction = 0.2
    hits: Count = 3
    patience: NonNegative = 1.0
    score: float = -math.inf
    begin: float = -math.inf
    motion: BoxMotion = BoxMotion()

    @property
    def recipe(self) -> BoxRecipe:
        """Its parts."""
        return BoxRecipe(
            self.motion, (Stage(self.least),), self.hits, self.patience, self.score, self.score, self.begin
        )
