"""Laser logs of bags: scans and odometry at the same stamps, lasers anywhere on the robot, and clocks that jump."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core import PilotageError, ShapeError, Space
from pilotage.io import (
    Bag,
    BagMessage,
    LaserLog,
    LaserScan,
    Odometry,
    StampedTransform,
    planar,
    read_laser_log,
    spatial,
    write_bag,
)
from pilotage.io.laser_bags import steady

PLANE = Space("pose: SE2")
NONE = np.zeros((6, 6))
MOUNT = np.array([0.3, -0.1, 0.5])
RANGES = np.array([0.05, 1.0, 2.0, np.inf, np.nan, 8.5, -np.inf, 8.0])
Messages = list[BagMessage]


def pose(t: float) -> Any:
    """The robot drives on an arc of constant speed, on which interpolation is exact."""
    return np.asarray(PLANE.plus([1.0, 2.0, 0.3], np.array([0.5, 0.0, 0.2]) * t))


def wheels(t: float, frame: str = "base_link", topic: str = "/odom") -> BagMessage:
    return BagMessage(t, topic, Odometry(round(1e9 * t), "odom", frame, spatial(pose(t)), NONE, np.zeros(6), NONE))


def moved(t: float) -> BagMessage:
    return BagMessage(t, "/tf", (StampedTransform(round(1e9 * t), "odom", "base_link", spatial(pose(t))),))


def scan(t: float, topic: str = "/scan", frame: str = "laser", ranges: Any = RANGES) -> BagMessage:
    return BagMessage(t, topic, LaserScan(round(1e9 * t), frame, -0.4, 0.1, ranges, 0.1, 8.0))


def mounted(frame: str = "laser", on: str = "base_link", where: Any = None) -> BagMessage:
    place = spatial(MOUNT) if where is None else where
    return BagMessage(0.0, "/tf_static", (StampedTransform(0, on, frame, place),))


def bag(*messages: BagMessage) -> Bag:
    return Bag(0, {}, messages)


TIMES = [0.13, 0.37, 0.52, 0.98]
DRIVE: Messages = [mounted(), *(wheels(0.1 * k) for k in range(12)), *map(scan, TIMES)]


def same(log: LaserLog, ts: Any = TIMES) -> None:
    """The log of a drive on the arc."""
    np.testing.assert_allclose(log.ts, ts)
    np.testing.assert_allclose(PLANE.minus(log.odometry, [pose(t) for t in ts]), 0.0, atol=1e-9)
    np.testing.assert_allclose(PLANE.minus(log.poses, [PLANE.compose(pose(t), log.mount) for t in ts]), 0.0, atol=1e-9)


def test_odometry_is_that_of_the_stamp_of_the_scan() -> None:
    log = bag(*DRIVE).laser_log()
    same(log)
    np.testing.assert_allclose(log.mount, MOUNT, atol=1e-12)
    np.testing.assert_array_equal(log.ranges[0], [np.nan, 1.0, 2.0, np.inf, np.nan, np.inf, np.nan, np.inf])
    assert log.max_range == 8.0 and not log.left_out


def test_tf_is_odometry_where_there_is_none() -> None:
    same(bag(mounted(), *(moved(0.1 * k) for k in range(12)), *map(scan, TIMES)).laser_log())


def test_scans_alone_are_a_log_too() -> None:
    log = bag(mounted(), *map(scan, TIMES)).laser_log()
    assert np.isnan(log.odometry).all() and len(log.ts) == 4


def test_a_laser_that_hangs_upside_down_sees_from_left_to_right() -> None:
    c, s = np.cos(0.25), np.sin(0.25)
    hung = np.array([0.3, -0.1, 1.0, 0.0, c, s, 0.0])  # rolled by half a turn, then yawed by 0.5
    assert planar(hung)[2] == pytest.approx(0.5)
    log = bag(mounted(where=hung), *DRIVE[1:]).laser_log()
    np.testing.assert_allclose(log.angles, -(-0.4 + 0.1 * np.arange(8))[::-1], atol=1e-12)
    np.testing.assert_array_equal(log.ranges[0][-3:], [2.0, 1.0, np.nan])
    tilted = np.array([0.0, 0.0, 0.0, np.cos(0.4), 0.0, np.sin(0.4), 0.0])
    with pytest.raises(PilotageError, match="tilted"):
        bag(mounted(where=tilted), *DRIVE[1:]).laser_log()


def test_the_frame_of_the_odometry_is_that_of_the_robot() -> None:
    rest = [wheels(0.1 * k, "base_footprint") for k in range(12)]
    chain = (
        StampedTransform(0, "base_footprint", "base_link", spatial([0.1, 0.0, 0.0])),
        StampedTransform(0, "base_link", "laser", spatial([0.2, 0.0, 0.0])),
    )
    log = bag(BagMessage(0.0, "/tf_static", chain), *rest, *map(scan, TIMES)).laser_log()
    np.testing.assert_allclose(log.mount, [0.3, 0.0, 0.0], atol=1e-12)


def test_missing_tf_is_said_or_given() -> None:
    with pytest.raises(PilotageError, match="laser.*mount"):
        bag(*DRIVE[1:]).laser_log()
    log = bag(*DRIVE[1:]).laser_log(mount=MOUNT)
    np.testing.assert_array_equal(log.mount, MOUNT)
    same(log)
    same(bag(*(replace(m, value=replace(m.value, frame="base_link")) if m.topic == "/scan" else m for m in DRIVE[1:]))
         .laser_log())  # fmt: skip
    for bad in ([0.0, 0.0], [0.0, np.nan, 0.0], "front"):
        with pytest.raises(ShapeError):
            bag(*DRIVE).laser_log(mount=bad)


def test_of_two_lasers_one_is_chosen() -> None:
    back = [scan(0.1 * k, "/back", "rear") for k in range(1, 4)]
    both = bag(*DRIVE, mounted("rear", where=spatial([-0.3, 0.0, np.pi])), *back)
    same(both.laser_log())
    log = both.laser_log("/back")
    assert len(log.ts) == 3 and log.mount[0] == pytest.approx(-0.3)
    for words in ({"topic": "/odom"}, {"topic": "/nowhere"}, {"odometry": "/scan"}):
        with pytest.raises(PilotageError):
            both.laser_log(**words)


def test_odometry_of_two_topics() -> None:
    crooked = [BagMessage(0.1 * k, "/visual", replace(wheels(0.1 * k).value, pose=spatial([9.0, 0.0, 0.0]))) for k in
               range(12)]  # fmt: skip
    both = bag(*DRIVE, *crooked)
    same(both.laser_log(odometry="/odom"))
    assert (both.laser_log(odometry="/visual").odometry[:, 0] == 9.0).all()


def test_scans_without_odometry_are_left_out() -> None:
    early, late = scan(-0.5), [scan(t) for t in (3.0, 7.0)]
    log = bag(early, *DRIVE, wheels(5.5), wheels(6.0), *late).laser_log()
    same(log)
    assert log.left_out == {"without odometry": 3}  # before, in a gap, and after
    with pytest.raises(PilotageError, match="clocks"):
        bag(mounted(), *map(wheels, (100.0, 100.1)), *map(scan, TIMES)).laser_log()


def test_other_beams_and_empty_scans_are_left_out() -> None:
    log = bag(*DRIVE, scan(0.6, ranges=np.zeros(0)), scan(0.7, ranges=np.ones(3))).laser_log()
    same(log)
    assert log.left_out == {"with other beams": 2}
    with pytest.raises(PilotageError, match="empty"):
        bag(mounted(), scan(0.6, ranges=np.zeros(0))).laser_log()
    with pytest.raises(PilotageError, match="no scans"):
        bag(*DRIVE[:5]).laser_log()


def test_a_clock_that_jumps() -> None:
    again = [BagMessage(m.t - 1.2, m.topic, replace(m.value, stamp=m.value.stamp - 1_200_000_000)) for m in DRIVE[1:]]
    log = bag(*DRIVE, *again[:4], *again[-4:-2]).laser_log()  # back to the start, and the drive ends soon
    same(log)
    assert log.left_out == {"of a clock that jumps": 2}
    same(bag(DRIVE[0], scan(1e6), *DRIVE[1:]).laser_log())  # one stamp far ahead


def test_tf_of_a_clock_that_jumps() -> None:
    tf = [moved(0.1 * k) for k in range(30)]
    other = (StampedTransform(0, "odom", "base_link", spatial([50.0, 0.0, 0.0])),)
    same(bag(mounted(), *tf, *map(scan, TIMES), BagMessage(3.0, "/tf", other)).laser_log())


@given(st.lists(st.floats(-1e3, 1e3), max_size=40))
def test_steady_is_the_longest_that_increases(ts: list[float]) -> None:
    chosen = [ts[i] for i in steady(ts)]
    assert all(a < b for a, b in pairwise(chosen)) and (np.diff(steady(ts)) > 0).all()
    best = list[int]()  # by trying all predecessors
    for i, t in enumerate(ts):
        best.append(1 + max((best[j] for j in range(i) if ts[j] < t), default=0))
    assert len(chosen) == max(best, default=0)


def test_any_messages_are_a_log_or_refused() -> None:
    """Fuzzed: messages are left out, repeated, reordered, and get stamps of other clocks."""
    rng, read = np.random.default_rng(0), 0
    for _ in range(150):
        picked = [DRIVE[i] for i in rng.integers(len(DRIVE), size=rng.integers(1, 30))]
        for k in rng.integers(len(picked), size=3):
            t = float(rng.choice([0.0, -5.0, 0.3, 1e9]))
            value = picked[k].value
            if not isinstance(value, tuple):
                picked[k] = BagMessage(t, picked[k].topic, replace(value, stamp=round(1e9 * t)))  # type: ignore[type-var]
        try:
            log = bag(*picked).laser_log()
        except PilotageError:
            continue
        read += 1
        assert len(log.ts) == len(log.ranges) == len(log.poses) == len(log.odometry) and (np.diff(log.ts) > 0.0).all()
    assert read > 30


def test_a_bag_is_a_laser_log(tmp_path: Path) -> None:
    pytest.importorskip("rosbags")
    write_bag(tmp_path / "drive", DRIVE)
    same(read_laser_log(tmp_path / "drive"))
    same(read_laser_log(tmp_path / "drive" / "drive.mcap"))
    with pytest.raises(PilotageError):
        read_laser_log(tmp_path)
