"""Evidence for loop closures, by pairs of closures that say the same about the drift of odometry.

A closure from pose i to a later pose j corrects the world of odometry at time j: ``T = X_i z X_j^-1``. Two true
closures nearby correct it alike, up to the odometry between their ends:

    e = Log(T_a^-1 T_b),    S = C_a + C_b + (P_jb - P_ja) + Ad(T_a^-1) (P_ib - P_ia) Ad(T_a^-1)'
    log-odds = log N(e; 0, S) - log(1 / V)

with C the covariance of a closure and P that of odometry so far, both in the world of odometry, and V the volume of all
poses on the map, over which false closures are spread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotage.core import ShapeError, Space

from ._guesses import space_of
from .chordal import SINGULAR

if TYPE_CHECKING:
    from pilotage.io import PoseGraph

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

NEIGHBOURS = 12
"""Closures that each one is compared to: those whose ends are the fewest steps away."""
NARROW = 0.1
"""Least share of its largest side that a map is wide."""


class Corrections(NamedTuple):
    """What closures say about odometry: times of their ends, corrections T, covariances C, and P by time."""

    i: Indices
    j: Indices
    T: Array
    C: Array
    P: Array


def evidence(edges: PoseGraph, closing: NDArray[np.bool_], odometry: Array) -> Array:
    """The sum of the positive log-odds of each closure with its neighbours ``(C,)``.

    Args:
        edges: the pose graph.
        closing: which edges are closures ``(E,)``; the others connect poses with consecutive ids.
        odometry: poses by odometry.

    Raises:
        ShapeError: if information matrices are singular.

    Source: the distance is that of Mangelson et al., "Pairwise consistent measurement set maximization" (2018), eq. 5;
    the odds, and their sum, are a heuristic.

    Example:
        >>> from pilotage.estimators.slam import closing_edges
        >>> from pilotage.io import PoseGraph
        >>> ahead, pairs = [[1.0, 0.0, 0.0]] * 9, [[k, k + 1] for k in range(9)] + [[0, 8], [1, 9], [2, 7]]
        >>> readings = ahead + [[8.0, 0.1, 0.0]] * 2 + [[0.0, 0.0, 0.0]]
        >>> edges = PoseGraph(range(10), None, pairs, readings, [100 * np.eye(3)] * 12)
        >>> poses = np.array([[float(k), 0.0, 0.0] for k in range(10)])
        >>> (evidence(edges, closing_edges(edges), poses) > 2.0).tolist()
        [True, True, False]
    """
    found, space = np.zeros(int(closing.sum())), space_of(edges)
    if len(found) < 2:
        return found
    a, b = _near(corrections := _corrections(edges, closing, odometry))
    k = edges.axes
    sides = np.ptp(odometry[:, :k], axis=0)
    volume = np.maximum(sides, NARROW * sides.max()).prod() * (2.0 * np.pi if k == 2 else 8.0 * np.pi**2)
    odds = np.maximum(_log_density(space, corrections, a, b) + np.log(max(volume, np.finfo(float).tiny)), 0.0)
    np.add.at(found, a, odds)
    np.add.at(found, b, odds)
    return found


def _corrections(edges: PoseGraph, closing: NDArray[np.bool_], X: Array) -> Corrections:
    space, time = space_of(edges), np.empty(len(edges.ids), dtype=np.int64)
    time[np.argsort(edges.ids)] = np.arange(len(edges.ids))
    try:
        cov = np.linalg.inv(edges.information)
    except np.linalg.LinAlgError:
        raise ShapeError(SINGULAR) from None
    i, j = edges.edges.T
    world = _turned(space.adjoint(X[j]), np.asarray(cov, dtype=np.float64))
    P = np.zeros((len(X), space.dim, space.dim))
    P[np.maximum(time[i], time[j])[~closing]] = world[~closing]
    i, j, C = i[closing], j[closing], world[closing]
    T = np.asarray(space.compose(space.compose(X[i], edges.readings[closing]), space.inverse(X[j])))
    back = time[i] > time[j]
    C[back], T[back] = _turned(space.adjoint(T[back]), C[back]), space.inverse(T[back])
    return Corrections(np.minimum(time[i], time[j]), np.maximum(time[i], time[j]), T, C, np.cumsum(P, axis=0))


def _near(given: Corrections) -> tuple[Indices, Indices]:
    """Pairs of closures whose ends are few steps away, each pair once."""
    from scipy.spatial import KDTree

    ends, count = np.stack([given.i, given.j], axis=1), min(NEIGHBOURS + 1, len(given.i))
    _, near = KDTree(ends).query(ends, k=count, p=1)
    pairs = np.stack([np.repeat(np.arange(len(ends)), count), near.ravel()], axis=1)
    a, b = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0).T
    return a, b


def _log_density(space: Space, given: Corrections, a: Indices, b: Indices) -> Array:
    """``log N(e; 0, S)`` of pairs."""
    i, j, T, C, P = given
    first = P[np.maximum(i[a], i[b])] - P[np.minimum(i[a], i[b])]
    second = P[np.maximum(j[a], j[b])] - P[np.minimum(j[a], j[b])]
    S = C[a] + C[b] + second + _turned(space.adjoint(space.inverse(T[a])), first)
    e = np.asarray(space.minus(T[b], T[a]))
    squares = np.einsum("ka,ka->k", e, np.linalg.solve(S, e[..., None])[..., 0])
    return -0.5 * (squares + np.linalg.slogdet(S)[1] + space.dim * np.log(2.0 * np.pi))


def _turned(Ad: Array, cov: Array) -> Array:
    return Ad @ cov @ np.swapaxes(Ad, -1, -2)
