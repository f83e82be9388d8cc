"""Graphs of poses: their optimum, from the arrays of their edges and a first guess."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.harness import Contest, row
from pilotage.core import Space
from pilotage.estimators.slam import GaussNewton, pose_graph
from pilotage.io import PoseGraph

AGREED = 1e-6


def streets(poses: int, axes: int) -> PoseGraph:
    """A walk on the streets of a town, or on the floors of a tower, that knows a crossing where it comes back to it."""
    rng, space = np.random.default_rng(3), Space("pose: SE2" if axes == 2 else "pose: SE3")
    std = np.array([0.05] * axes + [0.02] * (space.dim - axes))
    x, visited, edges, readings = [space.identity()], {(0,) * axes: [0]}, [], []
    for k in range(1, poses):
        turn = np.zeros(space.dim)
        turn[axes + rng.integers(space.dim - axes)] = rng.choice([-1, 0, 0, 1]) * np.pi / 2
        ahead = np.zeros(space.dim)
        ahead[0] = 1.0
        x.append(space.plus(space.plus(x[-1], ahead), turn))
        crossing = visited.setdefault(tuple(np.round(x[-1][:axes]).astype(int).tolist()), [])
        for i in (k - 1, *crossing[-1:]):
            edges.append((i, k))
            seen = space.minus(x[k], x[i])
            readings.append(space.plus(space.plus(space.identity(), seen), std * rng.standard_normal(space.dim)))
        crossing.append(k)
    information = np.tile(np.diag(std**-2.0), (len(edges), 1, 1))
    return PoseGraph(np.arange(poses), None, np.array(edges), np.array(readings), information)


def contest(axes: int, quick: bool) -> Contest:
    """The same edges, the same guess and the same algorithm; both analyse the pattern of the graph in each run."""
    import gtsam  # pyright: ignore[reportMissingImports]

    edges = streets(500 if quick else 3000, axes)
    graph = pose_graph(edges)
    plane = axes == 2

    def pose(x: Any) -> Any:
        return gtsam.Pose2(*x) if plane else gtsam.Pose3(gtsam.Rot3(*x[3:]), x[:3])

    order = [0, 1, 2] if plane else [3, 4, 5, 0, 1, 2]
    between = gtsam.BetweenFactorPose2 if plane else gtsam.BetweenFactorPose3
    prior = gtsam.PriorFactorPose2 if plane else gtsam.PriorFactorPose3
    theirs, values = gtsam.NonlinearFactorGraph(), gtsam.Values()
    for (i, j), z, W in zip(edges.edges.tolist(), edges.readings, edges.information, strict=True):
        theirs.add(between(i, j, pose(z), gtsam.noiseModel.Gaussian.Information(W[np.ix_(order, order)])))
    guess = graph.variables["pose"].values
    theirs.add(prior(0, pose(guess[0]), gtsam.noiseModel.Isotropic.Sigma(len(order), 1e-3)))
    for k, x in enumerate(guess):
        values.insert(k, pose(x))

    solver = GaussNewton(tolerance=1e-5)  # when GTSAM stops, too

    def ours() -> float:
        return solver.solve(graph).chi2[-1]

    def peer() -> float:
        return 2.0 * theirs.error(gtsam.GaussNewtonOptimizer(theirs, values).optimize())

    def check() -> str:
        a, b = ours(), peer()
        assert abs(a - b) < AGREED * b, f"chi2 is {a}, that of GTSAM {b}"
        return f"chi2 agrees to {abs(a - b) / b:.0e}; {len(edges.edges)} edges"

    return Contest(ours, peer, check)


@row("pose_graph_2d", peer="GTSAM", bar=1.0, unit="ms", needs=["gtsam"], note="Gauss-Newton on 3000 poses in the plane")
def pose_graph_2d(quick: bool) -> Contest:
    return contest(2, quick)


@row("pose_graph_3d", peer="GTSAM", bar=1.0, unit="ms", needs=["gtsam"], note="Gauss-Newton on 3000 poses in space")
def pose_graph_3d(quick: bool) -> Contest:
    return contest(3, quick)
