"""Independent fusion: the product of two beliefs, as if their errors had nothing in common."""

from __future__ import annotations

import numpy as np

from ....core import Gaussian
from ....core.arrays import Array
from ....core.settings import settings
from ._combined import axes, combined, on_axes, spread
from .fusion import Fusion


def independent_fusion(a: Gaussian, b: Gaussian) -> Gaussian:
    """Fusion of two beliefs whose errors are independent.

    ::

        C^-1 = A^-1 + B^-1,      c = C (A^-1 a + B^-1 b)

    If the errors are dependent, C is too small: the same information counts twice. Two trackers of one target have
    dependent errors, since they share the process noise and the start; use `covariance_intersection` there.

    Args:
        a, b: beliefs on one space; leading axes broadcast.

    Raises:
        SpaceError: if their spaces differ.
        CovarianceError: if a covariance is singular.

    Example:
        >>> from pilotage.core import Space
        >>> line = Space("x [m]")
        >>> print(independent_fusion(Gaussian.of(line, [0.0], std=1.0), Gaussian.of(line, [1.0], std=1.0)))
        x 0.50 +- 0.71 m
    """
    return combined("independent_fusion", (a, b), _weigh)


def _weigh(A: Array, B: Array) -> tuple[list[Array], Array]:
    T, b = axes(A, B, "independent_fusion")
    w = b / (1.0 + b)
    return [on_axes(T, w), on_axes(T, 1.0 - w)], np.asarray(spread(T, w))


@settings
class IndependentFusion(Fusion):
    """Fusion of tracks as if their errors were independent; see `independent_fusion`.

    It is here for comparison: its covariances are too small, and with tracks that go in a circle they go to zero.

    Example:
        >>> IndependentFusion()
        IndependentFusion()
    """

    def fuse(self, central: Gaussian, source: Gaussian, common: Gaussian | None) -> Gaussian:
        return independent_fusion(central, source)
