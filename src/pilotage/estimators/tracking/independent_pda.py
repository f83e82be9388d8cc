"""Probabilistic data association, track by track: each as if it were alone."""

from __future__ import annotations

import numpy as np

from ...core.arrays import Array
from ...core.settings import settings
from .association import Association, Shares
from .gate import Pairs


@settings
class IndependentPDA(Association):
    """Probabilistic data association of each track on its own: others cause no detections.

    ::

        beta_ij  =  w_ij / (1 + sum_k w_ik)

    w_ij are the odds of `Association`. Of tracks that share detections, each takes all of them, so that tracks side by
    side draw together; `JPDA` shares them out. `PDA` is the filter of a single target.

    Source: Bar-Shalom and Tse, "Tracking in a cluttered environment with probabilistic data association", Automatica
    11, 1975.

    Example:
        >>> import numpy as np
        >>> pairs = Pairs(np.array([0, 0, 1]), np.array([0, 1, 0]), np.zeros(3), 2, 2)
        >>> IndependentPDA().share(pairs, np.zeros(3)).missed.round(3).tolist()
        [0.333, 0.5]
    """

    def share(self, pairs: Pairs, log_odds: Array) -> Shares:
        """The share of each pair among those of its track."""
        top = np.zeros(pairs.tracks)
        np.maximum.at(top, pairs.rows, log_odds)
        odds = np.exp(log_odds - top[pairs.rows])
        none = np.exp(-top)
        total = none + np.bincount(pairs.rows, odds, pairs.tracks)
        return Shares(odds / total[pairs.rows], none / total)
