"""Two views: minimal solvers are exact, random samples survive outliers, and what cannot be seen is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pilotage.core.errors import ShapeError
from pilotage.estimators.slam.vision import (
    Camera,
    PlanarCamera,
    TwoViewGeometry,
    TwoViewStatus,
    essential_matrices,
    homographies,
    homography_motions,
)
from pilotage.estimators.slam.vision._consensus import consensus

from .scenes import ORIGIN, SPATIAL, cloud, moved, scattered


def directions(points: Any) -> Any:
    return points / np.linalg.norm(points, axis=-1, keepdims=True)


def seen_from(pose: Any, points: Any) -> Any:
    return np.asarray(SPATIAL.act(SPATIAL.inverse(pose), points))


def essential(pose: Any) -> Any:
    """``R' [t]`` by scipy, of Frobenius norm 1."""
    R, (x, y, z) = Rotation.from_quat(pose[3:], scalar_first=True).as_matrix(), pose[:3]
    E = R.T @ np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return E / np.linalg.norm(E)


@pytest.mark.parametrize("plane", [False, True])
def test_five_points_are_exact(plane: bool) -> None:
    rng, errors = np.random.default_rng(0), list[float]()
    for _ in range(200):
        points, pose = cloud(rng, 5), moved(rng)
        if plane:
            points[:, 2] = 6.0 + 0.3 * points[:, 0]
        E = essential_matrices(directions(points), directions(seen_from(pose, points)))
        truth = essential(pose)
        off = np.minimum(np.abs(E - truth).max(axis=(1, 2)), np.abs(E + truth).max(axis=(1, 2)))
        errors.append(float(np.nanmin(off)))
    assert np.median(errors) < 1e-9
    assert max(errors) < 1e-3


def test_all_solutions_of_five_points_are_essential_and_fit() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform([-4.0, -3.0, 4.0], [4.0, 3.0, 12.0], (50, 5, 3))
    a, b = directions(points), directions(points + rng.normal(0.0, 0.3, (50, 1, 3)) + rng.normal(0.0, 0.1, (50, 5, 3)))
    E = essential_matrices(a, b)
    good = np.isfinite(E).all(axis=(2, 3))
    assert good.sum(axis=1).min() >= 1
    fits = np.einsum("bki,bsij,bkj->bsk", b, E, a)[good]
    s = np.linalg.svd(E[good], compute_uv=False)
    assert np.median(np.abs(fits)) < 1e-12
    assert np.median(np.abs(s - [0.5**0.5, 0.5**0.5, 0.0])) < 1e-9


def test_a_motion_along_an_axis_is_no_special_case() -> None:
    points = np.array([[0, 0, 4], [1, 0, 5], [0, 1, 6], [-1, 1, 4], [1, -1, 7]], dtype=float)
    for t in np.eye(3):
        pose = np.concatenate([t, ORIGIN[3:]])
        E = essential_matrices(directions(points), directions(seen_from(pose, points)))
        truth = essential(pose)
        off = np.minimum(np.abs(E - truth).max(axis=(1, 2)), np.abs(E + truth).max(axis=(1, 2)))
        assert np.nanmin(off) < 1e-6  # three of the points see the motion in one plane: a double solution


def test_one_of_the_motions_of_a_plane_is_the_true_one() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        n = directions(rng.normal([0.0, 0.0, 1.0], 0.3))
        points = directions(np.column_stack([rng.uniform(-0.5, 0.5, (8, 2)), np.ones(8)]))
        points *= (5.0 / (points @ n))[:, None]
        pose = moved(rng, distance=1.5)
        H = homographies(directions(points), directions(seen_from(pose, points)))
        found = homography_motions(H)
        truth = np.concatenate([pose[:3] / 5.0, pose[3:]])
        assert np.abs(SPATIAL.minus(found, truth)).max(axis=1).min() < 1e-6


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_random_samples_survive_outliers(share: float) -> None:
    rng, camera, errors, nees = np.random.default_rng(3), Camera(), list[float](), list[float]()
    for k in range(8):
        points, pose = cloud(rng), moved(rng)
        z1, z2 = camera.observe(ORIGIN, points), camera.observe(pose, points)
        z1, z2 = z1 + rng.normal(0.0, 1.0, z1.shape), z2 + rng.normal(0.0, 1.0, z2.shape)
        bad = np.arange(len(points)) < share * len(points)
        z2[bad] = scattered(camera, int(bad.sum()), rng)
        found = TwoViewGeometry().solve(camera, z1, z2, rng=k)
        assert found.status in (TwoViewStatus.SOLVED, TwoViewStatus.PARALLAX) and found.pose is not None
        assert found.inliers[~bad].mean() > 0.85
        if share:
            assert found.inliers[bad].mean() < 0.1
        e = np.asarray(SPATIAL.minus(pose, found.pose))
        errors.append(float(np.abs(e).max()))
        values, vectors = np.linalg.eigh(found.cov)
        nees.append(float(((vectors.T @ e)[1:] ** 2 / values[1:]).sum()) / 5.0)
    assert np.median(errors) < 0.03 and max(errors) < 0.15
    if not share:
        assert 0.5 < np.mean(nees) < 2.0


