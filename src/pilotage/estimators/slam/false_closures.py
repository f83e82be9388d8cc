"""False loop closures of a pose graph: graduated non-convexity on chordal relaxations, and then on the poses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotage.core.settings import instance

from ._guesses import checked
from ._system import System
from .chordal import Relaxation
from .gauss_newton import GaussNewton
from .graduated import Graduation
from .kernels import TruncatedSquare
from .pose_graph import closing_edges, pose_graph

if TYPE_CHECKING:
    from pilotage.io import PoseGraph

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

QUANTILES = {2: 3.37, 3: 4.10}
"""Roots of the 99 % quantiles of chi-square with 3 and 6 degrees of freedom."""
READMITTED = ((), (30.0, 3.0), (3000.0, 300.0, 30.0, 3.0))
"""Multiples of c^2 up to which closures are tried again, one after another; a heuristic."""
SHRUNK = 0.8
"""Share of edges that remain, below which a relaxation is set up again for them."""
FEW = GaussNewton(iterations=8, tolerance=1e-3)
MANY = GaussNewton(iterations=50, tolerance=1e-6)


class Found(NamedTuple):
    """Closures that were found to be true ``(C,)``, the poses by them, and the robust cost of both."""

    true: Mask
    poses: Array
    cost: float


def false_closures(edges: PoseGraph, kernel: TruncatedSquare | None = None) -> Mask:
    """The edges of a pose graph that are false loop closures, as a mask ``(E,)``.

    ::

        minimise sum over odometry of s  +  sum over closures of min(s, c^2),      s = e' I e

    Odometry is beyond doubt: the edges between poses with consecutive ids, which have to connect all poses. The weights
    of graduated non-convexity are found by chordal relaxation, which needs no guess of the poses. Then the poses are
    optimised by the closures that are left, and closures that agree with them are tried again, from several thresholds
    on; the lowest cost wins. It may be a local minimum where there are few closures and odometry is bad.

    Args:
        edges: the pose graph.
        kernel: the truncated square, with its scale c; default: c^2 is the 99 % quantile of chi-square with 3 or 6
            degrees of freedom. A smaller one suits graphs with information matrices that are too small.

    Raises:
        SettingError: if `edges` is not a `PoseGraph`, or the kernel is none.
        ShapeError: if odometry does not connect all poses, or information matrices are singular.

    Source: Yang, Antonante, Tzoumas and Carlone, "Graduated Non-Convexity for Robust Spatial Perception" (2020),
    algorithm 1; Latif, Cadena and Neira, "Robust loop closing over time for pose graph SLAM" (2013), for trying again.

    Example:
        >>> import numpy as np
        >>> from pilotage.io import PoseGraph
        >>> side, back = [1.0, 0.0, np.pi / 2], [0.0, 0.0, 0.0]
        >>> pairs = [[0, 1], [1, 2], [2, 3], [3, 4], [0, 4], [1, 3]]
        >>> edges = PoseGraph(range(5), None, pairs, [side] * 4 + [back] * 2, [100.0 * np.eye(3)] * 6)
        >>> false_closures(edges).tolist()
        [False, False, False, False, False, True]
    """
    given = TruncatedSquare(QUANTILES[checked(edges, "false_closures").axes]) if kernel is None else kernel
    search = _Search(edges, instance(given, TruncatedSquare, "false_closures"))
    false = np.zeros(len(edges.edges), dtype=bool)
    if search.closing.any():
        first = search.relaxed()
        best = min((search.readmitted(first, multiples) for multiples in READMITTED), key=lambda found: found.cost)
        false[search.closing] = ~best.true
    return false


class _Search:
    """The search for false closures.

    Attributes:
        closing: which edges are closures ``(E,)``.
    """

    def __init__(self, edges: PoseGraph, kernel: TruncatedSquare) -> None:
        self._edges, self._kernel = replace(edges, poses=None), kernel
        self._anchor = int(edges.fixed[0]) if len(edges.fixed) else 0
        self.closing = closing_edges(edges)
        self._all = System(pose_graph(edges, "odometry", kernel=kernel))
        self._flat = System(pose_graph(edges, "odometry", kernel=kernel, residual="chordal"))

    def relaxed(self) -> Mask:
        """Closures of weight 1 after graduated non-convexity of relaxations."""
        graduation = Graduation(self._kernel, int(self.closing.sum()))
        weights, built, relaxation = np.ones(len(self.closing)), np.zeros(len(self.closing), dtype=bool), None
        while not graduation.final:
            active = weights > 0.0
            if relaxation is None or active.sum() < SHRUNK * built.sum():
                built, relaxation = active, Relaxation(self._edges.with_edges(active), self._anchor)
            squares = _squares(self._flat, relaxation.solve(weights[built]))
            graduation.weigh(np.where(built[self.closing], squares, np.inf))
            weights[self.closing] = graduation.weights
        return graduation.weights > 0.5

    def readmitted(self, true: Mask, multiples: tuple[float, ...]) -> Found:
        """Closures that agree with the poses, beginning with these."""
        poses = None
        for multiple in multiples:
            poses = self._poses(true, poses, FEW)
            true = _squares(self._all, poses) < multiple * self._kernel.scale**2
        best = None
        for _ in range(10):
            poses = self._poses(true, poses, MANY)
            found = Found(true, poses, self._all.cost(_vector(self._all, poses)))
            if best is not None and found.cost >= best.cost:
                break
            best, true = found, _squares(self._all, poses) < self._kernel.scale**2
        assert best is not None
        return best

    def _poses(self, true: Mask, last: Array | None, solver: GaussNewton) -> Array:
        """The poses by odometry and these closures, from relaxation or the last poses: which is better."""
        kept = ~self.closing
        kept[self.closing] = true
        graph = pose_graph(self._edges.with_edges(kept))
        solution = solver.solve(graph)
        if last is not None:
            other = solver.solve(graph.moved({"pose": last}))
            solution = min(solution, other, key=lambda each: each.chi2[-1])
        return solution["pose"]


def _vector(system: System, poses: Array) -> Array:
    return system.vector(system.graph.moved({"pose": poses}))


def _squares(system: System, poses: Array) -> Array:
    """``e' W e`` of all closures."""
    return system.groups[1].squares(_vector(system, poses))
