"""The Gaussian mixture PHD filter: the intensity of targets, without associations."""

from __future__ import annotations

from ...core.settings import settings
from ._random_sets import Components, Masses, RandomSets, Sight
from .cardinality import Cardinality


@settings
class GMPHD(RandomSets):
    """Gaussian mixture probability hypothesis density (PHD) filter, in place of an association of `Tracker`.

    The intensity D(x) is the expected number of targets per unit of the state, whose integral over a region is the
    expected number of targets in it. It is kept as a sum of weighted beliefs w_i N(x; m_i, P_i). With
    ``q_j(x) = P_D N(z_j (-) h(x); 0, R) / lambda(z_j)`` and ``<q, D>`` for the integral of their product::

        D   <-  exp(-dt / lifetime) D moved on + births
        D   <-  (1 - P_D) D  +  sum_j  q_j D / (1 + <q_j, D>)

    That is exact as long as the targets are Poisson. No detection is assigned to a track, so that the time of a scan
    grows with its pairs only. The number of targets is noisy, since nothing but its mean is kept: a target that is
    missed loses ``P_D`` of its weight at once, and one that is detected counts as ``2 - P_D``. `CPHD` keeps the
    distribution of the number.

    Births are a wide belief, which each detection narrows down, so that targets may appear anywhere (Ristic et al.). A
    belief keeps the number of the track that it comes from; the heaviest one of each track is shown, with the weight of
    all as its existence. A second belief of a track with a weight above `sure` begins a track of its own.

    The birth of the tracker must be a belief, and it takes no management. Its `merge` is the ellipsoid around heavier
    beliefs within which lighter ones are merged with them.

    Source: Vo and Ma, "The Gaussian mixture probability hypothesis density filter", IEEE Trans. Signal Processing 54,
    2006; Panta, Clark and Vo, "Data association and track management for the Gaussian mixture probability hypothesis
    density filter", IEEE Trans. Aerospace and Electronic Systems 45, 2009; Ristic, Clark, Vo and Vo, "Adaptive target
    birth intensity for PHD and CPHD filters", the same 48, 2012.

    Args:
        rate: births [1/s].
        lifetime: mean life of a target [s].
        undetected: expected number of targets at the first scan; None for ``rate * lifetime``.
        sure: weight of a track above which it is confirmed.
        lost: weight below which it is confirmed no more.
        begin: weight with which a track is shown first.
        forget: weight below which a track ends.
        least: weight below which a belief is left out.
        components: beliefs, at most.
        faint: expected number of targets below which a belief of undetected targets is left out.

    Example:
        >>> from pilotage.core import Gaussian
        >>> from pilotage.estimators import KF
        >>> from pilotage.estimators.tracking import Detector, Tracker
        >>> from pilotage.models import constant_velocity, position
        >>> car = constant_velocity(density=0.1)
        >>> birth = Gaussian.of(car.state, std={"x": 100.0, "y": 100.0, "vx": 3.0, "vy": 3.0})
        >>> tracker = Tracker(KF(car, dt=1.0), Detector(position(std=0.5), clutter=1e-4), birth, GMPHD(rate=0.01))
        >>> for t in range(6):
        ...     tracks = tracker.update([[1.0 * t, 0.1], [20.0 - t, 5.0]], t=float(t))
        >>> tracks.mean.round(0)[:, :2].tolist()
        [[5.0, 0.0], [15.0, 5.0]]
        >>> round(tracks.cardinality.mean, 1)
        2.2
    """

    def masses(self, sight: Sight) -> Masses:
        """The weights after a scan: each detection is shared out among all that may have caused it."""
        share = 1.0 / (1.0 + sight.each)
        return Masses(sight.missed, sight.odds * share[sight.found.pairs.columns], sight.born * share[sight.which])

    def cardinality(self, state: Components) -> Cardinality:
        """Poisson, since nothing but the mean is known."""
        return Cardinality(poisson=state.total)
