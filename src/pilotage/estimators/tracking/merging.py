"""Merging: two tracks that follow one target become one."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from ...core.arrays import Array
from ...core.settings import settings
from ._intervals import Probability
from .gate import Gate


@settings
class Merging:
    """Merging of tracks that follow one target, for `Tracker`: the older one goes on.

    Two tracks say the same where the mean of one is within a small ellipsoid around the other, over all components::

        d' P^-1 d  <=  gamma,      P(chi^2_n <= gamma) = within

    and, around one that was not detected in the last scan, and so may be anywhere, the mean of that one within the
    ellipsoid of the other too. Then a tentative one ends at once. Of two confirmed ones that is not enough: two targets
    side by side say the same too, but cause two detections. The log-likelihood ratio of one target against two is added
    up over the scans in which they say the same, from the number of detections that both explain together::

        n  =  sum_j min(1, beta_1j + beta_2j)

        n about 1    s  <-  s + log(P / (2 P (1 - P))),      P = P_D P_G, or the same s where that is below 0
        n about 2    s  <-  0
        n about 0    s  <-  s,   since targets side by side are hidden together

    They are merged when ``s > log(1 / false)``, after five scans at P = 0.9, and never where P is below 1/2. The one
    that ends gives its belief to the older one, if it was detected later.

    Source: the test is Wald's, "Sequential Analysis", 1947; Bar-Shalom, "On the track-to-track correlation problem",
    IEEE Trans. Automatic Control 26, 1981, says why differences alone mislead: errors of both are correlated.

    Args:
        within: probability of the ellipsoid.
        false: probability that two targets side by side are taken for one, in one such run of scans.

    Raises:
        SettingError: when a setting is out of range.

    Example:
        >>> Merging().evidence(np.array([1.0, 1.9, 0.1]), np.array([0.9, 0.9, 0.9])).round(2).tolist()
        [1.61, -inf, 0.0]
    """

    within: Probability = 0.1
    false: Probability = 1e-3

    @cached_property
    def gate(self) -> Gate:
        """The ellipsoid."""
        return Gate(self.within)

    @property
    def enough(self) -> float:
        """The evidence that merges two tracks."""
        return -math.log(self.false)

    def evidence(self, detections: Array, P: Array) -> Array:
        """The evidence of a scan for one target against two; -inf where there were two.

        Args:
            detections: number of detections that both tracks explain together.
            P: P_D P_G.
        """
        with np.errstate(divide="ignore"):
            one = np.maximum(-np.log(2.0 * (1.0 - P)), 0.0)
        return np.where(detections > 1.5, -np.inf, np.where(detections > 0.5, one, 0.0))
