"""Pose graphs with false loop closures: graduated non-convexity, begun by chordal relaxation in each round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pilotage.core import ShapeError

from .chordal import Relaxation
from .graduated import GraduatedNonConvexity
from .kernels import GemanMcClure, TruncatedSquare
from .pose_graph import closures, pose_graph
from .solution import Solution

if TYPE_CHECKING:
    from pilotage.io import PoseGraph

Array = NDArray[np.float64]

FLOOR = 1e-9
"""The least weight of an edge in a relaxation, so that poses which only false closures reach stay determined."""


def reject_false_closures(
    edges: PoseGraph,
    kernel: TruncatedSquare | GemanMcClure | None = None,
    solver: GraduatedNonConvexity | None = None,
) -> Solution:
    """The poses of a pose graph of which some loop closures are false, and which ones are.

    ::

        minimise sum over odometry of s  +  sum over closures of rho(s),      s = e' I e

    Odometry is beyond doubt: the edges between poses with consecutive ids, which have to connect all poses. Each
    weighted problem is begun by chordal relaxation with the same weights, which needs no good guess.

    Args:
        edges: the pose graph.
        kernel: rho; default: the truncated square, whose scale is the root of the 99.9 % quantile of chi-square with 3
            or 6 degrees of freedom. A smaller one suits graphs whose information matrices are too small.
        solver: the solver; default: `GraduatedNonConvexity`.

    Returns:
        The solution. ``weights[1]`` are those of the closures in the order of `closures`: 0 if false.

    Raises:
        ShapeError: if odometry does not connect all poses, or information matrices are singular.

    Source: Yang, Antonante, Tzoumas and Carlone, "Graduated Non-Convexity for Robust Spatial Perception" (2020),
    section V.C.

    Example:
        >>> import numpy as np
        >>> from pilotage.io import PoseGraph
        >>> side, back = [1.0, 0.0, np.pi / 2], [0.0, 0.0, 0.0]
        >>> pairs = [[0, 1], [1, 2], [2, 3], [3, 4], [0, 4], [1, 3]]
        >>> edges = PoseGraph(range(5), None, pairs, [side] * 4 + [back] * 2, [100.0 * np.eye(3)] * 6)
        >>> reject_false_closures(edges).weights[1].tolist()
        [1.0, 0.0]
    """
    if kernel is None:
        kernel = TruncatedSquare(4.03 if edges.axes == 2 else 4.74)
    graph = pose_graph(edges, "odometry", kernel=kernel)
    closing, anchor = closures(edges), int(edges.fixed[0]) if len(edges.fixed) else 0
    if len(edges.fixed) > 1:
        raise ShapeError(f"the pose graph fixes {len(edges.fixed)} poses; expected one at most, the origin")
    whole = Relaxation(edges if edges.poses is None else replace(edges, poses=None), anchor)

    def guess(weights: tuple[Array, ...]) -> Mapping[str, Array]:
        each = np.empty(len(closing))
        each[~closing], each[closing] = weights
        return {"pose": whole.solve(np.maximum(each, FLOOR))}

    return (solver or GraduatedNonConvexity()).solve(graph, guess)
