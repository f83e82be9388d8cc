"""Sigma points: some states, with weights, that stand for a normal distribution.

Each set gives points xi_i of the standard normal distribution of any dimension d, the middle first, and weights::

    sum w_i = 1      sum w_i xi_i = 0      sum w_i xi_i xi_i' = I

and weights v_i for covariances, which differ from w_i for the middle at most. Filters move ``x (+) L xi_i``, P = L L'.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Annotated

import numpy as np

from ..core.arrays import Array
from ..core.errors import SettingError
from ..core.settings import Finite, Interval, settings

Unit = tuple[Array, Array, Array]
MOST = 20_000
"""Points that a set may have; a product rule of many dimensions would have more than memory holds."""


class SigmaPoints(ABC):
    """A set of sigma points."""

    def unit(self, dim: int) -> Unit:
        """Points ``(N, dim)`` of the standard normal distribution, the middle first, and their weights w and v."""
        return _unit(self, dim)

    @abstractmethod
    def made(self, dim: int) -> Unit:
        """What `unit` gives, worked out."""


@lru_cache(maxsize=128)
def _unit(points: SigmaPoints, dim: int) -> Unit:
    return points.made(dim)


def _axes(dim: int, squared: float, name: str, value: float) -> Unit:
    """The middle and two points on each axis, s apart from it: ``w_i = 1 / (2 s^2)``, ``w_0 = 1 - d / s^2``."""
    if not squared > 0.0:
        raise SettingError(f"{name} is {value}; for {dim} dimensions it must be more than {-dim}")
    eye, s = np.eye(dim), math.sqrt(squared)
    xi = np.zeros((2 * dim + 1, dim))
    xi[1::2], xi[2::2] = s * eye, -s * eye
    w = np.full(2 * dim + 1, 0.5 / squared)
    w[0] = 1.0 - dim / squared
    return xi, w, w


@settings
class MerwePoints(SigmaPoints):
    """2d + 1 points at ``s^2 = alpha^2 (d + kappa)`` along the axes; ``v_0 = w_0 + 1 - alpha^2 + beta``.

    Source: van der Merwe and Wan, "The square-root unscented Kalman filter", ICASSP 2001.

    Args:
        alpha: spread, in (0, 1].
        beta: what is known of the distribution beyond its covariance; 2 is right for Gaussians.
        kappa: second spread.

    Example:
        >>> MerwePoints(alpha=1.0, beta=2.0, kappa=2.0).unit(1)[0].ravel().round(3)
        array([ 0.   ,  1.732, -1.732])
    """

    alpha: Annotated[float, Interval(0.0, 1.0, "(]")] = 1.0
    beta: Finite = 2.0
    kappa: Finite = 1.0

    def made(self, dim: int) -> Unit:
        xi, w, _ = _axes(dim, self.alpha**2 * (dim + self.kappa), "kappa", self.kappa)
        v = w.copy()
        v[0] += 1.0 - self.alpha**2 + self.beta
        return xi, w, v


@settings
class JulierPoints(SigmaPoints):
    """2d + 1 points at ``s^2 = d + kappa`` along the axes, with the same weights for means and covariances.

    Source: Julier and Uhlmann, "A new extension of the Kalman filter to nonlinear systems", 1997.

    Args:
        kappa: spread; ``d + kappa = 3`` matches the fourth moments of a Gaussian. Below 0 the middle weighs less than
            nothing, and covariances may turn out indefinite.

    Example:
        >>> JulierPoints(kappa=2.0).unit(1)[1].round(3)
        array([0.667, 0.167, 0.167])
    """

    kappa: Finite = 1.0

    def made(self, dim: int) -> Unit:
        return _axes(dim, dim + self.kappa, "kappa", self.kappa)


@settings
class CubaturePoints(SigmaPoints):
    """2d points of equal weight at ``s^2 = d`` along the axes: the spherical-radial rule of third degree.

    Source: Arasaratnam and Haykin, "Cubature Kalman filters", IEEE Trans. Automatic Control 54, 2009, equation 23.

    Example:
        >>> CubaturePoints().unit(4)[1]
        array([0.   , 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125])
    """

    def made(self, dim: int) -> Unit:
        return _axes(dim, float(dim), "dimension", dim) if dim else (np.zeros((1, 0)), np.ones(1), np.ones(1))


@settings
class SimplexPoints(SigmaPoints):
    """d + 2 points, the fewest: the middle, and the corners of a regular simplex on a sphere around it.

    Source: Julier, "The spherical simplex unscented transformation", American Control Conference 2003.

    Args:
        middle: weight w_0 of the middle, in [0, 1).

    Example:
        >>> SimplexPoints(middle=0.0).unit(2)[0].round(3)
        array([[ 0.   ,  0.   ],
               [-1.225, -0.707],
               [ 1.225, -0.707],
               [ 0.   ,  1.414]])
    """

    middle: Annotated[float, Interval(0.0, 1.0, "[)")] = 0.25

    def made(self, dim: int) -> Unit:
        share = (1.0 - self.middle) / (dim + 1)
        xi = np.zeros((dim + 2, dim))
        for j in range(1, dim + 1):
            xi[1 : j + 1, j - 1] = -1.0
            xi[j + 1, j - 1] = j
            xi[:, j - 1] /= math.sqrt(j * (j + 1) * share)
        w = np.full(dim + 2, share)
        w[0] = self.middle
        return xi, w, w


@settings
class GaussHermitePoints(SigmaPoints):
    """``p^d`` points, the product of Gauss and Hermite's rule along each axis: exact for polynomials of degree 2p - 1.

    Source: Ito and Xiong, "Gaussian filters for nonlinear filtering problems", IEEE Trans. Automatic Control 45, 2000,
    section III.A.

    Args:
        order: p, points along each axis; at least 2.

    Example:
        >>> GaussHermitePoints(order=3).unit(1)[0].ravel().round(3)
        array([ 0.   , -1.732,  1.732])
    """

    order: Annotated[int, Interval(2, ends="[)")] = 3

    def made(self, dim: int) -> Unit:
        if self.order**dim > MOST:
            raise SettingError(
                f"order is {self.order}, which takes {self.order**dim} points in {dim} dimensions; expected at most "
                f"{MOST}: lower the order, or use CubaturePoints"
            )
        nodes, weights = np.polynomial.hermite_e.hermegauss(self.order)
        nodes[np.abs(nodes) < 1e-12] = 0.0
        xi = np.array(list(itertools.product(nodes, repeat=dim))).reshape(-1, dim)
        w = np.array([math.prod(each) for each in itertools.product(weights / weights.sum(), repeat=dim)])
        middle = ~xi.any(1)
        xi, w = np.vstack([np.zeros(dim), xi[~middle]]), np.concatenate([[w[middle].sum()], w[~middle]])
        return xi, w, w
