"""The program of a wheeled robot, without ROS: values of messages in, values of messages out.

    in    odometry, scans or poses with covariance, TF of the sensors, a map
    out   /pose with covariance, the transform map -> odom, /plan, /cmd_vel

`pilotage replay` runs it on a bag and `pilotage node` on a robot. Copy it, and change what your robot does differently.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from pilotage.control import RegulatedPurePursuit
from pilotage.core import ActionStatus, Gaussian, PilotageError, Space, TransformTree
from pilotage.core.arrays import Array
from pilotage.core.settings import Positive, settings
from pilotage.estimators import EKF
from pilotage.estimators.localization import Localization, MonteCarloLocalization, odometry_motion, odometry_move
from pilotage.io import (
    LaserScan,
    Odometry,
    StampedMap,
    StampedPath,
    StampedPose,
    StampedTransform,
    Twist,
    planar,
    planar_cov,
    spatial,
    spatial_cov,
)
from pilotage.maps import Footprint, Lidar, OccupancyGrid
from pilotage.models import LinearSensor, unicycle
from pilotage.planners import AStar

PLANE, POSE = Space("pose: SE2"), odometry_motion().state
MEMORY, WAITING = 2000, 50
"""Poses of the odometry that are kept, and readings that wait for one."""
BEAMS = 60
"""Beams of a scan that are used."""
CERTAIN = 1e-6
"""Variance at the start of dead reckoning [m^2], [rad^2]."""
Out = list[tuple[str, Any]]


@settings
class RobotSettings:
    """Settings of a `Robot`.

    Args:
        speed, turn_rate: largest speed [m/s] and turn rate [rad/s].
        radius: radius of the robot [m].
        period: time between two commands [s].
        replan: time between two plans [s].
        map, odom, base: names of the frames, as in REP-105.
        seed: seed of the particles.

    Example:
        >>> RobotSettings(speed=0.3).base
        'base_link'
    """

    speed: Positive = 0.5
    turn_rate: Positive = 1.0
    radius: Positive = 0.2
    period: Positive = 0.1
    replan: Positive = 2.0
    map: str = "map"
    odom: str = "odom"
    base: str = "base_link"
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Now:
    """The belief about the robot at a time.

    Attributes:
        t: time [s].
        belief: x, y, yaw.
        frame: frame of the belief: `odom`, until the robot knows where it is on the map.
        odometry: pose in the odometry frame ``(3,)``.

    Example:
        >>> Now(0.0, Gaussian(POSE, np.zeros(3), np.eye(3)), "map", np.array([1.0, 0.0, 0.0])).correction.tolist()
        [-1.0, 0.0, 0.0]
    """

    t: float
    belief: Gaussian
    frame: str
    odometry: Array

    @property
    def correction(self) -> Array:
        """The pose of the odometry frame in the frame of the belief ``(3,)``."""
        return np.asarray(PLANE.compose(self.belief.mean, PLANE.inverse(self.odometry)))


class Robot:
    """A robot that estimates its pose, and drives to a goal.

    The filter moves by odometry to the time of each reading, so that delays do no harm, and from there to now. With a
    map and scans, it is Monte Carlo localization; without scans, an EKF of odometry and poses such as those of AMCL.
    Such poses count as independent, which those of another filter are not: the covariance is then too small. Without
    either, poses are those of the odometry.

    Args:
        grid: the map; None to take the first one that is published, if any.
        goal: x and y to drive to [m]; None to estimate only.
        options: the settings.

    Example:
        >>> robot = Robot()
        >>> still = Odometry(0, "odom", "base_link", spatial([1.0, 2.0, 0.0]), np.eye(6), np.zeros(6), np.eye(6))
        >>> [topic for topic, _ in robot.receive(0.0, "/odom", still)], robot.now.frame
        (['/pose'], 'odom')
    """

    def __init__(
        self, grid: OccupancyGrid | None = None, goal: Any = None, options: RobotSettings | None = None
    ) -> None:
        self.grid, self.options = grid, options or RobotSettings()
        self.goal = None if goal is None else np.asarray(goal, dtype=np.float64)
        self.filter: Any = None
        self.trouble = ""
        self.dropped = 0
        self._motion, self._moves = odometry_motion(), EKF()
        self._times, self._poses = deque[float](maxlen=MEMORY), deque[Array](maxlen=MEMORY)
        self._waiting = deque[tuple[float, str, Any]](maxlen=WAITING)
        self._reached, self._frame = 0.0, self.options.odom
        self._tree, self._static = TransformTree(), dict[str, Any]()
        self._lidar: tuple[Any, Lidar] | None = None
        self._drive: Any = None
        self._planned = self._commanded = -np.inf

    # --- messages in ---

    def receive(self, t: float, topic: str, value: Any) -> Out:
        """Take a message of time `t` [s], and return topics and values to publish."""
        if isinstance(value, Odometry):
            return self._moved(t, value)
        if isinstance(value, LaserScan) or (isinstance(value, StampedPose) and value.cov is not None):
            self._waiting.append((t, topic, value))
        elif isinstance(value, StampedMap) and self.grid is None:
            grid = value.map
            self.grid = OccupancyGrid.from_probability(grid.occupancy, grid.resolution, grid.origin)
        elif isinstance(value, tuple) and topic.endswith("tf_static"):
            self._static |= {each.child: (each.frame, each.child, None, each.pose) for each in value}
            self._tree = TransformTree(self._static.values())
        return []

    def _moved(self, t: float, value: Odometry) -> Out:
        """The robot has moved: the readings up to now count."""
        if self._times and t <= self._times[-1]:
            return []
        self._times.append(t)
        self._poses.append(planar(value.pose))
        if self.filter is None:
            self._start(t, Gaussian(POSE, self._poses[-1], CERTAIN * np.eye(3)))
        late = deque[tuple[float, str, Any]]()
        while self._waiting:
            reading = self._waiting.popleft()
            if reading[0] > t:
                late.append(reading)
            else:
                self._read(*reading)
        self._waiting.extend(late)
        return self._published(value.stamp)

    # --- the estimate ---

    def _start(self, t: float, belief: Gaussian) -> None:
        self.filter = EKF(self._motion, dt=1.0).start(belief=belief)
        self._reached = t

    def _at(self, t: float) -> Array:
        """The pose by odometry at a time, between two known ones."""
        k = min(max(bisect_right(self._times, t), 1), len(self._times) - 1) if len(self._times) > 1 else 0
        if k == 0:
            return self._poses[0]
        share = (t - self._times[k - 1]) / (self._times[k] - self._times[k - 1])
        before = self._poses[k - 1]
        return np.asarray(PLANE.plus(before, min(max(share, 0.0), 1.0) * PLANE.minus(self._poses[k], before)))

    def _read(self, t: float, topic: str, value: Any) -> None:
        """Update by a scan or a pose of a time that odometry has reached."""
        known = self._frame == self.options.map
        pose = isinstance(value, StampedPose)
        if t < self._times[0] or (known and t < self._reached):
            self.dropped += 1
        elif pose and (not known or topic.endswith("initialpose")):
            self._frame, self._drive = self.options.map, None
            self._start(t, Gaussian(POSE, planar(value.pose), _definite(planar_cov(value.cov))))
        elif pose and not isinstance(self.filter.belief, Localization):
            self._advance(t)
            self.filter.update(LinearSensor(np.eye(3), _definite(planar_cov(value.cov)), state=POSE, reading=POSE),
                               planar(value.pose))  # fmt: skip
        elif not pose and self.grid is not None:
            self._localize(t, value)

    def _localize(self, t: float, scan: LaserScan) -> None:
        """Update the particles by a scan; at the first one, they start with the belief so far, or anywhere."""
        lidar = self._lidar_of(scan)
        if lidar is None or self.grid is None:
            return
        if not isinstance(self.filter.belief, Localization):
            mcl = MonteCarloLocalization(self.grid, self._motion, dt=1.0, clearance=self.options.radius)
            known = self._frame == self.options.map
            if known:
                self._advance(t)
            self.filter = mcl.start(belief=self.filter.belief if known else None, rng=self.options.seed)
            self._reached, self._frame = t, self.options.map
        self._advance(t)
        self.filter.update(lidar, scan.ranges)

    def _lidar_of(self, scan: LaserScan) -> Lidar | None:
        """The sensor of a scan, whose place on the robot TF tells; None as long as it does not."""
        key = (scan.frame, scan.start, scan.step, len(scan.ranges), scan.most)
        if self._lidar is None or self._lidar[0] != key:
            try:
                mount = planar(self._tree.lookup(self.options.base, scan.frame, 0.0)).tolist()
            except PilotageError as error:
                self.trouble = f"TF does not tell where {scan.frame!r} is on the robot: {error}"
                return None
            assert self.grid is not None
            beams, most = min(BEAMS, len(scan.ranges)), scan.most
            lidar = Lidar(self.grid, angles=scan.angles, max_range=most, mount=mount, min_range=scan.least, beams=beams)
            self._lidar = key, lidar
        return self._lidar[1]

    def _advance(self, t: float) -> None:
        """Move the filter by odometry to a time."""
        if t > self._reached:
            self.filter.predict(t - self._reached, u=odometry_move(self._at(self._reached), self._at(t)))
            self._reached = t

    @property
    def now(self) -> Now:
        """The belief at the latest odometry."""
        belief, t, pose = self.filter.belief, self._times[-1], self._poses[-1]
        belief = belief.best if isinstance(belief, Localization) else belief
        if t > self._reached:
            move = odometry_move(self._at(self._reached), pose)
            belief = self._moves.predict(belief, self._motion, move, t - self._reached)
        return Now(t, belief, self._frame, pose)

    @property
    def localized(self) -> bool:
        """Whether the pose on the map is known."""
        belief = self.filter and self.filter.belief
        return self._frame == self.options.map and (not isinstance(belief, Localization) or belief.converged)

    # --- messages out ---

    def _published(self, stamp: int) -> Out:
        now, names = self.now, self.options
        if now.frame == names.map and not self.localized:
            return self._stopped(now.t, "the pose on the map is not yet known")
        cov = spatial_cov(now.belief.cov)
        out: Out = [("/pose", StampedPose(stamp, now.frame, spatial(now.belief.mean), cov))]
        if now.frame == names.map:
            out.append(("/tf", (StampedTransform(stamp, names.map, names.odom, spatial(now.correction)),)))
            out += self._driven(now, stamp)
        return out

    def _driven(self, now: Now, stamp: int) -> Out:
        """A plan, if it is time for one, and a command."""
        if self.goal is None or self.grid is None:
            return []
        out: Out = []
        if now.t - self._planned >= self.options.replan:
            self._planned = now.t
            out += self._plan(now, stamp)
        if self._drive is None:
            return out + self._stopped(now.t, self.trouble)
        if not self._due(now.t):
            return out
        self._commanded = now.t
        action = self._drive.act(now.belief.mean, now.t)
        self.trouble = action.reason
        speed, turn = (0.0, 0.0) if action.status is ActionStatus.DONE else action.u.tolist()
        return [*out, ("/cmd_vel", Twist(np.array([speed, 0.0, 0.0, 0.0, 0.0, turn])))]

    def _plan(self, now: Now, stamp: int) -> Out:
        assert self.grid is not None and self.goal is not None
        body, names, self._drive = Footprint.disc(self.options.radius), self.options, None
        costs = self.grid.soft_costs(3.0 * names.radius, peak=5.0)
        try:
            plan = AStar().plan(
                self.grid.problem(start=now.belief.mean[:2], goal=self.goal, footprint=body), costs=costs
            )
        except PilotageError as error:
            self.trouble = str(error)
            return []
        if not plan or plan.xs is None:
            self.trouble = plan.reason
            return []
        limits = {"speed": (-names.speed, names.speed), "yaw_rate": (-names.turn_rate, names.turn_rate)}
        self._drive = RegulatedPurePursuit(unicycle(limits=limits), plan, grid=self.grid, speed=names.speed)
        steps = np.diff(plan.xs[:, :2], axis=0, append=plan.xs[-1:, :2])
        poses = spatial(np.column_stack([plan.xs[:, :2], np.arctan2(steps[:, 1], steps[:, 0])]))
        return [("/plan", StampedPath(stamp, names.map, np.full(len(poses), stamp), poses))]

    def _due(self, t: float) -> bool:
        """Whether it is time for a command; stamps are rounded."""
        return t - self._commanded > 0.999 * self.options.period

    def _stopped(self, t: float, why: str) -> Out:
        """The command to stand still, for a robot that has a goal."""
        self.trouble = why
        if self.goal is None or not self._due(t):
            return []
        self._commanded = t
        return [("/cmd_vel", Twist(np.zeros(6)))]


def _definite(cov: Array) -> Array:
    """A covariance that is positive definite: many drivers leave parts of it 0, or not symmetric by rounding."""
    whole = 0.5 * (cov + cov.T)
    values, vectors = np.linalg.eigh(whole)
    return (vectors * np.maximum(values, CERTAIN)) @ vectors.T
