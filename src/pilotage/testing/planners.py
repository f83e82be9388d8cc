"""The contract of a planner: what a plan must hold, and what a planner must say when there is none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pilotage.core import Gaussian, Plan, Planner, PlanStatus, Rng, Space, seeded
from pilotage.core.arrays import Array
from pilotage.maps import OccupancyGrid

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
START, GOAL, WALL, CHAMBER, OUTSIDE = (0.75, 0.75), (6.25, 0.75), (2.25, 2.25), (3.75, 2.25), (-5.0, 1.0)


def check_planner(
    planner: Planner, problem: Any = None, start: Any = None, goal: Any = None, *, rng: Rng = 0, tolerance: float = 1e-6
) -> None:
    """Check a planner against the contract.

    A solved plan leads from start to goal through free space, costs no less than its lower bound and the straight
    line, and is found again from the same seed and from a belief around the start. A plan that is not solved has no
    path, infinite cost and a reason. Nothing that was handed in is changed. A start in an obstacle, a goal off the
    map, a goal in a closed chamber and a budget of nothing are answered by a status, never by a wrong path.

    Args:
        planner: what to check.
        problem: an `OccupancyGrid` with a solvable query; default a small room that has a closed chamber. On a
            problem of another kind only what does not need a map is checked.
        start, goal: the query, needed with `problem`.
        rng: seed for planners that draw.
        tolerance: on lengths and costs, relative to the cost.

    Raises:
        AssertionError: with a sentence that says what is wrong.

    Example:
        >>> from pilotage.planners import AStar
        >>> check_planner(AStar())
    """
    _, seed = seeded(rng)
    made(planner, "plan")
    if problem is None:
        problem, start, goal = OccupancyGrid.from_ascii(ROOM, resolution=0.5), START, GOAL
        _check_refusals(planner, problem, seed)
    assert start is not None and goal is not None, "a problem needs a start and a goal"
    plan = _plan(planner, problem, start, goal, seed)
    assert plan.ok, f"no plan on a problem that has one: {plan.status.value}, {plan.reason!r}"
    _check_solved(plan, problem, start, goal, tolerance)
    _check_repeats(planner, plan, problem, start, goal, seed)
    hurried = _plan(planner, problem, start, goal, seed, budget=0.0)
    assert hurried.status in (PlanStatus.SOLVED, PlanStatus.BUDGET), (
        f"with a budget of 0 s the status must be SOLVED or BUDGET, not {hurried.status}: {hurried.reason!r}"
    )


def _plan(planner: Planner, problem: Any, start: Any, goal: Any, seed: int | None, **settings: Any) -> Plan:
    """Plan, and check what holds for plans of any status."""
    before = (np.array(start, dtype=float), np.array(goal, dtype=float))
    ends = (before[0].copy(), before[1].copy())
    with told(f"`plan` from {start} to {goal}"):
        plan = planner.plan(problem, ends[0], ends[1], rng=seed, **settings)
    assert isinstance(plan, Plan), f"`plan` must return a Plan, not {type(plan).__name__}"
    for name, given, now in zip(("start", "goal"), before, ends, strict=True):
        assert np.array_equal(given, now), f"the planner changed its {name} from {given} to {now}"
    assert not math.isnan(plan.cost) and not math.isnan(plan.lower_bound), "cost and lower bound must not be NaN"
    if plan.ok:
        assert plan.path is not None, "a solved plan must have a path"
        assert not plan.reason, f"a solved plan needs no reason, but says {plan.reason!r}"
    else:
        assert plan.path is None, f"a plan with status {plan.status} must not have a path"
        assert plan.cost == math.inf, f"a plan with status {plan.status} must cost infinity, not {plan.cost}"
        assert plan.reason, f"a plan with status {plan.status} must say why in `reason`"
    return plan


def _check_solved(plan: Plan, problem: Any, start: Any, goal: Any, tolerance: float) -> None:
    path = np.asarray(plan.path, dtype=float)
    assert path.ndim == 2 and len(path) >= 1, f"a path has shape (K, n), not {path.shape}"
    assert np.isfinite(path).all(), "the path holds NaN or infinity"
    slack = tolerance * max(1.0, plan.cost)
    assert plan.cost < math.inf, "a solved plan must have a finite cost"
    assert plan.lower_bound <= plan.cost + slack, f"the lower bound {plan.lower_bound} exceeds the cost {plan.cost}"
    if isinstance(problem, OccupancyGrid):
        _check_path(path, problem, np.asarray(start, dtype=float)[:2], np.asarray(goal, dtype=float)[:2])
        length = float(np.hypot(*np.diff(path[:, :2], axis=0).T).sum())
        assert plan.cost >= length - slack, f"the path is {length:.6g} m long, but its cost is only {plan.cost:.6g}"


def _check_path(path: Array, grid: OccupancyGrid, start: Array, goal: Array) -> None:
    """Both ends within a cell of what was asked for, and every point between them free."""
    reach = grid.resolution * math.sqrt(2.0)
    for name, asked, got in (("start", start, path[0, :2]), ("goal", goal, path[-1, :2])):
        gap = float(np.hypot(*(got - asked)))
        assert gap <= reach, f"the path's end at the {name} is {got}, {gap:.3g} m from the {name} {asked}"
    for a, b in zip(path[:-1, :2], path[1:, :2], strict=True):
        steps = max(2, math.ceil(float(np.hypot(*(b - a))) / (0.25 * grid.resolution)) + 1)
        points = np.linspace(a, b, steps)
        blocked = grid.is_occupied(points)
        assert not blocked.any(), f"the path runs through an obstacle at {points[np.argmax(blocked)].round(3)}"


def _check_repeats(planner: Planner, plan: Plan, problem: Any, start: Any, goal: Any, seed: int | None) -> None:
    again = _plan(planner, problem, start, goal, seed)
    assert again.path is not None and np.array_equal(np.asarray(plan.path), np.asarray(again.path)), (
        "the same query with the same seed gave another path"
    )
    if np.shape(start) == (2,):
        belief = Gaussian.of(Space("x y [m]"), start, std=0.01)
        with told("`plan` from a belief around the start"):
            believed = planner.plan(problem, belief, goal, rng=seed)
        assert believed.ok and believed.cost == plan.cost, (
            f"from a belief around the start the plan costs {believed.cost}, from the start itself {plan.cost}"
        )


def _check_refusals(planner: Planner, room: OccupancyGrid, seed: int | None) -> None:
    """Queries without an answer."""
    for what, start, goal in (
        ("a start inside a wall", WALL, GOAL),
        ("a goal inside a wall", START, WALL),
        ("a goal off the map", START, OUTSIDE),
    ):
        plan = _plan(planner, room, start, goal, seed)
        assert plan.status is PlanStatus.INVALID, f"{what} must give status INVALID, not {plan.status}"
    shut_in = _plan(planner, room, START, CHAMBER, seed, budget=1.0)
    assert not shut_in.ok, "a path was found into a closed chamber"
