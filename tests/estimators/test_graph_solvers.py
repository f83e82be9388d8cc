"""Solvers and robust kernels of factor graphs: one optimum for all, outliers without influence, certificates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from pilotage.core import ShapeError, Space
from pilotage.core.errors import SettingError
from pilotage.estimators.slam import (
    Cauchy,
    Dogleg,
    DynamicCovarianceScaling,
    FactorGraph,
    Factors,
    GaussNewton,
    GemanMcClure,
    GraduatedNonConvexity,
    Huber,
    LevenbergMarquardt,
    RobustKernel,
    SolveStatus,
    TruncatedSquare,
    Tukey,
    Variables,
    certificate,
    chordal,
    closing_edges,
    false_closures,
    pose_graph,
)
from pilotage.estimators.slam._evidence import evidence
from pilotage.estimators.slam._late import innovations
from pilotage.estimators.slam._relative_matrix import relative_matrix
from pilotage.estimators.slam._system import System
from pilotage.estimators.slam.chordal import precisions
from pilotage.io import PoseGraph, read_g2o
from pilotage.models import code_of, factor, parameters, position, range_to
from tests.estimators.test_pose_graph import POSE, walk

SOLVERS = [GaussNewton(), LevenbergMarquardt(), Dogleg()]
KERNELS = [Huber(1.3), Cauchy(1.3), Tukey(1.3), GemanMcClure(1.3), DynamicCovarianceScaling(1.3), TruncatedSquare(1.3)]
OPTIMA = {"intel": 52.348, "MIT": 61.154, "manhattan": 6431.39, "smallGrid3D": 1025.398, "kitti_00": 125.694}
"""Objectives of SE-Sync: Rosen et al. (2019), tables 1 and 2; those without a row there are certified here."""
LARGE = {"city10000": 638.62, "sphere2500": 1687.006, "cubicle": 717.13}


def loop(axes: int, seed: int = 0, noise: float = 0.05) -> PoseGraph:
    """Rounds on a circle, and closures between the rounds, with noise as the information says."""
    rng, space = np.random.default_rng(seed), POSE[axes]
    step = np.zeros(space.dim)
    step[0], step[-1] = 1.0, 2.0 * np.pi / 12
    poses = [space.identity()]
    for _ in range(47):
        poses.append(space.plus(poses[-1], step))
    pairs = [(k, k + 1) for k in range(47)] + [(k, k + 12) for k in range(36)]
    z = np.array([space.compose(space.inverse(poses[i]), poses[j]) for i, j in pairs])
    z = space.plus(z, noise * rng.standard_normal((len(z), space.dim)))
    information = np.tile(np.eye(space.dim) / noise**2, (len(z), 1, 1))
    return PoseGraph(np.arange(48), None, np.array(pairs), z, information)


def spoiled(edges: PoseGraph, count: int, seed: int = 1) -> PoseGraph:
    """The same graph with false closures between poses chosen at random."""
    rng, space = np.random.default_rng(seed), POSE[edges.axes]
    pairs = np.array([rng.permutation(len(edges.ids))[:2] for _ in range(4 * count)])
    pairs = pairs[abs(pairs[:, 0] - pairs[:, 1]) > 3][:count]
    z = space.plus(np.tile(space.identity(), (count, 1)), rng.standard_normal((count, space.dim)))
    return replace(
        edges,
        poses=None,
        edges=np.vstack([edges.edges, pairs]),
        readings=np.vstack([edges.readings, z]),
        information=np.concatenate([edges.information, edges.information[-count:]]),
    )


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("initial", ["tree", "chordal"])
def test_all_solvers_find_one_optimum(axes: int, initial: Any) -> None:
    graph = pose_graph(walk(axes, 30, 3, 0.1), initial)
    first, *others = (solver.solve(graph) for solver in SOLVERS)
    assert first.status is SolveStatus.CONVERGED
    for other in others:
        assert other.status is SolveStatus.CONVERGED
        assert other.chi2[-1] == pytest.approx(first.chi2[-1], rel=1e-7)
        np.testing.assert_allclose(POSE[axes].minus(other["pose"], first["pose"]), 0.0, atol=1e-3)


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda each: type(each).__name__)
def test_steps_never_raise_the_cost(solver: Any) -> None:
    """From guesses at random, where the first steps of Gauss-Newton go astray."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        graph = pose_graph(walk(2, 12, 3, 0.3), "tree")
        poses = graph.variables["pose"].values.copy()
        poses[1:] += rng.normal(0.0, 2.0, (11, 3))
        chi2 = solver.solve(graph.moved({"pose": poses})).chi2
        assert (np.diff(chi2) <= 1e-8 * (1.0 + chi2[0])).all() and chi2[-1] < chi2[0]


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda each: type(each).__name__)
def test_solvers_on_rosenbrock(solver: Any) -> None:
    """A curved valley, as a user's factor: the minimum is at (1, 1)."""

    @factor(variables={"a": Space("x y")}, reading=Space("r: float64[2]"))
    def valley(a: Any, c: Any, p: Any, m: Any) -> Any:
        return 10.0 * (a[1] - a[0] ** 2), 1.0 - a[0]

    graph = FactorGraph(
        {"a": Variables(Space("x y"), [[-1.2, 1.0]])}, [Factors(valley(), np.zeros((1, 2)), ("a", [0]))]
    )
    np.testing.assert_allclose(solver.solve(graph)["a"], [[1.0, 1.0]], atol=1e-5)


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda each: type(each).__name__)
def test_solvers_name_what_floats(solver: Any) -> None:
    trees = Variables(Space("x y [m]"), [[3.0, 0.0]])
    graph = FactorGraph({"tree": trees}, [Factors(range_to(), [[3.0]], ("tree", [0]), [0.0, 0.0])])
    solution = solver.solve(graph)
    assert solution.status is SolveStatus.UNDETERMINED and "tree 0" in solution.reason


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda each: type(each).__name__)
def test_weights_are_slopes_of_losses(kernel: RobustKernel) -> None:
    """A loss begins as s, and never grows faster; its weight falls."""
    s = np.linspace(0.0, 9.0, 60) + 1e-3
    slope = (kernel.rho(s + 1e-6) - kernel.rho(s - 1e-6)) / 2e-6
    np.testing.assert_allclose(kernel.weight(s), slope, atol=1e-6)
    assert kernel.rho(0.0) == 0.0 and kernel.weight(0.0) == pytest.approx(1.0)
    assert (np.diff(kernel.weight(s)) <= 1e-12).all() and (kernel.rho(s) <= s + 1e-12).all()


