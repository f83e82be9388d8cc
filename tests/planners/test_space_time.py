"""Space-time A*: no path on the grid arrives sooner among moving obstacles, and none touches them."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import Gaussian, PilotageError, Plan, PlanStatus, ShapeError, Space
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.planners import AStar, MovingObstacle, SpaceTimeAStar
from pilotage.planners.search import space_time
from pilotage.testing import check_planner

TICKS = 8
"""Departures in the time of a straight step that the oracle tries."""


def scene(seed: int) -> tuple[OccupancyGrid, list[MovingObstacle]]:
    """A small grid of cells of a metre, with discs that move between random points."""
    rng = np.random.default_rng(seed)
    occupied = rng.random((4, 5)) < 0.12
    occupied[0, 0] = occupied[3, 4] = False
    moving = [
        MovingObstacle(np.cumsum(rng.uniform(0.5, 3.0, 4)), rng.uniform(0, [5, 4], (4, 2)), rng.uniform(0.2, 0.8))
        for _ in range(3)
    ]
    return OccupancyGrid.from_occupied(occupied, 1.0), moving


def room_between(plan: Plan, moving: Sequence[MovingObstacle], radius: float = 0.0) -> float:
    """The least distance [m] of robot and obstacles, also after the arrival, from finely sampled times."""
    assert plan.xs is not None
    assert plan.ts is not None
    t = np.linspace(0.0, plan.ts[-1] + 10.0, 5001)
    x = np.stack([np.interp(t, plan.ts, plan.xs[:, k]) for k in range(2)], -1)
    gaps = [np.linalg.norm(x - each.at(t), axis=-1).min() - np.max(each.radius) - radius for each in moving]
    return float(min(gaps))


def expanded(grid: OccupancyGrid, moving: Sequence[MovingObstacle], goal: tuple[int, int], last: float) -> float:
    """The arrival from cell (0, 0) by Dijkstra's algorithm over cells and ticks, moves to four neighbours, sampled."""
    times = np.arange(0.0, 2.0 * last, 0.25 / TICKS)
    paths = [(each.at(times), float(np.max(each.radius)) - 1e-9) for each in moving]

    def clear(a: tuple[int, int], b: tuple[int, int], tick: int, ticks: int) -> bool:
        shares = np.linspace(0.0, 1.0, 4 * ticks + 1)[:, None]
        x = (np.array(a) + shares * np.subtract(b, a))[:, ::-1] + 0.5
        here = slice(4 * tick, 4 * (tick + ticks) + 1)
        return all(((x - path[here]) ** 2).sum(-1).min() >= r * r for path, r in paths)

    seen, queue = {((0, 0), 0)}, [(0, (0, 0))]
    while queue:
        tick, cell = heapq.heappop(queue)
        if cell == goal and clear(goal, goal, tick, len(times) // 4 - tick - 1):
            return tick / TICKS
        if tick >= last * TICKS:
            continue
        for step, ticks in (((0, 0), 1), ((0, 1), TICKS), ((1, 0), TICKS), ((0, -1), TICKS), ((-1, 0), TICKS)):
            other = cell[0] + step[0], cell[1] + step[1]
            if not grid.contains_cell(other) or not grid.free[other] or (other, tick + ticks) in seen:
                continue
            if clear(cell, other, tick, ticks):
                seen.add((other, tick + ticks))
                heapq.heappush(queue, (tick + ticks, other))
    return math.inf


@pytest.mark.parametrize("seed", range(6))
def test_no_path_arrives_sooner(seed: int) -> None:
    """A search over ticks arrives no sooner, and later by less than the ticks for which it may have to wait longer."""
    grid, moving = scene(seed)
    plan = SpaceTimeAStar(connectivity=4).plan(grid, (0.5, 0.5), (4.5, 3.5), moving=moving)
    ticked = expanded(grid, moving, (3, 4), 25.0)
    assert plan.cost <= ticked + 1e-6
    if plan.ok:
        assert plan.xs is not None
        assert ticked <= plan.cost + len(plan.xs) / TICKS
        assert room_between(plan, moving) > -1e-6


@pytest.mark.parametrize("seed", [579, 916, 1133])
def test_early_arrivals_count_although_the_goal_is_covered_until_late(seed: int) -> None:
    """One obstacle crosses the goal at last; others close passages for good, which only an early robot gets through."""
    rng = np.random.default_rng(seed)
    free = rng.random((5, 6)) > 0.4
    free[0, 0] = free[4, 5] = True
    grid, cells = OccupancyGrid.from_occupied(~free, 1.0), np.argwhere(free)[:, ::-1] + 0.5
    moving = [
        MovingObstacle(np.cumsum(rng.uniform(0.5, 5, 3)), cells[rng.integers(0, len(cells), 3)], rng.uniform(0.3, 0.8))
        for _ in range(4)
    ]
    moving.append(MovingObstacle([20.0, 24.0, 25.0], [[16.0, 4.5], [5.5, 4.5], [5.5, 20.0]], 0.3))
    plan = SpaceTimeAStar(connectivity=4).plan(grid, (0.5, 0.5), (5.5, 4.5), moving=moving)
    assert plan.ok
    assert plan.cost <= expanded(grid, moving, (4, 5), 30.0) + 1e-6
    assert room_between(plan, moving) > -1e-6


def two_lanes(later: float, second: float) -> tuple[Plan, float]:
    """Two lanes of equal length, blocked until two times, one early on the way and one late; the plan and its speed.

    By the second lane the robot arrives `later` seconds later; a second is as long as the parameter says.
    """
    grid, ts = OccupancyGrid.from_ascii(["." * 100, "." + "#" * 98 + ".", "." * 100]), np.array([0.0, 9.0, 9.5])
    early = MovingObstacle(second * ts, [[4.5, 2.5], [4.5, 2.5], [4.5, 9.5]], 0.4)
    late = MovingObstacle(
        second * (ts + [0.0, 91.0 + later, 91.0 + later]), [[95.5, 0.5], [95.5, 0.5], [95.5, -6.5]], 0.4
    )
    planner = SpaceTimeAStar(speed=1.0 / second, connectivity=4)
    return planner.plan(grid, (0.5, 1.5), (99.5, 1.5), moving=[early, late]), planner.speed


def test_a_robot_takes_the_lane_that_is_free_a_little_sooner() -> None:
    """The goal is seen first by the lane that is slower by microseconds, as it waits late on its way."""
    alone, _ = two_lanes(1.0, 1.0)
    plan, _ = two_lanes(2e-6, 1.0)
    assert plan.cost == pytest.approx(alone.cost, abs=1e-10)


@pytest.mark.parametrize("second", [1e-9, 1e-5, 1e7])
def test_a_plan_is_the_same_in_other_units_of_time(second: float) -> None:
    (plan, speed), (same, _) = two_lanes(0.1, second), two_lanes(0.1, 1.0)
    assert plan.ok and plan.cost == pytest.approx(same.cost, rel=1e-12)
    assert plan.ts is not None and same.ts is not None
    np.testing.assert_allclose(plan.ts * speed, same.ts, rtol=1e-12)
    np.testing.assert_array_equal(plan.xs, same.xs)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000))
