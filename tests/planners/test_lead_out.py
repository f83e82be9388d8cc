"""Robots that start within a margin are led out of it, and told so; those in collision are not."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest

from pilotage.core import Plan, PlanStatus, Problem, Space
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import unicycle
from pilotage.planners import (
    PRM,
    RRT,
    AStar,
    BITStar,
    ChanceConstraint,
    Dubins,
    HybridAStar,
    InformedRRTStar,
    JumpPointSearch,
    KinodynamicRRT,
    LazyPRM,
    MovingObstacle,
    PRMStar,
    ReedsShepp,
    RRTConnect,
    RRTStar,
    SpaceTimeAStar,
    ThetaStar,
    chance_constrained,
)
from pilotage.planners._lead_out import ways_out

PILLAR = OccupancyGrid.from_occupied(np.zeros((40, 40), bool), 0.1).with_rectangles([[1.0, 2.0, 0.0]], [[0.4, 0.4]])
GAP = OccupancyGrid.from_occupied(np.zeros((80, 160), bool), 0.05).with_rectangles(
    [[4.05, 0.9, 0.0], [4.05, 3.1, 0.0]], [[0.5, 1.8], [0.5, 1.8]]
)
"""A wall with a gap too narrow for the margin, so that its sides are apart."""
WIDER = OccupancyGrid.from_occupied(np.zeros((80, 160), bool), 0.05).with_rectangles(
    [[4.05, 0.9, 0.0], [4.05, 3.125, 0.0]], [[0.5, 1.8], [0.5, 1.75]]
)
"""The same, but too narrow by less than the width of a cell, so that no proof on cells tells the sides apart."""
DISC, CAR = Footprint.disc(0.2), Footprint.rectangle(0.5, 0.3)
FLAT: list[Any] = [
    AStar(), AStar(connectivity=4), JumpPointSearch(), ThetaStar(), SpaceTimeAStar(), RRT(), RRTConnect(),
    RRTStar(iterations=800), InformedRRTStar(iterations=800), BITStar(iterations=300), PRM(size=200),
    PRMStar(size=200), LazyPRM(size=200),
]  # fmt: skip
VEHICLES: list[Any] = [
    HybridAStar(steering=ReedsShepp(0.5)), RRT(steering=ReedsShepp(0.5)), RRTConnect(steering=Dubins(0.5)),
    RRTStar(iterations=800, steering=ReedsShepp(0.5)),
]  # fmt: skip


def flat(margin: float, y: float = 2.45) -> Problem:
    return PILLAR.problem([1.0, y], [3.0, 1.6], DISC, margin=margin)


def check_led(plan: Plan, problem: Problem, robot: Footprint, room: OccupancyGrid = PILLAR) -> None:
    """A way out on which the robot itself is clear, and then a path that keeps the margin."""
    assert plan.ok, plan.reason
    assert plan.xs is not None
    assert plan.space is not None
    xs = plan.xs[:, [plan.space.find(name) for name in problem.space.names]]
    assert "within the margin of" in plan.stats["led_out"] and "leads out of it first" in plan.stats["led_out"]
    np.testing.assert_allclose(xs[0], problem.start)
    allowed = problem.edges_allowed(xs[:-1], xs[1:])
    first = int(allowed.argmax())
    assert not problem.allowed(xs[0]) and first > 0 and allowed[first:].all()
    shares = np.linspace(0.0, 1.0, 60)[:, None]
    fine = np.concatenate([problem.space.interpolate(a, b, shares) for a, b in itertools.pairwise(xs)])
    assert room.clearance(fine[:, : 3 if robot.turns else 2], robot).min() > 0.0
    length = float(problem.distance(xs[:-1], xs[1:]).sum())
    assert plan.lower_bound <= length + 1e-9
    assert plan.cost >= length - 1e-6


@pytest.mark.parametrize("planner", FLAT, ids=repr)
def test_a_robot_within_the_margin_is_led_out(planner: Any) -> None:
    problem = flat(0.15)
    plan = planner.plan(problem, rng=0)
    check_led(plan, problem, DISC)
    assert "start (1.00, 2.45) is 0.05 m from an obstacle, within the margin of 0.15 m;" in plan.stats["led_out"]
    assert "led_out" not in planner.plan(flat(0.15, y=2.8), rng=0).stats
    collides = planner.plan(flat(0.15, y=2.3), rng=0)
    assert collides.status is PlanStatus.INVALID and "is in collision by 0.10 m" in collides.reason


@pytest.mark.parametrize("planner", VEHICLES, ids=repr)
def test_a_vehicle_drives_out(planner: Any) -> None:
    """Along an arc that it can drive; Dubins's forwards only."""
    problem = PILLAR.problem([1.0, 2.45, 0.3], [3.0, 1.6, 0.0], CAR, margin=0.15, space=Space("pose: SE2"))
    plan = planner.plan(problem, rng=0)
    check_led(plan, problem, CAR)
    d = np.asarray(problem.space.minus(plan.xs[1:], plan.xs[:-1]))
    assert abs(d[:, 1]).max() < 1e-6  # never sideways
    assert (abs(d[:, 2]) <= abs(d[:, 0]) / 0.5 + 1e-6).all()
    assert len(plan.us) == len(plan.ts) - 1 == len(plan.xs) - 1
    np.testing.assert_allclose(np.diff(plan.ts), abs(d[:, 0]), atol=1e-9)


