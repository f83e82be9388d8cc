"""Certificates of global optimality for pose graphs, by the smallest eigenvalue of the dual problem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse import linalg

from pilotage.core import ShapeError

from ._guesses import anchor_of, checked, space_of, tree
from ._pattern import factored
from .chordal import matrices_of, matrix_readings

if TYPE_CHECKING:
    from pilotage.io import PoseGraph

Array = NDArray[np.float64]

SMALL = 60
"""Rows up to which the matrix is treated as a dense one."""
SHIFT = 1e-8
"""First shift as a share of the diagonal."""


@dataclass(frozen=True)
class Certificate:
    """A bound on how far the poses of a pose graph may be from the global optimum.

    Attributes:
        cost: the objective of SE-Sync at the poses.
        smallest: the smallest eigenvalue of the dual matrix over rotations; 0 but for rounding at a global optimum.
        gradient: norm of the rows ``S X``, which are zero at a critical point; the certificate needs one.
        lower_bound: a lower bound of the objective at any poses.

    Example:
        >>> round(Certificate(cost=100.0, smallest=-1e-3, gradient=1e-6, lower_bound=99.0).gap, 6)
        0.01
    """

    cost: float
    smallest: float
    gradient: float
    lower_bound: float

    @property
    def gap(self) -> float:
        """How much lower the global optimum can be, as a share of the cost."""
        return float((self.cost - self.lower_bound) / max(self.cost, np.finfo(float).tiny))


def certificate(edges: PoseGraph, poses: ArrayLike) -> Certificate:
    """A certificate of global optimality for the poses of a pose graph.

    ::

        F(X) = sum kappa |R_j - R_i R_ij|^2 + tau |t_j - t_i - R_i t_ij|^2 = tr(X' M X),     X = rows R_i', t_i'
        S = M - blockdiag(L_i, 0),     L_i = symmetric part of (M X)_i R_i
    smallest = min r' S r / |r|^2 over the rows r of rotations, and the positions at their best for them
    F* >= sum tr L_i - N d max(0, -smallest)

    The poses have to be a critical point of F: an optimum of ``pose_graph(edges, residual="chordal")``. They are the
    global one if S is positive semidefinite. For that of a geodesic residual the gradient is not zero, and the bound is
    not tight.

    Args:
        edges: N poses and their edges.
        poses: ``(N, 3)`` or ``(N, 7)``.

    Raises:
        ShapeError: if the poses do not fit, or some are not connected to the first.

    Source: Rosen, Carlone, Bandeira and Leonard, "SE-Sync: A certifiably correct algorithm for synchronization over the
    special Euclidean group" (IJRR 2019), problem 2, theorem 1 and equation 106.

    Example:
        >>> from pilotage.estimators.slam import GaussNewton, pose_graph
        >>> from pilotage.io import PoseGraph
        >>> square = [[1.0, 0.1, 1.5]] * 4
        >>> edges = PoseGraph(range(4), None, [[0, 1], [1, 2], [2, 3], [3, 0]], square, [np.eye(3)] * 4)
        >>> poses = GaussNewton().solve(pose_graph(edges, residual="chordal"))["pose"]
        >>> abs(certificate(edges, poses).gap) < 1e-6
        True
    """
    space, k, n = space_of(checked(edges, "certificate")), edges.axes, len(edges.ids)
    tree(edges, n, anchor_of(edges, 0))
    x = space.check(poses, "poses")
    if x.shape != (n, space.size):
        raise ShapeError(f"poses have shape {x.shape}; expected {(n, space.size)}, one for each id")
    M = _data_matrix(edges)
    X = np.concatenate([np.swapaxes(matrices_of(space, x, k), -1, -2), x[:, None, :k]], axis=1)  # (N, k + 1, k)
    MX = (M @ X.reshape(-1, k)).reshape(X.shape)
    blocks = MX[:, :k] @ np.swapaxes(X[:, :k], -1, -2)
    multipliers = np.zeros((n, k + 1, k + 1))
    multipliers[:, :k, :k] = 0.5 * (blocks + np.swapaxes(blocks, -1, -2))
    S = (M - sparse.block_diag(list(multipliers), format="csc")).tocsc()
    cost = float((X * MX).sum())
    smallest = _smallest(S, k)
    gradient = float(np.linalg.norm(S @ X.reshape(-1, k)))
    dual = float(np.trace(multipliers, axis1=1, axis2=2).sum())  # the cost, at a critical point
    return Certificate(cost, smallest, gradient, dual - n * k * max(0.0, -smallest))


def _data_matrix(edges: PoseGraph) -> Any:
    """M of ``F(X) = tr(X' M X)``."""
    k, n = edges.axes, len(edges.ids)
    z, W = matrix_readings(edges)
    B = np.zeros((len(z), k + 1, k + 1))
    B[:, :k, :k], B[:, :k, k], B[:, k, k] = z[:, k:].reshape(-1, k, k), z[:, :k], 1.0
    w = np.concatenate([np.repeat(W[:, k, k][:, None], k, axis=1), W[:, :1, 0]], axis=1)
    own, BW = w[:, :, None] * np.eye(k + 1), B * w[:, None, :]
    (i, j), span = edges.edges.T * (k + 1), np.arange(k + 1)
    parts = ((i, i, BW @ np.swapaxes(B, -1, -2)), (j, j, own), (i, j, -BW), (j, i, -np.swapaxes(BW, -1, -2)))
    rows = [np.broadcast_to(a[:, None, None] + span[:, None], B.shape).ravel() for a, _, _ in parts]
    cols = [np.broadcast_to(b[:, None, None] + span, B.shape).ravel() for _, b, _ in parts]
    entries = [block.ravel() for *_, block in parts]
    places = np.concatenate(rows), np.concatenate(cols)
    return sparse.coo_matrix((np.concatenate(entries), places), shape=(n * (k + 1),) * 2).tocsc()


def _smallest(S: Any, k: int) -> float:
    """The smallest eigenvalue of S with the positions eliminated: the one next to a shift below all of them."""
    kept = np.arange(S.shape[0]) != k  # the position of the first pose is the origin
    S = S[kept][:, kept].tocsc()
    rotations = np.arange(len(kept))[kept] % (k + 1) != k
    B: Any = sparse.diags(rotations.astype(float), format="csc")
    if S.shape[0] < SMALL:
        r, t = np.flatnonzero(rotations), np.flatnonzero(~rotations)
        D = S.toarray()
        reduced = D[np.ix_(r, r)] - D[np.ix_(r, t)] @ np.linalg.solve(D[np.ix_(t, t)], D[np.ix_(t, r)])
        return float(np.linalg.eigvalsh(reduced)[0])
    shift = -SHIFT * float(abs(S.diagonal()).max())
    while True:
        factors = factored((S - shift * B).tocsc())
        if (factors.U.diagonal() > 0.0).all():  # all eigenvalues are above the shift
            operator: Any = linalg.LinearOperator  # its constructor is not typed
            inverse = operator(S.shape, matvec=factors.solve, dtype=np.float64)
            values = linalg.eigsh(S, k=1, M=B, sigma=shift, OPinv=inverse, return_eigenvectors=False)
            return float(values[0])
        shift *= 10.0
