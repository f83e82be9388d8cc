"""The controller of agents that drive along one path after another."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from ...control import MPPI, follow
from ...core import Action, Plan, SettingError
from ...maps import OccupancyGrid
from .robots import Robot

KEPT = 0.02
"""Distance between the robot and obstacles, beside their cells [m]."""
WEIGHTS = {"along": 4.0, "across": 8.0, "heading": 5.0, "near": 20.0}


class PathMPPI:
    """MPPI along one path after another, clear of what is occupied on the map.

    Example:
        >>> import numpy as np
        >>> from pilotage.envs.navigation.robots import differential_drive
        >>> grid = OccupancyGrid.from_occupied(np.zeros((40, 40)), 0.1)
        >>> drive = PathMPPI(differential_drive(), 0.1, 0.6, 0).along([[1.0, 1.0], [3.0, 1.0]], grid)
        >>> bool(drive.act([1.0, 1.0, 0.0]).u[0] > 0.2)
        True
    """

    def __init__(self, robot: Robot, dt: float, speed: float, seed: int) -> None:
        self.robot, self.dt, self.speed, self.seed = robot, dt, speed, seed
        self._mppi: MPPI | None = None

    def along(self, path: Plan | ArrayLike, grid: OccupancyGrid) -> PathMPPI:
        """The same controller, with a new path."""
        task = follow(
            path, grid.obstacles("free").field, radius=self.robot.footprint.radius + KEPT, margin=0.1, speed=self.speed,
            tolerance=0.15, turn_rate=1.0, weights=WEIGHTS, dt=self.dt,
        )  # fmt: skip
        if self._mppi is None:
            self._mppi = MPPI(self.robot.model, task, horizon=30, samples=512, std=(0.3, 0.6), rng=self.seed)
        else:
            self._mppi.retarget(task)
        return self

    def reset(self, *, seed: int | None = None) -> None:
        """Nothing: the last actions are a good start for a new path."""

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action for a state or belief."""
        assert self._mppi is not None
        return self._mppi.act(belief_or_state, t)


def driven(robot: Robot, who: str) -> Robot:
    """The robot, if speed and yaw rate drive it."""
    if robot.model.state.size != 3 or robot.model.action.size != 2:
        raise SettingError(
            f"the robot of {who} has the state {', '.join(robot.model.state.names)}; expected x, y and yaw, driven by "
            "speed and yaw rate: take differential_drive"
        )
    return robot
