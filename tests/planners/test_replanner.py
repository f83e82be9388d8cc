"""D* Lite on maps that change: every plan is as good as one from scratch."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import PilotageError, PlanStatus
from pilotage.maps import OccupancyGrid
from pilotage.planners import AStar, EdgeGraph, Replanner

from .test_search import check_path


@settings(max_examples=40)
@given(seed=st.integers(0, 100_000), connectivity=st.sampled_from([4, 8]), with_costs=st.booleans())
def test_replanning_is_planning_from_scratch(seed: int, connectivity: Any, with_costs: bool) -> None:
    rng = np.random.default_rng(seed)
    shape = rng.integers(2, 14, 2)
    blocked = rng.random(shape) < 0.3
    goal = rng.integers(0, shape)
    costs = rng.uniform(1, 4, shape) if with_costs else None
    replanner = None
    for _ in range(6):
        blocked.flat[rng.integers(0, blocked.size, rng.integers(0, 6))] ^= True
        blocked[tuple(goal)] = False
        if costs is not None:
            costs = costs.copy()
            costs.flat[rng.integers(0, costs.size, 2)] = rng.uniform(1, 4, 2)
        grid = OccupancyGrid.from_occupied(blocked.copy(), resolution=0.5)
        free = np.argwhere(grid.free)
        start = free[rng.integers(len(free))]
        ends = grid.cell_to_world(start), grid.cell_to_world(goal)
        replanner = replanner or Replanner(ends[1], connectivity=connectivity)
        again, fresh = replanner.plan(grid, ends[0], costs=costs), AStar(connectivity).plan(grid, *ends, costs=costs)
        assert again.status is fresh.status
        assert again.cost == pytest.approx(fresh.cost, rel=1e-6)
        if again.ok:
            check_path(again, grid, start, goal, connectivity)


@settings(max_examples=40)
@given(seed=st.integers(0, 100_000))
def test_on_graphs_too(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 15))

    class Roads:
        def __init__(self) -> None:
            self.costs = np.where(rng.random((n, n)) < 0.25, rng.uniform(1, 5, (n, n)), np.inf)

        def neighbours(self, state: int) -> list[tuple[int, float]]:
            return [(j, float(c)) for j, c in enumerate(self.costs[state]) if np.isfinite(c)]

        def predecessors(self, state: int) -> list[tuple[int, float]]:
            return [(i, float(c)) for i, c in enumerate(self.costs[:, state]) if np.isfinite(c)]

    roads, goal, changed = Roads(), int(rng.integers(n)), []
    replanner = Replanner(goal)
    for _ in range(6):
        start = int(rng.integers(n))
        graph = nx.DiGraph()
        graph.add_nodes_from(range(n))
        graph.add_weighted_edges_from((i, j, c) for i in range(n) for j, c in roads.neighbours(i))
        plan = replanner.plan(roads, start, changed=changed)
        assert plan.ok == nx.has_path(graph, start, goal)
        if plan.ok:
            assert plan.cost == pytest.approx(nx.dijkstra_path_length(graph, start, goal), rel=1e-9)
        changed = rng.integers(0, n, 3).tolist()
        for i in changed:
            roads.costs[i, rng.integers(n)] = rng.choice([np.inf, rng.uniform(0, 5)])


def test_a_small_change_costs_little() -> None:
    rng = np.random.default_rng(2)
    blocked = rng.random((120, 120)) < 0.15
    blocked[[5, 110], [5, 110]] = False
    first, second = blocked.copy(), blocked.copy()
    grid = OccupancyGrid.from_occupied(first, resolution=1.0)
    replanner = Replanner(goal=(110.5, 110.5))
    plan = replanner.plan(grid, (5.5, 5.5))
    assert plan.xs is not None
    row, column = grid.world_to_cell(plan.xs[4])
    second[row, column] = True
    changed = OccupancyGrid.from_occupied(second, resolution=1.0)
    again = replanner.plan(changed, plan.xs[2])
    assert again.cost == pytest.approx(AStar().plan(changed, plan.xs[2], (110.5, 110.5)).cost, rel=1e-9)
    assert again.stats["expansions"] < 0.1 * plan.stats["expansions"]
    assert replanner.plan(changed, plan.xs[2]).stats["expansions"] == 0


def test_another_map_starts_a_new_search() -> None:
    replanner = Replanner(goal=(2.5, 0.5))
    small, large = OccupancyGrid.from_ascii(["..."]), OccupancyGrid.from_ascii(["....", ".##.", "...."])
    assert replanner.plan(small, (0.5, 0.5)).cost == 2.0
    assert replanner.plan(large, (0.5, 2.5)).cost == AStar().plan(large, (0.5, 2.5), (2.5, 0.5)).cost
    assert Replanner(2).plan(EdgeGraph(3, [(0, 1), (1, 2)], [1.0, 1.0]), 0).cost == 2.0
    with pytest.raises(PilotageError, match="the edges of a graph have their own"):
        Replanner(2).plan(EdgeGraph(3, [(0, 1)], [1.0]), 0, costs=[[1.0]])


def test_a_budget_that_is_spent_is_not_lost() -> None:
    blocked = np.random.default_rng(4).random((80, 80)) < 0.2
    blocked[[0, 79], [0, 79]] = False
    grid = OccupancyGrid.from_occupied(blocked, resolution=1.0)
    replanner, optimum = Replanner(goal=(79.5, 79.5)), AStar().plan(grid, (0.5, 0.5), (79.5, 79.5))
    hurried = replanner.plan(grid, (0.5, 0.5), budget=0.0)
    assert hurried.status is PlanStatus.BUDGET
    assert hurried.lower_bound <= optimum.cost
    assert replanner.plan(grid, (0.5, 0.5)).cost == pytest.approx(optimum.cost, rel=1e-9)