def test_paths_touch_nothing_and_keep_the_speed(seed: int) -> None:
    grid, moving = scene(seed)
    plan = SpaceTimeAStar(speed=0.7).plan(grid.problem((0.5, 0.5), (4.5, 3.5), Footprint.disc(0.1)), moving=moving)
    if not plan.ok:
        assert plan.reason
        return
    assert plan.xs is not None
    assert plan.ts is not None
    assert room_between(plan, moving, 0.1) > -1e-6
    moves, spans = np.linalg.norm(np.diff(plan.xs, axis=0), axis=-1), np.diff(plan.ts)
    assert (spans > 0.0).all()
    np.testing.assert_allclose(moves[moves > 0.0] / spans[moves > 0.0], 0.7)
    assert plan.cost == pytest.approx(0.7 * plan.ts[-1])
    still = AStar().plan(grid.problem((0.5, 0.5), (4.5, 3.5), Footprint.disc(0.1)))
    assert plan.cost >= still.cost - 1e-9


def test_without_obstacles_it_is_astar() -> None:
    check_planner(SpaceTimeAStar())
    check_planner(SpaceTimeAStar(connectivity=4))
    grid = OccupancyGrid.from_occupied(np.random.default_rng(5).random((30, 30)) < 0.2, 0.5)
    ends = grid.cell_to_world(np.argwhere(grid.free)[[0, -1]])
    for connectivity in (4, 8):
        plan = SpaceTimeAStar(connectivity=connectivity).plan(grid, *ends)
        assert plan.cost == pytest.approx(AStar(connectivity=connectivity).plan(grid, *ends).cost)
        assert plan.ts is not None
        assert plan.ts[-1] == pytest.approx(plan.cost)


def test_a_robot_waits_until_another_has_passed() -> None:
    """A lane of width one: the robot enters it as soon as the gap to the other one, worked out by hand, is enough."""
    lane = OccupancyGrid.from_ascii(["#.####", "......"])
    other = MovingObstacle([0.0, 5.0], [[5.5, 0.5], [0.5, 0.5]], radius=0.3)
    plan = SpaceTimeAStar().plan(lane, (1.5, 1.5), (5.5, 0.5), moving=[other])
    assert plan.ts is not None
    # Both at 1 m/s on lines that cross at a right angle: the gap is the difference of their times there / sqrt(2).
    assert plan.ts[1] == pytest.approx(3.0 + 0.3 * math.sqrt(2.0))
    assert plan.ts[-1] == pytest.approx(plan.ts[1] + 5.0)


