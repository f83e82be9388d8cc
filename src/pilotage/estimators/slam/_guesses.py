"""Checks of pose graphs, and their spanning trees, for initial guesses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from pilotage.core import ShapeError, Space
from pilotage.core.settings import instance, whole

if TYPE_CHECKING:
    from pilotage.io import PoseGraph


def checked(graph: PoseGraph, who: str) -> PoseGraph:
    """The graph, or a sentence about what is none."""
    from pilotage.io import PoseGraph  # loads the readers of images

    return instance(graph, PoseGraph, who, "; read_g2o(...) of pilotage.io reads one from a file")


def anchor_of(graph: PoseGraph, anchor: int) -> int:
    """The anchor of a guess, which needs all readings."""
    if (missing := np.isnan(graph.readings).any(axis=1)).any():
        raise ShapeError(
            f"the reading of edge {int(np.argmax(missing))} is NaN; a guess needs all readings, or give the poses: "
            "initial='given'"
        )
    return whole(anchor, "anchor", 0, len(graph.ids) - 1)


def space_of(graph: PoseGraph) -> Space:
    """The space of the poses of a graph."""
    return Space("pose: SE2" if graph.axes == 2 else "pose: SE3")


def tree(graph: PoseGraph, n: int, anchor: int) -> tuple[Any, Any, Any]:
    """Poses in breadth-first order; of each the one before it, and the edge from there."""
    i, j = graph.edges.T
    ties: Any = sparse.coo_matrix((np.ones(len(i)), (i, j)), shape=(n, n)).tocsr()
    order, before = csgraph.breadth_first_order(ties, anchor, directed=False)
    if len(order) < n:
        missing = np.setdiff1d(np.arange(n), order)
        raise ShapeError(
            f"{len(missing)} of {n} poses, {graph.ids[missing[0]]} the first, are not tied to pose {graph.ids[anchor]} "
            "by edges; expected a connected graph"
        )
    first, second = np.minimum(i, j), np.maximum(i, j)
    keys = first * n + second
    sorted_edges = np.argsort(keys, kind="stable")
    v = np.arange(n)
    wanted = np.minimum(v, before) * n + np.maximum(v, before)
    found = np.searchsorted(keys[sorted_edges], wanted)
    edge = sorted_edges[np.minimum(found, len(keys) - 1)]
    return order, before, edge
