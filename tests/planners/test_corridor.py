"""Corridors and the smooth curves in them: clear of all obstacles, exactly, and as smooth as can be."""

from __future__ import annotations

import numpy as np
import pytest

from pilotage.core import Plan, PlanStatus, SettingError, ShapeError, Space
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.planners import AStar, Corridor, CorridorSmoother, Dubins
from pilotage.planners.smoothing._quadratic import minimize
from pilotage.planners.smoothing.corridor_smoother import _program, _smoothest

ROBOT = Footprint.disc(0.25)


def whole(P: np.ndarray) -> np.ndarray:
    """The symmetric matrix of upper diagonals."""
    n, w = P.shape
    out = np.zeros((n + w, n + w))
    for k in range(w):
        out[np.arange(n), np.arange(n) + k] = P[:, k]
    assert not out[:, n:].any()
    return (out + np.triu(out, 1).T)[:n, :n]


def spread(G: np.ndarray, first: np.ndarray, n: int) -> np.ndarray:
    """The matrix of rows on neighbouring variables."""
    out = np.zeros((len(G), n + G.shape[1]))
    out[np.arange(len(G))[:, None], first[:, None] + np.arange(G.shape[1])] = G
    assert not out[:, n:].any()
    return out[:, :n]


def cluttered(seed: int) -> tuple[OccupancyGrid, Plan, object]:
    """A turned map with random obstacles, and a path of a disc through it."""
    draw = np.random.default_rng(seed)
    occupied = draw.random((60, 80)) < 0.015
    occupied[:12, :12] = occupied[-12:, -12:] = False
    grid = OccupancyGrid.from_occupied(occupied, resolution=0.1, origin=(1.0, -2.0, 0.4))
    start, goal = grid.cell_to_world([[5, 5], [54, 74]])
    problem = grid.problem(start, goal, ROBOT)
    return grid, AStar().plan(problem), problem


@pytest.mark.parametrize("seed", range(1, 6))
def test_regions_are_clear_and_overlap(seed: int) -> None:
    grid, plan, problem = cluttered(seed)
    assert plan, plan
    corridor = Corridor.along(plan, problem)
    assert corridor.gap() == ""
    np.testing.assert_array_equal(corridor.waypoints[[0, -1]], plan.xs[[0, -1]])
    for polygon in corridor.polygons:
        # A robot of the shape of the region: the exact distance of a convex polygon to the nearest square.
        assert Footprint.polygon(polygon).clearance(grid.obstacles(), [0.0, 0.0, 0.0]) >= ROBOT.radius - 1e-9
    for i, waypoint in enumerate(corridor.waypoints[1:-1]):
        for A, b in (corridor.half_planes(i), corridor.half_planes(i + 1)):
            assert (A @ waypoint <= b + 1e-9).all()


@pytest.mark.parametrize("seed", range(1, 6))
def test_curves_are_clear_smooth_and_join_the_ends(seed: int) -> None:
    grid, plan, problem = cluttered(seed)
    smooth = CorridorSmoother().smooth(plan, problem)
    assert smooth, smooth.reason
    xy = smooth.xs[:, :2]
    np.testing.assert_allclose(xy[[0, -1]], plan.xs[[0, -1]], atol=1e-9)
    assert grid.clearance(smooth.xs, ROBOT).min() >= -1e-7
    assert smooth.stats["corridor"].contains(xy).all()
    assert np.linalg.norm(np.diff(xy, axis=0), axis=-1).max() <= 0.05 + 1e-9
    # The turn between samples agrees with the curvature of the formula, across joints too.
    steps = np.diff(xy, axis=0)
    turns = np.diff(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0])))
    lengths = np.linalg.norm(steps, axis=-1)
    between = 0.5 * (lengths[1:] + lengths[:-1])
    curvature = smooth.stats["curvature"]
    np.testing.assert_allclose(turns / between, curvature[1:-1], atol=0.02 * (1.0 + abs(curvature).max()))


def test_no_other_curve_in_the_corridor_is_smoother() -> None:
    """The conditions of Karush, Kuhn and Tucker, with multipliers found by least squares with bounds of their own."""
    from scipy.optimize import lsq_linear

    _, plan, problem = cluttered(3)
    corridor = Corridor.along(plan, problem)
    spans = np.linalg.norm(np.diff(corridor.waypoints, axis=0), axis=-1)
    controls, roughness, _ = _smoothest(corridor, spans, None, 1.0)
    assert controls is not None
    P, G, first, h = _program(corridor, spans, 1.0)
    P, G = whole(P), spread(G, first, len(P))
    T = spans[:, None]
    p = np.concatenate([controls[:, 0], controls[-1:, 5]])
    v = np.concatenate([5 * (controls[:, 1] - controls[:, 0]) / T, 5 * (controls[-1:, 5] - controls[-1:, 4]) / T[-1]])
    a = np.concatenate([
        20 * (controls[:, 2] - 2 * controls[:, 1] + controls[:, 0]) / T**2,
        20 * (controls[-1:, 5] - 2 * controls[-1:, 4] + controls[-1:, 3]) / T[-1] ** 2,
    ])  # fmt: skip
    x = np.stack([p, v, a], 1).ravel()
    assert x @ (P @ x) == pytest.approx(roughness, rel=1e-6)
    free = np.setdiff1d(np.arange(len(x)), [0, 1, len(x) - 6, len(x) - 5])
    active = h - G @ x < 1e-5
    gradient = (P @ x)[free]
    multipliers = lsq_linear(G[active][:, free].T, -gradient, bounds=(0.0, np.inf))
    assert np.linalg.norm(multipliers.fun) <= 1e-3 * max(np.linalg.norm(gradient), 1e-3)
    assert active.any()


