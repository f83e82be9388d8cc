"""OC-SORT: SORT that trusts detections more than predictions through occlusions."""

from __future__ import annotations

import math

from ....core.settings import Count, Fraction, NonNegative, settings
from .motion import BoxMotion
from .recipe import BoxRecipe
from .stage import Stage


@settings
class OCSORT:
    """Observation-centric SORT: momentum, recovery and re-update by the last detections.

    - **Momentum**: a match is better where it goes on in the direction of the last detections.
    - **Recovery**: tracks and detections that are left are matched by the last detection in place of the prediction.
    - **Re-update**: a track that is found again is filtered once more, along a straight line from its last detection.

    Args:
        least: least IoU of a track and a detection.
        momentum: weight of the direction of motion.
        recovery: least IoU of a last detection and a new one.
        hits: detections in a row that confirm a track.
        patience: seconds without a detection after which a track ends.
        score: detections with lower scores do not count; all do by default.
        begin: detections with lower scores begin no tracks.
        motion: how boxes move, and how exact detections are.

    Source: Cao et al., "Observation-centric SORT: rethinking SORT for robust multi-object tracking", CVPR 2023,
    section 4. Here directions span the last three detections, whatever their times.

    Example:
        >>> from pilotage.estimators.tracking.boxes import BoxTracker
        >>> tracker = BoxTracker(OCSORT())
        >>> for k in [0, 1, 2, 3, 9, 10]:                               # hidden from 4 to 8
        ...     tracks = tracker.update([[10.0 + 4 * k, 20.0, 30.0, 60.0]], t=k / 25)
        >>> tracks.ids.tolist()
        [1]
    """

    least: Fraction = 0.2
    momentum: NonNegative = 0.2
    recovery: Fraction = 0.15
    hits: Count = 3
    patience: NonNegative = 1.0
    score: float = -math.inf
    begin: float = -math.inf
    motion: BoxMotion = BoxMotion()

    @property
    def recipe(self) -> BoxRecipe:
        """Its parts."""
        stages = Stage(self.least, momentum=self.momentum), Stage(self.recovery, place="observation")
        return BoxRecipe(
            self.motion, stages, self.hits, self.patience, self.score, self.score, self.begin, observed=True
        )
