"""The square-root Kalman filter, for linear dynamics and sensors."""

from __future__ import annotations

from ..core.settings import settings
from ._linear import LinearModels
from .sqrt_ekf import SquareRootEKF


@settings
class SquareRootKF(LinearModels, SquareRootEKF):
    """Square-root Kalman filter for linear dynamics and sensors: the Kalman filter, with twice the digits.

    ::

        predict   x = F x + B u              [F L  Q^1/2] U = [L  0]
        update    y = z - H x                [R^1/2  H L] U = [S^1/2  0]
                  x = x + K_s S^-1/2 y       [  0      L]     [ K_s   L]

    with P = L L' and orthogonal matrices U, of Householder's reflections. Mean and covariance are those of the `KF`, of
    which only the root is kept: no rounding makes the covariance indefinite.

    Source: Potter and Stern 1963, and Kailath, Sayed and Hassibi, *Linear Estimation*, 2000, section 12.1.

    Args:
        dynamics, dt, gate: as for `EKF`. Nonlinear dynamics and sensors raise an error.

    Example:
        >>> from pilotage.models import constant_velocity, position
        >>> kf = SquareRootKF(constant_velocity(), dt=1.0).start(mean=[0, 0, 1, 0], std=1.0)
        >>> kf.predict()
        >>> kf.update(position(std=1.0), z=[1.2, 0.1]).accepted
        True
    """
