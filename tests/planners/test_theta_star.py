"""Theta* and lazy Theta*: lines of sight that are clear, and no path longer than that of A*."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pilotage.core import PilotageError, PlanStatus
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.planners import AStar, LazyThetaStar, ThetaStar

from .test_search import random_case

PLANNERS = [ThetaStar(), LazyThetaStar()]


def touches(a: np.ndarray, b: np.ndarray, cell: np.ndarray) -> bool:
    """Whether the segment between the middles of two cells touches the closed square of a third, in whole numbers."""
    a, b, cell = 2 * a, 2 * b, 2 * cell
    if (np.maximum(a, b) < cell - 1).any() or (np.minimum(a, b) > cell + 1).any():
        return False
    corners = cell + np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    sides = (b - a)[0] * (corners - a)[:, 1] - (b - a)[1] * (corners - a)[:, 0]
    return bool((sides >= 0).any() and (sides <= 0).any())


@settings(max_examples=60)
@given(seed=st.integers(0, 100_000))
def test_lines_touch_no_obstacle_and_are_not_longer_than_the_steps_of_astar(seed: int) -> None:
    grid, start, goal, _ = random_case(seed)
    ends = grid.cell_to_world(start), grid.cell_to_world(goal)
    steps = AStar().plan(grid, *ends)
    for planner in PLANNERS:
        plan = planner.plan(grid, *ends)
        assert plan.status is steps.status
        if not plan.ok:
            continue
        assert plan.xs is not None
        cells = grid.world_to_cell(plan.xs)
        np.testing.assert_array_equal(cells[[0, -1]], [start, goal])
        for a, b in itertools.pairwise(cells):
            assert not any(touches(a, b, cell) for cell in np.argwhere(~grid.free))
        assert plan.cost == pytest.approx(np.hypot(*np.diff(plan.xs, axis=0).T).sum(), rel=1e-12)
        assert plan.lower_bound <= plan.cost <= steps.cost * (1 + 1e-12)


@settings(max_examples=40)
@given(seed=st.integers(0, 100_000), radius=st.sampled_from([0.0, 0.3]))
@example(seed=3532, radius=0.3)
def test_a_robot_with_a_footprint_is_clear_all_along(seed: int, radius: float) -> None:
    grid, start, goal, _ = random_case(seed)
    problem = grid.problem(grid.cell_to_world(start), grid.cell_to_world(goal), Footprint.disc(radius))
    steps = AStar().plan(problem)
    for planner in PLANNERS:
        plan = planner.plan(problem)
        assert plan.status is steps.status
        if plan.ok:
            assert plan.xs is not None
            between = plan.xs[:-1] + np.linspace(0.0, 1.0, 50)[:, None, None] * np.diff(plan.xs, axis=0)
            assert grid.clearance(between.reshape(-1, 2)).min() >= radius - 1e-12
            if "led_out" not in plan.stats:  # ends too near to be certainly clear on large cells are led out of first
                assert problem.edges_allowed(plan.xs[:-1], plan.xs[1:]).all()
            assert plan.cost <= steps.cost * (1 + 1e-12)


@pytest.mark.parametrize("planner", PLANNERS, ids=str)
def test_what_is_in_sight_is_reached_straight(planner: ThetaStar) -> None:
    grid = OccupancyGrid.from_ascii(["." * 40] * 30)
    plan = planner.plan(grid, (0.5, 0.5), (39.5, 22.5))
    assert plan.xs is not None
    assert len(plan.xs) == 2
    assert plan.cost == plan.lower_bound == pytest.approx(np.hypot(39, 22), rel=1e-12)


@pytest.mark.parametrize("planner", PLANNERS, ids=str)
def test_a_line_through_a_corner_is_blocked(planner: ThetaStar) -> None:
    """The diagonal touches the obstacle beside it in one point."""
    grid = OccupancyGrid.from_ascii(["....", "....", ".#..", "...."])
    plan = planner.plan(grid, (0.5, 0.5), (2.5, 2.5))
    assert plan.cost > np.hypot(2, 2)


@pytest.mark.parametrize("planner", PLANNERS, ids=str)
def test_a_spent_budget_and_costs(planner: ThetaStar) -> None:
    rng = np.random.default_rng(0)
    grid = OccupancyGrid.from_occupied(rng.random((300, 300)) < 0.3, resolution=0.1)
    inside = np.argwhere(grid.free_component(grid.cell_to_world(np.argwhere(grid.free)[30_000])))
    ends = grid.cell_to_world(inside[[0, -1]])
    plan = planner.plan(grid, *ends, budget=0.0)
    assert plan.status is PlanStatus.BUDGET
    assert 0.0 < plan.lower_bound <= planner.plan(grid, *ends).cost
    with pytest.raises(PilotageError, match="AStar plans under costs"):
        planner.plan(grid, *ends, costs=np.ones(grid.shape))


@pytest.mark.parametrize("planner", PLANNERS, ids=repr)
def test_the_start_is_expanded_however_its_distance_to_the_goal_is_rounded(planner: ThetaStar | LazyThetaStar) -> None:
    """`hypot` rounds otherwise than the root of a sum of squares; Boston_1_256 had no path from (220, 15) to (10, 195).

    On an empty map, the straight line is the path.
    """
    hall = OccupancyGrid.from_ascii(["." * 64] * 64)
    dx, dy = np.indices((64, 64)).reshape(2, -1)
    differing = np.flatnonzero(np.hypot(dx, dy) > np.sqrt((dx * dx + dy * dy).astype(float)))
    assert len(differing) > 0
    for x, y in zip(dx[differing][:100], dy[differing][:100], strict=True):
        plan = planner.plan(hall, (0.5, 0.5), (x + 0.5, y + 0.5))
        assert plan.ok and len(plan.xs) == 2, plan