@pytest.mark.parametrize("kept", [[], [0, 11], [4, 5]])
@pytest.mark.parametrize("seed", range(5))
def test_quadratic_programs_against_another_solver(seed: int, kept: list[int]) -> None:
    from scipy.optimize import minimize as other

    draw = np.random.default_rng(seed)
    n = 12
    root = np.diag(draw.normal(size=n)) + np.diag(draw.normal(size=n - 1), 1)
    full, q = root.T @ root, draw.normal(size=n)
    P = np.zeros((n, 3))
    P[:, 0], P[:-1, 1] = np.diag(full), np.diag(full, 1)
    G = np.zeros((3 * n - 1, 3))
    G[:n, 0], G[n : 2 * n, 0], G[2 * n :, :2] = 1.0, -1.0, 1.0
    first = np.concatenate([np.arange(n), np.arange(n), np.arange(n - 1)])
    h = np.concatenate([np.ones(2 * n), 0.5 + draw.random(n - 1) * 0.2])
    x = np.full(n, 3.0)
    x[kept] = draw.uniform(-0.2, 0.2, len(kept))
    found = minimize(P, q, G, first, h, x, np.array(kept, dtype=int))
    assert found.converged
    np.testing.assert_array_equal(found.x[kept], x[kept])
    dense = spread(G, first, n)
    assert (dense @ found.x <= h + 1e-8).all()
    fixed = [{"type": "eq", "fun": lambda y: y[kept] - x[kept]}] if kept else []
    reference = other(
        lambda y: 0.5 * y @ (full @ y) + q @ y, np.zeros(n), jac=lambda y: full @ y + q, method="SLSQP",
        constraints=[{"type": "ineq", "fun": lambda y: h - dense @ y, "jac": lambda y: -dense}, *fixed], tol=1e-12,
    )  # fmt: skip
    assert 0.5 * found.x @ (full @ found.x) + q @ found.x == pytest.approx(reference.fun, abs=1e-6)


def test_a_program_without_solution_does_not_converge() -> None:
    G, first, none = np.array([[1.0], [-1.0]]), np.zeros(2, dtype=int), np.zeros(0, dtype=int)
    P, q, h = np.eye(1), np.zeros(1), np.array([-1.0, -1.0])
    assert not minimize(P, q, G, first, h, np.zeros(1), none).converged
    assert not minimize(P, q, G, first, h, np.zeros(1), np.array([0])).converged


def test_in_free_space_the_curve_is_the_line() -> None:
    problem = OccupancyGrid.from_ascii(["." * 12] * 12).problem([0.5, 0.5], [10.5, 7.5])
    smooth = CorridorSmoother().smooth(AStar().plan(problem), problem)
    assert smooth.cost == pytest.approx(np.hypot(10.0, 7.0), rel=1e-4)
    assert smooth.stats["roughness"] < 1e-6


def test_headings_of_the_ends() -> None:
    grid = OccupancyGrid.from_occupied(np.zeros((100, 100), bool), resolution=0.1)
    problem = grid.problem([2.0, 2.0, 0.0], [7.0, 7.0, 1.5], ROBOT, space=Space("pose: SE2"))
    plan = Dubins(1.0).connect([2.0, 2.0, 0.0], [7.0, 7.0, 1.5], spacing=0.1)
    smooth = CorridorSmoother(heading=True).smooth(plan, problem)
    assert smooth, smooth.reason
    np.testing.assert_allclose(smooth.xs[[0, -1]], plan.xs[[0, -1]], atol=1e-6)


def test_what_does_not_fit_has_a_status_and_a_reason() -> None:
    hall = OccupancyGrid.from_ascii(["......"] * 3)
    problem = hall.problem([0.5, 1.5], [5.5, 1.5], Footprint.disc(0.3))
    plan = AStar().plan(problem)
    wide = hall.problem([1.5, 1.5], [4.5, 1.5], Footprint.disc(1.4))
    assert CorridorSmoother().smooth(plan, wide).status is PlanStatus.INVALID
    assert "1.40 m" in CorridorSmoother().smooth(plan, wide).reason
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    apart = Corridor(np.array([[0.5, 0.5], [2.0, 0.5], [4.5, 0.5]]), (square, square + [4.0, 0.0]))
    assert "waypoint 1" in CorridorSmoother().smooth(plan, problem, apart).reason
    # From a wall, into the wall: no curve leaves that way.
    posed = hall.problem([0.5, 1.5, 0.0], [5.5, 1.5, 0.0], Footprint.disc(0.45), space=Space("pose: SE2"))
    against = Plan(PlanStatus.SOLVED, Space("pose: SE2"), np.array([[0.5, 1.5, 3.1], [5.5, 1.5, 0.0]]), cost=5.0)
    assert CorridorSmoother(heading=True).smooth(against, posed).status is PlanStatus.NO_PATH
    failed = Plan(PlanStatus.NO_PATH, reason="blocked")
    assert CorridorSmoother().smooth(failed, problem) is failed
    with pytest.raises(SettingError, match="Problem"):
        CorridorSmoother().smooth(plan, None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ShapeError, match="polygon"):
        Corridor(np.zeros((2, 2)), ())
