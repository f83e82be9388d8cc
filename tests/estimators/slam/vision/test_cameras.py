"""Cameras: lines of sight undo readings, views have limits, and simulated features keep their promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core.errors import SettingError, ShapeError
from pilotage.estimators.slam.vision import Camera, PlanarCamera, TrackSimulator

from .scenes import ORIGIN, cloud, floor, street

CAMERAS = {
    "single": Camera(),
    "uneven": Camera(focal=(300.0, 450.0), centre=(300.0, 250.0)),
    "distorted": Camera(distortion=(-0.25, 0.06, 0.003, -0.002)),
    "pair": Camera(baseline=0.3),
    "plane": PlanarCamera(),
}


@pytest.mark.parametrize("name", CAMERAS)
def test_lines_of_sight_pass_through_their_points(name: str) -> None:
    camera, rng = CAMERAS[name], np.random.default_rng(0)
    points = rng.uniform(-6.0, 6.0, (1000, camera.axes))
    points = points[camera.in_view(points)]
    origins, d = camera.lines(camera.observe(camera.pose.identity(), points))
    assert len(points) > 20
    to = points[:, None] - origins
    along = (to * d).sum(axis=2, keepdims=True)
    assert (along > 0.0).all()
    assert np.abs(to - along * d).max() < 1e-9
    assert np.allclose(np.linalg.norm(d, axis=2), 1.0)


@pytest.mark.parametrize("name", CAMERAS)
def test_the_spread_of_directions_is_that_of_readings(name: str) -> None:
    camera, rng = CAMERAS[name], np.random.default_rng(1)
    if camera.axes == 3 and camera.std != 1.0:
        pytest.skip("one of the standard cameras is enough")
    point = np.array([0.6, -0.4, 3.0]) if camera.axes == 3 else np.array([3.0, 0.5])
    z = np.tile(camera.observe(camera.pose.identity(), point), (4000, 1))
    noisy = np.asarray(camera.sensor.sample(np.tile(camera.pose.identity(), (4000, 1)), point, rng=rng))
    apart = camera.rays(noisy) - camera.rays(z)
    std = np.sqrt((apart**2).sum(axis=1).mean() / (camera.axes - 1))
    assert std == pytest.approx(float(camera.ray_std(z[:1])[0]), rel=0.25 if name in ("uneven", "distorted") else 0.05)


def test_a_distorted_lens_is_that_of_opencv() -> None:
    """Numbers by hand: x = 0.5, y = 0.25, r2 = 0.3125."""
    k1, k2, p1, p2 = -0.2, 0.05, 0.01, -0.02
    s = 1.0 + k1 * 0.3125 + k2 * 0.3125**2
    x = 0.5 * s + 2.0 * p1 * 0.125 + p2 * (0.3125 + 0.5)
    y = 0.25 * s + p1 * (0.3125 + 0.125) + 2.0 * p2 * 0.125
    camera = Camera(focal=(400.0, 300.0), centre=(10.0, 20.0), distortion=(k1, k2, p1, p2))
    assert np.allclose(camera.observe(ORIGIN, [[1.0, 0.5, 2.0]]), [[400.0 * x + 10.0, 300.0 * y + 20.0]])


def test_what_a_camera_sees() -> None:
    camera = Camera(near=1.0, far=10.0)
    points = [[0, 0, 5], [0, 0, -5], [0, 0, 0.5], [0, 0, 20], [4, 0, 5], [0, 3, 5], [3.1, 0, 5]]
    assert camera.sees(ORIGIN, points).tolist() == [True, False, False, False, False, False, True]
    folded = Camera(distortion=(-0.4, 0.0, 0.0, 0.0), width=4000, height=4000, centre=(2000.0, 2000.0))
    assert folded.sees(ORIGIN, [[0.5, 0.0, 1.0], [5.0, 0.0, 1.0]]).tolist() == [True, False]
    plane = PlanarCamera(view=0.5)
    seen = plane.sees([1.0, 0.0, np.pi / 2], [[1.0, 4.0], [5.0, 0.0], [1.0, -4.0], [1.0, 0.05], [1.0, 99.0]])
    assert seen.tolist() == [True, False, False, False, False]


@pytest.mark.parametrize("name", ["single", "plane"])
def test_simulated_features(name: str) -> None:
    camera = CAMERAS[name]
    poses, points = street(30) if camera.axes == 3 else floor(30)
    tracks = TrackSimulator(camera, lose=0.1, wrong=0.2, most=60).run(poses, points, rng=3)
    errors, wrong, seen_before = list[Any](), list[Any](), set[int]()
    last: Any = []
    for pose, ids, z, bad in zip(tracks.poses, tracks.ids, tracks.readings, tracks.wrong, strict=True):
        assert len(set(ids.tolist())) == len(ids) <= 60
        assert camera.sees(pose, points[tracks.origin[ids]]).all()
        assert not (set(ids.tolist()) - set(last)) & seen_before  # what was lost does not come back under its id
        seen_before |= set(ids.tolist())
        last = ids.tolist()
        e = np.asarray(camera.reading.minus(z, camera.observe(pose, points[tracks.origin[ids]])))
        errors.append(e[~bad])
        wrong.append(bad)
    assert np.concatenate(errors).std() == pytest.approx(camera.std, rel=0.1)
    assert np.concatenate(wrong).mean() == pytest.approx(0.2, abs=0.05)
    again = TrackSimulator(camera, lose=0.1, wrong=0.2, most=60).run(poses, points, rng=3)
    assert all(np.array_equal(a, b) for a, b in zip(again.readings, tracks.readings, strict=True))


def test_bodies_hide_what_is_behind_them() -> None:
    points = np.array([[0.0, 0.0, 8.0], [3.0, 0.0, 8.0], [0.0, 0.0, 2.0]])
    tracks = TrackSimulator(Camera(), lose=0.0, hidden_by=[[0.0, 0.0, 4.0, 0.5]]).run([ORIGIN], points, rng=0)
    assert tracks.origin.tolist() == [1, 2]


def test_points_that_move_are_wrong() -> None:
    tracks = TrackSimulator(Camera(), lose=0.0, moving=0.5).run(
        np.tile(ORIGIN, (5, 1)), cloud(np.random.default_rng(0)), rng=0
    )
    z = {id: np.array([row for ids, zs in zip(tracks.ids, tracks.readings) for i, row in zip(ids, zs) if i == id])
         for id in tracks.ids[0].tolist()}  # fmt: skip
    moves = {id: np.abs(np.diff(rows, axis=0)).max() if len(rows) > 1 else 0.0 for id, rows in z.items()}
    flagged = dict(zip(tracks.ids[0].tolist(), tracks.wrong[0].tolist(), strict=True))
    assert np.median([moves[i] for i in moves if flagged[i]]) > 2.0 * np.median(
        [moves[i] for i in moves if not flagged[i]]
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: Camera(baseline=0.1, distortion=(0.1, 0.0, 0.0, 0.0)),
        lambda: Camera(near=2.0, far=1.0),
        lambda: Camera(focal=(0.0, 500.0)),
        lambda: Camera(std=0.0),
        lambda: PlanarCamera(baseline=0.0),
        lambda: PlanarCamera(view=2.0),
        lambda: PlanarCamera(near=50.0),
        lambda: TrackSimulator(Camera(), lose=1.5),
        lambda: TrackSimulator("camera"),  # type: ignore[arg-type]
    ],
)
def test_settings_that_are_refused(make: Any) -> None:
    with pytest.raises(SettingError):
        make()


@pytest.mark.parametrize(
    ("poses", "points", "ts"),
    [
        ([[0.0, 0.0]], [[0.0, 0.0, 5.0]], None),
        ([ORIGIN], [[0.0, 5.0]], None),
        ([ORIGIN], [[0.0, 0.0, 5.0]], [0.0, 1.0]),
    ],
)
def test_drives_that_are_refused(poses: Any, points: Any, ts: Any) -> None:
    with pytest.raises(ShapeError):
        TrackSimulator(Camera()).run(poses, points, ts)
    with pytest.raises(ShapeError):
        TrackSimulator(Camera(), hidden_by=[[1.0, 2.0]])
