"""A stage of the association of boxes: which tracks and which boxes are matched, and by what."""

from __future__ import annotations

from typing import Annotated, Literal

from ....core.settings import Interval, NonNegative, settings

Who = Literal["all", "confirmed", "seen", "tentative"]
Which = Literal["sure", "doubtful"]
WHO, WHICH = ("all", "confirmed", "seen", "tentative"), ("sure", "doubtful")


@settings
class Stage:
    """A stage of the association of boxes: tracks and boxes that earlier stages left are matched by their overlap.

    ::

        max  sum_ij a_ij g_ij     with  a_ij in {0, 1},   sum_j a_ij <= 1,   sum_i a_ij <= 1
        g_ij = o_ij [score_j] + momentum score_j (1/2 - |angle_ij| / pi)        only where  o_ij [score_j] >= least

    o is the intersection over union (IoU) of the boxes, or 1 + GIoU, which is positive for boxes apart; the angle is
    that between where the track came from and where the detection would take it. The assignment is exact.

    Args:
        tracks: which take part: "all", the "confirmed", those of them "seen" in the last scan, or the "tentative".
        boxes: those whose score is "sure", or the "doubtful" ones; see `BoxRecipe`.
        least: the least overlap of a match, IoU or GIoU.
        overlap: "iou" or "giou".
        scored: whether the overlap is multiplied by the score of the detection (IoU only).
        momentum: weight of the direction of motion, of tracks that were detected twice or more.
        place: the box of a track: its "prediction", or its last "observation".

    Source: Bewley et al. (ICIP 2016); Zhang et al., "ByteTrack", ECCV 2022, algorithm 1; Cao et al.,
    "Observation-centric SORT", CVPR 2023, section 4.

    Example:
        >>> Stage(boxes="doubtful", tracks="seen", least=0.5).least
        0.5
    """

    least: Annotated[float, Interval(-1.0, 1.0, "[]")] = 0.3
    tracks: Who = "all"
    boxes: Which = "sure"
    overlap: Literal["iou", "giou"] = "iou"
    scored: bool = False
    momentum: NonNegative = 0.0
    place: Literal["prediction", "observation"] = "prediction"

    @property
    def numbers(self) -> list[float]:
        """The stage as compiled code takes it."""
        return [
            self.least, float(WHO.index(self.tracks)), float(WHICH.index(self.boxes)), float(self.overlap == "giou"),
            float(self.scored), self.momentum, float(self.place == "observation"),
        ]  # fmt: skip
