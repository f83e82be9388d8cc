"""Factor graphs: laws against closed forms, published optima, and GTSAM where it is installed."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from pilotage.core import Sensor, ShapeError, Space, SpaceError
from pilotage.core.errors import SettingError
from pilotage.estimators.slam import (
    FactorGraph,
    Factors,
    GaussNewton,
    SolveStatus,
    Variables,
    chordal,
    pose_graph,
    spanning_tree,
)
from pilotage.estimators.slam._cholesky import Cholesky
from pilotage.estimators.slam._pattern import pattern_of
from pilotage.estimators.slam._system import System
from pilotage.io import PoseGraph, read_g2o
from pilotage.models import (
    absolute_pose,
    code_of,
    gnss,
    parameters,
    position,
    range_bearing,
    range_to,
    relative_pose,
    relative_position,
)

POSE = {2: Space("pose: SE2"), 3: Space("pose: SE3")}
PLACE = Space("x y [m]")

CHI2 = {
    "intel": 45.004,
    "MIT": 41.207,
    "manhattan": 3549.04,
    "sphere2500": 1351.40,
    "smallGrid3D": 1035.85,
}
"""``sum e' I e`` at the optimum with the information of the files; found with GTSAM 4.3, from a chordal guess."""


def walk(axes: int, n: int, seed: int, noise: float) -> PoseGraph:
    """A random walk of n poses, each seen from the one before it, with a loop closed every fifth step."""
    rng, space = np.random.default_rng(seed), POSE[axes]
    steps = rng.normal(0.0, 0.4, (n - 1, space.dim))
    steps[:, 0] += 1.0
    poses = [space.identity()]
    for step in steps:
        poses.append(space.plus(poses[-1], step))
    pairs = [(k, k + 1) for k in range(n - 1)] + [(k + 4, k) for k in range(0, n - 4, 5)]
    read = relative_pose(axes)
    z = [read.observe(poses[i], poses[j]) for i, j in pairs]
    z = space.plus(z, noise * rng.standard_normal((len(z), space.dim)))
    A = rng.standard_normal((len(z), space.dim, space.dim))
    information = A @ np.swapaxes(A, 1, 2) + 5.0 * np.eye(space.dim)
    return PoseGraph(np.arange(n), np.array(poses), np.array(pairs), z, information)


@pytest.mark.parametrize("sensor", [relative_pose(2), relative_pose(3), relative_position(3), absolute_pose(3)])
def test_derivatives_of_residuals(sensor: Any) -> None:
    rng = np.random.default_rng(1)
    code, h = code_of(sensor, "e E G"), 1e-6
    e = code_of(sensor, "e")

    def residual(x: Any, c: Any, z: Any) -> Any:
        return e.run(x, c, z, parameters(sensor))["e"]

    for _ in range(5):
        x, c, z = (s.sample(rng=rng) for s in (sensor.state, sensor.context, sensor.reading))
        got = code.run(x, c, z, parameters(sensor))
        np.testing.assert_allclose(
            got["e"], sensor.reading.minus(z, sensor.observe(x, c if c.size else None)), atol=1e-12
        )
        for name, space in (("E", sensor.state), ("G", sensor.context)):
            wanted = np.zeros((sensor.reading.dim, space.dim))
            for k, d in enumerate(h * np.eye(space.dim)):
                at = [(space.plus(x, s * d), c) if name == "E" else (x, space.plus(c, s * d)) for s in (1, -1)]
                wanted[:, k] = (residual(*at[0], z) - residual(*at[1], z)) / (2 * h)
            np.testing.assert_allclose(got[name], wanted, atol=1e-6 * (1 + abs(wanted).max(initial=0.0)))


