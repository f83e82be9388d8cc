"""Bundle adjustment: poses of a camera that drives along a street, and the points that it has seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.harness import Contest, row
from pilotage.core import Space
from pilotage.estimators.slam import LevenbergMarquardt
from pilotage.estimators.slam._system import System
from pilotage.estimators.slam.vision import Camera, bundle_graph, triangulate

AGREED = 1e-4
SPATIAL = Space("pose: SE3")
CAMERA = Camera(near=1.0, far=14.0)


def street(frames: int, points: int) -> tuple[Any, Any, Any, Any, Any]:
    """A guess of poses and points, numbers of both, and readings with a noise of 1 px; all points with parallax."""
    rng, poses = np.random.default_rng(0), [np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])]
    for k in range(1, frames):
        poses.append(np.asarray(SPATIAL.plus(poses[-1], [0.0, 0.0, 0.5, 0.0, 0.02 * np.sin(0.2 * k), 0.0])))
    x = np.array(poses)
    side = np.where(rng.random(points) < 0.5, -1.0, 1.0) * rng.uniform(1.0, 5.0, points)
    local = np.column_stack([side, rng.uniform(-2.0, 2.0, points), rng.uniform(2.0, 12.0, points)])
    places = np.asarray(SPATIAL.act(x[rng.integers(frames, size=points)], local))
    seen = np.array([CAMERA.sees(pose, places) for pose in x])
    i, j = np.nonzero(seen)
    z = np.asarray(CAMERA.sensor.sample(x[i], places[j], rng=rng))
    good = triangulate(CAMERA, x[i], z, j, min_parallax=0.05).ok
    kept = good[j]
    i, j, z = i[kept], (np.cumsum(good) - 1)[j[kept]], z[kept]
    off = 0.01 * rng.standard_normal((frames, 6)) * (np.arange(frames) > 1)[:, None]
    near = places[: len(good)][good]
    return np.asarray(SPATIAL.plus(x, off)), near + rng.normal(0.0, 0.1, near.shape), i, j, z


def gtsam_bundle(x: Any, points: Any, i: Any, j: Any, z: Any) -> tuple[Any, Any]:
    """The same for GTSAM; its first two poses are held by priors."""
    import gtsam  # pyright: ignore[reportMissingImports]
    from gtsam.symbol_shorthand import L, X  # pyright: ignore[reportMissingImports]

    def pose(row: Any) -> Any:
        return gtsam.Pose3(gtsam.Rot3(*row[3:]), row[:3])

    graph, values = gtsam.NonlinearFactorGraph(), gtsam.Values()
    lens = gtsam.Cal3_S2(*CAMERA.focal, 0.0, *CAMERA.centre)
    noise, held = gtsam.noiseModel.Isotropic.Sigma(2, CAMERA.std), gtsam.noiseModel.Isotropic.Sigma(6, 1e-6)
    for a, b, pixel in zip(i.tolist(), j.tolist(), z, strict=True):
        graph.add(gtsam.GenericProjectionFactorCal3_S2(pixel, noise, X(a), L(b), lens))
    for k in (0, 1):
        graph.add(gtsam.PriorFactorPose3(X(k), pose(x[k]), held))
    for k, each in enumerate(x):
        values.insert(X(k), pose(each))
    for k, each in enumerate(points):
        values.insert(L(k), each)
    return graph, values


@row("bundle_adjustment", peer="GTSAM", bar=1.0, unit="ms", needs=["gtsam"], note="60 poses, 2000 points; both LM")
def bundle_adjustment(quick: bool) -> Contest:
    """The same guess and the same readings; both analyse the pattern of the graph in each run."""
    import gtsam  # pyright: ignore[reportMissingImports]

    x, points, i, j, z = street(20 if quick else 60, 500 if quick else 2000)
    graph = bundle_graph(CAMERA, x, points, z, i, j, fixed=[0, 1])
    theirs, values = gtsam_bundle(x, points, i, j, z)
    solver = LevenbergMarquardt(tolerance=1e-5)  # when GTSAM stops, too

    def ours() -> float:
        return solver.solve(graph).chi2[-1]

    def peer() -> float:
        return 2.0 * theirs.error(gtsam.LevenbergMarquardtOptimizer(theirs, values).optimize())

    def check() -> str:
        a, b = ours(), peer()
        assert a < b * (1.0 + AGREED), f"chi2 is {a}, that of GTSAM {b}"
        return f"chi2 is {a:.6g}, that of GTSAM {b:.6g}; {len(points)} points, {len(z)} readings"

    return Contest(ours, peer, check)


@row("bundle_linearize", peer="GTSAM", bar=1.0, unit="ms", needs=["gtsam"], note="readings of a bundle, linearised")
def bundle_linearize(quick: bool) -> Contest:
    """Ours adds up the normal equations, too; theirs makes a factor of each reading."""
    x, points, i, j, z = street(20 if quick else 60, 500 if quick else 2000)
    system = System(graph := bundle_graph(CAMERA, x, points, z, i, j, fixed=[0, 1]))
    at = system.vector(graph)
    assert len(system.pattern.columns)
    theirs, values = gtsam_bundle(x, points, i, j, z)

    def check() -> str:
        a, b = system.linearize(at), 2.0 * theirs.error(values)
        assert abs(a - b) < AGREED * b, f"chi2 is {a}, that of GTSAM {b}"
        return f"{len(z)} readings"

    return Contest(lambda: system.linearize(at), lambda: theirs.linearize(values), check)
