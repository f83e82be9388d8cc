"""False loop closures of a pose graph: evidence by pairs, graduated non-convexity, and late acceptance."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotage.core.settings import instance

from ._evidence import evidence
from ._guesses import checked
from ._late import innovations
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
SUPPORTED = 5.0, 20.0
"""Log-odds from which on closures are searched for false ones; a heuristic, as all that follows."""
ALONE = 0.25
"""Share of closures with such odds, below which there is a start from all of them."""
DOUBTED = 2.0
"""Multiple of c^2 that evidence adds to the limit of a closure at most."""
READMITTED = ((), (30.0, 3.0))
"""Multiples of the limit up to which closures are tried again, one after another."""
SHRUNK = 0.8
"""Share of edges that remain, below which a relaxation is set up again for them."""
MOST, TAIL, FLOOR = 20, 5.0, 0.25
"""Closures from which on the limit is at most a multiple of their 95 % quantile, and at least a share of c^2."""
LATE, ROUNDS = 200, 5
"""Closures that are tried late at a time, and how many times."""
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

        minimise sum over odometry of s  +  sum over closures of min(s, c^2 + min(2 l, 2 c^2)),      s = e' I e

    Odometry is beyond doubt: the edges between poses with consecutive ids, which have to connect all poses. Closures
    that agree with others nearby have log-odds l to be true: random false ones hardly ever agree. Those with high odds
    go through graduated non-convexity on chordal relaxations, which need no guess of the poses, and then on the poses.
    Others that agree with these poses are tried again, and in the end those that fit as well as the covariance of the
    poses allows. The lowest cost of several starts wins. Where nearly all closures that are left fit far better than
    c^2, their information is too small, and c^2 is lowered. The result may be a local minimum where closures are few.

    Args:
        edges: the pose graph.
        kernel: the truncated square, with its scale c; default: c^2 is the 99 % quantile of chi-square with 3 or 6
            degrees of freedom. A smaller one suits graphs with information matrices that are too small.

    Raises:
        SettingError: if `edges` is not a `PoseGraph`, or the kernel is none.
        ShapeError: if odometry does not connect all poses, or information matrices are singular.

    Source: Yang, Antonante, Tzoumas and Carlone, "Graduated Non-Convexity for Robust Spatial Perception" (2020),
    algorithm 1; Mangelson et al., "Pairwise Consistent Measurement Set Maximization" (2018), for agreement; Latif,
    Cadena and Neira, "Robust loop closing over time for pose graph SLAM" (2013), for trying again.

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
        false[search.closing] = ~search.best().true
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
        self._odds = evidence(edges, self.closing, self._all.graph.variables["pose"].values)
        c2 = kernel.scale**2
        self._limits = c2 + np.minimum(2.0 * self._odds, DOUBTED * c2)

    def best(self) -> Found:
        """The lowest cost of all starts."""
        starts = dict[bytes, Mask]()
        alone = (self._odds > SUPPORTED[0]).mean() < ALONE
        for odds in (*SUPPORTED, *([-1.0] if alone else [])):
            for limits in (self._limits, np.full(len(self._odds), self._kernel.scale**2)):
                true = self._relaxed(self._odds > odds, limits)
                starts[true.tobytes()] = true
        found = [self._readmitted(true, multiples) for true in starts.values() for multiples in READMITTED]
        return self._tightened(self._late(min(found, key=lambda each: each.cost)))

    def _relaxed(self, among: Mask, limits: Array) -> Mask:
        """Closures of weight 1 after graduated non-convexity of relaxations, which begins with some of them."""
        graduation = Graduation(self._kernel, len(among), limits=limits)
        weights, built, relaxation = np.ones(len(self.closing)), np.zeros(len(self.closing), dtype=bool), None
        weights[self.closing] = among
        while not graduation.final:
            active = weights > 0.0
            if relaxation is None or active.sum() < SHRUNK * built.sum():
                built, relaxation = active, Relaxation(self._edges.with_edges(active), self._anchor)
            squares = _squares(self._flat, relaxation.solve(weights[built]))
            graduation.weigh(np.where(built[self.closing], squares, np.inf))
            weights[self.closing] = graduation.weights
        return graduation.weights > 0.5

    def _readmitted(self, true: Mask, multiples: tuple[float, ...], poses: Array | None = None) -> Found:
        """Closures that agree with the poses, beginning with these."""
        for multiple in multiples:
            poses = self._poses(true, poses, FEW)
            true = _squares(self._all, poses) < multiple * self._limits
        best = None
        for _ in range(10):
            poses = self._poses(true, poses, MANY)
            x = _vector(self._all, poses)
            s = self._all.groups[1].squares(x)
            cost = float(self._all.groups[0].squares(x).sum() + np.minimum(s, self._limits).sum())
            if best is not None and cost > best.cost:
                break
            best, before, true = Found(true, poses, cost), true, s < self._limits
            if (true == before).all():
                break
        assert best is not None
        return best

    def _late(self, best: Found) -> Found:
        """Closures that fit given the covariance of the poses are added as long as that lowers the cost."""
        for _ in range(ROUNDS):
            doubted = np.flatnonzero(~best.true)
            doubted = doubted[np.argsort(-self._odds[doubted], kind="stable")][:LATE]
            distances = self._distances(best, doubted, False)
            lower = self._flipped(best, doubted[distances < self._limits[doubted]])
            if lower is best:
                break
            best = lower
        return best

    def _dropped(self, best: Found) -> Found:
        """Closures whose absence lowers chi2 by more than their limit are left out while that lowers the cost."""
        for _ in range(ROUNDS):
            believed = np.flatnonzero(best.true)
            s = _squares(self._all, best.poses) / self._limits
            by = -s[believed], self._odds[believed]  # of large residuals, or supported by few
            believed = believed[np.unique([np.argsort(each, kind="stable")[: LATE // 2] for each in by])]
            excess = self._distances(best, believed, True) - self._limits[believed]
            worst = np.argsort(-excess, kind="stable")
            lower = self._flipped(best, believed[worst[excess[worst] > 0.0]])
            if lower is best:
                break
            best = lower
        return best

    def _distances(self, found: Found, closures: NDArray[np.intp], inside: bool) -> Array:
        kept = ~self.closing
        kept[self.closing] = found.true
        graph = pose_graph(self._edges.with_edges(kept), "odometry").moved({"pose": found.poses})
        return innovations(self._edges, np.flatnonzero(self.closing)[closures], graph, inside)

    def _flipped(self, found: Found, closures: NDArray[np.intp]) -> Found:
        """The lower cost when all of these closures, or the first, change sides; the same where it is not lower."""
        best = found
        for few in (closures, closures[:1]):
            if len(few):
                true = found.true.copy()
                true[few] = ~true[few]
                best = min(best, self._readmitted(true, (), found.poses), key=lambda each: each.cost)
        return best

    def _tightened(self, found: Found) -> Found:
        """Lower limits where the absence of nearly any closure would change chi2 little: information is too small."""
        believed = np.flatnonzero(found.true)
        if len(believed) < MOST:
            return found
        some = self._distances(found, believed[:: len(believed) // LATE + 1], True)
        limit = max(TAIL * float(np.quantile(some, 0.95)), FLOOR * self._kernel.scale**2)
        if limit < self._limits.max():
            self._limits = np.minimum(self._limits, limit)
            again = self._readmitted(self._relaxed(found.true, self._limits), ())
            same = self._readmitted(found.true, (), found.poses)
            found = self._late(min(again, same, key=lambda each: each.cost))
        return self._dropped(found)

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
