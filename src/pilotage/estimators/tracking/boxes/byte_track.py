"""ByteTrack: sure detections first, then doubtful ones for the tracks that are left."""

from __future__ import annotations

from ....core.settings import Fraction, NonNegative, settings
from .motion import BoxMotion
from .recipe import BoxRecipe
from .stage import Stage


@settings
class ByteTrack:
    """ByteTrack: detections with low scores, as of targets that are half hidden, go on with tracks but begin none.

    ::

        confirmed tracks  x  sure detections        IoU score >= first
        the rest of those seen in the last scan  x  doubtful detections       IoU >= second
        tentative tracks  x  the rest of the sure detections        IoU score >= tentative

    Args:
        sure: least score of a sure detection.
        doubtful: least score of a doubtful detection.
        begin: least score of a detection that begins a track.
        first, second, tentative: the least overlaps of the three stages.
        patience: seconds without a detection after which a confirmed track ends.
        motion: how boxes move, and how exact detections are.

    Source: Zhang et al., "ByteTrack: multi-object tracking by associating every detection box", ECCV 2022, algorithm 1,
    with the values of its published code.

    Example:
        >>> from pilotage.estimators.tracking.boxes import BoxTracker
        >>> tracker = BoxTracker(ByteTrack(sure=0.6))
        >>> for k, score in enumerate([0.9, 0.9, 0.3]):                 # it goes behind a bush
        ...     tracks = tracker.update([[10.0 + k, 20.0, 30.0, 60.0]], t=k / 25, scores=[score])
        >>> [track.status.name for track in tracks]
        ['CONFIRMED']
    """

    sure: Fraction = 0.6
    doubtful: Fraction = 0.1
    begin: Fraction = 0.7
    first: Fraction = 0.2
    second: Fraction = 0.5
    tentative: Fraction = 0.3
    patience: NonNegative = 1.0
    motion: BoxMotion = BoxMotion()

    @property
    def recipe(self) -> BoxRecipe:
        """Its parts."""
        stages = (
            Stage(self.first, "confirmed", scored=True),
            Stage(self.second, "seen", "doubtful"),
            Stage(self.tentative, "tentative", scored=True),
        )
        return BoxRecipe(self.motion, stages, 2, self.patience, self.sure, self.doubtful, self.begin)
