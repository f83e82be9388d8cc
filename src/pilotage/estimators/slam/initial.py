"""Initial guesses of the poses of a graph: along a spanning tree, or by relaxing rotations to matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from pilotage.core import ShapeError, Space
from pilotage.core.settings import instance, whole

from .factors import refuse_indefinite

if TYPE_CHECKING:
    from pilotage.io import PoseGraph

Array = NDArray[np.float64]

SINGULAR = (
    "the information of some edges is singular, and their weights are not known; expected positive definite matrices, "
    "or another guess, which needs no weights: initial='tree'"
)


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
    space, n, anchor = space_of(checked(graph, "spanning_tree")), len(graph.ids), _anchor(graph, anchor)
    order, before, edge = _tree(graph, n, anchor)
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


def chordal(graph: PoseGraph, anchor: int = 0) -> Array:
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

    Returns:
        ``(N, 3)`` or ``(N, 7)``.

    Raises:
        ShapeError: if some poses are not connected to the anchor.

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
    space, n, k = space_of(checked(graph, "chordal")), len(graph.ids), graph.axes
    anchor = _anchor(graph, anchor)
    _tree(graph, n, anchor)
    (i, j), (kappa, tau) = graph.edges.T, _weights(graph.information, k)
    R, t = _matrices(space, graph.readings, k), graph.readings[:, :k]
    # Row r of R_j is to be row r of R_i times R_ij: the rows are k right-hand sides of one system.
    eye = np.broadcast_to(np.eye(k), R.shape)
    rotations = _solved(n, i, j, -np.swapaxes(R, -1, -2), eye, kappa, np.zeros((len(i), k, k)), anchor, np.eye(k))
    U, _, V = np.linalg.svd(np.swapaxes(rotations, -1, -2))
    U[:, :, -1] *= np.linalg.det(U @ V)[:, None]
    near = U @ V
    one = np.ones((len(i), 1, 1))
    ahead = np.einsum("eab,eb->ea", near[i], t)[:, None, :]
    places = _solved(n, i, j, -one, one, tau, ahead, anchor, np.zeros((1, k)))[:, 0]
    return _poses(space, near, places)


def checked(graph: PoseGraph, who: str) -> PoseGraph:
    """The graph, or a sentence about what is none."""
    from pilotage.io import PoseGraph  # loads the readers of images

    return instance(graph, PoseGraph, who, "; read_g2o(...) of pilotage.io reads one from a file")


def _anchor(graph: PoseGraph, anchor: int) -> int:
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


def _tree(graph: PoseGraph, n: int, anchor: int) -> tuple[Any, Any, Any]:
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


def _weights(information: Array, k: int) -> tuple[Array, Array]:
    """Isotropic precisions of rotation and translation of each edge."""
    refuse_indefinite(information)
    place, turn = information[:, :k, :k], information[:, k:, k:]
    try:
        tau = k / np.trace(np.linalg.inv(place), axis1=1, axis2=2)
        kappa = turn[:, 0, 0] if k == 2 else 1.5 / np.trace(np.linalg.inv(turn), axis1=1, axis2=2)
    except np.linalg.LinAlgError:
        raise ShapeError(SINGULAR) from None
    return kappa, tau


def _solved(
    n: int, i: Any, j: Any, A: Array, B: Array, weights: Array, right: Array, anchor: int, value: Array
) -> Array:
    """Least squares ``A x_i + B x_j = right`` with one x held; x ``(N, m, k)``, each of k columns on its own."""
    from ._pattern import factored

    m = A.shape[-1]
    root = np.sqrt(weights)[:, None, None]
    rows = np.arange(len(i) * m).reshape(-1, m, 1)
    blocks: list[Any] = []
    for v, block in ((i, A), (j, B)):
        columns = (np.where(v > anchor, v - 1, v) * m)[:, None, None] + np.arange(m)[None, None, :]
        entries, r, c = np.broadcast_arrays(root * block, rows, columns)
        kept = v != anchor
        blocks.append((entries[kept].ravel(), r[kept].ravel(), c[kept].ravel()))
    entries, r, c = (np.concatenate(each) for each in zip(*blocks, strict=True))
    J: Any = sparse.coo_matrix((entries, (r, c)), shape=(len(i) * m, (n - 1) * m)).tocsr()
    right = root * right
    for v, block in ((i, A), (j, B)):
        right = right - np.where((v == anchor)[:, None, None], root * (block @ value), 0.0)
    try:
        factors = factored((J.T @ J).tocsc())
    except RuntimeError:
        raise ShapeError(SINGULAR) from None
    free = factors.solve(J.T @ right.reshape(len(i) * m, -1))
    return np.insert(free.reshape(n - 1, m, -1), anchor, value, axis=0)


def _matrices(space: Space, poses: Array, k: int) -> Array:
    """Rotation matrices: column a is the axis a of the body."""
    return np.stack([space.act(poses, axis) - space.act(poses, np.zeros(k)) for axis in np.eye(k)], axis=-1)


def _poses(space: Space, R: Array, t: Array) -> Array:
    """Poses of rotation matrices and places."""
    from scipy.spatial.transform import Rotation

    turn = np.arctan2(R[:, 1, 0], R[:, 0, 0])[:, None] if len(t[0]) == 2 else Rotation.from_matrix(R).as_rotvec()
    start = np.tile(space.identity(), (len(t), 1))
    start[:, : t.shape[1]] = t
    return space.plus(start, np.hstack([np.zeros_like(t), turn]))