@pytest.mark.parametrize("kernel", KERNELS[:3], ids=lambda each: type(each).__name__)
def test_robust_mean_is_the_minimum_of_the_losses(kernel: RobustKernel) -> None:
    """Numbers with an outlier: against SciPy on the sum of the losses; g is half the gradient of chi2."""
    z = np.array([0.1, -0.2, 0.4, 0.0, 6.0])
    read = Factors(position(1, std=0.5), z[:, None], ("x", [0] * 5), kernel=kernel)
    graph = FactorGraph({"x": Variables(Space("x [m]"), [[0.3]])}, [read])

    def cost(x: Any) -> float:
        return float(kernel.rho(((z - x) / 0.5) ** 2).sum())

    best = minimize(cost, 0.3, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-14})
    solution = GaussNewton().solve(graph)
    assert graph.chi2 == pytest.approx(cost(0.3), rel=1e-12)
    assert solution["x"][0, 0] == pytest.approx(best.x[0], abs=1e-4)
    assert solution.weights[0][4] < 0.2 and solution.weights[0][:4].min() > 0.4
    system = System(graph)
    system.linearize(system.x)
    assert system.g[0] == pytest.approx((cost(0.3 + 1e-6) - cost(0.3 - 1e-6)) / 4e-6, rel=1e-6)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda each: type(each).__name__)
def test_without_outliers_a_wide_kernel_changes_nothing(kernel: RobustKernel) -> None:
    edges = loop(2)
    plain = GaussNewton().solve(pose_graph(edges))
    robust = GaussNewton().solve(pose_graph(edges, kernel=replace(kernel, scale=1e4)))
    np.testing.assert_allclose(robust["pose"], plain["pose"], atol=1e-5)
    assert [len(w) for w in robust.weights] == [47, 36] and robust.weights[1].min() > 0.999


