"""The ellipse: points anywhere in an object of elliptic shape, whose axes are free."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ....core.arrays import Array
from ....core.settings import Positive, settings
from .extent import Extent


@settings
class Ellipse(Extent):
    """An elliptic extent with points all over it: a random matrix.

    ::

        z_j = h(x) + e_j,      e_j ~ N(0, Y),      Y = scale E[X] + R         n points with mean z and scatter Z
        e = z - h(x),   S = H P H' + Y / n                  x <- x + K e,  P <- P - K S K',  K = P H' S^-1
        V <- V + N + M,   N = E[X]^(1/2) S^(-1/2) e e' (..)',   M = E[X]^(1/2) Y^(-1/2) Z (..)'
        v <- v + n,       alpha <- alpha + n,  beta <- beta + 1

        L(W) = Gamma(alpha + n) beta^alpha / (Gamma(alpha) (beta + 1)^(alpha + n))
               n^-1 pi^-n (|E[X]| / |S|)^(1/2) (|E[X]| / |Y|)^((n - 1) / 2)
               |V|^a G(a + n/2) / (|V'|^(a + n/2) G(a)),    a = (v - 3) / 2

    where V' is the V after the points and G the bivariate gamma function. The likelihood L of a cell W of points
    integrates to one over all cells, and for a size that is known it is that of a Kalman filter.

    Source: Feldmann, Franken and Koch, "Tracking of extended objects and group targets using random matrices", IEEE
    Trans. Signal Processing 59, 2011, equations 12 to 22; Granstrom, Fatemi and Svensson, "Poisson multi-Bernoulli
    mixture conjugate prior for multiple extended target filtering", IEEE Trans. Aerospace and Electronic Systems 56,
    2020, table III.

    Args:
        length, width, name, certainty, rate, rate_std, memory, rate_memory, share: see `Extent`. A new object has no
            direction, so that its X is round.
        scale: covariance of the points by X: 1/4 where they are all over the ellipse, 1/2 where they are on its
            border.

    Example:
        >>> Ellipse(length=4.0, width=2.0).matrix
        array([[2.5, 0. ],
               [0. , 2.5]])
    """

    scale: Positive = 0.25
    boxed: ClassVar[bool] = False
    free: ClassVar[float] = 6.0

    @property
    def matrix(self) -> Array:
        return np.eye(2) * (self.length**2 + self.width**2) / 8.0

    def spread(self, X: Array, place: Array | None, hidden: Array) -> tuple[Array, Array, Array]:
        return np.zeros((1, len(X))), np.zeros((1, len(X), 2)), self.scale * X[None]
