"""Loop closures that agree with each other: pairwise consistency maximisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core import Space
from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import Fraction, setting

Array = NDArray[np.float64]
PLANE = Space("pose: SE2")


@dataclass(frozen=True, eq=False)
class Closure:
    """A measurement that a pose lies at a place visited before.

    Attributes:
        first, second: indices of the earlier and the later pose.
        z: the later pose in the frame of the earlier one ``(3,)``.
        cov: its covariance ``(3, 3)`` in the frame of the later one.

    Example:
        >>> Closure(3, 40, np.zeros(3), 0.01 * np.eye(3)).second
        40
    """

    first: int
    second: int
    z: Array
    cov: Array


def compound(a: tuple[Array, Array], b: tuple[Array, Array]) -> tuple[Array, Array]:
    """The pose and covariance of two relative poses one after the other, to first order."""
    back = PLANE.adjoint(PLANE.inverse(b[0]))
    return np.asarray(PLANE.compose(a[0], b[0])), back @ a[1] @ back.T + b[1]


def inverted(a: tuple[Array, Array]) -> tuple[Array, Array]:
    """The inverse of a relative pose, and its covariance."""
    Ad = PLANE.adjoint(a[0])
    return np.asarray(PLANE.inverse(a[0])), Ad @ a[1] @ Ad.T


def disagreement(one: Closure, other: Closure, between: Sequence[tuple[Array, Array]]) -> float:
    """The squared Mahalanobis distance of two closures: how far the loop through both is from closed.

    ::

        e = Log(z_1 . x(l_1 -> l_2) . z_2^-1 . x(f_2 -> f_1)),   d^2 = e' S^-1 e

    with three degrees of freedom.

    Args:
        one, other: closures from pose f to pose l.
        between: pose and covariance of l_2 in the frame of l_1, and of f_1 in the frame of f_2, along the odometry.

    Source: J. Mangelson et al., "Pairwise consistent measurement set maximization for robust multi-robot map merging",
    ICRA 2018, eq. 5.

    Example:
        >>> step = (np.array([1.0, 0.0, 0.0]), 0.01 * np.eye(3))
        >>> back = (np.array([-1.0, 0.0, 0.0]), 0.01 * np.eye(3))
        >>> one, two = (Closure(i, i + 10, np.zeros(3), 0.01 * np.eye(3)) for i in (0, 1))
        >>> disagreement(one, two, (step, back))
        0.0
    """
    loop = compound((one.z, one.cov), between[0])
    loop = compound(loop, inverted((other.z, other.cov)))
    loop = compound(loop, between[1])
    e = np.asarray(PLANE.minus(loop[0], PLANE.identity()))
    return float(e @ np.linalg.solve(loop[1], e))


def consistent(distances: ArrayLike, level: Fraction = 0.99) -> NDArray[np.int64]:
    """The largest set of closures of which each agrees with each: the maximum clique.

    Args:
        distances: squared Mahalanobis distances ``(K, K)`` of all pairs.
        level: probability with which right closures agree; the threshold is its chi-square quantile.

    Returns:
        Indices in increasing order.

    The clique is found by branch and bound over vertices in the order of their degree, which is exact; graphs of
    consistent closures are nearly complete, and those of false ones sparse, so it is fast on both.

    Source: Mangelson et al. 2018, section IV; B. Pattabiraman et al., "Fast algorithms for the maximum clique problem
    on massive graphs", Internet Mathematics 2015, for the pruning.

    Example:
        >>> consistent([[0.0, 1.0, 80.0], [1.0, 0.0, 90.0], [80.0, 90.0, 0.0]]).tolist()
        [0, 1]
    """
    d = numbers(distances, "distances")
    if d.ndim != 2 or d.shape[0] != d.shape[1]:
        raise ShapeError(f"distances have shape {d.shape}; expected (K, K)")
    agree = np.asarray(d <= threshold(setting(level, Fraction, "level")))
    agree = agree & agree.T
    np.fill_diagonal(agree, False)
    return np.array(sorted(max_clique(agree)), dtype=np.int64)


def threshold(level: float) -> float:
    """The quantile of chi-square with three degrees of freedom, those of a pose in the plane."""
    from scipy.stats import chi2

    return float(chi2.ppf(level, 3))


def max_clique(adjacent: NDArray[np.bool_]) -> list[int]:
    """The vertices of a largest clique of a graph, given by its symmetric matrix."""
    neighbours = [sum(1 << int(j) for j in np.flatnonzero(row)) for row in adjacent]
    order = np.argsort(-adjacent.sum(axis=1), kind="stable").tolist()
    best: list[int] = []

    def grow(clique: list[int], candidates: int) -> None:
        nonlocal best
        if not candidates and len(clique) > len(best):
            best = clique
        for v in order:
            if len(clique) + candidates.bit_count() <= len(best):
                return
            if candidates >> v & 1:
                candidates &= ~(1 << v)
                grow([*clique, v], candidates & neighbours[v])

    grow([], (1 << len(neighbours)) - 1)
    return best