@pytest.mark.parametrize("kernel", [TruncatedSquare(4.5), GemanMcClure(4.5)])
@pytest.mark.parametrize("axes", [2, 3])
def test_graduated_non_convexity(kernel: Any, axes: int) -> None:
    """True closures keep their weight, false ones lose it; without false ones, nothing is lost."""
    edges = loop(axes)
    clean = GraduatedNonConvexity().solve(pose_graph(edges, "odometry", kernel=kernel))
    assert clean.status is SolveStatus.CONVERGED and clean.weights[1].min() > 0.2
    bad = spoiled(edges, 12)
    solution = GraduatedNonConvexity().solve(pose_graph(bad, "odometry", kernel=kernel))
    assert solution.weights[1][36:].max() < 0.05 < 0.2 < solution.weights[1][:36].min()
    cost = pose_graph(replace(edges, poses=solution["pose"]), "given").chi2
    assert cost < 1.1 * GaussNewton().solve(pose_graph(edges)).chi2[-1]


def test_graduated_non_convexity_needs_a_kernel() -> None:
    with pytest.raises(ShapeError, match="TruncatedSquare"):
        GraduatedNonConvexity().solve(pose_graph(loop(2)))
    with pytest.raises(SettingError, match="1.0"):
        GraduatedNonConvexity(factor=1.0)
    with pytest.raises(SettingError, match="kernel"):
        Factors(position(1), [[1.0]], ("x", [0]), kernel="huber")  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingError, match="-1"):
        Huber(-1.0)


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("count", [4, 15, 36])
def test_false_closures(axes: int, count: int) -> None:
    """10, 30 and 50 % of the closures are false."""
    edges = loop(axes)
    bad = spoiled(edges, count)
    false = false_closures(bad)
    assert false[-count:].all() and not false[:47].any()
    assert false[47:-count].sum() <= 2  # of 36 true ones, for 99 % quantiles
    cost = pose_graph(
        replace(edges, poses=GaussNewton().solve(pose_graph(bad.with_edges(~false)))["pose"]), "given"
    ).chi2
    assert cost < 1.1 * GaussNewton().solve(pose_graph(edges)).chi2[-1]


@pytest.mark.parametrize("factor", [0.1, 1.0])
def test_false_closures_with_information_too_small(factor: float) -> None:
    """False closures are found where all information is a tenth of what it should be."""
    edges = loop(2)
    bad = spoiled(edges, 15)
    false = false_closures(replace(bad, information=factor * bad.information))
    assert false[-15:].all() and false[47:-15].sum() <= 2


