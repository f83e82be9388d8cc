"""The cubature Kalman filter: the sigma-point filter whose points all weigh the same, and nothing is to be chosen."""

from __future__ import annotations

from ..core.settings import settings
from ._unscented import SigmaPointFilter
from .sigma_points import CubaturePoints, SigmaPoints


@settings
class CKF(SigmaPointFilter):
    """Cubature Kalman filter for any dynamics and sensors; needs no Jacobian.

    ::

        points    X_i = x (+) d_i,   d_i = +-sqrt(d) L e_i,   P = L L',   w_i = v_i = 1 / (2 d)

    and all else as for the `UKF`. No weight is negative, so covariances stay definite; the points lie farther out as d
    grows.

    Source: Arasaratnam and Haykin, "Cubature Kalman filters", IEEE Trans. Automatic Control 54, 2009, appendix A.

    Args:
        dynamics, dt, gate: as for `EKF`.

    Example:
        >>> from pilotage.models import range_bearing, unicycle
        >>> ckf = CKF(unicycle(), dt=0.1).start(mean=[0, 0, 0], std=[1, 1, 0.1])
        >>> ckf.predict(u=[1.0, 0.0])
        >>> round(ckf.update(range_bearing(std=(0.1, 0.02)), z=[5.0, 0.1], context=[5.0, 0.0]).nis, 1)
        0.2
    """

    def sigma_points(self) -> SigmaPoints:
        return CubaturePoints()
