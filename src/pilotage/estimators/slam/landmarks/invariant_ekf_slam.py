"""Invariant EKF-SLAM: EKF-SLAM whose error turns with the world, so that it stays consistent."""

from __future__ import annotations

from pilotage.core.settings import settings

from ._frames import Frame, Turning
from .ekf_slam import GaussianSLAM


@settings
class InvariantEKFSLAM(GaussianSLAM):
    """Invariant EKF-SLAM: the pose and all landmarks as one element of a group, SE_(N+1)(2).

    ::

        R = Exp(theta) R^      x = Exp(theta) x^ + V(theta) xi_x      p_j = Exp(theta) p^_j + V(theta) xi_j

    It is `EKFSLAM` of the error (theta, xi): predictions and gains are the same, but an update moves pose and landmarks
    together, and keeps the covariance of xi. No reading of landmarks tells where the whole map lies and how it is
    turned. EKF-SLAM linearises at values that change from update to update, and so comes to believe that it knows the
    turn; in these errors the directions that nothing tells are the same at every value.

    The vehicle needs a pose in the plane: x, y and yaw, or a part of kind SE2. Other parts, such as a speed, stay what
    they are.

    Source: Barrau and Bonnabel, "An EKF-SLAM algorithm with consistency properties", arXiv 1510.06263, 2015; Zhang, Wu,
    Song, Huang and Dissanayake, "Convergence and consistency analysis for a 3-D invariant-EKF SLAM", IEEE Robotics and
    Automation Letters 2, 2017.

    Args:
        dynamics, dt, association, gate, confirm, patience, initiation: see `GaussianSLAM`.

    Raises:
        ModelError: by `start`, if the vehicle has no pose in the plane.

    Example:
        >>> from pilotage.models import range_bearing, unicycle
        >>> robot = InvariantEKFSLAM(unicycle(), dt=0.1).start(mean=[0, 0, 0], std=[0.01, 0.01, 0.1])
        >>> robot.update(range_bearing(), [[5.0, 0.3]], ids=[7]).ids.tolist()
        [7]
    """

    def frame(self) -> Frame:
        assert self.dynamics is not None
        return Turning(self.dynamics.state)
