"""The world of the navigation environment: a mapped building with unmapped obstacles, a slipping robot, and goals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core import Belief, Dynamics, Particles, Space, Task
from ...core.arrays import Array
from ...core.task import MAX_VIOLATION
from ...maps import FootprintConstraint, OccupancyGrid
from .robots import Robot
from .scenarios import Rooms, rooms_of

POSE = Space("pose: SE2")
PLACE = Space("x y [m]", "yaw: angle")
"""The components on which a collision depends."""


@dataclass(frozen=True, eq=False)
class Arena(Dynamics):
    """The true world: the robot, the slip of its wheels, their measurements, obstacles and goals.

    ::

        (s, phi)   the arc and the turn of one nominal tick, robot.step(x, u)
        pose'      = pose Exp(((1 - a) s, 0, (1 - b) phi))            a, b: slip of speed and turn
        a', b'     = e^(-dt/lasting) a, b (+) noise                   Ornstein-Uhlenbeck, standard deviation `slip`
        wheels'    = (s, phi) / dt                                    measured by the encoders
        reached'   = reached + [the current goal is nearer than `tolerance`]

    Obstacles and goals are constant during an episode and part of the state, so that sensing, collisions and success
    are functions of the state alone, and batches of worlds are arrays.

    Attributes:
        grid: the map.
        robot: the robot.
        obstacles, goals: number of obstacles and goals.
        slip: standard deviation of the slip.
        lasting: correlation time of the slip [s].
        tolerance: distance at which a goal counts as reached [m].
        begin: start of every episode: x, y and optionally yaw; None or a missing yaw: random.
        tour: the goals of every episode ``(goals, 2)``; None: random.
    """

    grid: OccupancyGrid
    robot: Robot
    obstacles: int = 6
    goals: int = 5
    slip: float = 0.05
    lasting: float = 2.0
    tolerance: float = 0.35
    begin: Array | None = None
    tour: Array | None = None

    @cached_property
    def state(self) -> Space:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The space of robot, slip, wheels, obstacles, goals, and the number of goals reached."""
        return Space(
            *self.robot.model.state.parts,
            "slip_speed slip_turn",
            "wheel_speed [m/s]",
            "wheel_yaw_rate [rad/s]",
            *(f"obstacle{i}.x obstacle{i}.y obstacle{i}.radius [m]" for i in range(self.obstacles)),
            *(f"goal{i}.x goal{i}.y [m]" for i in range(self.goals)),
            "reached",
        )

    @cached_property
    def action(self) -> Space:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The space of the robot's commands."""
        return self.robot.model.action

    def step(self, x: Any, u: Any, dt: float) -> Any:
        """The world after `dt` seconds."""
        u = np.asarray(u, dtype=np.float64)
        x = np.asarray(x, dtype=np.float64)
        batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1])
        y = np.array(np.broadcast_to(x, (*batch, self.state.size)))
        start = self.robot_state(y)
        end = self.robot.model.state.clip(self.robot.model.step(start, u, dt))
        pose = start[..., self.robot.pose_index]
        nominal = POSE.minus(end[..., self.robot.pose_index], pose)
        slips, wheels = self._slips, self._wheels
        slid = nominal * np.stack([1.0 - y[..., slips][..., 0], np.ones(batch), 1.0 - y[..., slips][..., 1]], -1)
        end[..., self.robot.pose_index] = POSE.plus(pose, slid)
        y[..., : self.robot.model.state.size] = end
        y[..., wheels] = nominal[..., [0, 2]] / dt
        y[..., slips] *= math.exp(-dt / self.lasting)
        near = np.hypot(*np.moveaxis(self.goal(y) - self.pose(y)[..., :2], -1, 0)) < self.tolerance
        y[..., -1] = np.minimum(y[..., -1] + near, self.goals)
        return y

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        """The covariance of the slip; all other components have none."""
        batch = np.broadcast_shapes(np.shape(x)[:-1], np.shape(u)[:-1])
        Q = np.zeros((*batch, self.state.dim, self.state.dim))
        fresh = self.slip**2 * (1.0 - math.exp(-2.0 * dt / self.lasting))
        first = self.robot.model.state.dim
        Q[..., first, first] = Q[..., first + 1, first + 1] = fresh
        return Q

    # -- components of a state

    @cached_property
    def _slips(self) -> slice:
        n = self.robot.model.state.size
        return slice(n, n + 2)

    @cached_property
    def _wheels(self) -> slice:
        n = self.robot.model.state.size
        return slice(n + 2, n + 4)

    def robot_state(self, x: Any) -> Array:
        """The state of the robot."""
        return x[..., : self.robot.model.state.size]

    def pose(self, x: Any) -> Array:
        """x, y, yaw of the robot ``(..., 3)``."""
        return x[..., self.robot.pose_index]

    def wheels(self, x: Any) -> Array:
        """Speed and yaw rate that the wheels measured ``(..., 2)``."""
        return x[..., self._wheels]

    def obstacles_of(self, x: Any) -> Array:
        """x, y, radius of the obstacles that are not on the map ``(..., obstacles, 3)``."""
        first = self._wheels.stop
        return x[..., first : first + 3 * self.obstacles].reshape(*x.shape[:-1], self.obstacles, 3)

    def goals_of(self, x: Any) -> Array:
        """All goals ``(..., goals, 2)``."""
        return x[..., -1 - 2 * self.goals : -1].reshape(*x.shape[:-1], self.goals, 2)

    def reached(self, x: Any) -> NDArray[np.int64]:
        """The number of goals reached ``(...)``."""
        return np.rint(x[..., -1]).astype(np.int64)

    def goal(self, x: Any) -> Array:
        """The current goal ``(..., 2)``; the last one after all were reached."""
        i = np.minimum(self.reached(x), self.goals - 1)
        return np.take_along_axis(self.goals_of(x), i[..., None, None], axis=-2)[..., 0, :]

    # -- collisions and free space

    @cached_property
    def walls(self) -> FootprintConstraint:
        """The collision constraint of the map. Unknown cells are free, as for the lidar; off the map is blocked."""
        return FootprintConstraint(self.grid.obstacles("free"), self.robot.footprint, self.robot.model.state)

    @cached_property
    def rooms(self) -> Rooms:
        """The cells in which the robot fits."""
        return rooms_of(self.grid, self.robot.footprint.radius)

    def clearance(self, x: Any) -> Array:
        """The exact clearance to the nearest obstacle, on the map or not ``(...)`` [m]; negative inside."""
        return np.minimum(self.walls.clearance(self.robot_state(x)), -self._overlaps(x).max(-1, initial=-np.inf))

    def touches(self, x: Any) -> NDArray[np.bool_]:
        """Whether the robot is in collision, by more than `MAX_VIOLATION`, or its state is NaN ``(...)``."""
        return np.asarray(~(self.constraint(x) <= MAX_VIOLATION).all(-1))

    def constraint(self, x: Any) -> Array:
        """The values ``(..., k)`` [m], positive if the robot is in collision; see `FootprintConstraint`."""
        return np.concatenate((self.walls(self.robot_state(x)), self._overlaps(x)), -1)

    def _overlaps(self, x: Any) -> Array:
        """The depth of each disc of the footprint in each of the round obstacles ``(..., k)`` [m]."""
        centers, radii = self.robot.footprint.centers(self.pose(x))
        round_ones = self.obstacles_of(x)
        apart = np.linalg.norm(centers[..., :, None, :] - round_ones[..., None, :, :2], axis=-1)
        inside = radii[:, None] + round_ones[..., None, :, 2] - apart
        return inside.reshape(*inside.shape[:-2], -1)

    def start(self, stream: np.random.Generator) -> Array:
        """The state of a new episode: the robot at rest in free space, with obstacles, and goals that are reachable."""
        pose, obstacles, goals = self.rooms.scenario(self.obstacles, self.goals, stream, self.begin, self.tour)
        x = self.state.identity()
        x[self.robot.pose_index] = pose
        x[self._slips] = self.slip * stream.standard_normal(2)
        first = self._wheels.stop
        x[first : first + 3 * self.obstacles] = obstacles.ravel()
        x[-1 - 2 * self.goals : -1] = goals.ravel()
        return x


