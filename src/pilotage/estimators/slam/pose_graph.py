"""Factor graphs of pose graphs from files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from pilotage.core import ShapeError
from pilotage.core.settings import setting
from pilotage.models import relative_pose

from .factors import FactorGraph, Factors, Variables
from .initial import checked, chordal, spanning_tree

if TYPE_CHECKING:
    from pilotage.io import PoseGraph


Guess = Literal["chordal", "tree", "given"]


def pose_graph(edges: PoseGraph, initial: Guess = "chordal") -> FactorGraph:
    """The factor graph of a pose graph: variables "pose", connected by `relative_pose` factors.

    ::

        chi2 = sum Log(h^-1 z)' I Log(h^-1 z),     h = x_i^-1 x_j

    I is the information of an edge. The poses that the file fixes stay fixed; if there are none, the first one does.

    Args:
        edges: the pose graph, as returned by `pilotage.io.read_g2o`.
        initial: the initial guess: "chordal" relaxation, a spanning "tree", or the "given" poses.

    Raises:
        SettingError: if `edges` is not a `PoseGraph`, or there is no such guess.
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
    sensor, initial = relative_pose(checked(edges, "pose_graph").axes), setting(initial, Guess, "initial")
    fixed = edges.fixed if len(edges.fixed) else np.array([0])
    if initial == "given":
        if edges.poses is None:
            raise ShapeError("the pose graph has edges only; expected poses to begin with, or initial='chordal'")
        poses = edges.poses
    else:
        poses = {"chordal": chordal, "tree": spanning_tree}[initial](edges, int(fixed[0]))
    i, j = edges.edges.T
    return FactorGraph(
        {"pose": Variables(sensor.state, poses, fixed)},
        [Factors(sensor, edges.readings, ("pose", i), ("pose", j), edges.information)],
    )
