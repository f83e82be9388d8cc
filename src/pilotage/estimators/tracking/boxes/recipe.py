"""The parts of a tracker of boxes."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from ....core.arrays import Array
from ....core.errors import SettingError
from ....core.settings import Count, NonNegative, settings
from .motion import BoxMotion
from .stage import Stage


@settings
class BoxRecipe:
    """A tracker of boxes as its parts; `SORT`, `ByteTrack` and `OCSORT` are such recipes, and make one by `recipe`.

    A detection is sure with a score of `sure` or more, and doubtful with one from `doubtful` to there; others do not
    count. After all stages, sure detections that no track took, with a score of at least `begin`, begin tracks. A track
    is confirmed by `hits` detections in a row; until then, it ends when it is missed. In the first scan, tracks are
    confirmed at once. A confirmed track ends when it was not detected for more than `patience`.

    Args:
        motion: how boxes move, and how exact detections are.
        stages: of the association, one after another.
        hits: detections in a row that confirm a track.
        patience: seconds without a detection after which a confirmed track ends.
        sure, doubtful, begin: scores; by default, all detections are sure.
        observed: whether a track that is found again goes back to its last detection, and forward along a straight line
            to the new one (observation-centric re-update), as if it had been detected in between.
        renewed: whether a track that was missed is confirmed again, as in the published code of SORT; then tentative
            tracks wait for `patience` too, and those that begin in the first `hits` scans are confirmed at once.

    Example:
        >>> BoxRecipe(stages=(Stage(0.3), Stage(-0.2, overlap="giou")), patience=2.0).hits
        3
    """

    motion: BoxMotion = BoxMotion()
    stages: tuple[Stage, ...] = (Stage(),)
    hits: Count = 3
    patience: NonNegative = 1.0
    sure: float = -math.inf
    doubtful: float = -math.inf
    begin: float = -math.inf
    observed: bool = False
    renewed: bool = False

    def __post_init__(self) -> None:
        if not self.stages:
            raise SettingError("stages of BoxRecipe are none; give at least one Stage")
        if self.doubtful > self.sure:
            raise SettingError(f"doubtful of BoxRecipe is {self.doubtful}; expected at most sure, {self.sure}")

    @property
    def recipe(self) -> BoxRecipe:
        """Itself."""
        return self

    @property
    def remembers(self) -> bool:
        """Whether tracks keep their last detections."""
        return self.observed or any(each.momentum > 0.0 or each.place == "observation" for each in self.stages)

    @cached_property
    def numbers(self) -> tuple[Array, Array]:
        """Settings and stages as compiled code takes them."""
        own = [
            self.sure,
            self.doubtful,
            self.begin,
            self.patience,
            float(self.hits),
            float(self.observed),
            float(self.renewed),
        ]
        return np.array([*self.motion.numbers, *map(float, own)]), np.array([each.numbers for each in self.stages])