class Tour(Task):
    """The task of visiting the goals in order, quickly and without collisions.

    ::

        cost     = dt (way left / 10 m) + effort |u|^2 dt,    way left: straight to the current goal, then goal to goal
        terminal cost = penalty after a collision
    """

    def __init__(self, arena: Arena, dt: float, *, effort: float = 0.01, penalty: float = 1000.0) -> None:
        self.arena = arena
        self.state = PLACE
        self.dt = dt
        self.horizon = 2000
        self.effort, self.penalty = effort, penalty

    @cached_property
    def initial(self) -> Belief:  # pyright: ignore[reportIncompatibleVariableOverride]
        """A belief of several random episodes; environments draw a new one each time."""
        stream = np.random.default_rng(0)
        return Particles(self.arena.state, [self.arena.start(stream) for _ in range(16)])

    def cost(self, x: Any, u: Any, r: Any = None) -> Any:
        """The cost of a tick."""
        return self.dt * (0.1 * self.way_left(x) + self.effort * (np.asarray(u) ** 2).sum(-1))

    def terminal_cost(self, x: Any, r: Any = None) -> Any:
        """The penalty if the robot is in collision."""
        return self.penalty * self.arena.touches(x)

    def constraint(self, x: Any, u: Any, r: Any = None) -> Any:
        """The values of the collision constraint [m], positive in collision."""
        return self.arena.constraint(x)

    def done(self, x: Any, r: Any = None) -> Any:
        """Whether all goals were reached."""
        return self.arena.reached(x) >= self.arena.goals

    def way_left(self, x: Any) -> Array:
        """The length of the straight lines to the current goal and on through the later ones ``(...)`` [m]."""
        goals, reached = self.arena.goals_of(x), self.arena.reached(x)
        legs = np.linalg.norm(np.diff(goals, axis=-2), axis=-1)
        later = np.where(np.arange(self.arena.goals - 1) >= reached[..., None], legs, 0.0).sum(-1)
        here = np.linalg.norm(self.arena.goal(x) - self.arena.pose(x)[..., :2], axis=-1)
        return np.where(reached >= self.arena.goals, 0.0, here + later)