@pytest.mark.parametrize("axes", [2, 3])
def test_gradient_of_the_graph(axes: int) -> None:
    """g is half the gradient of chi2, and H its Gauss-Newton Hessian, block by block: against dense sums."""
    edges = walk(axes, 8, 2, 0.3)
    graph = pose_graph(edges, "tree")
    system, space = System(graph), POSE[axes]
    x = system.vector(graph)
    system.linearize(x)
    g, d = np.zeros(system.pattern.size), np.zeros(system.pattern.size)
    for k in range(len(d)):
        d[k] = 1e-6
        g[k] = (system.cost(system.moved(x, d)) - system.cost(system.moved(x, -d))) / 4e-6
        d[k] = 0.0
    np.testing.assert_allclose(system.g, g, atol=1e-5 * abs(g).max())

    code, columns = code_of(relative_pose(axes), "e E G"), system.pattern.columns
    H = np.zeros((len(d), len(d)))
    poses = graph.variables["pose"].values
    for (i, j), z, W in zip(edges.edges, edges.readings, edges.information, strict=True):
        out = code.run(poses[i], poses[j], z, parameters(relative_pose(axes)))
        J = np.zeros((space.dim, len(d)))
        for v, block in ((i, out["E"]), (j, out["G"])):
            if columns[v] >= 0:
                J[:, columns[v] : columns[v] + space.dim] = block
        H += J.T @ W @ J
    np.testing.assert_allclose(system.matrix.toarray(), H, rtol=1e-9, atol=1e-9 * abs(H).max())


