"""Jump point search: the optimum of A*, over whole paths, on every kind of map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core import PilotageError, PlanStatus
from pilotage.io import read_movingai_scenarios
from pilotage.maps import OccupancyGrid
from pilotage.planners import AStar, JumpPointSearch, solve_scenario
from pilotage.planners.search.workspace import borrow

from .test_scenarios import FILES
from .test_search import check_path, random_case


@given(seed=st.integers(0, 1_000_000))
def test_it_is_as_good_as_astar(seed: int) -> None:
    grid, start, goal, _ = random_case(seed)
    ends = grid.cell_to_world(start), grid.cell_to_world(goal)
    exact, jumped = AStar().plan(grid, *ends), JumpPointSearch().plan(grid, *ends)
    assert jumped.status is exact.status
    assert jumped.cost == pytest.approx(exact.cost, rel=1e-12)
    assert jumped.lower_bound == jumped.cost
    if jumped.ok:
        check_path(jumped, grid, start, goal)
        assert jumped.xs is not None
        assert jumped.cost == pytest.approx(np.hypot(*np.diff(jumped.xs, axis=0).T).sum(), rel=1e-12)


@given(seed=st.integers(0, 1_000_000))
def test_dead_ends_are_left_and_entered(seed: int) -> None:
    """A maze of corridors one cell wide, with a few loops, and many queries in one workspace."""
    rng = np.random.default_rng(seed)
    blocked = np.ones((2 * rng.integers(2, 8) + 1, 2 * rng.integers(2, 8) + 1), dtype=bool)
    stack = [(1, 1)]
    blocked[1, 1] = False
    while stack:
        row, column = stack[-1]
        steps = [(dr, dc) for dr, dc in ((0, 2), (2, 0), (0, -2), (-2, 0))]
        ahead = [(row + dr, column + dc, row + dr // 2, column + dc // 2) for dr, dc in steps]
        ahead = [a for a in ahead if 0 < a[0] < len(blocked) and 0 < a[1] < len(blocked[0]) and blocked[a[:2]]]
        if not ahead:
            stack.pop()
            continue
        *there, row, column = ahead[rng.integers(len(ahead))]
        blocked[row, column] = blocked[tuple(there)] = False
        stack.append((there[0], there[1]))
    blocked[rng.random(blocked.shape) < rng.choice([0.0, 0.03, 0.1])] ^= True
    grid = OccupancyGrid.from_occupied(blocked, resolution=1.0)
    cells = np.argwhere(grid.free)
    for start, goal in cells[rng.integers(len(cells), size=(20, 2))]:
        ends = grid.cell_to_world(start), grid.cell_to_world(goal)
        exact, jumped = AStar().plan(grid, *ends), JumpPointSearch().plan(grid, *ends)
        assert jumped.status is exact.status
        assert jumped.cost == pytest.approx(exact.cost, rel=1e-12)
        if jumped.ok:
            check_path(jumped, grid, start, goal)


def test_labels_start_anew_when_they_are_used_up() -> None:
    grid = OccupancyGrid.from_ascii(["......", ".####.", "......", "#.####"])
    first = JumpPointSearch().plan(grid, (0.5, 3.5), (1.5, 0.5))
    with borrow(grid, "blocked") as space:
        space._floor = 0
    assert JumpPointSearch().plan(grid, (5.5, 3.5), (1.5, 0.5)).cost == AStar().plan(grid, (5.5, 3.5), (1.5, 0.5)).cost
    assert JumpPointSearch().plan(grid, (0.5, 3.5), (1.5, 0.5)).cost == first.cost


@pytest.mark.parametrize("name", FILES)
def test_published_optima(name: str, data: Path) -> None:
    file = data / "movingai" / name
    every = max(len(read_movingai_scenarios(file)) // 40, 1)
    assert solve_scenario(file, JumpPointSearch(), every=every).mismatches == ()


@pytest.mark.slow
def test_every_published_optimum(data: Path) -> None:
    for file in sorted(file for file in (data / "movingai").glob("*/*.scen*") if file.parent.name != "mapf"):
        assert solve_scenario(file, JumpPointSearch()).mismatches == (), file


def test_a_jump_may_be_longer_than_a_table_can_say() -> None:
    grid = OccupancyGrid.from_occupied(np.zeros((2, 70_000), dtype=bool), resolution=1.0)
    plan = JumpPointSearch().plan(grid, (0.5, 0.5), (69_999.5, 1.5))
    assert plan.cost == pytest.approx(69_998 + 2**0.5, rel=1e-12)


def test_open_ground_needs_few_expansions() -> None:
    occupied = np.zeros((300, 300), dtype=bool)
    occupied[100:200, 150] = True
    grid = OccupancyGrid.from_occupied(occupied, resolution=1.0)
    exact, jumped = (planner.plan(grid, (20.5, 150.5), (280.5, 140.5)) for planner in (AStar(), JumpPointSearch()))
    assert jumped.cost == pytest.approx(exact.cost, rel=1e-12)
    assert jumped.stats["expansions"] < 0.01 * exact.stats["expansions"]


def test_a_spent_budget_gives_a_bound() -> None:
    rng = np.random.default_rng(0)
    grid = OccupancyGrid.from_occupied(rng.random((1000, 1000)) < 0.35, resolution=0.1)
    inside = np.argwhere(grid.free_component(grid.cell_to_world(np.argwhere(grid.free)[300_000])))
    ends = grid.cell_to_world(inside[[0, -1]])
    optimum, plan = JumpPointSearch().plan(grid, *ends), JumpPointSearch().plan(grid, *ends, budget=0.0)
    assert optimum.stats["expansions"] > 50_000
    assert plan.status is PlanStatus.BUDGET
    assert 0.0 < plan.lower_bound <= optimum.cost


def test_costs_are_refused_in_words() -> None:
    grid = OccupancyGrid.from_ascii(["..."])
    with pytest.raises(PilotageError, match="AStar plans under costs"):
        JumpPointSearch().plan(grid, (0.5, 0.5), (2.5, 0.5), costs=np.ones((1, 3)))
