"""The step of filters on random finite sets: targets are weighted beliefs, and targets that were never detected."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ...core.arrays import Array
from ...core.settings import Count, Fraction, NonNegative, settings
from ._births import Births, born
from ._histories import Waiting, numbered
from ._reduction import judged, labels, reduced, split
from ._state import GatedPairs, Parts, Scan, State, children, gated, moved, newborn, nothing
from ._targets import Rows
from ._undetected import Undetected
from .cardinality import Cardinality
from .one_point import OnePoint
from .tracks import Tracks


@dataclass(frozen=True)
class Components:
    """Targets that were detected, as weighted beliefs, and those that were not.

    Attributes:
        leaves: a row for each belief; its number is that of its track, its existence that of all beliefs of the track.
        weights: the expected number of targets in each.
        poisson: the targets that were never detected.
        known: logarithms of the probabilities of the number of all targets, of methods that know it.
        waiting: the tracks that have never been shown; see `numbered`.
    """

    leaves: State
    weights: Array
    poisson: Undetected
    known: Any
    waiting: Waiting

    @property
    def t(self) -> float:
        return self.leaves.t

    @property
    def total(self) -> float:
        """The expected number of all targets."""
        return float(self.weights.sum() + self.poisson.weights.sum())


@dataclass(frozen=True)
class Sight:
    """The evidence of a scan for each belief.

    Attributes:
        before: the beliefs before the scan.
        found: the pairs of these and the detections in their gates.
        odds: of each pair, the expected number of targets in the belief times ``P_D N(z (-) h(x); 0, S) / lambda``.
        rows, which, born: the beliefs of targets that appear, their detections, and the odds of these.
        poisson: the targets that were never detected, after the scan.
    """

    before: Components
    found: GatedPairs
    odds: Array
    rows: Rows
    which: Any
    born: Array
    poisson: Undetected

    @property
    def each(self) -> Array:
        """The odds of each detection over all that may have caused it, ``(K,)``."""
        total = np.asarray(np.bincount(self.found.pairs.columns, self.odds, self.found.pairs.detections), np.float64)
        total[self.which] += self.born
        return total

    @property
    def missed(self) -> Array:
        """The expected number of targets in each belief that are not detected."""
        return self.before.weights * (1.0 - self.found.P)


@dataclass(frozen=True)
class Masses:
    """The expected number of targets in each belief after a scan.

    Attributes:
        missed: of the beliefs before, without a detection.
        pairs: of those of each pair.
        new: of those that appear.
        undetected: factor of those that were never detected.
        known: as of `Components`.
    """

    missed: Array
    pairs: Array
    new: Array
    undetected: float = 1.0
    known: Any = None


@settings
class RandomSets(Births):
    """Base of the settings of filters on random finite sets.

    Attributes:
        apart: whether beliefs of different tracks are never taken together.
    """

    apart: ClassVar[bool] = False
    sure: Fraction = 0.5
    lost: Fraction = 0.02
    begin: Fraction = 0.01
    forget: Fraction = 1e-3
    least: Fraction = 1e-5
    components: Count = 1000
    faint: NonNegative = 1e-5

    @abstractmethod
    def masses(self, sight: Sight) -> Masses:
        """The expected number of targets in each belief after a scan."""

    @abstractmethod
    def cardinality(self, state: Components) -> Cardinality:
        """The distribution of the number of all targets."""

    def numbers(self, known: Any, stays: float, births: float) -> Any:
        """The number of targets before a scan, of which each stays with that probability; `known` is None at first."""
        return None

    def method(self, parts: Parts) -> RandomSetFilter:
        """The method of a tracker."""
        return RandomSetFilter(self, parts, self.initiation(parts))


@dataclass(frozen=True)
class RandomSetFilter:
    """The step of a filter on random finite sets."""

    settings: RandomSets
    parts: Parts
    initiation: OnePoint

    @property
    def targets(self) -> Any:
        return self.parts.targets

    @property
    def birth(self) -> Any:
        return self.targets.packed(self.initiation.birth)

    def none(self, t: float) -> Components:
        first = self.settings.first
        poisson, known = Undetected.of(self.birth, first, True), self.settings.numbers(None, 1.0, first)
        return Components(nothing(self.targets, t), np.zeros(0), poisson, known, {})

    def predict(self, state: Components, t: float) -> Components:
        dt, rate, life = t - state.t, self.settings.rate, self.settings.lifetime
        if dt == 0.0:
            return state
        stays = math.exp(-dt / life)
        return replace(
            state,
            leaves=moved(self.targets, state.leaves, t, life),
            weights=state.weights * stays,
            poisson=state.poisson.moved(self.targets, self.birth, dt, rate, life),
            known=self.settings.numbers(state.known, stays, born(rate, life, dt)),
        )

    def step(self, state: Components, scan: Scan, fresh: Any) -> Components:
        own, sight = self.settings, self._seen(self.predict(state, scan.t), scan)
        masses, lowest = own.masses(sight), int(state.leaves.ids.min(initial=0))
        leaves, weights = self._few(*self._grown(sight, masses, scan, lowest), lowest - 1 - len(scan.z))
        shown = np.flatnonzero((leaves.ids > 0) | (leaves.existence >= own.begin))
        leaves, waiting = numbered(leaves, shown, leaves.ids < lowest, state.waiting, scan, fresh)
        rest = replace(sight.poisson, weights=sight.poisson.weights * masses.undetected)
        rest = rest.kept(self.targets, own.faint, own.components)
        return Components(leaves, weights, rest, masses.known, waiting)

    def _grown(self, sight: Sight, masses: Masses, scan: Scan, lowest: int) -> tuple[State, Array]:
        """The beliefs after the scan that have some weight; tracks that begin have keys below the lowest number."""
        keys = lowest - 1 - sight.which
        new = newborn(sight.rows, scan.places[sight.which], keys, scan.t, 0.0)
        weights = np.concatenate((masses.missed, masses.pairs, masses.new))
        kept = np.flatnonzero(weights > self.settings.least)
        return children(sight.before.leaves, sight.found, scan, new)[kept], weights[kept]

    def _few(self, leaves: State, weights: Array, lowest: int) -> tuple[State, Array]:
        """The beliefs that are kept, with the existence and status of their tracks."""
        own = self.settings
        leaves, weights = reduced(self.targets, self.parts.ellipsoid, leaves, weights, own.apart, own.components)
        if not own.apart:
            leaves = split(leaves, weights, own.sure, lowest)
        return judged(leaves, weights, own.sure, own.lost, own.forget)

    def _seen(self, before: Components, scan: Scan) -> Sight:
        """The evidence of the scan for each belief."""
        parts, clutter = self.parts, scan.detector.density(scan.z)
        found = gated(parts.targets, parts.gate, before.leaves.rows, scan)
        odds = before.weights[found.pairs.rows] * np.exp(np.minimum(found.w, 300.0))
        rows, which, density = before.poisson.detected(parts.targets, parts.gate, scan)
        after = before.poisson.missed(parts.targets, scan)
        return Sight(before, found, odds, rows, which, density / clutter[which], after)

    def tracks(self, state: Components) -> Tracks:
        """The heaviest belief of each track."""
        ids, _, heaviest = labels(state.leaves.ids, state.weights)
        shown = state.leaves[heaviest[ids > 0]]
        return shown.tracks(self.targets, self.settings.cardinality(state))
