"""Messages of ROS 2 from plain values, in the classes of rosbags or of rclpy."""

from __future__ import annotations

import array
import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from pilotage.core.errors import FormatError, require

from .plane_poses import spatial
from .ros_values import (
    NANO,
    LaserScan,
    Odometry,
    RosValue,
    StampedMap,
    StampedPath,
    StampedPose,
    Twist,
)

Classes = Callable[[str], Any]
"""The class of a message by its name, such as nav_msgs/msg/Odometry."""


@cache
def typestore() -> Any:
    """The definitions of rosbags of the messages of ROS 2 Humble, which later releases share."""
    require("rosbags", extra="ros")
    typesys = importlib.import_module("rosbags.typesys")
    return typesys.get_typestore(typesys.Stores.ROS2_HUMBLE)


def rosbags_classes() -> Classes:
    """The classes of rosbags."""
    return typestore().types.__getitem__


def rclpy_classes() -> Classes:
    """The classes of the ROS 2 installation."""

    def found(name: str) -> Any:
        package, _, kind = name.split("/")
        return getattr(importlib.import_module(f"{package}.msg"), kind)

    return found


def rclpy_array(values: Any, dtype: str) -> Any:
    """An array as rclpy takes it."""
    return array.array({"float32": "f", "int8": "b"}[dtype], np.asarray(values).tolist())


def type_of(value: RosValue) -> str:
    """The type of the message of a value."""
    if isinstance(value, tuple):
        return "tf2_msgs/msg/TFMessage"
    if isinstance(value, StampedPose):
        return f"geometry_msgs/msg/{'PoseStamped' if value.cov is None else 'PoseWithCovarianceStamped'}"
    if isinstance(value, Twist):
        return f"geometry_msgs/msg/{'Twist' if value.stamp is None else 'TwistStamped'}"
    names = {
        Odometry: "nav_msgs/msg/Odometry",
        LaserScan: "sensor_msgs/msg/LaserScan",
        StampedPath: "nav_msgs/msg/Path",
        StampedMap: "nav_msgs/msg/OccupancyGrid",
    }
    if type(value) not in names:
        raise FormatError(f"{value!r} is no value of a message; expected one that `from_ros` gives")
    return names[type(value)]


class Writer:
    """A writer of messages in the classes of a library."""

    def __init__(self, classes: Classes, array: Callable[[Any, str], Any] = np.asarray) -> None:
        self.classes, self.array = classes, array

    def message(self, value: RosValue) -> Any:
        """The message of a value."""
        made = self.classes(type_of(value))
        if isinstance(value, tuple):
            return made(transforms=[self._transform(each) for each in value])
        if isinstance(value, Odometry):
            return self._odometry(made, value)
        if isinstance(value, LaserScan):
            return self._scan(made, value)
        if isinstance(value, StampedPose):
            pose = self._pose(value.pose)
            inner = pose if value.cov is None else self._with_cov("Pose", pose, value.cov)
            return made(header=self._header(value.stamp, value.frame), pose=inner)
        if isinstance(value, StampedPath):
            return self._path(made, value)
        if isinstance(value, StampedMap):
            return self._map(made, value)
        twist = self._twist(value.velocity)
        return twist if value.stamp is None else made(header=self._header(value.stamp, value.frame), twist=twist)

    def _geometry(self, name: str, *numbers: Any) -> Any:
        fields = "x y z w"[: 2 * len(numbers)].split()
        return self.classes(f"geometry_msgs/msg/{name}")(**dict(zip(fields, map(float, numbers), strict=True)))

    def _time(self, stamp: int) -> Any:
        seconds, rest = divmod(stamp, NANO)
        return self.classes("builtin_interfaces/msg/Time")(sec=seconds, nanosec=rest)

    def _header(self, stamp: int, frame: str) -> Any:
        return self.classes("std_msgs/msg/Header")(stamp=self._time(stamp), frame_id=frame)

    def _pose(self, pose: Any) -> Any:
        x, y, z, qw, qx, qy, qz = pose
        return self.classes("geometry_msgs/msg/Pose")(
            position=self._geometry("Point", x, y, z), orientation=self._geometry("Quaternion", qx, qy, qz, qw)
        )

    def _twist(self, velocity: Any) -> Any:
        linear, angular = (self._geometry("Vector3", *part) for part in (velocity[:3], velocity[3:]))
        return self.classes("geometry_msgs/msg/Twist")(linear=linear, angular=angular)

    def _with_cov(self, kind: str, inner: Any, cov: Any) -> Any:
        made = self.classes(f"geometry_msgs/msg/{kind}WithCovariance")
        return made(**{kind.lower(): inner, "covariance": np.asarray(cov, dtype=np.float64).reshape(36)})

    def _transform(self, value: Any) -> Any:
        x, y, z, qw, qx, qy, qz = value.pose
        transform = self.classes("geometry_msgs/msg/Transform")(
            translation=self._geometry("Vector3", x, y, z), rotation=self._geometry("Quaternion", qx, qy, qz, qw)
        )
        return self.classes("geometry_msgs/msg/TransformStamped")(
            header=self._header(value.stamp, value.frame), child_frame_id=value.child, transform=transform
        )

    def _odometry(self, made: Any, value: Odometry) -> Any:
        return made(
            header=self._header(value.stamp, value.frame),
            child_frame_id=value.child,
            pose=self._with_cov("Pose", self._pose(value.pose), value.pose_cov),
            twist=self._with_cov("Twist", self._twist(value.twist), value.twist_cov),
        )

    def _scan(self, made: Any, value: LaserScan) -> Any:
        return made(
            header=self._header(value.stamp, value.frame),
            angle_min=value.start,
            angle_max=value.start + value.step * (len(value.ranges) - 1),
            angle_increment=value.step,
            time_increment=value.beam_time,
            scan_time=value.scan_time,
            range_min=value.least,
            range_max=value.most,
            ranges=self.array(value.ranges, "float32"),
            intensities=self.array(value.intensities, "float32"),
        )

    def _path(self, made: Any, value: StampedPath) -> Any:
        stamped = self.classes("geometry_msgs/msg/PoseStamped")
        poses = [
            stamped(header=self._header(int(t), value.frame), pose=self._pose(pose))
            for t, pose in zip(value.stamps, value.poses, strict=True)
        ]
        return made(header=self._header(value.stamp, value.frame), poses=poses)

    def _map(self, made: Any, value: StampedMap) -> Any:
        grid = value.map
        rows, columns = grid.occupancy.shape
        unknown = np.isnan(grid.occupancy)
        data = np.where(unknown, -1, np.rint(100.0 * np.where(unknown, 0.0, grid.occupancy))).astype(np.int8)
        info = self.classes("nav_msgs/msg/MapMetaData")(
            map_load_time=self._time(value.stamp), resolution=grid.resolution, width=columns, height=rows,
            origin=self._pose(spatial(grid.origin)),
        )  # fmt: skip
        return made(header=self._header(value.stamp, value.frame), info=info, data=self.array(data.ravel(), "int8"))