@pytest.mark.parametrize("axes", [2, 3])
def test_evidence_for_closures(axes: int) -> None:
    """True closures agree with others, false ones hardly ever; whichever way round they are written."""
    edges = loop(axes)
    bad = spoiled(edges, 36)
    odometry = pose_graph(bad, "odometry").variables["pose"].values
    closing, turned = closing_edges(bad), np.arange(len(bad.edges)) % 2 == 1
    odds = evidence(bad, closing, odometry)
    assert np.median(odds[:36]) > 20.0 > np.quantile(odds[36:], 0.9)
    ends, readings, W = bad.edges.copy(), bad.readings.copy(), bad.information.copy()
    ends[turned], readings[turned] = ends[turned, ::-1], POSE[axes].inverse(readings[turned])
    back = POSE[axes].adjoint(bad.readings[turned])
    W[turned] = np.linalg.inv(back @ np.linalg.inv(W[turned]) @ np.swapaxes(back, 1, 2))
    other = replace(bad, edges=ends, readings=readings, information=W)
    np.testing.assert_allclose(evidence(other, closing, odometry), odds, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("axes", [2, 3])
def test_innovations_are_changes_of_chi2(axes: int) -> None:
    """What a closure adds to chi2 as it joins the others, and takes from it as it leaves them."""
    edges = loop(axes)
    closure, rest = 60, np.arange(len(edges.edges)) != 60
    without, full = (GaussNewton(tolerance=1e-12).solve(pose_graph(each)) for each in (edges.with_edges(rest), edges))
    change = full.chi2[-1] - without.chi2[-1]
    for solution, inside in ((without, False), (full, True)):
        found = innovations(edges, np.array([closure]), solution.graph, inside)
        np.testing.assert_allclose(found, change, rtol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("name", ["intel", "smallGrid3D", "MIT", "kitti_00", "manhattan"])
def test_false_closures_of_public_graphs(name: str, share: float, data: Path) -> None:
    """Within 5 % of the clean optimum, without settings; intel's information matrices are too small by far."""
    edges = read_g2o(data / "pose_graphs" / f"{name}.g2o.gz")
    count = round(int(closing_edges(edges).sum()) * share / (1.0 - share))
    bad = spoiled(edges, count, seed=0)
    solution = GaussNewton().solve(pose_graph(bad.with_edges(~false_closures(bad))))
    cost = pose_graph(replace(edges, poses=solution["pose"]), "given").chi2
    assert cost < 1.05 * GaussNewton().solve(pose_graph(edges)).chi2[-1]


@pytest.mark.parametrize("axes", [2, 3])
def test_weights_of_relaxations(axes: int) -> None:
    """Weight 0 is as good as no edge; a graph that falls apart by it is refused."""
    edges = loop(axes)
    bad, false = spoiled(edges, 5), np.arange(88) >= 83
    got = chordal(bad, weights=1.0 - false)
    np.testing.assert_allclose(POSE[axes].minus(got, chordal(bad.with_edges(~false))), 0.0, atol=1e-6)
    with pytest.raises(ShapeError, match="88 numbers"):
        chordal(bad, weights=[1.0])
    with pytest.raises(ShapeError):
        chordal(bad, weights=np.zeros(88))


@pytest.mark.parametrize("axes", [2, 3])
def test_chordal_residual_is_the_objective_of_se_sync(axes: int) -> None:
    """Against sums over matrices, at poses chosen at random; and the derivatives against differences."""
    edges, space = walk(axes, 8, 2, 0.3), POSE[axes]
    poses = space.sample(8, rng=np.random.default_rng(0))
    kappa, tau = precisions(edges)

    def matrix(x: Any) -> Any:
        return np.stack([space.act(x, a) - space.act(x, np.zeros(axes)) for a in np.eye(axes)], axis=-1)

    total = 0.0
    for (i, j), z, k, t in zip(edges.edges, edges.readings, kappa, tau, strict=True):
        total += k * ((matrix(poses[j]) - matrix(poses[i]) @ matrix(z)) ** 2).sum()
        total += t * ((poses[j][:axes] - space.act(poses[i], z[:axes])) ** 2).sum()
    graph = pose_graph(replace(edges, poses=poses), "given", residual="chordal")
    assert graph.chi2 == pytest.approx(total, rel=1e-10)
    sensor, h = relative_matrix(axes), 1e-6
    out = code_of(sensor, "e E").run(poses[0], poses[1], np.zeros(axes + axes**2), parameters(sensor))
    for c, d in enumerate(h * np.eye(space.dim)):
        a, b = (sensor.observe(space.plus(poses[0], s * d), poses[1]) for s in (1, -1))
        np.testing.assert_allclose(out["E"][:, c], (b - a) / (2 * h), atol=1e-6)


@pytest.mark.parametrize("axes", [2, 3])
def test_certificate(axes: int) -> None:
    """A global optimum has no gap, in any frame; a local one, of a loop that is wound wrongly, has."""
    edges, space = loop(axes), POSE[axes]
    best = GaussNewton().solve(pose_graph(edges, residual="chordal"))
    found = certificate(edges, best["pose"])
    assert found.cost == pytest.approx(best.chi2[-1], rel=1e-9) and abs(found.gap) < 1e-5
    moved = certificate(edges, space.compose(space.sample(rng=np.random.default_rng(1)), best["pose"]))
    assert abs(moved.gap) < 1e-5 and moved.cost == pytest.approx(found.cost, rel=1e-6)
    turn = np.zeros(space.dim)
    turn[-1] = -2.0 * np.pi / 40
    wound = [space.identity()]
    for _ in range(39):
        wound.append(space.plus(wound[-1], turn))
    pairs = [(k, (k + 1) % 40) for k in range(40)]
    ahead = np.tile(space.identity(), (40, 1))
    ring = PoseGraph(np.arange(40), np.array(wound), np.array(pairs), ahead, np.tile(np.eye(space.dim), (40, 1, 1)))
    if axes == 2:
        local = GaussNewton().solve(pose_graph(ring, "given", residual="chordal"))
        assert local.chi2[-1] > 0.1 and certificate(ring, local["pose"]).gap > 0.5
    with pytest.raises(ShapeError, match="poses"):
        certificate(edges, best["pose"][:-1])


@pytest.mark.parametrize("name", ["intel", "MIT", "smallGrid3D"])
def test_optima_of_se_sync(name: str, data: Path) -> None:
    """The published objective from chordal guesses, certified to be the global one."""
    edges = read_g2o(data / "pose_graphs" / f"{name}.g2o.gz")
    solution = GaussNewton().solve(pose_graph(edges, residual="chordal"))
    assert solution.chi2[-1] == pytest.approx(OPTIMA[name], rel=3e-4)
    assert abs(certificate(edges, solution["pose"]).gap) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["manhattan", "kitti_00", *LARGE])
def test_optima_of_se_sync_of_large_graphs(name: str, data: Path) -> None:
    edges = read_g2o(data / "pose_graphs" / f"{name}.g2o.gz")
    solution = GaussNewton().solve(pose_graph(edges, residual="chordal"))
    assert solution.chi2[-1] == pytest.approx((OPTIMA | LARGE)[name], rel=3e-4)
    assert abs(certificate(edges, solution["pose"]).gap) < 1e-5


EDGES = PoseGraph(range(4), np.zeros((4, 3)), [[0, 1], [1, 2], [2, 3]], [[1.0, 0.0, 0.0]] * 3, [np.eye(3)] * 3)
ZERO = replace(EDGES, information=[np.eye(3), np.zeros((3, 3)), np.eye(3)])
MISSING = replace(EDGES, readings=[[1.0, 0.0, 0.0], [np.nan, 0.0, 0.0], [1.0, 0.0, 0.0]])
APART = replace(EDGES, edges=[[0, 1], [1, 0], [2, 3]])


@pytest.mark.parametrize("edges", [ZERO, MISSING, APART])
def test_readings_that_say_nothing_tie_nothing(edges: PoseGraph) -> None:
    """Without information, not measured, or between other poses: the sentence is the same."""
    solution = GaussNewton().solve(pose_graph(edges, "given"))
    assert solution.status is SolveStatus.UNDETERMINED and "pose 2-3 float" in solution.reason


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda: pose_graph(ZERO), "singular"),
    (lambda: pose_graph(MISSING, "odometry"), "edge 1 is NaN"),
    (lambda: pose_graph(APART), "2 of 4 poses"),
    (lambda: false_closures(ZERO), "singular"),
    (lambda: false_closures(APART), "2 of 4 poses"),
    (lambda: false_closures("file.g2o"), "PoseGraph"),
    (lambda: false_closures(EDGES, Huber()), "TruncatedSquare"),
    (lambda: certificate(MISSING, np.zeros((4, 3))), "edge 1 is NaN"),
    (lambda: certificate(APART, np.zeros((4, 3))), "2 of 4 poses"),
    (lambda: closing_edges("file.g2o"), "closing_edges"),
    (lambda: replace(EDGES, ids=[0, 1, 1, 2]), "1 twice"),
    (lambda: Dogleg(radius=0.0), "radius"),
    (lambda: LevenbergMarquardt(damping=-1.0), "damping"),
])  # fmt: skip
def test_bad_graphs_are_answered_in_a_sentence(call: Any, sentence: str) -> None:
    with pytest.raises((ShapeError, SettingError), match=sentence):
        call()


def test_bounds_hold_away_from_critical_points() -> None:
    """The lower bound is below the optimum, for any poses."""
    edges = loop(2)
    best = GaussNewton().solve(pose_graph(edges, residual="chordal"))
    rng = np.random.default_rng(0)
    for scale in (0.001, 0.03, 1.0):
        poses = POSE[2].plus(best["pose"], scale * rng.standard_normal((48, 3)))
        assert certificate(edges, poses).lower_bound < best.chi2[-1] + 1e-6
