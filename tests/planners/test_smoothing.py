"""Shortcuts: shorter paths with the same ends, which the problem allows."""

from __future__ import annotations

import numpy as np
import pytest

from pilotage.core import Plan, PlanStatus, Problem, SettingError, Space
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.planners import AStar, ReedsShepp, RRTConnect, Shortcut

from .test_rrt_connect import CAR, HALL, inspect, pose


def test_a_zigzag_on_free_ground_becomes_a_line() -> None:
    problem = OccupancyGrid.from_ascii(["." * 30] * 20).problem([0.5, 0.5], [28.5, 11.5])
    plan = AStar().plan(problem)
    short = Shortcut().smooth(plan, problem)
    assert short.xs is not None
    np.testing.assert_array_equal(short.xs, [[0.5, 0.5], [28.5, 11.5]])
    assert short.cost == pytest.approx(np.hypot(28.0, 11.0)) == pytest.approx(short.lower_bound)
    assert plan.cost > short.cost + 1.0


def test_the_lower_bound_is_that_of_the_nearest_goal() -> None:
    problem = OccupancyGrid.from_ascii(["." * 30] * 20).problem([0.5, 0.5], [[28.5, 11.5], [3.5, 4.5]])
    plan = Plan(PlanStatus.SOLVED, problem.space, [[0.5, 0.5], [28.5, 11.5]])
    assert Shortcut().smooth(plan, problem).lower_bound == pytest.approx(5.0)


def test_the_shortest_way_around_a_corner() -> None:
    """A square of four metres in the way of a point: the shortest way touches one or two of its corners."""
    low, high = 3.0, 7.0
    disc = Problem(
        Space("x y [m] in [0, 10]"), [1.0, 5.5], [9.0, 5.5],
        is_free=lambda x: ~((x > low) & (x < high)).all(-1), resolution=0.05,
    )  # fmt: skip
    plan = RRTConnect().plan(disc, rng=1)
    short = Shortcut(tries=200).smooth(plan, disc)
    best = 2.0 * np.hypot(2.0, 1.5) + 4.0
    assert best - 0.2 <= short.cost < 1.05 * best
    assert short.cost < plan.cost


@pytest.mark.parametrize("seed", range(2))
def test_plans_of_every_kind_stay_clear(seed: int) -> None:
    disc = Footprint.disc(0.3)
    point = HALL.problem(pose(3, 1)[:2], pose(19, 4.5)[:2], disc)
    car = HALL.problem(pose(3, 1), pose(19, 4.5, -2.0), CAR, space=Space("pose: SE2"))
    curve = ReedsShepp(0.8)
    cases = [
        (point, disc, AStar().plan(point), Shortcut(tries=25)),
        (car, CAR, RRTConnect().plan(car, rng=seed), Shortcut(tries=25)),
        (car, CAR, RRTConnect(steering=curve).plan(car, rng=seed), Shortcut(tries=25, steering=curve)),
    ]
    for problem, footprint, plan, shortcut in cases:
        short = shortcut.smooth(plan, problem, rng=seed)
        assert plan.xs is not None
        assert short.xs is not None
        assert short.cost <= plan.cost + 1e-9
        np.testing.assert_array_equal(short.xs[[0, -1]], plan.xs[[0, -1]])
        assert problem.edges_allowed(short.xs[:-1], short.xs[1:]).all()
        if problem is car and seed == 0:
            inspect(short, problem, footprint, HALL)
        if shortcut.steering is not None:
            twists = problem.space.minus(short.xs[1:], short.xs[:-1])
            assert (abs(twists[:, 2]) <= abs(twists[:, 0]) / curve.radius + 1e-6).all()
            assert abs(twists[:, 1]).max() < 1e-6
        np.testing.assert_array_equal(short.xs, shortcut.smooth(plan, problem, rng=seed).xs)


def test_what_cannot_be_smoothed() -> None:
    problem = OccupancyGrid.from_ascii(["..."]).problem([0.5, 0.5], [2.5, 0.5])
    failed = Plan(PlanStatus.NO_PATH, reason="blocked")
    assert Shortcut().smooth(failed, problem) is failed
    single = Plan(PlanStatus.SOLVED, problem.space, np.array([[0.5, 0.5]]), cost=0.0)
    assert Shortcut().smooth(single, problem).cost == 0.0
    with pytest.raises(SettingError, match="Problem"):
        Shortcut().smooth(failed, None)  # pyright: ignore[reportArgumentType]