def test_a_way_out_is_short_and_there_is_none_where_the_robot_is_boxed_in() -> None:
    problem = flat(0.15)
    plan = RRTConnect().plan(problem, rng=0)
    out = float(plan.stats["led_out"].rpartition("over ")[2].split()[0])
    assert 0.1 <= out <= 0.1 + 1.5 * PILLAR.resolution
    corridor = np.zeros((40, 60), bool)
    corridor[:17], corridor[23:] = True, True
    narrow = OccupancyGrid.from_occupied(corridor, 0.1).problem([1.0, 2.0], [5.0, 2.0], DISC, margin=0.2)
    for planner in (AStar(), RRTConnect()):
        stuck = planner.plan(narrow, rng=0)
        assert stuck.status is PlanStatus.INVALID
        assert "within the margin of 0.20 m" in stuck.reason


@pytest.mark.parametrize("planner", FLAT + VEHICLES, ids=repr)
def test_a_robot_leaves_a_gap_on_the_side_of_its_goal(planner: Any) -> None:
    """Also where the other way out is shorter."""
    robot = Footprint.disc(0.15)
    for x, goal in itertools.product((4.0, 4.1), (1.0, 7.0)):
        yaw = 0.0 if goal > x else np.pi
        ends = ([x, 2.0, yaw], [goal, 2.0, yaw]) if planner in VEHICLES else ([x, 2.0], [goal, 2.0])
        space = Space("pose: SE2") if planner in VEHICLES else None
        problem = GAP.problem(*ends, robot, margin=0.1, space=space)
        check_led(planner.plan(problem, rng=0), problem, robot, GAP)


@pytest.mark.parametrize("planner", FLAT[5:], ids=repr)
def test_a_way_out_that_cells_lead_on_from_is_taken_first(planner: Any) -> None:
    robot = Footprint.disc(0.15)
    for x, goal in ((4.0, 7.0), (4.1, 1.0)):
        problem = WIDER.problem([x, 2.025], [goal, 2.0], robot, margin=0.1)
        check_led(planner.plan(problem, rng=0), problem, robot, WIDER)


@pytest.mark.parametrize("planner", [RRTConnect(samples=2000), RRTStar(iterations=800)], ids=repr)
def test_a_gap_is_left_on_the_side_of_the_goal_for_a_risk_too(planner: Any) -> None:
    """The covariance varies, so that the margin is not one of the map."""
    robot = Footprint.disc(0.15)
    for x, goal in ((4.0, 7.0), (4.1, 1.0)):
        base = GAP.problem([x, 2.0], [goal, 2.0], robot)
        problem = chance_constrained(base, lambda x: np.broadcast_to(0.03**2 * np.eye(2), (*x.shape, 2)), risk=0.01)
        check_led(planner.plan(problem, rng=0), problem, robot, GAP)


