"""The environment `pilotage/Navigation-v0` and its vector environment."""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import ArrayLike

from ...core import Sensor, SettingError, ShapeError
from ...core.arrays import Array, numbers
from ...core.settings import positive, shown, whole
from ...core.settings import setting as setting_of
from ...maps import Lidar, OccupancyGrid
from ...maps.cells import log_odds, read_only
from ...maps.occupancy import check_grid
from ...maps.stock import find_map
from ..model_env import ModelEnv
from ..vector_env import ModelVectorEnv
from .arena import POSE, Arena, Tour
from .robots import Robot, robot_of
from .scenarios import rooms_of
from .senses import Order, Scanner, TruePose, WheelOdometry
from .view import View


class Setting:
    """The parts of a navigation environment, made from its arguments; see `Navigation`."""

    def __init__(
        self,
        map: str | os.PathLike[str] | OccupancyGrid = "turtlebot3_world.yaml",
        robot: str | Robot = "differential_drive",
        *,
        obstacles: int = 4,
        goals: int | ArrayLike = 5,
        start: ArrayLike | None = None,
        slip: float = 0.05,
        beams: int | Sequence[float] = 120,
        max_range: float = 8.0,
        range_std: float = 0.02,
        tolerance: float = 0.35,
        localized: bool = False,
        dt: float = 0.1,
    ) -> None:
        robot = robot_of(robot, positive(slip, "slip", zero=True))
        tour, begin = points(goals), pose(start)
        count = whole(goals if tour is None else len(tour), "goals")
        noise = positive(range_std, "range_std", zero=True)
        self.arena = Arena(
            walled(grid_of(map), robot.footprint.radius),
            robot,
            whole(obstacles, "obstacles", 0),
            count,
            float(slip),
            tolerance=positive(tolerance, "tolerance"),
            begin=begin,
            tour=tour,
        )
        if begin is not None:
            self.arena.rooms.check(begin, "start")
        for i, goal in enumerate([] if tour is None else tour):
            self.arena.rooms.check(goal, f"goal {i + 1}")
        self.task = Tour(self.arena, dt)
        # The robot's model of its lidar: obstacles are unknown, and surfaces are the faces of the map's cells.
        self.lidar = Lidar(self.arena.grid, beams, max_range, inset=0.5 * self.arena.grid.resolution)
        angles = np.asarray(self.lidar.angles, dtype=np.float64)
        self.sensors: dict[str, Sensor] = {
            "lidar": Scanner(self.arena, angles, self.lidar.max_range, noise),
            "odometry": WheelOdometry(self.arena),
            "goal": Order(self.arena),
        }
        if setting_of(localized, bool, "localized"):
            self.sensors["pose"] = TruePose(self.arena)
        _ = self.arena.rooms  # raises an error for a map without room now rather than in the first episode
        # Half the width of the robot plus a wall of one cell, so that no wall is missed between two ticks.
        slim = min(r for _, _, r in robot.footprint.discs)
        self.resolution = min(0.05, 0.5 * self.arena.grid.resolution + slim)
        self.view = View(self.arena, angles, max_range)

    def inform(self, x: Array) -> dict[str, Any]:
        """The additional entries of `info`."""
        arena = self.arena
        clearance = arena.clearance(x)
        return {
            "pose": arena.pose(x),
            "goal": arena.goal(x),
            "reached": arena.reached(x),
            "clearance": clearance,
            "collision": arena.touches(x),
        }


class Navigation(ModelEnv):
    """A robot with lidar and slipping odometry visits goals on a ROS map, among obstacles that are not on the map.

    The observation is a dictionary: "lidar" ranges ``(beams,)`` [m], `max_range` if nothing is seen; "odometry" speed
    [m/s] and yaw rate [rad/s] as measured by the wheels; "goal" x and y [m] in the frame of the map; with `localized`
    also "pose". Otherwise the robot has to localize itself; ``info`` holds the truth: "pose", "clearance" [m],
    "collision", "goal", "reached" and the whole "state".

    The actions are those of the robot, in SI units: speed and yaw rate for "differential_drive", acceleration and
    steering angle for "bicycle".

    The reward is minus the remaining way to the last goal, ``-dt (way / 10 m)``, minus a small cost of effort, and
    -1000 for a collision, which ends the episode. The episode terminates once all goals are reached, and is truncated
    after 2000 ticks.

    Args:
        map: path of a ROS map (yaml) or MovingAI map, the name of a stock map ("turtlebot3_world.yaml",
            "depot.yaml", "tb3_sandbox.yaml"), or an `OccupancyGrid`. Occupied cells are solid for the robot and its
            lidar. A map with an open edge is surrounded by a wall. Starts and goals lie in free cells.
        robot: "differential_drive", "bicycle", or a `Robot`.
        obstacles: number of discs that are not on the map, placed at new positions in every episode.
        goals: number of random goals per episode, or the goals ``(K, 2)`` themselves [m]; all goals are reachable.
        start: initial pose of every episode, ``(x, y)`` or ``(x, y, yaw)``; by default random, as is a missing yaw.
        slip: standard deviation of the wheel slip, as a share of speed and turn, with a correlation time of two
            seconds.
        beams: number of beams around the full circle, or their angles [rad].
        max_range, range_std: largest range of the lidar, and standard deviation of a range [m].
        tolerance: distance at which a goal counts as reached [m].
        localized: whether to observe the true pose as well.
        dt: duration of a tick [s].
        normalized: whether actions are in [-1, 1], scaled to the bounds of the robot's actions.
        render_mode: "human", "rgb_array" or None. The entries "path", "particles" and "estimate" of
            ``env.unwrapped.scene.extras`` are also drawn.

    Attributes:
        grid: the map.
        robot: models of the robot and its footprint.
        lidar: the lidar as a sensor on the map, for localization.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> env = gymnasium.make("pilotage/Navigation-v0", map="depot.yaml")
        >>> observation, info = env.reset(seed=1)
        >>> observation["lidar"].shape, info["reached"]
        ((120,), 0)
        >>> errand = Navigation("depot.yaml", "bicycle", start=(5.0, 1.0, 0.0), goals=[(12.0, 3.5), (20.0, 8.5)])
        >>> errand.reset(seed=1)[0]["goal"].tolist()
        [12.0, 3.5]
    """

    def __init__(
        self,
        map: str | os.PathLike[str] | OccupancyGrid = "turtlebot3_world.yaml",
        robot: str | Robot = "differential_drive",
        *,
        render_mode: str | None = None,
        normalized: bool = False,
        **settings: Any,
    ) -> None:
        made = setting(map, robot, settings)
        super().__init__(
            made.arena, made.sensors, made.task, render_mode=render_mode, truncate=False,
            start=made.arena.start, inform=made.inform, drawing=made.view, normalized=normalized,
            resolution=made.resolution,
        )  # fmt: skip
        self.grid, self.robot, self.lidar = made.arena.grid, made.arena.robot, made.lidar
        self._arena = made.arena

    def __repr__(self) -> str:
        several = f"goals={self._arena.goals}, obstacles={self._arena.obstacles}"
        return f"Navigation({self.grid!r}, {self.robot.model!r}, {several})"


