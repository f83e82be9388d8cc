"""Dynamic programming on a grid, and the plans that end with its cost-to-go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.bench import benchmark_task
from pilotage.control import CEM, ILQR, ValueTable, finite_horizon_lqr, reach
from pilotage.core import ModelError, SettingError, ShapeError
from pilotage.models import double_integrator, pendulum

from .worlds import cart, driven, riccati_cost, stop


def test_a_value_table_is_the_riccati_solution_of_a_linear_quadratic_problem() -> None:
    cart = double_integrator(1, noise=0.0)
    home = reach(cart, [0.0, 0.0], weights=[1.0, 0.1], effort=0.1, final=1.0, dt=0.1, horizon=20)
    P = finite_horizon_lqr(*cart.linearize(np.zeros(2), np.zeros(1), 0.1), [1.0, 0.1], 0.1, 20).S[0]
    errors = []
    for points in (41, 81):
        table = ValueTable(cart, home, [-2.0, -3.0], [2.0, 3.0], (points, points), 41)
        x = np.array([0.7, -0.3])
        errors.append(abs(table.value(x) - x @ P @ x))
        cost, xs, us = table.rollout(x)
        assert x @ P @ x - 1e-9 <= cost < 1.02 * (x @ P @ x)
        assert np.allclose(xs, cart.rollout(x, us, 0.1))
    assert errors[1] < 0.6 * errors[0] < 0.3


def test_a_value_table_of_a_circle_closes() -> None:
    """The cost-to-go is the same on both sides of the cut of an angle."""
    rod = pendulum(noise=0.0)
    swing = reach(rod, [0.0, 0.0], weights=[1.0, 0.1], effort=0.001, dt=0.05, horizon=40)
    table = ValueTable(rod, swing, [-np.pi, -8.0], [np.pi, 8.0], (61, 41), 5)
    V = table.V[0].reshape(61, 41)
    assert np.allclose(V[0], V[-1], rtol=1e-5) and np.allclose(V, V[::-1, ::-1], rtol=1e-3)


def test_what_a_value_table_cannot_hold_is_refused() -> None:
    balance = benchmark_task("cart_pole_balance")
    with pytest.raises(ModelError, match="constraint"):
        ValueTable(balance.plant, balance.task, [-1.0] * 4, [1.0] * 4, [3] * 4, 3)
    rod = benchmark_task("pendulum")
    with pytest.raises(ShapeError, match="shape"):
        ValueTable(rod.plant, rod.task, [-1.0], [1.0], [3], 3)


@pytest.mark.parametrize("kind", [CEM, ILQR])
def test_a_plan_of_two_steps_that_ends_with_the_cost_to_go_is_nearly_optimal(kind: Any) -> None:
    """Without it, two steps of 0.1 s are too short to see any way to the goal."""
    model, errand, x = cart(), stop(dt=0.1, horizon=60), [0.9, -0.3]
    table = ValueTable(model, errand, [-2.0, -3.0], [2.0, 3.0], (81, 81), 41)
    settings: dict[str, Any] = {"horizon": 2} | ({"samples": 200, "rng": 0} if kind is CEM else {})
    costs = [driven(kind(model, each, **settings), model, errand.cost, x, 60, 0.1)[0] for each in (table.task, errand)]
    assert riccati_cost(np.array(x), 0.1) - 1e-6 < costs[0] < 1.05 * riccati_cost(np.array(x), 0.1)
    assert costs[1] > 1.5 * costs[0]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"low": [2.0, -2.0]}, "x"),
        ({"shape": (1, 11)}, "shape"),
        ({"actions": 0}, "actions"),
        ({"shape": (10**5, 10**5)}, "GiB"),
        ({"high": [np.nan, 2.0]}, "finite"),
    ],
)
def test_grids_that_are_none_are_refused(settings: dict[str, Any], told: str) -> None:
    cart = double_integrator(1)
    home = reach(cart, [0.0, 0.0], horizon=3)
    grid: dict[str, Any] = {"low": [-2.0, -2.0], "high": [2.0, 2.0], "shape": (11, 11), "actions": 5}
    with pytest.raises(SettingError, match=told):
        ValueTable(cart, home, **{**grid, **settings})


@pytest.mark.parametrize("x", [[0.0], [0.0, 0.0, 0.0], [np.nan, 0.0], [[0.0, 0.0]]])
def test_states_that_are_none_are_refused(x: Any) -> None:
    cart = double_integrator(1)
    table = ValueTable(cart, reach(cart, [0.0, 0.0], horizon=3), [-2.0, -2.0], [2.0, 2.0], (11, 11), 5)
    with pytest.raises(ShapeError, match="x"):
        table.value(x)
    assert "ValueTable" in repr(table) and "11" in repr(table)
