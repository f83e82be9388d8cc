"""`check_planner` passes what keeps the contract, and says what is wrong with what does not."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from pilotage.core import Plan, PlanStatus
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.planners import AStar, Dijkstra, RRTConnect
from pilotage.testing import check_planner


@pytest.mark.parametrize("planner", [AStar(), AStar(weight=2.0), AStar(connectivity=4), Dijkstra()], ids=repr)
def test_own_planners_pass(planner: Any) -> None:
    check_planner(planner)


def test_other_maps() -> None:
    grid = OccupancyGrid.from_ascii(["..#..", "..#..", "....."], resolution=0.2, origin=(3.0, -2.0, 0.5))
    start, goal = grid.cell_to_world([2, 0]), grid.cell_to_world([2, 4])
    check_planner(AStar(), grid.problem(start, goal))
    check_planner(AStar(), grid.refined(4).problem(start, goal, Footprint.disc(0.06)))


class Spoiled:
    """A* whose plans are changed afterwards."""

    def __init__(self, **changes: Any) -> None:
        self.changes = changes

    def plan(self, problem: Any, **settings: Any) -> Plan:
        plan = AStar().plan(problem, **settings)
        if not plan.ok:
            return plan
        values = {name: value(plan) if callable(value) else value for name, value in self.changes.items()}
        return dataclasses.replace(plan, **values)


def through_walls(plan: Plan) -> Any:
    assert plan.xs is not None
    return np.stack([plan.xs[0], [3.75, 3.75], plan.xs[-1]])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"xs": None}, "must have states"),
        ({"xs": lambda plan: plan.xs[1:-3]}, "last state is"),
        ({"xs": lambda plan: plan.xs[6:]}, "first state is"),
        ({"xs": through_walls}, "through an obstacle"),
        ({"xs": lambda plan: plan.xs * np.nan}, "NaN"),
        ({"cost": 0.5}, "lower bound"),
        ({"cost": 0.5, "lower_bound": 0.0}, "but its cost is only 0.5"),
        ({"cost": math.nan}, "must not be NaN"),
        ({"lower_bound": 1e3}, "exceeds the cost"),
        ({"reason": "none"}, "needs no reason"),
        ({"status": PlanStatus.NO_PATH}, "must not have states"),
    ],
)
def test_broken_plans_are_named(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_planner(Spoiled(**changes))


class Reversed:
    """RRT-Connect that turns the last pose of a car around."""

    def plan(self, problem: Any, **settings: Any) -> Plan:
        plan = RRTConnect().plan(problem, **settings)
        if plan.xs is None or problem.space.size == 2:
            return plan
        xs = plan.xs.copy()
        xs[-1, 2] += np.pi
        return dataclasses.replace(plan, xs=xs)


class Mute:
    def plan(self, problem: Any, **settings: Any) -> Plan:
        plan = AStar().plan(problem, **settings)
        return plan if plan.ok else Plan(PlanStatus.NO_PATH)


class Restless:
    def __init__(self) -> None:
        self.count = 0

    def plan(self, problem: Any, **settings: Any) -> Plan:
        plan = AStar().plan(problem, **settings)
        self.count += 1
        if plan.xs is None:
            return plan
        return dataclasses.replace(plan, xs=plan.xs[:: 1 + self.count % 2] if self.count > 4 else plan.xs)


class Clumsy:
    def plan(self, problem: Any, **settings: Any) -> Plan:
        plan = AStar().plan(problem, **settings)
        start = problem.start
        start += 1.0
        return plan


@pytest.mark.parametrize(
    ("planner", "sentence"),
    [
        (Reversed(), "last state is"),
        (Mute(), "must say why"),
        (Restless(), "another path|last state"),
        (Clumsy(), "read-only"),
        (object(), "no method `plan`"),
    ],
)
def test_broken_planners_are_named(planner: Any, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_planner(planner)
