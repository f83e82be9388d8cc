"""The prediction of a linear model over a horizon, as a quadratic program in the actions.

Everything is affine in ``[1, theta, v]``: a constant, parameters that change from tick to tick, and the actions.
"""

from __future__ import annotations

import numpy as np

from ...core.arrays import Array
from .program import QuadraticProgram


class Affine:
    """Quantities of each step, affine in ``[1, theta, v]``: arrays ``(T, k, 1 + p + T m)``.

    Attributes:
        xs: deviations of the states of steps 1 to T, ``(T, d, ...)``.
        vs: deviations of the actions ``(T, m, ...)``.
    """

    def __init__(self, start: Array, F: Array, B: Array, c: Array) -> None:
        """From the state now ``(d, 1 + p)``, and matrices F, B ``(T, d, ...)`` and c ``(T, d, 1 + p)`` of the steps."""
        T, d, m = B.shape
        q = self.fixed = start.shape[1]
        self.vs = np.zeros((T, m, q + T * m))
        self.vs[:, :, q:] = np.eye(T * m).reshape(T, m, T * m)
        self.xs = np.zeros((T, d, q + T * m))
        x = np.zeros((d, q + T * m))
        x[:, :q] = start
        for k in range(T):
            x = F[k] @ x + B[k] @ self.vs[k]
            x[:, :q] += c[k]
            self.xs[k] = x

    def program(
        self, cost: list[tuple[Array, Array]], rows: Array, bounds: Array, soft: Array
    ) -> tuple[QuadraticProgram, Array]:
        """The program with the cost ``sum r' W r`` and the rows, and the matrix of the cost that v does not change.

        Args:
            cost: weights W ``(T, k, k)`` and residuals r ``(T, k, ...)``.
            rows: quantities ``(T, k, ...)`` that are bounded.
            bounds: ``(2, T, k)``.
            soft: weights of violations ``(T, k)``, infinite for hard rows.
        """
        q = self.fixed
        M: Array = np.sum([np.einsum("tia,tij,tjb->ab", r, W, r, optimize=True) for W, r in cost], axis=0)
        A = rows.reshape(-1, rows.shape[2])
        low, high = bounds.reshape(2, -1) - A[:, 0]
        v, theta = slice(q, None), slice(1, q)
        program = QuadraticProgram(
            M[v, v] + M[v, v].T, 2.0 * M[v, 0], A[:, v], low, high, soft.ravel(), 2.0 * M[v, theta], A[:, theta]
        )
        return program, M[:q, :q]
