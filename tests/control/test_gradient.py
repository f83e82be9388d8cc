"""GradientMPC: the adjoint gradient against differences, and three optimisers against iLQR's optimum."""

# pyright: reportOptionalSubscript=false
from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pytest

from pilotage.control import ILQR, SQP, GradientMPC, reach
from pilotage.control.trajectory._adjoint import Adjoint
from pilotage.core import ActionStatus, ModelError, PlanStatus
from pilotage.models import bicycle
from pilotage.testing import check_controller

from .worlds import LINE, PlainDynamics, PlainTask, cart, forward, glider, past, stop

CAR = bicycle(wheelbase=2.0)
GOAL = reach(CAR, {"x": 4.0, "y": 2.0, "yaw": 3.0}, dt=0.1)
X = np.array([0.0, 0.0, 3.0, 1.0])
DISC = past(glider().state, glider().action, [(2.0, 0.3, 0.5)])


def learned() -> Any:
    """The cart, by a network that knows nothing."""
    torch = pytest.importorskip("torch")
    from pilotage.learning import MLP, LearnedDynamics

    torch.manual_seed(0)
    model = cart()
    return LearnedDynamics(model.state, model.action, MLP(3, 2, hidden=(8,)), noise=0.1)


MODELS: dict[str, Any] = {
    "traced": lambda: (CAR, GOAL, X),
    "plain": lambda: (PlainDynamics(CAR), GOAL, X),
    "with a constraint": lambda: (glider(), DISC, np.array([1.4, 0.0, 1.0, 0.2])),
    "network": lambda: (learned(), stop(), np.array([1.0, -0.5])),
}


@pytest.mark.parametrize("kind", MODELS)
def test_the_gradient_is_that_of_differences(kind: str) -> None:
    dynamics, task, x = MODELS[kind]()
    adjoint = GradientMPC(dynamics, task, horizon=6)._workspace
    assert isinstance(adjoint, Adjoint)
    rng = np.random.default_rng(0)
    us = 0.3 * rng.normal(size=(6, dynamics.action.size))
    rows, multipliers = np.zeros((7, 0)), rng.uniform(0.5, 1.0, (6, adjoint.constraints))
    _, g, _ = adjoint(x, us, rows, multipliers, 3.0)
    h = 1e-3 if kind == "network" else 1e-5
    for t, j in np.ndindex(*us.shape):
        step = np.zeros_like(us)
        step[t, j] = h
        ends = [adjoint(x, us + sign * step, rows, multipliers, 3.0)[0] for sign in (1.0, -1.0)]
        assert np.isclose((ends[0] - ends[1]) / (2.0 * h), g[t, j], rtol=1e-3, atol=1e-3 if kind == "network" else 1e-6)


@pytest.mark.parametrize("optimiser", ["adam", "cg", "lbfgs"])
def test_the_optimum_of_ilqr(optimiser: Any) -> None:
    for model, task, x in ((cart(), stop(dt=0.1), np.array([2.0, 0.0])), (CAR, GOAL, X)):
        best = ILQR(model, task, horizon=15).solve(x)
        found = GradientMPC(model, task, horizon=15, optimiser=optimiser, iterations=600, rate=0.01).solve(x)
        assert best.cost * (1.0 - 1e-6) <= found.cost < best.cost * (1.002 if optimiser == "adam" else 1.0001)
        if optimiser == "lbfgs":
            assert found.status is PlanStatus.SOLVED


@pytest.mark.parametrize("optimiser", ["cg", "lbfgs"])
def test_limits_and_constraints_are_kept(optimiser: Any) -> None:
    plan = GradientMPC(cart(), stop(weight=100.0), optimiser=optimiser, horizon=20).solve([50.0, 0.0])
    assert bool((plan.us[:5] == -4.0).all())
    around = GradientMPC(glider(), DISC, optimiser=optimiser, horizon=40, iterations=500)
    found = around.solve([0.0, 0.0, 0.5, 0.0])
    assert found.ok, found.reason
    assert np.linalg.norm(found.xs[:, :2] - [2.0, 0.3], axis=-1).min() > 0.5 - 2e-3
    cost = DISC.cost(found.xs[:-1], found.us).sum() + DISC.terminal_cost(found.xs[-1])
    assert np.isclose(found.cost, cost), "without the share of the constraint"
    best = ILQR(glider(), DISC, horizon=40).solve([0.0, 0.0, 0.5, 0.0])
    assert found.cost < 1.05 * best.cost


