"""Histories of tracks under several hypotheses: the state of MHT and PMBM, and the end of a scan for both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ._hypotheses import Forest, best, renumbered, used
from ._state import Scan, State
from ._targets import Targets
from .tracks import Tracks

Waiting = dict[int, tuple[dict[int, int], int]]
"""Of each tree that has never been shown: the numbers of the scan in which it began, and its place there."""


def numbered(leaves: State, shown: Any, new: Any, waiting: Waiting, scan: Scan, fresh: Any) -> tuple[State, Waiting]:
    """Leaves whose trees have numbers as soon as they are shown; until then they have keys below 0.

    Args:
        leaves: the leaves.
        shown: those that are shown.
        new: whether each is of a tree that begins in this scan.
        waiting: the trees that have never been shown before this scan.
        scan: the scan.
        fresh: gives numbers.
    """
    waiting = waiting | {int(leaves.ids[i]): (scan.ids, int(leaves.source[i])) for i in np.flatnonzero(new)}
    ids = leaves.ids.copy()
    for key in sorted(set(ids[shown][ids[shown] < 0].tolist()), reverse=True):
        given, place = waiting[key]
        if place not in given:
            given[place] = fresh()
        ids[leaves.ids == key] = given[place]
    left = set(ids[ids < 0].tolist())
    return replace(leaves, ids=ids), {key: value for key, value in waiting.items() if key in left}


@dataclass(frozen=True)
class Histories:
    """The histories of all tracks, and the hypotheses over them.

    Attributes:
        leaves: a row for each history; their numbers are those of their trees, one tree for each track.
        forest: the clusters of hypotheses.
        path: of each leaf, the places of its ancestors after this scan and those before; see `lengthened`.
        waiting: the trees that have never been shown; see `numbered`.
    """

    leaves: State
    forest: Forest
    path: Any
    waiting: Waiting

    @property
    def t(self) -> float:
        return self.leaves.t

    def settled(self, leaves: State, forest: Forest, path: Any, new: Any, scan: Scan, fresh: Any) -> Histories:
        """The histories after these: of the leaves, those that a hypothesis uses, with numbers for those shown.

        Args:
            leaves, forest, path: the leaves after the scan, the hypotheses over them, and their ancestors.
            new: whether each leaf is of a tree that begins in this scan.
            scan, fresh: the scan, and a function that gives numbers.
        """
        kept = used(forest)
        forest = renumbered(forest, kept)
        after, waiting = numbered(leaves[kept], best(forest), new[kept], self.waiting, scan, fresh)
        gone = np.setdiff1d(self.leaves.ids[self.leaves.ids > 0], after.ids)
        return Histories(replace(after, gone=gone), forest, path[kept], waiting)

    def shown(self, targets: Targets) -> Tracks:
        """The tracks of the best hypothesis, in the order of their numbers."""
        shown = best(self.forest)
        return self.leaves[shown[np.argsort(self.leaves.ids[shown], kind="stable")]].shown(targets)
