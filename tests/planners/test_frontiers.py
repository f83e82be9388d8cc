"""Exploration by frontiers: all that can be reached is seen, and nothing else is driven to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import PlanStatus, SettingError, ShapeError
from pilotage.maps import Lidar, OccupancyGrid, OccupancyMap
from pilotage.planners import FrontierExploration, frontiers

ROOMS = """
##############################
#............#...............#
#............#...............#
#............#...............#
#............................#
#............................#
#............................#
#............#...............#
#............#...............#
##############################
"""


def known(cells: Any) -> OccupancyGrid:
    """A map of 0 (free), 1 (occupied) and -1 (unknown)."""
    return OccupancyGrid.from_probability(np.where(np.asarray(cells) < 0, np.nan, np.asarray(cells, dtype=float)), 0.5)


@given(st.lists(st.lists(st.sampled_from([-1, 0, 1]), min_size=5, max_size=5), min_size=1, max_size=6))
@settings(max_examples=60)
def test_frontiers_are_the_free_cells_beside_unknown_ones(cells: list[list[int]]) -> None:
    grid, expected = known(cells), set[tuple[int, int]]()
    rows, columns = len(cells), len(cells[0])
    for i in range(rows):
        for j in range(columns):
            near = [(i + a, j + b) for a, b in ((0, 1), (1, 0), (0, -1), (-1, 0))]
            inside = [(a, b) for a, b in near if 0 <= a < rows and 0 <= b < columns]
            if cells[i][j] == 0 and (len(inside) < 4 or any(cells[a][b] == -1 for a, b in inside)):
                expected.add((i, j))
    found = [tuple(cell) for each in frontiers(grid) for cell in grid.world_to_cell(each.points).tolist()]
    assert len(found) == len(set(found)) and set(found) == expected
    lengths = [each.length for each in frontiers(grid)]
    assert lengths == sorted(lengths, reverse=True) and all(each > 0.0 for each in lengths)
    assert all(each.length >= 1.5 for each in frontiers(grid, least=1.5))


def test_a_robot_sees_all_that_it_can_reach() -> None:
    """An exact robot, which jumps to the end of each path: two rooms, and a third without a door."""
    world = OccupancyGrid.from_ascii(ROOMS.strip().split("\n"))
    solid = world.occupied.copy()
    solid[:, 22] = True  # the third room
    world = OccupancyGrid.from_occupied(solid, 0.25)
    lidar = Lidar(world, angles=120, max_range=3.0)
    built, pose, plans = OccupancyMap(0.125), np.array([1.1, 1.1, 0.0]), 0
    explorer = FrontierExploration(least=0.3)
    while True:
        built.insert(pose, lidar.observe(pose), lidar.angles, 3.0)
        grid = built.grid()
        plan = explorer.plan(grid, pose, radius=0.2)
        if not plan or plans > 30:
            break
        assert plan.xs is not None and world.is_free(plan.xs).all() and plan.footprint is not None
        assert np.linalg.norm(plan.xs[-1] - plan.stats["frontier"]) < 0.2 + explorer.near + 0.2
        pose, plans = np.array([*plan.xs[-1], 0.0]), plans + 1
    assert plan.status is PlanStatus.NO_PATH and 2 <= plans <= 30
    free = np.argwhere(world.free)
    reachable = free[free[:, 1] < 22]
    seen = grid.is_free(world.cell_to_world(reachable))
    assert seen.mean() > 0.97
    assert not grid.is_free(world.cell_to_world(free[free[:, 1] > 22])).any()


def test_the_near_and_the_long_frontier_come_first() -> None:
    cells = np.zeros((9, 40))
    cells[0] = cells[-1] = 1.0
    cells[:, [0, -1]] = 1.0
    cells[4, 0], cells[2:7, -1] = -1.0, -1.0  # a short one on the left, a long one on the right
    grid = known(cells)
    left = FrontierExploration(least=0.4, gain=0.0).plan(grid, (9.0, 2.25), radius=0.1)
    right = FrontierExploration(least=0.4, gain=10.0).plan(grid, (9.0, 2.25), radius=0.1)
    assert left.stats["frontier"][0] < 1.0 and right.stats["frontier"][0] > 19.0
    other = FrontierExploration(least=0.4, gain=0.0).plan(grid, (9.0, 2.25), radius=0.1, avoid=left.stats["frontier"])
    assert other.stats["frontier"][0] > 19.0
    none = FrontierExploration(least=0.4).plan(
        grid, (9.0, 2.25), radius=0.1, avoid=[left.stats["frontier"], right.stats["frontier"]]
    )
    assert none.status is PlanStatus.NO_PATH and "avoid" in none.reason


def test_what_is_left_is_said() -> None:
    closed = known(np.pad(np.zeros((6, 6)), 1, constant_values=1))
    plan = FrontierExploration().plan(closed, (2.0, 2.0), radius=0.2)
    assert plan.status is PlanStatus.NO_PATH and "nothing is left" in plan.reason
    cells = np.pad(np.zeros((6, 12)), 1, constant_values=1)
    cells[:, 6], cells[3, -1] = 1.0, -1.0
    plan = FrontierExploration().plan(known(cells), (2.0, 2.0), radius=0.2)
    assert plan.status is PlanStatus.NO_PATH and "reached" in plan.reason
    plan = FrontierExploration().plan(known(cells), (0.1, 0.1), radius=0.2)
    assert plan.status is PlanStatus.INVALID and "start" in plan.reason


def test_bad_arguments_are_refused() -> None:
    grid = known(np.zeros((3, 3)))
    with pytest.raises(SettingError):
        frontiers(np.zeros((3, 3)))  # type: ignore[arg-type]
    with pytest.raises(SettingError):
        FrontierExploration().plan(grid, (0.5, 0.5), radius=-1.0)
    with pytest.raises(ShapeError):
        FrontierExploration().plan(grid, (0.5, 0.5), radius=0.1, avoid=[[np.nan, 0.0]])
    with pytest.raises(ShapeError):
        FrontierExploration().plan(grid, "here", radius=0.1)
    for words in ({"least": 0.0}, {"gain": -1.0}, {"near": np.nan}):
        with pytest.raises(SettingError):
            FrontierExploration(**words)
