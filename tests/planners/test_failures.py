"""A plan that fails says why, in numbers that are right; what is no query at all is refused."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core.errors import PilotageError, SettingError
from pilotage.core.gaussian import Gaussian
from pilotage.core.plan import PlanStatus
from pilotage.core.space import Space
from pilotage.maps import Lidar, OccupancyGrid
from pilotage.planners import AStar, Dijkstra, HybridAStar, MovingObstacle, ReedsShepp, RRTConnect, cost_to_go
from pilotage.planners.search import _planner
from pilotage.planners.search import query as grid_search

ROOM = OccupancyGrid.from_ascii(["..........", "..........", "....###...", "....###...", "....###...", ".........."])


@pytest.mark.parametrize(
    ("start", "goal", "reason"),
    [
        ((-1.5, 0.5), (9.5, 5.5), "start (-1.50, 0.50) is 1.50 m off the map"),
        ((0.5, 0.5), (13.0, 10.0), "goal (13.00, 10.00) is 5.00 m off the map"),
        ((5.4, 2.5), (9.5, 5.5), "start (5.40, 2.50) is in collision by 1.40 m"),
        ((0.5, 0.5), (4.1, 3.5), "goal (4.10, 3.50) is in collision by 0.10 m"),
    ],
)
def test_reasons(start: tuple[float, float], goal: tuple[float, float], reason: str) -> None:
    plan = AStar().plan(ROOM, start, goal)
    assert plan.status is PlanStatus.INVALID
    assert plan.reason == reason
    assert not plan.ok
    assert plan.xs is None


def test_collision_with_an_inflated_obstacle_names_the_way_out_and_the_real_one() -> None:
    plan = AStar().plan(ROOM.inflate(2.0), (0.5, 0.5), (2.4, 2.5))
    assert plan.status is PlanStatus.INVALID
    # Cells up to the column of x = 2 to 3 are within two metres of the obstacle; the robot is 0.4 m inside.
    assert plan.reason.startswith("goal (2.40, 2.50) is in collision by 0.40 m (obstacles are inflated by 2.00 m")
    closer = AStar().plan(ROOM.inflate(2.0), (0.5, 0.5), (3.5, 2.5))
    assert "in collision by 1.50 m" in closer.reason
    assert "the nearest is 1.00 m away" in closer.reason


def test_numbers_of_a_narrow_collision_do_not_contradict_each_other() -> None:
    """A cell is blocked where its middle is within the radius; a point at its rim may be farther away than that."""
    grid = OccupancyGrid.from_ascii("#.........", resolution=0.1).inflate(0.3)
    reason = AStar().plan(grid, (0.95, 0.05), (0.399, 0.05)).reason
    assert reason == (
        "goal (0.40, 0.05) is in collision by less than 0.01 m "
        "(obstacles are inflated by 0.30 m; the nearest is 0.30 m from the middle of its cell)"
    )
    deeper = AStar().plan(grid, (0.95, 0.05), (0.33, 0.05)).reason
    assert "in collision by 0.07 m" in deeper
    assert "the nearest is 0.28 m away" in deeper


@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.0, 0.001, 0.02, 0.3]))
def test_the_depth_of_a_collision_is_the_way_to_the_nearest_free_square(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    free = rng.random((70, 45)) < share
    point = rng.uniform((0, 0), (45, 70))
    free[int(point[1]), int(point[0])] = False
    grid = OccupancyGrid.from_occupied(~free, resolution=0.5, origin=(3.0, -2.0, 0.4))
    rows, columns = np.nonzero(free)
    dx = np.maximum(np.maximum(columns - point[0], point[0] - columns - 1), 0.0)
    dy = np.maximum(np.maximum(rows - point[1], point[1] - rows - 1), 0.0)
    reason = AStar().plan(grid, grid.grid_to_world(point), (3.0, -2.0)).reason
    if free.any():
        depth = np.hypot(dx, dy).min() * 0.5
        assert f"is in collision by {'less than 0.01' if depth < 0.005 else f'{depth:.2f}'} m" in reason
    else:
        assert "no cell of the map can be passed" in reason


def test_a_closed_door_names_both_sides() -> None:
    grid = OccupancyGrid.from_ascii([".....#..", ".....#..", ".....#.."], resolution=0.5)
    plan = AStar().plan(grid, (0.25, 0.25), (3.75, 1.25))
    assert plan.status is PlanStatus.NO_PATH
    assert "3.75 m^2 can be reached from the start, 1.50 m^2 from the goal" in plan.reason
    assert "the nearest reachable point to the goal is (2.25, 1.25), 1.50 m from it" in plan.reason
    assert Dijkstra().plan(grid, (0.25, 0.25), (3.75, 1.25)).status is PlanStatus.NO_PATH


def test_a_diagonal_gap_is_no_door() -> None:
    grid = OccupancyGrid.from_ascii([".#", "#."])
    assert AStar().plan(grid, (0.5, 1.5), (1.5, 0.5)).status is PlanStatus.NO_PATH


def test_a_spent_budget_gives_a_bound() -> None:
    rng = np.random.default_rng(0)
    grid = OccupancyGrid.from_occupied(rng.random((1500, 1500)) < 0.3, resolution=0.1)
    inside = np.argwhere(grid.free_component(grid.cell_to_world(np.argwhere(grid.free)[500_000])))
    ends = grid.cell_to_world(inside[[0, -1]])
    optimum = AStar().plan(grid, *ends)
    assert optimum.stats["expansions"] > 100_000
    for planner in (AStar(), AStar(weight=1.2), Dijkstra()):
        plan = planner.plan(grid, *ends, budget=0.0)
        if plan.status is PlanStatus.SOLVED:
            assert isinstance(planner, AStar)
            assert planner.weight > 1  # the weighted search may be through before it looks at the clock
            continue
        assert plan.status is PlanStatus.BUDGET
        direct = np.abs(inside[-1] - inside[0])
        octile = (direct.max() + (math.sqrt(2.0) - 1.0) * direct.min()) * grid.resolution
        assert octile * (1 - 1e-9) <= plan.lower_bound <= optimum.cost
        assert f"no path costs less than {plan.lower_bound:.2f} m" in plan.reason
    assert AStar().plan(grid, *ends, budget=60.0).cost == optimum.cost


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: AStar().plan(ROOM, (0.5, 0.5)), "goal is missing"),
        (lambda: AStar().plan(ROOM, (0.5, math.nan), (1.0, 1.0)), "start must be one finite world point"),
        (lambda: AStar().plan(ROOM, 3.0, (1.0, 1.0)), r"start must be \(x, y\)"),
        (lambda: AStar().plan(ROOM, (1.0, 1.0), (1.0, 1.0, 1.0, 1.0)), r"goal must be \(x, y\)"),
        (lambda: AStar().plan(np.zeros((3, 3)), (1, 1), (2, 2)), "an OccupancyGrid is needed, not ndarray"),
        (lambda: AStar().plan(ROOM, (0.5, 0.5), (1.5, 0.5), costs=np.ones((2, 2))), "shape of the grid"),
        (lambda: AStar().plan(ROOM, (0.5, 0.5), (1.5, 0.5), costs=np.zeros(ROOM.shape)), r"within \[1, 65535\]"),
        (lambda: AStar().plan(ROOM, (0.5, 0.5), (1.5, 0.5), costs=np.full(ROOM.shape, np.nan)), r"within \[1, 65535"),
        (lambda: AStar().plan(ROOM, (0.5, 0.5), (1.5, 0.5), costs=np.where(ROOM.free, 1, np.inf)), "with_occupied"),
        (lambda: AStar().plan(ROOM, "here", (1.5, 0.5)), "start is not an array of numbers"),
        (lambda: cost_to_go(ROOM.occupied, (0.5, 0.5)), "an OccupancyGrid is needed, not ndarray"),
        (lambda: cost_to_go(ROOM, (5.5, 2.5)), "goal .* is in collision"),
    ],
)
def test_what_is_no_query_is_a_sentence(call: object, sentence: str) -> None:
    with pytest.raises(PilotageError, match=sentence):
        call()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: AStar().plan(ROOM, (0.5, 0.5), (1.5, 0.5), budget=-1.0), "budget is -1"),
        (lambda: AStar().plan(ROOM, (0.5, 0.5), (1.5, 0.5), budget="long"), "budget is 'long'"),
        (lambda: AStar().plan(ROOM, (0.5, 0.5), (1.5, 0.5), budget=[1.0, 2.0]), "budget is .*"),
        (lambda: RRTConnect().plan(ROOM.problem((0.5, 0.5), (1.5, 0.5)), budget=-1.0), "budget is -1"),
        (lambda: AStar(weight=[1.0, 2.0]), "weight of AStar is .*"),
        (lambda: AStar(weight=0.5), "weight of AStar is 0.5; expected a number from 1 to 1000"),
        (lambda: AStar(weight=math.nan), "weight of AStar is nan"),
        (lambda: AStar(weight=1e300), "weight of AStar is 1e"),
        (lambda: AStar(connectivity=6), "connectivity of AStar is 6; expected 4 or 8"),
        (lambda: Dijkstra(connectivity="all"), "connectivity of Dijkstra is 'all'"),
        (lambda: Dijkstra(unknown="maybe"), "unknown of Dijkstra is 'maybe'; expected 'blocked' or 'free'"),
        (lambda: RRTConnect(step=0.0), "step of RRTConnect is 0"),
        (lambda: RRTConnect(samples=0), "samples of RRTConnect is 0"),
        (lambda: ROOM.passable("maybe"), "unknown is 'maybe'"),
    ],
)
def test_settings_of_planners_have_one_error(call: Any, sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        call()


def test_a_belief_without_a_position_is_a_sentence() -> None:
    belief = Gaussian(Space("speed [m/s]"), [1.0], np.eye(1))
    with pytest.raises(PilotageError, match="no component 'x'"):
        AStar().plan(ROOM, belief, (1.5, 0.5))


def test_the_cost_to_go_has_the_settings_of_the_planners():
    grid = OccupancyGrid.from_ascii(["..."])
    with pytest.raises(SettingError, match="connectivity is 5"):
        cost_to_go(grid, (0.5, 0.5), connectivity=5)
    with pytest.raises(SettingError, match="unknown is 'maybe'"):
        cost_to_go(grid, (0.5, 0.5), unknown="maybe")


def test_a_budget_is_not_spent_on_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call of the kernel, which compiles it, is made before the clock starts."""
    calls: list[float] = []

    def slow_at_first(*given: object) -> object:
        if not calls:
            time.sleep(0.3)
        calls.append(time.perf_counter())
        return kernel(*given)

    kernel = grid_search.search
    monkeypatch.setattr(grid_search, "search", slow_at_first)
    _planner._compiled.cache_clear()
    plan = AStar().plan(ROOM, (0.5, 0.5), (1.5, 0.5), budget=0.2)
    assert plan.ok
    assert plan.stats["seconds"] < 0.2
    assert len(calls) == 2


