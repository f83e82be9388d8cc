"""The program of a robot: localized by scans or poses, with commands that reach the goal; on bags, and in a node."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pilotage.cli.main import main
from pilotage.cli.node import Bridge
from pilotage.cli.robot import PLANE, Robot, RobotSettings
from pilotage.io import (
    BagMessage,
    LaserScan,
    Odometry,
    RosMap,
    StampedMap,
    StampedPose,
    StampedTransform,
    Twist,
    from_ros,
    planar,
    read_bag,
    read_tum,
    spatial,
    write_bag,
)
from pilotage.io._ros_writers import Writer, rclpy_array, rclpy_classes
from pilotage.maps import Lidar, OccupancyGrid
from pilotage.models import unicycle

from .fake_rclpy import FakeNode, FakeRclpy

Capture = pytest.CaptureFixture[str]
ANGLES = np.linspace(-np.pi, np.pi, 60, endpoint=False)
MOUNT = np.array([0.1, 0.0, 0.2])
ROOM = OccupancyGrid.from_occupied(np.pad(np.zeros((58, 78)), 1, constant_values=1), 0.1).with_discs(
    [[3.0, 2.0], [6.5, 5.0]], [0.5, 0.8]
)
START = np.array([1.0, 1.0, 0.3])
DRIFT = np.array([5.0, -3.0, 1.0])
"""Pose of the map in the frame of the odometry."""


def odometry(t: float, pose: np.ndarray) -> Odometry:
    where = spatial(PLANE.compose(DRIFT, pose))
    return Odometry(round(1e9 * t), "odom", "base_link", where, np.zeros((6, 6)), np.zeros(6), np.zeros((6, 6)))


def scan(t: float, pose: np.ndarray, rng: np.random.Generator) -> LaserScan:
    lidar = Lidar(ROOM, angles=ANGLES, max_range=10.0, mount=MOUNT, sigma=0.02)
    step = float(ANGLES[1] - ANGLES[0])
    return LaserScan(round(1e9 * t), "laser", -np.pi, step, lidar.sample(pose, rng=rng), 0.05, 10.0)


def mount() -> tuple[StampedTransform, ...]:
    return (StampedTransform(0, "base_link", "laser", spatial(MOUNT)),)


def fix(t: float, pose: np.ndarray, std: float = 0.05) -> StampedPose:
    return StampedPose(round(1e9 * t), "map", spatial(pose), std**2 * np.eye(6))


def test_commands_drive_a_robot_with_a_laser_to_the_goal() -> None:
    goal, rng, vehicle, truth = np.array([6.5, 1.5]), np.random.default_rng(0), unicycle(), START
    robot = Robot(ROOM, goal, RobotSettings(speed=0.6))
    robot.receive(0.0, "/tf_static", mount())
    robot.receive(0.0, "/initialpose", fix(0.0, START, 0.2))
    u, errors = np.zeros(2), list[float]()
    for k in range(400):
        t = 0.1 * k
        if k % 3 == 1:
            robot.receive(t - 0.05, "/scan", scan(t - 0.05, vehicle.step(truth, -u, 0.05), rng))  # it comes late
        for topic, value in robot.receive(t, "/odom", odometry(t, truth)):
            if topic == "/cmd_vel":
                u = value.velocity[[0, 5]]
            if topic == "/pose" and value.frame == "map":
                errors.append(float(np.hypot(*(planar(value.pose) - truth)[:2])))
        if np.hypot(*(truth[:2] - goal)) < 0.2 and not u.any():
            break
        truth = vehicle.step(truth, u, 0.1)
    assert np.hypot(*(truth[:2] - goal)) < 0.25, robot.trouble
    assert np.median(errors) < 0.1
    np.testing.assert_allclose(PLANE.minus(robot.now.correction, PLANE.inverse(DRIFT)), 0.0, atol=0.3)


def test_poses_that_come_late_count_for_their_time() -> None:
    robot, rng, vehicle, truth = Robot(), np.random.default_rng(1), unicycle(), START
    past = list[tuple[float, np.ndarray]]()
    for k in range(100):
        t = 0.05 * k
        past.append((t, truth))
        robot.receive(t, "/odom", odometry(t, truth))
        if k % 10 == 9:  # the pose of 0.3 s ago
            then, pose = past[k - 6]
            robot.receive(then, "/fix", fix(then, pose + rng.normal(0.0, 0.01, 3), 0.01))
        truth = vehicle.step(truth, [1.0, 0.5], 0.05)
    assert robot.localized
    np.testing.assert_allclose(robot.now.belief.mean, past[-1][1], atol=0.05)
    assert robot.dropped == 0


def test_without_a_place_the_robot_stands_still() -> None:
    robot = Robot(ROOM, (6.5, 1.5))
    rng = np.random.default_rng(0)
    robot.receive(0.0, "/scan", scan(0.0, START, rng))
    out = dict(robot.receive(0.1, "/odom", odometry(0.1, START)))
    assert out["/pose"].frame == "odom" and "/cmd_vel" not in out, "nobody knows where on the map it is"
    robot.receive(0.15, "/scan", scan(0.15, START, rng))
    robot.receive(0.2, "/odom", odometry(0.2, START))
    assert "laser" in robot.trouble, "TF does not say where the laser is"


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """A bag of a robot on an arc in the room, with poses."""
    pytest.importorskip("rosbags")
    messages, truth = [BagMessage(0.0, "/tf_static", mount())], START
    for k in range(60):
        t = 0.1 * k
        messages.append(BagMessage(t, "/odom", odometry(t, truth)))
        if k % 10 == 5:
            messages.append(BagMessage(t, "/amcl_pose", fix(t, truth)))
        truth = unicycle().step(truth, [0.3, 0.05], 0.1)
    write_bag(tmp_path / "drive", messages)
    return tmp_path / "drive"


def test_replay_writes_the_way_and_commands(drive: Path, tmp_path: Path, capsys: Capture) -> None:
    ROOM.save(tmp_path / "room.yaml")
    out = tmp_path / "out"
    words = ["replay", str(drive), "--map", str(tmp_path / "room.yaml"), "--goal", "6.5", "1.5", "--out", str(out)]
    assert main([*words, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    end = START
    for _ in range(59):
        end = unicycle().step(end, [0.3, 0.05], 0.1)
    np.testing.assert_allclose(facts["end"], end, atol=0.02)
    assert facts["frame"] == "map" and facts["commands"] > 40
    assert sorted(file.name for file in out.iterdir()) == ["drive", "trajectory.txt", "way.png"]
    np.testing.assert_allclose(planar(read_tum(out / "trajectory.txt").poses)[-1], end, atol=0.02)
    commands = [v for _, _, v in read_bag(out / "drive", ["/cmd_vel"]).messages if isinstance(v, Twist)]
    assert len(commands) == facts["commands"] and max(v.velocity[0] for v in commands) > 0.2
    assert main(words) == 2 and "exists" in capsys.readouterr().err


def test_replay_takes_odometry_from_tf(data: Path, capsys: Capture) -> None:
    pytest.importorskip("rosbags")
    assert main(["replay", str(data / "bags/tf_example.bag"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["frame"] == "odom" and facts["from_tf"] < 1e-6


def test_replay_of_a_real_robot(data: Path, capsys: Capture) -> None:
    """The poses of Nav2's AMCL are in the frame of its depot map; with odometry between them, TF says the same."""
    pytest.importorskip("rosbags")
    words = ["replay", str(data / "bags/nav2_turtlebot.mcap"), "--map", "depot", "--goal", "12", "3.5"]
    assert main([*words, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["frame"] == "map" and facts["from_tf"] < 0.05
    assert facts["commands"] > 700 and facts["fastest"] == 0.5


def test_bags_without_motion_are_refused(tmp_path: Path, capsys: Capture) -> None:
    pytest.importorskip("rosbags")
    write_bag(tmp_path / "still", [BagMessage(0.0, "/cmd_vel", Twist(np.zeros(6)))])
    assert main(["replay", str(tmp_path / "still")]) == 2
    assert "odometry" in capsys.readouterr().err


def test_a_node_passes_messages_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node of rclpy in all that the bridge uses of it."""
    takers, sent, said = dict[str, Any](), list[tuple[str, Any]](), list[str]()
    ros = SimpleNamespace(
        create_subscription=lambda kind, topic, take, quality: takers.update({topic: take}),
        create_publisher=lambda kind, topic, depth: SimpleNamespace(publish=lambda m: sent.append((topic, m))),
        create_timer=lambda period, call: None,
        get_logger=lambda: SimpleNamespace(warning=said.append),
    )
    writer = Writer(lambda name: type(name.rpartition("/")[2], (SimpleNamespace,), {}), rclpy_array)
    monkeypatch.setattr(Bridge, "_profile", lambda self, *names: names)
    bridge = Bridge(ros, Robot(ROOM, (6.5, 1.5)), writer)
    assert set(takers) == {"odom", "scan", "initialpose", "map", "tf_static"}
    for k in range(4):
        takers["odom"](writer.message(odometry(100.0 + 0.1 * k, START)))
        takers["initialpose"](writer.message(fix(100.0 + 0.1 * k, START)))
    topics = [topic for topic, _ in sent]
    assert {"/pose", "/tf", "/plan", "/cmd_vel"} == set(topics)
    broken = replace(odometry(101.0, START), pose=np.zeros(7))
    takers["odom"](writer.message(broken))
    assert "quaternion" in said[-1]
    bridge.heard -= 10.0
    bridge.watch()
    assert sent[-1][0] == "/cmd_vel" and sent[-1][1].linear.x == 0.0 and "no odometry" in said[-1]


def test_a_node_drives_a_robot_from_start_to_shutdown(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pilotage node` in a stand-in for ROS 2: a map, TF, late scans and odometry in, commands out, to the goal."""
    pytest.importorskip("rosbags")
    goal, rng, vehicle, writer = np.array([6.5, 1.5]), np.random.default_rng(0), unicycle(), Writer(
        rclpy_classes(), rclpy_array
    )  # fmt: skip
    truth, since = START, 1_000.0

    def scenario(node: FakeNode) -> None:
        nonlocal truth
        hear = lambda topic, value: node.hear(topic, writer.message(value))
        u = np.zeros(2)
        hear("map", StampedMap(0, "map", RosMap(ROOM.occupied.astype(np.float32), ROOM.resolution, ROOM.origin)))
        hear("tf_static", mount())
        hear("odom", odometry(since, truth))
        hear("initialpose", fix(since, START, 0.2))
        for k in range(1, 400):
            t = since + 0.1 * k
            if k % 3 == 1:
                hear("scan", scan(t - 0.05, vehicle.step(truth, -u, 0.05), rng))
            for topic, message in hear("odom", odometry(t, truth)):
                if topic == "/cmd_vel":
                    u = np.array([message.linear.x, message.angular.z])
            node.timers[0][1]()  # in time: it has nothing to say
            if np.hypot(*(truth[:2] - goal)) < 0.2 and not u.any():
                raise KeyboardInterrupt
            truth = vehicle.step(truth, u, 0.1)

    fake = FakeRclpy(monkeypatch, scenario)
    assert main(["node", "--goal", "6.5", "1.5", "--speed", "0.6"]) == 0
    node = fake.node
    assert node is not None and node.destroyed and fake.calls == ["init", "shutdown"]
    assert np.hypot(*(truth[:2] - goal)) < 0.25, node.said
    assert {topic for topic, _ in node.sent} == {"/pose", "/tf", "/plan", "/cmd_vel"}
    last = dict(node.sent)
    (tf,) = from_ros(last["/tf"])
    assert (tf.frame, tf.child) == ("map", "odom"), "REP-105"
    np.testing.assert_allclose(PLANE.minus(planar(tf.pose), PLANE.inverse(DRIFT)), 0.0, atol=0.3)
    assert node.takers["scan"][2].reliability == "best effort"
    assert node.takers["map"][2].durability == node.takers["tf_static"][2].durability == "transient local"


def test_a_node_says_that_ros_is_missing(capsys: Capture) -> None:
    assert main(["node"]) == 2
    assert "rclpy" in capsys.readouterr().err


def test_a_start_that_is_known_is_where_localization_goes_on(tmp_path: Path, capsys: Capture) -> None:
    """From the first odometry on, in the map, and not from what the bag says itself."""
    pytest.importorskip("rosbags")
    rng, truth, end = np.random.default_rng(0), START, START
    messages = [BagMessage(0.0, "/tf_static", mount()), BagMessage(0.0, "/initialpose", fix(0.0, START + 2.0))]
    for k in range(40):
        messages.append(BagMessage(0.1 * k, "/odom", odometry(0.1 * k, truth)))
        if k % 4 == 1:
            messages.append(BagMessage(0.1 * k, "/scan", scan(0.1 * k, truth, rng)))
        end, truth = truth, unicycle().step(truth, [0.3, 0.05], 0.1)
    write_bag(tmp_path / "drive", messages)
    ROOM.save(tmp_path / "room.yaml")
    words = ["replay", str(tmp_path / "drive"), "--map", str(tmp_path / "room.yaml"), "--json", "--start"]
    assert main([*words, *map(str, START)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["frame"] == "map" and facts["poses"] >= 38
    assert np.abs(PLANE.minus(end, facts["end"])).max() < 0.1
    assert main([*words, "1", "nan", "0"]) == 2
    assert "--start" in capsys.readouterr().err
