"""Messages of ROS as plain values, and plain values as messages: no ROS is needed, nor imported.

A message is any object with the fields of its definition: one of rosbags, of rclpy, or of rospy. Conventions are those
of REP-103 and REP-105. Quaternions are xyzw in messages and wxyz in memory; covariances ``(6, 6)`` are of x, y, z and
rotations about these fixed axes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core.arrays import Array, frozen
from pilotage.core.errors import FormatError

from .ros_map import RosMap

UNIT = 0.01
"""Largest distance of the norm of a quaternion from 1."""
NANO = 1_000_000_000
MOST_CELLS = 100_000_000
"""Cells of the largest map that is read."""


@dataclass(frozen=True, eq=False)
class Odometry:
    """The pose and velocity of a robot by its odometry (nav_msgs/Odometry).

    Attributes:
        stamp: time [ns].
        frame, child: frame of the pose, usually `odom`, and of the velocity, usually `base_link`.
        pose: x, y, z [m], qw, qx, qy, qz ``(7,)``, with covariance `pose_cov` ``(6, 6)``.
        twist: velocity [m/s] and turn rate [rad/s] ``(6,)``, with covariance `twist_cov` ``(6, 6)``.

    Example:
        >>> Odometry(0, "odom", "base_link", spatial([1.0, 2.0, 0.0]), np.eye(6), np.zeros(6), np.eye(6)).pose[:2]
        array([1., 2.])
    """

    stamp: int
    frame: str
    child: str
    pose: Array
    pose_cov: Array
    twist: Array
    twist_cov: Array


@dataclass(frozen=True, eq=False)
class StampedTransform:
    """The pose of a frame in its parent (geometry_msgs/TransformStamped); a TFMessage is a tuple of them.

    Attributes:
        stamp: time [ns].
        frame, child: the parent and the child.
        pose: x, y, z [m], qw, qx, qy, qz of the child in the parent ``(7,)``.

    Example:
        >>> StampedTransform(0, "odom", "base_link", spatial([1.0, 2.0, 0.0])).child
        'base_link'
    """

    stamp: int
    frame: str
    child: str
    pose: Array


@dataclass(frozen=True, eq=False)
class LaserScan:
    """A scan of a laser (sensor_msgs/LaserScan).

    Attributes:
        stamp: time of the first beam [ns].
        frame: frame of the laser.
        start, step: direction of the first beam, and from one beam to the next [rad].
        ranges: ``(B,)`` [m]; infinity where nothing was seen, NaN where a beam failed.
        least, most: ranges that the laser can measure [m].
        beam_time, scan_time: time from one beam to the next, and from one scan to the next [s].
        intensities: ``(B,)`` or ``(0,)``.

    Example:
        >>> scan = LaserScan(0, "laser", -0.1, 0.1, np.array([1.0, 2.0, np.inf]), 0.1, 8.0)
        >>> scan.angles.round(3).tolist()
        [-0.1, 0.0, 0.1]
    """

    stamp: int
    frame: str
    start: float
    step: float
    ranges: Array
    least: float
    most: float
    beam_time: float = 0.0
    scan_time: float = 0.0
    intensities: Array = field(default_factory=lambda: frozen([]))

    @property
    def angles(self) -> Array:
        """Directions of the beams ``(B,)`` [rad]."""
        return np.asarray(self.start + self.step * np.arange(len(self.ranges)), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class StampedPose:
    """A pose with its covariance (geometry_msgs/PoseWithCovarianceStamped; PoseStamped without one).

    Attributes:
        stamp: time [ns].
        frame: frame of the pose, usually `map`.
        pose: x, y, z [m], qw, qx, qy, qz ``(7,)``.
        cov: covariance ``(6, 6)``, or None.

    Example:
        >>> StampedPose(0, "map", spatial([1.0, 2.0, 0.0]), np.eye(6)).frame
        'map'
    """

    stamp: int
    frame: str
    pose: Array
    cov: Array | None = None


@dataclass(frozen=True, eq=False)
class StampedPath:
    """A path (nav_msgs/Path).

    Attributes:
        stamp: time [ns].
        frame: frame of the poses.
        stamps: times of the poses ``(K,)`` [ns].
        poses: x, y, z [m], qw, qx, qy, qz ``(K, 7)``.

    Example:
        >>> StampedPath(0, "map", np.zeros(2, np.int64), np.stack([spatial([0, 0, 0]), spatial([1, 0, 0])])).poses.shape
        (2, 7)
    """

    stamp: int
    frame: str
    stamps: NDArray[np.int64]
    poses: Array


@dataclass(frozen=True, eq=False)
class StampedMap:
    """A map (nav_msgs/OccupancyGrid).

    Attributes:
        stamp: time [ns].
        frame: frame of the map.
        map: occupancy from 0 to 1, NaN if unknown, with resolution and origin.

    Example:
        >>> StampedMap(0, "map", RosMap(np.zeros((2, 3), np.float32), 0.05)).map.resolution
        0.05
    """

    stamp: int
    frame: str
    map: RosMap


@dataclass(frozen=True, eq=False)
class Twist:
    """A velocity or a command (geometry_msgs/Twist, without a stamp, or TwistStamped).

    Attributes:
        velocity: of translation [m/s] and of rotation [rad/s] ``(6,)``; a robot in the plane uses the first and the
            last one.
        stamp: time [ns], or None.
        frame: frame of the velocity.

    Example:
        >>> Twist(np.array([0.5, 0.0, 0.0, 0.0, 0.0, 0.1])).velocity[0]
        np.float64(0.5)
    """

    velocity: Array
    stamp: int | None = None
    frame: str = ""


RosValue = Odometry | tuple[StampedTransform, ...] | LaserScan | StampedPose | StampedPath | StampedMap | Twist


def spatial(pose: Any) -> Array:
    """The pose in space ``(..., 7)`` of a pose in the plane: x, y, yaw ``(..., 3)``.

    Example:
        >>> spatial([1.0, 2.0, np.pi]).round(3).tolist()
        [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    """
    x, y, yaw = np.moveaxis(np.asarray(pose, dtype=np.float64), -1, 0)
    none = np.zeros_like(x)
    return np.stack([x, y, none, np.cos(0.5 * yaw), none, none, np.sin(0.5 * yaw)], -1)


def planar(pose: Any) -> Array:
    """x, y and yaw ``(..., 3)`` of poses in space ``(..., 7)``; yaw is the direction of their x axis in the plane.

    Example:
        >>> planar(spatial([1.0, 2.0, 0.5])).round(3).tolist()
        [1.0, 2.0, 0.5]
    """
    x, y, _, w, i, j, k = np.moveaxis(np.asarray(pose, dtype=np.float64), -1, 0)
    return np.stack([x, y, np.arctan2(2.0 * (w * k + i * j), w * w + i * i - j * j - k * k)], -1)


def spatial_cov(cov: Any) -> Array:
    """The covariance ``(6, 6)`` of a message for one of x, y and yaw ``(3, 3)``; others are 0.

    Example:
        >>> np.diag(spatial_cov(np.diag([1.0, 2.0, 3.0]))).tolist()
        [1.0, 2.0, 0.0, 0.0, 0.0, 3.0]
    """
    whole = np.zeros((6, 6))
    whole[np.ix_(PLANE, PLANE)] = cov
    return whole


def planar_cov(cov: Any) -> Array:
    """The covariance of x, y and yaw ``(3, 3)`` in one of a message ``(6, 6)``.

    Example:
        >>> planar_cov(np.diag([1.0, 2.0, 0.0, 0.0, 0.0, 3.0])).diagonal().tolist()
        [1.0, 2.0, 3.0]
    """
    return np.asarray(cov, dtype=np.float64)[np.ix_(PLANE, PLANE)]


PLANE = [0, 1, 5]
"""x, y and yaw among the six of a message."""


def from_ros(message: Any) -> RosValue:
    """The value of a message of a type that is read.

    These are Odometry, TFMessage, LaserScan, PoseWithCovarianceStamped, PoseStamped, Path, OccupancyGrid, Twist and
    TwistStamped.

    Raises:
        FormatError: if it is a message of another type, or its numbers are none of its type: a quaternion that is not
            of length 1, a covariance that is infinite, a map whose size does not match its cells.

    Example:
        >>> from types import SimpleNamespace as Fields
        >>> class Twist_(Fields): pass
        >>> Twist_.__name__ = "Twist"
        >>> ahead, none = Fields(x=0.5, y=0.0, z=0.0), Fields(x=0.0, y=0.0, z=0.0)
        >>> from_ros(Twist_(linear=ahead, angular=none)).velocity.tolist()
        [0.5, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    name = message_name(message)
    if name not in READERS:
        raise FormatError(f"a message of type {name} is not read; there are {', '.join(READERS)}")
    try:
        return READERS[name](message)
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"a message does not have the fields of {name}: {error}") from error


def message_name(message: Any) -> str:
    """The type of a message without its package, such as Odometry.

    Example:
        >>> message_name(1.0)
        'float'
    """
    return type(message).__name__.rpartition("__")[2].lstrip("_")


def _stamp(header: Any) -> int:
    stamp = header.stamp
    seconds, rest = (getattr(stamp, a, None) for a in ("sec", "nanosec"))
    if seconds is None:  # rospy's names
        seconds, rest = stamp.secs, stamp.nsecs
    return int(seconds) * NANO + int(rest or 0)


def _pose(position: Any, orientation: Any, what: str) -> Array:
    p, q = position, orientation
    pose = frozen([p.x, p.y, p.z, q.w, q.x, q.y, q.z])
    if not np.isfinite(pose).all() or abs(math.hypot(*pose[3:]) - 1.0) > UNIT:
        raise FormatError(f"the pose of {what} is {pose.tolist()}; expected finite numbers and a unit quaternion")
    return pose


def _cov(values: Any, what: str) -> Array:
    cov = frozen(values)
    if cov.shape != (36,) or not np.isfinite(cov).all():
        raise FormatError(f"the covariance of {what} is not 36 finite numbers")
    return frozen(cov.reshape(6, 6))


def _velocity(twist: Any) -> Array:
    a, b = twist.linear, twist.angular
    velocity = frozen([a.x, a.y, a.z, b.x, b.y, b.z])
    if not np.isfinite(velocity).all():
        raise FormatError(f"a velocity is {velocity.tolist()}; expected finite numbers")
    return velocity


def _odometry(m: Any) -> Odometry:
    pose = _pose(m.pose.pose.position, m.pose.pose.orientation, "odometry")
    covs = [_cov(part.covariance, "odometry") for part in (m.pose, m.twist)]
    twist = _velocity(m.twist.twist)
    return Odometry(_stamp(m.header), m.header.frame_id, m.child_frame_id, pose, covs[0], twist, covs[1])


def _transforms(m: Any) -> tuple[StampedTransform, ...]:
    return tuple(
        StampedTransform(
            _stamp(each.header),
            each.header.frame_id.lstrip("/"),
            each.child_frame_id.lstrip("/"),
            _pose(each.transform.translation, each.transform.rotation, each.child_frame_id),
        )
        for each in m.transforms
    )


def _scan(m: Any) -> LaserScan:
    start, end, step = float(m.angle_min), float(m.angle_max), float(m.angle_increment)
    if not np.isfinite([start, end, step]).all():
        raise FormatError(f"the angles of a scan are {start} to {end} by {step}; expected finite numbers")
    return LaserScan(
        _stamp(m.header), m.header.frame_id, start, step, frozen(m.ranges), float(m.range_min), float(m.range_max),
        float(m.time_increment), float(m.scan_time), frozen(m.intensities),
    )  # fmt: skip


def _pose_with_covariance(m: Any) -> StampedPose:
    pose = _pose(m.pose.pose.position, m.pose.pose.orientation, m.header.frame_id)
    return StampedPose(_stamp(m.header), m.header.frame_id, pose, _cov(m.pose.covariance, m.header.frame_id))


def _pose_stamped(m: Any) -> StampedPose:
    return StampedPose(_stamp(m.header), m.header.frame_id, _pose(m.pose.position, m.pose.orientation, "a pose"))


def _path(m: Any) -> StampedPath:
    poses = [_pose(each.pose.position, each.pose.orientation, "a path") for each in m.poses]
    stamps = np.array([_stamp(each.header) for each in m.poses], dtype=np.int64)
    return StampedPath(_stamp(m.header), m.header.frame_id, stamps, frozen(np.reshape(poses, (-1, 7))))


def _map(m: Any) -> StampedMap:
    info, data = m.info, np.asarray(m.data, dtype=np.int8)
    side = float(info.resolution)
    if not (math.isfinite(side) and side > 0.0) or not 0 < data.size == info.width * info.height <= MOST_CELLS:
        raise FormatError(
            f"a map has {info.width} by {info.height} cells of {side} m, and {data.size} values; expected one a cell"
        )
    cells = np.where(data < 0, np.nan, np.minimum(data, 100) / 100.0).astype(np.float32)
    x, y, yaw = planar(_pose(info.origin.position, info.origin.orientation, "the origin of a map")).tolist()
    grid = RosMap(cells.reshape(info.height, info.width), side, (x, y, yaw))
    return StampedMap(_stamp(m.header), m.header.frame_id, grid)


def _twist(m: Any) -> Twist:
    return Twist(_velocity(m))


def _twist_stamped(m: Any) -> Twist:
    return Twist(_velocity(m.twist), _stamp(m.header), m.header.frame_id)


READERS: dict[str, Callable[[Any], RosValue]] = {
    "Odometry": _odometry,
    "TFMessage": _transforms,
    "LaserScan": _scan,
    "PoseWithCovarianceStamped": _pose_with_covariance,
    "PoseStamped": _pose_stamped,
    "Path": _path,
    "OccupancyGrid": _map,
    "Twist": _twist,
    "TwistStamped": _twist_stamped,
}