def test_points_have_the_unit_of_the_motion() -> None:
    rng, camera = np.random.default_rng(4), Camera()
    points, pose = cloud(rng), moved(rng, distance=2.5)
    found = TwoViewGeometry().solve(camera, camera.observe(ORIGIN, points), camera.observe(pose, points))
    assert found.pose is not None and np.linalg.norm(found.pose[:3]) == pytest.approx(1.0)
    assert np.abs(2.5 * found.points - points).max() < 1e-4


def test_a_turn_on_the_spot_is_said() -> None:
    rng, camera = np.random.default_rng(5), Camera()
    points = cloud(rng)
    turned = np.asarray(SPATIAL.plus(ORIGIN, [0.0, 0.0, 0.0, 0.02, 0.15, 0.0]))
    z1, z2 = (camera.observe(x, points) + rng.normal(0.0, 1.0, (150, 2)) for x in (ORIGIN, turned))
    z2[:40] = scattered(camera, 40, rng)
    found = TwoViewGeometry().solve(camera, z1, z2)
    assert found.status is TwoViewStatus.ROTATION and "degrees" in found.reason
    assert np.abs(SPATIAL.minus(found.pose, turned)).max() < 0.002


def test_the_same_image_is_said() -> None:
    camera, rng = Camera(), np.random.default_rng(6)
    z = camera.observe(ORIGIN, cloud(rng))
    assert TwoViewGeometry().solve(camera, z, z).status is TwoViewStatus.STILL
    noisy = z + rng.normal(0.0, 1.0, z.shape)
    found = TwoViewGeometry().solve(camera, noisy, z + rng.normal(0.0, 1.0, z.shape))
    assert found.status in (TwoViewStatus.STILL, TwoViewStatus.ROTATION)


def test_a_plane_is_solved_or_said_to_be_ambiguous() -> None:
    rng, camera, solved = np.random.default_rng(7), Camera(), 0
    for k in range(12):
        points, pose = cloud(rng), moved(rng)
        points[:, 2] = 7.0 + 0.5 * points[:, 0]
        z1, z2 = (camera.observe(x, points) + rng.normal(0.0, 0.5, (150, 2)) for x in (ORIGIN, pose))
        found = TwoViewGeometry().solve(camera, z1, z2, rng=k)
        if found.status is TwoViewStatus.SOLVED:
            assert found.pose is not None and found.pose[:3] @ pose[:3] > 0.95
            solved += 1
        elif found.status is TwoViewStatus.AMBIGUOUS:
            assert "plane" in found.reason
    assert solved >= 1


@pytest.mark.parametrize("count", [0, 1, 4, 14])
def test_few_features(count: int) -> None:
    z = np.random.default_rng(8).uniform(0.0, 400.0, (count, 2))
    found = TwoViewGeometry().solve(Camera(), z, z + 1.0)
    assert found.status is TwoViewStatus.FEW and found.pose is None and str(count) in found.reason


def test_nothing_but_outliers() -> None:
    rng = np.random.default_rng(9)
    z = rng.uniform([0.0, 0.0], [640.0, 480.0], (2, 60, 2))
    found = TwoViewGeometry(samples=200).solve(Camera(), z[0], z[1])
    assert found.status is not TwoViewStatus.SOLVED or found.inliers.mean() < 0.5


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_readings_that_are_refused(bad: float) -> None:
    z = np.random.default_rng(10).uniform(0.0, 400.0, (20, 2))
    wrong = z.copy()
    wrong[3, 1] = bad
    for pair in ((z, wrong), (wrong, z), (z, z[:5]), (z[:, :1], z[:, :1])):
        with pytest.raises(ShapeError):
            TwoViewGeometry().solve(Camera(), *pair)
    with pytest.raises(ShapeError, match="plane"):
        TwoViewGeometry().solve(PlanarCamera(), z, z)
    for solver in (essential_matrices, homographies):
        with pytest.raises(ShapeError):
            solver(np.ones((3, 3)), np.ones((3, 3)))
    with pytest.raises(ShapeError):
        homography_motions(np.full((3, 3), np.nan))


def test_consensus_stops_when_sure() -> None:
    y = np.concatenate([np.ones(80), np.linspace(5.0, 50.0, 20)])
    found = consensus(100, 1, lambda s: y[s[:, 0]], lambda h: (y - h[:, None]) ** 2, 0.1, samples=10_000)
    assert found.inliers.sum() == 80 and found.samples < 200
    none = consensus(3, 4, lambda s: y[s[:, 0]], lambda h: (y[:3] - h[:, None]) ** 2, 0.1)
    assert none.model is None
