"""Nearest-neighbour association: every track takes the likeliest detection in its gate."""

from __future__ import annotations

import numpy as np

from ...core.arrays import Array
from ...core.settings import settings
from .association import Association, Shares
from .gate import Pairs


@settings
class NearestNeighbor(Association):
    """Nearest-neighbour association, pair by pair: the likeliest pair first, and neither track nor detection twice.

    It is fast and greedy: a track may take the detection that another one needs more. `GNN` takes the best assignment
    of all.

    Source: Blackman and Popoli, "Design and Analysis of Modern Tracking Systems", 1999, section 6.4 (suboptimal).

    Example:
        >>> import numpy as np
        >>> pairs = Pairs(np.array([0, 0, 1]), np.array([0, 1, 0]), np.zeros(3), 2, 2)
        >>> NearestNeighbor().share(pairs, np.array([2.0, 1.0, 1.5])).beta.tolist()
        [1.0, 0.0, 0.0]
    """

    def share(self, pairs: Pairs, log_odds: Array) -> Shares:
        """All for the nearest pairs that are likelier than no detection."""
        rows, columns = np.zeros(pairs.tracks, bool), np.zeros(pairs.detections, bool)
        taken = list[int]()
        for p in np.argsort(-log_odds, kind="stable"):
            i, j = pairs.rows[p], pairs.columns[p]
            if log_odds[p] > 0.0 and not rows[i] and not columns[j]:
                rows[i] = columns[j] = True
                taken.append(int(p))
        return Shares.chosen(pairs, np.array(taken, np.int64))
