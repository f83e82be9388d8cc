"""Quadratic programs with banded matrices, solved by an interior point method."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ITERATIONS = 60
TO_EDGE = 0.995
"""Share of the way to the nearest bound that a step may go."""


class Solution(NamedTuple):
    """The end of the iterations.

    Attributes:
        x: variables ``(n,)``.
        z: multipliers of the inequalities ``(m,)``.
        converged: False if the program has no solution that the method could find.
        iterations: number of factorizations.
    """

    x: Array
    z: Array
    converged: bool
    iterations: int


def minimize(P: Any, q: Array, G: Any, h: Array, x: Array, tolerance: float = 1e-9) -> Solution:
    """Mehrotra's predictor-corrector method for a convex quadratic program.

    ::

        min 1/2 x' P x + q' x   subject to   G x + s = h,  s >= 0
        (P + G' W G) dx = -r_d - G' (W r_p - r_c / s),   W = z / s          normal equations, banded Cholesky

    Args:
        P: sparse ``(n, n)``, positive semidefinite, positive definite together with ``G' G``.
        q: ``(n,)``.
        G: sparse ``(m, n)``, whose rows join neighbouring variables only.
        h: ``(m,)``.
        x: first guess ``(n,)``; it need not satisfy the inequalities.
        tolerance: of all residuals, relative to the data, and of the duality gap, relative to the cost.

    Source: S. Mehrotra, On the implementation of a primal-dual interior point method, 1992; for quadratic programs
    J. Nocedal, S. Wright, Numerical optimization, 2006, algorithm 16.4.
    """
    from scipy.linalg import LinAlgError, cho_solve_banded, cholesky_banded  # imported late: it takes 0.1 s

    across = G.T.tocsr()
    width = _bandwidth(P, G)
    s = np.maximum(h - G @ x, 0.1 * (1.0 + abs(h).max(initial=0.0)))
    z = np.ones(len(h))
    size_d, size_p = 1.0 + abs(q).max(initial=0.0), 1.0 + abs(h).max(initial=0.0)
    k = 0
    for k in range(ITERATIONS):
        Px = P @ x
        r_d, r_p, gap = Px + q + across @ z, G @ x + s - h, float(s @ z)
        cost = 1.0 + abs(float(0.5 * x @ Px + q @ x))
        if max(abs(r_d).max() / size_d, abs(r_p).max(initial=0.0) / size_p, gap / cost) < tolerance:
            return Solution(x, z, True, k)
        try:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                W = z / s
                M = _banded(P + across @ G.multiply(W[:, None]).tocsr(), width)
                solve = partial(cho_solve_banded, (cholesky_banded(M, lower=True), True))
                dx, ds, dz = _direction(solve, G, across, r_d, r_p, s, W, s * z)
                far = min(_to_edge(s, ds), _to_edge(z, dz), 1.0)
                target = (float((s + far * ds) @ (z + far * dz)) / gap) ** 3 * gap / len(s)
                dx, ds, dz = _direction(solve, G, across, r_d, r_p, s, W, s * z + ds * dz - target)
        except (LinAlgError, ValueError):  # not definite, or not finite: there is no solution
            break
        step = min(1.0, TO_EDGE * min(_to_edge(s, ds), _to_edge(z, dz)))
        x, s, z = x + step * dx, s + step * ds, z + step * dz
    return Solution(x, z, False, k + 1)


def _direction(
    solve: Any, G: Any, across: Any, r_d: Array, r_p: Array, s: Array, W: Array, r_c: Array
) -> tuple[Array, Array, Array]:
    """Newton's step to residuals of zero, with ``s z`` changed by -r_c."""
    dx = solve(across @ (r_c / s - W * r_p) - r_d)
    ds = -r_p - G @ dx
    return dx, ds, -r_c / s - W * ds


def _to_edge(value: Array, change: Array) -> float:
    """The largest step in [0, 1e3] that keeps values positive."""
    falling = change < 0.0
    return float(np.min(-value[falling] / change[falling], initial=1e3))


def _bandwidth(P: Any, G: Any) -> int:
    """Number of diagonals below the main one of ``P + G' G``."""
    pattern = (abs(P) + abs(G).T @ abs(G)).tocoo()
    return int(abs(pattern.row - pattern.col).max(initial=0))


def _banded(matrix: Any, width: int) -> Array:
    """The lower diagonals of a symmetric sparse matrix, as `cholesky_banded` takes them."""
    out = np.zeros((width + 1, matrix.shape[0]))
    for k in range(width + 1):
        out[k, : matrix.shape[0] - k] = matrix.diagonal(-k)
    return out
