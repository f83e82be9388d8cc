"""Grid search: the same optimum as other people's solvers, paths that may be driven, bounds that hold."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core.belief import Belief
from pilotage.core.gaussian import Gaussian
from pilotage.core.plan import Plan, PlanStatus
from pilotage.core.space import Space
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.planners import AStar, Bidirectional, Dijkstra, cost_to_go
from pilotage.planners.search.workspace import borrow


def random_case(seed: int) -> tuple[OccupancyGrid, np.ndarray, np.ndarray, np.random.Generator]:
    """A random grid in a turned frame, and two of its free cells."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(2, 20, 2)
    blocked = rng.random(shape) < rng.choice([0.1, 0.3, 0.4])
    blocked.flat[rng.choice(blocked.size, 2, replace=False)] = False
    grid = OccupancyGrid.from_occupied(blocked, resolution=0.5, origin=(3.0, -2.0, 0.4))
    cells = np.argwhere(grid.free)
    start, goal = cells[rng.choice(len(cells), 2, replace=False)]
    return grid, start, goal, rng


def graph_of(free: np.ndarray, connectivity: int, costs: np.ndarray | None = None) -> nx.Graph:
    """The same metric as a graph: octile steps that cut no corner, times the mean cost of both cells."""
    graph = nx.Graph()
    graph.add_nodes_from(map(tuple, np.argwhere(free)))
    weight = np.ones(free.shape) if costs is None else costs
    steps = [(0, 1), (1, 0)] + ([(1, 1), (1, -1)] if connectivity == 8 else [])
    for row, column in list(graph):
        for dr, dc in steps:
            other = (row + dr, column + dc)
            if other in graph and (row, column + dc) in graph and (row + dr, column) in graph:
                mean = (weight[row, column] + weight[other]) / 2
                graph.add_edge((row, column), other, length=math.hypot(dr, dc) * mean)
    return graph


def check_path(plan: Plan, grid: OccupancyGrid, start: np.ndarray, goal: np.ndarray, connectivity: int = 8) -> None:
    """The path joins start and goal by allowed steps over free cells."""
    assert plan.xs is not None
    cells = grid.world_to_cell(plan.xs)
    np.testing.assert_allclose(grid.cell_to_world(cells), plan.xs, atol=1e-9)
    np.testing.assert_array_equal(cells[[0, -1]], [start, goal])
    assert grid.free[tuple(cells.T)].all()
    steps = np.diff(cells, axis=0)
    assert (np.abs(steps).max(axis=1) == 1).all()
    if connectivity == 4:
        assert (np.abs(steps).sum(axis=1) == 1).all()
    assert grid.free[cells[:-1, 0] + steps[:, 0], cells[:-1, 1]].all(), "cuts a corner"
    assert grid.free[cells[:-1, 0], cells[:-1, 1] + steps[:, 1]].all(), "cuts a corner"


@given(seed=st.integers(0, 100_000), connectivity=st.sampled_from([4, 8]), with_costs=st.booleans())
def test_astar_is_dijkstra_is_networkx(seed: int, connectivity: int, with_costs: bool) -> None:
    grid, start, goal, rng = random_case(seed)
    costs = rng.uniform(1, rng.choice([1.5, 10.0, 300.0]), grid.shape) if with_costs else None
    graph = graph_of(grid.free, connectivity, costs)
    ends = grid.cell_to_world(start), grid.cell_to_world(goal)
    astar = AStar(connectivity).plan(grid, *ends, costs=costs)
    dijkstra = Dijkstra(connectivity).plan(grid, *ends, costs=costs)
    if not nx.has_path(graph, tuple(start), tuple(goal)):
        assert astar.status is dijkstra.status is PlanStatus.NO_PATH
        assert astar.cost == astar.lower_bound == math.inf
        assert "another component" in astar.reason
        return
    optimum = grid.resolution * nx.dijkstra_path_length(graph, tuple(start), tuple(goal), weight="length")
    # Costs are rounded to a millionth of a cell; without them, the optimum is exact.
    tolerance = 1e-6 if with_costs else 1e-12
    for plan in (astar, dijkstra):
        assert plan.ok
        assert plan.cost == pytest.approx(optimum, rel=tolerance)
        assert plan.lower_bound == plan.cost
        check_path(plan, grid, start, goal, connectivity)
    if costs is None:
        assert astar.xs is not None
        assert astar.cost == pytest.approx(np.hypot(*np.diff(astar.xs, axis=0).T).sum(), rel=1e-12)
        assert astar.stats["expansions"] <= dijkstra.stats["expansions"] + 1


