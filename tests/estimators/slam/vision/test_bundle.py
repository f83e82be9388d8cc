"""Bundle adjustment: the optimum of scipy, a scale that is free in words, and marginals that lose nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import least_squares

from pilotage.core.errors import SettingError, ShapeError
from pilotage.estimators.slam import FactorGraph, Factors, GaussNewton, Huber, SolveStatus, Variables
from pilotage.estimators.slam.vision import Camera, PlanarCamera, bundle_adjustment, bundle_graph
from pilotage.estimators.slam.vision.marginal import marginal
from pilotage.models import absolute_pose, relative_pose

from .scenes import ORIGIN, PLANAR, SPATIAL, cloud, moved


def problem(camera: Any, frames: int = 4, count: int = 25, seed: int = 0) -> Any:
    """Poses, points, numbers of both, readings, and a guess of both."""
    rng = np.random.default_rng(seed)
    if camera.axes == 3:
        points, poses = cloud(rng, count), np.array([ORIGIN, *(moved(rng) for _ in range(frames - 1))])
    else:
        points = rng.uniform([2.0, -4.0], [10.0, 4.0], (count, 2))
        poses = np.vstack([np.zeros(3), rng.normal(0.0, 0.3, (frames - 1, 3))])
    i, j = (k.ravel() for k in np.indices((frames, count)))
    z = np.asarray(camera.sensor.sample(poses[i], points[j], rng=rng))
    off = 0.02 * rng.standard_normal((frames, camera.pose.dim)) * (np.arange(frames) > 0)[:, None]
    return poses, points, i, j, z, np.asarray(camera.pose.plus(poses, off)), points + rng.normal(0.0, 0.1, points.shape)


@pytest.mark.parametrize("camera", [Camera(baseline=0.3), Camera(distortion=(-0.2, 0.03, 0.0, 0.0)), PlanarCamera()])
def test_the_optimum_is_that_of_scipy(camera: Any) -> None:
    _, _, i, j, z, x0, p0 = problem(camera)
    known = [] if camera.has_depth else [(0, 1, 1.0)]
    solution = bundle_adjustment(camera, x0, p0, z, i, j, distances=known)
    assert solution.status is SolveStatus.CONVERGED
    dim, free = camera.pose.dim, len(x0) - 1

    def residual(d: Any) -> Any:
        x = x0.copy()
        x[1:] = camera.pose.plus(x0[1:], d[: free * dim].reshape(free, dim))
        e = np.asarray(
            camera.reading.minus(z, camera.observe(x[i], p0[j] + d[free * dim :].reshape(-1, camera.axes)[j]))
        )
        more = [(np.linalg.norm(x[b, :3] - x[a, :3]) - metres) / (1e-4 * metres) for a, b, metres in known]
        return np.concatenate([(e / camera.std).ravel(), more])

    oracle = least_squares(residual, np.zeros(free * dim + p0.size), method="trf", xtol=1e-14, ftol=1e-14, gtol=1e-12)
    assert solution.chi2[-1] == pytest.approx(2.0 * oracle.cost, rel=1e-7)
    d = oracle.x
    assert (
        np.abs(
            camera.pose.minus(solution["pose"][1:], camera.pose.plus(x0[1:], d[: free * dim].reshape(free, dim)))
        ).max()
        < 1e-4
    )
    assert np.abs(solution["point"] - p0 - d[free * dim :].reshape(-1, camera.axes)).max() < 2e-3


def test_covariances_are_those_of_many_runs() -> None:
    camera, nees = Camera(baseline=0.3), list[float]()
    for seed in range(40):
        poses, _, i, j, z, x0, p0 = problem(camera, seed=seed)
        belief = bundle_adjustment(camera, x0, p0, z, i, j).belief("pose", 3)
        e = np.asarray(SPATIAL.minus(poses[3], belief.mean))
        nees.append(float(e @ np.linalg.solve(belief.cov, e)) / 6.0)
    assert 0.7 < np.mean(nees) < 1.4


def test_a_single_camera_leaves_the_scale_free() -> None:
    _, _, i, j, z, x0, p0 = problem(Camera())
    solution = bundle_adjustment(Camera(), x0, p0, z, i, j)
    assert solution.status is SolveStatus.UNDETERMINED and "scale" in solution.reason
    none = bundle_adjustment(Camera(), x0, p0, z, i, j, fixed=())
    assert none.status is SolveStatus.UNDETERMINED and "float" in none.reason
    known = bundle_adjustment(Camera(), x0, p0, z, i, j, distances=[(0, 1, 2.0)])
    assert known.status is SolveStatus.CONVERGED
    assert np.linalg.norm(known["pose"][1, :3] - known["pose"][0, :3]) == pytest.approx(2.0, rel=1e-3)


def test_wrong_readings_lose_their_weight() -> None:
    poses, _, i, j, z, x0, p0 = problem(Camera(baseline=0.3))
    z[::7] += 60.0
    robust = bundle_adjustment(Camera(baseline=0.3), x0, p0, z, i, j, kernel=Huber(2.0))
    plain = bundle_adjustment(Camera(baseline=0.3), x0, p0, z, i, j)
    off = [np.abs(SPATIAL.minus(s["pose"], poses)).max() for s in (robust, plain)]
    assert off[0] < 0.3 * off[1] and robust.weights[0][::7].max() < 0.3


@pytest.mark.parametrize(
    "change",
    [
        lambda a: {**a, "z": np.where(np.arange(len(a["z"]))[:, None] == 3, np.inf, a["z"])},
        lambda a: {**a, "frames": a["frames"] + 1},
        lambda a: {**a, "landmarks": a["landmarks"][:-1]},
        lambda a: {**a, "poses": a["poses"][:, :6]},
        lambda a: {**a, "points": np.full_like(a["points"], np.nan)},
        lambda a: {**a, "fixed": [99]},
        lambda a: {**a, "distances": [(0, 99, 1.0)]},
    ],
)
def test_bundles_that_are_refused(change: Any) -> None:
    _, _, i, j, z, x0, p0 = problem(Camera())
    given = change({"poses": x0, "points": p0, "z": z, "frames": i, "landmarks": j})
    with pytest.raises(ShapeError):
        bundle_adjustment(Camera(), **given)


@pytest.mark.parametrize("camera", [Camera(baseline=0.3), PlanarCamera()])
def test_marginals_lose_nothing(camera: Any) -> None:
    """Points and the first pose, marginalised at the optimum: the rest has the same beliefs as with them."""
    _, _, i, j, z, x0, p0 = problem(camera)
    whole = bundle_adjustment(camera, x0, p0, z, i, j)
    graph = whole.graph
    prior = marginal(graph, camera.axes)
    poses = Variables(
        camera.pose, camera.pose.plus(graph.variables["pose"].values[1:], 0.01 * np.ones(camera.pose.dim))
    )
    rest = GaussNewton().solve(FactorGraph({"pose": poses}, [prior]))
    assert rest.status is SolveStatus.CONVERGED
    for k in range(3):
        a, b = whole.belief("pose", k + 1), rest.belief("pose", k)
        std = np.sqrt(np.diagonal(a.cov))
        assert np.abs(np.asarray(camera.pose.minus(a.mean, b.mean)) / std).max() < 0.05
        assert np.allclose(a.cov / np.outer(std, std), b.cov / np.outer(std, std), atol=0.02)


@pytest.mark.parametrize(("axes", "space"), [(2, PLANAR), (3, SPATIAL)])
def test_marginals_of_poses_are_those_of_algebra(axes: int, space: Any) -> None:
    start = np.asarray(space.plus(space.identity(), 0.3 * np.ones(space.dim)))
    poses = np.array([start, space.plus(start, np.ones(space.dim)), space.plus(start, 2.0 * np.ones(space.dim))])
    steps = np.asarray(space.compose(space.inverse(poses[:-1]), poses[1:]))
    chain = [
        Factors(absolute_pose(axes, std=0.1), poses[:1], ("pose", [0])),
        Factors(relative_pose(axes, std=0.1), steps, ("pose", [0, 1]), ("pose", [1, 2])),
    ]
    graph = FactorGraph({"pose": Variables(space, poses)}, chain)
    rest = FactorGraph({"pose": Variables(space, poses[1:])}, [marginal(graph, axes)])
    whole, less = GaussNewton().solve(graph), GaussNewton().solve(rest)
    for k in (0, 1):
        assert np.allclose(less.belief("pose", k).cov, whole.belief("pose", k + 1).cov, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("metres", [0.0, -1.0, np.nan, "far"])
def test_distances_that_are_refused(metres: Any) -> None:
    _, _, i, j, z, x0, p0 = problem(Camera())
    with pytest.raises(SettingError):
        bundle_graph(Camera(), x0, p0, z, i, j, distances=[(0, 1, metres)])


def test_the_graph_is_one_of_factors() -> None:
    _, _, i, j, z, x0, p0 = problem(Camera())
    graph = bundle_graph(Camera(), x0, p0, z, i, j, distances=[(0, 1, 1.0)])
    assert graph.residuals == 2 * len(z) + 1 and graph.unknowns == 6 * 3 + 3 * 25
