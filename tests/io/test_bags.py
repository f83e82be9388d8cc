"""Bags and messages of ROS: round trips through CDR and files, real bags, and damaged ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pilotage.core import FormatError, MissingFile
from pilotage.io import (
    Bag,
    BagMessage,
    LaserScan,
    Odometry,
    RosMap,
    StampedMap,
    StampedPath,
    StampedPose,
    StampedTransform,
    Twist,
    from_ros,
    planar,
    planar_cov,
    read_bag,
    spatial,
    spatial_cov,
    write_bag,
)
from pilotage.io._ros_writers import Writer, rclpy_array, rosbags_classes, type_of

pytest.importorskip("rosbags")

STAMP = 1_714_741_164_123_456_789
RNG = np.random.default_rng(0)
POSE = spatial([1.0, -2.0, 2.5])
RANGES = np.float32([0.5, np.inf, np.nan, 7.25]).astype(float)
CELLS = np.float32([[0.0, 1.0, np.nan], [0.25, 0.5, 1.0]])
VALUES: dict[str, Any] = {
    "odometry": Odometry(STAMP, "odom", "base_link", POSE, RNG.random((6, 6)), RNG.random(6), RNG.random((6, 6))),
    "tf": (StampedTransform(STAMP, "map", "odom", POSE), StampedTransform(STAMP + 1, "odom", "base_link", POSE)),
    "scan": LaserScan(STAMP, "laser", -1.5, 0.5, RANGES, 0.125, 8.0, 0.25, 0.5, np.arange(4.0)),
    "pose": StampedPose(STAMP, "map", POSE, RNG.random((6, 6))),
    "plain pose": StampedPose(STAMP, "map", POSE),
    "path": StampedPath(STAMP, "map", np.array([1, STAMP]), spatial(RNG.random((2, 3)))),
    "map": StampedMap(STAMP, "map", RosMap(CELLS, 0.5, (1.0, 2.0, 0.0))),
    "command": Twist(RNG.random(6)),
    "stamped command": Twist(RNG.random(6), STAMP, "base_link"),
}


def same(a: Any, b: Any) -> None:
    """Refuse values that differ in a bit."""
    assert type(a) is type(b)
    if isinstance(a, tuple):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            same(one, other)
    elif is_dataclass(a):
        for field in fields(a):
            same(getattr(a, field.name), getattr(b, field.name))
    else:
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", VALUES)
def test_values_survive_cdr(name: str) -> None:
    from rosbags.typesys import Stores, get_typestore

    store, value = get_typestore(Stores.ROS2_HUMBLE), VALUES[name]
    raw = store.serialize_cdr(Writer(rosbags_classes()).message(value), type_of(value))
    same(from_ros(store.deserialize_cdr(raw, type_of(value))), value)


def test_classes_of_rclpy_take_the_same_fields() -> None:
    """Classes that only take keywords, with arrays of the standard library, as rclpy makes them."""

    def named(name: str) -> Callable[..., Any]:
        kind = type(name.rpartition("/")[2], (SimpleNamespace,), {})
        return kind

    for value in VALUES.values():
        same(from_ros(Writer(named, rclpy_array).message(value)), value)


@pytest.mark.parametrize("kind", ["mcap", "sqlite3"])
def test_a_bag_is_read_as_it_was_written(tmp_path: Path, kind: str) -> None:
    written = [BagMessage(0.1 * i, f"/{name.replace(' ', '_')}", v) for i, (name, v) in enumerate(VALUES.items())]
    write_bag(tmp_path / "drive", written, start=STAMP, kind=kind)
    bag = read_bag(tmp_path / "drive")
    assert [m.topic for m in bag.messages] == [m.topic for m in written]
    for found, given in zip(bag.messages, written, strict=True):
        same(found.value, given.value)
    with pytest.raises(FormatError, match="exists"):
        write_bag(tmp_path / "drive", written)
    assert [file.name for file in tmp_path.iterdir()] == ["drive"], "nothing is left beside it"


def test_times_are_those_of_stamps_and_else_of_receipt(tmp_path: Path) -> None:
    scan = VALUES["scan"]
    later = replace(scan, stamp=STAMP + 2_000_000_000)
    written = [BagMessage(5.0, "/scan", scan), BagMessage(6.0, "/cmd_vel", VALUES["command"]),
               BagMessage(7.5, "/scan", later)]  # fmt: skip
    write_bag(tmp_path / "drive", written, start=STAMP)
    bag = read_bag(tmp_path / "drive")
    np.testing.assert_allclose([t for t, _, _ in bag.messages], [0.0, 1.0, 2.0])
    assert bag.start == STAMP
    assert [topic for _, topic, _ in read_bag(tmp_path / "drive", ["/scan"]).messages] == ["/scan", "/scan"]
    with pytest.raises(FormatError, match="/odom"):
        read_bag(tmp_path / "drive", ["/odom"])


def test_a_log_of_the_laser_has_its_poses_from_tf() -> None:
    def moved(t: float) -> BagMessage:
        pose = spatial([t, 0.0, 0.5 * np.pi])
        return BagMessage(t, "/tf", (StampedTransform(round(t * 1e9), "odom", "base_link", pose),))

    mount = (StampedTransform(0, "base_link", "laser", spatial([0.25, 0.0, 0.0])),)
    scans = [BagMessage(t, "/scan", replace(VALUES["scan"], stamp=round(t * 1e9))) for t in (-0.5, 0.25, 0.75)]
    bag = Bag(0, {}, (BagMessage(0.0, "/tf_static", mount), moved(0.0), *scans, moved(1.0)))
    log = bag.laser_log()
    np.testing.assert_allclose(log.poses, [[t, 0.25, 0.5 * np.pi] for t in (0.25, 0.75)], atol=1e-12)
    np.testing.assert_allclose(log.odometry, [[t, 0.0, 0.5 * np.pi] for t in (0.25, 0.75)], atol=1e-12)
    np.testing.assert_array_equal(log.angles, [-1.5, -1.0, -0.5, 0.0])


def test_planes_and_space() -> None:
    poses = RNG.uniform(-3.0, 3.0, (20, 3))
    np.testing.assert_allclose(planar(spatial(poses)), poses, atol=1e-12)
    cov = RNG.random((3, 3))
    np.testing.assert_array_equal(planar_cov(spatial_cov(cov)), cov)


@pytest.mark.parametrize(
    "broken",
    [
        replace(VALUES["odometry"], pose=np.zeros(7)),
        replace(VALUES["odometry"], twist=np.full(6, np.nan)),
        replace(VALUES["pose"], cov=np.full((6, 6), np.inf)),
        replace(VALUES["scan"], start=np.nan),
        replace(VALUES["map"], map=replace(VALUES["map"].map, resolution=0.0)),
    ],
)
def test_numbers_that_mean_nothing_are_refused(broken: Any) -> None:
    with pytest.raises(FormatError):
        from_ros(Writer(rosbags_classes()).message(broken))


def test_other_messages_are_refused() -> None:
    with pytest.raises(FormatError, match="float"):
        from_ros(1.0)
    with pytest.raises(FormatError, match="Twist"):
        from_ros(type("Twist", (), {})())


def test_real_bags(data: Path) -> None:
    bag = read_bag(data / "bags/nav2_turtlebot.mcap", ["/odom", "/amcl_pose", "/tf_static"])
    assert {name: count for name, (_, count) in bag.topics.items()} == {
        "/odom": 2639, "/tf": 5422, "/tf_static": 1, "/amcl_pose": 135
    }  # fmt: skip
    assert len(bag.of(Odometry)) == 2639 and len(bag.of(StampedPose)) == 135
    one, two = (read_bag(data / "bags" / name) for name in ("tf_example.bag", "tf_example"))
    assert len(one.messages) == 518, "as its description says"
    for a, b in zip(one.messages, two.messages, strict=True):  # a ROS 1 bag, and the same as a ROS 2 bag
        assert a.topic == b.topic
        same(a.value, b.value)
    tree = one.transforms()
    np.testing.assert_array_equal(tree.lookup("odom", "base_link", 30.0), tree.lookup("odom", "base_footprint", 30.0))


def test_localization_of_the_real_robot_agrees_with_its_tf(data: Path) -> None:
    bag = read_bag(data / "bags/nav2_turtlebot.mcap")
    tree = bag.transforms()
    found = [(planar(v.pose), planar(tree.lookup("map", "base_link", t))) for t, v in bag.of(StampedPose) if t > 6.0]
    a, b = (np.array(part) for part in zip(*found, strict=True))
    assert len(a) > 100
    assert np.median(np.hypot(*(a - b)[:, :2].T)) < 0.05


@pytest.mark.parametrize("name", ["nav2_turtlebot.mcap", "tf_example.bag"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_bags_that_are_cut_off_are_refused(data: Path, tmp_path: Path, name: str, share: float) -> None:
    whole = (data / "bags" / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(FormatError, match=name):
        read_bag(tmp_path / name)


def test_damaged_bags_are_read_or_refused(data: Path, tmp_path: Path) -> None:
    whole, rng = (data / "bags/tf_example.bag").read_bytes(), np.random.default_rng(1)
    for _ in range(20):
        content = bytearray(whole)
        for place in rng.integers(len(content), size=8):
            content[place] = rng.integers(256)
        (tmp_path / "x.bag").write_bytes(content)
        try:
            bag = read_bag(tmp_path / "x.bag")
        except FormatError:
            continue
        assert all(np.isfinite(t) for t, _, _ in bag.messages)


def test_folders_and_absence(data: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        read_bag(tmp_path / "none.bag")
    with pytest.raises(FormatError):
        read_bag(tmp_path)
    broken = tmp_path / "tf_example"
    shutil.copytree(data / "bags/tf_example", broken)
    for file in (broken, *broken.iterdir()):
        file.chmod(0o755)
    (broken / "tf_example.db3").write_bytes((broken / "tf_example.db3").read_bytes()[:5000])
    with pytest.raises(FormatError, match="tf_example"):
        read_bag(broken)
