"""iLQR: the LQR of linear-quadratic problems, the optimum of others, within limits and constraints."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.linalg import solve_discrete_are
from scipy.optimize import lsq_linear, minimize

from pilotage.control import ILQR, reach
from pilotage.control.solver import shifted
from pilotage.core import ActionStatus, ModelError, PlanStatus, Space
from pilotage.models import discrete_dynamics, dynamics, quadrotor, task, unicycle
from pilotage.testing import check_controller

from .worlds import FLAT, LINE, PUSH, ROD, TORQUE, TURN, PlainDynamics, PlainTask, cart, glider, past, rod, roller, stop

RNG = np.random.default_rng(7)
A = np.eye(3) + 0.1 * RNG.normal(size=(3, 3))
B = RNG.normal(size=(3, 2))
Q, R = np.diag([1.0, 2.0, 0.5]), np.diag([0.3, 0.6])
STATE = Space("a b c")


def linear(low: float = -np.inf, high: float = np.inf) -> Any:
    bounds = "" if np.isinf(low) else f" in [{low}, {high}]"

    @discrete_dynamics(state=STATE, action=Space(f"v w{bounds}"))
    def linear(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
        return [sum(A[i, j] * x[j] for j in range(3)) + sum(B[i, j] * u[j] for j in range(2)) for i in range(3)]

    return linear()


def quadratic(P: np.ndarray) -> Any:
    def end(x: Any, p: Any, m: Any) -> Any:
        return sum(P[i, j] * x[i] * x[j] for i in range(3) for j in range(3))

    @task(state=STATE, action=Space("v w"), terminal=end)
    def quadratic(x: Any, u: Any, p: Any, m: Any) -> Any:
        return sum(Q[i, i] * x[i] * x[i] for i in range(3)) + sum(R[i, i] * u[i] * u[i] for i in range(2))

    return quadratic()


def dense(x0: np.ndarray, P: np.ndarray, T: int, limit: float) -> np.ndarray:
    """The optimum as one bounded least-squares problem in all actions at once."""
    Phi, Gamma = np.zeros((3 * T, 3)), np.zeros((3 * T, 2 * T))
    for t in range(T):
        Phi[3 * t : 3 * t + 3] = np.linalg.matrix_power(A, t + 1)
        for k in range(t + 1):
            Gamma[3 * t : 3 * t + 3, 2 * k : 2 * k + 2] = np.linalg.matrix_power(A, t - k) @ B
    W = np.kron(np.eye(T), np.sqrt(Q))
    W[-3:, -3:] = np.linalg.cholesky(P).T
    M = np.vstack([W @ Gamma, np.kron(np.eye(T), np.sqrt(R))])
    y = np.concatenate([-W @ Phi @ x0, np.zeros(2 * T)])
    if np.isinf(limit):
        return np.linalg.lstsq(M, y, rcond=None)[0].reshape(T, 2)
    return lsq_linear(M, y, (-limit, limit), method="bvls", tol=1e-14).x.reshape(T, 2)


def test_linear_quadratic_is_lqr() -> None:
    P = solve_discrete_are(A, B, Q, R)
    K = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
    x0 = np.array([1.0, -2.0, 0.5])
    found = ILQR(linear(), quadratic(P), horizon=20).solve(x0)
    assert found.ok
    assert found.stats["iterations"] == 2, "one to get there, one to see that nothing is left"
    assert np.allclose(found.stats["gains"], -K, atol=1e-9)
    assert np.allclose(found.cost, x0 @ P @ x0)
    assert np.allclose(found.us, dense(x0, P, 20, np.inf), atol=1e-8)


@pytest.mark.parametrize("limit", [0.05, 0.2, 0.6])
def test_limits_are_those_of_the_bounded_problem(limit: float) -> None:
    P = solve_discrete_are(A, B, Q, R)
    x0 = np.array([1.0, -2.0, 0.5])
    found = ILQR(linear(-limit, limit), quadratic(P), horizon=12, tolerance=1e-12).solve(x0)
    assert found.ok
    assert np.abs(found.us).max() <= limit
    assert np.allclose(found.us, dense(x0, P, 12, limit), atol=1e-5)


def objective(model: Any, errand: Any, x: np.ndarray, us: np.ndarray, dt: float) -> float:
    xs = model.rollout(x, us, dt)
    return float(errand.cost(xs[:-1], us).sum() + errand.terminal_cost(xs[-1]))


@pytest.mark.parametrize("name", ["unicycle", "quadrotor", "rod"])
def test_ends_where_the_cost_is_stationary(name: str) -> None:
    """The gradient by differences of the plain numpy step is nought, on flat spaces and on others."""
    model = {"unicycle": unicycle(), "quadrotor": quadrotor(), "rod": rod()}[name]
    goal = model.state.plus(model.state.identity(), 0.5 * np.ones(model.state.dim))
    errand, x, dt = reach(model, goal, effort=0.1), model.state.identity(), 0.05
    drive = ILQR(model, errand, horizon=12, dt=dt, tolerance=1e-12, iterations=300)
    found = drive.solve(x)
    assert found.ok
    mounted = drive.task
    assert found.cost == pytest.approx(objective(model, mounted, x, found.us, dt), rel=1e-10)
    low, high = drive.problem.action.low, drive.problem.action.high
    h, scale = 1e-6, abs(found.cost)
    for t in range(12):
        for j in range(model.action.size):
            e = np.zeros_like(found.us)
            e[t, j] = h
            slope = (
                objective(model, mounted, x, found.us + e, dt) - objective(model, mounted, x, found.us - e, dt)
            ) / (2 * h)
            u = found.us[t, j]
            if low[j] < u < high[j]:
                assert abs(slope) < 1e-3 * scale
            else:
                assert slope * (1.0 if u == high[j] else -1.0) < 1e-3 * scale


@task(
    state=LINE,
    action=PUSH,
    params={"wall": 1.0},
    terminal=lambda x, p, m: 50.0 * ((x[0] - 2.0) ** 2 + x[1] ** 2),
    constraint=lambda x, u, p, m: (x[1] - p.wall, -0.5 - x[1]),
)
def hurry(x: Any, u: Any, p: Any, m: Any) -> Any:
    return (x[0] - 2.0) ** 2 + 0.01 * u[0] ** 2


POLE = Space("x [m]", "speed [m/s]", "theta theta_rate [rad/s]")


@dynamics(state=POLE, action=Space("force [N] in [-20, 20]"))
def pole(x: Any, u: Any, p: Any, m: Any) -> Any:
    """`pilotage.models.cart_pole` on the line of unwrapped angles, where a squared angle has no kink."""
    _, speed, theta, rate = x
    s, c = m.sin(theta), m.cos(theta)
    f = (u[0] + 0.05 * rate * rate * s) / 1.1
    turn = (9.8 * s - c * f) / (0.5 * (4.0 / 3.0 - 0.1 * c * c / 1.1))
    return speed, f - 0.05 / 1.1 * turn * c, rate, turn


@task(
    state=POLE,
    action=Space("force [N]"),
    weights=(1.0, 0.1, 1.0, 0.1, 0.01),
    terminal=lambda x, p, m: x,
    terminal_weights=(10.0, 1.0, 10.0, 1.0),
)
def upright(x: Any, u: Any, p: Any, m: Any) -> Any:
    return [*x, *u]


def test_swings_up_a_cart_pole_at_the_optimum() -> None:
    """IPOPT, through CasADi 3.8 on the same Runge-Kutta steps by multiple shooting, ends at 192.9752637."""
    hanging = np.array([0.0, 0.0, np.pi, 0.0])
    drive = ILQR(pole(), upright(dt=0.05), horizon=50, iterations=200)
    for seed in range(4):
        found = drive.solve(hanging, us=np.random.default_rng(seed).normal(0.0, 3.0, (50, 1)))
        assert found.ok
        assert found.cost < 192.97527 * (1.0 + 1e-6)
        assert np.abs(found.us).max() <= 20.0
    x = hanging
    for tick in range(120):
        x = pole().step(x, drive.act(x, 0.05 * tick).u, 0.05)
    assert np.abs(x).max() < 0.02, "and balances it, tick by tick"


@pytest.mark.parametrize(("discs", "best"), [
    ([(2.0, 0.03, 0.5)], 234.6519206),
    ([(1.3, 0.2, 0.4), (2.7, -0.2, 0.4)], 231.3374994),
    ([(1.0, 0.2, 0.3), (2.0, -0.2, 0.3), (3.0, 0.15, 0.3)], 229.7843055),
])  # fmt: skip
def test_passes_round_obstacles_at_the_optimum(discs: Any, best: float) -> None:
    """IPOPT, through CasADi 3.8 on the same Runge-Kutta steps, ends at `best` when it begins with the plan of iLQR."""
    found = ILQR(roller(), past(FLAT, TURN, discs), horizon=60).solve(np.zeros(3))
    assert found.status is PlanStatus.SOLVED, found.reason
    assert found.stats["violation"] <= 1e-4
    assert found.cost == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("across", [0.3, 0.1, -0.2])
def test_equals_sequential_quadratic_programming_past_an_obstacle(across: float) -> None:
    model, errand, x, T = glider(), past(glider().state, glider().action, [(1.0, across, 0.4)]), np.zeros(4), 15
    found = ILQR(model, errand, horizon=T, dt=0.2).solve(x)
    assert found.status is PlanStatus.SOLVED, found.reason
    begin = found.us + np.random.default_rng(1).normal(0.0, 0.05, found.us.shape)
    best = minimize(
        lambda us: objective(model, errand, x, us.reshape(T, 2), 0.2), begin.ravel(), method="SLSQP",
        bounds=[(-2.0, 2.0)] * (2 * T), options={"maxiter": 200, "ftol": 1e-10},
        constraints={
            "type": "ineq",
            "fun": lambda us: -errand.constraint(model.rollout(x, us.reshape(T, 2), 0.2)[1:], us.reshape(T, 2))[:, 0],
        },
    )  # fmt: skip
    assert best.success
    assert found.cost == pytest.approx(best.fun, rel=1e-5)


@pytest.mark.parametrize("steps", [40, 50, 60])
def test_leaves_the_line_of_symmetry_of_an_obstacle(steps: int) -> None:
    """A plan straight at the middle of an obstacle passes it at nearly the cost of one that is a millimetre off."""
    found, beside = (ILQR(roller(), past(FLAT, TURN, [(2.0, across, 0.5)]), horizon=steps).solve(np.zeros(3))
                     for across in (0.0, -1e-3))  # fmt: skip
    assert found.status is PlanStatus.SOLVED, found.reason
    assert found.cost == pytest.approx(beside.cost, rel=5e-4)


def test_constraints_are_kept() -> None:
    free = ILQR(cart(), hurry(wall=50.0), horizon=30).solve([0.0, 0.0])
    found = ILQR(cart(), hurry(wall=1.0), horizon=30).solve([0.0, 0.0])
    assert free.xs[:, 1].max() > 1.5
    assert found.ok
    assert found.xs[1:, 1].max() <= 1.0 + 1e-4
    assert found.xs[:, 1].max() > 0.99, "and made use of"
    assert found.cost > free.cost
    assert found.stats["violation"] <= 1e-4
    assert hurry().constraint(found.xs[1:], found.us).max() == pytest.approx(found.stats["violation"])


@dynamics(state=Space("x [m]", "speed [m/s]"), action=Space("accel in [-2, 2]"))
def trolley(x: Any, u: Any, p: Any, m: Any) -> Any:
    return x[1], u[0]


@task(state=trolley().state, action=trolley().action, constraint=lambda x, u, p, m: x[0] - 1.0)
def walled(x: Any, u: Any, p: Any, m: Any) -> Any:
    return x[1] ** 2


def test_a_constraint_that_cannot_be_kept_is_said() -> None:
    assert ILQR(cart(), hurry(wall=1.0), horizon=10).solve([0.0, 9.0]).status is PlanStatus.NO_PATH
    drive = ILQR(trolley(), walled(dt=0.1), horizon=10)  # it cannot stop within half a metre
    assert drive.solve([0.5, 3.0]).status is PlanStatus.NO_PATH
    action = drive.act([0.5, 3.0])
    assert action.status is ActionStatus.FALLBACK
    assert "constraint" in action.reason
    assert "no small change" in action.reason
    assert "another plan (us)" in action.reason
    assert "fell back to brake" in action.reason, "the last plan would violate it, too"
    short = ILQR(roller(), past(FLAT, TURN, [(2.0, 0.1, 0.5)]), horizon=60, iterations=8).solve(np.zeros(3))
    assert short.status is PlanStatus.NO_PATH
    assert "8 iterations" in short.reason
    assert "more iterations" in short.reason


def test_a_plan_that_has_not_converged_is_said() -> None:
    drive = ILQR(rod(), reach(rod(), [0.0, 0.0]), horizon=30, iterations=2, dt=0.05)
    action = drive.act([np.pi, 0.0])
    assert action.status is ActionStatus.IMPROVED
    assert "2 iterations" in action.reason


def test_a_state_without_finite_cost_falls_back() -> None:
    @dynamics(state=LINE, action=PUSH)
    def burst(x: Any, u: Any, p: Any, m: Any) -> Any:
        return x[1], m.exp(1000.0 * x[0])

    action = ILQR(burst(), stop(), horizon=10).act([5.0, 0.0])
    assert action.status is ActionStatus.FALLBACK
    assert np.isfinite(action.u).all()


def test_models_that_are_no_formula() -> None:
    """Dynamics of which only the step is known give the same plan; their own errors come through."""
    traced, plain = (ILQR(model, stop(), horizon=15).solve([1.0, 0.5]) for model in (cart(), PlainDynamics(cart())))
    assert np.allclose(traced.us, plain.us, atol=1e-5)

    class Broken(PlainDynamics):
        def step(self, x: Any, u: Any, dt: float) -> Any:
            raise KeyError("no engine")

    with pytest.raises(KeyError, match="no engine"):
        ILQR(Broken(cart()), stop(), horizon=5).solve([1.0, 0.5])
    with pytest.raises(ModelError, match="derivatives"):
        ILQR(cart(), PlainTask(stop(), LINE))


def test_contract() -> None:
    check_controller(ILQR(unicycle(), reach(unicycle(), [2.0, 1.0, 0.0]), horizon=20), unicycle())


def test_gets_there_tick_by_tick() -> None:
    drive, x = ILQR(unicycle(), reach(unicycle(), {"x": 2.0, "y": 1.0}, tolerance=0.05), horizon=25), np.zeros(3)
    for tick in range(100):
        action = drive.act(x, 0.1 * tick)
        if action.status is ActionStatus.DONE:
            break
        x = unicycle().step(x, action.u, 0.1)
    assert action.status is ActionStatus.DONE


@task(
    state=trolley().state, action=trolley().action, constraint=lambda x, u, p, m: x[1] - 1.5,
    terminal=lambda x, p, m: 10.0 * ((x[0] - 6.0) ** 2 + x[1] ** 2),
)  # fmt: skip
def slowly(x: Any, u: Any, p: Any, m: Any) -> Any:
    return (x[0] - 6.0) ** 2 + 0.05 * u[0] ** 2


@pytest.mark.parametrize("speed", [1.8, 2.5])
def test_a_state_that_violates_the_constraint_is_left(speed: float) -> None:
    """The robot is too fast at first, which no action changes within a step; it brakes, then drives on to the goal."""
    drive, x = ILQR(trolley(), slowly(dt=0.1), horizon=30), np.array([0.0, speed])
    first = drive.act(x)
    assert first.status is ActionStatus.IMPROVED
    assert "the state itself violates the constraint" in first.reason
    for tick in range(60):
        x = trolley().step(x, drive.act(x, 0.1 * tick).u, 0.1)
        assert tick < 10 or x[1] < 1.5 + 1e-3
    assert abs(x[0] - 6.0) < 0.05


@dynamics(state=Space("x y [m]", "vx vy [m/s]"), action=Space("ax ay [m/s^2] in [-2, 2]"))
def puck(x: Any, u: Any, p: Any, m: Any) -> Any:
    return x[2], x[3], u[0] - 0.1 * x[2], u[1] - 0.1 * x[3]


def past_a_post(x: Any, u: Any, p: Any, m: Any) -> Any:
    return 1.0 - m.sqrt((x[0] - 3.0) ** 2 + (x[1] - 0.1) ** 2), x[2] ** 2 + x[3] ** 2 - 1.5**2


@task(
    state=puck().state, action=puck().action, constraint=past_a_post,
    terminal=lambda x, p, m: 30.0 * ((x[0] - 6.0) ** 2 + x[1] ** 2 + x[2] ** 2 + x[3] ** 2),
)  # fmt: skip
def slide(x: Any, u: Any, p: Any, m: Any) -> Any:
    near = (x[0] - 6.0) ** 2 + x[1] ** 2
    return near + 0.1 * (x[2] ** 2 + x[3] ** 2) + 0.05 * (u[0] ** 2 + u[1] ** 2)


@pytest.mark.parametrize("horizon", [30, 40, 50, 60])
def test_two_constraints_at_once_are_kept_by_default(horizon: int) -> None:
    """A speed limit and a post near the straight line: the default number of iterations is enough."""
    plan = ILQR(puck(), slide(dt=0.1), horizon=horizon).solve([0.0, 0.0, 0.0, 0.0])
    assert plan.status is PlanStatus.SOLVED
    assert plan.xs is not None
    xs = plan.xs[1:]
    assert (1.0 - np.hypot(xs[:, 0] - 3.0, xs[:, 1] - 0.1)).max() < 1e-3
    assert np.hypot(xs[:, 2], xs[:, 3]).max() < 1.5 + 1e-3


def test_second_order_terms_of_the_dynamics_save_iterations() -> None:
    """DDP ends at the optimum of iLQR, and converges quadratically: in fewer iterations to a tight tolerance."""
    swing = ILQR(pole(), upright(dt=0.05), horizon=50, second_order=True).solve([0.0, 0.0, np.pi, 0.0])
    assert swing.cost == pytest.approx(192.9752646, rel=1e-7)
    model, errand = roller(), past(FLAT, TURN, [(2.0, 0.03, 0.5)])
    ilqr, ddp = (
        ILQR(model, errand, horizon=60, tolerance=1e-13, second_order=second).solve(np.zeros(3))
        for second in (False, True)
    )
    assert ddp.cost == pytest.approx(ilqr.cost, rel=1e-6)
    assert ddp.stats["iterations"] < 0.8 * ilqr.stats["iterations"]
    with pytest.raises(ModelError, match="rotations"):
        ILQR(quadrotor(), reach(quadrotor(), quadrotor().state.identity()), second_order=True)


@task(
    state=ROD,
    action=TORQUE,
    weights=(1.0, 0.1, 0.001),
    terminal=lambda x, p, m: (x[0], x[1]),
    terminal_weights=(20.0, 2.0),
)
def raised(x: Any, u: Any, p: Any, m: Any) -> Any:
    return x[0], x[1], u[0]


@pytest.mark.parametrize("passed", [0.0, 1.0, 2.5])
def test_a_tick_begins_with_the_gains_of_the_last_plan(passed: float) -> None:
    """On a linear-quadratic problem, these lead to the optimum from any state; of an unstable one, the actions alone
    lead far away."""
    model, errand, T = linear(), quadratic(np.eye(3)), 12
    drive = ILQR(model, errand, horizon=T)
    first = drive.solve(RNG.normal(size=3))
    drive.act(first.xs[0], 0.0)
    x, rows, last = RNG.normal(size=3), np.zeros((T + 1, 0)), drive.solution
    assert last is not None
    begin = drive._workspace.led(last, x, shifted(last.us, passed), rows, passed, 10.0)
    best = dense(x, np.eye(3), T, np.inf)
    if passed == 0.0:
        assert np.allclose(begin, best)
    actions, led, optimal = (trajectory(model, errand, x, us) for us in (shifted(last.us, passed), begin, best))
    assert optimal <= led < 1.1 * optimal < actions
    assert np.array_equal(drive._workspace.led(last, x, best, rows, passed, 10.0), best), "another plan has no gains"


def trajectory(model: Any, errand: Any, x: np.ndarray, us: np.ndarray, dt: float = 0.1) -> float:
    xs = model.rollout(x, us, dt)
    return float(errand.cost(xs[:-1], us).sum() + errand.terminal_cost(xs[-1]))


def test_a_pendulum_stays_upright_on_an_estimate() -> None:
    """The rate is known to 0.1 rad/s: a plan without gains falls over its horizon, and was improved from there."""
    model, rng, x = rod(), np.random.default_rng(0), np.zeros(2)
    drive = ILQR(model, raised(dt=0.05), horizon=30, iterations=50)
    for tick in range(100):
        x = model.step(x, drive.act(x + rng.normal(0.0, (0.01, 0.1)), 0.05 * tick).u, 0.05)
        assert abs(x[0]) < 1.0


@pytest.mark.parametrize("passed", [1.0, 1.6])
def test_the_gains_of_the_last_plan_hold_on_rotations_and_between_steps(passed: float) -> None:
    """A quadrotor that was pushed: the actions with gains cost nearly as little as the next optimum."""
    model, rng = quadrotor(), np.random.default_rng(1)
    errand = reach(model, model.state.identity(), dt=0.05, effort=0.001)
    drive = ILQR(model, errand, horizon=15, brake=model.action.clip(np.full(model.action.size, 9.81)))
    x = model.state.plus(model.state.identity(), 0.1 * rng.normal(size=model.state.dim))
    u, last = drive.act(x, 0.0).u, drive.solution
    assert last is not None
    x = model.state.plus(model.step(x, u, 0.05 * passed), 0.02 * rng.normal(size=model.state.dim))
    us = shifted(last.us, passed)
    led = drive._workspace.led(last, x, us, np.zeros((16, 0)), passed, 10.0)
    best = drive.solve(x, us=led).cost
    assert (
        best <= trajectory(model, errand, x, led, 0.05) < best + 0.2 * (trajectory(model, errand, x, us, 0.05) - best)
    )
