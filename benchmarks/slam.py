"""Graphs of poses: their optimum, from the arrays of their edges and a first guess."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Contest, row
from pilotage.core import Space
from pilotage.estimators.slam import (
    FactorGraph,
    Factors,
    GaussNewton,
    IncrementalSmoother,
    Variables,
    pose_graph,
    spanning_tree,
)
from pilotage.estimators.slam._system import System
from pilotage.estimators.slam.chordal import precisions
from pilotage.io import PoseGraph, read_g2o
from pilotage.models import absolute_pose, relative_pose, sensor

AGREED = 1e-5
DATA = Path(os.environ.get("PILOTAGE_DATA", "shared/data"))
INCREMENTAL = {"intel": 1728, "manhattan": 690, "city10000": 3000, "sphere2500": 400}
"""Poses up to which graphs grow: from 695 on, ISAM2 calls manhattan indeterminate."""
PLACES = {2: "pose: SE2", 3: "pose: SE3"}
PUBLIC = "intel", "MIT", "manhattan", "kitti_00", "city10000", "tinyGrid3D", "smallGrid3D", "sphere2500", "cubicle"


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


def isotropic(edges: PoseGraph) -> PoseGraph:
    """The same edges with the precisions of SE-Sync: some files have information matrices that are indefinite."""
    kappa, tau = precisions(edges)
    W = np.zeros_like(edges.information)
    W[:, range(edges.axes), range(edges.axes)] = tau[:, None]
    turns = range(edges.axes, W.shape[1])
    W[:, turns, turns] = 2.0 * kappa[:, None]
    return replace(edges, information=W)


def gtsam_kinds(edges: PoseGraph) -> tuple[Any, Any, Any, list[int]]:
    """GTSAM's poses, its factors between two and of one, and its order of a tangent."""
    import gtsam  # pyright: ignore[reportMissingImports]

    if edges.axes == 2:
        return lambda x: gtsam.Pose2(*x), gtsam.BetweenFactorPose2, gtsam.PriorFactorPose2, [0, 1, 2]
    make = lambda x: gtsam.Pose3(gtsam.Rot3(*x[3:]), x[:3])
    return make, gtsam.BetweenFactorPose3, gtsam.PriorFactorPose3, [3, 4, 5, 0, 1, 2]


def gtsam_graph(edges: PoseGraph, guess: Any) -> tuple[Any, Any]:
    """The edges and the guess for GTSAM, whose first pose is held by a prior."""
    import gtsam  # pyright: ignore[reportMissingImports]

    pose, between, prior, order = gtsam_kinds(edges)
    graph, values = gtsam.NonlinearFactorGraph(), gtsam.Values()
    for (i, j), z, W in zip(edges.edges.tolist(), edges.readings, edges.information, strict=True):
        graph.add(between(i, j, pose(z), gtsam.noiseModel.Gaussian.Information(W[np.ix_(order, order)])))
    graph.add(prior(0, pose(guess[0]), gtsam.noiseModel.Isotropic.Sigma(len(order), 1e-3)))
    for k, x in enumerate(guess):
        values.insert(k, pose(x))
    return graph, values


def contest(edges: PoseGraph, initial: Any, optimizer: str) -> Contest:
    """The same edges and the same guess; both analyse the pattern of the graph in each run."""
    import gtsam  # pyright: ignore[reportMissingImports]

    graph = pose_graph(edges, initial)
    theirs, values = gtsam_graph(edges, graph.variables["pose"].values)
    solver = GaussNewton(tolerance=1e-5)  # when GTSAM stops, too

    def ours() -> float:
        return solver.solve(graph).chi2[-1]

    def peer() -> float:
        return 2.0 * theirs.error(getattr(gtsam, optimizer)(theirs, values).optimize())

    def check() -> str:
        a, b = ours(), peer()
        assert a < b * (1.0 + AGREED), f"chi2 is {a}, that of GTSAM {b}"
        return f"chi2 is {a:.6g}, that of GTSAM {b:.6g}; {len(edges.edges)} edges"

    return Contest(ours, peer, check)


