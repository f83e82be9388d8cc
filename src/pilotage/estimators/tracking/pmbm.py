"""The Poisson multi-Bernoulli mixture filter: all there is to know about targets, some of which were never detected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...core.arrays import Array
from ...core.settings import Count, Fraction, Interval, NonNegative, settings
from ._bernoullis import BernoulliMixture, Bernoullis, Grown
from ._births import Births
from ._hypotheses import Choices, grown, lengthened
from ._state import SURE, Parts, Scan, children, gated, newborn
from ._targets import Rows
from ._undetected import Undetected


@settings
class PMBM(Births):
    """Poisson multi-Bernoulli mixture filter, in place of an association of `Tracker`.

    Targets that were never detected are a Poisson process of intensity D(x); each detection may be the first of one::

        D   <-  exp(-dt / lifetime) D moved on + births,        D  <-  (1 - P_D) D    after a scan
        rho_j  =  integral of P_D N(z_j (-) h(x); 0, R) D(x)
        w   =  lambda + rho_j,    r = rho_j / (lambda + rho_j)                  new track
        w   =  1 - r P,           r <- r (1 - P) / (1 - r P),    P = P_D P_G    missed
        w   =  r P_D N(z_j (-) h(x); 0, S),    r <- 1                           detected

    A global hypothesis takes for each track one of its histories, with a belief and a probability of existence r, so
    that every detection is used once; its weight is the product of the w. For linear models the posterior is exact, as
    long as nothing is left out. The likeliest hypotheses are kept for each cluster of tracks that share detections,
    found by Murty's ranked assignments, from each earlier one in proportion to its weight. The best is shown; its
    tracks with an existence above `sure` are confirmed. A track that is confirmed in place of another one, with which
    it has detections in common, takes its number: it stays open for long which detection was the first of a target.

    The birth of the tracker must be a belief. Management is by existence alone, so that the tracker takes no other.
    P_D of undetected targets is taken at the means of their beliefs; `merge` of the tracker acts on new tracks only.

    Source: Williams, "Marginal multi-Bernoulli filters: RFS derivation of MHT, JIPDA, and association-based MeMBer",
    IEEE Trans. Aerospace and Electronic Systems 51, 2015; Garcia-Fernandez, Williams, Granstrom and Svensson, "Poisson
    multi-Bernoulli mixture filter: direct derivation and implementation", the same 54, 2018.

    Args:
        rate: births [1/s].
        lifetime: mean life of a target [s].
        undetected: expected number of targets at the first scan; None for ``rate * lifetime``.
        sure: existence above which a track is confirmed.
        hypotheses: of each cluster, at most.
        depth: scans after which an association is decided, as by `MHT`; None for never.
        least: probability of a hypothesis that is kept.
        forget: existence below which a track goes back to the undetected ones.
        components: beliefs of undetected targets, at most.
        faint: expected number of targets below which such a belief is left out.

    Example:
        >>> from pilotage.core import Gaussian
        >>> from pilotage.estimators import KF
        >>> from pilotage.estimators.tracking import Detector, Tracker
        >>> from pilotage.models import constant_velocity, position
        >>> car = constant_velocity(density=0.1)
        >>> birth = Gaussian.of(car.state, std={"x": 100.0, "y": 100.0, "vx": 3.0, "vy": 3.0})
        >>> radar = Detector(position(std=0.5), clutter=1e-4)
        >>> tracker = Tracker(KF(car, dt=1.0), radar, birth, PMBM(rate=0.1))
        >>> for t in range(6):
        ...     tracks = tracker.update([[1.0 * t, 0.1], [20.0 - t, 5.0]], t=float(t))
        >>> tracks.mean.round(0)[:, :2].tolist()
        [[5.0, 0.0], [15.0, 5.0]]
        >>> bool(tracks.existence.min() > 0.999)
        True
    """

    sure: Fraction = 0.5
    hypotheses: Count = 100
    depth: Annotated[int, Interval(0, ends="[)")] | None = 10
    least: Fraction = 1e-4
    forget: Fraction = 1e-3
    components: Count = 100
    faint: NonNegative = 1e-5

    def method(self, parts: Parts) -> PoissonBernoulli:
        """The method of a tracker."""
        return PoissonBernoulli(self, parts, parts.targets, parts.targets.packed(self.initiation(parts).birth))


@dataclass(frozen=True)
class PoissonBernoulli(BernoulliMixture):
    """The step of the Poisson multi-Bernoulli mixture filter."""

    settings: PMBM

    def _births(self, count: float) -> Undetected:
        return Undetected.of(self.birth, count, True)

    def _grown(self, state: Bernoullis, scan: Scan) -> Grown:
        """The histories that may follow in this scan, the hypotheses over them, their paths, and which are new."""
        parts, before = self.parts, state.histories.leaves
        found = gated(parts.targets, parts.gate, before.rows, scan)
        pairs, clutter = found.pairs, scan.detector.density(scan.z)
        rows, which, density = state.poisson.detected(parts.targets, parts.gate, scan)
        r = np.minimum(density / (clutter[which] + density), SURE)
        keys = before.ids.min(initial=0) - 1 - which
        leaves = children(before, found, scan, newborn(rows, scan.places[which], keys, scan.t, r))
        old, end = len(before.ids), len(before.ids) + len(found.w)
        leaves.existence[old:end] = SURE
        begins, other = np.full(len(clutter), -1, np.int64), np.zeros(len(clutter))
        begins[which], other[which] = end + np.arange(len(which)), np.log1p(density / clutter[which])
        missed = np.log1p(-before.existence * found.P)
        odds = found.w + (np.log(before.existence) - missed)[pairs.rows] - other[pairs.columns]
        forest = grown(state.histories.forest, Choices(pairs, odds, missed, begins), self.settings.hypotheses)
        path = lengthened(state.histories.path, np.concatenate([np.arange(old), pairs.rows]), leaves.source)
        unseen = state.poisson.missed(parts.targets, scan)
        return Grown(leaves, forest, path, np.arange(len(leaves.ids)) >= end, unseen)

    def _given_up(self, poisson: Undetected, rows: Rows, weights: Array) -> Undetected:
        both = poisson.joined(Undetected.of(rows, weights, False))
        return both.kept(self.targets, self.settings.faint, self.settings.components)
