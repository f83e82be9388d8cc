"""Pure pursuit: drive the arc that leads to a point some way ahead on the path."""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from ...core.dynamics import Dynamics
from ...core.plan import Plan
from ...core.settings import NonNegative, Positive, by_name, positive, settings
from ._commands import Command
from .path import YAW_TOLERANCE
from .tracker import PathTracker, Sight, Steering


@settings
class PursuitLaw:
    """The law of `PurePursuit`: the arc to the first point of the path at the lookahead.

    Example:
        >>> PursuitLaw(lookahead=2.0, preview=0.8).distance(5.0)
        4.0
    """

    lookahead: Positive = 0.6
    preview: NonNegative = 0.8

    def distance(self, v: float) -> float:
        """The distance to the target at the speed `v` [m]."""
        return max(self.lookahead, self.preview * v)

    def __call__(self, sight: Sight) -> Steering:
        return arc(*sight.target(self.distance(sight.v)), sight.leg.direction)


def arc(a: float, b: float, direction: float) -> Steering:
    """The arc that is tangent to the heading and leads to (a, b) in the frame of the robot [m], in a direction.

    Example:
        >>> round(arc(2.0, 1.0, 1.0).curvature, 3)
        0.4
    """
    size = max(math.hypot(a, b), 1e-6)
    if a * direction < 0.0:
        return Steering(math.copysign(2.0 / size, b), behind=True)  # the tightest arc, not the long way round
    return Steering(2.0 * b / (size * size))


class PurePursuit(PathTracker):
    """Pure pursuit: geometric path tracking for vehicles that drive along their heading.

    ::

        L      = max(lookahead, preview v)                   distance to the target, v the speed of the robot
        (a, b) = target - (x, y) in the frame of the robot   the first point of the path that is L away
        kappa  = 2 b / (a^2 + b^2)                           the arc through both, tangent to the heading

    The speed, the legs, the end of the path and the verdicts are those of `PathTracker`, as are the settings that are
    not listed here.

    Pure pursuit ignores obstacles and cuts corners: by 0.27 L at right angles, by 0.15 L at 45 degrees. The planner has
    to keep this distance in addition to the radius of the robot; `RegulatedPurePursuit` stops before obstacles, and
    `follow` with `MPPI` avoids them.

    Args:
        dynamics, path, speed, decel, tolerance, yaw_tolerance, gain, command: see `PathTracker`.
        lookahead: shortest distance to the target [m]; half of it is the `turn_radius`.
        preview: time to reach the target at the current speed [s].

    Raises:
        ModelError: if the vehicle is not supported and no command is given, or the bounds of the speed or of the wheels
            exclude the direction of a leg.

    Source: Coulter, "Implementation of the pure pursuit path tracking algorithm", CMU-RI-TR-92-01, 1992; a lookahead
    that grows with speed is used in the Autoware and Nav2 controllers.

    Example:
        >>> from pilotage.models import unicycle
        >>> drive = PurePursuit(unicycle(), [[0, 0], [5, 0]], speed=0.5)
        >>> drive.act([0.0, 0.2, 0.0]).u.round(3).tolist()             # left of the path, turns right
        [0.5, -0.556]
    """

    @by_name
    def __init__(
        self,
        dynamics: Dynamics,
        path: Plan | ArrayLike,
        *,
        speed: float | ArrayLike = 1.0,
        decel: float = 1.0,
        lookahead: float = 0.6,
        preview: float = 0.8,
        tolerance: float = 0.2,
        yaw_tolerance: float = YAW_TOLERANCE,
        gain: float = 2.0,
        command: Command | None = None,
    ) -> None:
        law = PursuitLaw(positive(lookahead, "lookahead"), positive(preview, "preview", zero=True))
        super().__init__(
            dynamics, path, law, speed=speed, decel=decel, tolerance=tolerance, yaw_tolerance=yaw_tolerance,
            turn_radius=0.5 * law.lookahead, gain=gain, command=command,
        )  # fmt: skip
