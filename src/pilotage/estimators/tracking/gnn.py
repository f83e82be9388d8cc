"""Global nearest-neighbour association: the likeliest assignment of detections to tracks."""

from __future__ import annotations

from ...core.arrays import Array
from ...core.settings import settings
from ._assignment import assigned
from .association import Association, Shares
from .gate import Pairs


@settings
class GNN(Association):
    """Global nearest-neighbour association: the assignment of the largest likelihood.

    ::

        max  sum_ij a_ij log w_ij      with  a_ij in {0, 1},   sum_j a_ij <= 1,   sum_i a_ij <= 1

    w_ij are the odds of `Association`. A track without a detection and a detection without a track cost nothing, so
    pairs that are less likely than that are never taken. The solution is exact, by shortest augmenting paths over the
    pairs in the gate.

    Source: Blackman and Popoli, "Design and Analysis of Modern Tracking Systems", 1999, section 6.5; Jonker and
    Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment problems", Computing 38,
    1987.

    Example:
        >>> import numpy as np
        >>> pairs = Pairs(np.array([0, 0, 1]), np.array([0, 1, 0]), np.zeros(3), 2, 2)
        >>> GNN().share(pairs, np.array([2.0, 1.0, 1.5])).beta.tolist()
        [0.0, 1.0, 1.0]
    """

    def share(self, pairs: Pairs, log_odds: Array) -> Shares:
        """All for the pairs of the best assignment."""
        chosen = assigned(pairs.starts, pairs.columns, -log_odds, pairs.detections)
        return Shares.chosen(pairs, chosen[chosen >= 0])
