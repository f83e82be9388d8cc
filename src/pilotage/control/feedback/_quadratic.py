"""Linear-quadratic problems as values: with integrals, without components that do not matter, over a time step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import Array
from ...models.linear import van_loan
from ._linear import Mask, semidefinite


class Quadratic(NamedTuple):
    """The matrices of ``x' = A x + B u`` and of the cost ``x'Qx + u'Ru + 2 x'Nu``, of rates or of a step."""

    A: Array
    B: Array
    Q: Array
    R: Array
    N: Array

    def integrating(self, rows: NDArray[np.intp], weights: Array, step: float | None) -> Quadratic:
        """The problem with integrals of the components `rows` behind the state, in steps of seconds or as rates."""
        d, k = len(self.A), len(rows)
        C, none = np.eye(d)[rows], np.zeros((d, k))
        below = [C, np.zeros((k, k))] if step is None else [step * C, np.eye(k)]
        return Quadratic(
            np.block([[self.A, none], below]),
            np.vstack([self.B, np.zeros((k, self.B.shape[1]))]),
            np.block([[self.Q, none], [none.T, np.diag(weights)]]),
            self.R,
            np.vstack([self.N, np.zeros((k, self.B.shape[1]))]),
        )

    def reduced(self, kept: Mask) -> Quadratic:
        """The problem of some components ``(d,)``, on which the others do not act; a checked cost."""
        both = np.ix_(kept, kept)
        Q, R, N = self.Q[both], self.R, self.N[kept]
        semidefinite(np.block([[Q, N], [N.T, R]]), len(Q) + len(R), "the weight [[Q, N], [N', R]]")
        return Quadratic(self.A[both], self.B[kept], Q, R, N)

    def sampled(self, dt: float) -> Quadratic:
        """The problem of steps over which u is constant, of the problem of rates.

        ::

            M = [[A, B], [0, 0]],    [[F, G], [0, I]] = exp(M dt)
            [[Q, N], [N', R]] = int_0^dt exp(M's) W exp(M s) ds
        """
        d, m = self.B.shape
        M = np.block([[self.A, self.B], [np.zeros((m, d + m))]])
        W = np.block([[self.Q, self.N], [self.N.T, self.R]])
        E, _, cost = van_loan(M.T, np.zeros((d + m, 0)), W, dt)
        return Quadratic(E.T[:d, :d], E.T[:d, d:], cost[:d, :d], cost[d:, d:], cost[:d, d:])
