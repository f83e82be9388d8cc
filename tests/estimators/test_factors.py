"""Factors of any number of variables: graphs against dense normal equations and SciPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from pilotage.core import CovarianceError, Sensor, ShapeError, Space, SpaceError
from pilotage.estimators.slam import FactorGraph, Factors, GaussNewton, SolveStatus, Variables
from pilotage.estimators.slam._system import System
from pilotage.models import code_of, factor, parameters, position, relative_pose, sensor
from tests.models.factors import BIAS, KINDS, LENS, PIXEL, PLACE, POSE, VECTOR, pixel

reproject = factor(variables=KINDS["three"][1], reading=PIXEL, std=1.0)(pixel)


@factor(variables={"a": POSE, "b": POSE}, reading=Space("length [m]"))
def distance(a: Any, b: Any, c: Any, p: Any, m: Any) -> Any:
    return m.sqrt(sum((a[k] - b[k]) ** 2 for k in range(3)))


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_of_graphs(kind: str) -> None:
    """Twenty factors between variables chosen at random, some fixed: g and H against sums over dense Jacobians."""
    h, spaces, reading, context = KINDS[kind]
    made, rng = factor(variables=spaces, reading=reading, context=context)(h)(), np.random.default_rng(2)
    names = {space: f"kind {n}" for n, space in enumerate(dict.fromkeys(spaces.values()))}
    variables = {name: Variables(space, space.sample(6, rng=rng), fixed=[1]) for space, name in names.items()}
    chosen = {space: np.array([rng.permutation(6)[:2] for _ in range(20)]) for space in names}
    used = dict.fromkeys(names, 0)
    x: list[tuple[str, Any]] = []
    for space in spaces.values():
        x.append((names[space], chosen[space][:, used[space]]))
        used[space] += 1
    z, c = reading.sample(20, rng=rng), abs(context.sample(20, rng=rng)) if context.size else None
    A = rng.standard_normal((20, reading.dim, reading.dim))
    W = A @ np.swapaxes(A, 1, 2)
    system = System(FactorGraph(variables, [Factors(made, z, x, c, W)]))
    chi2 = system.linearize(system.vector(system.graph))

    g, H, total = np.zeros(system.pattern.size), np.zeros((system.pattern.size,) * 2), 0.0
    for k in range(20):
        values = np.concatenate([variables[name].values[i[k]] for name, i in x])
        got = code_of(made, "e E").run(values, None if c is None else c[k], z[k], parameters(made))
        J, first = np.zeros((reading.dim, len(g))), 0
        for name, i in x:
            dim, at = variables[name].space.dim, system.pattern.columns[system.first[name] + i[k]]
            if at >= 0:
                J[:, at : at + dim] = got["E"][:, first : first + dim]
            first += dim
        g, H, total = g + J.T @ W[k] @ got["e"], H + J.T @ W[k] @ J, total + got["e"] @ W[k] @ got["e"]
    assert chi2 == pytest.approx(total, rel=1e-12) and system.cost(system.vector(system.graph)) == pytest.approx(total)
    np.testing.assert_allclose(system.g, g, atol=1e-11 * abs(g).max())
    np.testing.assert_allclose(system.matrix.toarray(), H, atol=1e-11 * abs(H).max())


def test_state_and_context_of_several_variables() -> None:
    """One reading as a factor of three variables, as a sensor with two of them in its context, and in Python alone."""

    @sensor(state=POSE, context=PLACE * LENS, reading=PIXEL)
    def seen(x: Any, c: Any, p: Any, m: Any) -> Any:
        return pixel(x, c[:3], c[3:], c, p, m)

    class Written(Sensor):
        state, reading, context = POSE * PLACE * LENS, PIXEL, Space()

        def observe(self, x: Any, context: Any = None) -> Any:
            return reproject().observe(x)

        def noise(self, x: Any, context: Any = None) -> Any:
            return np.eye(2)

    rng = np.random.default_rng(5)
    variables = {
        "pose": Variables(POSE, POSES[:4], fixed=[3]),
        "point": Variables(PLACE, POINTS[:4]),
        "lens": Variables(LENS, [[300.0], [400.0]]),
    }
    i, j, k, z = rng.integers(0, 4, 20), rng.integers(0, 4, 20), rng.integers(0, 2, 20), rng.standard_normal((20, 2))
    ends = [("pose", i), ("point", j), ("lens", k)]
    found: list[Any] = []
    for factors in (
        Factors(reproject(), z, ends),
        Factors(seen(), z, ends[0], ends[1:]),
        Factors(Written(), z, ends),
    ):
        system = System(FactorGraph(variables, [factors]))
        chi2 = system.linearize(system.vector(system.graph))
        found.append((chi2, system.g, system.matrix.toarray()))
    for other, tolerance in ((found[1], 1e-12), (found[2], 1e-6)):
        for got, wanted in zip(other, found[0], strict=True):
            np.testing.assert_allclose(got, wanted, atol=tolerance * np.max(np.abs(wanted)))


def weighted_sum(dims: Sequence[int], A: Any) -> Any:
    """``z = A x`` of variables x of these dimensions."""

    def total(*given: Any) -> Any:
        *xs, _, p, _ = given
        flat = [e for x in xs for e in x]
        return [sum(a * e for a, e in zip(row, flat, strict=True)) for row in p.A]

    spaces = {f"v{n}": Space(f"x: float64[{dim}]") for n, dim in enumerate(dims)}
    return factor(variables=spaces, reading=Space(f"z: float64[{len(A)}]"), params={"A": A})(total)()


@pytest.mark.parametrize("seed", range(6))
def test_linear_graphs_are_least_squares(seed: int) -> None:
    """Factors of 1 to 4 variables of 1 to 3 dimensions, some fixed: optimum and covariances of the normal equations."""
    rng = np.random.default_rng(seed)
    counts = {1: 7, 2: 6, 3: 5}
    kinds = [(dim, k) for dim, count in counts.items() for k in range(count)]
    variables = {
        f"R{dim}": Variables(Space(f"x: float64[{dim}]"), rng.standard_normal((count, dim)), fixed=[2])
        for dim, count in counts.items()
    }
    start = dict(zip(kinds, np.cumsum([0, *(dim for dim, _ in kinds)]), strict=False))
    x0 = np.concatenate([variables[f"R{dim}"].values[k] for dim, k in kinds])
    free = np.concatenate([np.full(dim, k != 2) for dim, k in kinds])
    factors: list[Factors] = []
    H, g = np.zeros((len(x0), len(x0))), np.zeros(len(x0))
    for n in (1, 1, 1, 2, 2, 3, 3, 4, 4):
        dims, rows, K = rng.integers(1, 4, n) if n > 1 else [1 + len(factors) % 3], int(rng.integers(2, 4)), 12
        A = rng.standard_normal((rows, sum(dims)))
        ids = np.array([[rng.permutation(5)[:n] for _ in range(K)]]).reshape(K, n)  # no variable twice
        z, root = rng.standard_normal((K, rows)), rng.standard_normal((K, rows, rows))
        W = root @ np.swapaxes(root, 1, 2) + np.eye(rows)
        factors.append(
            Factors(weighted_sum(dims, A), z, [(f"R{d}", i) for d, i in zip(dims, ids.T, strict=True)], None, W)
        )
        for k in range(K):
            columns = np.concatenate([start[d, i] + np.arange(d) for d, i in zip(dims, ids[k], strict=True)])
            H[np.ix_(columns, columns)] += A.T @ W[k] @ A
            g[columns] += A.T @ W[k] @ (z[k] - A @ x0[columns])
    for dim, count in counts.items():  # those that no factor happened to name
        factors.append(Factors(weighted_sum([dim], np.eye(dim)), np.zeros((count, dim)), (f"R{dim}", range(count))))
        for k in range(count):
            columns = start[dim, k] + np.arange(dim)
            H[columns, columns] += 1.0
            g[columns] -= x0[columns]
    solution = GaussNewton().solve(FactorGraph(variables, factors))
    wanted, cov = x0.copy(), np.full_like(H, np.nan)
    wanted[free] += np.linalg.solve(H[np.ix_(free, free)], g[free])
    cov[np.ix_(free, free)] = np.linalg.inv(H[np.ix_(free, free)])
    assert solution.status is SolveStatus.CONVERGED
    for dim, k in kinds:
        columns = start[dim, k] + np.arange(dim)
        np.testing.assert_allclose(solution[f"R{dim}"][k], wanted[columns], rtol=0.0, atol=1e-9)
        if k != 2:
            belief = solution.belief(f"R{dim}", k)
            np.testing.assert_allclose(belief.cov, cov[np.ix_(columns, columns)], rtol=1e-9, atol=1e-12)


def scene() -> tuple[Any, Any, Any, Any]:
    """Six cameras around forty points: guesses of poses, points and focal length, and the pixels ``(6, 40, 2)``."""
    rng, angles = np.random.default_rng(3), np.linspace(0.0, 2.0, 6)
    points = rng.uniform(-1.0, 1.0, (40, 3))
    places = 5.0 * np.stack([np.sin(angles), 0.1 * np.cos(3.0 * angles), -np.cos(angles)], axis=1)
    poses = np.hstack([places, Rotation.from_euler("y", -angles[:, None]).as_quat(scalar_first=True)])
    seen = reproject().observe(np.array([[[*x, *y, 500.0] for y in points] for x in poses]))
    away = 0.03 * rng.standard_normal((6, 6)) * (np.arange(6) > 0)[:, None]
    guess = points + 0.05 * rng.standard_normal(points.shape)
    return POSE.plus(poses, away), guess, np.array([[470.0]]), seen + rng.standard_normal(seen.shape)


POSES, POINTS, FOCAL, PIXELS = scene()
BASELINE = 2.0
RIG = Factors(distance(std=1e-2), [[BASELINE]], ("camera", [[0, 1]]))


def bundle(fixed: Any, *more: Factors, information: Any = None) -> FactorGraph:
    """Pixels that six cameras with one lens see of forty points."""
    variables = {
        "camera": Variables(POSE, POSES, fixed),
        "point": Variables(PLACE, POINTS),
        "lens": Variables(LENS, FOCAL),
    }
    i, j = (k.ravel() for k in np.indices((6, 40)))
    seen = Factors(
        reproject(), PIXELS.reshape(-1, 2), [("camera", i), ("point", j), ("lens", 0)], information=information
    )
    return FactorGraph(variables, [seen, *more])


def residuals(v: Any) -> Any:
    """The residuals of `bundle` with its rig, in numpy: of places and rotation vectors, points and focal length."""
    moved, points, focal = v[:30].reshape(5, 6), v[30:150].reshape(40, 3), v[150]
    first = Rotation.from_quat(POSES[0, 3:], scalar_first=True)
    R = Rotation.concatenate([first, Rotation.from_rotvec(moved[:, 3:])]).as_matrix()
    places = np.vstack([POSES[:1, :3], moved[:, :3]])
    own = (points - places[:, None]) @ R
    pixels = PIXELS - focal * own[..., :2] / own[..., 2:]
    return np.append(pixels.ravel(), (BASELINE - np.linalg.norm(places[1] - places[0])) / 1e-2)


def test_bundle_adjustment_with_an_unknown_focal_length() -> None:
    """The minimum that SciPy finds with rotation vectors."""
    graph = bundle([0], RIG)
    solution = GaussNewton().solve(graph)
    turns = Rotation.from_quat(POSES[1:, 3:], scalar_first=True).as_rotvec()
    start = np.concatenate([np.hstack([POSES[1:, :3], turns]).ravel(), POINTS.ravel(), FOCAL[0]])
    found = least_squares(residuals, start, method="lm", xtol=1e-13, ftol=1e-13, gtol=1e-13)
    assert graph.unknowns == 151 and graph.residuals == 481
    assert solution.status is SolveStatus.CONVERGED
    assert graph.chi2 == pytest.approx((residuals(start) ** 2).sum(), rel=1e-9)
    assert solution.chi2[-1] == pytest.approx(2.0 * found.cost, rel=1e-9)
    np.testing.assert_allclose(solution["lens"][0, 0], found.x[150], rtol=1e-6)
    np.testing.assert_allclose(solution["point"], found.x[30:150].reshape(40, 3), atol=1e-5)
    np.testing.assert_allclose(solution["camera"][1:, :3], found.x[:30].reshape(5, 6)[:, :3], atol=1e-5)
    covariance = np.linalg.inv(found.jac.T @ found.jac)
    np.testing.assert_allclose(solution.belief("lens", 0).cov, covariance[150:, 150:], rtol=1e-4)
    np.testing.assert_allclose(solution.belief("point", 7).cov, covariance[51:54, 51:54], rtol=1e-4)


def test_a_free_gauge_is_named() -> None:
    """Without a fixed camera all may move; with one and no rig, all may grow; what sees nothing fixed is listed."""
    free = GaussNewton().solve(bundle([]))
    assert free.status is SolveStatus.UNDETERMINED
    assert "camera 0-5 and point 0-39 and lens 0 float" in free.reason
    scale = GaussNewton().solve(bundle([0]))
    assert scale.status is SolveStatus.UNDETERMINED
    assert "free to move together" in scale.reason
    with pytest.raises(ShapeError, match="point 3 has no covariance"):
        scale.belief("point", 3)


@factor(variables={"pose": Space("pose: SE2"), "tree": Space("x y [m]")}, reading=Space("bearing: angle"), std=0.01)
def bearing(pose: Any, tree: Any, c: Any, p: Any, m: Any) -> Any:
    return [m.atan2(tree[1] - pose[1], tree[0] - pose[0]) - pose[2]]


def bearings_only(seed: int, sensor: Any, *more: Factors) -> FactorGraph:
    """Six poses that see fifteen trees; the first one is held."""
    rng, (i, j) = np.random.default_rng(seed), (k.ravel() for k in np.indices((6, 15)))
    poses = np.stack([np.arange(6.0), 0.3 * rng.standard_normal(6), 0.1 * rng.standard_normal(6)], axis=1)
    trees = rng.uniform([0.0, 3.0], [6.0, 6.0], (15, 2))
    z = bearing().observe(np.hstack([poses[i], trees[j]])) + 0.01 * rng.standard_normal((90, 1))
    variables = {"pose": Variables(Space("pose: SE2"), poses, [0]), "tree": Variables(Space("x y [m]"), trees)}
    return FactorGraph(variables, [Factors(sensor, z, [("pose", i), ("tree", j)]), *more])


class Differenced(Sensor):
    """Bearings whose derivatives are differences."""

    state, reading, context = bearing().state, bearing().reading, Space()

    def observe(self, x: Any, context: Any = None) -> Any:
        return bearing().observe(x)

    def noise(self, x: Any, context: Any = None) -> Any:
        return bearing().noise(x)


@pytest.mark.parametrize("seed", range(6))
def test_bearings_say_nothing_of_the_scale(seed: int) -> None:
    """Whatever the rounding makes of H; one known place, however vague, makes it known."""
    solution = GaussNewton().solve(bearings_only(seed, bearing()))
    assert solution.status is SolveStatus.UNDETERMINED
    assert "leave the scale, and with it pose 1" in solution.reason
    with pytest.raises(ShapeError, match="tree 0 has no covariance: the readings leave the scale"):
        solution.belief("tree", 0)
    place = Factors(position(std=100.0), [[3.0, 0.3]], ("pose", [3]))
    known = GaussNewton().solve(bearings_only(seed, bearing(), place))
    assert known.status is SolveStatus.CONVERGED
    assert 10.0 < known.belief("tree", 0).std.max() < 2000.0


def test_the_scale_of_sensors_that_users_write() -> None:
    assert "leave the scale" in GaussNewton().solve(bearings_only(5, Differenced())).reason


@pytest.mark.parametrize("fixed", [[], [0]])
@pytest.mark.parametrize("seed", range(4))
def test_pixels_say_nothing_of_the_scale(seed: int, fixed: Any) -> None:
    """Six cameras whose lens distorts, which is known or not; a known distance makes all known."""
    rng, (i, j) = np.random.default_rng(seed), (k.ravel() for k in np.indices((6, 40)))
    lens = Space("f k")

    @factor(variables={"camera": POSE, "point": PLACE, "lens": lens}, reading=PIXEL)
    def distorted(camera: Any, point: Any, lens: Any, c: Any, p: Any, m: Any) -> Any:
        u, v = pixel(camera, point, [1.0], c, p, m)
        return [lens[0] * (1.0 + lens[1] * (u * u + v * v)) * w for w in (u, v)]

    truth = np.array([500.0, -0.1])
    seen = distorted().observe(np.hstack([POSES[i], POINTS[j], np.tile(truth, (240, 1))]))
    away = 0.02 * rng.standard_normal((6, 6)) * (np.arange(6) > 0)[:, None]
    variables = {
        "camera": Variables(POSE, POSE.plus(POSES, away), [0]),
        "point": Variables(PLACE, POINTS + 0.02 * rng.standard_normal(POINTS.shape)),
        "lens": Variables(lens, [truth], fixed),
    }
    ends = [("camera", i), ("point", j), ("lens", 0)]
    pixels = Factors(distorted(), seen + rng.standard_normal(seen.shape), ends)
    free = GaussNewton().solve(FactorGraph(variables, [pixels]))
    assert free.status is SolveStatus.UNDETERMINED
    assert "leave the scale, and with it camera 1" in free.reason
    assert GaussNewton().solve(FactorGraph(variables, [pixels, RIG])).status is SolveStatus.CONVERGED


def test_values_without_a_covariance() -> None:
    """A step that ends where the reading does not change: the sentence names it, not the end of the iteration."""

    @factor(variables={"x": Space("x")}, reading=Space("z"))
    def bent(x: Any, c: Any, p: Any, m: Any) -> Any:
        return [(x[0] - 1.0) ** 2]

    graph = FactorGraph({"x": Variables(Space("x"), [[0.0]])}, [Factors(bent(), [[-1.0]], ("x", [0]))])
    solution = GaussNewton(tolerance=100.0).solve(graph)
    assert solution.status is SolveStatus.CONVERGED and solution["x"] == [[1.0]]
    with pytest.raises(ShapeError, match=r"x 0 has no covariance: the readings leave x 0 \(x\) free"):
        solution.belief("x", 0)


@factor(variables={"a": PLACE, "b": PLACE}, reading=PLACE, std=0.0)
def exact_step(a: Any, b: Any, c: Any, p: Any, m: Any) -> Any:
    return [b[k] - a[k] for k in range(3)]


@pytest.mark.parametrize(("sensor", "ends", "name"), [
    (position(3, std=0.0), ("point", [0]), "position"),
    (position(3, std=(1.0, 0.0, 1.0)), ("point", [0]), "position"),
    (exact_step(), ("point", [[0, 1]]), "exact_step"),
])  # fmt: skip
def test_sensors_without_noise(sensor: Any, ends: Any, name: str) -> None:
    """No inverse of its noise can weigh a reading; information does."""
    variables = {"point": Variables(PLACE, np.zeros((2, 3)), [1])}
    graph = FactorGraph(variables, [Factors(sensor, [[1.0, 2.0, 3.0]], ends)])
    for use in (GaussNewton().solve, lambda graph: graph.chi2):
        with pytest.raises(CovarianceError, match=rf"noise of {name}\(.*information="):
            use(graph)
    weighed = Factors(sensor, [[1.0, 2.0, 3.0]], ends, information=np.eye(3))
    assert GaussNewton().solve(FactorGraph(variables, [weighed])).status is SolveStatus.CONVERGED


def test_parts_that_are_not_connected_are_named() -> None:
    see = reproject()
    poses, points = Variables(POSE, POSES, fixed=[0, 1, 2]), Variables(PLACE, POINTS)
    lenses = Variables(LENS, np.repeat(FOCAL, 2, axis=0))
    i, j = (k.ravel() for k in np.indices((6, 40)))
    one = (i < 3) == (j < 20)  # the first three cameras see the first twenty points, the others the others
    seen = Factors(see, PIXELS.reshape(-1, 2)[one], [("camera", i[one]), ("point", j[one]), ("lens", i[one] // 3)])
    solution = GaussNewton().solve(FactorGraph({"camera": poses, "point": points, "lens": lenses}, [seen]))
    assert solution.status is SolveStatus.UNDETERMINED
    assert "camera 3-5 and point 20-39 and lens 1 float" in solution.reason


def test_ties_that_say_where_variables_are() -> None:
    """Sum and difference of two numbers: neither is fixed or read alone, yet both are known."""
    both = Variables(Space("x: float64[1]"), [[0.0], [0.0]])
    ends = ("x", [[0, 1], [0, 1]])
    z = weighted_sum([1, 1], [[1.0, 1.0], [1.0, -1.0]])
    known = GaussNewton().solve(FactorGraph({"x": both}, [Factors(z, [[5.0, 1.0], [5.0, 1.0]], ends)]))
    np.testing.assert_allclose(known["x"], [[3.0], [2.0]], atol=1e-12)
    z = weighted_sum([1, 1], [[1.0, -1.0]])
    loose = GaussNewton().solve(FactorGraph({"x": both}, [Factors(z, [[1.0], [1.0]], ends)]))
    assert "x 0-1 float" in loose.reason


def pose_graph_of(x: Any, z: Any = ((0.0,) * 7,), sensor: Any = None, context: Any = None) -> FactorGraph:
    poses = Variables(POSE, np.tile(POSE.identity(), (3, 1)))
    sensor = relative_pose(3) if sensor is None else sensor
    variables = {"pose": poses, "point": Variables(PLACE, np.ones((2, 3))), "lens": Variables(LENS, [[1.0]])}
    return FactorGraph(variables, [Factors(sensor, z, x, context)])


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda: pose_graph_of([("pose", [0]), ("lens", [0]), ("point", [1])], [[0, 0]], reproject()),
     r"the state of pixel\(std=.*\) is .*; its variables, pose, lens, point, live in"),
    (lambda: pose_graph_of([("pose", [0]), ("point", [1])], [[0, 0]], reproject()), "its variables, pose, point, live"),
    (lambda: pose_graph_of([("pose", [0]), ("tree", [1]), ("lens", 0)], [[0, 0]], reproject()), "variables 'tree'"),
    (lambda: pose_graph_of([("pose", [0]), ("point", [2]), ("lens", 0)], [[0, 0]], reproject()), "from 0 to 1"),
    (lambda: pose_graph_of([("pose", [0]), ("point", 0.5), ("lens", 0)], [[0, 0]], reproject()), "whole numbers"),
    (lambda: pose_graph_of([("pose", [0, 1]), ("point", 0), ("lens", 0)], [[0, 0]], reproject()), r"shape \(2,\)"),
    (lambda: pose_graph_of(("pose", np.zeros((1, 0), int)), [[0, 0]], reproject()), r"shape \(1, 0\)"),
    (lambda: pose_graph_of([], [[0, 0]], reproject()), "x is "),
    (lambda: pose_graph_of([("pose", [0]), "point"], [[0, 0]], reproject()), "x is "),
    (lambda: pose_graph_of([("pose", [0]), ("point", [0]), ("lens", 0)], [[0, 0]], reproject(), [1.0]), "no context"),
    (lambda: bundle([0], information=np.diag([1.0, -1.0])), "eigenvalue -1"),
])  # fmt: skip
def test_misuse_is_answered_in_a_sentence(call: Any, sentence: str) -> None:
    with pytest.raises((ShapeError, SpaceError), match=sentence):
        call()


def test_no_variable_is_tied_to_itself() -> None:
    """Also where the context is known, and whichever two of the variables it is."""
    h, spaces, reading, context = KINDS["six"]
    made = factor(variables=spaces, reading=reading, context=context)(h)()
    variables = {
        "pose": Variables(POSE, np.tile(POSE.identity(), (2, 1))),
        "speed": Variables(VECTOR, np.zeros((2, 3))),
        "bias": Variables(BIAS, np.zeros((2, 6))),
    }
    z = [reading.identity()]
    for same in ("pose", "speed", "bias"):
        ends = [(k, [n if k != same else 1]) for n in (0, 1) for k in variables]
        with pytest.raises(ShapeError, match=f"ties {same} 1 to itself"):
            FactorGraph(variables, [Factors(made, z, ends, [0.1])])
    assert (
        FactorGraph(variables, [Factors(made, z, [(k, n) for n in (0, 1) for k in variables], [0.1])]).residuals == 15
    )
