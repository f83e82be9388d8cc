"""Scores of trajectories: closed forms, invariances, and evo's values on its own files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import Space
from pilotage.core.errors import SettingError, ShapeError
from pilotage.estimators.slam.scores import (
    TrajectoryErrors,
    absolute_trajectory_error,
    alignment,
    associate,
    map_quality,
    relation_errors,
    relative_pose_error,
)
from pilotage.io import read_kitti_poses, read_tum
from pilotage.maps import Lidar, OccupancyGrid

SPACES = {2: Space("pose: SE2"), 3: Space("pose: SE3")}


def walk(axes: int, n: int, seed: int) -> Any:
    space, rng = SPACES[axes], np.random.default_rng(seed)
    x = [space.identity()]
    for d in rng.normal(0.2, 0.3, (n - 1, space.dim)):
        x.append(np.asarray(space.plus(x[-1], d)))
    return np.array(x)


EVO = json.loads((Path(__file__).parent / "evo.json").read_text())
"""Scores by evo; how they were computed is in the file."""
FILES = {
    "fr1": "freiburg1_xyz-rgbdslam.txt.gz",
    "fr1_drift": "freiburg1_xyz-rgbdslam_drift.txt.gz",
    "fr1_mono": "freiburg1_xyz-ORB_kf_mono.txt",
}


def pair(data: Path, name: str) -> tuple[Any, Any]:
    folder = data / "trajectories"
    if name == "kitti":
        return tuple(read_kitti_poses(folder / f"KITTI_00_{which}.txt.gz").poses for which in ("gt", "ORB"))
    truth, estimate = read_tum(folder / "freiburg1_xyz-groundtruth.txt.gz"), read_tum(folder / FILES[name])
    at = associate(truth.ts, estimate.ts)
    return truth.poses[at[:, 0]], estimate.poses[at[:, 1]]


@pytest.mark.parametrize("name", [*FILES, "kitti"])
def test_equal_to_evo(data: Path, name: str) -> None:
    truth, estimate = pair(data, name)
    metres = 100.0 if name == "kitti" else 0.5
    found = {
        kind: absolute_trajectory_error(truth, estimate, kind) for kind in ("rigid", "similarity", "first", "none")
    }
    found |= {
        "rpe1": relative_pose_error(truth, estimate),
        "rpe10all": relative_pose_error(truth, estimate, 10, overlapping=True),
        "rpem": relative_pose_error(truth, estimate, metres, "m"),
        "rpemall": relative_pose_error(truth, estimate, metres, "m", overlapping=True),
    }
    # The rotation matrices of KITTI's files are rounded, and evo takes them as they are.
    near = 1e-5 if name == "kitti" else 1e-11
    for kind, (*statistics, count) in EVO[name].items():
        e = found[kind]
        turn = math.sqrt((e.rotation**2).mean())
        assert len(e.translation) == count
        assert [e.rmse, e.mean, e.median, e.std, e.max, turn] == pytest.approx(statistics, rel=near), kind


@pytest.mark.parametrize("axes", [2, 3])
@given(seed=st.integers(0, 1000), scale=st.floats(0.2, 5.0))
@settings(max_examples=10)
def test_a_trajectory_moved_as_a_whole_has_no_error(axes: int, seed: int, scale: float) -> None:
    space, truth = SPACES[axes], walk(axes, 20, seed)
    moved = np.asarray(space.compose(walk(axes, 3, seed + 1)[-1], truth))
    for align in ("rigid", "similarity", "first"):
        errors = absolute_trajectory_error(truth, moved, align)
        assert errors.max < 1e-9 and errors.rotation.max() < 1e-6
    assert relative_pose_error(truth, moved, 3).max < 1e-9
    moved[:, :axes] *= scale
    assert absolute_trajectory_error(truth, moved, "similarity").max < 1e-8
    R, t, s = alignment(truth[:, :axes], moved[:, :axes], scale=True)
    assert s == pytest.approx(1.0 / scale) and np.allclose(s * moved[:, :axes] @ R.T + t, truth[:, :axes])


def test_planar_scores_are_those_of_the_same_poses_in_space() -> None:
    truth, estimate = walk(2, 30, 0), walk(2, 30, 1)

    def lifted(x: Any) -> Any:
        none = np.zeros(len(x))
        return np.column_stack([x[:, :2], none, np.cos(x[:, 2] / 2), none, none, np.sin(x[:, 2] / 2)])

    for score in (lambda a, b: absolute_trajectory_error(a, b, "first"), lambda a, b: relative_pose_error(a, b, 4)):
        flat, space = score(truth, estimate), score(lifted(truth), lifted(estimate))
        assert np.allclose(flat.translation, space.translation) and np.allclose(flat.rotation, space.rotation)


def test_no_alignment_is_better_than_the_rigid_one() -> None:
    truth, estimate = walk(2, 50, 3), walk(2, 50, 4)
    best, rng = absolute_trajectory_error(truth, estimate).rmse, np.random.default_rng(0)
    R, t, _ = alignment(truth[:, :2], estimate[:, :2])
    for _ in range(50):
        turn = rng.normal(0.0, 0.05)
        nudged = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ R
        other = estimate[:, :2] @ nudged.T + t + rng.normal(0.0, 0.05, 2)
        assert np.sqrt(((other - truth[:, :2]) ** 2).sum(axis=1).mean()) >= best


def test_relations_are_scored_by_hand() -> None:
    ts = np.arange(4.0)
    x = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.5 * np.pi], [1.0, 2.0, 0.5 * np.pi], [1.0, 3.0, 0.0]])
    relations = [[1.0, 0.0, 0.5 * np.pi], [2.0, 0.3, 0.1], [9.0, 9.0, 9.0], [5.0, 5.0, 5.0]]
    times = [[0.0, 1.0], [1.004, 1.996], [0.5, 2.0], [3.0, 3.001]]  # the third has no pose, the fourth is of one pose
    errors = relation_errors(relations, times, ts, x)
    assert errors.pairs.tolist() == [[0, 1], [1, 2]]
    assert errors.translation == pytest.approx([0.0, 0.3], abs=1e-12)
    assert errors.rotation == pytest.approx([0.0, 0.1])


@given(st.lists(st.floats(0, 50), min_size=1, max_size=30), st.lists(st.floats(0, 50), min_size=1, max_size=30))
@settings(max_examples=50)
def test_association_finds_the_nearest(first: list[float], second: list[float]) -> None:
    a, b = np.sort(first), np.sort(second)
    pairs = associate(a, b, 1.0)
    short, long = (b, a) if len(b) <= len(a) else (a, b)
    nearest = np.abs(long[None] - short[:, None]).min(axis=1)
    assert len(pairs) == (nearest <= 1.0).sum()
    assert np.allclose(np.abs(a[pairs[:, 0]] - b[pairs[:, 1]]), nearest[nearest <= 1.0])


def test_a_blurred_map_is_worse() -> None:
    grid = OccupancyGrid.load("depot.yaml")
    lidar = Lidar(grid, angles=90, max_range=20.0)
    poses = np.array([[5.0, 1.0, 0.0], [6.0, 1.0, 1.0]])
    ranges = np.array([lidar.observe(pose) for pose in poses])
    right, wrong = (map_quality(grid, x, ranges, lidar.angles, 20.0) for x in (poses, poses + [0.3, 0.2, 0.1]))
    assert (right.ends, right.passages) == (1.0, 1.0)
    assert wrong.ends < 0.6 and wrong.passages <= right.passages and wrong.sharpness == right.sharpness


@pytest.mark.parametrize(
    "call",
    [
        lambda: absolute_trajectory_error(np.zeros((3, 3)), np.zeros((4, 3))),
        lambda: absolute_trajectory_error(np.zeros((3, 4)), np.zeros((3, 4))),
        lambda: absolute_trajectory_error(np.zeros((0, 3)), np.zeros((0, 3))),
        lambda: absolute_trajectory_error(np.zeros((3, 3)), np.zeros((3, 3))),  # one place, any rotation
        lambda: absolute_trajectory_error(np.full((3, 3), np.nan), np.zeros((3, 3))),
        lambda: relative_pose_error(np.zeros((3, 3)), np.zeros((3, 3)), 3),
        lambda: relative_pose_error(np.zeros((3, 3)), np.zeros((3, 3)), 5.0, "m"),
        lambda: associate([1.0, 0.0], [0.0]),
        lambda: associate([], [0.0]),
        lambda: relation_errors([[0.0, 0.0, 0.0]], [[0.0, 50.0]], [0.0, 1.0], np.zeros((2, 3))),
        lambda: relation_errors([[0.0, 0.0]], [[0.0, 1.0]], [0.0, 1.0], np.zeros((2, 3))),
    ],
)
def test_trajectories_that_are_refused(call: Any) -> None:
    with pytest.raises(ShapeError):
        call()


def test_settings_that_are_refused() -> None:
    x = walk(2, 5, 0)
    for wrong in ({"delta": 0}, {"delta": 1.5}, {"delta": -1.0, "unit": "m"}, {"unit": "feet"}):
        with pytest.raises(SettingError):
            relative_pose_error(x, x, **wrong)
    with pytest.raises(SettingError):
        absolute_trajectory_error(x, x, "affine")  # pyright: ignore[reportArgumentType]


def test_statistics() -> None:
    errors = TrajectoryErrors(np.array([3.0, 4.0]), np.zeros(2), np.zeros((2, 2)))
    assert (errors.rmse, errors.mean, errors.median, errors.std, errors.max) == (math.sqrt(12.5), 3.5, 3.5, 0.5, 4.0)
