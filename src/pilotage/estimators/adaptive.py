"""The adaptive extended Kalman filter: innovations and residuals tell how noisy models are."""

from __future__ import annotations

from typing import Annotated, Literal

from ..core.settings import Interval, settings
from ._adaptive import NoiseEstimator, Rule


@settings
class AdaptiveEKF(NoiseEstimator):
    """Extended Kalman filter that estimates the noise of its sensors, or of its dynamics, for any of them.

    ::

        R       R = R + (D - R) / w                  D = R + R S^-1 (y y' - S) S^-1 R = v v' + H P H'
        factor  a = a exp((NIS / m - 1) / window)    Q = a Q(x, u, dt)

    and the steps of the `EKF` under these; v is the residual after the update, and P the covariance then. Each sensor
    has its R. The weight w of the readings so far grows from `trust` to `window`, beyond which old readings are
    forgotten. Components that were not measured take their share of D from those that were, as R correlates them. R
    stays positive definite, as a mean of such matrices.

    Residuals do not tell R from Q: an innovation larger than expected may come from either. The filter adapts one, and
    takes the other as the models say. The factor of Q is a heuristic: it moves until the NIS is as large as its
    dimension on average.

    Source: Mohamed and Schwarz, "Adaptive Kalman filtering for INS/GPS", J. Geodesy 73, 1999, with a window that
    forgets exponentially; Mehra, "Approaches to adaptive filtering", IEEE Trans. Automatic Control 17, 1972, section V
    (covariance matching), whose factor is found by Robbins and Monro's method.

    Args:
        dynamics, dt, gate: as for `EKF`. Readings that the gate rejects teach nothing.
        trust: the number of readings that the noise of a sensor, as its model says, is worth at first.
        window: the number of readings that are remembered, at least 1.
        adapts: "R" for the noise of sensors, "Q" for that of the dynamics.

    Beliefs are `NoiseBelief`: ``filter.belief.noise(sensor)`` is R.

    Example:
        >>> from pilotage.models import constant_velocity, position
        >>> robot = AdaptiveEKF(constant_velocity(1), dt=1.0, window=50).start(std=1.0)
        >>> robot.predict()
        >>> fix = position(1, std=1.0)
        >>> print(robot.update(fix, z=[9.0]).belief.noise(fix).round(1))
        [[1.6]]
    """

    window: Annotated[float, Interval(1.0, ends="[)")] = 100.0
    adapts: Literal["R", "Q"] = "R"

    def rule(self) -> Rule:
        return Rule(longest=self.window - 1.0) if self.adapts == "R" else Rule(window=self.window)
