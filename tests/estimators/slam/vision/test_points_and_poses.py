"""Resection and triangulation: exact without noise, covariances that are right, and outliers that do no harm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import least_squares

from pilotage.core.errors import SettingError, ShapeError
from pilotage.estimators.slam.vision import (
    Camera,
    PlanarCamera,
    Resection,
    bearing_poses,
    three_point_poses,
    triangulate,
)

from .scenes import ORIGIN, PLANAR, SPATIAL, cloud, moved, scattered

CAMERAS = {"single": Camera(), "pair": Camera(baseline=0.3), "plane": PlanarCamera()}


def directions(points: Any) -> Any:
    return points / np.linalg.norm(points, axis=-1, keepdims=True)


def around(camera: Any, rng: Any, count: int) -> Any:
    return cloud(rng, count) if camera.axes == 3 else rng.uniform([2.0, -4.0], [10.0, 4.0], (count, 2))


def beside(camera: Any, rng: Any) -> Any:
    return np.asarray(camera.pose.plus(camera.pose.identity(), rng.normal(0.0, 0.1, camera.pose.dim)))


def test_three_points_are_exact() -> None:
    rng, worst = np.random.default_rng(0), 0.0
    for _ in range(300):
        points, pose = cloud(rng, 3), moved(rng, distance=1.5, turn=0.3)
        found = three_point_poses(points, directions(np.asarray(SPATIAL.act(SPATIAL.inverse(pose), points))))
        apart = np.abs(SPATIAL.minus(np.nan_to_num(found, nan=9.0), pose)).max(axis=1)
        worst = max(worst, float(apart.min()))
    assert worst < 1e-7


def test_every_pose_of_three_points_sees_them() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform([-4.0, -3.0, 4.0], [4.0, 3.0, 12.0], (200, 3, 3))
    rays = directions(rng.normal(0.0, 0.3, (200, 3, 3)) + [0.0, 0.0, 1.0])
    poses = three_point_poses(points, rays)
    good = np.isfinite(poses).all(axis=2)
    b, _ = np.nonzero(good)
    seen = directions(np.asarray(SPATIAL.act(SPATIAL.inverse(poses[good][:, None]), points[b])))
    assert good.any() and np.median(np.abs(seen - rays[b])) < 1e-10
    assert (np.abs(seen - rays[b]).max(axis=(1, 2)) < 1e-5).mean() > 0.98


@pytest.mark.parametrize("count", [3, 8])
def test_bearings_are_exact(count: int) -> None:
    rng = np.random.default_rng(2)
    for _ in range(300):
        points, pose = rng.uniform([2.0, -4.0], [10.0, 4.0], (count, 2)), rng.normal(0.0, 0.4, 3)
        found = bearing_poses(points, directions(np.asarray(PLANAR.act(PLANAR.inverse(pose), points))))
        assert np.abs(PLANAR.minus(found, pose)).max() < 1e-8


def test_bearings_to_points_behind_have_no_pose() -> None:
    points = np.array([[4.0, 0.0], [5.0, 1.0], [4.0, -2.0]])
    rays = directions(points)
    rays[0] = -rays[0]
    assert np.isnan(bearing_poses(points, rays)).all()


@pytest.mark.parametrize("name", CAMERAS)
def test_resection_survives_outliers_and_knows_its_errors(name: str) -> None:
    camera, nees = CAMERAS[name], list[float]()
    rng = np.random.default_rng(3)
    for k in range(20):
        points, pose = around(camera, rng, 80), beside(camera, rng)
        z = np.asarray(camera.sensor.sample(np.tile(pose, (80, 1)), points, rng=rng))
        bad = np.arange(80) < 32
        z[bad] = scattered(camera, 32, rng)
        found = Resection().solve(camera, points, z, rng=k)
        assert found.belief is not None
        assert found.inliers[~bad].mean() > 0.9 and found.inliers[bad].mean() < 0.1
        e = np.asarray(camera.pose.minus(pose, found.belief.mean))
        nees.append(float(e @ np.linalg.solve(found.belief.cov, e)) / camera.pose.dim)
    assert 0.7 < np.mean(nees) < 1.5


def test_resection_adds_the_uncertainty_of_points() -> None:
    camera, nees = Camera(), {True: list[float](), False: list[float]()}
    rng = np.random.default_rng(4)
    for k in range(20):
        points, pose = around(camera, rng, 60), beside(camera, rng)
        z = np.asarray(camera.sensor.sample(np.tile(pose, (60, 1)), points, rng=rng))
        covs = np.tile(np.diag([0.03, 0.03, 0.03]) ** 2, (60, 1, 1))
        guess = points + rng.normal(0.0, 0.03, points.shape)
        for told in (True, False):
            found = Resection(limit=40.0).solve(camera, guess, z, covs=covs if told else None, rng=k)
            assert found.belief is not None
            e = np.asarray(camera.pose.minus(pose, found.belief.mean))
            nees[told].append(float(e @ np.linalg.solve(found.belief.cov, e)) / 6.0)
    assert 0.7 < np.mean(nees[True]) < 1.4 < np.mean(nees[False])


def test_resection_is_least_squares() -> None:
    camera, rng = Camera(), np.random.default_rng(5)
    points, pose = around(camera, rng, 30), beside(camera, rng)
    z = np.asarray(camera.sensor.sample(np.tile(pose, (30, 1)), points, rng=rng))
    found = Resection(limit=1e6).solve(camera, points, z)
    assert found.belief is not None

    def residual(d: Any) -> Any:
        return (z - camera.observe(SPATIAL.plus(pose, d), points)).ravel()

    oracle = least_squares(residual, np.zeros(6), method="lm", xtol=1e-12)
    assert np.abs(SPATIAL.minus(found.belief.mean, SPATIAL.plus(pose, oracle.x))).max() < 1e-6
    assert np.allclose(np.linalg.inv(oracle.jac.T @ oracle.jac), found.belief.cov, rtol=0.05, atol=1e-7)


def test_resection_without_an_answer() -> None:
    camera, rng = Camera(), np.random.default_rng(6)
    points = around(camera, rng, 40)
    for count in (0, 2, 5):
        few = Resection().solve(camera, points[:count], np.zeros((count, 2)))
        assert few.belief is None and str(count) in few.reason and not few.inliers.any()
    nothing = Resection(samples=100, share=0.5).solve(camera, points, scattered(camera, 40, rng))
    assert nothing.belief is None and np.isinf(nothing.chi2).all()


@pytest.mark.parametrize("name", CAMERAS)
def test_triangulation_is_exact_and_knows_its_errors(name: str) -> None:
    camera, rng = CAMERAS[name], np.random.default_rng(7)
    points = around(camera, rng, 300)
    poses = np.array([beside(camera, rng) for _ in range(4)])
    poses[:, : camera.axes] += np.linspace(-0.6, 0.6, 4)[:, None] * (np.arange(camera.axes) == camera.axes - 2)
    i, j = (k.ravel() for k in np.indices((4, 300)))
    exact = camera.observe(poses[i], points[j])
    found = triangulate(camera, poses[i], exact, j)
    assert np.abs(found.points - points).max() < 1e-6 and found.ok.all()
    noisy = np.asarray(camera.sensor.sample(poses[i], points[j], rng=rng))
    found = triangulate(camera, poses[i], noisy, j)
    e = points - found.points
    nees = np.einsum("ni,ni->n", e, np.linalg.solve(found.covs, e[..., None])[..., 0])[found.parallax > 0.05]
    assert len(nees) > 100 and 0.85 < nees.mean() / camera.axes < 1.2
    assert found.chi2.mean() == pytest.approx(4 * camera.reading.dim - camera.axes, rel=0.1)


def test_parallax_is_the_largest_angle() -> None:
    camera = Camera()
    poses = np.tile(ORIGIN, (3, 1))
    poses[:, 0] = [0.0, -1.0, 2.0]
    z = camera.observe(poses, [0.0, 0.0, 10.0])
    found = triangulate(camera, poses, z, [0, 0, 0])
    assert found.parallax[0] == pytest.approx(np.arctan(0.1) + np.arctan(0.2), abs=1e-9)
    assert triangulate(camera, poses, z, [0, 0, 0], min_parallax=0.31).ok.tolist() == [False]


def test_points_that_cannot_be_triangulated() -> None:
    camera = Camera()
    poses = np.tile(ORIGIN, (4, 1))
    poses[2:, 0] = [0.0, 1.0]
    z = [[300.0, 200.0], [300.0, 200.0], [400.0, 240.0], [500.0, 240.0]]  # still; and lines that meet behind
    found = triangulate(camera, poses, z, [0, 0, 2, 2])
    assert not found.ok.any() and not found.ahead[2]
    assert found.parallax[0] == 0.0 and np.isnan(found.points[1]).all()
    assert found.covs[0].max() > 1e3


@pytest.mark.parametrize(
    ("poses", "z", "index"),
    [
        ([ORIGIN], [[1.0, np.nan]], [0]),
        ([ORIGIN], [[1.0, np.inf]], [0]),
        ([ORIGIN], [[1.0, 2.0]], [-1]),
        ([ORIGIN], [[1.0, 2.0]], [0.5]),
        ([ORIGIN], [[1.0, 2.0]], [0, 1]),
        ([ORIGIN], [[1.0, 2.0, 3.0]], [0]),
        ([ORIGIN[:6]], [[1.0, 2.0]], [0]),
    ],
)
def test_arrays_that_are_refused(poses: Any, z: Any, index: Any) -> None:
    with pytest.raises(ShapeError):
        triangulate(Camera(), poses, z, index)


def test_arguments_that_are_refused() -> None:
    points, z = cloud(np.random.default_rng(0), 10), np.zeros((10, 2))
    with pytest.raises(SettingError):
        triangulate(Camera(), [ORIGIN], [[1.0, 2.0]], [0], min_parallax=-1.0)
    with pytest.raises(SettingError):
        Resection().solve(Camera, points, z)  # type: ignore[arg-type]
    for wrong in (points[:5], points[:, :2], np.full_like(points, np.nan)):
        with pytest.raises(ShapeError):
            Resection().solve(Camera(), wrong, z)
    with pytest.raises(ShapeError):
        Resection().solve(Camera(), points, z, guess=[0.0, 0.0])
    for solver in (three_point_poses, bearing_poses):
        with pytest.raises(ShapeError):
            solver(np.ones((2, 2)), np.ones((2, 2)))
