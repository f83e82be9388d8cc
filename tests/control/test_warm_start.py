"""Plans that are proposed to a predictive controller: the solver begins with the better one of two."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from pilotage.control import ILQR, reach
from pilotage.control.receding import MAX_VIOLATION, Horizon, RecedingHorizon, Solution
from pilotage.core import ModelError, SettingError
from pilotage.models import double_integrator, task

CART = double_integrator(1)
HOME = reach(CART, [0.0, 0.0])
X = np.array([1.0, 0.5])
STEPS = 12


def low(x: Any, u: Any, p: Any, m: Any) -> Any:
    return x[1] - 0.8


@task(state=CART.state, action=CART.action, constraint=low)
def slow_home(x: Any, u: Any, p: Any, m: Any) -> Any:
    return x[0] ** 2 + 0.1 * u[0] ** 2


class Unchanged:
    """A solver that returns the plan with which it begins."""

    def workspace(self, problem: Horizon) -> None: ...

    def init(self, seed: int) -> None: ...

    def step(self, workspace: Any, state: Any, x: Any, us: Any, rows: Any, passed: float) -> Any:
        return state, Solution(us)


class Always:
    """A proposal of one plan."""

    def __init__(self, us: Any) -> None:
        self.us = us

    def __call__(self, problem: Any, x: Any, rows: Any) -> Any:
        return self.us


def drive(errand: Any = HOME) -> RecedingHorizon:
    return RecedingHorizon(CART, errand, Unchanged(), horizon=STEPS)


def cost(errand: Any, x: Any, us: Any) -> float:
    """The cost of a plan, added up step by step."""
    total = 0.0
    for u in us:
        total += float(errand.cost(x, u))
        x = CART.step(x, u, errand.dt)
    return total + float(errand.terminal_cost(x))


def worst(x: Any, us: Any) -> float:
    """The largest excess of the speed over its limit along a plan, step by step."""
    speeds = x[1] + 0.1 * np.cumsum(us[:, 0])
    return max(MAX_VIOLATION, float((speeds - 0.8).max()))


@pytest.mark.parametrize("errand", [HOME, slow_home()], ids=["free", "constrained"])
def test_plans_are_judged_by_their_violation_and_then_by_their_cost(errand: Any) -> None:
    rng, problem, rows = np.random.default_rng(0), drive(errand).problem, np.zeros((STEPS + 1, 0))
    for _ in range(20):
        plans = rng.uniform(-1.5, 1.0, (3, STEPS, 1))
        limit = worst if errand is not HOME else lambda x, us: 0.0
        expected = min(plans, key=lambda us: (limit(X, us), cost(errand, X, us)))
        np.testing.assert_array_equal(problem.better(X, plans, rows), expected)


def test_the_better_plan_begins() -> None:
    best = ILQR(CART, HOME, horizon=STEPS).solve(X).us
    assert best is not None
    controller, worse = drive(), np.full((STEPS, 1), 3.0)
    rest = controller.act(X, 0.0).plan
    for proposed, expected in ((best, best), (worse, rest), (np.full((STEPS, 1), np.nan), rest)):
        controller.reset()
        controller.warm_start = Always(proposed)
        np.testing.assert_array_equal(controller.act(X, 0.0).plan, expected)
        np.testing.assert_array_equal(controller.solve(X).us, expected)
    given = controller.solve(X, us=worse)
    np.testing.assert_array_equal(given.us, worse)
    controller.warm_start = None
    controller.reset()
    np.testing.assert_array_equal(controller.act(X, 0.0).plan, rest)


def test_a_cheaper_plan_that_violates_the_constraint_is_not_used() -> None:
    controller = drive(slow_home())
    x, fast = np.array([-2.0, 0.7]), np.full((STEPS, 1), 2.0)
    assert cost(slow_home(), x, fast) < cost(slow_home(), x, 0.0 * fast)
    controller.warm_start = Always(fast)
    np.testing.assert_array_equal(controller.act(x, 0.0).plan, 0.0 * fast)


def test_proposals_stay_within_the_bounds_and_travel() -> None:
    controller = drive()
    controller.warm_start = Always([[-9.0]] + [[0.0]] * (STEPS - 1))
    plan = controller.act([2.0, 0.0], 0.0).plan
    assert plan is not None
    assert plan[0] == -5.0
    again = pickle.loads(pickle.dumps(controller))
    again.reset()
    np.testing.assert_array_equal(again.act([2.0, 0.0], 0.0).plan, plan)


@pytest.mark.parametrize(("bad", "error"), [(3.0, SettingError), (Always(np.zeros((2, 1))), ModelError)])
def test_bad_proposals_are_refused(bad: Any, error: Any) -> None:
    controller = drive()
    with pytest.raises(error, match=r"warm_start"):
        controller.warm_start = bad
    assert controller.warm_start is None
