"""Factor graphs of pose graphs from files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from pilotage.core import ShapeError
from pilotage.core.settings import setting
from pilotage.models import relative_pose

from ._guesses import checked, space_of
from ._relative_matrix import relative_matrix
from .chordal import chordal, matrix_readings
from .factors import FactorGraph, Factors, Variables
from .kernels import RobustKernel
from .spanning_tree import spanning_tree

if TYPE_CHECKING:
    from pilotage.io import PoseGraph

Array = NDArray[np.float64]
Guess = Literal["chordal", "tree", "odometry", "given"]
Residual = Literal["geodesic", "chordal"]


def pose_graph(
    edges: PoseGraph, initial: Guess = "chordal", *, kernel: RobustKernel | None = None, residual: Residual = "geodesic"
) -> FactorGraph:
    """The factor graph of a pose graph: variables "pose", connected by `relative_pose` factors.

    ::

        geodesic    chi2 = sum Log(h^-1 z)' I Log(h^-1 z),                                     h = x_i^-1 x_j
        chordal     chi2 = sum kappa |R_j - R_i R_ij|^2 + tau |t_j - t_i - R_i t_ij|^2

    I is the information of an edge; kappa and tau are its precisions without directions, see `chordal`. The poses that
    the file fixes stay fixed; if there are none, the first one does.

    Args:
        edges: the pose graph, as returned by `pilotage.io.read_g2o`.
        initial: the initial guess: "chordal" relaxation, a spanning "tree", the "odometry" alone, or the "given" poses.
            Only the last two do without the edges that close loops, which may be false.
        kernel: a robust kernel for the edges that close loops: all but those between poses with consecutive ids.
        residual: "geodesic", as in g2o and GTSAM; or "chordal", as in SE-Sync, for which there is a `certificate`, and
            which works without the off-diagonal blocks of I.

    Raises:
        SettingError: if `edges` is not a `PoseGraph`, or there is no such guess or residual.
        ShapeError: if "given" poses are missing, or some poses are not connected to the first.

    Example:
        >>> import numpy as np
        >>> from pilotage.estimators.slam import GaussNewton
        >>> from pilotage.io import PoseGraph
        >>> square = [[1.0, 0.0, np.pi / 2]] * 4
        >>> edges = PoseGraph(range(4), None, [[0, 1], [1, 2], [2, 3], [3, 0]], square, [np.eye(3)] * 4)
        >>> solution = GaussNewton().solve(pose_graph(edges))
        >>> solution["pose"][2].round(3).tolist(), solution.chi2[-1] < 1e-12
        ([1.0, 1.0, 3.142], True)
    """
    space, initial = space_of(checked(edges, "pose_graph")), setting(initial, Guess, "initial")
    fixed = edges.fixed if len(edges.fixed) else np.array([0])
    poses = Variables(space, _guess(edges, initial, int(fixed[0])), fixed)
    if setting(residual, Residual, "residual") == "chordal":
        sensor, z, W = relative_matrix(edges.axes), *matrix_readings(edges)
    else:
        sensor, z, W = relative_pose(edges.axes), edges.readings, edges.information
    parts = [np.ones(len(z), dtype=bool)] if kernel is None else [~(closing := closing_edges(edges)), closing]
    factors: list[Factors] = []
    for part, robust in zip(parts, (None, kernel), strict=False):
        i, j = edges.edges[part].T
        factors.append(Factors(sensor, z[part], ("pose", i), ("pose", j), W[part], robust))
    return FactorGraph({"pose": poses}, factors)


def closing_edges(edges: PoseGraph) -> NDArray[np.bool_]:
    """The edges of a pose graph that close loops, as a mask ``(E,)``: all but those between poses with consecutive ids.

    Example:
        >>> import numpy as np
        >>> from pilotage.io import PoseGraph
        >>> ahead = [[1.0, 0.0, 0.0]] * 3
        >>> closing_edges(PoseGraph([4, 5, 6], None, [[0, 1], [1, 2], [2, 0]], ahead, [np.eye(3)] * 3)).tolist()
        [False, False, True]
    """
    ids = checked(edges, "closing_edges").ids
    i, j = ids[edges.edges].T
    return abs(i - j) != 1


def _guess(edges: PoseGraph, initial: Guess, anchor: int) -> Array:
    """The initial guess of the poses."""
    if initial == "given":
        if edges.poses is None:
            raise ShapeError("the pose graph has edges only; expected poses to begin with, or initial='chordal'")
        return edges.poses
    if initial == "odometry":
        edges = edges.with_edges(~closing_edges(edges))
    return (chordal if initial == "chordal" else spanning_tree)(edges, anchor)