@pytest.mark.parametrize("seed", range(8))
def test_sparse_factors_against_dense_ones(seed: int) -> None:
    """Blocks of several sizes, tied at random, some held fixed, some parts not connected."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    dims, fixed = rng.integers(1, 7, n), rng.random(n) < 0.1
    pairs = rng.integers(0, n, (int(rng.integers(0, 3 * n)), 2))
    pattern = pattern_of(dims, fixed, pairs[pairs[:, 0] != pairs[:, 1]])
    there = sparse.csc_matrix((np.ones(len(pattern.indices)), pattern.indices, pattern.indptr)).toarray() > 0.0
    np.testing.assert_array_equal(there, there.T)
    A = rng.standard_normal(there.shape) * there
    H = A + A.T + np.diag(2.0 * abs(A + A.T).sum(axis=1) + 1.0)
    data = H.T[there.T]
    cholesky, right = Cholesky(pattern.dims, pattern.ties), rng.standard_normal(pattern.size)
    for damping in (0.0, 0.5):
        assert cholesky.factor(pattern.indptr, pattern.indices, data, damping)
        wanted = np.linalg.solve(H + damping * np.diag(H.diagonal()), right)
        np.testing.assert_allclose(cholesky.solve(right), wanted, rtol=1e-12, atol=1e-13)
    assert np.all((cholesky.pivots > 0.0) & (cholesky.pivots <= 1.0 + 1e-12))
    if pattern.size:
        data[pattern.diagonal[-1]] = -1.0
        assert not cholesky.factor(pattern.indptr, pattern.indices, data)


@pytest.mark.parametrize("axes", [2, 3])
def test_without_noise_or_loops_nothing_is_left(axes: int) -> None:
    edges = walk(axes, 12, 3, 0.0)
    assert edges.poses is not None
    for initial in ("tree", "chordal"):
        graph = pose_graph(edges, initial)
        np.testing.assert_allclose(POSE[axes].minus(graph.variables["pose"].values, edges.poses), 0.0, atol=1e-8)
    chain = PoseGraph(edges.ids, None, edges.edges[:11], edges.readings[:11], edges.information[:11])
    start = pose_graph(chain).variables["pose"].values.copy()
    start[1:] = POSE[axes].plus(start[1:], 0.2 * np.random.default_rng(0).standard_normal((11, POSE[axes].dim)))
    solution = GaussNewton().solve(pose_graph(chain).moved({"pose": start}))
    assert solution.status is SolveStatus.CONVERGED
    assert solution.chi2[-1] < 1e-12


@pytest.mark.parametrize("axes", [2, 3])
def test_order_and_direction_of_edges_do_not_matter(axes: int) -> None:
    """Also the frame does not: the optimum from another anchor is the same but for a motion of the whole."""
    edges = walk(axes, 20, 4, 0.1)
    first = GaussNewton().solve(pose_graph(edges))
    order = np.random.default_rng(5).permutation(len(edges.edges))
    other = PoseGraph(edges.ids, None, edges.edges[order], edges.readings[order], edges.information[order])
    second = GaussNewton().solve(pose_graph(other))
    np.testing.assert_allclose(POSE[axes].minus(second["pose"], first["pose"]), 0.0, atol=1e-6)
    moved = PoseGraph(edges.ids, None, edges.edges, edges.readings, edges.information, fixed=[7])
    third = GaussNewton().solve(pose_graph(moved))
    assert third.chi2[-1] == pytest.approx(first.chi2[-1], rel=1e-7)


@pytest.mark.parametrize("axes", [2, 3])
def test_covariance_of_two_poses(axes: int) -> None:
    """x_1 = x_0 z: the prior is carried by the adjoint of z, here by differences, and the noise of z is added."""
    space, rng = POSE[axes], np.random.default_rng(6)
    z, x0 = space.plus(space.identity(), 0.7 * rng.standard_normal((2, space.dim)))
    P, W = (a @ a.T + np.eye(space.dim) for a in rng.standard_normal((2, space.dim, space.dim)))
    x1 = space.plus(x0, space.minus(z, space.identity()))
    graph = FactorGraph(
        {"pose": Variables(space, np.array([x0, x1]))},
        [
            Factors(absolute_pose(axes), [x0], ("pose", [0]), information=np.linalg.inv(P)),
            Factors(relative_pose(axes), [z], ("pose", [0]), ("pose", [1]), information=W),
        ],
    )
    belief = GaussNewton().solve(graph).belief("pose", 1)
    step, h = space.minus(z, space.identity()), 1e-6
    ends = [space.plus(space.plus(x0, s * h * np.eye(space.dim)), step) for s in (1, -1)]
    A = (space.minus(ends[0], x1) - space.minus(ends[1], x1)).T / (2 * h)
    np.testing.assert_allclose(belief.cov, A @ P @ A.T + np.linalg.inv(W), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(space.minus(belief.mean, x1), 0.0, atol=1e-12)


def test_linear_graph_is_least_squares() -> None:
    """Points on a line with known noise: the normal equations, solved densely."""
    read = position(1, std=0.5)
    z = [[1.0], [2.5], [0.5]]
    graph = FactorGraph({"point": Variables(Space("x [m]"), [[0.0], [0.0]])}, [Factors(read, z, ("point", [0, 0, 1]))])
    solution = GaussNewton().solve(graph)
    np.testing.assert_allclose(solution["point"].ravel(), [1.75, 0.5])
    np.testing.assert_allclose(solution.belief("point", 0).cov, [[0.125]])
    assert solution.chi2[-1] == pytest.approx(2 * 0.75**2 / 0.25)


def test_poses_and_landmarks_in_one_graph() -> None:
    """Variables of two kinds, sensors written for filters, and landmarks of which some are known."""
    rng = np.random.default_rng(7)
    trees = rng.uniform(-10, 10, (6, 2))
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    poses = np.stack([4 * np.cos(angles), 4 * np.sin(angles), angles + np.pi / 2], axis=1)
    see, step = range_bearing(std=(0.05, 0.01)), relative_pose(std=(0.05, 0.05, 0.01))
    pairs = np.array(list(itertools.product(range(12), range(6))))
    seen = see.observe(poses[pairs[:, 0]], trees[pairs[:, 1]])
    steps = step.observe(POSE[2].normalize(poses[:-1]), POSE[2].normalize(poses[1:]))
    known = pairs[:, 1] < 2
    guess = trees + rng.normal(0, 0.5, trees.shape)
    graph = FactorGraph(
        {
            "pose": Variables(POSE[2], poses + rng.normal(0, 0.1, poses.shape)),
            "tree": Variables(PLACE, guess[2:]),
        },
        [
            Factors(step, steps, ("pose", np.arange(11)), ("pose", np.arange(1, 12))),
            Factors(see, seen[known], ("pose", pairs[known, 0]), trees[pairs[known, 1]]),
            Factors(see, seen[~known], ("pose", pairs[~known, 0]), ("tree", pairs[~known, 1] - 2)),
        ],
    )
    solution = GaussNewton().solve(graph)
    assert solution.status is SolveStatus.CONVERGED
    np.testing.assert_allclose(solution["tree"], trees[2:], atol=1e-6)
    np.testing.assert_allclose(POSE[2].minus(solution["pose"], poses), 0.0, atol=1e-6)
    assert np.linalg.eigvalsh(solution.belief("tree", 0).cov)[0] > 0.0


class Written(Sensor):
    """The reading and the noise of a traced sensor, behind the methods that a user writes."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.state, self.reading, self.context = inner, inner.state, inner.reading, inner.context

    def observe(self, x: Any, context: Any = None) -> Any:
        return self.inner.observe(x, context)

    def noise(self, x: Any, context: Any = None) -> Any:
        return self.inner.noise(x, context)


