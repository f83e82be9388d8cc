"""The labelled multi-Bernoulli filter: tracks that may not exist, each with several beliefs."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ...core.settings import Count, Fraction, settings
from ._random_sets import Components, Masses, RandomSets, Sight
from ._reduction import labels
from .association import Shares
from .cardinality import Cardinality
from .gate import Pairs
from .jpda import JPDA


@settings
class LMB(RandomSets):
    """Labelled multi-Bernoulli filter, in place of an association of `Tracker`.

    Each track l exists with probability r_l, and is then described by a mixture of beliefs c with shares w_c. With
    ``P = P_D P_G`` and ``eta_lj = sum_c w_c P_D N(z_j (-) h(x_c); 0, S_c)``, the odds of a track and a detection are::

        o_lj  =  r_l eta_lj / ((lambda + rho_j) (1 - r_l sum_c w_c P_c))

    where rho_j is the density of detections of targets that were never detected, which are a Poisson process as with
    `PMBM`. beta_lj are the marginals of all ways to share out the detections; see `JPDA`. Then::

        r_l w_c  <-  beta_l0 r_l w_c (1 - P_c) / (1 - r_l sum_c w_c P_c)                  missed
        r_l w_c  <-  beta_lj w_c P_D N(z_j (-) h(x_c); 0, S_c) / eta_lj                   detected, c updated with z_j
        r        <-  (1 - sum_l beta_lj) rho_j / (lambda + rho_j)                         new track

    The step is exact in the existence and the beliefs of each track (the marginals of the delta-generalized labelled
    multi-Bernoulli posterior); what tracks say about each other is left out after each scan. So marginals are all that
    it needs: they are summed exactly for clusters of tracks that share detections, and by loopy belief propagation for
    clusters too wide for that. Ranked assignments and Gibbs samples, which the sources use, are approximations of the
    same sum. With one belief for each track it would be `JIPDA` with births.

    The heaviest belief of each track is shown; the number of a track is that of its first detection. The birth of the
    tracker must be a belief, and it takes no management. Its `merge` is the ellipsoid within which beliefs of a track
    are merged, and the lesser of two tracks ends.

    Source: Reuter, Vo, Vo and Dietmayer, "The labeled multi-Bernoulli filter", IEEE Trans. Signal Processing 62, 2014;
    Williams, "Marginal multi-Bernoulli filters: RFS derivation of MHT, JIPDA, and association-based MeMBer", IEEE
    Trans. Aerospace and Electronic Systems 51, 2015.

    Args:
        rate: births [1/s].
        lifetime: mean life of a target [s].
        undetected: expected number of targets at the first scan; None for ``rate * lifetime``.
        sure: existence above which a track is confirmed.
        lost: existence below which it is confirmed no more.
        begin: existence with which a track is shown first.
        forget: existence below which a track ends.
        least: probability of a belief that is kept.
        components: beliefs of a track, at most.
        faint: expected number of targets below which a belief of undetected targets is left out.
        joint: how the joint sum is done.

    Example:
        >>> from pilotage.core import Gaussian
        >>> from pilotage.estimators import KF
        >>> from pilotage.estimators.tracking import Detector, Tracker
        >>> from pilotage.models import constant_velocity, position
        >>> car = constant_velocity(density=0.1)
        >>> birth = Gaussian.of(car.state, std={"x": 100.0, "y": 100.0, "vx": 3.0, "vy": 3.0})
        >>> tracker = Tracker(KF(car, dt=1.0), Detector(position(std=0.5), clutter=1e-4), birth, LMB(rate=0.1))
        >>> for t in range(6):
        ...     tracks = tracker.update([[1.0 * t, 0.1], [20.0 - t, 5.0]], t=float(t))
        >>> tracks.mean.round(0)[:, :2].tolist()
        [[5.0, 0.0], [15.0, 5.0]]
        >>> bool(tracks.existence.min() > 0.99)
        True
    """

    apart: ClassVar[bool] = True
    lost: Fraction = 0.5
    components: Count = 10
    joint: JPDA = JPDA()

    def masses(self, sight: Sight) -> Masses:
        """The probabilities of all beliefs after a scan, by the marginals of associations."""
        pairs, weights, detections = sight.found.pairs, sight.before.weights, sight.found.pairs.detections
        names, of, _ = labels(sight.before.leaves.ids, weights)
        some, at = np.unique(of[pairs.rows] * max(detections, 1) + pairs.columns, return_inverse=True)
        tracks = Pairs(*np.divmod(some, max(detections, 1)), np.zeros(len(some)), len(names), detections)
        total = np.maximum(np.bincount(at, sight.odds, len(some)), 1e-300)
        none = 1.0 - np.bincount(of, weights * sight.found.P, len(names))
        others = np.zeros(detections)
        others[sight.which] = sight.born
        odds = np.log(total) - np.log(none)[tracks.rows] - np.log1p(others)[tracks.columns]
        shares = self.joint.share(tracks, odds) if len(odds) else Shares(np.zeros(0), np.ones(len(names)))
        free = np.maximum(1.0 - np.bincount(tracks.columns, shares.beta, detections), 0.0)[sight.which]
        new = free * sight.born / (1.0 + sight.born)
        return Masses(sight.missed * (shares.missed / none)[of], sight.odds * (shares.beta / total)[at], new)

    def cardinality(self, state: Components) -> Cardinality:
        """Of independent tracks, and those never detected."""
        names, of, _ = labels(state.leaves.ids, state.weights)
        return Cardinality(np.bincount(of, state.weights, len(names)), float(state.poisson.weights.sum()))
