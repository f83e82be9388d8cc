"""The Poisson multi-Bernoulli mixture filter of extended objects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import Annotated, Any, cast

import numpy as np

from ....core.arrays import Array
from ....core.settings import Count, Fraction, Interval, NonNegative, Positive, settings
from .._bernoullis import BernoulliMixture, Bernoullis, Grown
from .._births import Births
from .._hypotheses import Cluster, Forest, best, lengthened, product
from .._state import SURE, GatedPairs, Parts, Scan, State, children, newborn
from .._targets import Rows
from ..gate import Pairs
from ._choices import Choices, branched, probable
from ._expected import Expected
from ._poisson import Poisson, best_of
from ._settings import ExtendedObjects
from ._sight import visible
from ._solid import apart, overlapping
from ._survey import Survey, surveyed


@settings
class GGIWPMBM(Births, ExtendedObjects):
    """Poisson multi-Bernoulli mixture filter of extended objects, in place of an association of `Tracker`.

    A scan holds several points of an object. It is divided into cells W in several ways, and of each partition each
    cell is of one track, or is the first of a new one, or a single false point::

        rho_W  =  integral of P_D L(W | x) D(x),      q = 1 - r P,     P = P_D (1 - (beta / (beta + 1))^alpha)
        w  =  [n = 1] lambda + rho_W,    r = rho_W / w                  new track
        w  =  q,                         r <- r (1 - P) / q             missed
        w  =  r P_D L(W | x),            r <- 1                         detected

    The belief of each object is a gamma distribution of its rate of points, a Gaussian of its motion, and an inverse
    Wishart distribution of its extent; see `Ellipse` for L and the update, `Extent` for the prediction. The weight of a
    global hypothesis is the product of the w; points that have nothing to do with each other are divided apart, and
    improbable partitions are dropped before the likeliest assignments of each are ranked. Otherwise it is `PMBM`.

    Source: Granstrom, Fatemi and Svensson, "Poisson multi-Bernoulli mixture conjugate prior for multiple extended
    target filtering", IEEE Trans. Aerospace and Electronic Systems 56, 2020.

    Args:
        extent: the size and shape of objects, or several kinds of them; P_D of the `Detector` is that of an object.
        partitions: how points are divided into cells.
        sight: the place of the sensor, if objects hide each other; a `Rectangle` shows it its near sides.
        rate: births [1/s].
        lifetime: mean life of an object [s].
        undetected: expected number of objects at the first scan; None for ``rate * lifetime``.
        sure, hypotheses, depth, least, forget, components, faint: see `PMBM`.
        keep: number of partitions that are kept for a group of points.

    Example:
        >>> from pilotage.core import Gaussian
        >>> from pilotage.estimators import KF
        >>> from pilotage.estimators.tracking import Detector, Tracker
        >>> from pilotage.models import constant_velocity, position
        >>> car = constant_velocity(density=1.0)
        >>> lidar = Detector(position(std=0.05), detection=0.98, clutter=1e-3)
        >>> birth = Gaussian.of(car.state, std={"x": 30.0, "y": 30.0, "vx": 5.0, "vy": 5.0})
        >>> tracker = Tracker(KF(car, dt=0.1), lidar, birth, GGIWPMBM(rate=1.0))
        >>> rng = np.random.default_rng(0)
        >>> for t in 0.1 * np.arange(10):
        ...     points = [5.0 * t, 2.0] + rng.uniform([-2.0, -1.0], [2.0, 1.0], (12, 2))
        ...     tracks = tracker.update(points, t)
        >>> [each.kind for each in tracks.extents], len(tracks)
        ([''], 1)
        >>> bool(tracks.extents[0].length > tracks.extents[0].width)
        True
    """

    rate: Positive = 0.5
    sure: Fraction = 0.5
    hypotheses: Count = 30
    depth: Annotated[int, Interval(0, ends="[)")] | None = 5
    least: Fraction = 1e-3
    forget: Fraction = 1e-2
    components: Count = 50
    faint: NonNegative = 1e-4
    keep: Count = 6

    def method(self, parts: Parts) -> ExtendedBernoullis:
        """The method of a tracker."""
        birth = parts.targets.packed(self.initiation(parts).birth)
        return ExtendedBernoullis(self, parts, self.bodies(parts), birth)


@dataclass(frozen=True)
class ExtendedBernoullis(BernoulliMixture):
    """The step of the Poisson multi-Bernoulli mixture filter of extended objects."""

    settings: GGIWPMBM

    def _births(self, count: float) -> Poisson:
        return Poisson.of(self.targets, self.birth, count)

    def _left(self, leaves: State, forest: Forest, weak: Any) -> Forest:
        """The hypotheses without weak leaves, and without two objects in one place."""
        forest = [one for one in forest if not one.certain or not weak[one.leaves[0, 0]]]  # false points, most of all
        return apart(super()._left(leaves, forest, weak), leaves.ids, self._overlapping(leaves, forest, weak))

    def _surveyed(self, state: Bernoullis, scan: Scan, unseen: Expected) -> Survey:
        """The readings that are expected of tracks, and the cells of the points."""
        leaves, forest = state.histories.leaves, state.histories.forest
        shown, bodies, owner = best(forest), cast(Any, leaves.rows), np.zeros(len(leaves.ids), np.int64)
        share = visible(self.targets, bodies, scan, bodies[shown], leaves.existence[shown])
        expected = self.targets.expected(bodies, scan, share)
        seen = self.targets.seen(bodies, scan, share) * expected.known
        for c, cluster in enumerate(forest):
            owner[cluster.leaves[cluster.leaves >= 0]] = c
        return surveyed(
            scan, expected, unseen, seen, leaves.existence, shown, owner, state.poisson, self.settings.ways,
            self.parts.gate.limit(2),
        )  # fmt: skip

    def _grown(self, state: Bernoullis, scan: Scan) -> Grown:
        unseen = self.targets.expected(state.poisson.bodies, scan)
        before, found = state.histories.leaves, self._surveyed(state, scan, unseen)
        cells, old = found.cells, len(before.ids)
        gated_pairs = self._gated(state, scan, found)
        rows, which, rho = state.poisson.detected(self.targets, scan, unseen, cells, found.limit)
        total = np.full(len(cells.first), -np.inf)
        np.logaddexp.at(total, which, rho)
        alone = cells.counts == 1.0
        other = np.where(alone, np.logaddexp(0.0, total), np.maximum(total, -300.0))
        r = np.where(alone, np.exp(total - other), SURE)[which]
        keys = before.ids.min(initial=0) - 1 - which
        one = replace(scan, places=scan.places[cells.first])
        bodies: Any = rows
        new = newborn(bodies, one.places[which], keys, scan.t, np.clip(r, 0.0, SURE))
        missed = np.log1p(-before.existence * gated_pairs.P)
        old_rows = before.changed(rows=self.targets.unseen(before.rows, found.seen))
        leaves = children(old_rows, gated_pairs, one, new)
        end = old + len(gated_pairs.w)
        leaves.existence[old:end] = SURE
        pairs = gated_pairs.pairs
        odds = gated_pairs.w + (np.log(before.existence) - missed)[pairs.rows] - other[pairs.columns]
        begins = np.searchsorted(which, np.arange(len(cells.first) + 1)).astype(np.int64)
        choices = Choices(pairs, odds, missed, other, begins, rho - total[which], end)
        forest = self._forest(state.histories.forest, found, choices)
        path = lengthened(state.histories.path, np.concatenate([np.arange(old), pairs.rows]), leaves.source)
        after = state.poisson.missed(self.targets, scan, unseen)
        return Grown(leaves, forest, path, np.arange(len(leaves.ids)) >= end, after)

    def _gated(self, state: Bernoullis, scan: Scan, found: Survey) -> GatedPairs:
        """The tracks and the cells in their gates."""
        bodies, cells = cast(Any, state.histories.leaves.rows), found.cells
        rows, columns = found.pairs
        logs, V, view = self.targets.weighed(found.expected, cells.table, rows, columns)
        w = logs + np.log(found.seen[rows]) - found.clutter[columns]
        fits = self.targets.fits(cells, scan.z, columns[self.targets.boxed[bodies.kind[rows]]])
        each = self.targets.updated(bodies, found.expected, cells.table, rows, columns, V, view, fits)
        pairs = Pairs(rows, columns, w, len(bodies), len(cells.first))
        return GatedPairs(pairs, each, w, found.seen, found.seen * (1.0 - found.expected.empty))

    def _forest(self, forest: Forest, found: Survey, choices: Choices) -> Forest:
        """The clusters after the scan, group by group."""
        keep, most, after = self.settings.keep, self.settings.hypotheses, Forest()
        gain = np.maximum(best_of(choices.odds, choices.pairs.columns, len(choices.other)), 0.0)
        groups: dict[int, list[Cluster]] = {}
        for cluster in forest:
            groups.setdefault(int(found.group[cluster.leaves.max()]), []).append(cluster)
        for g, parts in enumerate(found.cells.partitions):
            mine = groups.get(g, [])
            if not parts:
                after += [
                    one if one.certain else Cluster(one.leaves, one.logs + one.summed(choices.missed)) for one in mine
                ]
                continue
            likely, bound = probable(parts, choices, gain, keep)
            together = reduce(lambda a, b: product(a, b, most), mine) if mine else None
            after.append(branched(together, likely, bound, choices, most))
        return after

    def _given_up(self, poisson: Poisson, rows: Rows, weights: Array) -> Poisson:
        bodies, weights = poisson.bodies.joined(cast(Any, rows)), np.concatenate([poisson.weights, weights])
        return replace(poisson, bodies=bodies, weights=weights).kept(self.settings.faint, self.settings.components)

    def _overlapping(self, leaves: State, forest: Forest, weak: Any) -> list[tuple[int, int]]:
        """Trees that overlap a better one in the best hypothesis: better are those detected, older, larger."""
        shown = best(forest)
        shown = shown[~weak[shown]]
        if self.parts.ellipsoid is None or not len(shown):
            return []
        size = self.targets.extent(leaves.rows[shown])
        order = (-np.linalg.det(size), leaves.ids[shown] < 0, leaves.born[shown], leaves.source[shown] < 0)
        shown = shown[np.lexsort(order)]
        better = overlapping(self.targets, cast(Any, leaves.rows[shown]))
        ids = leaves.ids[shown]
        return [(int(ids[i]), int(ids[better[i]])) for i in np.flatnonzero(better >= 0)]