@pytest.mark.parametrize("planner", [RRT, RRTConnect, RRTStar, PRM])
def test_a_car_leaves_a_margin_in_a_direction_in_which_it_can_drive_on(planner: Any) -> None:
    """Behind the shortest two ways out of three, it cannot turn before a wall; a goal at an end is fine too."""
    room = OccupancyGrid.from_occupied(np.zeros((100, 80), bool), 0.05).with_rectangles(
        [[1.925, 2.45, 0.0], [3.575, 2.5, 0.0], [2.0, 0.875, 0.0]], [[0.25, 0.2], [0.85, 5.0], [4.0, 1.75]]
    )
    robot, curve, space = Footprint.disc(0.15), Dubins(0.8), Space("pose: SE2")
    size = {"size": 200} if planner is PRM else {"samples" if planner is RRTConnect else "iterations": 800}
    problem = room.problem([2.0, 2.15, 0.0], [1.2, 3.9, np.pi], robot, margin=0.1, space=space)
    ends = [way.xs[-1] for way in ways_out(problem, curve)]
    assert [float(np.sign(end[2])) for end in ends] == [-1.0, 0.0, 1.0]
    cars = planner(**size, steering=curve)
    check_led(cars.plan(problem, rng=0), problem, robot, room)
    for end in ends:
        assert cars.plan(dataclasses.replace(problem, goal=end), rng=0).ok


@pytest.mark.parametrize("planner", FLAT[:5], ids=repr)
def test_inflated_cells_are_left_on_the_side_of_the_goal(planner: Any) -> None:
    for x, goal in itertools.product((4.0, 4.1), (1.0, 7.0)):
        plan = planner.plan(GAP.inflate(0.25), (x, 2.0), (goal, 2.0))
        assert plan.ok and "led_out" in plan.stats, plan.reason
        assert GAP.is_free(plan.xs).all() and plan.lower_bound <= abs(goal - x) + 0.1


def test_a_planner_whose_model_drives_it_does_not_leave_a_margin() -> None:
    robot = unicycle()
    problem = PILLAR.problem([1.0, 2.45, 0.0], [3.0, 1.6, 0.0], DISC, margin=0.15, space=robot.state)
    plan = KinodynamicRRT(robot, robot.action.bounded({"speed": (0, 1), "yaw_rate": (-1, 1)})).plan(problem, rng=0)
    assert plan.status is PlanStatus.INVALID and "within the margin" in plan.reason


def test_the_margin_of_a_chance_constraint_is_named_with_its_risk() -> None:
    base = PILLAR.problem([1.0, 2.45], [3.0, 1.6], DISC)
    constant = chance_constrained(base, 0.1**2 * np.eye(2), risk=0.01)
    varying = chance_constrained(base, lambda x: np.broadcast_to(0.1**2 * np.eye(2), (*x.shape[:-1], 2, 2)), risk=0.01)
    sentence = "start (1.00, 2.45) is 0.05 m from an obstacle, within the margin of 0.30 m for a risk of 0.01"
    for problem in (constant, varying):
        assert problem.explain(problem.start, "start") == sentence
        assert sentence in RRTConnect().plan(problem, rng=0).stats["led_out"]
    assert sentence in AStar().plan(constant).stats["led_out"]