@pytest.mark.parametrize("axes", [2, 3])
def test_sensors_that_users_write_lead_to_the_same_optimum(axes: int) -> None:
    """A prior on a pose, steps between poses, and landmarks: every factor of a sensor with `observe` and `noise`."""
    edges, rng = walk(axes, 12, 5, 0.1), np.random.default_rng(6)
    assert edges.poses is not None
    i, j = edges.edges.T
    trees = rng.normal(0.0, 3.0, (3, axes))
    pairs = np.array(list(itertools.product(range(12), range(3))))
    see = relative_position(axes, std=0.2)
    seen = see.observe(edges.poses[pairs[:, 0]], trees[pairs[:, 1]]) + 0.2 * rng.standard_normal((len(pairs), axes))
    place = Space("x y z [m]" if axes == 3 else "x y [m]")

    def optimum(kind: Any) -> Any:
        variables = {
            "pose": Variables(POSE[axes], spanning_tree(edges)),
            "tree": Variables(place, trees + 0.1),
        }
        factors = [
            Factors(kind(absolute_pose(axes)), edges.poses[:1], ("pose", [0])),
            Factors(kind(relative_pose(axes)), edges.readings, ("pose", i), ("pose", j), edges.information),
            Factors(kind(see), seen, ("pose", pairs[:, 0]), ("tree", pairs[:, 1])),
        ]
        return GaussNewton().solve(FactorGraph(variables, factors))

    traced, written = optimum(lambda sensor: sensor), optimum(Written)
    assert written.status is SolveStatus.CONVERGED
    assert written.chi2[-1] == pytest.approx(traced.chi2[-1], rel=1e-9)
    np.testing.assert_allclose(POSE[axes].minus(written["pose"], traced["pose"]), 0.0, atol=1e-6)
    np.testing.assert_allclose(written["tree"], traced["tree"], atol=1e-6)
    wanted = traced.belief("tree", 1).cov
    np.testing.assert_allclose(written.belief("tree", 1).cov, wanted, rtol=1e-5, atol=1e-9)


def test_one_context_and_one_noise_for_all_readings() -> None:
    """The offset of one known place, in numbers: each position is where both sensors together say, by their weights."""

    class Here(Sensor):
        """A position, by a sensor that declares no context."""

        state = reading = Space("x y [m]")

        def observe(self, x: Any, context: Any = None) -> Any:
            return x

        def noise(self, x: Any, context: Any = None) -> Any:
            return np.diag([0.25, 1.0])

    class Away(Here):
        context = Space("x y [m]")

        def observe(self, x: Any, context: Any = None) -> Any:
            return context - x

    here, away = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 0.0]]), np.array([[4.0, 4.0], [3.0, 1.0], [0.0, 4.0]])
    readings = [
        Factors(Here(), here, ("place", [0, 1, 2])),
        Factors(Away(), away, ("place", [0, 1, 2]), [5.0, 5.0], np.diag([1.0, 3.0])),
    ]
    solution = GaussNewton().solve(FactorGraph({"place": Variables(Here.state, np.zeros((3, 2)))}, readings))
    assert solution.status is SolveStatus.CONVERGED
    np.testing.assert_allclose(solution["place"], (here * [4.0, 1.0] + (5.0 - away) * [1.0, 3.0]) / [5.0, 4.0])


