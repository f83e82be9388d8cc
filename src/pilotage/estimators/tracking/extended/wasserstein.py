"""The Gaussian Wasserstein distance of extended objects, and tables of their shapes, for the scores of trackers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ....core import Space, TrackTable
from ....core.arrays import Array
from ....core.settings import instances
from ..tracks import Tracks
from ._bodies import frames
from .extent import Outline

SHAPE = Space("x y [m]", "heading: angle", "length width [m]")
"""Centre, direction and full axes of an extended object."""


def wasserstein(x: Any, y: Any) -> Array:
    """The Gaussian Wasserstein distance [m] of shapes ``(..., 5)`` on `SHAPE`; a distance for `scores.compare`.

    ::

        d^2  =  |c_x - c_y|^2  +  tr( X + Y - 2 (X^(1/2) Y X^(1/2))^(1/2) )

    in which the semi-axes of a shape are the roots of the eigenvalues of its X. It is the distance of the centres where
    both shapes are alike.

    Source: Givens and Shortt, "A class of Wasserstein metrics for probability distributions", Michigan Math. J. 31,
    1984; Yang, Baum and Granstrom, "Metrics for performance evaluation of elliptic extended object tracking methods",
    MFI 2016.

    Raises:
        ShapeError: when the last axis of one does not have the five numbers of `SHAPE`.

    Example:
        >>> wasserstein([0.0, 0.0, 0.0, 4.0, 2.0], [3.0, 0.0, 0.0, 4.0, 2.0]).item()
        3.0
    """
    x, y = SHAPE.check(x, "x of wasserstein", finite=False), SHAPE.check(y, "y of wasserstein", finite=False)
    X, Y = _matrices(x), _matrices(y)
    both = np.einsum("...ab,...ba->...", X, Y)
    size = 0.0625 * x[..., 3] * x[..., 4] * y[..., 3] * y[..., 4]
    shape = np.einsum("...aa->...", X) + np.einsum("...aa->...", Y) - 2.0 * np.sqrt(both + 2.0 * size)
    return np.sqrt(np.square(x[..., :2] - y[..., :2]).sum(-1) + np.maximum(shape, 0.0))


def _matrices(x: Array) -> Array:
    T = frames(x[..., 2])
    return T * (0.25 * x[..., None, 3:] ** 2) @ np.swapaxes(T, -1, -2)


def shape_of(outline: Outline) -> Array:
    """An outline as a state of `SHAPE`.

    Example:
        >>> shape_of(Outline(np.array([1.0, 2.0]), 4.0, 2.0, 0.5, False, 10.0, "car")).tolist()
        [1.0, 2.0, 0.5, 4.0, 2.0]
    """
    return np.array([*outline.center, outline.heading, outline.length, outline.width])


def shape_table(found: Iterable[Tracks]) -> TrackTable:
    """The shapes of the confirmed tracks of all scans, for `scores`; the score of a row is the existence.

    Example:
        >>> len(shape_table([]))
        0
    """
    t, ids, x, score = list[float](), list[int](), list[Array](), list[float]()
    for tracks in instances(found, Tracks, "shape_table"):
        shown = np.flatnonzero(tracks.confirmed)
        x += [shape_of(each) for each in tracks.extents]
        t += [tracks.t] * len(shown)
        ids += tracks.ids[shown].tolist()
        score += tracks.existence[shown].tolist()
    return TrackTable(t, ids, np.reshape(x, (-1, 5)), space=SHAPE, score=score)
