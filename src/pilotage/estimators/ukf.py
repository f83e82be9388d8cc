"""The unscented Kalman filter on any space: 2d+1 sigma points carry mean and covariance through the models."""

from __future__ import annotations

from typing import Annotated

from ..core.errors import SettingError
from ..core.settings import Finite, Interval, settings
from ._unscented import SigmaPointFilter
from .sigma_points import MerwePoints, SigmaPoints


@settings
class UKF(SigmaPointFilter):
    """Unscented Kalman filter for any dynamics and sensors; it needs no Jacobians.

    ::

        points    X_0 = x,  X_i = x (+) d_i,  d_i = +-s L e_i,   P = L L',   s^2 = alpha^2 (d + kappa)
        weights   w_i = 1 / (2 s^2),   w_0 = 1 - d / s^2,   v_0 = w_0 + 1 - alpha^2 + beta,   v_i = w_i
        predict   x = mean of f(X_i) on the space,   P = sum v_i e_i e_i' + Q,   e_i = f(X_i) (-) x
        update    z^ = mean of h(X_i),   S = sum v_i r_i r_i' + R,   r_i = h(X_i) (-) z^
                  C = sum w_i d_i r_i',   K = C S^-1
                  x = x (+) K (z (-) z^),   P = (I - K H) P (I - K H)' + K (R + B) K',   H = C' P^-1
                  B = sum v_i (r_i - H d_i) (r_i - H d_i)':   the curvature of the sensor between the points

    Source: Wan and van der Merwe, "The unscented Kalman filter for nonlinear estimation", 2000; Sarkka, *Bayesian
    Filtering and Smoothing*, 2013, section 5.5; on manifolds Brossard et al., "A code for unscented Kalman filtering on
    manifolds", ICRA 2020.

    Args:
        dynamics, dt, gate: as for `EKF`.
        alpha: spread of the sigma points, in (0, 1].
        beta: prior knowledge of the distribution beyond its covariance; 2 is optimal for Gaussians.
        kappa: second spread; all weights are positive if ``alpha^2 (d + kappa) > d``.
        points: another set of points, such as `JulierPoints` or `SimplexPoints`; None for Merwe's, which alpha, beta
            and kappa describe.

    Before an update, the points are drawn again from the prediction, so that they include the process noise.

    Example:
        >>> from pilotage.models import range_bearing, unicycle
        >>> ukf = UKF(unicycle(), dt=0.1).start(mean=[0, 0, 0], std=[1, 1, 0.1])
        >>> ukf.predict(u=[1.0, 0.0])
        >>> round(ukf.update(range_bearing(std=(0.1, 0.02)), z=[5.0, 0.1], context=[5.0, 0.0]).nis, 1)
        0.2
    """

    alpha: Annotated[float, Interval(0.0, 1.0, "(]")] = 1.0
    beta: Finite = 2.0
    kappa: Finite = 1.0
    points: SigmaPoints | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.points is not None and (self.alpha, self.beta, self.kappa) != (1.0, 2.0, 1.0):
            raise SettingError(f"points are {self.points}, to which alpha, beta and kappa mean nothing; leave them out")

    def sigma_points(self) -> SigmaPoints:
        return MerwePoints(self.alpha, self.beta, self.kappa) if self.points is None else self.points
