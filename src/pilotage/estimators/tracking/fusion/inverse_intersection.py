"""Inverse covariance intersection: the fusion of beliefs with common information that is unknown."""

from __future__ import annotations

import numpy as np

from ....core import Gaussian
from ....core.arrays import Array
from ....core.settings import settings
from ._combined import axes, combined, decrease, least, measure, on_axes, spread
from .covariance_intersection import Criterion
from .fusion import Fusion


def inverse_covariance_intersection(a: Gaussian, b: Gaussian, *, criterion: Criterion = "determinant") -> Gaussian:
    """Inverse covariance intersection of two beliefs.

    ::

        C^-1 = A^-1 + B^-1 - M^-1,      M = w A + (1 - w) B,      0 <= w <= 1
        c = C ((A^-1 - w M^-1) a + (B^-1 - (1 - w) M^-1) b)

    C is smaller than that of `covariance_intersection`. It is no smaller than the covariance of the error of c if the
    errors depend on each other by common information: a and b are each the fusion of one belief, whatever it is, with
    independent ones. Shared process noise is not of that kind in general.

    Source: Noack, Sijs, Reinhardt and Hanebeck, "Decentralized data fusion with inverse covariance intersection",
    Automatica 79, 2017, equations 10 to 14.

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
        >>> print(inverse_covariance_intersection(a, b))
        x 0.0 +- 1.0 m, y 1.0 +- 1.0 m
    """

    def weigh(A: Array, B: Array) -> tuple[list[Array], Array]:
        T, l = axes(A, B, "inverse_covariance_intersection")
        w = _weight(l, measure(criterion, T))[..., None]
        common = 1.0 / (w + (1.0 - w) * l)
        c = 1.0 / (1.0 + 1.0 / l - common)
        return [on_axes(T, c * (1.0 - w * common)), on_axes(T, c * (1.0 / l - (1.0 - w) * common))], np.asarray(
            spread(T, c)
        )

    return combined("inverse_covariance_intersection", (a, b), weigh)


def _weight(variances: Array, size: Array | None) -> Array:
    """The best w ``(...)``, on axes where A is 1 and B has these variances ``(..., d)``."""

    def slope(w: Array) -> Array:
        common = 1.0 / (w + (1.0 - w) * variances)
        return decrease((variances - 1.0) * common**2, 1.0 + 1.0 / variances - common, size)

    return least(slope, variances.shape[:-1])


@settings
class InverseCovarianceIntersection(Fusion):
    """Fusion of tracks by `inverse_covariance_intersection`: closer than covariance intersection.

    Args:
        criterion: "determinant" or "trace".

    Example:
        >>> InverseCovarianceIntersection().criterion
        'determinant'
    """

    criterion: Criterion = "determinant"

    def fuse(self, central: Gaussian, source: Gaussian, common: Gaussian | None) -> Gaussian:
        return inverse_covariance_intersection(central, source, criterion=self.criterion)
