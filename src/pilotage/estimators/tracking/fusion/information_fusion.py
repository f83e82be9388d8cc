"""Information fusion: two beliefs are added, and what they have in common is taken away once."""

from __future__ import annotations

import numpy as np

from ....core import Gaussian
from ....core.arrays import Array
from ....core.settings import settings
from ._combined import axes, combined, transposed
from .covariance_intersection import covariance_intersection
from .fusion import Fusion


def information_fusion(a: Gaussian, b: Gaussian, common: Gaussian) -> Gaussian:
    """Fusion of two beliefs that have known information in common, as a channel filter knows it.

    ::

        C^-1 = A^-1 + B^-1 - M^-1,      c = C (A^-1 a + B^-1 b - M^-1 m)

    For linear models this is the belief given all readings behind a and b, if those that are behind both are the ones
    behind the common belief (m, M). B^-1 - M^-1 is the news in b. Where b knows less than the common belief in some
    direction, which no linear filter leads to, it has no news there: C is positive definite always.

    Source: Grime and Durrant-Whyte, "Data fusion in decentralized sensor networks", Control Engineering Practice 2,
    1994.

    Args:
        a, b: beliefs on one space; leading axes broadcast.
        common: the belief that both are based on.

    Raises:
        SpaceError: if their spaces differ.
        CovarianceError: if a covariance is singular.

    Example:
        >>> from pilotage.core import Space
        >>> line = Space("x [m]")
        >>> old, new = Gaussian.of(line, [0.0], std=1.0), Gaussian.of(line, [1.0], cov=[[0.5]])
        >>> print(information_fusion(old, new, common=old), information_fusion(new, new, common=new))
        x 1.00 +- 0.71 m x 1.00 +- 0.71 m
    """
    return combined("information_fusion", (a, b, common), _weigh)


def _weigh(A: Array, B: Array, M: Array) -> tuple[list[Array], Array]:
    T, of = axes(M, B, "information_fusion")  # M = T T', B = T diag(of) T'
    new, inverse = of < 1.0, np.linalg.inv(T)
    gain, b, common = (
        transposed(inverse * np.where(new, each, 0.0)[..., None]) @ inverse for each in (1.0 / of - 1.0, 1.0 / of, 1.0)
    )
    C = np.asarray(np.linalg.inv(np.linalg.inv(A) + gain), np.float64)
    W, V = C @ b, C @ common
    return [np.eye(C.shape[-1]) - W + V, W, -V], C


@settings
class InformationFusion(Fusion):
    """Fusion of tracks by `information_fusion`, with what the last message between fuser and source said as common.

    For linear models this is the filter of all readings, with a message at each update of the sources. With fewer it is
    close to that: the process noise since the last message, which all share, is not accounted for exactly. Nothing is
    counted twice, unless messages go in circles of three or more fusers.

    At the first message about a target what the two have in common is unknown: there it is covariance intersection.

    Example:
        >>> InformationFusion()
        InformationFusion()
    """

    def fuse(self, central: Gaussian, source: Gaussian, common: Gaussian | None) -> Gaussian:
        if common is None:
            return covariance_intersection(central, source)
        return information_fusion(central, source, common)
