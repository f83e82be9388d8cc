"""Maps in three dimensions: scans inserted into an octree and an elevation map, and queries of voxels."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.harness import Contest, row
from pilotage.core.arrays import Array
from pilotage.maps import ElevationMap, OcTree

POINTS, RESOLUTION, CLAMP = 30_000, 0.1, (0.1192, 0.971)


def room(count: int) -> Array:
    """Points ``(count, 3)`` on the walls of a room of 20 x 20 x 6 m, seen from its middle in random directions."""
    way = np.random.default_rng(0).normal(size=(count, 3))
    walls = way * (np.array([10.0, 10.0, 3.0]) / np.abs(way)).min(axis=1, keepdims=True)
    return walls + np.random.default_rng(1).normal(0.0, 0.01, walls.shape)


def trees() -> tuple[OcTree, Any]:
    """An empty tree of ours and one of the peer."""
    import octomap  # pyright: ignore[reportMissingImports]

    peer = octomap.OcTree(RESOLUTION)
    peer.setClampingThresMin(CLAMP[0])
    peer.setClampingThresMax(CLAMP[1])
    return OcTree(RESOLUTION, clamp=CLAMP), peer


@row(
    "octree_insert",
    peer="octomap-python",
    bar=5,
    unit="ms",
    needs=("octomap",),
    note="30 000 points in a room of 20 x 20 x 6 m, 0.1 m, into an empty tree",
)
def octree_insert(quick: bool) -> Contest:
    points, origin = room(POINTS // (10 if quick else 1)), np.zeros(3)

    def ours() -> OcTree:
        tree, _ = trees()
        tree.insert_point_cloud(points, origin)
        return tree

    def peer() -> Any:
        _, tree = trees()
        tree.insertPointCloud(points, origin)
        return tree

    def check() -> str:
        mine, theirs = ours(), peer()
        leaves = [(node.getCoordinate(), node.getValue()) for node in theirs.begin_leafs()]
        same = mine.log_odds(np.array([c for c, _ in leaves])) == np.array([v for _, v in leaves], dtype=np.float32)
        assert same.mean() > 0.998, f"only {same.mean():.2%} of the leaves agree"
        memory = f"{mine.nbytes / mine.size:.0f} against {theirs.memoryUsage() / theirs.size():.0f} bytes a node"
        return f"{same.mean():.2%} of the leaves agree, the peer computes in single precision; {memory}"

    return Contest(ours, peer, check)


@row(
    "octree_query",
    peer="octomap-python",
    bar=5,
    unit="ms",
    needs=("octomap",),
    note="states of 100 000 random points, one call each",
)
def octree_query(quick: bool) -> Contest:
    mine, theirs = trees()
    points = room(POINTS // 10)
    mine.insert_point_cloud(points, np.zeros(3))
    theirs.insertPointCloud(points, np.zeros(3))
    where = np.random.default_rng(2).uniform(-1.0, 1.0, (10_000 if quick else 100_000, 3)) * [10.0, 10.0, 3.0]

    def ours() -> Any:
        values = mine.log_odds(where)
        return np.where(np.isnan(values), -1, values >= 0.0)

    def check() -> str:
        same = (ours() == theirs.getLabels(where)).mean()
        assert same > 0.998, f"only {same:.2%} of the states agree"
        return f"{same:.2%} of the states agree"

    return Contest(ours, lambda: theirs.getLabels(where), check)


@row(
    "elevation_update",
    peer="vectorised numpy",
    bar=1,
    unit="ms",
    note="30 000 points into 400 x 400 cells; the peer sums information, without a gate",
)
def elevation_update(quick: bool) -> Contest:
    draw, shape, side, R = np.random.default_rng(3), (400, 400), 0.1, 0.01
    points = np.column_stack((draw.uniform(0.0, 40.0, (POINTS, 2)), draw.normal(0.0, 0.02, POINTS)))
    ground = ElevationMap(shape, side)
    information, sums = np.zeros(shape), np.zeros(shape)

    def peer() -> None:
        cells = np.floor(points[:, 1::-1] / side).astype(np.intp)
        place = cells[:, 0] * shape[1] + cells[:, 1]
        information.ravel()[:] += np.bincount(place, minlength=information.size) / R
        sums.ravel()[:] += np.bincount(place, points[:, 2], minlength=sums.size) / R

    def check() -> str:
        once = ElevationMap(shape, side, gate=1e9)
        once.insert(points, R)
        information[:], sums[:] = 0.0, 0.0
        peer()
        with np.errstate(invalid="ignore"):
            gap = float(np.nanmax(abs(once.height - sums / information)))
        assert gap < 1e-12, f"heights differ by {gap:.1g} m"
        return f"heights agree to {gap:.0e} m"

    return Contest(lambda: ground.insert(points, R), peer, check)
