"""The Gauss-Hermite Kalman filter: the sigma-point filter that integrates polynomials of any degree exactly."""

from __future__ import annotations

from typing import Annotated

from ..core.settings import Interval, settings
from ._unscented import SigmaPointFilter
from .sigma_points import GaussHermitePoints, SigmaPoints


@settings
class GHKF(SigmaPointFilter):
    """Gauss-Hermite Kalman filter for any dynamics and sensors; needs no Jacobian.

    ::

        points    X_i = x (+) L xi_i,   P = L L',   xi_i the p^d tuples of roots of the Hermite polynomial He_p

    and all else as for the `UKF`. Means and covariances of models that are polynomials are exact up to degree 2p - 1 of
    what is averaged. The number of points grows as ``p^d``: a filter for up to about five dimensions.

    Source: Ito and Xiong, "Gaussian filters for nonlinear filtering problems", IEEE Trans. Automatic Control 45, 2000;
    Sarkka, *Bayesian Filtering and Smoothing*, 2013, section 6.3.

    Args:
        dynamics, dt, gate: as for `EKF`.
        order: p, points along each axis.

    Example:
        >>> from pilotage.models import range_bearing, unicycle
        >>> ghkf = GHKF(unicycle(), dt=0.1, order=5).start(mean=[0, 0, 0], std=[1, 1, 0.1])
        >>> ghkf.predict(u=[1.0, 0.0])
        >>> round(ghkf.update(range_bearing(std=(0.1, 0.02)), z=[5.0, 0.1], context=[5.0, 0.0]).nis, 1)
        0.2
    """

    order: Annotated[int, Interval(2, ends="[)")] = 3

    def sigma_points(self) -> SigmaPoints:
        return GaussHermitePoints(self.order)
