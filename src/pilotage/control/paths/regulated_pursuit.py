"""Regulated pure pursuit: slower in curves and near obstacles, and a stop before the arc ahead touches one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array
from ...core.dynamics import Dynamics
from ...core.errors import SettingError
from ...core.plan import Plan
from ...core.settings import Interval, NonNegative, Positive, by_name, instance, settings
from ...maps import Footprint, Obstacles, OccupancyGrid
from ._commands import Command
from .path import YAW_TOLERANCE
from .pure_pursuit import arc
from .tracker import PathTracker, Sight, Steering


@settings
class RegulatedLaw:
    """The law of `RegulatedPurePursuit`.

    Example:
        >>> law = RegulatedLaw(min_radius=1.0)
        >>> law.curved(1.0, 0.5), law.curved(1.0, 2.0)
        (1.0, 0.5)
    """

    obstacles: Obstacles | None = None
    footprint: Footprint = Footprint.disc(0.2)
    lookahead: Positive = 0.3
    farthest: Positive = 0.9
    preview: NonNegative = 1.5
    min_radius: NonNegative = 0.9
    proximity: NonNegative = 0.6
    alpha: Annotated[float, Interval(0.0, 1.0, "(]")] = 1.0
    approach: NonNegative = 0.6
    min_speed: Positive = 0.1
    collision_time: NonNegative = 1.0
    rotate: Annotated[float, Interval(0.0, math.pi, "(]")] = math.radians(45.0)

    def __call__(self, sight: Sight) -> Steering:
        distance = max(min(self.preview * sight.v, self.farthest), self.lookahead)
        a, b = sight.target(distance)
        steering, direction = arc(a, b, sight.leg.direction), sight.leg.direction
        angle = math.atan2(direction * b, direction * a)
        if sight.turns and abs(angle) > self.rotate:
            turning = np.array(sight.pose) + np.outer(np.linspace(0.0, 1.0, 10), [0.0, 0.0, angle])
            kappa = math.copysign(2.0 / self.lookahead, direction * angle)
            return Steering(kappa, behind=True, blocked=self.touched(turning))
        slow = min(self.curved(sight.speed, steering.curvature), self.near(sight.speed, np.array(sight.pose)))
        speed = min(max(slow, self.min_speed), self.ending(sight.speed, sight.left))
        ahead = max(min(max(speed, sight.v) * self.collision_time, distance), sight.stopping)
        way = along(sight.pose, steering.curvature, direction * np.linspace(0.0, ahead, 20))
        return replace(steering, speed=speed, blocked=self.touched(way))

    def curved(self, speed: float, kappa: float) -> float:
        """The speed in a curve [m/s]."""
        return speed / max(abs(kappa) * self.min_radius, 1.0)

    def near(self, speed: float, pose: Array) -> float:
        """The speed next to obstacles [m/s]."""
        if self.obstacles is None or self.proximity == 0.0:
            return speed
        d = float(self.footprint.clearance(self.obstacles, pose))
        return speed * self.alpha * max(d, 0.0) / self.proximity if d <= self.proximity else speed

    def ending(self, speed: float, left: float) -> float:
        """The speed before the end of a leg [m/s]."""
        return max(speed * left / self.approach, self.min_speed) if left < self.approach else speed

    def touched(self, poses: Array) -> str:
        """A sentence on the first of poses ``(N, 3)`` where the robot touches an obstacle; empty if it touches none.

        A robot that touches one already may drive where it does not come any deeper.
        """
        if self.obstacles is None:
            return ""
        room = self.footprint.clearance(self.obstacles, poses)
        hit = np.flatnonzero(room < min(0.0, room[0] - 1e-6))
        if not len(hit):
            return ""
        x, y, _ = poses[hit[0]]
        return f"the way ahead leads into an obstacle at ({x:.2f}, {y:.2f}), by {-room[hit].min():.2g} m"


def along(pose: tuple[float, float, float], kappa: float, d: Array) -> Array:
    """The poses ``(N, 3)`` of a robot that drives an arc for the distances d ``(N,)`` [m].

    Example:
        >>> along((0.0, 0.0, 0.0), 1.0, np.array([0.5 * np.pi])).round(3)
        array([[1.   , 1.   , 1.571]])
    """
    x, y, yaw = pose
    half = 0.5 * kappa * d
    chord = d * np.sinc(half / np.pi)
    return np.stack([x + chord * np.cos(yaw + half), y + chord * np.sin(yaw + half), yaw + 2.0 * half], -1)


class RegulatedPurePursuit(PathTracker):
    """Regulated pure pursuit: pure pursuit at a speed that suits the curve and the obstacles, with a collision check.

    ::

        L      = min(max(preview v, lookahead), farthest)              target and arc as in `PurePursuit`
        curve  = speed / max(|kappa| min_radius, 1)
        near   = speed alpha d / proximity                             d <= proximity: distance to obstacles
        end    = max(speed left / approach, min_speed)                 left <= approach: to the end of the leg
        speed <- min(max(min(curve, near), min_speed), end)

    The arc ahead is checked against the obstacles for `collision_time` seconds, but not beyond the target, and at least
    for the distance within which the robot stops. If the robot would touch one, it brakes: the status is FALLBACK, with
    a reason that gives the place, and after some seconds STUCK. A robot that can turn on the spot does so if the target
    is more than `rotate` to the side; the turn is checked as well.

    The speed, the legs, the end of the path and the verdicts are those of `PathTracker`, as are the settings that are
    not listed here. For a new map, replace the law:
    ``drive.law = dataclasses.replace(drive.law, obstacles=grid.obstacles())``.

    Args:
        dynamics, path, speed, decel, tolerance, yaw_tolerance, gain, command: see `PathTracker`.
        grid: the map; None for open space.
        footprint: outline of the robot; the default is that of the problem that the plan solves, else a disc of 0.2 m.
        lookahead, farthest: shortest and longest distance to the target [m].
        preview: time to reach the target at the current speed [s].
        min_radius: radius of curves below which the robot slows down [m].
        proximity: distance to obstacles below which the robot slows down [m]; default: 0.6, 0 for no such limit.
        alpha: share of the speed that is left next to obstacles, in (0, 1]; default: 1.
        approach: distance to the end of a leg below which the robot slows down [m].
        min_speed: speed that curves and obstacles leave at least [m/s].
        collision_time: time for which the arc ahead must be free [s]; default: 1.
        rotate: angle to the target beyond which a robot turns on the spot [rad].

    Raises:
        ModelError: as `PathTracker`.
        SettingError: if a setting is out of its range, `grid` is no map, or one that is about obstacles has none.

    Source: Macenski, Singh, Martin and Gines, "Regulated pure pursuit for robot path tracking", Autonomous Robots 47,
    2023, section 4; the turn on the spot and the approach are those of the Nav2 controller.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> from pilotage.models import unicycle
        >>> hall = OccupancyGrid.from_ascii(["......", "....#.", "......"])
        >>> drive = RegulatedPurePursuit(unicycle(), [[0.5, 1.5], [5.5, 1.5]], grid=hall)
        >>> drive.act([1.0, 1.5, 0.0]).u.tolist()                     # 0.8 m from the edge of the map
        [1.0, 0.0]
        >>> print(drive.act([3.3, 1.5, 0.0]).reason)
        the way ahead leads into an obstacle at (3.82, 1.50), by 0.4 m; fell back to brake
    """

    @by_name
    def __init__(
        self,
        dynamics: Dynamics,
        path: Plan | ArrayLike,
        *,
        grid: OccupancyGrid | None = None,
        footprint: Footprint | None = None,
        speed: float | ArrayLike = 1.0,
        decel: float = 1.0,
        lookahead: float = 0.3,
        farthest: float = 0.9,
        preview: float = 1.5,
        min_radius: float = 0.9,
        proximity: float | None = None,
        alpha: float | None = None,
        approach: float = 0.6,
        min_speed: float = 0.1,
        collision_time: float | None = None,
        rotate: float = math.radians(45.0),
        tolerance: float = 0.2,
        yaw_tolerance: float = YAW_TOLERANCE,
        gain: float = 2.0,
        command: Command | None = None,
    ) -> None:
        about = {"footprint": footprint, "proximity": proximity, "alpha": alpha, "collision_time": collision_time}
        near = {name: value for name, value in about.items() if value is not None}
        if near and grid is None:
            raise SettingError(f"{', '.join(near)} of RegulatedPurePursuit needs obstacles to act on; give the grid")
        near.pop("footprint", None)
        planned = path.footprint if isinstance(path, Plan) and footprint is None else footprint
        law = RegulatedLaw(
            obstacles=None if grid is None else instance(grid, OccupancyGrid, "RegulatedPurePursuit").obstacles(),
            footprint=Footprint.disc(0.2) if planned is None else planned, lookahead=lookahead, farthest=farthest,
            preview=preview, min_radius=min_radius, approach=approach, min_speed=min_speed, rotate=rotate, **near,
        )  # fmt: skip
        law.touched(np.zeros((1, 3)))  # compiles the clearance now rather than in the first tick
        super().__init__(
            dynamics, path, law, speed=speed, decel=decel, tolerance=tolerance, yaw_tolerance=yaw_tolerance,
            turn_radius=0.5 * law.lookahead, gain=gain, command=command,
        )  # fmt: skip
