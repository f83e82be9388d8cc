"""Pairs of tracks of two trackers that may be of one target, and the best assignment of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....core import Gaussian
from ....core.arrays import Array
from .._assignment import assigned
from ..gate import Gate, Pairs
from ._combined import transposed


def near(a: Gaussian, b: Gaussian, gate: Gate) -> Pairs:
    """The pairs of beliefs ``(N,)`` and ``(K,)`` with ``d' (A + B)^-1 d`` within the gate, d = b (-) a.

    A + B is the covariance of the difference of independent errors; of errors with information in common it is too
    large, and the gate too wide.
    """
    space: Any = a.space
    n, k, limit = len(a.mean), len(b.mean), gate.limit(space.dim)
    rows, columns = (each.ravel() for each in np.indices((n, k)))
    d = np.asarray(space.minus(b.mean[None], a.mean[:, None])).reshape(n * k, space.dim)
    if space.flat:  # what is too far along one component is not looked at again
        var = (np.square(a.std)[:, None] + np.square(b.std)).reshape(n * k, space.dim)
        close = np.flatnonzero((np.square(d) <= limit * var).all(-1))
        rows, columns, d = rows[close], columns[close], d[close]
    B = b.cov[columns]
    if not space.flat:
        G = space.transport(b.mean[columns], a.mean[rows])
        B = G @ B @ transposed(G)
    squared = np.einsum("pi,pi->p", d, np.linalg.solve(a.cov[rows] + B, d[..., None])[..., 0])
    kept = np.flatnonzero(squared <= limit)
    return Pairs(rows[kept], columns[kept], squared[kept], n, k)


def partners(pairs: Pairs, linked: Any, limit: float) -> tuple[Any, Any]:
    """Rows and columns of the best assignment: as many pairs as possible, then the nearest, those of before first.

    Args:
        pairs: those in the gate.
        linked: whether each pair was together before.
        limit: of the gate, by which such a pair is preferred.
    """
    costs: Array = pairs.distances - (2.0 + linked) * limit - 1.0
    chosen = assigned(pairs.starts, pairs.columns, costs, pairs.detections)
    rows = np.flatnonzero(chosen >= 0)
    return rows, pairs.columns[chosen[rows]]
