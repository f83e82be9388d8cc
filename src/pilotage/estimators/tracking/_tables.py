"""The table of tracks at several instants."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import Space, TrackTable
from ...core.arrays import Array
from ._kinds import Kinds
from .tracks import Tracks

Rows = tuple[Tracks, Any, Array, Array | None]
"""Tracks of an instant, the places of those that count, their states ``(C, n)`` and covariances."""


def tabulated(instants: list[Rows], space: Space, kinds: Kinds, *, covered: bool) -> TrackTable:
    """The table of tracks at instants in order; scores are their existence.

    Args:
        instants: the rows of each.
        space: of the states.
        kinds: those of the tracks.
        covered: whether there are covariances.
    """
    n, d = space.size, space.dim
    ids = np.concatenate([np.zeros(0, np.int64), *(one.ids[which] for one, which, _, _ in instants)])
    return TrackTable(
        np.concatenate([np.zeros(0), *(np.full(len(which), one.t) for one, which, _, _ in instants)]),
        ids,
        np.concatenate([np.zeros((0, n)), *(x for _, _, x, _ in instants)]),
        space=space,
        cov=np.concatenate([np.zeros((0, d, d)), *(P for *_, P in instants if P is not None)]) if covered else None,
        score=np.concatenate([np.zeros(0), *(one.existence[which] for one, which, _, _ in instants)]),
        kind=kinds.of(ids),
    )
