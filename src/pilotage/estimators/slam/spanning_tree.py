"""Initial guesses of the poses of a graph along a spanning tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ._guesses import anchor_of, checked, space_of, tree

if TYPE_CHECKING:
    from pilotage.io import PoseGraph

Array = NDArray[np.float64]


def spanning_tree(graph: PoseGraph, anchor: int = 0) -> Array:
    """An initial guess along a breadth-first tree of edges from the anchor, which is the origin.

    ::

        x_j = x_i z_ij

    Errors accumulate along the tree, so long loops do not close. `chordal` is a better guess, at the cost of solving a
    sparse linear system.

    Args:
        graph: N poses and their edges.
        anchor: index of the pose at the origin.

    Returns:
        ``(N, 3)`` or ``(N, 7)``.

    Raises:
        ShapeError: if some poses are not connected to the anchor.

    Example:
        >>> import numpy as np
        >>> from pilotage.io import PoseGraph
        >>> edges = PoseGraph([0, 1, 2], None, [[0, 1], [2, 1]], [[1, 0, 0], [1, 0, 0]], [np.eye(3)] * 2)
        >>> spanning_tree(edges).round(6).tolist()
        [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    space, n, anchor = space_of(checked(graph, "spanning_tree")), len(graph.ids), anchor_of(graph, anchor)
    order, before, edge = tree(graph, n, anchor)
    forwards = graph.edges[edge, 1] == np.arange(n)
    step = np.where(forwards[:, None], graph.readings[edge], space.inverse(graph.readings[edge]))
    x = np.tile(space.identity(), (n, 1))
    depth = np.zeros(n, dtype=np.int64)
    for v in order[1:]:
        depth[v] = depth[before[v]] + 1
    for level in range(1, depth.max(initial=0) + 1):
        v = np.flatnonzero(depth == level)
        x[v] = space.compose(x[before[v]], step[v])
    return x
