"""An agent that maps a building while it drives through it, and another that drives on in the map it has made."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...control import MPPI, follow
from ...core import Action, ActionStatus, Agent, Belief, Gaussian, Plan, PlanStatus, SettingError, Space
from ...core.arrays import Array
from ...core.settings import Positive, instance, settings
from ...estimators.localization import MonteCarloLocalization
from ...estimators.slam.scans import ScanMapper, ScanSLAM
from ...maps import Footprint, Lidar, OccupancyGrid
from ...planners import AStar, FrontierExploration, frontiers
from .robots import Robot

PLANE = Space("x y [m]", "yaw: angle")
POSE = Space("pose: SE2")
TURN = 0.5
"""Rate at which a robot turns that sees no way [rad/s]."""
KEPT = 0.02
"""Distance between the robot and obstacles, beside their cells [m]."""
WEIGHTS = {"along": 4.0, "across": 8.0, "heading": 5.0, "near": 20.0}
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
    speed: Positive = 0.6
    scans: Positive = 0.2
    look: Positive = 1.0

    def __post_init__(self) -> None:
        _driven(self.robot, "Explorer")

    def start(self, *, seed: int | None = None) -> Exploring:
        """The agent at the start of an exploration."""
        return Exploring(self, seed)


class Exploring:
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
        self._steering = Steering(settings.robot, settings.dt, settings.speed, seed or 0)
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
        """Nothing: an exploration is started anew by `Explorer.start`."""

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

    def _pursue(self, plan: Plan) -> Steering:
        assert self.grid is not None
        return self._steering.along(plan, self.grid)

    def _turn(self, belief: Belief, plan: Plan) -> Action:
        """Look around where there is no path, or stand still at the end."""
        return Action(np.array([0.0, 0.0 if self.done else TURN]), ActionStatus.FALLBACK, reason=plan.reason)


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
        *, dt: float = 0.1, speed: float = 0.6, seed: int = 0,
    ) -> None:  # fmt: skip
        self.robot, self.grid, self.speed, self.dt = _driven(robot, "Patrol"), grid, speed, dt
        instance(grid, OccupancyGrid, "Patrol")
        self.goals = [np.array(goal) for goal in np.asarray(goals, dtype=np.float64).reshape(-1, 2)]
        self.reached = self.skipped = 0
        known = start if hasattr(start, "moments") else Gaussian(PLANE, start, np.diag([0.05, 0.05, 0.02]) ** 2)
        mcl = MonteCarloLocalization(grid, robot.odometry, dt)
        self.lidar = Lidar(grid, angles=angles, max_range=max_range, beams=min(60, len(np.asarray(angles))))
        self._filter = mcl.start(belief=known, rng=seed)
        self._steering = Steering(robot, dt, speed, seed)
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

    def _pursue(self, plan: Plan) -> Steering:
        return self._steering.along(plan, self.grid)

    def _stop(self, belief: Belief, plan: Plan) -> Action:
        return Action(np.zeros(2), ActionStatus.FALLBACK, reason=plan.reason)


def free_places(grid: OccupancyGrid, pose: ArrayLike, radius: float, count: int, rng: np.random.Generator) -> Array:
    """Places ``(count, 2)`` that a robot of this radius can reach from a pose, drawn at random."""
    start = np.asarray(pose, dtype=np.float64)[:2]
    inside: NDArray[Any] = grid.inflate(radius + 0.1).free_component(start)
    if not inside.any():
        inside = grid.inflate(radius).free_component(start)
    cells = np.argwhere(inside)
    if not len(cells):
        return np.zeros((0, 2))
    return grid.cell_to_world(cells[rng.integers(len(cells), size=count)])


def _driven(robot: Robot, who: str) -> Robot:
    """The robot, if speed and yaw rate drive it."""
    if robot.model.state.size != 3 or robot.model.action.size != 2:
        raise SettingError(
            f"the robot of {who} has the state {', '.join(robot.model.state.names)}; expected x, y and yaw, driven by "
            "speed and yaw rate: take differential_drive"
        )
    return robot


class Steering:
    """MPPI along one path after another, clear of what is occupied on the map.

    Example:
        >>> from pilotage.envs.navigation.robots import differential_drive
        >>> grid = OccupancyGrid.from_occupied(np.zeros((40, 40)), 0.1)
        >>> drive = Steering(differential_drive(), 0.1, 0.6, 0).along([[1.0, 1.0], [3.0, 1.0]], grid)
        >>> bool(drive.act([1.0, 1.0, 0.0]).u[0] > 0.2)
        True
    """

    def __init__(self, robot: Robot, dt: float, speed: float, seed: int) -> None:
        self.robot, self.dt, self.speed, self.seed = robot, dt, speed, seed
        self._mppi: MPPI | None = None

    def along(self, path: Plan | ArrayLike, grid: OccupancyGrid) -> Steering:
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


def _free(grid: OccupancyGrid, plan: Plan, pose: Array, body: Footprint) -> bool:
    """Whether the way ahead is free on a newer map."""
    assert plan.xs is not None
    ahead = plan.xs[int(np.hypot(*(plan.xs[:, :2] - pose[:2]).T).argmin()) :, :2]
    return bool((grid.distance_field().at(ahead) > body.radius).all())
