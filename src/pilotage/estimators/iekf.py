"""The iterated extended Kalman filter: the update is linearised where it ends, not where it begins."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np

from ..core import FilterStatus, Space
from ..core.settings import Interval, Positive, settings
from ._gaussian import GaussianEstimator
from ._steps import Inner
from .ekf import EKF, extended


@settings
class IEKF(GaussianEstimator):
    """Iterated extended Kalman filter for any dynamics and sensors: an update ends at the most likely state.

    ::

        predict   x = f(x, u, dt)               P = F P F' + Q
        update    x+ = argmin |x+ (-) x|^2 / P + |z (-) h(x+)|^2 / R,     by Gauss and Newton, d = x+ (-) x:
                  A = H G                       H of h at x (+) d,  G from the tangent at x to that at x (+) d
                  K = P A' (A P A' + R)^-1      d = K (z (-) h(x (+) d) + A d)
                  P = (I - G K H) G P G' (I - G K H)' + G K R K' G'

    The prior x, P stays what it is while d moves, so a reading counts once. The first round is the update of the `EKF`,
    whose innovation, S, NIS and log-likelihood the update reports. A step is halved until the cost falls as its
    slope foretells (Armijo's rule). Where R is singular, steps are not halved: the update ends at the most likely of
    the states that a reading without noise allows, or has the status NOT_CONVERGED.

    It pays where a reading is precise and bends over the width of the belief: ranges and bearings to what is near.

    Source: Bell and Cathey, "The iterated Kalman filter update as a Gauss-Newton method", IEEE Trans. Automatic Control
    38, 1993; the length of steps Skoglund, Hendeby and Axehill, "Extended Kalman filter modifications based on an
    optimization view point", FUSION 2015; on manifolds Bourmaud et al., "Continuous-discrete extended Kalman filter on
    matrix Lie groups using concentrated Gaussian distributions", J. Mathematical Imaging and Vision 51, 2015.

    Args:
        dynamics, dt, gate: as for `EKF`.
        iterations: rounds at most. An update that has not converged by then has the status `NOT_CONVERGED`, and the
            belief is the same as before; a single one raises `ModelError`.
        tolerance: length of the last step, in standard deviations of the result.

    Example:
        >>> from pilotage.models import range_bearing, unicycle
        >>> robot = IEKF(unicycle(), dt=0.1).start(mean=[0, 0, 0], std=[1, 1, 0.5])
        >>> robot.predict(u=[1.0, 0.0])
        >>> robot.update(range_bearing(std=(0.01, 0.01)), z=[3.0, 0.9], context=[3.0, 1.0]).accepted
        True
    """

    iterations: Annotated[int, Interval(2, ends="[)")] = 50
    tolerance: Positive = 1e-4

    inner: ClassVar[Inner] = EKF.inner
    dynamics_results: ClassVar[tuple[str, str, str]] = EKF.dynamics_results
    sensor_results: ClassVar[tuple[str, str, str]] = EKF.sensor_results
    transports: ClassVar[bool] = True
    unexplained: ClassVar[FilterStatus] = FilterStatus.NOT_CONVERGED

    def constants(self, space: Space) -> np.ndarray:
        return extended(space, self.iterations, self.tolerance)
