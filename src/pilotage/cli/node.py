"""`pilotage node`: the program of a robot as a ROS 2 node, in an environment with ROS 2."""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from typing import Any

import numpy as np

from pilotage.core.errors import MissingExtra
from pilotage.io import Twist, from_ros
from pilotage.io._ros_writers import Writer, rclpy_array, rclpy_classes, type_of
from pilotage.io.bags import stamp_of
from pilotage.io.ros_values import NANO
from pilotage.maps import OccupancyGrid

from .robot import Robot, RobotSettings

TOPICS = {
    "odom": "nav_msgs/msg/Odometry",
    "scan": "sensor_msgs/msg/LaserScan",
    "initialpose": "geometry_msgs/msg/PoseWithCovarianceStamped",
    "map": "nav_msgs/msg/OccupancyGrid",
    "tf_static": "tf2_msgs/msg/TFMessage",
}
LATCHED = ("map", "tf_static")
"""Topics whose last message is kept for those who come later."""
SILENCE = 0.5
"""Without odometry for so long, the robot is told to stand still [s]."""


def node(
    *,
    map: Path | None = None,
    goal: tuple[float, float] | None = None,
    speed: float = 0.3,
    radius: float = 0.2,
    base: str = "base_link",
    fixes: str | None = None,
    seed: int = 0,
) -> None:
    """Run the program of a robot as a ROS 2 node.

    It reads /odom, /scan, /initialpose, /map and /tf_static, and publishes /pose, /tf (map -> odom), /plan and
    /cmd_vel; remap them as usual. Keep the collision monitor and the velocity limits of the base: Python gives no
    real-time guarantees.

    Args:
        map: The ROS map (.yaml), or the name of a stock map. Default: the topic /map.
        goal: x and y to drive to [m]; default: estimate only.
        speed: Largest speed [m/s].
        radius: Radius of the robot [m].
        base: Frame of the robot in TF.
        fixes: A topic of poses with covariance to fuse with the odometry, for a robot without a laser.
        seed: Seed of the particles.
    """
    rclpy = _rclpy()
    grid = None if map is None else OccupancyGrid.load(map)
    robot = Robot(grid, goal, RobotSettings(speed=speed, radius=radius, base=base, seed=seed))
    rclpy.init()
    ros = rclpy.create_node("pilotage")
    try:
        Bridge(ros, robot, Writer(rclpy_classes(), rclpy_array), fixes)
        rclpy.spin(ros)
    except KeyboardInterrupt:
        pass
    finally:
        ros.destroy_node()
        rclpy.try_shutdown()


def _rclpy() -> Any:
    try:
        return importlib.import_module("rclpy")
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "rclpy is not installed; it comes with ROS 2 and not from pip: source /opt/ros/DISTRIBUTION/setup.bash, "
            "with the Python of that distribution. Without ROS, run the same program on a bag: pilotage replay BAG"
        ) from error


class Bridge:
    """The subscriptions and publishers between a node of rclpy and a `Robot`.

    Args:
        ros: the node.
        robot: the robot.
        writer: the writer of messages.
        fixes: a topic of poses to fuse, or None.
    """

    def __init__(self, ros: Any, robot: Robot, writer: Writer, fixes: str | None = None) -> None:
        self.ros, self.robot, self.writer = ros, robot, writer
        self.publishers: dict[str, Any] = {}
        self.start: int | None = None
        self.heard = float("inf")
        self.trouble = ""
        topics = TOPICS if fixes is None else {**TOPICS, fixes: TOPICS["initialpose"]}
        for topic, kind in topics.items():
            ros.create_subscription(writer.classes(kind), topic, self._taker(topic), self._quality(topic))
        ros.create_timer(0.5 * SILENCE, self.watch)

    def _quality(self, topic: str) -> Any:
        """The quality of service: the last message of maps and static transforms is kept, else the newest ten."""
        if topic not in LATCHED:
            return 10 if topic != "scan" else self._profile("BEST_EFFORT", "VOLATILE")
        return self._profile("RELIABLE", "TRANSIENT_LOCAL")

    def _profile(self, reliability: str, durability: str) -> Any:
        qos = importlib.import_module("rclpy.qos")
        return qos.QoSProfile(
            depth=10, reliability=getattr(qos.ReliabilityPolicy, reliability),
            durability=getattr(qos.DurabilityPolicy, durability),
        )  # fmt: skip

    def _taker(self, topic: str) -> Any:
        return lambda message: self.take(topic, message)

    def take(self, topic: str, message: Any) -> None:
        """Give a message to the robot, and publish what it answers; a malformed message is logged, and left out."""
        try:
            value = from_ros(message)
        except ValueError as error:
            self.ros.get_logger().warning(f"{topic}: {error}")
            return
        stamp = stamp_of(value)
        if self.start is None and stamp and topic == "odom":
            self.start = stamp
        self.heard = time.monotonic() if topic == "odom" else self.heard
        since = 0.0 if self.start is None or stamp is None else (stamp - self.start) / NANO
        for name, answer in self.robot.receive(since, topic, value):
            self.publish(name, answer)
        self._tell(self.robot.trouble)

    def publish(self, topic: str, value: Any) -> None:
        """Publish a value."""
        if topic not in self.publishers:
            self.publishers[topic] = self.ros.create_publisher(self.writer.classes(type_of(value)), topic, 10)
        self.publishers[topic].publish(self.writer.message(value))

    def watch(self) -> None:
        """Tell the robot to stand still if odometry has stopped."""
        if self.robot.goal is not None and time.monotonic() - self.heard > SILENCE:
            self.publish("/cmd_vel", Twist(np.zeros(6)))
            self._tell(f"no odometry for {SILENCE} s")

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            self.ros.get_logger().warning(trouble)
        self.trouble = trouble