def test_sensors_of_filters_hold_a_graph() -> None:
    """gnss on poses: mounted by the names of components, and a tie to the world."""
    edges = walk(2, 10, 8, 0.02)
    assert edges.poses is not None
    i, j = edges.edges.T
    graph = FactorGraph(
        {"pose": Variables(POSE[2], spanning_tree(edges))},
        [
            Factors(relative_pose(), edges.readings, ("pose", i), ("pose", j), edges.information),
            Factors(gnss(std=0.1), edges.poses[:, :2] + [5.0, 3.0], ("pose", np.arange(10))),
        ],
    )
    solution = GaussNewton().solve(graph)
    assert solution.status is SolveStatus.CONVERGED
    np.testing.assert_allclose(
        solution["pose"][:, :2].mean(axis=0), edges.poses[:, :2].mean(axis=0) + [5, 3], atol=0.05
    )


def test_what_was_not_measured_counts_for_nothing() -> None:
    """A component that is NaN is left out of its reading's covariance; a pose with one is left out as a whole."""
    A = np.random.default_rng(3).standard_normal((3, 3))
    P = A @ A.T + np.eye(3)
    places = {"place": Variables(Space("x y z [m]"), np.zeros((1, 3)))}
    prior = Factors(position(3, std=2.0), [[0.0, 0.0, 0.0]], ("place", [0]))
    z, seen = np.array([3.0, np.nan, 5.0]), [0, 2]
    part = Factors(position(3), [z, [np.nan] * 3], ("place", [0, 0]), information=np.linalg.inv(P))
    graph = FactorGraph(places, [prior, part])
    H, S = np.eye(3)[seen], 4.0 * np.eye(2) + P[np.ix_(seen, seen)]
    wanted = 4.0 * H.T @ np.linalg.solve(S, z[seen])
    np.testing.assert_allclose(GaussNewton().solve(graph)["place"][0], wanted, rtol=1e-9)
    assert graph.residuals == 5

    edges = walk(2, 10, 4, 0.1)
    first = GaussNewton().solve(pose_graph(edges, "tree"))
    more = PoseGraph(
        edges.ids,
        None,
        np.vstack([edges.edges, [[0, 9]]]),
        np.vstack([edges.readings, [[1.0, np.nan, 2.0]]]),
        np.concatenate([edges.information, np.eye(3)[None]]),
    )
    i, j = more.edges.T
    step = Factors(relative_pose(), more.readings, ("pose", i), ("pose", j), more.information)
    second = GaussNewton().solve(FactorGraph({"pose": Variables(POSE[2], spanning_tree(edges), fixed=[0])}, [step]))
    np.testing.assert_allclose(second["pose"], first["pose"], atol=1e-6)


def test_what_floats_is_named() -> None:
    edges = walk(2, 20, 9, 0.01)
    kept = (edges.edges.max(axis=1) < 8) | (edges.edges.min(axis=1) >= 8)
    i, j = edges.edges[kept].T
    factors = Factors(relative_pose(), edges.readings[kept], ("pose", i), ("pose", j))
    poses = spanning_tree(edges)
    solution = GaussNewton().solve(FactorGraph({"pose": Variables(POSE[2], poses, fixed=[0])}, [factors]))
    assert solution.status is SolveStatus.UNDETERMINED
    assert "pose 8-19" in solution.reason
    with pytest.raises(ShapeError, match="pose 9"):
        solution.belief("pose", 9)
    free = GaussNewton().solve(FactorGraph({"pose": Variables(POSE[2], poses)}, [factors]))
    assert "pose 0-19" in free.reason


def test_a_long_chain_is_determined() -> None:
    """Ten thousand steps of odometry: H is as singular as rounding allows, yet the last pose has a covariance."""
    n, (along, across, turn) = 10_000, (0.1, 0.1, 0.02)
    poses, k = np.zeros((n + 1, 3)), np.arange(n)
    poses[:, 0] = np.arange(n + 1)
    step = relative_pose(std=(along, across, turn))
    driven = Factors(step, np.tile([1.0, 0.0, 0.0], (n, 1)), ("pose", k), ("pose", k + 1))
    solution = GaussNewton().solve(FactorGraph({"pose": Variables(POSE[2], poses, fixed=[0])}, [driven]))
    assert solution.status is SolveStatus.CONVERGED
    wanted = np.sqrt([n * along**2, n * across**2 + turn**2 * (k.astype(float) ** 2).sum(), n * turn**2])
    np.testing.assert_allclose(np.sqrt(np.diag(solution.belief("pose", n).cov)), wanted, rtol=0.01)


