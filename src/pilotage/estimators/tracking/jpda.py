"""Joint probabilistic data association: marginals over all ways to share out the detections."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from ...core.arrays import Array
from ...core.settings import Count, Positive, settings
from ._clusters import clusters
from ._likeliest import likeliest
from ._marginals import marginals
from ._propagation import propagated
from .association import Association, Shares
from .gate import Pairs


@settings
class JPDA(Association):
    """Joint probabilistic data association: the marginal probability of each pair over all joint events.

    In a joint event every track has a detection or none, and no detection has two tracks::

        P(a)     ~  prod_ij w_ij^a_ij
        beta_ij  =  sum of P(a) over all a with a_ij = 1

    w_ij are the odds of `Association`. Confirmed tracks exist for sure; a tentative one takes part by its existence, as
    in `JIPDA`, so that tracks that began at false detections take little from those of targets.

    Tracks that share no detections are apart; within a cluster the sum is exact, by dynamic programming over the
    detections that are open at a time, which grows with these and not with the number of events. Clusters with more
    open detections than `width` go by loopy belief propagation, whose marginals are close and somewhat too sure.

    Source: Fortmann, Bar-Shalom and Scheffe, "Sonar tracking of multiple targets using joint probabilistic data
    association", IEEE J. Oceanic Engineering 8, 1983; the sum in the manner of Horridge and Maskell, "Real-time
    tracking of hundreds of targets with efficient exact JPDAF implementation", FUSION 2006; Williams and Lau,
    "Approximate evaluation of marginal association probabilities with belief propagation", IEEE Trans. Aerospace and
    Electronic Systems 50, 2014.

    Args:
        marginals: ``"exact"`` as above, ``"belief-propagation"`` everywhere, or ``"k-best"`` for the sum over the
            likeliest events of each cluster (Murty's), which leaves out what has little weight.
        events: the events of a cluster, for ``"k-best"``.
        width: open detections up to which a cluster is exact; a step of a cluster takes ``2^width`` operations.
        rounds: of belief propagation, at most.
        accuracy: change of messages at which it ends.

    Example:
        >>> import numpy as np
        >>> pairs = Pairs(np.array([0, 0, 1]), np.array([0, 1, 0]), np.zeros(3), 2, 2)
        >>> shares = JPDA().share(pairs, np.zeros(3))  # five events, all alike
        >>> shares.beta.tolist(), shares.missed.tolist()
        ([0.2, 0.4, 0.4], [0.4, 0.6])
    """

    doubtful: ClassVar[Literal["none", "tentative", "all"]] = "tentative"
    marginals: Literal["exact", "belief-propagation", "k-best"] = "exact"
    events: Count = 100
    width: Count = 10
    rounds: Count = 100
    accuracy: Positive = 1e-6

    def share(self, pairs: Pairs, log_odds: Array) -> Shares:
        """The marginal of each pair."""
        odds, starts = np.exp(np.minimum(log_odds, 300.0)), pairs.starts
        if self.marginals == "belief-propagation":
            return Shares(*self._propagated(starts, pairs.columns, odds, pairs.detections))
        order, begins = clusters(pairs.rows, pairs.columns, pairs.tracks, pairs.detections)
        if self.marginals == "k-best":
            clipped = np.minimum(log_odds, 300.0)
            found = likeliest(order, begins, starts, pairs.columns, clipped, pairs.detections, self.events)
            return Shares(*found)
        beta, missed, wide = marginals(order, begins, starts, pairs.columns, odds, pairs.detections, self.width)
        if wide.any():
            other, alone = self._propagated(starts, pairs.columns, odds, pairs.detections)
            for c in np.flatnonzero(wide):
                rows = order[begins[c] : begins[c + 1]]
                which = np.isin(pairs.rows, rows)
                beta[which], missed[rows] = other[which], alone[rows]
        return Shares(beta, missed)

    def _propagated(self, starts: Any, columns: Any, odds: Array, detections: int) -> tuple[Array, Array]:
        return propagated(starts, columns, odds, detections, self.rounds, self.accuracy)
