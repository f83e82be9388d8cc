"""Trees of frames: composition, interpolation along geodesics, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from pilotage.core import PilotageError, ShapeError, Space, TransformTree

POSE = Space("pose: SE3")
HERE = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]


def matrix(pose: np.ndarray) -> np.ndarray:
    whole = np.eye(4)
    whole[:3, :3] = Rotation.from_quat(np.asarray(pose)[[4, 5, 6, 3]]).as_matrix()
    whole[:3, 3] = pose[:3]
    return whole


def random_poses(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(size=(count, 3)), Rotation.random(count, rng=rng).as_quat()], -1)


def test_lookups_are_products_of_matrices() -> None:
    a, b, c, d = random_poses(4)
    tree = TransformTree([("map", "odom", None, a), ("odom", "base", 1.0, b), ("base", "left", None, c),
                          ("base", "right", None, d)])  # fmt: skip
    np.testing.assert_allclose(matrix(tree.lookup("map", "left", 1.0)), matrix(a) @ matrix(b) @ matrix(c), atol=1e-12)
    relative = np.linalg.inv(matrix(c)) @ matrix(d)
    np.testing.assert_allclose(matrix(tree.lookup("left", "right", 99.0)), relative, atol=1e-12)
    both = POSE.compose(tree.lookup("left", "map", 1.0), tree.lookup("map", "left", 1.0))
    np.testing.assert_allclose(POSE.minus(both, HERE), np.zeros(6), atol=1e-12)


def test_between_two_times_rotations_are_those_of_slerp() -> None:
    poses = random_poses(5)
    ts = np.array([0.0, 0.3, 1.0, 1.1, 2.0])
    tree = TransformTree([("odom", "base", t, pose) for t, pose in reversed(list(zip(ts, poses, strict=True)))])
    times = np.linspace(0.0, 2.0, 41)
    found = tree.lookup("odom", "base", times)
    oracle = Slerp(ts, Rotation.from_quat(poses[:, [4, 5, 6, 3]]))(times)
    turned = (Rotation.from_quat(found[:, [4, 5, 6, 3]]).inv() * oracle).magnitude()
    np.testing.assert_allclose(turned, 0.0, atol=1e-7)
    np.testing.assert_allclose(POSE.minus(tree.lookup("odom", "base", ts), poses), 0.0, atol=1e-12)
    assert tree.span("odom", "base") == (0.0, 2.0)


def test_a_drive_on_a_circle_is_interpolated_exactly() -> None:
    def on_circle(t: float) -> list[float]:
        return [np.sin(t), 1.0 - np.cos(t), 0.0, np.cos(t / 2.0), 0.0, 0.0, np.sin(t / 2.0)]

    tree = TransformTree([("odom", "base", t, on_circle(t)) for t in (0.0, 1.0)])
    np.testing.assert_allclose(tree.lookup("odom", "base", 0.4), on_circle(0.4), atol=1e-12)


def test_what_is_not_known_is_refused() -> None:
    tree = TransformTree([("odom", "base", 0.0, HERE), ("odom", "base", 1.0, HERE), ("world", "tag", None, HERE)])
    with pytest.raises(PilotageError, match=r"1\.5 s"):
        tree.lookup("odom", "base", [0.5, 1.5])
    with pytest.raises(PilotageError, match="laser"):
        tree.lookup("odom", "laser", 0.5)
    with pytest.raises(PilotageError, match="not connected"):
        tree.lookup("odom", "tag", 0.5)
    with pytest.raises(PilotageError, match="two parents"):
        TransformTree([("a", "c", None, HERE), ("b", "c", None, HERE)])
    with pytest.raises(PilotageError, match="loop"):
        TransformTree([("a", "b", None, HERE), ("b", "a", None, HERE)])
    with pytest.raises(ShapeError, match="quaternion"):
        TransformTree([("a", "b", None, np.zeros(7))])
    with pytest.raises(ShapeError, match="nan"):
        TransformTree([("a", "b", float("nan"), HERE)])


@pytest.mark.parametrize("order", [1, -1])
def test_a_constant_pose_counts_before_moving_ones(order: int) -> None:
    constant, *moving = random_poses(4)
    given = [("base", "laser", None, constant)]
    given += [("base", "laser", t, pose) for t, pose in zip([-1.0, 0.0, 1.0], moving, strict=True)]
    tree = TransformTree(given[::order])
    np.testing.assert_allclose(tree.lookup("base", "laser", 0.5), constant)
    assert tree.span("base", "laser") == (-np.inf, np.inf)
