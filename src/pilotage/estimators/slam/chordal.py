"""Initial guesses of the poses of a graph by chordal relaxation: linear least squares over matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core import ShapeError, Space
from pilotage.core.arrays import numbers
from pilotage.core.settings import shown

from ._cholesky import Cholesky
from ._guesses import anchor_of, checked, space_of, tree
from ._pattern import pattern_of
from .factors import refuse_indefinite

if TYPE_CHECKING:
    from pilotage.io import PoseGraph

Array = NDArray[np.float64]

SINGULAR = (
    "the information of some edges is singular, and their weights are not known; expected positive definite matrices, "
    "or another guess, which needs no weights: initial='tree'"
)


def chordal(graph: PoseGraph, anchor: int = 0, weights: ArrayLike | None = None) -> Array:
    """An initial guess by chordal relaxation: linear least squares for the rotations, then for the positions.

    ::

        minimise sum kappa |R_j - R_i R_ij|^2 over matrices,  R_anchor = I;    the nearest rotations;
        minimise sum tau |t_j - t_i - R_i t_ij|^2,  t_anchor = 0

    with kappa and tau as in Rosen et al.: ``tau = k / tr(I_t^-1)``, ``kappa = I_yaw`` in the plane and
    ``3 / (2 tr(I_r^-1))`` in space. From this guess, Gauss-Newton finds the optimum of most graphs, even if the
    odometry is bad.

    Args:
        graph: N poses and their edges.
        anchor: index of the pose at the origin.
        weights: factors of kappa and tau ``(E,)``, such as 0 for false edges; default: 1.

    Returns:
        ``(N, 3)`` or ``(N, 7)``.

    Raises:
        ShapeError: if some poses are not connected to the anchor, or the weights do not fit.

    Source: Carlone, Tron, Daniilidis and Dellaert, "Initialization Techniques for 3D SLAM" (2015), section III.B;
    Martinec and Pajdla, "Robust Rotation and Translation Estimation in Multiview Reconstruction" (2007).
    Weights: Rosen, Carlone, Bandeira and Leonard, "SE-Sync" (IJRR 2019), eq. 5.

    Example:
        >>> import numpy as np
        >>> from pilotage.io import PoseGraph
        >>> edges = PoseGraph([0, 1], None, [[0, 1]], [[1.0, 2.0, 0.5]], [np.eye(3)])
        >>> chordal(edges).round(6).tolist()
        [[0.0, 0.0, 0.0], [1.0, 2.0, 0.5]]
    """
    relaxation = Relaxation(graph, anchor)
    given = np.ones(len(graph.edges)) if weights is None else numbers(weights, "weights of edges")
    if given.shape != (len(graph.edges),) or (given < 0.0).any() or not np.isfinite(given).all():
        raise ShapeError(f"weights of edges are {shown(given)}; expected {len(graph.edges)} numbers, 0 or more")
    return relaxation.solve(given)


class Relaxation:
    """Chordal relaxation of a pose graph, for any weights of its edges.

    Args:
        graph: N poses and their edges.
        anchor: index of the pose at the origin.

    Raises:
        ShapeError: if some poses are not connected to the anchor.
    """

    def __init__(self, graph: PoseGraph, anchor: int = 0) -> None:
        self._space, self._n, self._k = space_of(checked(graph, "chordal")), len(graph.ids), graph.axes
        self._anchor = anchor_of(graph, anchor)
        tree(graph, self._n, self._anchor)
        self._edges = graph.edges
        self._kappa, self._tau = precisions(graph)
        self._R, self._t = matrices_of(self._space, graph.readings, self._k), graph.readings[:, : self._k]
        self._turns, self._moves = self._equations(self._k), self._equations(1)

    def solve(self, weights: Array) -> Array:
        """The poses ``(N, 3)`` or ``(N, 7)`` for weights of the edges ``(E,)``."""
        i, k = self._edges[:, 0], self._k
        # Row r of R_j is to be row r of R_i times R_ij: the rows are k right-hand sides of one system.
        kappa, tau = (weights * self._kappa)[:, None], (weights * self._tau)[:, None]
        rows = self._turns.solve(np.tile(kappa, k), self._R, np.zeros((len(i), k, k)), np.eye(k))
        U, _, V = np.linalg.svd(np.swapaxes(rows, -1, -2))
        U[:, :, -1] *= np.linalg.det(U @ V)[:, None]
        near = U @ V
        ahead = np.einsum("eab,eb->ea", near[i], self._t)[:, None, :]
        one = np.ones((len(i), 1, 1))
        places = self._moves.solve(tau, one, ahead, np.zeros((1, k)))[:, 0]
        return poses_of(self._space, near, places)

    def _equations(self, m: int) -> Differences:
        fixed = np.arange(self._n) == self._anchor
        return Differences(np.full(self._n, m), fixed, self._edges)


class Differences:
    """Least squares ``x_j - B' x_i = right`` over edges, with some x held fixed: one pattern for all numbers.

    Args:
        dims: m for each of N variables.
        fixed: which are held fixed ``(N,)``.
        edges: i and j of each equation ``(E, 2)``.
    """

    def __init__(self, dims: NDArray[np.int64], fixed: NDArray[np.bool_], edges: NDArray[np.intp]) -> None:
        self._pattern, self._edges, self._m = pattern_of(dims, fixed, edges), edges, int(dims[0])
        self._cholesky = Cholesky(self._pattern.dims, self._pattern.ties)
        self._slots = self._pattern.slots(edges)

    def solve(self, weights: Array, B: Array, right: Array, held: Array) -> Array:
        """x ``(N, m, columns)``, each column on its own.

        Args:
            weights: of each row of each equation ``(E, m)``.
            B: matrices ``(E, m, m)``.
            right: ``(E, m, columns)``.
            held: the value of what is fixed ``(m, columns)``.
        """
        (i, j), w = self._edges.T, weights[:, :, None]
        columns, BW = self._pattern.columns, B * weights[:, None, :]
        g = np.zeros((len(columns), *held.shape))
        np.add.at(g, j, w * right)
        np.add.at(g, i, -(BW @ right))
        for a, b, C in ((i, j, BW), (j, i, np.swapaxes(BW, -1, -2))):
            at = columns[b] < 0
            np.add.at(g, a[at], C[at] @ held)
        free = np.flatnonzero(columns >= 0)
        places = columns[free][:, None] + np.arange(self._m)
        if not self._cholesky.factor(self._pattern.indptr, self._pattern.indices, self._matrix(weights, B, BW)):
            raise ShapeError(SINGULAR)
        x = np.empty_like(g)
        x[:] = held
        for c in range(held.shape[1]):
            packed = np.empty(self._pattern.size)
            packed[places] = g[free, :, c]
            x[free, :, c] = self._cholesky.solve(packed)[places]
        return x

    def _matrix(self, weights: Array, B: Array, BW: Array) -> Array:
        """The entries of the normal equations."""
        H, m = np.zeros(len(self._pattern.indices)), self._m
        own, before = weights[:, :, None] * np.eye(m), BW @ np.swapaxes(B, -1, -2)
        rows, cols = np.arange(m)[:, None], np.arange(m)[None, :]
        for block, stride, values in ((4, 2, before), (5, 2, -np.swapaxes(BW, -1, -2)), (6, 3, -BW), (7, 3, own)):
            at = (first := self._slots[:, block]) >= 0
            places = first[at, None, None] + rows + cols * self._slots[at, stride][:, None, None]
            H += np.bincount(places.ravel(), values[at].ravel(), len(H))
        return H


def matrix_readings(graph: PoseGraph) -> tuple[Array, Array]:
    """Readings of `relative_matrix` and their information, by the precisions of each edge."""
    k = graph.axes
    kappa, tau = precisions(graph)
    R = matrices_of(space_of(graph), graph.readings, k).reshape(-1, k * k)
    z = np.hstack([graph.readings[:, :k], R])
    W = np.zeros((len(z), k + k * k, k + k * k))
    W[:, range(k), range(k)] = tau[:, None]
    W[:, range(k, k + k * k), range(k, k + k * k)] = kappa[:, None]
    return z, W


def precisions(graph: PoseGraph) -> tuple[Array, Array]:
    """Isotropic precisions of rotation and translation of each edge."""
    information, k = graph.information, graph.axes
    place, turn = information[:, :k, :k], information[:, k:, k:]
    refuse_indefinite(place)
    refuse_indefinite(turn)
    try:
        tau = k / np.trace(np.linalg.inv(place), axis1=1, axis2=2)
        kappa = turn[:, 0, 0] if k == 2 else 1.5 / np.trace(np.linalg.inv(turn), axis1=1, axis2=2)
    except np.linalg.LinAlgError:
        raise ShapeError(SINGULAR) from None
    return kappa, tau


def matrices_of(space: Space, poses: Array, k: int) -> Array:
    """Rotation matrices: column a is the axis a of the body."""
    return np.stack([space.act(poses, axis) - space.act(poses, np.zeros(k)) for axis in np.eye(k)], axis=-1)


def poses_of(space: Space, R: Array, t: Array) -> Array:
    """Poses of rotation matrices and places."""
    from scipy.spatial.transform import Rotation

    turn = np.arctan2(R[:, 1, 0], R[:, 0, 0])[:, None] if len(t[0]) == 2 else Rotation.from_matrix(R).as_rotvec()
    start = np.tile(space.identity(), (len(t), 1))
    start[:, : t.shape[1]] = t
    return space.plus(start, np.hstack([np.zeros_like(t), turn]))
