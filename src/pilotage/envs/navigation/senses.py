"""The sensors of the robot in the arena."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import Sensor, Space
from ...core.arrays import Array
from .arena import Arena


class Scanner(Sensor):
    """A lidar that sees walls and obstacles: the nearer of the exact ray through the grid and the rays to discs.

    Infinite where nothing is in reach, as in ROS; an environment shows that as `max_range`.

    Args:
        arena: the world.
        angles: directions of the beams from the robot's heading ``(B,)`` [rad].
        max_range: [m].
        std: of a range [m].
    """

    def __init__(self, arena: Arena, angles: Array, max_range: float, std: float) -> None:
        self.arena, self.angles, self.max_range, self.std = arena, angles, max_range, std
        self.state = arena.state
        names = " ".join(f"range_{i}" for i in range(len(angles)))
        self.reading = Space(f"{names} [m] in [0, {max_range}]")
        self._R = np.eye(len(angles)) * std**2

    def observe(self, x: Any, context: Any = None) -> Any:
        """Ranges ``(..., B)``."""
        pose = self.arena.pose(np.asarray(x, dtype=np.float64))
        wall = self.arena.grid.raycast(pose, self.angles, self.max_range)
        ranges = np.where(wall < self.max_range, wall, np.inf)
        if self.arena.obstacles:
            ranges = np.minimum(ranges, disc_ranges(pose, self.angles, self.arena.obstacles_of(x)))
        return np.where(ranges < self.max_range, ranges, np.inf)

    def noise(self, x: Any, context: Any = None) -> Any:
        """The same for every beam."""
        return self._R


class WheelOdometry(Sensor):
    """Speed and yaw rate as the wheels measured them over the last tick; they do not notice slip."""

    def __init__(self, arena: Arena, std: float = 0.005) -> None:
        self.arena, self.std = arena, std
        self.state = arena.state
        # Encoders count further than a robot drives on purpose.
        self.reading = Space("speed [m/s] in [-5, 5]", "yaw_rate [rad/s] in [-10, 10]")

    def observe(self, x: Any, context: Any = None) -> Any:
        """Speed and yaw rate ``(..., 2)``."""
        return self.arena.wheels(x)

    def noise(self, x: Any, context: Any = None) -> Any:
        """The same for both."""
        return np.eye(2) * self.std**2


class Order(Sensor):
    """The goal at hand, in the world; known without error."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.state = arena.state
        (x0, y0), (x1, y1) = extent(arena)
        self.reading = Space(f"x [m] in [{x0}, {x1}]", f"y [m] in [{y0}, {y1}]")

    def observe(self, x: Any, context: Any = None) -> Any:
        """x and y ``(..., 2)``."""
        return self.arena.goal(x)

    def noise(self, x: Any, context: Any = None) -> Any:
        """None."""
        return np.zeros((2, 2))


class TruePose(Sensor):
    """x, y and yaw of the robot, for learners that leave localization to others; known without error."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.state = arena.state
        (x0, y0), (x1, y1) = extent(arena)
        self.reading = Space(f"x [m] in [{x0}, {x1}]", f"y [m] in [{y0}, {y1}]", "yaw: angle")

    def observe(self, x: Any, context: Any = None) -> Any:
        """The pose ``(..., 3)``."""
        return self.arena.pose(x)

    def noise(self, x: Any, context: Any = None) -> Any:
        """None."""
        return np.zeros((3, 3))


def extent(arena: Arena) -> tuple[tuple[float, float], tuple[float, float]]:
    """Corners of the rectangle along the axes of the world that holds the map [m]."""
    rows, columns = arena.grid.shape
    corners = arena.grid.grid_to_world([[0, 0], [columns, 0], [0, rows], [columns, rows]])
    (x0, y0), (x1, y1) = corners.min(0).tolist(), corners.max(0).tolist()
    return (x0, y0), (x1, y1)


def disc_ranges(pose: Array, angles: Array, discs: Array) -> Array:
    """Ranges ``(..., B)`` to the nearest of discs ``(..., K, 3)``; infinite past them, 0 inside one."""
    heading = pose[..., 2:3] + angles
    away = discs[..., :2] - pose[..., None, :2]
    along = np.cos(heading)[..., None] * away[..., None, :, 0] + np.sin(heading)[..., None] * away[..., None, :, 1]
    outside = (away**2).sum(-1) - discs[..., 2] ** 2
    # Distance t along the ray: t^2 - 2 along t + outside = 0.
    inner = along**2 - outside[..., None, :]
    t = np.where((inner >= 0.0) & (along > 0.0), along - np.sqrt(np.maximum(inner, 0.0)), np.inf)
    return np.where(outside[..., None, :] <= 0.0, 0.0, t).min(-1)
