"""Covariances of factor graphs, and incremental smoothing: dense inverses, batch optima, and Kalman's equations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import ShapeError, Space
from pilotage.core.errors import SettingError
from pilotage.estimators.slam import (
    FactorGraph,
    Factors,
    GaussNewton,
    Huber,
    IncrementalSmoother,
    Variables,
    pose_graph,
)
from pilotage.estimators.slam._cholesky import Cholesky, filled
from pilotage.estimators.slam._minimum_degree import ordered
from pilotage.estimators.slam._pattern import pattern_of
from pilotage.io import PoseGraph
from pilotage.models import absolute_pose, factor, range_bearing, range_to, relative_pose
from tests.estimators.test_pose_graph import PLACE, POSE, walk

STATE = Space("x v")
F, Q, STD = np.array([[1.0, 0.1], [0.0, 1.0]]), np.array([[0.02, 0.01], [0.01, 0.1]]), 0.3


@factor(variables={"a": STATE, "b": STATE}, reading=Space("r: float64[2]"))
def moves(a: Any, b: Any, c: Any, p: Any, m: Any) -> Any:
    return b[0] - a[0] - 0.1 * a[1], b[1] - a[1]


@factor(variables={"a": STATE}, reading=Space("z"), std=STD)
def sees(a: Any, c: Any, p: Any, m: Any) -> Any:
    return a[0]


@factor(variables={"a": STATE}, reading=Space("r: float64[2]"))
def begins(a: Any, c: Any, p: Any, m: Any) -> Any:
    return a[0], a[1]


@pytest.mark.parametrize("seed", range(6))
def test_selected_inverse_is_the_dense_one(seed: int) -> None:
    """Blocks of several sizes, tied at random, some held fixed, some parts not connected."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 50))
    dims, fixed = rng.integers(1, 7, n), rng.random(n) < 0.1
    pairs = rng.integers(0, n, (int(rng.integers(0, 3 * n)), 2))
    pattern = pattern_of(dims, fixed, pairs[pairs[:, 0] != pairs[:, 1]])
    there = np.zeros((pattern.size, pattern.size), dtype=bool)
    columns = np.repeat(np.arange(pattern.size), np.diff(pattern.indptr))
    there[pattern.indices, columns] = True
    A = rng.standard_normal(there.shape) * there
    H = A + A.T + np.diag(2.0 * abs(A + A.T).sum(axis=1) + 1.0)
    cholesky = Cholesky(pattern.dims, pattern.ties)
    assert cholesky.factor(pattern.indptr, pattern.indices, H.T[there.T])
    dense, first = np.linalg.inv(H), np.cumsum(pattern.dims) - pattern.dims
    for block, at, dim in zip(cholesky.inverse_blocks(), first, pattern.dims, strict=True):
        np.testing.assert_allclose(block, dense[at : at + dim, at : at + dim], rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("axes", [2, 3])
def test_covariances_agree(axes: int) -> None:
    """Of one variable, of all, and of several together: blocks of one dense inverse."""
    solution = GaussNewton().solve(pose_graph(walk(axes, 20, 3, 0.1)))
    dim = POSE[axes].dim
    joint = solution.covariance([("pose", k) for k in range(1, 20)])
    system = solution._system  # pyright: ignore[reportPrivateUsage]
    order = np.concatenate([system.pattern.columns[k] + np.arange(dim) for k in range(1, 20)])
    np.testing.assert_allclose(
        joint, np.linalg.inv(system.matrix.toarray())[np.ix_(order, order)], rtol=1e-7, atol=1e-12
    )
    every = solution.covariances("pose")
    assert np.isnan(every[0]).all()
    for k in range(1, 20):
        own = joint[(k - 1) * dim : k * dim, (k - 1) * dim : k * dim]
        np.testing.assert_allclose(every[k], own, rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(solution.belief("pose", k).cov, own, rtol=1e-9, atol=1e-13)
    with pytest.raises(ShapeError, match="pose 0"):
        solution.covariance([("pose", 1), ("pose", 0)])
    with pytest.raises(SettingError, match="20"):
        solution.covariance([("pose", 20)])
    with pytest.raises(ShapeError, match="tree"):
        solution.covariances("tree")


@pytest.mark.parametrize("seed", range(8))
def test_cliques_of_an_order_are_its_fill(seed: int) -> None:
    """Each variable is eliminated once, in its group; separators are what elimination by the definition leaves."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    sets = [rng.choice(n, rng.integers(1, min(n, 4) + 1), replace=False) for _ in range(int(rng.integers(1, 3 * n)))]
    groups, lengths = rng.integers(0, 3, n), np.array([len(each) for each in sets])
    elements = np.empty((len(sets) + n, 6), dtype=np.int64)
    elements[: len(sets), 0], elements[: len(sets), 1] = np.cumsum(lengths) - lengths, lengths
    cliques, pool = ordered(elements, np.concatenate(sets), groups, rng.integers(1, 7, n))
    order = np.concatenate([pool[at : at + own] for at, own, _ in cliques.tolist()])
    assert sorted(order.tolist()) == list(range(n)) and (np.diff(groups[order]) >= 0).all()
    assert (np.diff(order[groups[order] == 0]) > 0).all()
    place = np.argsort(order)
    pairs = [(place[a], place[b]) for each in sets for a in each for b in each if a < b]
    fill = filled(n, np.array(pairs, dtype=np.int64).reshape(-1, 2))
    owners, first = elements[len(sets) : len(sets) + len(cliques), 3], np.repeat(np.arange(len(cliques)), cliques[:, 1])
    for k, (at, own, count) in enumerate(cliques.tolist()):
        last = place[pool[at : at + own]].max()
        later = fill.later[fill.starts[last] : fill.starts[last + 1]]
        assert sorted(place[pool[at + own : at + count]].tolist()) == later.tolist()
        assert owners[k] == (first[later[0]] if len(later) else -1)
    for e, each in enumerate(sets):
        assert elements[e, 3] == first[place[each].min()]


def grown(edges: PoseGraph, smoother: IncrementalSmoother, kernel: Any = None) -> None:
    """Feed the poses of a graph one by one, each with the edges to those before it, begun from the first of them."""
    axes = edges.axes
    step, prior, space = relative_pose(axes), absolute_pose(axes, std=1e-3), POSE[axes]
    origin = space.identity()
    smoother.update({"pose": [origin]}, [Factors(prior, [origin], ("pose", [0]))])
    for n in range(1, len(edges.ids)):
        ks = np.flatnonzero(edges.edges.max(axis=1) == n)
        i, j = edges.edges[ks].T
        z = edges.readings[ks[0]] if j[0] == n else space.inverse(edges.readings[ks[0]])
        guess = space.compose(smoother.value("pose", min(i[0], j[0])), z)
        read = Factors(step, edges.readings[ks], ("pose", i), ("pose", j), edges.information[ks], kernel)
        smoother.update({"pose": [guess]}, [read])


@pytest.mark.parametrize("kernel", [None, Huber(1.0)])
@pytest.mark.parametrize("axes", [2, 3])
def test_incremental_is_batch(axes: int, kernel: Any) -> None:
    """The optimum and the covariances of the whole graph, however it grew."""
    edges = walk(axes, 30, 3, 0.05)
    smoother = IncrementalSmoother({"pose": POSE[axes]}, relinearize=0.01)
    grown(edges, smoother, kernel)
    i, j = edges.edges.T
    graph = FactorGraph(
        {"pose": Variables(POSE[axes], smoother["pose"])},
        [
            Factors(absolute_pose(axes, std=1e-3), [POSE[axes].identity()], ("pose", [0])),
            Factors(relative_pose(axes), edges.readings, ("pose", i), ("pose", j), edges.information, kernel),
        ],
    )
    batch = GaussNewton(tolerance=1e-12).solve(graph)
    assert graph.chi2 < 1.05 * batch.chi2[-1] + 1e-6
    smoother.relax(30)
    np.testing.assert_allclose(POSE[axes].minus(smoother["pose"], batch["pose"]), 0.0, atol=1e-5)
    for k in (0, 7, 29):
        wanted = batch.belief("pose", k).cov
        np.testing.assert_allclose(smoother.belief("pose", k).cov, wanted, rtol=1e-3, atol=1e-3 * wanted.max())


def test_updates_touch_a_part_of_the_tree() -> None:
    """Odometry eliminates as many variables at the end of a long drive as at its beginning."""
    smoother, step = IncrementalSmoother({"pose": POSE[2]}), relative_pose()
    smoother.update({"pose": [[0.0, 0.0, 0.0]]}, [Factors(absolute_pose(), [[0.0, 0.0, 0.0]], ("pose", [0]))])
    for k in range(100):
        ahead = Factors(step, [[1.0, 0.0, 0.1]], ("pose", [k]), ("pose", [k + 1]))
        smoother.update({"pose": [POSE[2].compose(smoother.value("pose", k), [1.0, 0.0, 0.1])]}, [ahead])
        assert smoother._memory.eliminated <= 3  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("lag", [1, 5])
def test_fixed_lag_is_the_kalman_smoother(lag: int) -> None:
    """States of a linear model within the lag, after each reading: against dense least squares of all states."""
    rng, T = np.random.default_rng(0), 20
    z, smoother = rng.standard_normal(T), IncrementalSmoother({"state": STATE})
    H, g = np.zeros((2 * T, 2 * T)), np.zeros(2 * T)
    H[:2, :2] = np.eye(2)
    for t in range(T):
        link = (
            Factors(moves(), [[0.0, 0.0]], [("state", [t - 1]), ("state", [t])], information=np.linalg.inv(Q))
            if t
            else Factors(begins(), [[0.0, 0.0]], ("state", [0]))
        )
        smoother.update({"state": [[0.0, 0.0]]}, [link, Factors(sees(), [[z[t]]], ("state", [t]))])
        H[2 * t, 2 * t] += STD**-2
        g[2 * t] += z[t] / STD**2
        if t:
            J = np.zeros((2, 2 * T))
            J[:, 2 * t - 2 : 2 * t], J[:, 2 * t : 2 * t + 2] = -F, np.eye(2)
            H += J.T @ np.linalg.inv(Q) @ J
        if t >= lag:
            smoother.forget("state", [t - lag])
        n = 2 * (t + 1)
        cov = np.linalg.inv(H[:n, :n])
        mean = cov @ g[:n]
        for k in range(max(0, t - lag + 1), t + 1):
            belief, at = smoother.belief("state", k), slice(2 * k, 2 * k + 2)
            np.testing.assert_allclose(belief.mean, mean[at], atol=1e-9)
            np.testing.assert_allclose(belief.cov, cov[at, at], atol=1e-10)
    assert len(smoother._memory.unknowns.all) == lag  # pyright: ignore[reportPrivateUsage]
    assert np.isnan(smoother["state"][: T - lag]).all() and np.isfinite(smoother["state"][T - lag :]).all()


def test_memory_of_a_fixed_lag_is_constant() -> None:
    """What was forgotten is overwritten: readings, cliques and their fronts take no more room after a long drive."""
    smoother, step = IncrementalSmoother({"pose": POSE[2]}), relative_pose()
    smoother.update({"pose": [[0.0, 0.0, 0.0]]}, [Factors(absolute_pose(), [[0.0, 0.0, 0.0]], ("pose", [0]))])
    memory, sizes = smoother._memory, list[int]()  # pyright: ignore[reportPrivateUsage]
    for k in range(400):
        ahead = Factors(step, [[1.0, 0.0, 0.1]], ("pose", [k]), ("pose", [k + 1]))
        smoother.update({"pose": [smoother.value("pose", k)]}, [ahead])
        if k >= 5:
            smoother.forget("pose", [k - 5])
        pools = memory.readings.data, memory.readings.links, memory._fronts, memory._lists  # pyright: ignore[reportPrivateUsage]
        sizes.append(sum(pool.array.size for pool in pools) + memory.readings.table.size)
    assert max(sizes[100:]) <= max(sizes[:100])
    np.testing.assert_allclose(smoother.belief("pose", 400).mean, smoother.value("pose", 400))


def test_forgetting_any_variables_keeps_the_others() -> None:
    """At the optimum, poses in the middle and a landmark are marginalised: beliefs of the others stay as they were."""
    rng = np.random.default_rng(4)
    see, step = range_bearing(std=(0.1, 0.02)), relative_pose(std=(0.05, 0.05, 0.02))
    trees = rng.uniform(-5.0, 5.0, (4, 2)) + [8.0, 0.0]
    poses = np.array([[float(k), 0.0, 0.0] for k in range(6)])
    smoother = IncrementalSmoother({"pose": POSE[2], "tree": PLACE}, relinearize=1e-6)
    smoother.update({"pose": poses[:1]}, [Factors(absolute_pose(std=0.1), poses[:1], ("pose", [0]))])
    for k in range(6):
        seen = Factors(see, see.sample(poses[[k] * 4], trees, rng=rng), ("pose", [k] * 4), ("tree", range(4)))
        if k == 0:
            smoother.update({"tree": trees + 0.1}, [seen])
        else:
            moved = Factors(
                step, step.sample(poses[k - 1 : k], poses[k : k + 1], rng=rng), ("pose", [k - 1]), ("pose", [k])
            )
            smoother.update({"pose": poses[k : k + 1] + 0.05}, [moved, seen])
    smoother.relax(20)
    before = {name: smoother.belief(*name) for name in (("pose", 5), ("pose", 0), ("tree", 0), ("tree", 3))}
    smoother.forget("pose", [2, 3])
    smoother.forget("tree", 1)
    for (kind, k), wanted in before.items():
        got = smoother.belief(kind, k)
        np.testing.assert_allclose(got.mean, wanted.mean, atol=1e-6)
        np.testing.assert_allclose(got.cov, wanted.cov, rtol=1e-6, atol=1e-9)
    with pytest.raises(ShapeError, match="tree 1"):
        smoother.belief("tree", 1)
    with pytest.raises(ShapeError, match="pose 2"):
        smoother.update({}, [Factors(absolute_pose(), poses[:1], ("pose", [2]))])


def test_what_is_not_determined_changes_nothing() -> None:
    """A landmark of which one range is known is refused, and can be given with two."""
    smoother = IncrementalSmoother({"pose": POSE[2], "tree": PLACE})
    origin = [[0.0, 0.0, 0.0]]
    smoother.update({"pose": origin}, [Factors(absolute_pose(), origin, ("pose", [0]))])
    before = smoother.belief("pose", 0)
    see = range_to(std=0.1)
    with pytest.raises(ShapeError, match="tree 0"):
        smoother.update({"tree": [[3.0, 1.0]]}, [Factors(see, [[3.0]], ("pose", [0]), ("tree", [0]))])
    with pytest.raises(ShapeError, match="tree"):
        smoother.update({"tree": [[3.0, 1.0]]}, [])
    with pytest.raises(ShapeError, match="rock"):
        smoother.update({"rock": [[3.0, 1.0]]}, [])
    with pytest.raises(ShapeError, match="pose 4"):
        smoother.update({}, [Factors(absolute_pose(), origin, ("pose", [4]))])
    assert len(smoother["tree"]) == 0
    np.testing.assert_array_equal(smoother.belief("pose", 0).cov, before.cov)
    ahead = Factors(relative_pose(), [[0.0, 2.0, 0.0]], ("pose", [0]), ("pose", [1]))
    ranges = Factors(see, [[3.0], [3.0]], ("pose", [0, 1]), ("tree", [0, 0]))
    smoother.update({"pose": [[0.0, 2.0, 0.0]], "tree": [[3.0, 1.0]]}, [ahead, ranges])
    assert np.isfinite(smoother.belief("tree", 0).cov).all()
    with pytest.raises((ShapeError, SettingError), match="spaces"):
        IncrementalSmoother({})
