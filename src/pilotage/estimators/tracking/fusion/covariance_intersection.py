"""Covariance intersection: the fusion of beliefs whose errors depend on each other in an unknown way."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ....core import Gaussian
from ....core.arrays import Array
from ....core.settings import settings
from ._combined import axes, combined, decrease, least, measure, on_axes, spread
from .fusion import Fusion

Criterion = Literal["determinant", "trace"]


def covariance_intersection(a: Gaussian, b: Gaussian, *, criterion: Criterion = "determinant") -> Gaussian:
    """Covariance intersection of two beliefs.

    ::

        C^-1 = w A^-1 + (1 - w) B^-1,      c = C (w A^-1 a + (1 - w) B^-1 b),      0 <= w <= 1

    C is no smaller than the covariance of the error of c, whatever the correlation of the errors of a and b, if A and B
    are no smaller than theirs. The weight w makes C least. On curved spaces a and b come to the tangent space at c.

    Source: Julier and Uhlmann, "A non-divergent estimation algorithm in the presence of unknown correlations", American
    Control Conference, 1997.

    Args:
        a, b: beliefs on one space; leading axes broadcast.
        criterion: w makes least the "determinant" of C, or its "trace", which depends on the units.

    Raises:
        SpaceError: if their spaces differ.
        CovarianceError: if a covariance is singular.
        SettingError: if there is no such criterion.

    Example:
        >>> from pilotage.core import Space
        >>> plane = Space("x y [m]")
        >>> a, b = Gaussian.of(plane, [0.0, 0.0], std=[1.0, 9.0]), Gaussian.of(plane, [1.0, 1.0], std=[9.0, 1.0])
        >>> print(covariance_intersection(a, b))
        x 0.0 +- 1.4 m, y 1.0 +- 1.4 m
    """

    def weigh(A: Array, B: Array) -> tuple[list[Array], Array]:
        T, l = axes(A, B, "covariance_intersection")
        w, of = _weight(l, measure(criterion, T))[..., None], 1.0 / l
        c = 1.0 / (w + (1.0 - w) * of)
        return [on_axes(T, c * w), on_axes(T, c * (1.0 - w) * of)], np.asarray(spread(T, c))

    return combined("covariance_intersection", (a, b), weigh)


def _weight(variances: Array, size: Array | None) -> Array:
    """The best w ``(...)``, on axes where A is 1 and B has these variances ``(..., d)``."""
    of = 1.0 / variances

    def slope(w: Array) -> Array:
        return decrease(of - 1.0, w + (1.0 - w) * of, size)

    return least(slope, variances.shape[:-1])


@settings
class CovarianceIntersection(Fusion):
    """Fusion of tracks by `covariance_intersection`: never overconfident, whatever the tracks have in common.

    Args:
        criterion: "determinant" or "trace".

    Example:
        >>> CovarianceIntersection()
        CovarianceIntersection(criterion='determinant')
    """

    criterion: Criterion = "determinant"

    def fuse(self, central: Gaussian, source: Gaussian, common: Gaussian | None) -> Gaussian:
        return covariance_intersection(central, source, criterion=self.criterion)