@row("pose_graph_2d", peer="GTSAM", bar=1.0, unit="ms", needs=["gtsam"], note="Gauss-Newton on 3000 poses in the plane")
def pose_graph_2d(quick: bool) -> Contest:
    return contest(streets(500 if quick else 3000, 2), "chordal", "GaussNewtonOptimizer")


@row("pose_graph_3d", peer="GTSAM", bar=1.0, unit="ms", needs=["gtsam"], note="Gauss-Newton on 3000 poses in space")
def pose_graph_3d(quick: bool) -> Contest:
    return contest(streets(500 if quick else 3000, 3), "chordal", "GaussNewtonOptimizer")


def public_graph(name: str) -> PoseGraph:
    """A public pose graph."""
    file = next(each for each in (DATA / "pose_graphs").iterdir() if each.name.startswith(f"{name}.g2o"))
    edges = read_g2o(file)
    return isotropic(edges) if name == "cubicle" else edges


def public(name: str) -> None:
    """A row of a public pose graph, from the file's own guess, or along a tree where it has none."""

    def setup(quick: bool) -> Contest:
        edges = public_graph(name)
        return contest(edges, "tree" if edges.poses is None else "given", "LevenbergMarquardtOptimizer")

    note = f"{name}, from the file's guess or a tree; GTSAM's Levenberg-Marquardt"
    row(f"pose_graph_{name.lower()}", peer="GTSAM", bar=1.0, unit="ms", needs=["gtsam"], note=note)(setup)


if DATA.is_dir():
    for each in PUBLIC:
        public(each)


@sensor(state=Space("pose: SE2"), reading=Space("pose: SE2"), context=Space("pose: SE2"))
def between(x: Any, c: Any, p: Any, m: Any) -> Any:
    """A factor as a user writes it."""
    dx, dy, cos, sin = c[0] - x[0], c[1] - x[1], m.cos(x[2]), m.sin(x[2])
    return cos * dx + sin * dy, cos * dy - sin * dx, c[2] - x[2]


@row("factor_linearize", peer="GTSAM", bar=0.7, unit="us", needs=["gtsam"], note="a user's factor; theirs is built in")
def factor_linearize(quick: bool) -> Contest:
    """Ours adds up the normal equations, too; theirs makes a factor of each reading."""
    town = streets(2000, 2)
    edges = replace(town, edges=town.edges[:2000], readings=town.readings[:2000], information=town.information[:2000])
    i, j = edges.edges.T
    poses = Variables(Space("pose: SE2"), spanning_tree(town), fixed=[0])
    graph = FactorGraph(
        {"pose": poses}, [Factors(between(), edges.readings, ("pose", i), ("pose", j), edges.information)]
    )
    system = System(graph)
    x = system.vector(graph)
    assert len(system.pattern.columns) == 2000
    theirs, values = gtsam_graph(edges, poses.values)

    def ours() -> float:
        return system.linearize(x)

    def check() -> str:
        a, b = ours(), 2.0 * theirs.error(values)
        assert abs(a - b) < AGREED * b, f"chi2 is {a}, that of GTSAM {b}"
        return "2000 readings"

    return Contest(ours, lambda: theirs.linearize(values), check)


def arrivals(edges: PoseGraph) -> list[tuple[Any, Any]]:
    """Of each pose but the first, the edges to earlier ones, and of these the one from the latest pose."""
    by: list[list[int]] = [[] for _ in edges.ids]
    for k, last in enumerate(edges.edges.max(axis=1).tolist()):
        by[last].append(k)
    first = edges.edges.min(axis=1)
    return [(np.array(ks), max(ks, key=first.__getitem__)) for ks in by[1:]]


