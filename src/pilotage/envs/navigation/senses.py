"""The sensors of the robot in the arena."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import Sensor, Space
from ...core.arrays import Array
from ...maps.disc_ranges import disc_ranges
from .arena import Arena


class Scanner(Sensor):
    """A lidar that sees walls and obstacles: the minimum of the exact range on the grid and the range to the discs.

    Ranges are infinite if nothing is within `max_range`, as in ROS; environments show this as `max_range`.

    Args:
        arena: the world.
        angles: directions of the beams relative to the robot's heading ``(B,)`` [rad].
        max_range: largest range [m].
        std: standard deviation of a range [m].
    """

    def __init__(self, arena: Arena, angles: Array, max_range: float, std: float) -> None:
        self.arena, self.angles, self.max_range, self.std = arena, angles, max_range, std
        self.state = arena.state
        names = " ".join(f"range_{i}" for i in range(len(angles)))
        self.reading = Space(f"{names} [m] in [0, {max_range}]")
        self._R = np.eye(len(angles)) * std**2

    def observe(self, x: Any, context: Any = None) -> Any:
        """The ranges ``(..., B)``."""
        pose = self.arena.pose(np.asarray(x, dtype=np.float64))
        wall = self.arena.grid.raycast(pose, self.angles, self.max_range)
        ranges = np.where(wall < self.max_range, wall, np.inf)
        if self.arena.obstacles:
            ranges = np.minimum(ranges, disc_ranges(pose, self.angles, self.arena.obstacles_of(x)))
        return np.where(ranges < self.max_range, ranges, np.inf)

    def noise(self, x: Any, context: Any = None) -> Any:
        """The covariance, the same for every beam."""
        return self._R


class WheelOdometry(Sensor):
    """Wheel odometry: speed and yaw rate measured by the wheels over the last tick; it does not include slip."""

    def __init__(self, arena: Arena, std: float = 0.005) -> None:
        self.arena, self.std = arena, std
        self.state = arena.state
        # The range of the encoders exceeds the limits of the robot.
        self.reading = Space("speed [m/s] in [-5, 5]", "yaw_rate [rad/s] in [-10, 10]")

    def observe(self, x: Any, context: Any = None) -> Any:
        """The speed and the yaw rate ``(..., 2)``."""
        return self.arena.wheels(x)

    def noise(self, x: Any, context: Any = None) -> Any:
        """The covariance, with the same variance for both."""
        return np.eye(2) * self.std**2


class Order(Sensor):
    """The current goal in the world, without noise."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.state = arena.state
        (x0, y0), (x1, y1) = extent(arena)
        self.reading = Space(f"x [m] in [{x0}, {x1}]", f"y [m] in [{y0}, {y1}]")

    def observe(self, x: Any, context: Any = None) -> Any:
        """The position x, y ``(..., 2)``."""
        return self.arena.goal(x)

    def noise(self, x: Any, context: Any = None) -> Any:
        """The covariance, which is zero."""
        return np.zeros((2, 2))


class TruePose(Sensor):
    """The true pose x, y, yaw of the robot without noise, for learners that do not localize the robot."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.state = arena.state
        (x0, y0), (x1, y1) = extent(arena)
        self.reading = Space(f"x [m] in [{x0}, {x1}]", f"y [m] in [{y0}, {y1}]", "yaw: angle")

    def observe(self, x: Any, context: Any = None) -> Any:
        """The pose ``(..., 3)``."""
        return self.arena.pose(x)

    def noise(self, x: Any, context: Any = None) -> Any:
        """The covariance, which is zero."""
        return np.zeros((3, 3))


def extent(arena: Arena) -> tuple[tuple[float, float], tuple[float, float]]:
    """The corners of the rectangle along the axes of the world that contains the map [m]."""
    rows, columns = arena.grid.shape
    corners = arena.grid.grid_to_world([[0, 0], [columns, 0], [0, rows], [columns, rows]])
    (x0, y0), (x1, y1) = corners.min(0).tolist(), corners.max(0).tolist()
    return (x0, y0), (x1, y1)
