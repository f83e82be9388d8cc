"""Merging: two tracks that follow one target become one."""

from __future__ import annotations

import math
from functools import cached_property

from ...core.arrays import Array
from ...core.settings import settings
from ._intervals import Probability
from .gate import Gate


@settings
class Merging:
    """Merging of tracks that follow one target, for `Tracker`: the older one goes on.

    Two tracks may be of one target where the mean of one is within an ellipsoid around the other, over all components::

        d' P^-1 d  <=  gamma,      P(chi^2_n <= gamma) = within;   of two confirmed tracks, until

    and, around one that was not detected in the last scan, and so may be anywhere, the mean of that one within the
    ellipsoid of the other too. Then a tentative one ends at once. Of two confirmed ones that is not enough: two targets
    side by side are as near, but cause two detections. What each scan tells is the likelihood ratio of one target, that
    of the older track i, against a second one in track j, which is left what i does not explain::

        L1 = (1 - P_i) + sum_k w_ik
        L2 = ((1 - P_i) + sum_k w_ik) ((1 - P_j) + sum_k w_jk)  -  sum_k w_ik w_jk       no detection comes from both
        log(L1 / L2)  =  - log((1 - P_j) + sum_k w_jk (1 - w_ik / L1)),     w = P_D N(z_k (-) h(x); 0, S) / lambda

        s  <-  max(s + log(L1 / L2), 0)       Page's test

    with P = P_D P_G. Targets side by side are hidden together, so that scans in which neither is likely to be detected
    tell nothing. They are merged when ``s > log(1 / false)``: where i and j explain one detection in each scan equally
    well, after five scans at P = 0.9, and never where P is below 1/2. What scans have told is forgotten when the tracks
    are outside of the ellipsoid. The one that ends gives its belief to the older one, if it was detected later.

    Source: Page, "Continuous inspection schemes", Biometrika 41, 1954, for the test; Bar-Shalom, "On the track-to-track
    correlation problem", IEEE Trans. Automatic Control 26, 1981, says why differences alone mislead: errors of both are
    correlated.

    Args:
        within: probability of the ellipsoid in which tentative tracks end.
        false: probability that two targets side by side are taken for one, in one such run of scans.
        until: probability of the ellipsoid in which confirmed tracks may be of one target.

    Raises:
        SettingError: when a setting is out of range.

    Example:
        >>> import numpy as np
        >>> one, both = np.array([1e3, 0.0]), np.array([1e3, 1e3])
        >>> round(Merging().evidence(one, 0.9, one, 0.9), 2), round(Merging().evidence(both, 0.9, both, 0.9), 1)
        (1.61, -6.9)
    """

    within: Probability = 0.1
    false: Probability = 1e-3
    until: Probability = 0.99

    @cached_property
    def gate(self) -> Gate:
        """The ellipsoid in which tentative tracks end."""
        return Gate(self.within)

    @cached_property
    def region(self) -> Gate:
        """The ellipsoid in which confirmed tracks may be of one target."""
        return Gate(max(self.until, self.within))

    @property
    def enough(self) -> float:
        """The evidence that merges two tracks."""
        return -math.log(self.false)

    def evidence(self, older: Array, P_older: float, other: Array, P_other: float) -> float:
        """The log-likelihood ratio of one target against two, by a scan.

        Args:
            older, other: w of each detection in the gate of the older and of the other track, 0 elsewhere; ``(K,)``.
            P_older, P_other: P_D P_G of both.
        """
        one = 1.0 - P_older + older.sum()
        if older.sum() + other.sum() <= 1.0 - max(P_older, P_other):
            return 0.0
        return -math.log(max(1.0 - P_other + float(other @ (1.0 - older / one)), 1e-300))
