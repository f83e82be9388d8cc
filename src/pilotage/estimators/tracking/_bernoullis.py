"""The steps that Poisson multi-Bernoulli mixture filters share, of targets of one detection and of extended objects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ...core.arrays import Array
from ._doubles import double_trees
from ._histories import Histories
from ._hypotheses import Forest, decided, masses, parted, pruned, without
from ._state import COASTING, CONFIRMED, TENTATIVE, Parts, Scan, State, moved, nothing
from ._targets import Rows
from .tracks import Tracks


@dataclass(frozen=True)
class Bernoullis:
    """The histories of all tracks, each a Bernoulli, and the undetected targets.

    Attributes:
        histories: of the tracks.
        poisson: the undetected targets.
    """

    histories: Histories
    poisson: Any

    @property
    def t(self) -> float:
        return self.histories.t


class Grown(NamedTuple):
    """The histories that tracks may have after a scan.

    Attributes:
        leaves: a row for each history.
        forest: the hypotheses over them.
        path: the last detections of each.
        new: whether each is of a track that begins in this scan.
        poisson: the targets that the scan did not detect.
    """

    leaves: State
    forest: Forest
    path: Any
    new: Any
    poisson: Any


@dataclass(frozen=True)
class BernoulliMixture(ABC):
    """Base of the steps of Poisson multi-Bernoulli mixture filters.

    Attributes:
        settings: of the filter, such as `PMBM`.
        parts: of the tracker.
        targets: the filter of single targets.
        birth: the belief of a new target.
    """

    settings: Any
    parts: Parts
    targets: Any
    birth: Rows

    @abstractmethod
    def _births(self, count: float) -> Any:
        """The undetected targets at first, this expected number."""

    @abstractmethod
    def _grown(self, state: Bernoullis, scan: Scan) -> Grown:
        """The histories, and the likeliest hypotheses over them, that go on from a state at the time of the scan."""

    @abstractmethod
    def _given_up(self, poisson: Any, rows: Rows, weights: Array) -> Any:
        """The undetected targets with those of histories that are given up, as far as they matter."""

    def _left(self, leaves: State, forest: Forest, weak: Any) -> Forest:
        """The hypotheses without the leaves in the mask `weak`."""
        return without(forest, weak, np.zeros(len(weak)))

    def none(self, t: float) -> Bernoullis:
        histories = Histories.none(nothing(self.targets, t), self.settings.depth or 0)
        return Bernoullis(histories, self._births(self.settings.first))

    def predict(self, state: Bernoullis, t: float) -> Bernoullis:
        dt, life = t - state.t, self.settings.lifetime
        if dt == 0.0:
            return state
        poisson = state.poisson.moved(self.targets, self.birth, dt, self.settings.rate, life)
        leaves = moved(self.targets, state.histories.leaves, t, life)
        return Bernoullis(replace(state.histories, leaves=leaves), poisson)

    def step(self, state: Bernoullis, scan: Scan, fresh: Any) -> Bernoullis:
        most, before = self.settings.hypotheses, self.predict(state, scan.t)
        leaves, forest, path, new, poisson = self._grown(before, scan)
        leaves, zero = self._judged(leaves), np.zeros(len(new))
        forest = pruned(forest, zero, self.settings.least, most)
        if self.settings.depth is not None:
            forest = decided(forest, path[:, self.settings.depth, 0])
        weak = leaves.existence < self.settings.forget
        mass = np.where(weak, masses(forest, len(new)), 0.0)
        which = np.flatnonzero(mass > 0.0)
        poisson = self._given_up(poisson, leaves.rows[which], mass[which] * leaves.existence[which])
        weak |= double_trees(self.targets, self.parts.ellipsoid, leaves, forest, new)
        forest = parted(pruned(self._left(leaves, forest, weak), zero, 0.0, most))
        return Bernoullis(state.histories.settled(leaves, forest, path, new, scan, fresh), poisson)

    def _judged(self, leaves: State) -> State:
        """The histories with their status."""
        found = np.where(leaves.source >= 0, CONFIRMED, COASTING)
        return leaves.changed(status=np.where(leaves.existence > self.settings.sure, found, TENTATIVE))

    def tracks(self, state: Bernoullis) -> Tracks:
        return state.histories.tracks(self.targets)