def test_what_readings_leave_free_is_named() -> None:
    """Every variable is tied to the world, but one by a range only: it may go round."""
    see = range_to(std=0.1)
    trees = Variables(PLACE, [[3.0, 0.0], [1.0, 4.0]])
    beacons = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    z = [[3.0], [2.0], [np.hypot(3, 5)], [np.hypot(1, 4)]]
    graph = FactorGraph({"tree": trees}, [Factors(see, z, ("tree", [0, 0, 0, 1]), beacons[[0, 1, 2, 0]])])
    solution = GaussNewton().solve(graph)
    assert solution.status is SolveStatus.UNDETERMINED
    assert "tree 1" in solution.reason
    assert "tree 0" not in solution.reason and "scale" not in solution.reason
    turned = FactorGraph({"pose": Variables(POSE[2], [[0.0, 0, 0]])}, [Factors(gnss(), [[0.0, 0.0]], ("pose", [0]))])
    assert "omega" in GaussNewton().solve(turned).reason


def test_a_bad_guess_is_damped() -> None:
    """Bearings of a point from two places: an undamped step from behind them diverges."""
    see = relative_position(std=0.1)
    poses = Variables(POSE[2], [[0.0, 0.0, 0.0], [3.0, 0.0, 3.1]], fixed=[0])
    trees = np.array([[4.0, 1.0], [3.0, -2.0], [0.0, 3.0]])
    true = np.array([1.0, 1.0, -0.2])
    factors = [
        Factors(see, see.observe(np.tile(true, (3, 1)), trees), ("pose", [1, 1, 1]), trees),
        Factors(relative_pose(std=10.0), [[1.0, 1.0, -0.2]], ("pose", [0]), ("pose", [1])),
    ]
    solution = GaussNewton().solve(FactorGraph({"pose": poses}, factors))
    assert solution.status is SolveStatus.CONVERGED
    assert all(a >= b for a, b in itertools.pairwise(solution.chi2[:-1]))
    np.testing.assert_allclose(POSE[2].minus(solution["pose"][1], true), 0.0, atol=1e-6)


def test_status_when_steps_run_out_or_numbers_do() -> None:
    graph = pose_graph(walk(2, 20, 4, 0.3), "tree")
    assert GaussNewton(iterations=1).solve(graph).status is SolveStatus.LIMIT
    on_it = Variables(PLACE, [[0.0, 0.0]])
    range_of_itself = FactorGraph({"tree": on_it}, [Factors(range_to(), [[1.0]], ("tree", [0]), [0.0, 0.0])])
    assert GaussNewton().solve(range_of_itself).status is SolveStatus.NOT_FINITE
    known = FactorGraph({"tree": Variables(PLACE, [[0.0, 1.0]], fixed=[0])}, [])
    for nothing in (known, FactorGraph({}, []), FactorGraph({"tree": Variables(PLACE, np.zeros((0, 2)))}, [])):
        assert GaussNewton().solve(nothing).status is SolveStatus.CONVERGED
        assert nothing.chi2 == 0.0 and isinstance(nothing.chi2, float)


@pytest.mark.parametrize("wrong", [{"iterations": 0}, {"iterations": 2.5}, {"tolerance": -1.0}])
def test_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        GaussNewton(**wrong)


