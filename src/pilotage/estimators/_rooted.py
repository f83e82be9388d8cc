"""Beliefs as square-root filters keep them: a mean, and the lower triangle L with P = L L'."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..core import Gaussian, Space
from ..core.covariances import triangular
from ..models.trace import Driver, driver
from ._algebra import cholesky_semidefinite
from ._drivers import INNER
from ._memory import ONE, fill, job_at, select, space_at, sqrt
from ._steps import gaussian_at


class Rooted:
    """What a filter with a rooted belief has in place of a covariance."""

    layout: ClassVar[tuple[Driver, Driver]]

    def pack(self, belief: Gaussian) -> np.ndarray:
        """Beliefs as the inner steps keep them, rows ``(..., numbers)``: mean and root."""
        L = belief.root if not np.triu(belief.root, 1).any() else triangular(belief.root)
        return np.concatenate([belief.mean, L.reshape(*L.shape[:-2], belief.space.dim**2)], axis=-1)

    def unpack(self, space: Space, table: np.ndarray) -> Gaussian:
        """Beliefs in rows ``(..., numbers)``, which nobody else changes: arrays may be views of them."""
        n, d = space.size, space.dim
        return Gaussian.trusted(space, table[..., :n], root=table[..., n:].reshape(*table.shape[:-1], d, d))


@driver
def triangularize(A, n, m, v, lanes):
    """A (n, m) becomes lower triangular by Householder's reflections from the right: A A' stays. v (m) is scratch.

    No number on the diagonal is negative.
    """
    for i in range(n):
        square = fill(0.0, lanes)
        for k in range(i, m):
            v[k] = A[i, k]
            square += A[i, k] * A[i, k]
        length = sqrt(square)
        some = square > 0.0
        sign = select(v[i] < 0.0, -1.0, 1.0)
        v[i] = v[i] + sign * length
        scale = select(some, 1.0 / select(some, sign * length * v[i], 1.0), 0.0)
        for r in range(i + 1, n):
            a = fill(0.0, lanes)
            for k in range(i, m):
                a += A[r, k] * v[k]
            a = scale * a
            for k in range(i, m):
                A[r, k] = A[r, k] - a * v[k]
            A[r, i] = -1.0 * sign * A[r, i]
        A[i, i] = length
        for k in range(i + 1, m):
            A[i, k] = fill(0.0, lanes)


@driver
def reduce_array(A, L, e, S, N, v, dx, s, m, d, first, lanes):
    """The array A whose upper m rows are [E, T'], S = E E' + T' T, with [0, L] below them; E has `first` columns.

    ``A U = [S^1/2 0; K_s N]`` gives S, N the root of the belief afterwards, and ``dx = K_s S^-1/2 e``. False where S is
    singular; v (m) and s are scratch.
    """
    for i in range(d):
        for k in range(first):
            A[m + i, k] = fill(0.0, lanes)
        for j in range(d):
            A[m + i, first + j] = L[i, j]
    triangularize(A, m + d, first + d, s, lanes)
    good = fill(0.0, lanes) == 0.0
    for i in range(m):
        for j in range(i + 1):
            c = fill(0.0, lanes)
            for r in range(j + 1):
                c += A[i, r] * A[j, r]
            S[i, j] = c
            S[j, i] = c
    for i in range(m):
        some = A[i, i] > 0.0
        good = good & some
        A[i, i] = select(some, A[i, i], 1.0)
        a = e[i]
        for j in range(i):
            a -= A[i, j] * v[j]
        v[i] = a / A[i, i]
    for i in range(d):
        a = fill(0.0, lanes)
        for j in range(m):
            a += A[m + i, j] * v[j]
        dx[i] = a
        for j in range(d):
            N[i, j] = A[m + i, m + j]
    return good


@driver(INNER)
def read_rooted(at, b, moments, nothing, w):
    """Write mean and covariance of the rooted belief at address b to the address `moments`."""
    space = space_at(job_at(at).state)
    n, d = space.size, space.dim
    x, L, _ = gaussian_at(b, n, d, ONE)
    y, P, _ = gaussian_at(moments, n, d, ONE)
    for i in range(n):
        y[i] = x[i]
    for i in range(d):
        for j in range(i + 1):
            a = 0.0
            for k in range(j + 1):
                a += L[i, k] * L[j, k]
            P[i, j] = a
            P[j, i] = a


@driver(INNER)
def write_rooted(at, b, moments, nothing, w):
    """The rooted belief at address b = that of the mean and covariance at the address `moments`."""
    space = space_at(job_at(at).state)
    n, d = space.size, space.dim
    x, L, _ = gaussian_at(b, n, d, ONE)
    y, P, _ = gaussian_at(moments, n, d, ONE)
    for i in range(n):
        x[i] = y[i]
    cholesky_semidefinite(P, L, d, ONE)


Rooted.layout = (read_rooted, write_rooted)
