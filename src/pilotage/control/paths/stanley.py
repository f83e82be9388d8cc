"""The Stanley controller: steer the front wheels along the path, and towards it by their distance from it."""

from __future__ import annotations

import math
from typing import Annotated

from numpy.typing import ArrayLike

from ...core.dynamics import Dynamics
from ...core.plan import Plan
from ...core.settings import Interval, NonNegative, Positive, by_name, instance, settings
from ._commands import Command
from .path import YAW_TOLERANCE
from .tracker import PathTracker, Sight, Steering


@settings
class StanleyLaw:
    """The law of `Stanley`, for a vehicle with its front axle `wheelbase` metres ahead of the point that moves.

    Example:
        >>> StanleyLaw(wheelbase=0.3).k
        2.5
    """

    wheelbase: Positive
    k: Positive = 2.5
    soft: NonNegative = 0.5
    steer: Annotated[float, Interval(0.0, 0.5 * math.pi)] = 1.2

    def __call__(self, sight: Sight) -> Steering:
        e, psi = sight.error(ahead=self.wheelbase)
        delta = -psi - math.atan2(self.k * e, self.soft + sight.v)
        delta = min(max(delta, -self.steer), self.steer)
        kappa = sight.leg.direction * math.tan(delta) / self.wheelbase
        return Steering(kappa, behind=abs(psi) > 0.5 * math.pi)


class Stanley(PathTracker):
    """The Stanley controller: geometric path tracking with the error of the front axle.

    ::

        delta = -psi - atan(k e / (soft + v)),   |delta| <= steer
        kappa = tan(delta) / wheelbase

    e is the distance of the front axle to the path, positive to the left, psi the heading of the vehicle relative to
    the path next to the front axle, and v the speed. A front axle that moves by this law along a straight path comes to
    it by ``e' = -k e v / ((soft + v) sqrt(1 + (k e / (soft + v))^2))``: exponentially, with the constant k at high
    speeds. On a backward leg the vehicle is mirrored: its front axle lies behind it by the wheelbase. The axle that
    follows is inside of a curve of curvature kappa by about ``wheelbase^2 kappa / 2``.

    The speed, the legs, the end of the path and the verdicts are those of `PathTracker`, as are the settings that are
    not listed here. It ignores obstacles.

    Args:
        dynamics, path, speed, decel, tolerance, yaw_tolerance, gain, command: see `PathTracker`.
        k: gain of the cross-track error [1/s].
        soft: speed that is added for smooth steering at low speeds [m/s].
        steer: largest angle of the front wheels [rad]; the bounds of the action may allow less.
        wheelbase: distance to the front axle [m]. Default: the parameter of the model; for vehicles without one, 0.3.

    Raises:
        ModelError: as `PathTracker`.

    Source: Hoffmann, Tomlin, Montemerlo and Thrun, "Autonomous automobile trajectory tracking for off-road driving",
    ACC 2007, eq. 5 (the kinematic law) and section III-C (`soft`). Its terms for the inertia and the steering delay of
    a heavy car at speed are left out.

    Example:
        >>> from pilotage.models import bicycle
        >>> drive = Stanley(bicycle(wheelbase=0.33), [[0, 0], [9, 0]], speed=2.0)
        >>> drive.act([1.0, 0.2, 0.0, 2.0]).u.round(3).tolist()        # left of the path, steers right
        [0.0, -0.197]
    """

    @by_name
    def __init__(
        self,
        dynamics: Dynamics,
        path: Plan | ArrayLike,
        *,
        speed: float | ArrayLike = 1.0,
        decel: float = 1.0,
        k: float = 2.5,
        soft: float = 0.5,
        steer: float = 1.2,
        wheelbase: float | None = None,
        tolerance: float = 0.2,
        yaw_tolerance: float = YAW_TOLERANCE,
        gain: float = 2.0,
        command: Command | None = None,
    ) -> None:
        own = instance(dynamics, Dynamics, "Stanley").params.get("wheelbase", 0.3)
        law = StanleyLaw(wheelbase=float(own) if wheelbase is None else wheelbase, k=k, soft=soft, steer=steer)
        super().__init__(
            dynamics, path, law, speed=speed, decel=decel, tolerance=tolerance, yaw_tolerance=yaw_tolerance,
            gain=gain, command=command,
        )  # fmt: skip
