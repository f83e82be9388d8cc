"""Histories of tracks under several hypotheses: the state of MHT and PMBM, and the end of a scan for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._hypotheses import Forest, best, renumbered, used
from ._state import TENTATIVE, Scan, State
from ._targets import Targets
from .tracks import Tracks

COMMON = 5
"""Scans in which trees may have detections in common, to be of the same target."""
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
    return leaves.changed(ids=ids), {key: value for key, value in waiting.items() if key in left}


def handed_over(ids: Any, path: Any, sure: Any, ids_before: Any, path_before: Any) -> Any:
    """Numbers of leaves, where a tree that is confirmed in place of another one changes numbers with it.

    When another hypothesis becomes the best, a target may go on in another tree, such as one that begins at another
    first detection. It is the same target if both had a detection in common, and so it keeps its number.

    Args:
        ids, path: of the leaves.
        sure: those that are shown as confirmed.
        ids_before, path_before: of the leaves that were shown so after the last scan.
    """
    gone = np.flatnonzero(~np.isin(ids_before, ids[sure]))
    came = sure[~np.isin(ids[sure], ids_before)]
    if not len(gone) or not len(came):
        return ids
    mine, theirs = path[came][:, None, 1:, 1], path_before[gone][None, :, :-1, 1]
    common, after = ((mine == theirs) & (mine >= 0)).sum(-1), ids.copy()
    while common.max() > 0:
        i, j = np.unravel_index(common.argmax(), common.shape)
        one, other = ids[came[i]], ids_before[gone[j]]
        after[ids == one], after[ids == other] = other, one
        common[i], common[:, j] = 0, 0
    return after


def confirmed(leaves: State, which: Any) -> Any:
    """Of these leaves, those that are confirmed."""
    return which[leaves.status[which] != TENTATIVE]


@dataclass(frozen=True)
class Histories:
    """The histories of all tracks, and the hypotheses over them.

    Attributes:
        leaves: a row for each history; their numbers are those of their trees, one tree for each track.
        forest: the clusters of hypotheses.
        path: of each leaf, after this scan and each of those before: the place of its ancestor, and its detection, -1
            for none; ``(L, N, 2)``.
        waiting: the trees that have never been shown; see `numbered`.
    """

    leaves: State
    forest: Forest
    path: Any
    waiting: Waiting

    @staticmethod
    def none(leaves: State, depth: int) -> Histories:
        """No histories, with no leaves, whose ancestors are to be known for so many scans."""
        return Histories(leaves, Forest(), np.zeros((0, max(depth, COMMON) + 1, 2), np.int64), {})

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
        leaves, path, shown = leaves[kept], path[kept], best(forest)
        before = confirmed(self.leaves, best(self.forest))
        ids = handed_over(leaves.ids, path, confirmed(leaves, shown), self.leaves.ids[before], self.path[before])
        after, waiting = numbered(leaves.changed(ids=ids), shown, new[kept], self.waiting, scan, fresh)
        return Histories(after, forest, path, waiting)

    def tracks(self, targets: Targets) -> Tracks:
        """The tracks of the best hypothesis, in the order of their numbers."""
        shown = best(self.forest)
        return self.leaves[shown[np.argsort(self.leaves.ids[shown], kind="stable")]].tracks(targets)
