"""The intensity of extended objects that were never detected, as weighted beliefs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....core.arrays import Array
from .._births import born
from .._clusters import Whole
from .._state import Scan
from .._targets import Rows
from ._bodies import Bodies
from ._body_targets import BodyTargets
from ._expected import Expected
from ._groups import Cells

SHARE = 1e-3
"""Probability of a kind of object below which a new track is not of it."""


@dataclass(frozen=True)
class Poisson:
    """The intensity of objects that no track stands for.

    Attributes:
        bodies: beliefs: births of all kinds, and behind them those of tracks that were given up.
        weights: the expected number of objects in each.
        births: number of the beliefs of births.
    """

    bodies: Bodies
    weights: Array
    births: int

    @staticmethod
    def of(targets: BodyTargets, birth: Rows, count: float) -> Poisson:
        """Births alone, shared out to the kinds of objects."""
        return Poisson(targets.newcomers(birth), count * targets.shares, targets.births)

    def moved(self, targets: BodyTargets, birth: Rows, dt: float, rate: float, lifetime: float) -> Poisson:
        """The intensity after `dt` seconds, with births at that rate, which keep the extents of new objects."""
        births = self.births
        bodies, weights = self.bodies.copy(), self.weights * math.exp(-dt / lifetime)
        targets.predict(bodies, dt)
        fresh = targets.shares * born(rate, lifetime, dt)
        total = weights[:births] + fresh
        both = bodies.motion[np.arange(births)].joined(birth[np.zeros(births, np.int64)])
        order = np.arange(2 * births).reshape(2, births).T.ravel()
        w = np.stack([weights[:births], fresh], -1) / np.maximum(total, 1e-300)[:, None]
        w[total <= 0.0] = [0.0, 1.0]
        motion = targets.inner.merge(both[order], 2 * np.arange(births + 1, dtype=np.int64), w.ravel())
        return Poisson(
            targets.newcomers(motion).joined(bodies[births:]), np.concatenate([total, weights[births:]]), births
        )

    def missed(self, targets: BodyTargets, scan: Scan, expected: Expected) -> Poisson:
        """The intensity of those that the scan did not detect."""
        births, seen = self.births, scan.detector.seen(targets.means(self.bodies), scan.context)
        old = targets.unseen(self.bodies[births:], seen[births:])
        return Poisson(self.bodies[:births].joined(old), self.weights * (1.0 - seen * (1.0 - expected.empty)), births)

    def kept(self, faint: float, most: int) -> Poisson:
        """Births, and of the others those that matter."""
        births = self.births
        others = births + np.argsort(-self.weights[births:], kind="stable")[:most]
        which = np.concatenate([np.arange(births), others[self.weights[others] > faint]])
        return Poisson(self.bodies[which], self.weights[which], births)

    def detected(
        self, targets: BodyTargets, scan: Scan, expected: Expected, cells: Cells, limit: float
    ) -> tuple[Bodies, Whole, Array]:
        """Beliefs of new objects, their cells in order, and the log-density of each, by the density of false points.

        A cell has one for each kind of object that it may be: that of the likeliest belief, with the density of all.
        """
        births, m = self.births, len(cells.first)
        clutter, means = cells.summed(np.log(scan.detector.density(scan.z))), cells.means
        rows, columns = np.nonzero((expected.distances(means) <= limit) & expected.known[:, None])
        old = rows >= births
        rows, columns = rows[old], columns[old]
        wide, every = np.repeat(np.arange(births), m), np.tile(np.arange(m), births)
        new = self.bodies[wide]
        parts = [
            (self.bodies, expected, self.weights, rows, columns),
            (new, targets.expected(new, scan, at=means[every]), self.weights[wide], np.arange(len(wide)), every),
        ]
        fits, found = targets.fits(cells, scan.z, np.arange(m if targets.boxed.any() else 0)), list[Any]()
        for bodies, own, weights, i, j in parts:
            logs, V, view = targets.weighed(own, cells.table, i, j)
            with np.errstate(divide="ignore"):
                logs = logs - clutter[j] + np.log(weights[i])
            some = np.flatnonzero(logs > np.log(SHARE) + best_of(logs, j, m)[j])
            each = targets.updated(bodies, own, cells.table, i[some], j[some], V[some], view[some], fits)
            with np.errstate(divide="ignore"):
                seen = np.log(scan.detector.seen(targets.means(each), scan.context)) if len(some) else np.zeros(0)
            found.append((each, j[some], logs[some] + seen))
        (one, j, logs), (other, every, more) = found
        each, columns, logs = one.joined(other), np.concatenate([j, every]), np.concatenate([logs, more])
        return _likeliest(each, columns, logs)


def _likeliest(each: Bodies, columns: Whole, logs: Array) -> tuple[Bodies, Whole, Array]:
    """Of the beliefs of each cell and kind the likeliest one, with the log of the sum of all."""
    some = np.flatnonzero(np.isfinite(logs))
    order = some[np.lexsort((-logs[some], each.kind[some], columns[some]))]
    if not len(order):
        return each[order], columns[order], logs[order]
    key = np.stack([columns[order], each.kind[order]], -1)
    first = np.flatnonzero(np.append(True, (np.diff(key, axis=0) != 0).any(-1)))
    return each[order[first]], columns[order[first]], np.logaddexp.reduceat(logs[order], first)


def best_of(logs: Array, columns: Any, cells: int) -> Array:
    """The largest of each cell, ``(cells,)``."""
    best = np.full(cells, -np.inf)
    np.maximum.at(best, columns, logs)
    return best