@given(seed=st.integers(0, 100_000), weight=st.floats(1, 20), with_costs=st.booleans())
def test_weighted_search_keeps_its_factor(seed: int, weight: float, with_costs: bool) -> None:
    grid, start, goal, rng = random_case(seed)
    costs = rng.uniform(1, 5, grid.shape) if with_costs else None
    ends = grid.cell_to_world(start), grid.cell_to_world(goal)
    exact, fast = AStar().plan(grid, *ends, costs=costs), AStar(weight=weight).plan(grid, *ends, costs=costs)
    assert exact.status is fast.status
    if exact.ok:
        check_path(fast, grid, start, goal)
        assert exact.cost * (1 - 1e-6) <= fast.cost <= weight * exact.cost * (1 + 1e-6)
        assert fast.lower_bound <= exact.cost * (1 + 1e-6)
        assert fast.lower_bound >= fast.cost / weight * (1 - 1e-9)


@pytest.mark.parametrize("seed", [1055, 1546, 1739])
def test_a_shorter_way_that_is_not_passed_on_does_not_break_the_path(seed: int) -> None:
    """A weighted search may end while a cell of its path waits with a length that its followers do not know yet."""
    rng = np.random.default_rng(seed)
    grid = OccupancyGrid.from_occupied(rng.random((60, 60)) < 0.35, resolution=1.0)
    costs = np.where(rng.random(grid.shape) < 0.5, 1.0, 2.0)
    cells = np.argwhere(grid.free)
    for start, goal in cells[rng.choice(len(cells), (12, 2))]:
        ends = grid.cell_to_world(start), grid.cell_to_world(goal)
        exact, fast = (AStar(weight=w).plan(grid, *ends, costs=costs) for w in (1.0, 1.5))
        assert exact.status is fast.status
        if fast.ok:
            check_path(fast, grid, start, goal)
            assert exact.cost * (1 - 1e-6) <= fast.cost <= 1.5 * exact.cost * (1 + 1e-6)


def test_weighting_saves_expansions_on_a_large_map() -> None:
    rng = np.random.default_rng(0)
    grid = OccupancyGrid.from_occupied(rng.random((300, 300)) < 0.25, resolution=1.0)
    inside = np.argwhere(grid.free_component(grid.cell_to_world(np.argwhere(grid.free)[0])))
    ends = grid.cell_to_world(inside[[0, -1]])
    plans = [AStar(weight=w).plan(grid, *ends) for w in (1.0, 1.5, 3.0)]
    expansions = [plan.stats["expansions"] for plan in plans]
    assert expansions[0] > 5 * max(expansions[1:])
    # Weighted A* in order of f finds far better paths than its bound; a broken order would not.
    assert plans[2].cost < 1.3 * plans[0].cost


@given(seed=st.integers(0, 100_000), with_costs=st.booleans())
def test_the_cost_to_go_is_the_cost_of_every_plan(seed: int, with_costs: bool) -> None:
    grid, _, goal, rng = random_case(seed)
    costs = rng.uniform(1, 5, grid.shape) if with_costs else None
    field = cost_to_go(grid, grid.cell_to_world(goal), costs=costs)
    lengths = nx.single_source_dijkstra_path_length(graph_of(grid.free, 8, costs), tuple(goal), weight="length")
    reached = np.zeros(grid.shape, dtype=bool)
    for cell, length in lengths.items():
        reached[cell] = True
        assert field.values[cell] == pytest.approx(grid.resolution * length, rel=1e-6, abs=1e-9)
    assert (field.values[~reached] > field.values[reached].max()).all()
    assert (cost_to_go(grid, grid.cell_to_world(goal), unreachable=-5.0).values[~reached] == -5.0).all()


def test_a_workspace_serves_thousands_of_queries() -> None:
    """Rounds run out at last, here soon; nothing of old ones may shine through."""
    grid, _, _, rng = random_case(7)
    free = np.argwhere(grid.free)
    costs = np.where(rng.random(grid.shape) < 0.5, 1.0, 60_000.0)
    graph, plain = graph_of(grid.free, 8, costs), graph_of(grid.free, 8)
    exact = {(kind, tuple(cell)): nx.single_source_dijkstra_path_length(kind_graph, tuple(cell), weight="length")
             for kind, kind_graph in ((True, graph), (False, plain)) for cell in free[:20]}  # fmt: skip
    for n in range(600):
        a, b = free[n % 20], free[rng.integers(len(free))]
        heavy = n % 3 > 0
        if n % 100 == 99:  # as after as many queries as there are rounds, but two
            with borrow(grid, "blocked") as space:
                space._floor = 2 << 47
        search = AStar() if n % 2 else Bidirectional()
        plan = search.plan(grid, grid.cell_to_world(a), grid.cell_to_world(b), costs=costs if heavy else None)
        expected = exact[heavy, tuple(a)].get(tuple(b), math.inf) * grid.resolution
        assert plan.cost == pytest.approx(expected, rel=1e-6)