def test_graphs_that_do_not_fit_are_refused() -> None:
    poses = {"pose": Variables(POSE[2], np.zeros((2, 3)))}
    step, z = relative_pose(), np.zeros((1, 3))
    with pytest.raises(ShapeError, match="from 0 to 1"):
        FactorGraph(poses, [Factors(step, z, ("pose", [0]), ("pose", [2]))])
    with pytest.raises(ShapeError, match="pose 1 to itself"):
        FactorGraph(poses, [Factors(step, z, ("pose", [1]), ("pose", [1]))])
    with pytest.raises(ShapeError, match="'tree'"):
        FactorGraph(poses, [Factors(step, z, ("pose", [0]), ("tree", [0]))])
    with pytest.raises(SpaceError):
        FactorGraph(poses, [Factors(relative_pose(3), np.eye(1, 7, 3), ("pose", [0]), ("pose", [1]))])
    with pytest.raises(SpaceError, match="context"):
        FactorGraph(poses, [Factors(range_bearing(), [[1.0, 0.0]], ("pose", [0]), ("pose", [1]))])
    with pytest.raises(ShapeError, match="context"):
        FactorGraph(poses, [Factors(step, z, ("pose", [0]))])
    with pytest.raises(ShapeError, match="information"):
        Factors(step, z, ("pose", [0]), ("pose", [1]), np.eye(2))
    with pytest.raises(ShapeError, match="symmetric"):
        Factors(step, z, ("pose", [0]), ("pose", [1]), np.triu(np.ones((3, 3))))
    with pytest.raises(ShapeError, match="eigenvalue -1"):
        Factors(step, z, ("pose", [0]), ("pose", [1]), np.diag([1.0, -1.0, 2.0]))
    with pytest.raises(ShapeError, match="eigenvalue -1"):
        chordal(PoseGraph([0, 1], None, [[0, 1]], z, [np.diag([1.0, -1.0, 1.0])]))
    with pytest.raises(ShapeError, match="z"):
        Factors(step, [[np.inf, 0.0, 0.0]], ("pose", [0]), ("pose", [1]))
    with pytest.raises(ShapeError, match="edges only"):
        pose_graph(PoseGraph([0, 1], None, [[0, 1]], z, [np.eye(3)]), "given")
    with pytest.raises(ShapeError, match="1 of 3 poses"):
        chordal(PoseGraph([4, 5, 6], None, [[0, 1]], z, [np.eye(3)]))


SQUARE = PoseGraph(range(4), None, [[0, 1], [1, 2], [2, 3], [3, 0]], [[1.0, 0.0, np.pi / 2]] * 4, [np.eye(3)] * 4)
GRAPH = pose_graph(SQUARE)
SOLUTION = GaussNewton().solve(GRAPH)
POSES = Variables(Space("pose: SE2"), np.zeros((4, 3)))
TIE = Factors(relative_pose(), [[1.0, 0.0, 0.0]], ("pose", [0]), ("pose", [1]))


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda: SOLUTION["poses"], "no variables 'poses'; it has pose"),
    (lambda: SOLUTION[0], "no variables 0; it has pose"),
    (lambda: SOLUTION.belief("poses", 0), "no variables 'poses'; it has pose"),
    (lambda: SOLUTION.belief("pose", 9), "the index of pose is 9; expected a whole number from 0 to 3"),
    (lambda: SOLUTION.belief("pose", -1), "the index of pose is -1"),
    (lambda: SOLUTION.belief("pose", "last"), "the index of pose is 'last'"),
    (lambda: GRAPH.moved({"poses": np.zeros((4, 3))}), "no variables 'poses'; it has pose"),
    (lambda: pose_graph(SQUARE, "guess"), "initial is 'guess'; expected 'chordal' or 'tree' or 'odometry' or 'given'"),
    (lambda: pose_graph("square.g2o"), "pose_graph needs a PoseGraph, not 'square.g2o'"),
    (lambda: pose_graph("chordal", SQUARE), "pose_graph needs a PoseGraph, not 'chordal'"),
    (lambda: pose_graph(PoseGraph), r"pose_graph needs a PoseGraph, .*is \(\) missing\?"),
    (lambda: chordal("chordal"), "chordal needs a PoseGraph"),
    (lambda: spanning_tree(GRAPH), r"spanning_tree needs a PoseGraph, not FactorGraph\(4 of pose; 9 unknowns"),
    (lambda: chordal(SQUARE, 99), "anchor is 99; expected a whole number from 0 to 3"),
    (lambda: spanning_tree(SQUARE, -1), "anchor is -1"),
    (lambda: chordal(PoseGraph([0, 1], None, [[0, 1]], np.ones((1, 3)), np.zeros((1, 3, 3)))), "initial='tree'"),
    (lambda: chordal(PoseGraph([0, 1], None, [[0, 1]], [[np.nan, 0, 0]], [np.eye(3)])), "the reading of edge 0 is NaN"),
    (lambda: GaussNewton().solve(SQUARE), r"needs a FactorGraph, not PoseGraph\(4 poses in the plane, 4 edges\)"),
    (lambda: Variables("x y", [[0, 0]]), "Variables needs a Space, not 'x y'"),
    (lambda: Variables(Space("x"), [[0]], np.zeros((999, 2), int)), r"fixed is .{1,100}; expected whole"),
    (lambda: Factors(relative_pose(), [[1, 0, 0]], ("pose", [0]), ("pose", [1]), "big"), "information is not an array"),
    (lambda: Factors(relative_pose(), [[1, 0, 0]], ("pose", [0]), ("pose", [1]), np.full((3, 3), np.inf)), "infinity"),
    (lambda: FactorGraph([POSES], [TIE]), "variables of a graph are .*; expected {name: "),
    (lambda: FactorGraph({"pose": np.zeros((4, 3))}, [TIE]), "FactorGraph needs Variables"),
    (lambda: FactorGraph({"pose": POSES}, TIE), "factors of a graph is Factors"),
    (lambda: FactorGraph({}, [TIE]), "names variables 'pose'; the graph has none"),
    (lambda: FactorGraph({"pose": POSES}, [Factors(range_to(), [[1.0]], ("pose", [0]), "here")]), "context is not"),
])  # fmt: skip
def test_misuse_is_answered_in_a_sentence(call: Any, sentence: str) -> None:
    with pytest.raises((ShapeError, SettingError), match=sentence) as found:
        call()
    assert len(str(found.value)) < 400


