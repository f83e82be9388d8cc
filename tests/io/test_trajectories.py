"""Trajectories, relations and logs with raw odometry: round trips, and files that are damaged."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotage.core.errors import FormatError, MissingFile, PilotageError, ShapeError
from pilotage.io import (
    Trajectory,
    read_carmen,
    read_gfs_json,
    read_kitti_poses,
    read_laser_log,
    read_relations,
    read_tum,
    write_tum,
)

FILES: dict[Callable[[Path], Any], str] = {
    read_tum: "1.0 0 0 0 0 0 0 1\n2.0 1 0 0 0 0 0 1\n",
    read_kitti_poses: "1 0 0 4 0 1 0 5 0 0 1 6\n",
    read_relations: "1.0 2.0 0.5 0 0 0 0 0.1\n",
    read_gfs_json: '{"map": {"1.0": {"range": [1.0, 2.0], "theta": 0.0, "x": 0.0, "y": 0.0}}}',
    read_laser_log: "FLASER 3 1.0 2.0 3.0 1 2 0.5 1 2 0.5 7.0 host 7.0\n",
}


def test_tum_round_trip(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ts, planar = np.sort(rng.uniform(0, 1e9, 20)), rng.uniform(-3.0, 3.0, (20, 3))
    write_tum(tmp_path / "a.tum", ts, planar)
    read = read_tum(tmp_path / "a.tum")
    assert np.array_equal(read.ts, ts) and np.allclose(read.planar, planar, atol=1e-12)
    write_tum(tmp_path / "b.tum", ts, read.poses)
    assert np.allclose(read_tum(tmp_path / "b.tum").poses, read.poses, atol=1e-15)


def test_files_of_evo(data: Path) -> None:
    folder = data / "trajectories"
    truth = read_tum(folder / "freiburg1_xyz-groundtruth.txt.gz")
    assert len(truth.ts) == 3000 and np.allclose(np.linalg.norm(truth.poses[:, 3:], axis=1), 1.0)
    kitti = read_kitti_poses(folder / "KITTI_00_gt.txt.gz", folder / "KITTI_00_gt_times.txt")
    assert len(kitti.ts) == 4541 and kitti.ts[1] == 0.1037359
    assert np.allclose(kitti.poses[0], [0, 0, 0, 1, 0, 0, 0], atol=1e-9)


def test_files_of_intel(data: Path) -> None:
    folder = data / "lidar_logs"
    relations = read_relations(folder / "intel.relations.gz")
    assert relations.poses.shape == (2984, 3) and relations.times[0, 0] == 976052905.167303
    log = read_laser_log(folder / "intel_raw_odometry_gfs.json.gz")
    corrected = read_carmen(folder / "intel-corrected.log.gz")
    assert log.ranges.shape == corrected.ranges.shape and (np.diff(log.ts) > 0.0).all()
    assert np.abs(log.odometry - corrected.odometry).max() > 10.0  # not corrected


def test_formats_are_told_apart(tmp_path: Path) -> None:
    scan = {"range": [1.0, 2.0, 3.0], "theta": 0.5, "x": 1.0, "y": 2.0}
    (tmp_path / "a").write_bytes(gzip.compress(json.dumps({"map": {"2.0": scan, "1.0": scan, "10.0": scan}}).encode()))
    (tmp_path / "b").write_text("# CARMEN\nFLASER 3 1.0 2.0 3.0 1 2 0.5 1 2 0.5 7.0 host 7.0\n")
    first, second = (read_laser_log(tmp_path / name) for name in "ab")
    assert first.ts.tolist() == [1.0, 2.0, 10.0] and second.ts.tolist() == [7.0]
    assert np.array_equal(first.odometry[:1], second.odometry) and np.array_equal(first.ranges[:1], second.ranges)


@pytest.mark.parametrize("read", FILES)
@pytest.mark.parametrize(
    "text", ["", "\n\n", "# nothing\n", "1 2 three", "1 2", "nan " * 12, "{}", '{"map": {}}', "\x1f\x8b"]
)
def test_files_that_are_refused(tmp_path: Path, read: Callable[[Path], Any], text: str) -> None:
    (tmp_path / "file").write_text(text, encoding="latin1")
    with pytest.raises(FormatError):
        read(tmp_path / "file")
    with pytest.raises(MissingFile):
        read(tmp_path / "none")


@pytest.mark.parametrize(
    "scan",
    [
        {"range": [1.0], "theta": 0.0, "x": 0.0},
        {"range": [1.0, 2.0], "theta": 0.0, "x": 0.0, "y": 0.0},
        {"range": "far", "theta": 0.0, "x": 0.0, "y": 0.0},
        {"range": [1.0], "theta": None, "x": 0.0, "y": 0.0},
        {"range": [1.0], "theta": float("nan"), "x": 0.0, "y": 0.0},
        [],
    ],
)
def test_scans_that_are_refused(tmp_path: Path, scan: Any) -> None:
    good = {"range": [1.0], "theta": 0.0, "x": 0.0, "y": 0.0}
    (tmp_path / "file").write_text(json.dumps({"map": {"1.0": good, "2.0": scan}}))
    with pytest.raises(FormatError):
        read_gfs_json(tmp_path / "file")


@pytest.mark.parametrize("read", FILES)
@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_are_read_or_refused(tmp_path: Path, read: Callable[[Path], Any], seed: int) -> None:
    """Bytes changed and cut at random, of files of any format: finite numbers, or an error."""
    rng, refused = np.random.default_rng(seed), 0
    for _ in range(100):
        content = bytearray((FILES[read] if rng.random() < 0.5 else rng.choice(list(FILES.values()))).encode())
        for _ in range(rng.integers(0, 3)):
            content[rng.integers(len(content))] = rng.integers(256)
        (tmp_path / "file").write_bytes(bytes(content[: rng.integers(len(content)) if rng.random() < 0.5 else None]))
        try:
            found = read(tmp_path / "file")
        except PilotageError:
            refused += 1
            continue
        numbers = vars(found)
        arrays = {name: x for name, x in numbers.items() if isinstance(x, np.ndarray) and name != "ranges"}
        assert all(len(x) > 0 and np.isfinite(x).all() for x in arrays.values())
        if "ranges" in numbers:
            assert found.ranges.shape == (len(found.ts), len(found.angles))
        if isinstance(found, Trajectory):
            assert found.poses.shape == (len(found.ts), 7)
            assert np.allclose(np.linalg.norm(found.poses[:, 3:], axis=1), 1.0, atol=1e-12)
    assert 0 < refused < 100


def test_rotations_that_overflow_are_refused(tmp_path: Path) -> None:
    (tmp_path / "tum").write_text("0.0 0 0 0 " + "1e200 " * 4)
    (tmp_path / "kitti").write_text("1e200 1e200 0 4 1e200 -1e200 0 5 0 0 1 6\n")
    with pytest.raises(FormatError):
        read_tum(tmp_path / "tum")
    with pytest.raises(FormatError):
        read_kitti_poses(tmp_path / "kitti")


def test_kitti_files_that_are_refused(tmp_path: Path) -> None:
    (tmp_path / "poses").write_text("1 0 0 4 0 1 0 5 0 0 -1 6\n")  # a reflection
    (tmp_path / "good").write_text("1 0 0 4 0 1 0 5 0 0 1 6\n")
    (tmp_path / "times").write_text("0.0\n1.0\n")
    with pytest.raises(FormatError):
        read_kitti_poses(tmp_path / "poses")
    with pytest.raises(FormatError):
        read_kitti_poses(tmp_path / "good", tmp_path / "times")


def test_trajectories_that_are_not_written(tmp_path: Path) -> None:
    for ts, poses in (([0.0], np.zeros((2, 3))), ([0.0], np.zeros((1, 4))), ([0.0], np.zeros(3))):
        with pytest.raises(ShapeError):
            write_tum(tmp_path / "file", ts, poses)
    assert not (tmp_path / "file").exists()