def test_threads_do_not_share_a_workspace() -> None:
    rng = np.random.default_rng(3)
    grid = OccupancyGrid.from_occupied(rng.random((400, 400)) < 0.3, resolution=1.0)
    inside = np.argwhere(grid.free_component(grid.cell_to_world(np.argwhere(grid.free)[500])))
    pairs = grid.cell_to_world(inside[rng.integers(0, len(inside), (40, 2))])
    alone = [AStar().plan(grid, *pair).cost for pair in pairs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda pair: AStar().plan(grid, *pair, budget=60.0).cost, pairs))
    assert together == alone


def test_start_may_be_a_pose_or_a_belief() -> None:
    grid = OccupancyGrid.from_ascii(["....", ".##.", "...."])
    expected = AStar().plan(grid, (0.5, 1.5), (3.5, 1.5))
    belief: Belief = Gaussian(Space("speed [m/s]", "pose: SE2"), [1.0, 0.5, 1.5, 2.0], np.eye(4))
    for start in ([0.5, 1.5, 3.0], belief):
        np.testing.assert_array_equal(AStar().plan(grid, start, (3.5, 1.5, 0.0)).xs, expected.xs)


def test_start_at_the_goal() -> None:
    grid = OccupancyGrid.from_ascii(["..."])
    plan = AStar().plan(grid, (0.2, 0.5), (0.9, 0.5))
    assert plan.ok
    assert (plan.cost, plan.lower_bound) == (0.0, 0.0)
    np.testing.assert_array_equal(plan.xs, [[0.5, 0.5]])


def test_unknown_cells_are_blocked_or_free_as_asked() -> None:
    grid = OccupancyGrid.from_ascii(["#?#", "...", "#?#"])
    assert AStar().plan(grid, (0.5, 1.5), (2.5, 1.5)).ok
    blocked = AStar().plan(grid, (0.5, 1.5), (1.5, 2.5))
    assert blocked.status is PlanStatus.INVALID
    assert "unknown cell" in blocked.reason
    assert AStar(unknown="free").plan(grid, (0.5, 1.5), (1.5, 2.5)).cost == 2.0


def test_soft_costs_keep_the_path_away_from_walls() -> None:
    grid = OccupancyGrid.from_ascii(["#" * 30, *["." * 30] * 9, "#" * 30])
    plain = AStar().plan(grid, (0.5, 1.5), (29.5, 1.5))
    soft = AStar().plan(grid, (0.5, 1.5), (29.5, 1.5), costs=grid.soft_costs(4.0, peak=5.0))
    assert plain.xs is not None and soft.xs is not None
    assert grid.clearance(plain.xs).min() == 0.5
    assert np.median(grid.clearance(soft.xs)) >= 2.5
    assert len(soft.xs) >= len(plain.xs)


def test_long_corridors_are_exact_to_the_last_step() -> None:
    """A boustrophedon of 40 000 steps: no rounding piles up, and the path array grows as it must."""
    blocked = np.zeros((401, 201), dtype=bool)
    blocked[1::4, :-1] = blocked[3::4, 1:] = True
    grid = OccupancyGrid.from_occupied(blocked, resolution=1.0)
    plan = AStar().plan(grid, (0.5, 0.5), (0.5, 400.5))
    assert plan.cost == 400 + 200 * 200.0
    assert plan.xs is not None
    assert len(plan.xs) == 40_401


def test_a_problem_on_large_cells_names_smaller_ones() -> None:
    robot, hall = Footprint.disc(0.45), OccupancyGrid.from_ascii(["#####", ".....", "#####"])
    ends = (0.5, 1.5), (4.5, 1.5)
    halved = AStar().plan(hall.refined(2).problem(*ends, robot))
    assert not halved.ok and "0.050 m from an obstacle" in halved.reason and "grid.refined(3)" in halved.reason
    assert AStar().plan(hall.refined(20).problem(*ends, robot)).ok
    room = OccupancyGrid.from_ascii(["......", "..#...", "......"]).refined(4)
    beside = AStar().plan(room.problem((0.5, 0.6), (5.5, 0.5), Footprint.disc(0.4)))
    assert beside.status is PlanStatus.INVALID and "collision" not in beside.reason
    assert "middle of its cell of 0.25 m; grid.refined(2)" in beside.reason
    walls = [".......", ".......", ".......", "###.###", ".......", ".......", "......."]
    split, ends = OccupancyGrid.from_ascii(walls), ((3.5, 1.5), (3.5, 5.5))
    apart = AStar().plan(split.problem(*ends, robot))
    assert apart.status is PlanStatus.NO_PATH and "grid.refined(5)" in apart.reason
    assert AStar().plan(split.refined(20).problem(*ends, robot)).ok
