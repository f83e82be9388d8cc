"""Loop closures: drift along paths, descriptors, and the consistency of sets."""

from __future__ import annotations

import itertools
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core.errors import SettingError, ShapeError
from pilotage.estimators.slam import GaussNewton, pose_graph
from pilotage.estimators.slam.closures import (
    Closure,
    PairHistogram,
    consistent,
    disagreement,
    drift,
    similarity,
)
from pilotage.estimators.slam.closures.consistency import compound, inverted, max_clique
from pilotage.estimators.slam.matching import scan_surface
from pilotage.io import PoseGraph

from .rooms import ANGLES, FAR, PLANE, RING, ROOM, scan


def chain(n: int, seed: int) -> tuple[Any, Any, Any]:
    """Poses, and readings and covariances of the steps between them."""
    rng = np.random.default_rng(seed)
    z = rng.normal([0.8, 0.0, 0.2], [0.2, 0.1, 0.3], (n - 1, 3))
    covs = np.array([A @ A.T + 0.01 * np.eye(3) for A in 0.05 * rng.normal(size=(n - 1, 3, 3))])
    poses = [np.zeros(3)]
    for step in z:
        poses.append(np.asarray(PLANE.compose(poses[-1], step)))
    return np.array(poses), z, covs


def test_drift_along_a_chain_is_the_marginal_of_its_graph() -> None:
    poses, z, covs = chain(8, 0)
    edges = [[k, k + 1] for k in range(7)]
    found = drift(poses, edges, covs, source=7)
    for m in (0, 3, 6):
        graph = PoseGraph(np.arange(8), poses, np.array(edges), z, np.linalg.inv(covs), np.array([m]))
        marginal = GaussNewton().solve(pose_graph(graph, "given")).belief("pose", 7).cov
        assert np.allclose(found[m], marginal, rtol=1e-6, atol=1e-12)
    assert not found[7].any()


def test_drift_is_no_smaller_than_the_marginal_of_a_graph_with_loops() -> None:
    poses, z, covs = chain(10, 1)
    edges = [[k, k + 1] for k in range(9)] + [[0, 6], [2, 9], [9, 2]]
    z = np.vstack([z, *(np.asarray(PLANE.compose(PLANE.inverse(poses[i]), poses[j]))[None] for i, j in edges[9:])])
    covs = np.concatenate([covs, 0.02 * np.tile(np.eye(3), (3, 1, 1))])
    graph = PoseGraph(np.arange(10), poses, np.array(edges), z, np.linalg.inv(covs), np.array([0]))
    marginal = GaussNewton().solve(pose_graph(graph, "given")).belief("pose", 9).cov
    bound = drift(poses, edges, covs, source=9)[0]
    assert np.linalg.eigvalsh(bound - marginal).min() > -1e-9
    assert np.trace(bound) < np.trace(drift(poses[:10], edges[:9], covs[:9], source=9)[0])


def test_poses_that_no_path_reaches_are_not_known() -> None:
    found = drift(np.zeros((3, 3)), [[0, 1]], [np.eye(3)], source=0)
    assert np.isinf(found[2]).all() and np.isfinite(found[1]).all()


def test_a_pose_alone_has_not_drifted() -> None:
    assert not drift([[1.0, 2.0, 3.0]], np.zeros((0, 2)), np.zeros((0, 3, 3)), source=0).any()


@pytest.mark.parametrize(
    ("poses", "edges", "covs", "source", "kind"),
    [
        (np.zeros((2, 3)), [[0, 2]], [np.eye(3)], 0, ShapeError),
        (np.zeros((2, 3)), [[0, 1]], [np.eye(3)] * 2, 0, ShapeError),
        (np.zeros((2, 2)), [[0, 1]], [np.eye(3)], 0, ShapeError),
        (np.zeros((2, 3)), [[0, 1]], [np.eye(3)], 2, SettingError),
    ],
)
def test_graphs_that_are_refused(poses: Any, edges: Any, covs: Any, source: int, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        drift(poses, edges, covs, source)


def test_compounding_and_its_inverse() -> None:
    rng = np.random.default_rng(2)
    a, b = (((rng.normal(size=3)), np.diag(rng.uniform(0.01, 0.1, 3))) for _ in range(2))
    ab = compound(a, b)
    back = compound(inverted(b), inverted(a))
    assert np.allclose(back[0], inverted(ab)[0]) and np.allclose(back[1], inverted(ab)[1])


@given(st.integers(1, 9), st.integers(0, 1 << 36))
@settings(max_examples=40)
def test_largest_clique_is_that_of_networkx(n: int, bits: int) -> None:
    adjacent = np.zeros((n, n), dtype=bool)
    for k, (i, j) in enumerate(itertools.combinations(range(n), 2)):
        adjacent[i, j] = adjacent[j, i] = bits >> k & 1
    found = max_clique(adjacent)
    graph = nx.from_numpy_array(adjacent)
    assert len(found) == max(map(len, nx.find_cliques(graph)))
    assert all(adjacent[i, j] for i, j in itertools.combinations(found, 2))


def test_true_closures_outvote_false_ones() -> None:
    rng = np.random.default_rng(5)
    poses, z, covs = chain(40, 5)
    covs = covs * 0.02
    noisy = [np.asarray(PLANE.compose(step, PLANE.plus(PLANE.identity(), rng.multivariate_normal(np.zeros(3), Q))))
             for step, Q in zip(z, covs, strict=True)]  # fmt: skip
    driven = [np.zeros(3)]
    for step in noisy:
        driven.append(np.asarray(PLANE.compose(driven[-1], step)))
    cov = 0.001 * np.eye(3)
    closures = []
    for k in range(6):
        i, j = k, 30 + k
        true = PLANE.compose(PLANE.inverse(poses[i]), poses[j])
        closures.append(Closure(i, j, np.asarray(PLANE.plus(true, rng.multivariate_normal(np.zeros(3), cov))), cov))
    closures += [Closure(k, 31 + k, rng.normal(size=3), cov) for k in range(4)]

    def between(i: int, j: int) -> Any:
        total = (np.zeros(3), np.zeros((3, 3)))
        for k in range(min(i, j), max(i, j)):
            total = compound(total, (noisy[k], covs[k]))
        return total if i <= j else inverted(total)

    d = [
        [disagreement(a, b, (between(a.second, b.second), between(b.first, a.first))) for b in closures]
        for a in closures
    ]
    assert consistent(np.array(d)).tolist() == list(range(6))


def test_consistency_asks_for_a_square() -> None:
    with pytest.raises(ShapeError):
        consistent([[0.0, 1.0]])


def test_descriptors_know_a_place_from_another_pose() -> None:
    histogram, rng = PairHistogram(), np.random.default_rng(0)
    places = [(ROOM, [0.5, 0.3]), (RING, [1.2, 1.2]), (RING, [8.0, 1.2]), (RING, [12.8, 6.0])]

    def described(walls: Any, at: Any, yaw: float) -> Any:
        return histogram.describe(scan_surface(scan(walls, [*at, yaw], rng), ANGLES, FAR))

    known = np.array([described(walls, at, 0.3) for walls, at in places])
    for k, (walls, at) in enumerate(places):
        again = described(walls, np.array(at) + rng.uniform(-0.2, 0.2, 2), 0.6)
        assert int(np.argmax(similarity(again, known))) == k


def test_descriptor_of_nothing() -> None:
    none = scan_surface([np.nan], [0.0], FAR)
    assert not PairHistogram().describe(none).any()
