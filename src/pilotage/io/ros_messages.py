"""Messages of ROS, read as plain values: no ROS is needed, nor imported.

A message is any object with the fields of its definition: one of rosbags, of rclpy, or of rospy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pilotage.core.arrays import Array, frozen
from pilotage.core.errors import FormatError

from .plane_poses import planar
from .ros_map import RosMap
from .ros_values import (
    NANO,
    LaserScan,
    Odometry,
    RosValue,
    StampedMap,
    StampedPath,
    StampedPose,
    StampedTransform,
    Twist,
)

UNIT = 0.01
"""Largest distance of the norm of a quaternion from 1."""
MOST_CELLS = 100_000_000
"""Cells of the largest map that is read."""


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