@pytest.mark.parametrize("name", ["intel", "MIT", "manhattan", "smallGrid3D", "sphere2500"])
def test_published_graphs(name: str, data: Path) -> None:
    solution = GaussNewton().solve(pose_graph(read_g2o(data / "pose_graphs" / f"{name}.g2o.gz")))
    assert solution.status is SolveStatus.CONVERGED
    assert solution.chi2[-1] == pytest.approx(CHI2[name], rel=1e-5, abs=6e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["intel", "tinyGrid3D"])
def test_gtsam_finds_the_same(name: str, data: Path) -> None:
    gtsam: Any = pytest.importorskip("gtsam")
    folder = data / "pose_graphs"
    edges = read_g2o(next(p for p in folder.iterdir() if p.name.startswith(f"{name}.g2o")))
    solution = GaussNewton().solve(pose_graph(edges))
    plane = edges.axes == 2

    def pose(x: Any) -> Any:
        return gtsam.Pose2(*x) if plane else gtsam.Pose3(gtsam.Rot3(*x[3:]), x[:3])

    # gtsam's tangent of SE(3) is [rotation, translation], that of SE(2) as ours.
    order = [0, 1, 2] if plane else [3, 4, 5, 0, 1, 2]
    graph, values = gtsam.NonlinearFactorGraph(), gtsam.Values()
    between, prior = (
        (gtsam.BetweenFactorPose2, gtsam.PriorFactorPose2)
        if plane
        else (gtsam.BetweenFactorPose3, gtsam.PriorFactorPose3)
    )
    for (i, j), z, W in zip(edges.edges.tolist(), edges.readings, edges.information, strict=True):
        noise = gtsam.noiseModel.Gaussian.Information(W[np.ix_(order, order)])
        graph.add(between(i, j, pose(z), noise))
    graph.add(prior(0, pose(solution["pose"][0]), gtsam.noiseModel.Isotropic.Sigma(len(order), 1e-3)))
    for k, x in enumerate(solution["pose"]):
        values.insert(k, pose(x))
    assert 2.0 * graph.error(values) == pytest.approx(solution.chi2[-1], rel=1e-9)
    best = gtsam.LevenbergMarquardtOptimizer(graph, values).optimize()
    assert 2.0 * graph.error(best) == pytest.approx(solution.chi2[-1], rel=1e-6)
