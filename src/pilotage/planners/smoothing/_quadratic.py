"""Quadratic programs with banded matrices, solved by an interior point method."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._interior import interior

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
TOUCHING = 1e-6
"""Size by which an inequality without variables may be violated for rounding."""


class Solution(NamedTuple):
    """The end of the iterations.

    Attributes:
        x: variables ``(n,)``.
        converged: False if the program has no solution that the method could find.
        iterations: number of factorizations.
    """

    x: Array
    converged: bool
    iterations: int


def minimize(
    P: Array, q: Array, G: Array, first: Integers, h: Array, x: Array, kept: Integers, tolerance: float = 1e-9
) -> Solution:
    """The minimum of a convex quadratic program, with some variables kept as they are.

    ::

        min 1/2 x' P x + q' x   subject to   G x <= h,   x_k as given for k in kept

    Args:
        P: upper diagonals ``(n, w)`` of a positive semidefinite matrix: ``P[i, k]`` is its entry (i, i + k). With that
            of ``G' G``, the part of the other variables must be positive definite.
        q: ``(n,)``.
        G: rows ``(m, w)`` of inequalities, each on w neighbouring variables.
        first: the first variable of each row ``(m,)``; the last rows may reach beyond n with zeros.
        h: ``(m,)``.
        x: first guess ``(n,)``; it need not satisfy the inequalities.
        kept: numbers of the variables that are kept.
        tolerance: of all residuals, relative to the data, and of the duality gap, relative to the cost.
    """
    n, w = P.shape
    free, value = np.ones(n + w), np.zeros(n + w)
    free[kept], value[kept] = 0.0, x[kept]
    columns = first[:, None] + np.arange(w)
    rows = ~((G == 0.0) | (free[columns] == 0.0)).all(-1)
    h = h - (G * value[columns]).sum(-1)
    if (h[~rows] < -TOUCHING).any():
        return Solution(x, False, 0)
    apart = P * free[:n, None] * free[np.arange(n)[:, None] + np.arange(w)]
    apart[kept, 0] = 1.0
    out, slack = np.where(free[:n] > 0.0, x, 0.0), np.empty((7, int(rows.sum())))
    iterations = interior.compiled(
        apart, (q + times(P, value[:n])) * free[:n], G[rows] * free[columns[rows]], first[rows], h[rows], out,
        np.empty((n, w)), np.empty((3, n)), slack, tolerance,
    )  # fmt: skip
    out[kept] = x[kept]
    return Solution(out, iterations >= 0, abs(iterations))


def times(P: Array, x: Array) -> Array:
    """The product of a symmetric matrix, given by its upper diagonals ``(n, w)``, and a vector."""
    out = P[:, 0] * x
    for k in range(1, min(P.shape[1], len(x))):
        out[:-k] += P[:-k, k] * x[k:]
        out[k:] += P[:-k, k] * x[:-k]
    return out
