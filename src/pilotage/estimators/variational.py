"""The variational extended Kalman filter: state and noise of a reading are estimated together."""

from __future__ import annotations

from typing import Annotated

from ..core.settings import Interval, settings
from ._adaptive import NoiseEstimator, Rule


@settings
class VariationalEKF(NoiseEstimator):
    """Extended Kalman filter with variational Bayes for the noise of its sensors, for any dynamics and sensors.

    ::

        R ~ inverse Wishart with mean R and weight w = nu - m - 1
        forget   w = rho w
        update   D  = R+ + R+ S^-1 (y y' - S) S^-1 R+,   S = H P H' + R+
                 R+ = (w R + D) / (w + 1);  both again, `iterations` times
                 x, P of the `EKF` under R = R+,   w = w + 1

    D is ``v v' + H P H'`` with the residual v and the covariance P after the update under R+. State and noise are taken
    to be independent given the readings, which is the approximation. Each sensor has its own distribution, which
    forgets with the readings of that sensor. Every round starts from the prior, so a reading counts once. Where only
    some components were measured, D of the others is what R expects of them. Innovation, S, NIS and log-likelihood are
    those before the reading.

    Source: Sarkka and Nummenmaa, "Recursive noise adaptive Kalman filtering by variational Bayesian approximations",
    IEEE Trans. Automatic Control 54, 2009; with full matrices, Sarkka and Hartikainen, "Non-linear noise adaptive
    Kalman filtering via variational Bayes", MLSP 2013, section 3.

    Args:
        dynamics, dt, gate: as for `EKF`. Readings that the gate rejects teach nothing.
        trust: w at first, the number of readings that the noise of a sensor, as its model says, is worth.
        forgetting: rho, in (0, 1]; ``1 / (1 - rho)`` readings are remembered. With 1, noise never changes.
        iterations: rounds of an update.

    Beliefs are `NoiseBelief`: ``filter.belief.noise(sensor)`` is R.

    Example:
        >>> from pilotage.models import constant_velocity, position
        >>> robot = VariationalEKF(constant_velocity(1), dt=1.0).start(std=1.0)
        >>> robot.predict()
        >>> fix = position(1, std=1.0)
        >>> print(robot.update(fix, z=[9.0]).belief.noise(fix).round(1))
        [[3.5]]
    """

    forgetting: Annotated[float, Interval(0.0, 1.0, ends="(]")] = 0.99
    iterations: Annotated[int, Interval(1, ends="[)")] = 5

    def rule(self) -> Rule:
        return Rule(self.iterations, self.forgetting)