@pytest.mark.parametrize("weight", [1e-6, 1e-2])
def test_a_plan_that_is_solved_is_the_optimum(weight: float) -> None:
    """At 1e-6, the last round keeps the constraint for the first time, and was solved loosely; at 1e-2, the plan kept
    it with room to spare, and its multipliers were those of the round before."""
    x = [0.0, 0.0, 0.5, 0.0]
    best = ILQR(glider(), DISC, horizon=40).solve(x)
    found = GradientMPC(glider(), DISC, horizon=40, iterations=3000, weight=weight).solve(x)
    assert found.us is not None, found.reason
    optimal = abs(found.cost - best.cost) < 5e-5 * best.cost
    assert optimal or found.status is PlanStatus.BUDGET


def test_failures_have_a_sentence() -> None:
    action = GradientMPC(cart(), forward(dt=0.1), horizon=9).act([0.5, 3.0])
    assert action.status is ActionStatus.FALLBACK
    assert "the constraint is at" in action.reason
    few = GradientMPC(CAR, GOAL, horizon=12, iterations=2).act(X)
    assert few.status is ActionStatus.IMPROVED
    expected, cost = map(float, re.findall(r"(\d[\d.e+-]*)", few.reason))
    assert cost == pytest.approx(few.cost, rel=1e-3) and expected > 1e-8 * cost
    with pytest.raises(ModelError, match="GradientMPC needs the derivatives of the task"):
        GradientMPC(cart(), PlainTask(stop(), LINE))


@pytest.mark.parametrize("kind", [ILQR, SQP, GradientMPC])
def test_a_small_violation_is_driven_and_told(kind: Any) -> None:
    """A plan that is cut off before it keeps the constraint is used if it violates it by `max_violation` at most."""
    x, violation, iterations = np.array([0.0, 0.0, 1.0, 0.2]), 0.0, 0

    def cut_off(allowed: float) -> Any:
        """Controllers begin with a plan that leads through the disc; of one without a plan, SQP stands still."""
        drive = kind(glider(), DISC, max_violation=allowed, horizon=20, iterations=iterations)
        drive.plan = np.linspace([0.0, 0.0], [0.01, 0.0], 20)
        return drive

    while violation == 0.0 and iterations < 30:
        iterations += 1
        strict = cut_off(0.0)
        if strict.act(x, 0.0).status is ActionStatus.FALLBACK:
            violation = strict.solution.stats["violation"]
    assert violation > 1e-4
    assert cut_off(0.9 * violation).act(x).status is ActionStatus.FALLBACK
    action = cut_off(1.1 * violation).act(x)
    assert action.status is ActionStatus.IMPROVED
    assert f"violated by {violation:.2g}" in action.reason and "max_violation" in action.reason


@pytest.mark.parametrize("iterations", [4, 6])
def test_multipliers_are_carried_from_tick_to_tick(iterations: int) -> None:
    """In a place that does not change, few sweeps a tick come to the plan of many."""
    x = np.array([0.0, 0.0, 1.0, 0.2])
    whole = ILQR(glider(), DISC, horizon=20).solve(x)
    few, action = ILQR(glider(), DISC, horizon=20, iterations=iterations), None
    for _ in range(40):
        action = few.act(x, 0.0)
    assert action is not None and action.status is ActionStatus.SOLVED
    assert action.cost == pytest.approx(whole.cost, rel=1e-3)


@pytest.mark.parametrize("constrained", [False, True])
def test_a_budget_ends_the_sweeps_of_ilqr(constrained: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that moves on by a second at each look: no sweep begins that would end late."""
    model, task, x = (glider(), DISC, np.array([0.0, 0.0, 0.5, 0.0])) if constrained else (CAR, GOAL, X)
    drive, now = ILQR(model, task, horizon=20, budget=3.5), [0.0]

    def clock() -> float:
        now[0] += 1.0
        return now[0]

    free = ILQR(model, task, horizon=20).solve(x)
    monkeypatch.setattr("time.perf_counter", clock)
    plan = drive.solve(x)
    assert plan.stats["iterations"] == 2 < free.stats["iterations"]
    assert plan.status is not PlanStatus.SOLVED
    assert plan.reason


def test_a_budget_ends_the_iterations_of_sqp(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that moves on by a second at each look; the first program is always solved."""
    free = SQP(CAR, GOAL, horizon=20).solve(X)
    drive, now = SQP(CAR, GOAL, horizon=20, budget=3.5), [0.0]

    def clock() -> float:
        now[0] += 1.0
        return now[0]

    monkeypatch.setattr("time.perf_counter", clock)
    plan = drive.solve(X)
    assert plan.stats["iterations"] == 2 < free.stats["iterations"]
    assert plan.status is PlanStatus.BUDGET
    assert plan.reason


def test_contract() -> None:
    drive = GradientMPC(CAR, GOAL, horizon=12)
    check_controller(drive, CAR)
    drive.reset()
    first = drive.act(X).u
    drive.reset()
    assert np.array_equal(first, pickle.loads(pickle.dumps(drive)).act(X).u)
