"""The fading-memory filter: old readings count less and less, so that a model too sure of itself is still corrected."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np

from ..core import Space
from ..core.settings import Interval, settings
from ._gaussian import GaussianEstimator
from ._steps import Inner
from .ekf import EKF, extended


@settings
class FadingEKF(GaussianEstimator):
    """Extended Kalman filter with fading memory, for any dynamics and sensors.

    ::

        predict   x = f(x, u, dt)               P = alpha^2 F P F' + Q

    and the update of the `EKF`: a reading k steps ago weighs ``alpha^-2k`` of one now. It forgets once a step, whatever
    the time between: for steps of unequal length, process noise says better what is not known.

    Source: Sorenson and Sacks, "Recursive fading memory filtering", Information Sciences 3, 1971; Simon, *Optimal State
    Estimation*, 2006, section 7.4.

    Args:
        dynamics, dt, gate: as for `EKF`.
        alpha: at least 1, which is the `EKF` itself; 1.01 forgets within some fifty steps.

    Example:
        >>> from pilotage.models import constant_velocity, position
        >>> target = FadingEKF(constant_velocity(), dt=1.0, alpha=1.05).start(mean=[0, 0, 1, 0], std=1.0)
        >>> target.predict()
        >>> target.update(position(std=1.0), z=[1.2, 0.1]).accepted
        True
    """

    alpha: Annotated[float, Interval(1.0, ends="[)")] = 1.01

    inner: ClassVar[Inner] = EKF.inner
    dynamics_results: ClassVar[tuple[str, str, str]] = EKF.dynamics_results
    sensor_results: ClassVar[tuple[str, str, str]] = EKF.sensor_results

    def constants(self, space: Space) -> np.ndarray:
        return extended(space, fading=self.alpha)

    def smoothing(self, space: Space) -> np.ndarray:
        return np.array([self.alpha])
