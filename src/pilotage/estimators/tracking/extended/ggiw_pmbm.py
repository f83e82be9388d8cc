"""The Poisson multi-Bernoulli mixture filter of extended objects."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import reduce
from typing import Annotated, Any, cast

import numpy as np

from ....core.arrays import Array
from ....core.errors import SettingError
from ....core.settings import Count, Fraction, Interval, NonNegative, Positive, settings
from .._doubles import double_trees
from .._histories import Histories
from .._hypotheses import Cluster, Forest, best, decided, lengthened, masses, parted, product, pruned, without
from .._state import (
    COASTING,
    CONFIRMED,
    SURE,
    TENTATIVE,
    Parts,
    Scan,
    Sighting,
    State,
    children,
    moved,
    newborn,
    nothing,
)
from ..gate import Pairs
from ..tracks import Tracks
from ._choices import Choices, branched, probable
from ._expected import Expected
from ._poisson import Poisson, best_of
from ._shell import ExtendedObjects
from ._sight import visible
from ._solid import apart, overlapping
from ._survey import Survey, surveyed


@settings
class GGIWPMBM(ExtendedObjects):
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
        keep: number of partitions that are kept for a group of points.
        rate, lifetime, undetected, sure, hypotheses, depth, least, forget, components, faint: see `PMBM`.

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
    lifetime: Annotated[float, Interval(0.0, math.inf, "(]")] = 100.0
    undetected: NonNegative | None = None
    sure: Fraction = 0.5
    hypotheses: Count = 30
    depth: Annotated[int, Interval(0, ends="[)")] | None = 5
    least: Fraction = 1e-3
    forget: Fraction = 1e-2
    components: Count = 50
    faint: NonNegative = 1e-4
    keep: Count = 6

    def __post_init__(self) -> None:
        if math.isinf(self.lifetime) and self.undetected is None:
            raise SettingError(
                "lifetime of GGIWPMBM is infinite; give the number of undetected objects at the first scan"
            )

    def method(self, parts: Parts) -> ExtendedBernoullis:
        """The method of a tracker."""
        return ExtendedBernoullis(self, parts, *self.prepared(parts))


@dataclass(frozen=True)
class Bernoullis:
    """The histories of all tracks, each a Bernoulli, and the undetected objects.

    Attributes:
        histories: of the tracks.
        poisson: the undetected objects.
    """

    histories: Histories
    poisson: Poisson

    @property
    def t(self) -> float:
        return self.histories.t


@dataclass(frozen=True)
class ExtendedBernoullis:
    """The step of the Poisson multi-Bernoulli mixture filter of extended objects."""

    settings: GGIWPMBM
    parts: Parts
    targets: Any
    birth: Any

    def none(self, t: float) -> Bernoullis:
        first = self.settings.rate * self.settings.lifetime
        first = first if self.settings.undetected is None else self.settings.undetected
        empty = replace(nothing(self.parts.targets, t), rows=self.targets.none())
        return Bernoullis(Histories.none(empty, self.settings.depth or 0), Poisson.of(self.targets, self.birth, first))

    def predict(self, state: Bernoullis, t: float) -> Bernoullis:
        dt, life = t - state.t, self.settings.lifetime
        if dt == 0.0:
            return state
        poisson = state.poisson.moved(self.targets, self.birth, dt, self.settings.rate, life)
        leaves = moved(self.targets, state.histories.leaves, t, life)
        return Bernoullis(replace(state.histories, leaves=leaves), poisson)

    def step(self, state: Bernoullis, scan: Scan, fresh: Any) -> Bernoullis:
        most, before = self.settings.hypotheses, self.predict(state, scan.t)
        unseen = self.targets.expected(before.poisson.bodies, scan)
        leaves, forest, path, new = self._grown(before, scan, unseen)
        zero = np.zeros(len(new))
        forest = pruned(forest, zero, self.settings.least, most)
        if self.settings.depth is not None:
            forest = decided(forest, path[:, self.settings.depth, 0])
        weak = leaves.existence < self.settings.forget
        poisson = self._poisson(before.poisson, scan, unseen, leaves, np.where(weak, masses(forest, len(new)), 0.0))
        weak |= double_trees(self.targets, self.parts.twins, leaves, forest, new)
        forest = [one for one in forest if not one.certain or not weak[one.leaves[0, 0]]]  # false points, most of all
        forest = apart(without(forest, weak, zero), leaves.ids, self._overlapping(leaves, forest, weak))
        forest = parted(pruned(forest, zero, 0.0, most))
        return Bernoullis(state.histories.settled(leaves, forest, path, new, scan, fresh), poisson)

    def _surveyed(self, state: Bernoullis, scan: Scan, unseen: Expected) -> Survey:
        """What is expected of tracks, and the cells of the points."""
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

    def _grown(self, state: Bernoullis, scan: Scan, unseen: Expected) -> tuple[State, Forest, Any, Any]:
        """What histories may become in this scan, the hypotheses over that, their paths, and which of them are new."""
        before, found = state.histories.leaves, self._surveyed(state, scan, unseen)
        cells, old = found.cells, len(before.ids)
        sighting = self._sighted(state, scan, found)
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
        missed = np.log1p(-before.existence * sighting.P)
        old_rows = replace(before, rows=self.targets.unseen(before.rows, found.seen))
        leaves = children(old_rows, sighting, one, new)
        end = old + len(sighting.w)
        leaves.existence[old:end] = SURE
        pairs = sighting.pairs
        odds = sighting.w + (np.log(before.existence) - missed)[pairs.rows] - other[pairs.columns]
        begins = np.searchsorted(which, np.arange(len(cells.first) + 1)).astype(np.int64)
        choices = Choices(pairs, odds, missed, other, begins, rho - total[which], end)
        forest = self._forest(state.histories.forest, found, choices)
        path = lengthened(state.histories.path, np.concatenate([np.arange(old), pairs.rows]), leaves.source)
        return self._judged(leaves), forest, path, np.arange(len(leaves.ids)) >= end

    def _sighted(self, state: Bernoullis, scan: Scan, found: Survey) -> Sighting:
        """The tracks and the cells in their gates."""
        bodies, cells = cast(Any, state.histories.leaves.rows), found.cells
        rows, columns = found.pairs
        logs, V, view = self.targets.weighed(found.expected, cells.table, rows, columns)
        w = logs + np.log(found.seen[rows]) - found.clutter[columns]
        fits = cells.fits(scan.z, columns[self.targets.boxed[bodies.kind[rows]]])
        each = self.targets.updated(bodies, found.expected, cells.table, rows, columns, V, view, fits)
        pairs = Pairs(rows, columns, w, len(bodies), len(cells.first))
        return Sighting(pairs, each, w, found.seen, found.seen * (1.0 - found.expected.empty))

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

    def _poisson(self, before: Poisson, scan: Scan, unseen: Expected, leaves: State, mass: Array) -> Poisson:
        """The undetected objects after a scan, among them those of histories that are given up, of this mass."""
        which, after = np.flatnonzero(mass > 0.0), before.missed(self.targets, scan, unseen)
        weights = np.concatenate([after.weights, mass[which] * leaves.existence[which]])
        given_up: Any = leaves.rows[which]
        both = replace(after, bodies=after.bodies.joined(given_up), weights=weights)
        return both.kept(self.settings.faint, self.settings.components)

    def _overlapping(self, leaves: State, forest: Forest, weak: Any) -> list[tuple[int, int]]:
        """Trees that overlap a better one in the best hypothesis: better are those detected, older, larger."""
        shown = best(forest)
        shown = shown[~weak[shown]]
        if self.parts.twins is None or not len(shown):
            return []
        size = self.targets.extent(leaves.rows[shown])
        order = (-np.linalg.det(size), leaves.ids[shown] < 0, leaves.born[shown], leaves.source[shown] < 0)
        shown = shown[np.lexsort(order)]
        better = overlapping(self.targets, cast(Any, leaves.rows[shown]))
        ids = leaves.ids[shown]
        return [(int(ids[i]), int(ids[better[i]])) for i in np.flatnonzero(better >= 0)]

    def _judged(self, leaves: State) -> State:
        """The histories with their status."""
        found = np.where(leaves.source >= 0, CONFIRMED, COASTING)
        return replace(leaves, status=np.where(leaves.existence > self.settings.sure, found, TENTATIVE))

    def tracks(self, state: Bernoullis) -> Tracks:
        return state.histories.shown(self.targets)
