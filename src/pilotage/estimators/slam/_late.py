"""The innovation of a loop closure by the poses that the other edges give, and its squared Mahalanobis distance.

    e = z (-) x_i^-1 x_j,    d^2 = e' (I^-1 + J H^-1 J')^-1 e      if it is not one of those in H
                             d^2 = e' (I^-1 - J H^-1 J')^-1 e      if it is

This is the change of chi2 when the closure joins the others, or leaves them, to first order. A part of
the map that one closure holds may be far from where that closure puts it, and free to go there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ._guesses import space_of
from ._system import System
from .factors import FactorGraph

if TYPE_CHECKING:
    from pilotage.io import PoseGraph

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

EPS = 1e-6
"""Share that is added to the covariance of an edge which alone holds a part of the map."""


def innovations(edges: PoseGraph, chosen: Indices, graph: FactorGraph, inside: bool) -> Array:
    """``d^2`` of some edges ``(K,)``.

    Args:
        edges: the pose graph.
        chosen: numbers of the edges.
        graph: factors by which its poses are optimal.
        inside: whether these edges are among the factors.

    Returns:
        NaN where the graph does not determine its poses.
    """
    system, space, x = System(graph), space_of(edges), graph.variables["pose"].values
    system.linearize(system.x)
    if not system.factor():
        return np.full(len(chosen), np.nan)
    i, j = edges.edges[chosen].T
    h = space.compose(space.inverse(x[i]), x[j])
    e, back = np.asarray(space.minus(edges.readings[chosen], h)), np.asarray(space.adjoint(space.inverse(h)))
    cov = np.linalg.inv(edges.information[chosen])
    columns, found = system.pattern.columns, np.empty(len(chosen))
    for k in range(len(chosen)):
        J = np.zeros((space.dim, system.pattern.size))
        for v, block in ((i[k], back[k]), (j[k], -np.eye(space.dim))):
            if columns[v] >= 0:
                J[:, columns[v] : columns[v] + space.dim] = block
        spread = J @ np.stack([system.cholesky.solve(row) for row in J], axis=1)
        S = (1.0 + EPS) * cov[k] - spread if inside else cov[k] + spread
        found[k] = e[k] @ np.linalg.solve(S, e[k])
    return found
