"""The contract of a planner: the properties of a valid plan, and the status if there is none."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import numpy as np

from pilotage.core import Gaussian, PilotageError, Plan, Planner, PlanStatus, Problem, Rng, Space, seeded
from pilotage.core.arrays import Array
from pilotage.maps import Footprint, OccupancyGrid

from .sentences import made, told

ROOM = (
    "..............",
    "..............",
    "....#######...",
    "....#.....#...",
    "....#.....#...",
    "....#######...",
    "..............",
    "..............",
)
"""A room with a closed chamber: cells of half a metre, the origin in the lower left corner."""
CAR, DRIVE = Footprint.rectangle(0.6, 0.3), ((0.75, 0.75, 1.5), (6.25, 3.25, -1.5))
"""A body that turns, and its first and last pose in the room."""
START, GOAL, WALL, CHAMBER, OUTSIDE = (0.75, 0.75), (6.25, 0.75), (2.25, 2.25), (3.75, 2.25), (-5.0, 1.0)


def check_planner(planner: Planner, problem: Problem | None = None, *, rng: Rng = 0, tolerance: float = 1e-6) -> None:
    """Check a planner against the contract.

    A solved plan leads from start to goal through allowed states, and its cost is at least its lower bound and its
    length. The same seed, and a belief around the start, give the same plan. A plan that is not solved has no states,
    infinite cost and a reason. A start in an obstacle, a goal off the map, a goal in a closed chamber and a budget of
    zero result in a status, never in a wrong path. The same holds for the poses of a body that turns, in SE(2), unless
    the planner refuses these with a `PilotageError`.

    Args:
        planner: the planner to check.
        problem: a `Problem` with a solution; default: a point in a small room with a closed chamber, then a body that
            turns.
        rng: seed for random planners.
        tolerance: tolerance of lengths and costs, relative to the cost.

    Raises:
        AssertionError: if a check fails; the message describes the failure.

    Example:
        >>> from pilotage.planners import AStar
        >>> check_planner(AStar())
    """
    _, seed = seeded(rng)
    made(planner, "plan")
    if problem is None:
        room = OccupancyGrid.from_ascii(ROOM, resolution=0.5)
        problem = room.problem(START, GOAL)
        _check_refusals(planner, room, seed)
        turning = room.problem(*DRIVE, CAR, space=Space("pose: SE2"))
        if _takes(planner, turning, seed):
            _check_problem(planner, turning, seed, tolerance)
    _check_problem(planner, problem, seed, tolerance)


def _takes(planner: Planner, problem: Problem, seed: int | None) -> bool:
    """Whether a planner plans for such states; a refusal must be a PilotageError."""
    try:
        planner.plan(problem, rng=seed)
    except PilotageError:
        return False
    return True


def _check_problem(planner: Planner, problem: Problem, seed: int | None, tolerance: float) -> None:
    """The laws on a problem that has a solution."""
    plan = _plan(planner, problem, seed)
    assert plan.ok, f"no plan on a problem that has one: {plan.status.value}, {plan.reason!r}"
    _check_solved(plan, problem, tolerance)
    _check_repeats(planner, plan, problem, seed)
    hurried = _plan(planner, problem, seed, budget=0.0)
    assert hurried.status in (PlanStatus.SOLVED, PlanStatus.BUDGET), (
        f"with a budget of 0 s the status must be SOLVED or BUDGET, not {hurried.status}: {hurried.reason!r}"
    )


def _plan(planner: Planner, problem: Problem, seed: int | None, **settings: Any) -> Plan:
    """Plan, and check what holds for plans of any status."""
    with told(f"`plan` from {problem.start} to {problem.goal}"):
        plan = planner.plan(problem, rng=seed, **settings)
    assert isinstance(plan, Plan), f"`plan` must return a Plan, not {type(plan).__name__}"
    assert not math.isnan(plan.cost) and not math.isnan(plan.lower_bound), "cost and lower bound must not be NaN"
    if plan.ok:
        assert plan.xs is not None, "a solved plan must have states"
        assert not plan.reason, f"a solved plan needs no reason, but says {plan.reason!r}"
    else:
        assert plan.xs is None, f"a plan with status {plan.status} must not have states"
        assert plan.cost == math.inf, f"a plan with status {plan.status} must cost infinity, not {plan.cost}"
        assert plan.reason, f"a plan with status {plan.status} must say why in `reason`"
    return plan


def _check_solved(plan: Plan, problem: Problem, tolerance: float) -> None:
    assert plan.xs is not None and plan.space is not None
    assert np.isfinite(plan.xs).all(), "the states of the plan hold NaN or infinity"
    slack = tolerance * max(1.0, plan.cost)
    assert plan.cost < math.inf, "a solved plan must have a finite cost"
    assert plan.lower_bound <= plan.cost + slack, f"the lower bound {plan.lower_bound} exceeds the cost {plan.cost}"
    xs = plan.xs
    assert set(problem.space.names) <= set(plan.space.names), (
        f"the plan is in {plan.space}, which lacks some of the components {problem.space.names}"
    )
    xs = xs[:, [plan.space.index(name) for name in problem.space.names]]
    _check_ends(xs, problem)
    for a, b in itertools.pairwise(xs):
        fine = bool(problem.edges_allowed(a, b))
        assert fine, f"the way from {a.round(3)} to {b.round(3)} runs through an obstacle, or what else is forbidden"
    length = float(problem.distance(xs[:-1], xs[1:]).sum())
    assert plan.cost >= length - slack, f"the path is {length:.6g} long, but its cost is only {plan.cost:.6g}"


def _check_ends(xs: Array, problem: Problem) -> None:
    """Both ends within a cell of what was asked for, on a map; exactly there elsewhere."""
    reach = 1e-9 if problem.world is None else problem.world.resolution * math.sqrt(2.0)
    gap = float(problem.distance(xs[0], problem.start))
    assert gap <= reach, f"the first state is {xs[0]}, {gap:.3g} from the start {problem.start}"
    if isinstance(problem.goal, Space):
        assert bool(problem.goal.contains(xs[-1])), f"the last state {xs[-1]} lies outside the goal {problem.goal}"
        return
    gap = float(problem.distance(xs[-1], problem.goals()).min())
    assert gap <= reach, f"the last state is {xs[-1]}, {gap:.3g} from the goal {problem.goal}"


def _check_repeats(planner: Planner, plan: Plan, problem: Problem, seed: int | None) -> None:
    again = _plan(planner, problem, seed)
    assert again.xs is not None and np.array_equal(np.asarray(plan.xs), np.asarray(again.xs)), (
        "the same query from the same seed gave another path"
    )
    belief = Gaussian.of(problem.space, problem.start, std=0.1)
    from_belief = _plan(planner, dataclasses.replace(problem, start=belief), seed)
    assert from_belief.xs is not None and np.array_equal(np.asarray(plan.xs), np.asarray(from_belief.xs)), (
        "a belief around the start gave another path than its mean"
    )


def _check_refusals(planner: Planner, room: OccupancyGrid, seed: int | None) -> None:
    """Queries that have no answer."""
    for what, start, goal in (
        ("a start inside a wall", WALL, GOAL),
        ("a goal inside a wall", START, WALL),
        ("a goal off the map", START, OUTSIDE),
    ):
        plan = _plan(planner, room.problem(start, goal), seed)
        assert plan.status is PlanStatus.INVALID, f"{what} must give status INVALID, not {plan.status}"
    shut_in = _plan(planner, room.problem(START, CHAMBER), seed, budget=1.0)
    assert not shut_in.ok, "a path was found into a closed chamber"
