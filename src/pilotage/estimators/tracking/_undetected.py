"""The intensity of targets that were never detected: a Poisson process, as a weighted sum of beliefs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...core.arrays import Array
from ._births import born
from ._state import Scan, gated
from ._targets import Rows, Targets
from .gate import Gate
from .one_point import weighed_all

WIDE = 6
"""Beliefs of births that are kept apart; more are taken together."""


@dataclass(frozen=True)
class Undetected:
    """The intensity of targets that no track stands for, as weighted beliefs.

    Attributes:
        rows: beliefs.
        weights: the expected number of targets in each.
        wide: whether it comes from births, and so is wide; the others come from tracks that were given up.
    """

    rows: Rows
    weights: Array
    wide: Any

    @staticmethod
    def of(rows: Rows, weights: Any, wide: bool) -> Undetected:
        """Beliefs of one kind."""
        return Undetected(rows, np.broadcast_to(weights, len(rows)).astype(np.float64), np.full(len(rows), wide))

    def __getitem__(self, which: Any) -> Undetected:
        return Undetected(self.rows[which], self.weights[which], self.wide[which])

    def joined(self, other: Undetected) -> Undetected:
        """These, and the others."""
        if not len(other.weights):
            return self
        weights, wide = np.concatenate((self.weights, other.weights)), np.concatenate((self.wide, other.wide))
        return Undetected(self.rows.joined(other.rows), weights, wide)

    def moved(self, targets: Targets, birth: Rows, dt: float, rate: float, lifetime: float) -> Undetected:
        """The intensity after `dt` seconds, with births at that rate."""
        rows = self.rows.copy()
        targets.predict(rows, dt)
        old = replace(self, rows=rows, weights=self.weights * math.exp(-dt / lifetime))
        return old.joined(Undetected.of(birth, born(rate, lifetime, dt), True))

    def missed(self, targets: Targets, scan: Scan) -> Undetected:
        """The intensity of those that the scan did not detect."""
        seen = scan.detector.seen(targets.means(self.rows), scan.context)
        return replace(self, weights=self.weights * (1.0 - seen))

    def detected(self, targets: Targets, gate: Gate, scan: Scan) -> tuple[Rows, Any, Array]:
        """The beliefs of those that a detection may be of, which detections these are, and the density of each."""
        found = gated(targets, gate, self[~self.wide].rows, scan)
        columns, rows = found.pairs.columns, found.each
        density = self.weights[~self.wide][found.pairs.rows] * np.exp(found.w) * scan.detector.density(scan.z)[columns]
        wide = self[self.wide]
        each, which, owner, logs = weighed_all(targets, wide.rows, scan.detector.sensor, scan.z, scan.context)
        seen = scan.detector.seen(targets.means(each), scan.context)
        rows, columns = rows.joined(each), np.concatenate((columns, which))
        density = np.concatenate((density, wide.weights[owner] * seen * np.exp(logs)))
        some = np.flatnonzero(density > 0.0)
        order = some[np.argsort(columns[some], kind="stable")]
        which, starts = np.unique(columns[order], return_index=True)
        if not len(which):
            return targets.none(), which, np.zeros(0)
        total = np.add.reduceat(density[order], starts)
        starts = np.append(starts, len(order)).astype(np.int64)
        shares = density[order] / np.repeat(total, np.diff(starts))
        return targets.merge(rows[order], starts, shares), which, total

    def kept(self, targets: Targets, faint: float, most: int) -> Undetected:
        """Those that matter, and of those from births a few."""
        order = np.argsort(-self.weights, kind="stable")[:most]
        kept = self[order[self.weights[order] > faint]]
        if kept.wide.sum() <= WIDE:
            return kept
        wide = kept[kept.wide]
        total = wide.weights.sum()
        one = targets.merge(wide.rows, np.array([0, len(wide.weights)]), wide.weights / total)
        return Undetected.of(one, total, True).joined(kept[~kept.wide])