def grown(edges: PoseGraph) -> float:
    """Our smoother, pose by pose; the chi2 in the end."""
    step, prior, space = relative_pose(edges.axes), absolute_pose(edges.axes, std=1e-3), Space(PLACES[edges.axes])
    smoother, origin = IncrementalSmoother({"pose": space}), space.identity()
    smoother.update({"pose": [origin]}, [Factors(prior, origin, ("pose", [0]))])
    for n, (ks, best) in enumerate(arrivals(edges), 1):
        (i, j), z = edges.edges[ks].T, edges.readings[best]
        before = smoother.value("pose", int(edges.edges[best].min()))
        new = space.compose(before, z if edges.edges[best][1] == n else space.inverse(z))
        read = Factors(step, edges.readings[ks], ("pose", i), ("pose", j), edges.information[ks])
        smoother.update({"pose": [new]}, [read])
    return pose_graph(replace(edges, poses=smoother["pose"]), "given").chi2


def their_grown(edges: PoseGraph) -> float:
    """GTSAM's ISAM2 with its own settings, pose by pose; the chi2 in the end."""
    import gtsam  # pyright: ignore[reportMissingImports]

    make, between, prior, order = gtsam_kinds(edges)
    theirs, graph, values = gtsam.ISAM2(gtsam.ISAM2Params()), gtsam.NonlinearFactorGraph(), gtsam.Values()
    origin = make(Space(PLACES[edges.axes]).identity())
    graph.add(prior(0, origin, gtsam.noiseModel.Isotropic.Sigma(len(order), 1e-3)))
    values.insert(0, origin)
    theirs.update(graph, values)
    name = f"calculateEstimatePose{edges.axes}"
    for n, (ks, best) in enumerate(arrivals(edges), 1):
        graph, values = gtsam.NonlinearFactorGraph(), gtsam.Values()
        for k in ks:
            (i, j), W = edges.edges[k].tolist(), edges.information[k][np.ix_(order, order)]
            graph.add(between(i, j, make(edges.readings[k]), gtsam.noiseModel.Gaussian.Information(W)))
        z, before = make(edges.readings[best]), getattr(theirs, name)(int(edges.edges[best].min()))
        values.insert(n, before.compose(z if edges.edges[best][1] == n else z.inverse()))
        theirs.update(graph, values)
    best = theirs.calculateBestEstimate()
    found: list[Any] = [getattr(best, f"atPose{edges.axes}")(k) for k in range(len(edges.ids))]
    if edges.axes == 2:
        poses = [[x.x(), x.y(), x.theta()] for x in found]
    else:
        poses = [[*x.translation(), *x.rotation().toQuaternion().coeffs()[[3, 0, 1, 2]]] for x in found]
    return pose_graph(replace(edges, poses=np.array(poses)), "given").chi2


def prefix(edges: PoseGraph, count: int) -> PoseGraph:
    """The first poses of a graph and the edges between them."""
    return replace(edges.with_edges(edges.edges.max(axis=1) < count), ids=edges.ids[:count], poses=None)


def incremental(name: str, count: int) -> None:
    """A row of a public graph that grows pose by pose."""

    def setup(quick: bool) -> Contest:
        edges = prefix(public_graph(name), 200 if quick else count)

        def check() -> str:
            a, b, batch = grown(edges), their_grown(edges), GaussNewton().solve(pose_graph(edges)).chi2[-1]
            assert a < 1.05 * b, f"chi2 is {a}, that of ISAM2 {b}, of the batch optimum {batch}"
            return f"chi2 is {a:.6g}, that of ISAM2 {b:.6g}, of the batch optimum {batch:.6g}"

        return Contest(lambda: grown(edges), lambda: their_grown(edges), check, work=len(edges.ids))

    note = f"{name} to {count} poses, an update a pose, factors made in Python on both sides"
    row(f"incremental_{name.lower()}", peer="GTSAM", bar=1.0, unit="ms", needs=["gtsam"], note=note)(setup)


if DATA.is_dir():
    for each, poses in INCREMENTAL.items():
        incremental(each, poses)
