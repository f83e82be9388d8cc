"""Visual odometry: errors that its covariances know, outliers, and what a camera cannot see, in words."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from pilotage.core.errors import SettingError, ShapeError
from pilotage.estimators.slam.scores import absolute_trajectory_error, relative_pose_error
from pilotage.estimators.slam.vision import (
    Camera,
    PlanarCamera,
    TrackSimulator,
    TwoViewGeometry,
    VisualOdometry,
    VisualStatus,
)

from .scenes import ORIGIN, PLANAR, SPATIAL, cloud, floor, street

SINGLE, PAIR, PLANE = Camera(far=20.0), Camera(baseline=0.2, far=20.0), PlanarCamera(far=12.0)


def drive(camera: Any, frames: int, seed: int = 0, most: int = 80, **tracker: Any) -> tuple[Any, Any, list[Any]]:
    """The tracks of a drive, the odometer after it, and its steps."""
    poses, points = street(frames, seed) if camera.axes == 3 else floor(frames, seed)
    tracks = TrackSimulator(camera, most=most, **tracker).run(poses, points, rng=seed)
    odometer = VisualOdometry(camera, window=4).start(poses[0], rng=seed)
    return tracks, odometer, [odometer.add(ids, z, t) for ids, z, t in tracks]


def errors(camera: Any, tracks: Any, odometer: Any) -> float:
    """Error of position, of a single camera in its own unit of the way."""
    ts, poses = odometer.trajectory
    truth = tracks.poses[np.searchsorted(tracks.ts, ts - 1e-9)]
    return absolute_trajectory_error(truth, poses, "first" if camera.has_depth else "similarity").rmse


@pytest.mark.parametrize(("camera", "share"), [(PAIR, 0.01), (SINGLE, 0.01), (PLANE, 0.02)])
def test_errors_are_a_small_share_of_the_way(camera: Any, share: float) -> None:
    tracks, odometer, steps = drive(camera, 30)
    assert steps[-1].status is VisualStatus.TRACKING and not odometer.lost
    way = np.linalg.norm(np.diff(tracks.poses[:, : camera.axes], axis=0), axis=1).sum()
    assert errors(camera, tracks, odometer) < share * way


@pytest.mark.parametrize(
    ("cameras", "way"),
    [
        ([Camera(baseline=0.2, far=20.0, std=std) for std in (1e-4, 0.3, 1.0)], 2.2),
        ([Camera(far=20.0, std=std) for std in (1e-4, 0.3)], 2.2),
        ([PlanarCamera(far=12.0, std=std) for std in (1e-6, 0.001, 0.01)], 1.65),
    ],
)
def test_errors_are_those_of_the_noise(cameras: Any, way: float) -> None:
    """In proportion to it: without noise there are none."""
    found = list[float]()
    for camera in cameras:
        tracks, odometer, _ = drive(camera, 12, lose=0.0)
        found.append(errors(camera, tracks, odometer) / way)
    assert found[0] < 1e-5
    assert found == sorted(found) and found[-1] < 0.1


def scores(camera: Any, seeds: int) -> Any:
    """NEES over the dimension of the pose, at the middle and the end of drives with seeds from 0 on."""
    found = list[Any]()
    for seed in range(seeds):
        tracks, _, steps = drive(camera, 16, seed, most=60)
        started = next(k for k, step in enumerate(steps) if step.belief is not None)
        unit = 1.0 if camera.has_depth else np.linalg.norm(tracks.poses[started, :3] - tracks.poses[0, :3])
        for k in (10, 15):
            truth, start = tracks.poses[k].copy(), tracks.poses[0, : camera.axes]
            truth[: camera.axes] = start + (truth[: camera.axes] - start) / unit
            e = np.asarray(camera.pose.minus(truth, steps[k].belief.mean))
            found.append(float(e @ np.linalg.solve(steps[k].belief.cov, e)) / camera.pose.dim)
    return np.array(found)


@pytest.mark.parametrize(("camera", "seeds"), [(PLANE, 5), (PAIR, 3), (SINGLE, 3)])
def test_covariances_are_right(camera: Any, seeds: int) -> None:
    """In the mean over all runs; correlated in a run, so the interval is that of one number a run."""
    from scipy.stats import chi2

    low, high = chi2.ppf([0.0005, 0.9995], camera.pose.dim * seeds) / (camera.pose.dim * seeds)
    assert low < scores(camera, seeds).mean() < high


@pytest.mark.slow
@pytest.mark.parametrize("camera", [PLANE, PAIR, SINGLE])
def test_covariances_are_right_over_many_runs(camera: Any) -> None:
    assert 0.8 < scores(camera, 40).mean() < 1.3


@pytest.mark.parametrize("camera", [PAIR, SINGLE, PLANE])
def test_wrong_features_do_no_harm(camera: Any) -> None:
    tracks, odometer, steps = drive(camera, 20, wrong=0.15, moving=0.1)
    assert odometer.lost == 0 and steps[-1].status is VisualStatus.TRACKING
    way = np.linalg.norm(np.diff(tracks.poses[:, : camera.axes], axis=0), axis=1).sum()
    assert errors(camera, tracks, odometer) < 0.03 * way
    named = {(k, id) for k, step in enumerate(steps) for id in step.wrong}
    bad = {
        (k, int(id)) for k, (ids, wrong) in enumerate(zip(tracks.ids, tracks.wrong, strict=True)) for id in ids[wrong]
    }
    assert len(named & bad) > 0.8 * len(named)


@pytest.mark.parametrize("seed", [18, 37])
def test_few_points_are_no_reason_to_be_lost(seed: int) -> None:
    """Most features are too far for the pair: a keyframe has to come before the points run out."""
    _, odometer, steps = drive(PAIR, 16, seed, most=60)
    assert len(odometer.landmarks[0]) > 10 and odometer.lost == 0
    assert "of 1" in steps[1].reason  # few indeed


def test_the_scale_is_that_of_the_first_keyframes() -> None:
    tracks, _, steps = drive(SINGLE, 20)
    started = next(k for k, step in enumerate(steps) if step.belief is not None)
    way = float(np.linalg.norm(tracks.poses[started, :3] - tracks.poses[0, :3]))
    odometer = VisualOdometry(SINGLE, window=4, scale=way).start(tracks.poses[0])
    for ids, z, t in tracks:
        odometer.add(ids, z, t)
    ts, poses = odometer.trajectory
    truth = tracks.poses[np.searchsorted(tracks.ts, ts - 1e-9)]
    assert absolute_trajectory_error(truth, poses, "first").rmse < 0.1
    assert relative_pose_error(truth, poses, 1.0, "m").rmse < 0.1


def test_points_are_where_they_are() -> None:
    tracks, odometer, _ = drive(PAIR, 20)
    ids, points = odometer.landmarks
    off = np.linalg.norm(points - tracks.points[tracks.origin[ids]], axis=1)
    assert len(ids) > 60 and np.median(off) < 0.3


def test_keyframes_move_the_frames_between_them() -> None:
    _, odometer, _ = drive(PAIR, 12)
    moved = copy.deepcopy(odometer)
    turn = np.asarray(SPATIAL.plus(ORIGIN, [1.0, 2.0, 3.0, 0.1, 0.2, 0.3]))
    moved.keyframes = {k: np.asarray(SPATIAL.compose(turn, pose)) for k, pose in odometer.keyframes.items()}
    expected = SPATIAL.compose(turn, odometer.trajectory[1])
    assert np.abs(SPATIAL.minus(moved.trajectory[1], expected)).max() < 1e-9


def test_a_turn_on_the_spot_starts_nothing_and_says_so() -> None:
    points = np.vstack([cloud(np.random.default_rng(0), 300) * [2.0, 1.0, 1.0]])
    poses = [SPATIAL.plus(ORIGIN, [0.0, 0.0, 0.0, 0.0, 0.02 * k, 0.0]) for k in range(6)]
    odometer = VisualOdometry(SINGLE).start()
    steps = [odometer.add(ids, z, t) for ids, z, t in TrackSimulator(SINGLE).run(poses, points, rng=0)]
    assert {step.status for step in steps[1:]} == {VisualStatus.DEGENERATE}
    assert "turned" in steps[-1].reason and steps[-1].belief is None
    assert len(odometer.trajectory[0]) == 0


def test_a_turn_on_the_spot_later_is_followed() -> None:
    points = np.random.default_rng(0).uniform([-12.0, -3.0, 4.0], [12.0, 3.0, 12.0], (800, 3))
    way = [SPATIAL.plus(ORIGIN, [0.1 * k, 0.0, 0.0, 0.0, 0.0, 0.0]) for k in range(15)]
    turn = [SPATIAL.plus(way[-1], [0.0, 0.0, 0.0, 0.0, 0.02 * k, 0.0]) for k in range(1, 10)]
    tracks = TrackSimulator(SINGLE, most=120).run([*way, *turn], points, rng=0)
    odometer = VisualOdometry(SINGLE, window=4).start()
    steps = [odometer.add(ids, z, t) for ids, z, t in tracks]
    assert steps[-1].status is VisualStatus.TRACKING
    apart = np.asarray(SPATIAL.minus(odometer.pose, SPATIAL.compose(SPATIAL.identity(), tracks.poses[-1])))
    assert np.abs(apart[3:]).max() < 0.02


def test_identical_frames() -> None:
    z = SINGLE.observe(ORIGIN, cloud(np.random.default_rng(0)))
    odometer = VisualOdometry(SINGLE).start()
    for _ in range(3):
        step = odometer.add(range(len(z)), z)
    assert step.status is VisualStatus.DEGENERATE and "not moved" in step.reason
    pair = VisualOdometry(PAIR, window=3).start()
    z = PAIR.observe(ORIGIN, cloud(np.random.default_rng(0)))
    for _ in range(6):
        step = pair.add(range(len(z)), z)
    assert step.status is VisualStatus.TRACKING and np.abs(SPATIAL.minus(step.pose, ORIGIN)).max() < 1e-6


def test_a_camera_that_sees_nothing_is_lost_and_begins_again() -> None:
    poses, points = street(24)
    tracks = TrackSimulator(PAIR, most=80).run(poses, points, rng=0)
    odometer = VisualOdometry(PAIR, window=4, patience=4).start(poses[0])
    steps = list[Any]()
    for k, (ids, z, t) in enumerate(tracks):
        blind = 8 <= k < 14
        steps.append(odometer.add([] if blind else ids, np.zeros((0, 3)) if blind else z, t))
    assert [step.status for step in steps[8:11]] == [VisualStatus.LOST] * 3
    assert steps[11].map == 1 and "new map" in steps[11].reason
    assert steps[-1].status is VisualStatus.TRACKING and steps[-1].map == 1
    assert odometer.lost == 4
    assert np.allclose(steps[14].pose, steps[7].pose)  # where it was last seen


def test_a_short_blink_does_not_matter() -> None:
    tracks, _, _ = drive(PAIR, 16)
    odometer = VisualOdometry(PAIR, window=4).start(tracks.poses[0])
    for k, (ids, z, t) in enumerate(tracks):
        odometer.add(ids, np.full_like(z, np.nan) if k in (8, 9) else z, t)
    assert odometer.lost == 2 and odometer.map == 0
    assert np.linalg.norm(odometer.pose[:3] - tracks.poses[-1, :3]) < 0.2


def test_a_map_without_points_is_lost() -> None:
    tracks, odometer, steps = drive(SINGLE, 12)
    assert steps[-1].status is VisualStatus.TRACKING
    odometer._window.landmarks.clear()
    pose, (ids, z, _) = odometer.pose, list(tracks)[-1]
    step = odometer.add(ids, z)
    assert step.status is VisualStatus.LOST and np.array_equal(step.pose, pose)


def test_nothing_but_wrong_features() -> None:
    rng = np.random.default_rng(0)
    odometer = VisualOdometry(SINGLE, two_view=TwoViewGeometry(samples=100)).start()
    for _ in range(4):
        step = odometer.add(range(40), rng.uniform([0.0, 0.0], [640.0, 480.0], (40, 2)))
    assert step.status is not VisualStatus.TRACKING and step.belief is None


def test_points_of_the_pair_that_are_behind_or_too_far_are_none() -> None:
    z = np.array([[320.0 + k, 240.0, 330.0 + k] for k in range(20)])  # right of left: behind the cameras
    step = VisualOdometry(PAIR).start().add(range(20), z)
    assert step.status is VisualStatus.INITIALIZING and "depth" in step.reason
    far = np.array([[320.0 + k, 240.0, 319.99 + k] for k in range(20)])
    assert VisualOdometry(PAIR).start().add(range(20), far).status is VisualStatus.INITIALIZING


@pytest.mark.parametrize(
    ("ids", "pixels", "t", "error"),
    [
        ([0, 0], [[1.0, 2.0], [3.0, 4.0]], None, ShapeError),
        ([0, 1], [[1.0, 2.0]], None, ShapeError),
        ([0], [[1.0, 2.0, 3.0]], None, ShapeError),
        ([0.5], [[1.0, 2.0]], None, ShapeError),
        ([0], [[1.0, np.inf]], None, ShapeError),
        ([[0]], [[1.0, 2.0]], None, ShapeError),
        ([0], "pixels", None, ShapeError),
        ([0], [[1.0, 2.0]], np.nan, SettingError),
        ([0], [[1.0, 2.0]], 0.0, SettingError),
    ],
)
def test_frames_that_are_refused_change_nothing(ids: Any, pixels: Any, t: Any, error: Any) -> None:
    poses, points = street(9)
    frames = list(TrackSimulator(SINGLE, most=40).run(poses, points, rng=0))
    odometer = VisualOdometry(SINGLE, window=4).start()
    for frame in frames[:7]:
        odometer.add(*frame)
    before = copy.deepcopy(odometer)
    with pytest.raises(error):
        odometer.add(ids, pixels, t)
    for frame in frames[7:]:
        assert np.array_equal(odometer.add(*frame).pose, before.add(*frame).pose)


def test_settings_that_are_refused() -> None:
    with pytest.raises(SettingError):
        VisualOdometry(SINGLE, window=2)
    with pytest.raises(SettingError):
        VisualOdometry("camera")  # type: ignore[arg-type]
    with pytest.raises(SettingError):
        VisualOdometry(SINGLE, scale=0.0)
    with pytest.raises(SettingError):
        VisualOdometry(SINGLE, scale_std=0.0)
    with pytest.raises(ShapeError):
        VisualOdometry(PLANE).start([0.0, 0.0])


def test_the_start_is_where_the_camera_is_put() -> None:
    start = np.array([3.0, -2.0, 1.0])
    poses, points = floor(10)
    tracks = TrackSimulator(PLANE, most=80).run(poses, points, rng=0)
    odometer = VisualOdometry(PLANE, window=4).start(start)
    for ids, z, t in tracks:
        odometer.add(ids, z, t)
    assert np.abs(PLANAR.minus(odometer.pose, PLANAR.compose(start, poses[-1]))).max() < 0.05
