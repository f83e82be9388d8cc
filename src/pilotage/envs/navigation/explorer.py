"""An agent that maps a building while it drives through it, to where the map ends."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import Action, ActionStatus, Agent, Belief, Gaussian, Plan, PlanStatus, Space
from ...core.arrays import Array
from ...core.settings import Positive, settings
from ...estimators.slam.scans import ScanMapper, ScanSLAM
from ...maps import Footprint, OccupancyGrid
from ...planners import FrontierExploration, frontiers
from ._steering import PathMPPI, driven
from .robots import Robot

PLANE = Space("x y [m]", "yaw: angle")
POSE = Space("pose: SE2")
TURN = 0.5
"""Rate at which a robot turns that sees no way [rad/s]."""
PATIENCE = 40
"""Plans in a row that may fail, while the robot turns, before it gives up."""


@settings(eq=False)
class Explorer:
    """An agent that maps a building: it drives to where the map ends, until it has seen all that it can reach.

    perceive
        `ScanSLAM` from the scans and the wheels
    plan
        `FrontierExploration` on the map so far
    act
        `MPPI` along the path, clear of the obstacles of the map

    Observations are those of `Navigation`: "lidar" and "odometry", of which a wheeled robot with a laser in its middle
    has the same. The map has its origin where the robot starts.

    Args:
        robot: models and footprint of the robot, which is driven by speed and yaw rate.
        angles: directions of the beams of its laser ``(B,)`` [rad].
        max_range: largest range of the laser [m].
        dt: time between two observations [s].
        slam: settings of the mapper; None for those for the range of the laser.
        exploration: where to drive.
        resolution: side of a cell of the map that is planned on [m].
        speed: largest speed [m/s].
        scans: time between two scans that are used [s].
        look: time between two looks at the map [s], when a path that is blocked, or has become useless, is given up.

    Example:
        >>> from pilotage.envs import Navigation
        >>> env = Navigation("turtlebot3_world", tolerance=1e-9)
        >>> explorer = Explorer(env.robot, env.lidar.angles, 8.0).start()
        >>> observation, _ = env.reset(seed=1)
        >>> for k in range(20):
        ...     action = explorer.step(observation, 0.1 * k)
        ...     observation, *_ = env.step(action.u)
        >>> explorer.done, len(explorer.mapper.keyframes) > 0
        (False, True)
    """

    robot: Robot
    angles: Any
    max_range: Positive
    dt: Positive = 0.1
    slam: ScanSLAM | None = None
    exploration: FrontierExploration = FrontierExploration()
    resolution: Positive = 0.05
    speed: Positive = 0.8
    scans: Positive = 0.2
    look: Positive = 1.0

    def __post_init__(self) -> None:
        driven(self.robot, "Explorer")

    def start(self, *, seed: int | None = None) -> Exploration:
        """The agent at the start of an exploration."""
        return Exploration(self, seed)


class Exploration:
    """An exploration under way: what `Explorer.start` returns.

    Attributes:
        mapper: the mapper.
        done: whether nothing is left to explore, or the robot has given up.
        reason: why it is done.
        grid: the map that was planned on last; None before the first plan.
        agent: the loop; ``agent.plan`` is the path now.

    Example:
        >>> from pilotage.envs import Navigation
        >>> env = Navigation("turtlebot3_world")
        >>> Explorer(env.robot, env.lidar.angles, 8.0).start().done
        False
    """

    def __init__(self, settings: Explorer, seed: int | None) -> None:
        self.settings = settings
        slam = settings.slam or ScanSLAM(max_range=settings.max_range)
        self.mapper: ScanMapper = slam.start(settings.angles)
        self.done, self.reason = False, ""
        self.grid: OccupancyGrid | None = None
        self._wheels, self._scanned, self._looked = np.zeros(3), (-np.inf, np.zeros(3)), -np.inf
        self._now, self._stuck, self._moved = 0.0, 0, False
        self._avoid = list[Array]()
        self._steering = PathMPPI(settings.robot, settings.dt, settings.speed, seed or 0)
        self.agent = Agent(self, self._plan, self._pursue, valid=self._valid, fallback=self._turn)
        self.agent.reset(seed=seed)

    @property
    def pose(self) -> Array:
        """x, y, yaw of the robot now ``(3,)``, in the frame of its start."""
        moved = POSE.compose(POSE.inverse(self._scanned[1]), self._wheels)
        return np.asarray(POSE.compose(self.mapper.pose, moved))

    def step(self, observation: Any, t: float) -> Action:
        """The action at time `t` [s] after an observation; to stand still once it is done."""
        return self.agent.step(observation, t)

    def reset(self, *, seed: int | None = None) -> None:
        """No change: `Explorer.start` begins another exploration."""

    def perceive(self, observation: Any, u: Any, t: float) -> Belief:
        """Move by the wheels, and match a scan if it is time for one."""
        self._now = t
        if u is not None:
            speed, rate = np.asarray(observation["odometry"], dtype=np.float64).tolist()
            step = self.settings.dt * np.array([speed, 0.0, rate])
            self._wheels = np.asarray(POSE.plus(self._wheels, step))
        if t - self._scanned[0] > 0.999 * self.settings.scans:
            self._moved |= self.mapper.update(observation["lidar"], self._wheels, t).optimized
            self._scanned = t, self._wheels
        return Gaussian(PLANE, self.pose, 1e-4 * np.eye(3))

    def _look(self) -> OccupancyGrid:
        """The map as it is known now."""
        self.grid, self._looked, self._moved = self.mapper.map(self.settings.resolution), self._now, False
        return self.grid

    def _plan(self, belief: Belief) -> Plan:
        """The path to the next frontier."""
        if self.done:
            return Plan(PlanStatus.NO_PATH, reason=self.reason)
        plan, action = self.agent.plan, self.agent.action
        if plan is not None and action is not None and action.status in (ActionStatus.DONE, ActionStatus.STUCK):
            self._avoid.append(plan.stats["frontier"])  # it was there, and has not cleared it
        body = self.settings.robot.footprint.radius
        avoid = np.reshape(self._avoid, (-1, 2))
        found = self.settings.exploration.plan(self._look(), self.pose[:2], radius=body, avoid=avoid)
        self._stuck = 0 if found.ok else self._stuck + 1
        if found.status is PlanStatus.NO_PATH or self._stuck > PATIENCE:
            self.done, self.reason = True, found.reason
            self.mapper.finish()
        return found

    def _valid(self, plan: Plan, belief: Belief) -> bool:
        """Whether the path is free, and its frontier still there."""
        action = self.agent.action
        if action is not None and action.status is ActionStatus.STUCK:
            return False
        if self._now - self._looked < self.settings.look and not self._moved:
            return True
        if self._moved:
            return False
        grid, target = self._look(), plan.stats["frontier"]
        left = frontiers(grid, least=self.settings.exploration.least)
        near = any(np.linalg.norm(each.points - target, axis=1).min() < 0.5 for each in left)
        return near and _free(grid, plan, self.pose, self.settings.robot.footprint)

    def _pursue(self, plan: Plan) -> PathMPPI:
        assert self.grid is not None
        return self._steering.along(plan, self.grid)

    def _turn(self, belief: Belief, plan: Plan) -> Action:
        """Look around where there is no path, or stand still at the end."""
        return Action(np.array([0.0, 0.0 if self.done else TURN]), ActionStatus.FALLBACK, reason=plan.reason)


def _free(grid: OccupancyGrid, plan: Plan, pose: Array, body: Footprint) -> bool:
    """Whether the way ahead is free on a newer map."""
    assert plan.xs is not None
    ahead = plan.xs[int(np.hypot(*(plan.xs[:, :2] - pose[:2]).T).argmin()) :, :2]
    return bool((grid.distance_field().at(ahead) > body.radius).all())
