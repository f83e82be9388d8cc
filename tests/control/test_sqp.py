"""SQP: LQR in one program, the optimum of iLQR and SLSQP on others, and the real-time iteration."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from pilotage.control import ILQR, SQP, reach
from pilotage.core import ActionStatus, ModelError, PlanStatus, Space
from pilotage.models import dynamics, pendulum, quadrotor, task, unicycle

from .test_ilqr import A, B, Q, R, dense, hurry, linear, pole, puck, quadratic, slide, trolley, upright, walled
from .worlds import FLAT, LINE, PUSH, TURN, PlainDynamics, PlainTask, cart, driven, glider, past, rod, roller, stop

HANGING = np.array([0.0, 0.0, np.pi, 0.0])


def test_one_program_solves_a_linear_quadratic_problem() -> None:
    from scipy.linalg import solve_discrete_are

    P, x0 = solve_discrete_are(A, B, Q, R), np.array([1.0, -2.0, 0.5])
    found = SQP(linear(), quadratic(P), horizon=20).solve(x0)
    assert found.ok
    assert found.stats["iterations"] == 2, "one to get there, one to see that nothing is left"
    assert found.cost == pytest.approx(x0 @ P @ x0, rel=1e-9)
    bounded = SQP(linear(-0.2, 0.2), quadratic(P), horizon=12).solve(x0)
    assert bounded.stats["iterations"] == 3, (
        "the last one to the least tolerance, which tells that bounds are kept best"
    )
    assert np.allclose(bounded.us, dense(x0, P, 12, 0.2), atol=1e-5)


PROBLEMS: dict[str, Any] = {
    "swing-up": lambda: (pole(), upright(dt=0.05), HANGING, 50, 192.9752637),
    "obstacle": lambda: (roller(), past(FLAT, TURN, [(2.0, 0.03, 0.5)]), np.zeros(3), 60, 234.6519206),
    "glider": lambda: (glider(), past(glider().state, glider().action, [(1.0, 0.3, 0.4)]), np.zeros(4), 15, None),
    "speed limit": lambda: (cart(), hurry(wall=1.0), np.zeros(2), 30, None),
    "two constraints": lambda: (puck(), slide(dt=0.1), np.zeros(4), 40, None),
}


@pytest.mark.parametrize("hessian", ["gauss-newton", "exact"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_ends_at_the_optimum(name: str, hessian: Any) -> None:
    """That of iLQR, and of IPOPT where it is given: with other Hessians and another treatment of constraints."""
    model, errand, x, T, best = PROBLEMS[name]()
    found = SQP(model, errand, horizon=T, hessian=hessian).solve(x)
    assert found.status is PlanStatus.SOLVED, found.reason
    assert found.cost == pytest.approx(ILQR(model, errand, horizon=T).solve(x).cost if best is None else best, rel=2e-6)
    dt = errand.dt
    assert np.allclose(model.state.minus(model.rollout(x, found.us, dt), found.xs), 0.0, atol=1e-5), "no gaps are left"
    assert errand.constraint(found.xs[1:], found.us).max(initial=-1.0) < 1e-4
    assert (np.abs(found.us) <= model.action.high + 1e-12).all()


def test_the_plan_is_stationary() -> None:
    """The gradient of the cost by the actions, by differences along rollouts, is nought within the limits."""
    model, T, dt = quadrotor(), 12, 0.05
    x, goal = model.state.identity(), model.state.plus(model.state.identity(), 0.5 * np.ones(model.state.dim))
    drive = SQP(model, reach(model, goal, effort=0.1), horizon=T, dt=dt, tolerance=1e-12)
    us, errand = drive.solve(x).us, drive.task
    assert us is not None

    def cost(us: np.ndarray) -> np.ndarray:
        xs = model.rollout(np.broadcast_to(x, (len(us), len(x))), us, dt)
        return errand.cost(xs[:, :-1], us).sum(-1) + errand.terminal_cost(xs[:, -1])

    h = 1e-5 * np.eye(us.size).reshape(-1, *us.shape)
    slopes = ((cost(us + h) - cost(us - h)) / 2e-5).reshape(us.shape)
    free = (us > model.action.low + 1e-6) & (us < model.action.high - 1e-6)
    assert free.any()
    assert np.abs(slopes[free]).max() < 1e-4 * cost(us[None])[0]


def test_begins_with_states_that_no_action_reaches() -> None:
    """A rollout of the first actions that is not finite is no obstacle to multiple shooting."""

    @dynamics(state=LINE, action=PUSH)
    def burst(x: Any, u: Any, p: Any, m: Any) -> Any:
        return x[1], u[0] + x[0] * x[0] * x[0] + 8.0 * x[1] * m.exp(x[1])

    with np.errstate(all="ignore"):
        assert not np.isfinite(burst().rollout([0.9, 0.2], np.zeros((30, 1)), 0.1)).all()
    found = SQP(burst(), stop(dt=0.1), horizon=30).solve([0.9, 0.2])
    assert ILQR(burst(), stop(dt=0.1), horizon=30).solve([0.9, 0.2]).status is PlanStatus.NO_PATH
    assert found.status is PlanStatus.SOLVED or "no step" in found.reason or "cost" in found.reason


def test_the_real_time_iteration_tends_to_the_optimum() -> None:
    """One program a tick balances the pole at the cost of the full solution, with and without preparation."""
    costs = {}
    for name, settings, prepared in (
        ("full", {}, False),
        ("rti", {"real_time": True}, False),
        ("prepared", {"real_time": True}, True),
    ):
        drive, x, total = SQP(pole(), upright(dt=0.05), horizon=30, **settings), np.array([0.3, 0.0, 0.4, 0.0]), 0.0
        for tick in range(40):
            action = drive.act(x, 0.05 * tick)
            assert action.status is ActionStatus.SOLVED
            total += float(upright().cost(x, action.u))
            x = pole().step(x, action.u, 0.05)
            if prepared:
                drive.prepare()
        costs[name] = total
    assert costs["prepared"] == pytest.approx(costs["rti"], rel=1e-12), "prepare changes no action"
    assert costs["rti"] == pytest.approx(costs["full"], rel=1e-3)
    standing = SQP(pole(), upright(dt=0.05), horizon=30, real_time=True)
    full = SQP(pole(), upright(dt=0.05), horizon=30, tolerance=1e-12).solve([0.3, 0.0, 0.4, 0.0])
    for _ in range(6):
        action = standing.act([0.3, 0.0, 0.4, 0.0], t=0.0)
    assert np.allclose(action.plan, full.us, atol=1e-4), "at a state that stays it converges to the full solution"


def test_the_exact_hessian_needs_fewer_iterations() -> None:
    plans = [SQP(puck(), slide(dt=0.1), horizon=40, hessian=h).solve(np.zeros(4)) for h in ("gauss-newton", "exact")]
    assert plans[1].stats["iterations"] < 0.5 * plans[0].stats["iterations"]


def test_a_constraint_that_cannot_be_kept_is_said() -> None:
    drive = SQP(trolley(), walled(dt=0.1), horizon=10)  # it cannot stop within half a metre
    action = drive.act([0.5, 3.0])
    assert action.status is ActionStatus.FALLBACK
    assert "constraint is at" in action.reason
    assert "fell back to brake" in action.reason
    soft = SQP(trolley(), walled(dt=0.1), horizon=10, soft=True, price=10.0).act([0.5, 3.0])
    assert soft.status is ActionStatus.SOLVED
    assert soft.u[0] == pytest.approx(-2.0, abs=1e-4)


def test_bad_models_and_states_are_said() -> None:
    @dynamics(state=LINE, action=PUSH)
    def lost(x: Any, u: Any, p: Any, m: Any) -> Any:
        return x[1], m.sqrt(x[0] - 10.0)

    action = SQP(lost(), stop(), horizon=10).act([5.0, 0.0])
    assert action.status is ActionStatus.FALLBACK
    assert "no finite cost" in action.reason
    assert np.isfinite(action.u).all()
    assert SQP(cart(), stop(), horizon=10).act([np.nan, 0.0]).status is ActionStatus.FALLBACK
    with pytest.raises(ModelError, match="derivatives"):
        SQP(cart(), PlainTask(stop(), LINE))
    with pytest.raises(ModelError, match="rotations"):
        SQP(quadrotor(), reach(quadrotor(), quadrotor().state.identity()), hessian="exact")
    short = SQP(rod(), reach(rod(), [0.0, 0.0]), horizon=30, iterations=2, dt=0.05).act([np.pi, 0.1])
    assert short.status is ActionStatus.IMPROVED
    assert "2 iterations" in short.reason


def test_models_that_are_no_formula() -> None:
    traced, plain = (SQP(model, stop(), horizon=15).solve([1.0, 0.5]) for model in (cart(), PlainDynamics(cart())))
    assert np.allclose(traced.us, plain.us, atol=1e-5)


def test_survives_a_pickle_in_the_middle_of_an_episode() -> None:
    drive, x = SQP(unicycle(), reach(unicycle(), [2.0, 1.0, 0.0]), horizon=15, real_time=True), np.zeros(3)
    for _ in range(3):
        x = unicycle().step(x, drive.act(x).u, 0.1)
    other = pickle.loads(pickle.dumps(drive))
    assert np.array_equal(drive.act(x).u, other.act(x).u)


def test_references_and_ticks_at_any_time() -> None:
    def line(x: Any, t: float, steps: int, carry: Any) -> Any:
        return (t + 0.1 * np.arange(steps + 1.0))[:, None], carry

    @task(
        state=LINE, action=PUSH, stage=Space("at [m]"), weights=(1.0, 1e-3), terminal_weights=(1.0,),
        terminal=lambda x, r, p, m: (x[0] - r[0],),
    )  # fmt: skip
    def chase(x: Any, u: Any, r: Any, p: Any, m: Any) -> Any:
        return x[0] - r[0], u[0]

    drive = SQP(cart(), chase(references=line, dt=0.1), horizon=20, real_time=True)
    _, xs = driven(drive, cart(), lambda x, u: 0.0, [0.5, 0.0], 40, 0.1)
    assert xs[-1] == pytest.approx([4.0, 1.0], abs=0.02)
    assert drive.act(xs[-1], 4.03).status is ActionStatus.SOLVED


def test_the_tolerance_of_the_cost_is_kept_where_bounds_are_active() -> None:
    model = pendulum()
    swing = reach(model, [0.0, 0.0], effort=0.05)
    found = SQP(model, swing, horizon=6).solve([3.0, 0.0])
    best = ILQR(model, swing, horizon=6, tolerance=1e-12).solve([3.0, 0.0], us=found.us)
    assert found.cost == pytest.approx(best.cost, rel=2e-8)


def test_the_first_tick_of_another_task_iterates_to_the_minimum() -> None:
    free, blocked = past(FLAT, TURN, []), past(FLAT, TURN, [(2.0, 0.03, 0.5)])
    drive = SQP(roller(), free, horizon=60, real_time=True)
    drive.act([0.0, 0.0, 0.0], 0.0)
    drive.retarget(blocked)
    drive.prepare()
    action = drive.act([0.0, 0.0, 0.0], 0.0)
    assert action.status is ActionStatus.SOLVED, action.reason
    assert action.cost == pytest.approx(234.6519206, rel=2e-6)
