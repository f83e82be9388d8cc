"""The robots of the navigation environment: their commands, motion and size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ...core import Dynamics, SettingError, Space
from ...maps import Footprint
from ...models import bicycle, dynamics, unicycle


@dataclass(frozen=True, eq=False)
class Robot:
    """The models of a robot that planners, controllers and filters use.

    Attributes:
        model: dynamics for planning and control; the state has x, y and yaw.
        odometry: the same motion with the measurements of the wheels as actions, speed [m/s] and yaw rate [rad/s]; for
            filters.
        footprint: outline of the robot on the ground.

    Example:
        >>> long = Robot(unicycle(), unicycle(), Footprint([[0.3, 0.0, 0.25], [-0.3, 0.0, 0.25]]))
        >>> long.footprint.radius
        0.55
    """

    model: Dynamics
    odometry: Dynamics
    footprint: Footprint

    def __post_init__(self) -> None:
        for role in ("model", "odometry"):
            if not isinstance(getattr(self, role), Dynamics):
                raise SettingError(f"the {role} of a robot is {getattr(self, role)!r}; expected Dynamics")
        if not isinstance(self.footprint, Footprint):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(
                f"the footprint of a robot is {self.footprint!r}; expected a Footprint, such as Footprint.disc(0.2)"
            )
        if self.odometry.action.size != 2:
            names = ", ".join(self.odometry.action.names)
            raise SettingError(f"the odometry of a robot is driven by speed and yaw rate, not by {names}")
        _ = self.pose_index

    @cached_property
    def pose_index(self) -> list[int]:
        """The indices of x, y and yaw in the state."""
        return [self.model.state.find(name) for name in ("x", "y", "yaw")]


_LIMITS = Space("speed [m/s] in [-1, 1]", "yaw_rate [rad/s] in [-1, 1]")
_PLANE = Space("x y [m]", "yaw: angle")
_CAR = bicycle().state.bounded(speed=(-0.5, 1.0))
_PEDALS = Space("accel [m/s^2] in [-1, 1]", "steer [rad] in [-0.6, 0.6]")

# The library's bodies under the limits of these robots.
_drive = dynamics(state=_PLANE, action=_LIMITS, noise=(0.01, 0.01, 0.01))(unicycle.__wrapped__)
_ride = dynamics(state=_CAR, action=_PEDALS, params={"wheelbase": 0.33}, noise=(0.01, 0.01, 0.01, 0.02))(
    bicycle.__wrapped__
)


def differential_drive(slip: float = 0.05) -> Robot:
    """A round robot, 35 cm in diameter, controlled by speed and yaw rate, like ROS robots (``cmd_vel``)."""
    noisy = _drive(action_noise=(_held(slip, 0.5), _held(slip, 0.5)))
    return Robot(noisy, noisy, Footprint.disc(0.175))


def car(slip: float = 0.05) -> Robot:
    """A small car with a wheelbase of 33 cm, controlled by acceleration and steering angle; a bicycle model."""
    odometry = _drive(action_noise=(_held(slip, 0.5), _held(slip, 0.5)))
    return Robot(_ride(), odometry, Footprint([[0.0, 0.0, 0.16], [0.165, 0.0, 0.16], [0.33, 0.0, 0.16]]))


def _held(slip: float, speed: float) -> float:
    """The error of a speed due to slip, for a filter that assumes independent errors of consecutive ticks.

    Slip lasts longer than a tick, so its effect exceeds that of independent errors; a factor of three compensates this
    over the correlation time.
    """
    return 3.0 * slip * speed


ROBOTS = {"differential_drive": differential_drive, "bicycle": car}


def robot_of(given: str | Robot, slip: float) -> Robot:
    """The robot of a name, or the given robot."""
    if isinstance(given, Robot):
        return given
    if not (isinstance(given, str) and given in ROBOTS):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(
            f"there is no robot {given!r}; there are {', '.join(ROBOTS)}, or pass a Robot(model, odometry, footprint)"
        )
    return ROBOTS[given](slip)
