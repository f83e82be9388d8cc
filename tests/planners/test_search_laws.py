"""Laws of all searches on cells: the way out of inflated cells, bad input, an interrupt at any moment."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import PilotageError, PlanStatus
from pilotage.maps import OccupancyGrid
from pilotage.planners import (
    ARAStar,
    AStar,
    Bidirectional,
    BreadthFirst,
    DepthFirst,
    Dijkstra,
    DStarLite,
    EdgeGraph,
    GreedyBestFirst,
    JumpPointSearch,
    LazyThetaStar,
    Replanner,
    ThetaStar,
)
from pilotage.planners.search.query import Query

SEARCHES: list[Any] = [
    AStar(), AStar(weight=2.0), AStar(connectivity=4), Dijkstra(), JumpPointSearch(), ThetaStar(), LazyThetaStar(),
    ARAStar(), Bidirectional(), BreadthFirst(), DepthFirst(), GreedyBestFirst(), DStarLite(),
]  # fmt: skip
SHORTEST = [AStar(), Dijkstra(), JumpPointSearch(), ARAStar(), Bidirectional(), DStarLite()]
UNIFORM = (JumpPointSearch, ThetaStar, LazyThetaStar)
"""Searches that plan under no costs."""
every_search = pytest.mark.parametrize("search", SEARCHES, ids=repr)


@every_search
def test_a_robot_in_inflated_cells_is_led_out_and_told(search: Any) -> None:
    room = OccupancyGrid.from_ascii(["............", "............", "....##......", "............", "............"])
    inflated = room.inflate(1.0)
    plan = search.plan(inflated, (3.6, 2.5), (10.5, 2.5))
    assert plan.ok, plan.reason
    assert plan.xs is not None
    assert plan.stats["led_out"] == (
        "start (3.60, 2.50) is 0.90 m from an obstacle, within the inflation of 1.00 m; the path leads out of it "
        "first, over 1.00 m"
    )
    np.testing.assert_allclose(plan.xs[[0, -1]], [[3.5, 2.5], [10.5, 2.5]])
    outside = inflated.is_free(plan.xs)
    out = int(outside.argmax())
    assert outside[out:].all() and not outside[:out].any() and room.is_free(plan.xs).all()
    length = np.hypot(*np.diff(plan.xs, axis=0).T).sum()
    assert plan.cost == pytest.approx(length) and plan.lower_bound <= 7.0
    assert "led_out" not in search.plan(inflated, (1.5, 2.5), (10.5, 2.5)).stats
    inside = search.plan(inflated, (4.5, 2.5), (10.5, 2.5))
    assert inside.status is PlanStatus.INVALID and "start (4.50, 2.50) is in collision" in inside.reason


def test_the_way_out_is_paid_for_and_a_replanner_takes_it() -> None:
    room = OccupancyGrid.from_ascii(["......", "......", "#....."])
    grid, costs = room.inflate(1.0), np.full(room.shape, 3.0)
    plan = AStar().plan(grid, (0.5, 1.5), (4.5, 1.5), costs=costs)
    assert plan.cost == pytest.approx(3.0 * 4.0)
    replanner = Replanner((4.5, 1.5))
    assert "led_out" in replanner.plan(grid, (0.5, 1.5)).stats
    assert replanner.plan(grid, (1.5, 1.5)).cost == pytest.approx(3.0)


@every_search
def test_the_smallest_map(search: Any) -> None:
    cell, wall = OccupancyGrid.from_ascii(["."]), OccupancyGrid.from_ascii(["#"])
    plan = search.plan(cell, (0.5, 0.5), (0.4, 0.6))
    assert plan.ok and plan.cost == plan.lower_bound == 0.0
    assert plan.xs is not None and plan.xs.tolist() == [[0.5, 0.5]]
    assert search.plan(wall, (0.5, 0.5), (0.5, 0.5)).status is PlanStatus.INVALID
    assert search.plan(cell, (0.5, 0.5), (1.5, 0.5)).status is PlanStatus.INVALID


@every_search
def test_start_and_goal_in_one_cell_and_blocked_ends(search: Any) -> None:
    grid = OccupancyGrid.from_ascii(["...#", ".#..", "...."])
    same = search.plan(grid, (2.5, 0.5), (2.5, 0.5))
    assert same.ok and same.cost == 0.0 and same.xs is not None and same.xs.tolist() == [[2.5, 0.5]]
    for ends, name in ((((1.5, 1.5), (0.5, 0.5)), "start"), (((0.5, 0.5), (1.5, 1.5)), "goal")):
        plan = search.plan(grid, *ends)
        assert (
            plan.status is PlanStatus.INVALID and plan.reason.startswith(name) and "collision by 0.50 m" in plan.reason
        )


@every_search
@pytest.mark.parametrize("worth", [np.nan, -1.0, 0.0, np.inf])
def test_costs_that_are_none_are_refused(search: Any, worth: float) -> None:
    grid, costs = OccupancyGrid.from_ascii(["...", "..."]), np.ones((2, 3))
    costs[1, 2] = worth
    refusal = "needs the cost 1 in every cell" if isinstance(search, UNIFORM) else r"costs must lie .* cell \(1, 2\)"
    with pytest.raises(PilotageError, match=refusal):
        search.plan(grid, (0.5, 0.5), (2.5, 0.5), costs=costs)


@pytest.mark.parametrize("search", [each for each in SEARCHES if not isinstance(each, UNIFORM)], ids=repr)
@pytest.mark.parametrize("cost", [np.nan, -1.0])
def test_edges_of_negative_or_no_cost_are_refused(search: Any, cost: float) -> None:
    class Roads:
        def neighbours(self, state: int) -> list[tuple[int, float]]:
            return [(state + 1, cost)]

    with pytest.raises(PilotageError, match="cost of the edge from"):
        search.plan(Roads(), 0, 3)


@pytest.mark.slow
def test_the_largest_map() -> None:
    occupied = np.zeros((8192, 8192), dtype=bool)
    occupied[4096, 1:] = True
    grid = OccupancyGrid.from_occupied(occupied, resolution=0.05)
    start, goal = grid.cell_to_world([4000, 300]), grid.cell_to_world([4200, 300])
    assert AStar().plan(grid, start, goal).cost == pytest.approx(0.05 * (200 * 2**0.5 + 400), rel=0.02)


@pytest.mark.parametrize("search", [each for each in SEARCHES if not isinstance(each, DStarLite)], ids=repr)
def test_a_search_that_stops_for_the_clock_and_for_more_memory_goes_on_as_if_it_had_not(search: Any) -> None:
    """On so many cells every search looks at the clock in between, and more of them wait than there is room for."""
    blocked = np.random.default_rng(5).random((330, 330)) < 0.1
    blocked[[0, -1], [0, -1]] = False
    ends: Any = (0.5, 0.5), (329.5, 329.5)
    kind: Any = getattr(search, "connectivity", 8)
    grid, fresh = (OccupancyGrid.from_occupied(blocked, 1.0) for _ in range(2))
    timed, whole = search.plan(grid, *ends, budget=600.0), search.plan(fresh, *ends)
    np.testing.assert_array_equal(timed.xs, whole.xs)
    assert timed.stats["expansions"] == whole.stats["expansions"] and timed.lower_bound == whole.lower_bound
    if any(search == each for each in SHORTEST):
        assert timed.cost == pytest.approx(Dijkstra(connectivity=kind).plan(grid, *ends).cost, rel=1e-12)
    steps = BreadthFirst(connectivity=4).plan(grid, *ends, budget=600.0)
    assert steps.cost == AStar(connectivity=4).plan(grid, *ends).cost


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), with_costs=st.booleans())
def test_an_anytime_search_on_cells_closes_its_gap(seed: int, with_costs: bool) -> None:
    """Costs fall, bounds rise, the optimum lies between them at any time, and the last path is a shortest one."""
    rng = np.random.default_rng(seed)
    blocked = rng.random((30, 30)) < 0.3
    blocked[[0, -1], [0, -1]] = False
    costs = rng.uniform(1.0, 6.0, blocked.shape) if with_costs else None
    grid, ends = OccupancyGrid.from_occupied(blocked, 0.5), ((0.25, 0.25), (14.75, 14.75))
    optimum = AStar().plan(grid, *ends, costs=costs)
    plan = ARAStar(weight=8.0, decrease=1.5).plan(grid, *ends, costs=costs)
    assert plan.status is optimum.status
    if plan.ok:
        _, cost, bound = plan.stats["history"].T
        assert (np.diff(cost) <= 1e-9).all() and (np.diff(bound) >= -1e-9).all()
        assert (bound <= optimum.cost * (1 + 1e-6)).all() and (cost >= optimum.cost * (1 - 1e-6)).all()
        assert plan.cost == pytest.approx(optimum.cost, rel=1e-6) and plan.lower_bound == plan.cost


def test_an_interrupt_gives_the_best_path_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    blocked = rng.random((120, 120)) < 0.2
    blocked[[0, -1], [0, -1]] = False
    grid, ends = OccupancyGrid.from_occupied(blocked, 1.0), ((0.5, 0.5), (119.5, 119.5))
    optimum = AStar().plan(grid, *ends).cost

    def pressed(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Query, "run_on", pressed)
        plan = ARAStar(weight=5.0).plan(grid, *ends)
    assert plan.ok and optimum < plan.cost <= 5.0 * optimum
    assert plan.cost / 5.0 <= plan.lower_bound * (1 + 1e-9) and plan.lower_bound <= optimum
    assert ARAStar().plan(grid, *ends).cost == pytest.approx(optimum, rel=1e-9)


@settings(max_examples=4)
@given(seed=st.integers(0, 1000), moment=st.integers(1, 60))
def test_an_interrupt_leaves_all_searches_as_they_were(seed: int, moment: int) -> None:
    """Ctrl-C at any look at the clock; then every search on the same map is as good as on a new one."""
    rng = np.random.default_rng(seed)
    blocked = rng.random((25, 25)) < 0.25
    blocked[[0, -1], [0, -1]] = False
    grid, ends = OccupancyGrid.from_occupied(blocked, 1.0), ((0.5, 0.5), (24.5, 24.5))
    optimum = Dijkstra().plan(OccupancyGrid.from_occupied(blocked, 1.0), *ends)
    clock, looks = time.perf_counter, 0

    def interrupted() -> float:
        nonlocal looks
        looks += 1
        if looks == moment:
            raise KeyboardInterrupt
        return clock()

    for search in SEARCHES:
        looks = 0
        time.perf_counter = interrupted
        try:
            plan = search.plan(grid, *ends, budget=1e6)
            assert plan.lower_bound <= plan.cost
            assert search not in SHORTEST or not plan.ok or plan.lower_bound <= optimum.cost + 1e-9 <= plan.cost + 2e-9
        except KeyboardInterrupt:
            pass
        finally:
            time.perf_counter = clock
    for search in SHORTEST:
        plan = search.plan(grid, *ends)
        assert plan.status is optimum.status
        assert plan.cost == pytest.approx(optimum.cost, rel=1e-9)


@pytest.mark.parametrize("search", [each for each in SEARCHES if not isinstance(each, UNIFORM)], ids=repr)
def test_a_search_with_pauses_is_the_one_without(search: Any) -> None:
    """One that is recorded pauses after each expansion."""
    rng = np.random.default_rng(8)
    for _ in range(20):
        solid = rng.random((14, 17)) < 0.25
        solid[[0, -1], [0, -1]] = False
        grid, costs = OccupancyGrid.from_occupied(solid, 0.5), 1.0 + 5.0 * rng.random(solid.shape)
        ends = grid.cell_to_world([[0, 0], [13, 16]])
        plain, told = (search.plan(grid, *ends, costs=costs, record=record) for record in (False, True))
        assert plain.stats["expansions"] == told.stats["expansions"] and plain.cost == told.cost


@every_search
@pytest.mark.parametrize("seed", range(3))
def test_what_is_recorded_are_the_cells_expanded_and_nothing_else_changes(search: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    solid = rng.random((14, 22)) < 0.25
    solid[[0, -1], [0, -1]] = False
    grid = OccupancyGrid.from_occupied(solid, 0.5, (3.0, -2.0, 0.4))
    start, goal = grid.cell_to_world([[0, 0], [13, 21]])
    plain, told = search.plan(grid, start, goal), search.plan(grid, start, goal, record=True)
    assert "expanded" not in plain.stats and "expanded" not in search.plan(grid, start, goal).stats
    assert plain.status is told.status and plain.cost == told.cost and plain.lower_bound == told.lower_bound
    assert plain.stats["expansions"] == told.stats["expansions"] == len(told.stats["expanded"])
    places = [tuple(place) for place in grid.world_to_cell(told.stats["expanded"]).tolist()]
    assert all(grid.free[place] for place in places)
    assert set(places[:1]) <= {(0, 0), (13, 21)}
    if plain.xs is not None:
        np.testing.assert_array_equal(plain.xs, told.xs)
        if not isinstance(search, JumpPointSearch):  # all others label a cell from one beside it
            gaps = np.abs(grid.world_to_cell(plain.xs)[:, None] - np.array(places)).max(-1)
            assert (gaps.min(1) <= 1).all()


def test_the_order_of_expansions_on_an_empty_map_is_that_of_the_books() -> None:
    """Steps from the start, length of the way from it, the distance left: none of them falls."""
    hall = OccupancyGrid.from_ascii(["." * 40] * 30)

    def away(search: Any, end: int) -> tuple[Any, Any]:
        ends = np.array([[0.5, 0.5], [39.5, 29.5]])
        d = np.abs(search.plan(hall, *ends, record=True).stats["expanded"] - ends[end])
        return d.max(1), d.min(1)

    steps, _ = away(BreadthFirst(), 0)
    assert (np.diff(steps) >= 0.0).all()
    longer, shorter = away(Dijkstra(), 0)
    assert (np.diff(longer + (np.sqrt(2.0) - 1.0) * shorter) > -0.47).all(), "as exact as a bucket is wide"
    longer, shorter = away(GreedyBestFirst(), 1)
    assert (np.diff(longer + (np.sqrt(2.0) - 1.0) * shorter) < 0.0).all()
    longer, shorter = away(DStarLite(), 1)
    assert longer[0] == shorter[0] == 0.0, "the search begins at the goal"


def test_on_a_graph_nothing_is_recorded() -> None:
    with pytest.raises(PilotageError, match="record is for grids"):
        AStar().plan(EdgeGraph(2, [(0, 1)], [1.0]), 0, 1, record=True)
