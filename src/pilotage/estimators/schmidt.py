"""The Schmidt-Kalman filter: components that are not estimated, but whose uncertainty counts."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..core import Space
from ..core.settings import settings
from ._gaussian import GaussianEstimator
from ._steps import Inner
from .ekf import EKF, extended


@settings
class SchmidtEKF(GaussianEstimator):
    """Schmidt-Kalman filter, or consider filter, for any dynamics and sensors.

    ::

        update    x, c the estimated and the considered components, P_xx, P_xc, P_cc their covariances
                  K_x = (P_xx H_x' + P_xc H_c') S^-1          K_c = 0
                  x   = x (+) K_x y                           c stays
                  P   = (I - K H) P (I - K H)' + K R K'       of which P_cc stays

    and the prediction of the `EKF`. Biases and parameters that readings hardly tell are carried along this way: they
    widen what they touch, and no reading makes the filter believe that it knows them.

    Source: Schmidt, "Application of state-space methods to navigation problems", Advances in Control Systems 3, 1966;
    Tapley, Schutz and Born, *Statistical Orbit Determination*, 2004, chapter 6.

    Args:
        dynamics, dt, gate: as for `EKF`.
        considered: names of components of the state, apart by spaces; with none it is the `EKF`.

    Raises:
        SpaceError: at the first step, when the state has no such component.

    Example:
        >>> from pilotage.models import bicycle, gnss
        >>> car = SchmidtEKF(bicycle(), dt=0.05, considered="yaw").start(mean=[0, 0, 0, 1], std=[1, 1, 0.1, 0.5])
        >>> car.predict(u=[0.5, 0.02])
        >>> float(car.belief.std[2]) == float(car.update(gnss(std=1.5), z=[0.4, 0.1]).belief.std[2])
        True
    """

    considered: str = ""

    inner: ClassVar[Inner] = EKF.inner
    dynamics_results: ClassVar[tuple[str, str, str]] = EKF.dynamics_results
    sensor_results: ClassVar[tuple[str, str, str]] = EKF.sensor_results

    def constants(self, space: Space) -> np.ndarray:
        gains = np.ones(space.dim)
        gains[space.indices(self.considered.split())[1]] = 0.0
        return extended(space, gains=gains)