class NavigationVector(ModelVectorEnv):
    """A vector environment of `Navigation`, with the same arguments, and `num_envs` and `autoreset_mode`.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> envs = gymnasium.make_vec("pilotage/Navigation-v0", num_envs=3, beams=60)
        >>> observations, infos = envs.reset(seed=1)
        >>> observations["lidar"].shape, infos["reached"].tolist()
        ((3, 60), [0, 0, 0])
    """

    def __init__(
        self,
        num_envs: int,
        map: str | os.PathLike[str] | OccupancyGrid = "turtlebot3_world.yaml",
        robot: str | Robot = "differential_drive",
        *,
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
        normalized: bool = False,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        **settings: Any,
    ) -> None:
        made = setting(map, robot, settings)
        super().__init__(
            made.arena, made.sensors, made.task, num_envs=num_envs, render_mode=render_mode, truncate=False,
            max_episode_steps=max_episode_steps, start=made.arena.start, inform=made.inform, drawing=made.view,
            normalized=normalized, resolution=made.resolution, autoreset_mode=autoreset_mode,
        )  # fmt: skip
        self.grid, self.robot, self.lidar = made.arena.grid, made.arena.robot, made.lidar


def setting(map: Any, robot: Any, settings: dict[str, Any]) -> Setting:
    """The parts of an environment; raises an error for a setting that does not exist."""
    known = [name for name in inspect.signature(Setting).parameters if name not in ("map", "robot")]
    strange = sorted(set(settings) - set(known))
    if strange:
        raise SettingError(f"Navigation has no setting {strange[0]!r}; it has {', '.join(known)}")
    return Setting(map, robot, **settings)


def points(goals: int | ArrayLike) -> Array | None:
    """The given goals ``(K, 2)``; None if only their number is given."""
    if isinstance(goals, str) or numbers(goals, "goals").ndim == 0:
        return None
    found = finite(goals, "goals")
    if found.ndim != 2 or found.shape[1] != 2 or len(found) == 0:
        raise ShapeError(f"goals must be a number of goals, or points (K, 2), not an array of shape {found.shape}")
    return found


def pose(start: ArrayLike | None) -> Array | None:
    """The start of every episode: x, y and optionally yaw, which is wrapped to (-pi, pi]."""
    if start is None:
        return None
    found = finite(start, "start")
    if found.shape not in ((2,), (3,)):
        raise ShapeError(f"start must be x, y or x, y, yaw, not an array of shape {found.shape}")
    return found if len(found) == 2 else POSE.normalize(found)


def finite(given: ArrayLike, name: str) -> Array:
    """An array of finite numbers."""
    found = numbers(given, name)
    if not np.isfinite(found).all():
        raise ShapeError(f"{name} is {shown(found.tolist())}; expected finite numbers")
    return found


def grid_of(given: str | os.PathLike[str] | OccupancyGrid) -> OccupancyGrid:
    """The given map, or the map of a path or name."""
    if not isinstance(given, (str, os.PathLike)):
        return check_grid(given)
    path = find_map(given)
    return _loaded(path.resolve(), path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def walled(grid: OccupancyGrid, radius: float) -> OccupancyGrid:
    """The map, surrounded by a wall of one cell if a robot of that radius can reach its edge."""
    if not rooms_of(grid, radius).reach_the_edge():
        return grid
    x, y = grid.grid_to_world([-1.0, -1.0])
    cells = read_only(np.pad(grid.log_odds, 1, constant_values=log_odds(1.0)))
    return OccupancyGrid(cells, grid.resolution, (x, y, grid.origin[2]), grid.occupied_thresh, grid.free_thresh)


@lru_cache(maxsize=8)
def _loaded(path: Path, changed: int) -> OccupancyGrid:
    """The loaded map, which environments in one process share with all that is computed from it."""
    return OccupancyGrid.load(path)
