"""The uncertainty of one pose relative to all others, along the best paths through a pose graph."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core import Space
from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import whole
from pilotage.models.trace import driver

Array = NDArray[np.float64]
PLANE = Space("pose: SE2")


def drift(poses: ArrayLike, edges: ArrayLike, covs: ArrayLike, source: int) -> Array:
    """The covariance of a pose relative to every pose of a graph, along paths of least uncertainty.

    ::

        cov(m -> s) = Ad(x_s^-1) sum over edges (i, j) of the path of Ad(x_j) Q_ij Ad(x_j)'  Ad(x_s^-1)'

    It is an upper bound to first order: other paths only make it smaller.

    Args:
        poses: ``(N, 3)``.
        edges: indices of the first and second pose ``(E, 2)``.
        covs: covariance of each edge in the frame of its second pose ``(E, 3, 3)``.
        source: index s.

    Returns:
        ``(N, 3, 3)`` in the frame of pose s; infinite for poses that no path reaches.

    Raises:
        ShapeError: if shapes do not match, or an edge refers to a pose that does not exist.

    Source: E. Olson, "Robust and efficient robotic mapping", PhD thesis, MIT 2008, section 2.5 (Dijkstra projection).

    Example:
        >>> line = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]]
        >>> covs = drift(line, [[0, 1], [1, 2]], [np.diag([0.01, 0.01, 0.001])] * 2, source=2)
        >>> covs[0].diagonal().round(3).tolist(), covs[2].tolist() == [[0.0] * 3] * 3
        ([0.02, 0.021, 0.002], True)
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    x, ends, Q = _checked(poses, edges, covs)
    source = whole(source, "source", 0, len(x) - 1)
    length = np.trace(Q, axis1=1, axis2=2)
    n, keep = len(x), _shortest(ends, length)
    graph = coo_array((length[keep], ends[keep].T), (n, n)).tocsr()
    far, before = dijkstra(graph, directed=False, indices=source, return_predecessors=True)
    edge = coo_array((keep + 1, np.sort(ends[keep], axis=1).T), (n, n)).tocsr()
    order = np.argsort(far, kind="stable")[: int(np.isfinite(far).sum())]
    low, high = np.sort([np.arange(n), np.maximum(before, 0)], axis=0)
    by = np.where(before >= 0, edge[low, high] - 1, -1).astype(np.int64)
    out = np.full((n, 3, 3), np.inf)
    add_along(x, ends, Q, order, before.astype(np.int64), by, out)
    Ad = PLANE.adjoint(PLANE.inverse(x[source]))
    out[order] = Ad @ out[order] @ Ad.T
    return out


def _checked(poses: ArrayLike, edges: ArrayLike, covs: ArrayLike) -> tuple[Array, NDArray[np.int64], Array]:
    x = np.array(numbers(poses, "poses"))
    ends, Q = numbers(edges, "edges").reshape(-1, 2).astype(np.int64), np.array(numbers(covs, "covs")).reshape(-1, 3, 3)
    if x.ndim != 2 or x.shape[1] != 3 or len(ends) != len(Q):
        raise ShapeError(
            f"poses have shape {x.shape}, with {len(ends)} edges and {len(Q)} covariances; expected (N, 3), and a "
            "covariance for each edge"
        )
    if len(ends) and not (ends.min() >= 0 and ends.max() < len(x)):
        raise ShapeError(f"edges refer to poses {ends.min()} to {ends.max()}; expected indices 0 to {len(x) - 1}")
    return x, ends, Q


def _shortest(ends: NDArray[np.int64], length: Array) -> NDArray[np.int64]:
    """Of edges between the same poses, the one of least length."""
    low, high = np.sort(ends, axis=1).T
    if not len(ends):
        return np.zeros(0, dtype=np.int64)
    order = np.lexsort((length, high, low))
    first = np.r_[True, (np.diff(low[order]) != 0) | (np.diff(high[order]) != 0)]
    return order[first]


@driver("void(f8[:,::1], i8[:,::1], f8[:,:,::1], i8[::1], i8[::1], i8[::1], f8[:,:,::1])")
def add_along(x, ends, Q, order, before, by, out):
    """Add up the covariances of edges, turned into the frame of the world, along a tree from its root on."""
    for n in range(order.shape[0]):
        m = order[n]
        if by[m] < 0:
            for a in range(3):
                for b in range(3):
                    out[m, a, b] = 0.0
            continue
        j = ends[by[m], 1]
        c, s, px, py = math.cos(x[j, 2]), math.sin(x[j, 2]), x[j, 0], x[j, 1]
        for a in range(3):
            # Row a of Ad(x_j): [c, -s, py], [s, c, -px], [0, 0, 1].
            a0 = c if a == 0 else (s if a == 1 else 0.0)
            a1 = -s if a == 0 else (c if a == 1 else 0.0)
            a2 = py if a == 0 else (-px if a == 1 else 1.0)
            v0 = a0 * Q[by[m], 0, 0] + a1 * Q[by[m], 1, 0] + a2 * Q[by[m], 2, 0]
            v1 = a0 * Q[by[m], 0, 1] + a1 * Q[by[m], 1, 1] + a2 * Q[by[m], 2, 1]
            v2 = a0 * Q[by[m], 0, 2] + a1 * Q[by[m], 1, 2] + a2 * Q[by[m], 2, 2]
            out[m, a, 0] = out[before[m], a, 0] + v0 * c - v1 * s + v2 * py
            out[m, a, 1] = out[before[m], a, 1] + v0 * s + v1 * c - v2 * px
            out[m, a, 2] = out[before[m], a, 2] + v2