@pytest.mark.parametrize(("planner", "turns"), [(AStar(), False), (RRTConnect(), False), (RRTConnect(), True)])
def test_the_risk_on_the_way_out_is_told(planner: Any, turns: bool) -> None:
    """It bounds how often errors at the start collide, and is that of the constraint at its margin."""
    shape = Footprint.rectangle(0.4, 0.2) if turns else DISC
    start, P = [1.0, 2.45, 0.3][: 2 + turns], np.diag([0.05, 0.05, 0.05][: 2 + turns]) ** 2
    base = PILLAR.problem(start, [3.0, 1.6, 0.0][: 2 + turns], shape)
    problem = chance_constrained(base, P, risk=0.01)
    plan = planner.plan(problem, rng=0)
    assert plan.ok, plan.reason
    told = float(plan.stats["led_out"].rpartition("at a risk of up to ")[2])
    clearance = float(base.constraint.robot_clearance(np.array(start)))
    errors = np.random.default_rng(0).multivariate_normal(np.zeros(len(P)), P, 4000)
    hits = float((PILLAR.clearance(np.array(start) + errors, shape) < 0.0).mean())
    assert 0.01 < hits <= told < 1.0
    chance = ChanceConstraint(base.constraint, P, risk=0.01)
    assert told == pytest.approx(chance.risk_at(clearance), rel=0.06)
    assert chance.risk_at(float(chance.margin(np.array(start)))) == pytest.approx(0.01, rel=2e-3)
    varying = chance_constrained(base, lambda x: np.broadcast_to(P, (*x.shape[:-1], *P.shape)), risk=0.01)
    if not isinstance(planner, AStar):
        assert planner.plan(varying, rng=0).stats["led_out"].endswith(f"at a risk of up to {told:.2g}")
    plain = planner.plan(PILLAR.problem(start, [3.0, 1.6, 0.0][: 2 + turns], shape, margin=0.2), rng=0)
    assert "risk" not in plain.stats["led_out"]


def test_the_way_out_takes_its_time_among_moving_obstacles() -> None:
    other = MovingObstacle([0.0, 6.0], [[2.2, 1.0], [2.2, 3.0]], 0.3)
    problem = PILLAR.problem([1.0, 2.45], [3.4, 2.4], DISC, margin=0.15, moving=[other])
    plan = SpaceTimeAStar(speed=0.5).plan(problem)
    assert plan.ok, plan.reason
    moves, spans = np.linalg.norm(np.diff(plan.xs, axis=0), axis=-1), np.diff(plan.ts)
    np.testing.assert_allclose(moves[moves > 0.0] / spans[moves > 0.0], 0.5)
    assert plan.cost == pytest.approx(0.5 * plan.ts[-1])
    t = np.linspace(0.0, plan.ts[-1] + 3.0, 4000)
    x = np.stack([np.interp(t, plan.ts, plan.xs[:, k]) for k in range(2)], -1)
    assert np.linalg.norm(x - other.at(t), axis=-1).min() >= 0.3 + problem.footprint.radius - 1e-6
    near = MovingObstacle([0.0], [[1.0, 3.05]], 0.3)
    blocked = SpaceTimeAStar().plan(PILLAR.problem([1.0, 2.45], [3.0, 1.6], DISC, margin=0.15, moving=[near]))
    assert blocked.status is PlanStatus.INVALID and "moving obstacle touches the robot" in blocked.reason


def test_inflated_cells_are_left_in_space_and_time() -> None:
    room = OccupancyGrid.from_ascii(["............", "............", "....##......", "............", "............"])
    plan = SpaceTimeAStar().plan(room.inflate(1.0), (3.6, 2.5), (10.5, 2.5))
    assert plan.ok and "within the inflation of 1.00 m" in plan.stats["led_out"]
    assert len(plan.ts) == len(plan.xs) and plan.ts[-1] == pytest.approx(plan.cost)


@pytest.mark.parametrize("planner", FLAT, ids=repr)
def test_a_bound_holds_for_any_way_out(planner: Any) -> None:
    """Also where the time is up, or the goal lies beyond a wall: another way out might lead to it.

    Searches on cells end in the middle of one, 0.1 m wide.
    """
    problem = flat(0.15)
    straight = float(np.hypot(2.0, 0.85))
    assert planner.plan(problem, rng=0, budget=1e-9).lower_bound <= straight + 0.1
    apart = PILLAR.with_rectangles([[2.5, 2.0, 0.0]], [[0.2, 4.0]]).problem([1.0, 2.45], [3.4, 1.6], DISC, margin=0.15)
    none = planner.plan(apart, rng=0, budget=1e-9)
    assert not none.ok and none.lower_bound <= np.hypot(2.4, 0.85) + 0.1
