"""An agent that drives from place to place in the map that it has made."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core import Action, ActionStatus, Agent, Belief, Gaussian, Plan, PlanStatus, Space
from ...core.arrays import Array
from ...core.settings import instance
from ...estimators.localization import MonteCarloLocalization
from ...maps import Lidar, OccupancyGrid
from ...planners import AStar
from ._steering import PathMPPI, driven
from .robots import Robot

PLANE = Space("x y [m]", "yaw: angle")


class Patrol:
    """An agent that drives from place to place in a map that it has made, localized by its laser.

    `MonteCarloLocalization` starts with the belief that the mapping ended with, and `AStar` finds the paths.

    Args:
        robot: models and footprint of the robot, which is driven by speed and yaw rate.
        grid: the map.
        start: pose ``(3,)`` or belief about it at the beginning.
        goals: places ``(K, 2)`` to drive to [m]; those that cannot be reached are left out.
        angles: directions of the beams of its laser ``(B,)`` [rad].
        max_range: largest range of the laser [m].
        dt: time between two observations [s].
        speed: largest speed [m/s].

    Attributes:
        reached: number of goals that were reached.
        skipped: number of goals that no path leads to.
        done: whether no goal is left.

    Example:
        >>> from pilotage.envs import Navigation
        >>> env = Navigation("turtlebot3_world", start=(-2.0, -0.5, 0.0), tolerance=1e-9)
        >>> patrol = Patrol(env.robot, env.grid, [-2.0, -0.5, 0.0], [[0.5, -0.5]], env.lidar.angles, 8.0)
        >>> observation, _ = env.reset(seed=1)
        >>> for k in range(20):
        ...     observation, *_ = env.step(patrol.step(observation, 0.1 * k).u)
        >>> bool(np.abs(patrol.pose - [-2.0, -0.5, 0.0]).max() < 2.0)
        True
    """

    def __init__(
        self, robot: Robot, grid: OccupancyGrid, start: Any, goals: ArrayLike, angles: ArrayLike, max_range: float,
        *, dt: float = 0.1, speed: float = 0.8, seed: int = 0,
    ) -> None:  # fmt: skip
        self.robot, self.grid, self.speed, self.dt = driven(robot, "Patrol"), grid, speed, dt
        instance(grid, OccupancyGrid, "Patrol")
        self.goals = [np.array(goal) for goal in np.asarray(goals, dtype=np.float64).reshape(-1, 2)]
        self.reached = self.skipped = 0
        known = start if hasattr(start, "moments") else Gaussian(PLANE, start, np.diag([0.05, 0.05, 0.02]) ** 2)
        mcl = MonteCarloLocalization(grid, robot.odometry, dt)
        self.lidar = Lidar(grid, angles=angles, max_range=max_range, beams=min(60, len(np.asarray(angles))))
        self._filter = mcl.start(belief=known, rng=seed)
        self._steering = PathMPPI(robot, dt, speed, seed)
        self.agent = Agent(self, self._plan, self._pursue, valid=self._valid, fallback=self._stop)

    @property
    def belief(self) -> Gaussian:
        """The belief about the pose now."""
        return self._filter.belief.best

    @property
    def pose(self) -> Array:
        """x, y, yaw of the robot now ``(3,)``."""
        return np.asarray(self.belief.mean)

    @property
    def done(self) -> bool:
        """Whether no goal is left."""
        return not self.goals

    def step(self, observation: Any, t: float) -> Action:
        """The action at time `t` [s] after an observation; to stand still once it is done."""
        return self.agent.step(observation, t)

    def reset(self, *, seed: int | None = None) -> None:
        """Nothing: a patrol begins once."""

    def perceive(self, observation: Any, u: Any, t: float) -> Belief:
        """Move the particles by the wheels, and weigh them by the scan."""
        if u is not None:
            self._filter.predict(self.dt, u=np.asarray(observation["odometry"], dtype=np.float64))
        self._filter.update(self.lidar, np.asarray(observation["lidar"], dtype=np.float64))
        return self.belief

    def _plan(self, belief: Belief) -> Plan:
        """The path to the next goal."""
        action = self.agent.action
        if self.agent.plan is not None and action is not None and action.status is ActionStatus.DONE:
            self.reached += 1
            del self.goals[0]
        body = self.robot.footprint.radius
        costs = self.grid.soft_costs(3.0 * body, peak=5.0)
        while self.goals:
            for gap in (0.1, 0.05, 0.0):
                plan = AStar().plan(self.grid.inflate(body + gap), self.pose[:2], self.goals[0], costs=costs)
                if plan.ok:
                    return plan
            self.skipped += 1
            del self.goals[0]
        return Plan(PlanStatus.NO_PATH, reason="no goal is left")

    def _valid(self, plan: Plan, belief: Belief) -> bool:
        """Whether the robot is on the path, and does not stand before an obstacle."""
        assert plan.xs is not None
        action, off = self.agent.action, np.hypot(*(plan.xs[:, :2] - self.pose[:2]).T).min()
        return bool(off < 0.6) and (action is None or action.status is not ActionStatus.STUCK)

    def _pursue(self, plan: Plan) -> PathMPPI:
        return self._steering.along(plan, self.grid)

    def _stop(self, belief: Belief, plan: Plan) -> Action:
        return Action(np.zeros(2), ActionStatus.FALLBACK, reason=plan.reason)


def free_places(grid: OccupancyGrid, pose: ArrayLike, radius: float, count: int, rng: np.random.Generator) -> Array:
    """Places ``(count, 2)`` that a robot of this radius can reach from a pose, drawn at random, if it fits anywhere.

    Example:
        >>> grid = OccupancyGrid.from_ascii(["#####", "#...#", "#####"])
        >>> free_places(grid, [1.5, 1.5, 0.0], 0.3, 2, np.random.default_rng(0)).round(1).tolist()
        [[3.5, 1.5], [2.5, 1.5]]
    """
    start = np.asarray(pose, dtype=np.float64)[:2]
    inside: NDArray[Any] = grid.inflate(radius + 0.1).free_component(start)
    if not inside.any():
        inside = grid.inflate(radius).free_component(start)
    cells = np.argwhere(inside)
    if not len(cells):
        return np.zeros((0, 2))
    return grid.cell_to_world(cells[rng.integers(len(cells), size=count)])