NOISY = 3 * 2.8
"""8.399999999999999."""
FLOOR = OccupancyGrid.from_occupied(np.zeros((9, 9), dtype=bool), 0.1, (NOISY, -NOISY, 0.0))


@pytest.mark.parametrize(
    "refused",
    [
        lambda: AStar(weight=-NOISY),
        lambda: AStar().plan(FLOOR, (NOISY, math.nan), (0.0, 0.0)),
        lambda: AStar().plan(FLOOR, (NOISY, -NOISY), (NOISY, -NOISY), budget=-NOISY),
        lambda: FLOOR.inflate(-NOISY),
        lambda: OccupancyGrid.from_occupied([[True]], 0.1, (NOISY, math.nan, 0.0)),
        lambda: OccupancyGrid.from_occupied([[True]], np.float64(-NOISY)),
        lambda: OccupancyGrid([[0.0]], 0.1, occupied_thresh=NOISY),
        lambda: Lidar(FLOOR, 8, 5.0, mount=(NOISY, math.nan, 0.0)),
        lambda: MovingObstacle([0.0, 1.0], [[0.0, 0.0], [1.0, 1.0]], -NOISY),
        lambda: ReedsShepp(radius=-NOISY),
        lambda: HybridAStar().plan(FLOOR.problem((9.0, -8.0), (8.5, -8.0))),
        lambda: RRTConnect(steering=ReedsShepp(radius=1.0)).plan(FLOOR.problem((9.0, -8.0), (8.5, -8.0))),
    ],
)
def test_messages_show_numbers_without_the_noise_of_rounding(refused: Any) -> None:
    with pytest.raises(PilotageError) as error:
        refused()
    assert "8.4" in str(error.value) and "8.39999" not in str(error.value)
