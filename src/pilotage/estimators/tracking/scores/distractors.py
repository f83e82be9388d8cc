"""Distractors of MOTChallenge: tracks on what is labelled, but not to be tracked, are taken out before scoring."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ....core import ShapeError, TrackTable
from .._assignment import assigned
from .comparison import compare
from .hota import EPS

DISTRACTORS = ("2", "7", "8", "12")
"""Persons on vehicles, static persons, distractors and reflections."""


def without_distractors(
    truth: TrackTable,
    tracks: TrackTable,
    *,
    kinds: Iterable[str] = DISTRACTORS,
    scored: Iterable[str] = ("1",),
    threshold: float = 0.5,
) -> tuple[TrackTable, TrackTable]:
    """The truth that is scored, and the tracks that are not on distractors, for MOT16 and later.

    At each instant, tracks are matched with all boxes of the truth for the largest sum of IoU, pairs below the
    threshold left out. Rows of tracks that are matched with a distractor are taken out; so is the truth of other kinds,
    and that with a score, which is its flag in MOTChallenge, of 0.

    Source: Milan et al., "MOT16: a benchmark for multi-object tracking", 2016, section 4.1.3; equal to TrackEval.

    Args:
        truth: all boxes of the ground truth with their kinds: ``read_mot_truth(path, ignored=True, classes=None)``.
        tracks: the result of a tracker.
        kinds: kinds of the distractors; those of MOT16 and MOT17. MOT20 has "6" too.
        scored: kinds that are scored.
        threshold: IoU from which on a pair may match.

    Raises:
        ShapeError: if the truth has no kinds.

    Example:
        >>> from pilotage.core import BOX
        >>> boxes = [[0, 0, 9, 9], [50, 0, 9, 9]]
        >>> truth = TrackTable([0.0, 0.0], [1, 2], boxes, space=BOX, kind=["1", "8"])
        >>> tracks = TrackTable([0.0, 0.0], [1, 2], boxes, space=BOX)
        >>> [table.id.tolist() for table in without_distractors(truth, tracks)]
        [[1], [1]]
    """
    c = compare(truth, tracks, threshold=threshold)
    if truth.kind is None:
        raise ShapeError("the truth has no kinds, so there are no distractors in it; read it with classes=None")
    weights = np.where(c.similarity >= c.threshold - EPS, c.similarity, -1.0)
    edges = assigned(c.starts, c.column, -weights, len(tracks))
    edges = edges[edges >= 0]
    distracting = np.isin(truth.kind[c.row[edges]], [*kinds])
    kept = np.ones(len(tracks), dtype=bool)
    kept[c.column[edges[distracting]]] = False
    counted = np.isin(truth.kind, [*scored])
    return truth[counted if truth.score is None else counted & (truth.score != 0.0)], tracks[kept]
