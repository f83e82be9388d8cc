"""The cardinalized PHD filter: the intensity of targets, and the distribution of their number."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ...core.settings import Count, settings
from ._elementary import corrected, thinned
from ._random_sets import Components, Masses, RandomSets, Sight
from .cardinality import Cardinality, poisson

IMPOSSIBLE = 1e-300
"""Probability of a number of targets at least: none is impossible for ever."""
CROWDED = math.log(0.01)
"""Logarithm of the probability of the largest number above which there may be more targets than are counted."""


@settings
class CPHD(RandomSets):
    """Cardinalized PHD filter as a Gaussian mixture, in place of an association of `Tracker`.

    Beside the intensity D(x) of `GMPHD` it keeps the distribution p(n) of the number of targets. With
    ``q_j(x) = P_D N(z_j (-) h(x); 0, R) / lambda(z_j)``, the integrals ``rho_j = <q_j, D>``, ``m = <1 - P_D, D>`` and
    ``W = <1, D>``, and the elementary symmetric functions e_j of all rho, clutter being Poisson::

        L(n)  =  sum_j  n! / (n - j)!  m^(n - j) / W^n  e_j(rho)
        p(n) <-  p(n) L(n) / <p, L>
        D    <-  (1 - P_D) D  d log<p, L> / dm  +  sum_j  q_j D  d log<p, L> / d rho_j

    The derivatives are the ratios of inner products in the paper. They are all taken together, backward through the
    recursion of e_j, which adds only numbers above 0, in logarithms: a step of K detections takes ``K * min(K, most)``
    operations, and no difference cancels. With a Poisson p(n), the step of the intensity is that of `GMPHD`.

    The number of targets is far steadier than that of `GMPHD`. When a target is missed, others far away gain weight,
    since the number is known ("spooky action at a distance", Franken, Schmidt and Ulmke, 2009).

    Births, tracks and their numbers are those of `GMPHD`, and so is what it needs of the tracker.

    Source: Vo, Vo and Cantoni, "Analytic implementations of the cardinalized probability hypothesis density filter",
    IEEE Trans. Signal Processing 55, 2007, equations 13 to 22.

    Args:
        rate, lifetime, undetected, sure, lost, begin, forget, least, components, faint: see `GMPHD`.
        most: number of targets, at most; a warning tells when there may be more.

    Example:
        >>> from pilotage.core import Gaussian
        >>> from pilotage.estimators import KF
        >>> from pilotage.estimators.tracking import Detector, Tracker
        >>> from pilotage.models import constant_velocity, position
        >>> car = constant_velocity(density=0.1)
        >>> birth = Gaussian.of(car.state, std={"x": 100.0, "y": 100.0, "vx": 3.0, "vy": 3.0})
        >>> tracker = Tracker(KF(car, dt=1.0), Detector(position(std=0.5), clutter=1e-4), birth, CPHD(rate=0.01))
        >>> for t in range(6):
        ...     tracks = tracker.update([[1.0 * t, 0.1], [20.0 - t, 5.0]], t=float(t))
        >>> tracks.mean.round(0)[:, :2].tolist()
        [[5.0, 0.0], [15.0, 5.0]]
        >>> tracks.cardinality.mode
        2
    """

    most: Count = 200

    def masses(self, sight: Sight) -> Masses:
        """The weights after a scan, and the distribution of the number of targets."""
        m, W = float(sight.missed.sum() + sight.poisson.weights.sum()), sight.before.total
        known, left, gains = corrected(sight.before.known, sight.each, m, W)
        if known[-1] > CROWDED:
            warnings.warn(
                f"there may be more targets than {self.most}, and CPHD counts no more; give it a larger `most`",
                RuntimeWarning,
                stacklevel=2,
            )
        pairs = sight.odds * gains[sight.found.pairs.columns]
        return Masses(sight.missed * left, pairs, sight.born * gains[sight.which], left, known)

    def numbers(self, known: Any, stays: float, births: float) -> Any:
        """The number of targets that stay, and those that are born."""
        p = poisson(births, self.most)
        if known is not None:
            p = np.convolve(thinned(np.exp(known), stays), p)[: self.most + 1]
        return np.log(np.maximum(p / p.sum(), IMPOSSIBLE))

    def cardinality(self, state: Components) -> Cardinality:
        """The distribution that it keeps."""
        return Cardinality(known=np.exp(state.known))
