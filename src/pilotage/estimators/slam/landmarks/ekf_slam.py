"""EKF-SLAM: the extended Kalman filter over a vehicle and all landmarks, a state that grows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from pilotage.core import Dynamics, Sensor
from pilotage.core.settings import Count, Fraction, Positive, settings

from ..._inputs import check_belief, first_belief, moving
from ._frames import Components, Frame
from ._gaussian_engine import GaussianEngine
from .association import Association, JointCompatibility
from .initiation import DelayedInitiation
from .mapper import LandmarkMapper


@settings
class GaussianSLAM(ABC):
    """Base of SLAM with one Gaussian over the vehicle and all landmarks; subclasses say which errors it is of.

    Args:
        dynamics: how the vehicle moves: any dynamics.
        dt: default step [s].
        association: how detections are paired with landmarks where ids are not given.
        gate: probability that a good reading of a known landmark passes; None accepts all.
        confirm: number of sightings that a landmark needs to be believed. Landmarks with given ids need one.
        patience: a landmark that is not confirmed after so many scans is removed.
        initiation: when landmarks begin that no single reading determines.
    """

    dynamics: Dynamics | None = None
    dt: Positive | None = None
    association: Association = JointCompatibility()
    gate: Fraction | None = None
    confirm: Count = 3
    patience: Count = 20
    initiation: DelayedInitiation = DelayedInitiation()

    def start(
        self,
        mean: Any = None,
        std: Any = None,
        *,
        cov: Any = None,
        belief: Any = None,
        t: float = 0.0,
        sensors: Mapping[str, Sensor] | None = None,
    ) -> LandmarkMapper:
        """A mapper that starts at time `t` with a mean and std (or cov) of the vehicle, and an empty map.

        The map is made in the frame of this mean; give a small std where the robot itself is the origin.

        Args:
            mean: state ``(n,)``, or numbers by name, ``{"x": 1.0}``, as for `Gaussian.of`.
            std: standard deviations in the tangent space: a number, ``(d,)``, or by name.
            cov: covariance ``(d, d)``, instead of `std`.
            belief: any belief over the state, instead of the other three.
            t: start time [s].
            sensors: sensors by name; `update` accepts these names.

        Raises:
            ModelError: if the estimator has no dynamics.
            CovarianceError: if neither `std`, `cov` nor `belief` is given.
        """
        dynamics = moving(self)
        first = first_belief(dynamics.state, mean, std, cov, belief)
        check_belief(first, dynamics.state)
        return LandmarkMapper(GaussianEngine(self, dynamics, first.moments(), self.frame()), t, self.dt, sensors)

    @abstractmethod
    def frame(self) -> Frame:
        """The errors of the joint belief."""


@settings
class EKFSLAM(GaussianSLAM):
    """EKF-SLAM: the extended Kalman filter over the vehicle and all landmarks.

    ::

        state     (x, p_1, ..., p_N)                P: all of them together
        predict   x = f(x, u, dt)                   P_vv = F P_vv F' + Q,   P_vm = F P_vm
        update    y = z_i (-) h(x, p_j), stacked    J = [H 0 .. C .. 0]     S = J P J' + R
                  (x, p) = (x, p) (+) P J' S^-1 y   P = P - P J' S^-1 J P
        new       p with h(x, p) = z                dp = C^-1 (e - H dx)

    H and C are derivatives of the reading by the vehicle and by the landmark, both derived from the sensor. A
    prediction costs O(n) for n components of the state, an update O(n^2).

    Detections are paired with landmarks by joint compatibility, unless ids are given. Those that fit no landmark begin
    one, which is removed if it does not prove itself. A loop closes when landmarks from the beginning are seen again:
    the update moves all others with them. Once the heading is uncertain, linearisation makes EKF-SLAM overconfident;
    `InvariantEKFSLAM` stays consistent.

    Source: Smith, Self and Cheeseman, "Estimating uncertain spatial relationships in robotics" (1990); Thrun, Burgard
    and Fox, "Probabilistic Robotics" (2005), chapter 10; Durrant-Whyte and Bailey, "Simultaneous localization and
    mapping", IEEE Robotics and Automation Magazine 13, 2006.

    Args:
        dynamics, dt, association, gate, confirm, patience, initiation: see `GaussianSLAM`.

    Example:
        >>> from pilotage.models import range_bearing, unicycle
        >>> robot = EKFSLAM(unicycle(), dt=0.1).start(mean=[0, 0, 0], std=1e-3)
        >>> lidar = range_bearing(std=[0.1, 0.02])
        >>> robot.update(lidar, [[5.0, 0.3], [4.0, -1.0]]).ids.tolist()
        [0, 1]
        >>> robot.predict(u=[1.0, 0.0])
        >>> robot.update(lidar, [[3.95, -1.02], [4.91, 0.31]]).ids.tolist()
        [1, 0]
    """

    def frame(self) -> Frame:
        return Components()
