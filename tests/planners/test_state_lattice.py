"""The state lattice: motions that end on the lattice, and shortest paths over them."""

from __future__ import annotations

import heapq
import math
from typing import Any

import numpy as np
import pytest

from pilotage.core import PlanStatus, Problem
from pilotage.planners import Dubins, ReedsShepp, StateLattice
from pilotage.planners.search._pose_planner import PosePlanner
from pilotage.planners.search.state_lattice import Lattice, angles
from pilotage.testing import check_planner

from .vehicles import CAR, HALL, SE2, across, charged, in_room, inspect, pose, simulated

SQUARE = SE2.bounded({"pose.x": (-2.6, 2.6), "pose.y": (-2.6, 2.6)})


@pytest.mark.parametrize("headings", [8, 16])
@pytest.mark.parametrize("steering", [ReedsShepp(0.9), Dubins(2.0)])
def test_motions_lead_from_the_lattice_to_the_lattice(headings: Any, steering: ReedsShepp | Dubins) -> None:
    planner = StateLattice(steering, spacing=0.7, headings=headings)
    turns = angles(headings)
    for each in planner.primitives:
        x = np.array([0.0, 0.0, turns[each.heading]])
        for curvature, length in each.segments:
            assert abs(curvature) <= 1.0 / steering.radius + 1e-9
            assert length > 0.0 or isinstance(steering, ReedsShepp)
            x = SE2.plus(x, [length, 0.0, curvature * length])
        end = [0.7 * each.offset[0], 0.7 * each.offset[1], turns[each.end]]
        np.testing.assert_allclose(SE2.minus(x, end), 0.0, atol=1e-9)
    starts = [each.heading for each in planner.primitives]
    assert starts == sorted(starts)
    assert set(starts) == set(range(headings))


@pytest.mark.parametrize("steering", [ReedsShepp(0.8), Dubins(0.8)])
def test_a_car_drives_through_a_door(steering: ReedsShepp | Dubins) -> None:
    problem = across()
    plan = StateLattice(steering).plan(problem)
    inspect(plan, problem, CAR, HALL)
    simulated(plan, steering.radius)
    assert plan.xs is not None
    np.testing.assert_allclose(plan.xs[-1], problem.goal, atol=1e-9)
    assert plan.cost == pytest.approx(charged(plan, problem, 1.5, 0.5))


def test_the_contract_of_planners() -> None:
    check_planner(StateLattice(ReedsShepp(0.8)), across())
    check_planner(StateLattice(Dubins(0.8)), in_room())


class OnLattice(PosePlanner):
    """The lattice alone: no curve leads to the goal, which is a pose of it."""

    steering, reverse, cusp, weight, nodes = ReedsShepp(1.0), 1.5, 0.5, 1.0, 10**6
    _vehicle = Lattice(ReedsShepp(1.0), 0.5, 16, curves=False, tolerance=1e-6)  # type: ignore[assignment]


@pytest.mark.parametrize("goal", [(4, 3, 2), (0, 2, 0), (3, -3, 13)])
def test_the_path_is_a_shortest_one_on_the_lattice(goal: tuple[int, int, int]) -> None:
    problem = around_a_pillar(goal)
    plan = OnLattice().plan(problem)
    assert plan.ok, plan.reason
    assert plan.cost == pytest.approx(dijkstra(problem, goal), abs=1e-9)
    assert plan.cost == pytest.approx(charged(plan, problem, 1.5, 0.5))


@pytest.mark.parametrize("goal", [(3, 2, 0), (1, 4, 4), (3, 1, 8), (-1, -1, 0)])
def test_curves_make_no_path_cost_more_than_on_the_lattice_alone(goal: tuple[int, int, int]) -> None:
    """At goals with a heading of quarter turns, so that the lattice is the same wherever the search begins."""
    problem = around_a_pillar(goal)
    plan = StateLattice(ReedsShepp(1.0), spacing=0.5, weight=1.0).plan(problem)
    assert plan.cost <= dijkstra(problem, goal) + 1e-9
    assert plan.xs is not None
    np.testing.assert_allclose(SQUARE.minus(plan.xs[-1], problem.goal), 0.0, atol=1e-9)


def around_a_pillar(goal: tuple[int, int, int]) -> Problem:
    """From (0, 0, 0) to a pose of the lattice, given by whole numbers."""

    def pillar(x: Any) -> Any:
        return 0.6 - np.hypot(x[..., :1] - 0.9, x[..., 1:2] - 0.8)

    end = [0.5 * goal[0], 0.5 * goal[1], angles(16)[goal[2]]]
    return Problem(SQUARE, [0.0, 0.0, 0.0], end, pillar, resolution=0.1)


def dijkstra(problem: Problem, goal: tuple[int, int, int]) -> float:
    """Cost of the best way over the lattice from (0, 0, 0), with whole numbers for its poses."""
    vehicle, turns = OnLattice._vehicle, angles(16)
    reach = np.arange(-5, 6)
    places = np.stack(np.meshgrid(reach, reach, indexing="ij"), -1).reshape(-1, 2)
    costs = np.zeros((len(vehicle.primitives), len(places)))
    for n, each in enumerate(vehicle.primitives):
        x = np.column_stack((vehicle.spacing * places, np.full(len(places), turns[each.heading])))
        for curvature, length in each.segments:
            y = SQUARE.plus(x, [length, 0.0, curvature * length])
            step = problem.distance(x, y) * (1.5 if length < 0.0 else 1.0)
            costs[n] += np.where(problem.edges_allowed(x, y), step, np.inf)
            x = y
    best, queue = {(0, 0, 0, 0): 0.0}, [(0.0, (0, 0, 0, 0))]
    while queue:
        cost, state = heapq.heappop(queue)
        if cost > best[state]:
            continue
        i, j, k, gear = state
        if (i, j, k) == goal:
            return cost
        for n, each in enumerate(vehicle.primitives):
            if each.heading != k:
                continue
            ahead = 1 if each.segments[0][1] > 0.0 else -1
            total = cost + costs[n, 11 * (i + 5) + j + 5] + (0.5 if gear * ahead < 0 else 0.0)
            other = i + each.offset[0], j + each.offset[1], each.end, ahead
            if total < best.get(other, math.inf):
                best[other] = total
                heapq.heappush(queue, (total, other))
    return math.inf


def test_failures_have_reasons() -> None:
    closed = HALL.with_rectangles([pose(10.5, 4)], [[0.6, 2.0]]).problem(pose(3, 1), pose(19, 4.5), CAR, space=SE2)
    plan = StateLattice(ReedsShepp(0.8)).plan(closed)
    assert plan.status is PlanStatus.NO_PATH
    assert "component" in plan.reason
    hurried = StateLattice(ReedsShepp(0.8), weight=1.0).plan(across(), budget=0.0)
    assert hurried.status in (PlanStatus.BUDGET, PlanStatus.SOLVED)