def test_robots_plan_one_after_the_other() -> None:
    hall = OccupancyGrid.from_ascii([".......", "###.###", "......."])
    first = SpaceTimeAStar().plan(hall.problem((0.5, 2.5), (6.5, 0.5), Footprint.disc(0.3)))
    other = MovingObstacle.of(first, 0.3)
    second = SpaceTimeAStar().plan(hall.problem((6.5, 2.5), (0.5, 0.5), Footprint.disc(0.3)), moving=[other])
    assert second.ok
    assert room_between(second, [other], 0.3) > -1e-6
    assert second.cost > first.cost


def test_a_predicted_track_grows() -> None:
    space = Space("x y [m]", "vx vy [m/s]")
    beliefs = [Gaussian.of(space, [1.0 + t, 2.0, 1.0, 0.0], std=[0.1 + 0.1 * t, 0.1, 0.1, 0.1]) for t in range(4)]
    track = MovingObstacle.predicted(range(4), beliefs, radius=0.3, risk=0.05)
    np.testing.assert_allclose(track.xys, [[1, 2], [2, 2], [3, 2], [4, 2]])
    points = np.random.default_rng(0)
    for belief, center, radius in zip(beliefs, np.array(track.xys), np.array(track.radius), strict=True):
        inside = np.linalg.norm(belief.sample(4000, rng=points)[:, :2] - center, axis=-1) <= radius - 0.3
        assert inside.mean() >= 0.95 - 0.01
    hall = OccupancyGrid.from_occupied(np.zeros((16, 24), dtype=bool), 0.25)
    plan = SpaceTimeAStar().plan(hall, (5.5, 2.0), (0.5, 2.0), moving=[track])
    assert room_between(plan, [track]) > -1e-6


def test_a_heap_that_grows_holds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    grid, moving = scene(3)
    plans = [SpaceTimeAStar().plan(grid, (0.5, 0.5), (4.5, 3.5), moving=moving)]
    monkeypatch.setattr(space_time, "HEAP", 1)
    plans.append(SpaceTimeAStar().plan(grid, (0.5, 0.5), (4.5, 3.5), moving=moving))
    assert plans[0].ok
    np.testing.assert_array_equal(plans[0].xs, plans[1].xs)


def test_failures_have_reasons() -> None:
    lane = OccupancyGrid.from_ascii(["......"])
    parked = MovingObstacle([0.0], [[3.5, 0.5]], 0.4)
    plan = SpaceTimeAStar().plan(lane, (0.5, 0.5), (5.5, 0.5), moving=[parked])
    assert plan.status is PlanStatus.NO_PATH
    assert "moving" in plan.reason
    there = SpaceTimeAStar().plan(lane, (0.5, 0.5), (3.5, 0.5), moving=[parked])
    assert there.status is PlanStatus.NO_PATH
    touched = SpaceTimeAStar().plan(lane, (3.5, 0.5), (5.5, 0.5), moving=[parked])
    assert touched.status is PlanStatus.INVALID
    assert "start" in touched.reason
    walled = OccupancyGrid.from_ascii(["..#..."])
    separated = SpaceTimeAStar().plan(walled, (0.5, 0.5), (4.5, 0.5), moving=[parked])
    assert "component" in separated.reason
    large = OccupancyGrid.from_occupied(np.zeros((300, 300), dtype=bool), 1.0)
    late = SpaceTimeAStar().plan(large, (0.5, 0.5), (299.5, 150.5), moving=[parked], budget=0.0)
    assert late.status in (PlanStatus.BUDGET, PlanStatus.SOLVED)
    assert late.lower_bound <= SpaceTimeAStar().plan(large, (0.5, 0.5), (299.5, 150.5), moving=[parked]).cost


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match="increase"):
        MovingObstacle([0.0, 0.0], [[0, 0], [1, 1]], 0.1)
    with pytest.raises(ShapeError, match="shape"):
        MovingObstacle([0.0, 1.0], [[0, 0]], 0.1)
    with pytest.raises(ShapeError, match="radius"):
        MovingObstacle([0.0], [[0, 0]], -0.1)
    with pytest.raises(PilotageError, match="times"):
        MovingObstacle.of(AStar().plan(OccupancyGrid.from_ascii("..."), (0.5, 0.5), (2.5, 0.5)), 0.1)
