"""The probability hypothesis density filter of extended objects."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ....core.arrays import Array
from ....core.settings import Count, Fraction, NonNegative, Positive, settings
from ....core.weights import log_sum_exp
from .._births import Births
from .._clusters import Whole
from .._state import COASTING, CONFIRMED, TENTATIVE, Parts, Scan
from ..tracks import Tracks
from ._bodies import Bodies
from ._expected import Expected
from ._groups import Cells
from ._poisson import Poisson
from ._settings import ExtendedObjects
from ._sight import visible
from ._survey import Survey, surveyed


@settings
class GGIWPHD(Births, ExtendedObjects):
    """Probability hypothesis density filter of extended objects, in place of an association of `Tracker`.

    It keeps the expected number of objects at each state, as a weighted sum of beliefs (see `Ellipse`)::

        D  <-  exp(-dt / lifetime) D moved on + births
        D  <-  (1 - P_D + P_D exp(-gamma)) D  +  sum over partitions p  omega_p  sum over cells W of p
                                                     P_D L(W | x) D(x) / d_W
        d_W  =  [n = 1] lambda  +  integral of P_D L(W | x) D(x),         omega_p  ~  prod of d_W over the cells of p

    Points that have nothing to do with each other are divided apart, each with the omega of its own partitions. Beliefs
    that say the same are merged, and those of most weight are kept. It is faster than `GGIWPMBM` and less sure: the
    number of objects is known to a Poisson distribution only, and misses cost an object its weight at once.

    Numbers of tracks are labels that beliefs hand on, which the heaviest one keeps; the existence of a track is the
    weight of its belief, up to one.

    Source: Granstrom, Lundquist and Orguner, "Extended target tracking using a Gaussian-mixture PHD filter", IEEE
    Trans. Aerospace and Electronic Systems 48, 2012; Granstrom and Orguner, "A PHD filter for tracking multiple
    extended targets using random matrices", IEEE Trans. Signal Processing 60, 2012.

    Args:
        extent, partitions, sight, keep, rate, lifetime, undetected: see `GGIWPMBM`.
        sure: weight above which a belief is a track.
        faint: weight below which a belief is left out.
        near: Mahalanobis distance squared of states below which beliefs are merged.
        components: number of beliefs that are kept.

    Example:
        >>> from pilotage.core import Gaussian
        >>> from pilotage.estimators import KF
        >>> from pilotage.estimators.tracking import Detector, Tracker
        >>> from pilotage.models import constant_velocity, position
        >>> car = constant_velocity(density=1.0)
        >>> lidar = Detector(position(std=0.05), detection=0.98, clutter=1e-3)
        >>> birth = Gaussian.of(car.state, std={"x": 30.0, "y": 30.0, "vx": 5.0, "vy": 5.0})
        >>> tracker = Tracker(KF(car, dt=0.1), lidar, birth, GGIWPHD(rate=1.0))
        >>> rng = np.random.default_rng(0)
        >>> for t in 0.1 * np.arange(10):
        ...     points = [5.0 * t, 2.0] + rng.uniform([-2.0, -1.0], [2.0, 1.0], (12, 2))
        ...     tracks = tracker.update(points, t)
        >>> len(tracks), tracks.ids[tracks.confirmed].tolist()
        (1, [1])
    """

    rate: Positive = 0.5
    undetected: NonNegative | None = 5.0
    sure: Fraction = 0.5
    faint: NonNegative = 1e-3
    near: NonNegative = 4.0
    components: Count = 100
    keep: Count = 6

    def method(self, parts: Parts) -> IntensityFilter:
        """The method of a tracker."""
        birth = parts.targets.packed(self.initiation(parts).birth)
        return IntensityFilter(self, parts, self.bodies(parts), birth)


@dataclass(frozen=True)
class Intensity:
    """The intensity of objects: births, and what was detected.

    Attributes:
        t: time [s].
        births: of objects that were never detected.
        bodies: beliefs of the others.
        weights: the expected number of objects in each.
        labels: the number of each, 0 for none yet.
        born, seen: times of the first and of the last detection [s].
        source: place of the first point of the last cell, -1 for none in the last scan.
    """

    t: float
    births: Poisson
    bodies: Bodies
    weights: Array
    labels: Whole
    born: Array
    seen: Array
    source: Whole

    def __getitem__(self, which: Any) -> Intensity:
        return replace(self, bodies=self.bodies[which], **{name: getattr(self, name)[which] for name in COLUMNS})

    def joined(self, other: Intensity) -> Intensity:
        """These beliefs, and the others behind them."""
        both = {name: np.concatenate((getattr(self, name), getattr(other, name))) for name in COLUMNS}
        return replace(self, bodies=self.bodies.joined(other.bodies), **both)


COLUMNS = ("weights", "labels", "born", "seen", "source")


@dataclass(frozen=True)
class IntensityFilter:
    """The step of the probability hypothesis density filter of extended objects."""

    settings: GGIWPHD
    parts: Parts
    targets: Any
    birth: Any

    def none(self, t: float) -> Intensity:
        whole, real = np.zeros(0, np.int64), np.zeros(0)
        births = Poisson.of(self.targets, self.birth, self.settings.first)
        return Intensity(t, births, self.targets.none(), real, whole, real, real, whole)

    def predict(self, state: Intensity, t: float) -> Intensity:
        dt, life = t - state.t, self.settings.lifetime
        if dt == 0.0:
            return state
        births = state.births.moved(self.targets, self.birth, dt, self.settings.rate, life)
        bodies = state.bodies.copy()
        self.targets.predict(bodies, dt)
        return replace(state, t=t, births=births, bodies=bodies, weights=state.weights * math.exp(-dt / life))

    def step(self, state: Intensity, scan: Scan, fresh: Any) -> Intensity:
        before = self.predict(state, scan.t)
        big = before.weights > self.settings.sure
        hiding, existence = before.bodies[big], np.minimum(before.weights[big], 1.0)
        share = visible(self.targets, before.bodies, scan, hiding, existence)
        unseen, expected = (
            self.targets.expected(before.births.bodies, scan),
            self.targets.expected(before.bodies, scan, share),
        )
        seen = self.targets.seen(before.bodies, scan, share) * expected.known
        survey = surveyed(
            scan, expected, unseen, seen * big, before.weights, np.flatnonzero(big), np.arange(len(big)), before.births,
            self.settings.ways, self.parts.gate.limit(2),
        )  # fmt: skip
        found = self._detected(before, scan, unseen, replace(survey, seen=seen))
        missed = replace(
            before,
            bodies=self.targets.unseen(before.bodies, seen),
            weights=before.weights * (1.0 - seen * (1.0 - expected.empty)),
            source=np.full(len(before.weights), -1),
        )
        births = before.births.missed(self.targets, scan, unseen)
        after = self._merged(replace(missed, births=births).joined(found))
        return self._labelled(after, scan, fresh)

    def _detected(self, before: Intensity, scan: Scan, unseen: Expected, survey: Survey) -> Intensity:
        """The beliefs after each cell, with their weights over all partitions."""
        cells, expected, seen, limit = survey.cells, survey.expected, survey.seen, survey.limit
        rows, columns = np.nonzero((seen[:, None] > 0.0) & (expected.distances(cells.means) <= limit))
        logs, V, view = self.targets.weighed(expected, cells.table, rows, columns)
        logs = logs + np.log(before.weights[rows] * seen[rows]) - survey.clutter[columns]
        new, which, rho = before.births.detected(self.targets, scan, unseen, cells, limit)
        total = np.where(cells.counts == 1.0, 0.0, -np.inf)
        np.logaddexp.at(total, np.concatenate([columns, which]), np.concatenate([logs, rho]))
        share = self._shares(total, cells)
        weight = np.exp(logs - total[columns]) * share[columns]
        kept = np.flatnonzero(weight > self.settings.faint)
        rows, columns, weight = rows[kept], columns[kept], weight[kept]
        V, view = V[kept], view[kept]
        fits = self.targets.fits(cells, scan.z, columns[self.targets.boxed[before.bodies.kind[rows]]])
        each = self.targets.updated(before.bodies, expected, cells.table, rows, columns, V, view, fits)
        places, now = scan.places[cells.first], np.full(len(rows) + len(which), scan.t)
        return replace(
            before,
            bodies=each.joined(new),
            weights=np.concatenate([weight, np.exp(rho - total[which]) * share[which]]),
            labels=np.concatenate([before.labels[rows], np.zeros(len(which), np.int64)]),
            born=np.concatenate([before.born[rows], now[len(rows) :]]),
            seen=now,
            source=np.concatenate([places[columns], places[which]]),
        )

    def _shares(self, total: Array, cells: Cells) -> Array:
        """The probability of each cell over the partitions of its group, ``(M,)``."""
        share = np.zeros(len(total))
        total = np.maximum(total, -300.0)
        for parts in cells.partitions:
            if not parts:
                continue
            logs = np.array([total[each].sum() for each in parts])
            order = np.argsort(-logs, kind="stable")[: self.settings.keep]
            weights = np.exp(logs[order] - log_sum_exp(logs[order]))
            for k, w in zip(order, weights, strict=True):
                share[parts[k]] += w
        return share

    def _merged(self, state: Intensity) -> Intensity:
        """The beliefs of most weight, those near each of them merged with it."""
        order = np.argsort(-state.weights, kind="stable")
        order = order[state.weights[order] > self.settings.faint]
        if not len(order):
            return state[order]
        space, mean, cov = self.targets.moments(state.bodies[order])
        information, kind, free = np.linalg.inv(cov), state.bodies.kind[order], np.ones(len(order), bool)
        heads, owner = list[int](), np.full(len(order), -1)
        for i in range(len(order)):
            if free[i] and len(heads) < self.settings.components:
                d = np.asarray(space.minus(mean, mean[i]))
                same = free & (np.einsum("na,ab,nb->n", d, information[i], d) <= self.settings.near) & (kind == kind[i])
                owner[same], free[same] = len(heads), False
                heads.append(i)
        rows, kept = np.argsort(owner, kind="stable"), np.sort(owner)
        rows, kept = rows[kept >= 0], kept[kept >= 0]
        weights = np.bincount(kept, state.weights[order][rows])
        starts = np.searchsorted(kept, np.arange(len(heads) + 1)).astype(np.int64)
        shares = state.weights[order][rows] / weights[kept]
        one = state[order[heads]]
        bodies = state.bodies[order[rows]]
        motion = self.targets.inner.merge(bodies.motion, starts, shares)
        mixed = {
            name: np.add.reduceat((getattr(bodies, name).T * shares).T, starts[:-1]) for name in ("gamma", "v", "V")
        }
        return replace(one, bodies=replace(one.bodies, motion=motion, **mixed), weights=weights)

    def _labelled(self, state: Intensity, scan: Scan, fresh: Any) -> Intensity:
        """The beliefs, each label at the heaviest of those that hand it on, with new ones for new tracks."""
        labels, taken = state.labels.copy(), set[int]()
        for i in np.argsort(-state.weights, kind="stable").tolist():
            if labels[i] in taken:
                labels[i] = 0
            if labels[i] == 0 and state.weights[i] > self.settings.sure:
                place = int(state.source[i])
                known = scan.ids.get(place, 0)  # when the scan is processed again
                labels[i] = known if known and known not in taken else fresh()
                scan.ids[place] = int(labels[i])
            if labels[i] > 0:
                taken.add(int(labels[i]))
        return replace(state, labels=labels)

    def tracks(self, state: Intensity) -> Tracks:
        some = np.flatnonzero(state.labels > 0)
        some = some[np.argsort(state.labels[some])]
        one = state[some]
        found = np.where(one.source >= 0, CONFIRMED, COASTING)
        status = np.where(one.weights > self.settings.sure, found, TENTATIVE)
        existence = np.minimum(one.weights, 1.0)
        return Tracks(self.targets, one.bodies, one.t, one.labels, status, existence, one.born, one.seen, one.source)
