"""Linear quadratic regulators: laws of Riccati's equation, and closed loops of models."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from pilotage.control import (
    ILQR,
    LQG,
    LQR,
    StateFeedback,
    TrackingLQR,
    dlqr,
    finite_horizon_lqr,
    lqr,
    place_poles,
    reach,
)
from pilotage.control.feedback._linear import rates
from pilotage.core import ActionStatus, Dynamics, Gaussian, ModelError, Plan, PlanStatus, SettingError, Space
from pilotage.estimators import EKF, KF, steady_state
from pilotage.models import (
    LinearDynamics,
    LinearSensor,
    bicycle,
    cart_pole,
    pendulum,
    quadrotor,
    unicycle,
)

from .worlds import PlainDynamics, cart

DT = 0.1
CART = LinearDynamics([[0, 1], [0, 0]], [[0], [1]], Qc=[0.0, 0.1], state=Space("x [m]", "v [m/s]"))


def system(seed: int, d: int, m: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    A, B = rng.normal(size=(d, d)), rng.normal(size=(d, m))
    W = rng.normal(size=(d + m, d + m))
    W = W @ W.T + 0.1 * np.eye(d + m)
    return A, B, W[:d, :d], W[d:, d:], W[:d, d:]


SYSTEMS = st.tuples(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 3))


@given(SYSTEMS)
@settings(max_examples=25, deadline=None)
def test_riccati_residual_and_stable_closed_loop(given: tuple[int, int, int]) -> None:
    A, B, Q, R, N = system(*given)
    assume(np.linalg.cond(np.hstack([np.linalg.matrix_power(A, k) @ B for k in range(len(A))])) < 1e6)
    K, S, E = lqr(A, B, Q, R, N)
    scale = np.abs(S).max() * (1.0 + np.abs(A).max())
    np.testing.assert_allclose(A.T @ S + S @ A - K.T @ R @ K + Q, 0.0, atol=1e-7 * scale)
    assert (E.real < 0.0).all()
    K, S, E = dlqr(A, B, Q, R, N)
    scale = np.abs(S).max() * (1.0 + np.abs(A).max() ** 2)
    np.testing.assert_allclose(A.T @ S @ A - K.T @ (B.T @ S @ A + N.T) + Q - S, 0.0, atol=1e-7 * scale)
    assert (np.abs(E) < 1.0).all()
    assert np.linalg.eigvalsh(S)[0] > 0.0


@given(SYSTEMS, st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_stabilisable_systems_are_stabilised(given: tuple[int, int, int], hidden: int) -> None:
    """Modes that no action reaches do not matter if they decay, and forbid a regulator if they grow."""
    A, B, *_ = system(*given)
    d, m = B.shape
    assume(np.linalg.cond(np.hstack([np.linalg.matrix_power(A, k) @ B for k in range(d)])) < 1e4)
    T = np.linalg.qr(np.random.default_rng(given[0]).normal(size=(d + hidden, d + hidden)))[0]
    B = T @ np.vstack([B, np.zeros((hidden, m))])
    for pole, solve in ((-0.5, lqr), (0.5, dlqr)):
        whole = np.block([[A, np.ones((d, hidden))], [np.zeros((hidden, d)), pole * np.eye(hidden)]])
        E = solve(T @ whole @ T.T, B, 1.0, 1.0).E
        assert (E.real < 0.0).all() if solve is lqr else (np.abs(E) < 1.0).all()
        whole[d:, d:] *= -1.0 if solve is lqr else 3.0
        with pytest.raises(ModelError, match="no action reaches it"):
            solve(T @ whole @ T.T, B, 1.0, 1.0)


@pytest.mark.parametrize("seed", range(2))
def test_equals_python_control(seed: int) -> None:
    peer = pytest.importorskip("control")
    matrices = system(seed, 4, 2)
    for mine, theirs in ((lqr, peer.lqr), (dlqr, peer.dlqr)):
        K, S, E = theirs(*matrices)
        found = mine(*matrices)
        np.testing.assert_allclose(found.K, K, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(found.S, S, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(np.sort_complex(found.E), np.sort_complex(E), rtol=1e-8, atol=1e-8)


def test_a_finite_horizon_is_a_least_squares_problem_and_tends_to_the_infinite_one() -> None:
    A, B, Q, R, N = system(3, 3, 2)
    T, x = 7, np.array([1.0, -2.0, 0.5])
    found = finite_horizon_lqr(A, B, Q, R, T, N, final=3.0 * Q)
    # The whole problem at once: states are Phi x + G u, and the cost is a quadratic function of all actions.
    Phi = np.vstack([np.linalg.matrix_power(A, k) for k in range(T + 1)])
    G = np.zeros((3 * (T + 1), 2 * T))
    for k in range(1, T + 1):
        for j in range(k):
            G[3 * k : 3 * k + 3, 2 * j : 2 * j + 2] = np.linalg.matrix_power(A, k - 1 - j) @ B
    Qs = np.kron(np.eye(T + 1), Q)
    Qs[-3:, -3:] *= 3.0
    Ns = np.vstack([np.kron(np.eye(T), N), np.zeros((3, 2 * T))])
    H = G.T @ Qs @ G + np.kron(np.eye(T), R) + G.T @ Ns + Ns.T @ G
    us = np.linalg.solve(H, -(G.T @ Qs + Ns.T) @ Phi @ x)
    np.testing.assert_allclose(us[:2], -found.K[0] @ x, rtol=1e-8)
    xs = Phi @ x + G @ us
    cost = xs @ Qs @ xs + us @ np.kron(np.eye(T), R) @ us + 2.0 * xs @ Ns @ us
    assert cost == pytest.approx(x @ found.S[0] @ x, rel=1e-9)
    far = finite_horizon_lqr(A, B, Q, R, 200, N)
    np.testing.assert_allclose(far.K[0], dlqr(A, B, Q, R, N).K, rtol=1e-9)


def test_lqr_is_ilqr_on_a_linear_quadratic_problem() -> None:
    model, x, T = cart(), np.array([0.3, 0.2]), 25
    plan = ILQR(model, reach(model, [0.0, 0.0], weights=[2.0, 0.5], effort=0.3, final=4.0), horizon=T).solve(x)
    law = LQR(model, [0.0, 0.0], [2.0, 0.5], 0.3, horizon=T, final=[8.0, 2.0], dt=DT)
    assert plan.us is not None and plan.xs is not None
    assert plan.cost == pytest.approx(law.act(x, 0.0).cost, rel=1e-7)
    for k in range(T):
        np.testing.assert_allclose(law.act(plan.xs[k], k * DT).u, plan.us[k], atol=1e-6)
    assert law.act(plan.xs[T], T * DT).status is ActionStatus.DONE


def test_cost_to_go_is_the_cost_of_the_closed_loop() -> None:
    """Of each design, on a clock that is slow for it; the continuous one has its limit at a fast clock."""
    model, x0 = cart(), np.array([1.0, -0.5])
    M = np.array([[0, 1, 0], [0, 0, 1.0], [0, 0, 0]])

    def cost(law: LQR, dt: float, steps: int, parts: int) -> float:
        """The integral of x'Qx + u'Ru by a fine rule."""
        x, total, half = x0, 0.0, expm(M * 0.5 * dt / parts)
        for k in range(steps):
            u = law.act(x, k * dt).u
            z = np.append(x, u)
            for _ in range(parts):
                ends = (z, half @ z, half @ half @ z)
                total += dt / parts / 6.0 * sum(w * (y @ np.diag([2.0, 0.5, 0.3]) @ y) for w, y in zip((1, 4, 1), ends))
                z = ends[2]
            x = z[:2]
        return total

    sampled = LQR(model, [0.0, 0.0], [2.0, 0.5], 0.3, dt=0.5, design="sampled")
    assert cost(sampled, 0.5, 30, 20) == pytest.approx(sampled.act(x0, 0.0).cost, rel=1e-6)
    naive = LQR(model, [0.0, 0.0], [1.0, 0.25], 0.15, dt=0.5)
    assert cost(naive, 0.5, 30, 20) > cost(sampled, 0.5, 30, 20)
    smooth = LQR(model, [0.0, 0.0], [2.0, 0.5], 0.3, dt=0.01, design="continuous")
    assert cost(smooth, 0.01, 1200, 1) == pytest.approx(smooth.act(x0, 0.0).cost, rel=1e-3)
    A, B = np.array([[0, 1], [0, 0.0]]), np.array([[0], [1.0]])
    np.testing.assert_allclose(smooth.regulator.K, lqr(A, B, [2.0, 0.5], 0.3).K, rtol=1e-9)


def test_rates_are_those_of_the_model() -> None:
    car = cart_pole()
    A, B = rates(car, np.zeros(4), np.zeros(1))
    M = 1.0 / (4.0 / 3.0 - 0.1 / 1.1) / 0.5  # the pole's equation at theta = 0
    np.testing.assert_allclose(A[3], [0.0, 0.0, 9.8 * M, 0.0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(A[[0, 2], [1, 3]], 1.0, rtol=1e-9)
    np.testing.assert_allclose(B[[0, 2, 3], 0], [0.0, 0.0, -M / 1.1], rtol=1e-9, atol=1e-9)
    assert (A[:, :2] == [[0, 1], [0, 0], [0, 0], [0, 0]]).all(), "zeros stay zeros"
    with pytest.raises(ModelError, match="rates"):
        rates(LinearDynamics.discrete([[1.0]], [[1.0]], Q=0.0), np.zeros(1), np.zeros(1))


@pytest.mark.parametrize("called_back", [False, True])
def test_a_quadrotor_hovers_at_any_yaw(called_back: bool) -> None:
    drone = quadrotor(mass=0.8)
    model = PlainDynamics(drone) if called_back else drone
    goal = drone.state.identity()
    goal[:7] = [1.0, 2.0, 3.0, np.cos(1.0), 0.0, 0.0, np.sin(1.0)]  # turned by 2 rad
    law = LQR(model, goal, R=[0.1, 10.0, 10.0, 10.0], dt=0.02)
    np.testing.assert_allclose(law.action, [0.8 * 9.81, 0.0, 0.0, 0.0], atol=1e-6)
    x = drone.state.plus(goal, np.array([0.3, -0.2, 0.2, 0.4, -0.3, 0.5, 0.2, 0.0, 0.0, 0.1, 0.0, 0.0]))
    x[3:7] *= -1.0  # the same attitude
    for _ in range(300):
        x = drone.step(x, law.act(x).u, 0.02)
    np.testing.assert_allclose(drone.state.minus(x, goal), 0.0, atol=5e-3)


class Platform(Dynamics):
    """A platform that moves in any direction of its own frame."""

    state, action = Space("pose: SE2"), Space("vx vy [m/s] in [-1, 1]", "w [rad/s] in [-1, 1]")

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return self.state.plus(x, dt * np.asarray(u))


def test_a_pose_in_its_tangent() -> None:
    model, goal = Platform(), np.array([1.0, -2.0, 3.0])
    law = LQR(model, goal, [1.0, 2.0, 3.0], 0.5)
    np.testing.assert_allclose(law.regulator.K, dlqr(np.eye(3), DT * np.eye(3), [1.0, 2.0, 3.0], 0.5).K, atol=1e-6)
    x = np.array([0.5, 0.5, -3.0])  # the short way to the heading leads over half a turn
    for _ in range(150):
        x = model.step(x, law.act(x).u, DT)
    np.testing.assert_allclose(model.state.minus(x, goal), 0.0, atol=1e-4)


def test_names_leave_components_free() -> None:
    car = bicycle()
    lane = LQR(car, {"y": 0.0, "yaw": 0.0, "speed": 8.0}, dt=DT)
    assert (lane.regulator.K[:, 0] == 0.0).all(), "where along the lane does not matter"
    x = np.array([40.0, 1.0, 0.3, 5.0])
    for _ in range(120):
        x = car.step(x, lane.act(x).u, DT)
    np.testing.assert_allclose(x[1:], [0.0, 0.0, 8.0], atol=1e-3)
    rate = LQR(pendulum(), {"theta": 0.0}, dt=0.02)
    assert rate.regulator.K[0, 1] > 0.0, "a rate acts on its angle, so it has a part in the design"


def test_angles_take_the_short_way() -> None:
    law = LQR(pendulum(damping=0.3), [np.pi, 0.0], dt=DT)
    assert law.act([-np.pi + 0.1, 0.0]).u == pytest.approx(law.act([np.pi + 0.1, 0.0]).u)
    assert abs(law.act([-np.pi + 0.1, 0.0]).u[0]) < 1.0


def test_integral_action_removes_an_offset_and_does_not_wind_up() -> None:
    truth = LinearDynamics([[0, 1], [0, 0]], [[0], [1]], state=CART.state, action=Space("a in [-1, 1]"))

    def end(law: LQR, ticks: int) -> tuple[float, float]:
        x, highest = np.array([-4.0, 0.0]), 0.0
        for _ in range(ticks):
            u = law.act(x).u - 0.5  # a constant push that the law does not know
            x = truth.step(x, u, DT)
            highest = max(highest, x[0])
        return x[0], highest

    plain, summing = LQR(truth, [0.0, 0.0]), LQR(truth, [0.0, 0.0], integral={"x": 0.2})
    assert abs(end(plain, 400)[0]) > 0.3
    last, overshoot = end(summing, 400)
    assert abs(last) < 1e-6
    assert overshoot < 1.0
    assert summing.integrals[0] != 0.0
    summing.reset()
    assert (summing.integrals == 0.0).all()
    continuous = LQR(truth, [0.0, 0.0], integral={"x": 0.2}, design="continuous")
    A = np.array([[0, 1, 0], [0, 0, 0], [1, 0, 0.0]])
    expected = lqr(A, [[0], [1], [0]], [1.0, 1.0, 0.2], 1.0).K
    np.testing.assert_allclose(continuous.regulator.K, expected, rtol=1e-8)


def test_what_was_clipped_is_told() -> None:
    law = LQR(pendulum(), [0.0, 0.0], dt=0.02)
    assert law.act([1.0, 0.0]).u[0] == -2.0
    assert law.saturated.tolist() == [True]
    law.act([0.01, 0.0])
    assert not law.saturated.any()


class _Broken(Dynamics):
    state, action = Space("x [m]"), Space("v [m/s]")

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return np.sqrt(np.asarray(x) - 1.0) + dt * np.asarray(u)


def test_impossible_designs_name_the_modes() -> None:
    with pytest.raises(ModelError, match=r"mode at 1 1/s \(x2\) is unstable and no action reaches it"):
        lqr(np.diag([-1.0, 1.0]), [[1.0], [0.0]], 1.0, 1.0)
    with pytest.raises(ModelError, match=r"mode at 0 1/s .*x1.* is not damped and has no weight"):
        lqr([[0, 1], [0, 0]], [[0], [1]], [0.0, 1.0], 1.0)
    with pytest.raises(ModelError, match=r"mode at 1 a step \(y\) is not damped and no action reaches it"):
        LQR(unicycle(), [0.0, 0.0, 0.0])
    with pytest.raises(ModelError, match=r"no action keeps .*(speed|theta_rate) changes"):
        LQR(cart_pole(), [0.0, 0.0, 0.5, 0.0])
    with pytest.raises(ModelError, match=r"outside the bounds"):
        LQR(pendulum(), [1.0, 0.0])
    with pytest.raises(SettingError, match="goal is {}"):
        LQR(pendulum(), {})
    with pytest.raises(ModelError, match="changes by nan"), np.errstate(all="ignore"):
        LQR(_Broken(), [0.0])
    with pytest.raises(ModelError, match="does not keep"):
        LQR(quadrotor(), quadrotor().state.identity(), action=[5.5, 0, 0, 0])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"Q": [[1.0, 2.0], [0.0, 1.0]]}, "Q"),
        ({"Q": [-1.0, 1.0]}, "eigenvalue -1"),
        ({"R": 0.0}, "R"),
        ({"Q": {"z": 1.0}}, "z"),
        ({"N": {("x", "b"): 1.0}}, "'b'"),
        ({"N": [[5.0], [0.0]]}, "eigenvalue"),
        ({"horizon": 3, "design": "continuous"}, "horizon"),
        ({"design": "digital"}, "digital"),
        ({"integral": {"x": -1.0}}, "integral"),
        ({"dt": 0.0}, "dt"),
    ],
)
def test_wrong_settings(settings: Any, told: str) -> None:
    with pytest.raises((SettingError, ModelError, ValueError), match=told):
        LQR(CART, [0.0, 0.0], **settings)


def test_cross_weights_by_name() -> None:
    named = LQR(CART, [0.0, 0.0], N={("v", "u1"): 0.3})
    np.testing.assert_array_equal(named.regulator.K, LQR(CART, [0.0, 0.0], N=[[0.0], [0.3]]).regulator.K)
    assert (named.regulator.K != LQR(CART, [0.0, 0.0]).regulator.K).any()


# -- along a plan


def swing() -> Plan:
    """A pendulum that is moved from hanging to one side and back to rest, by a plan of its own."""
    model, us = pendulum(damping=0.2), 1.5 * np.sin(np.linspace(0.0, 9.0, 60))[:, None]
    xs = model.rollout(np.array([np.pi, 0.0]), us, 0.05)
    return Plan(PlanStatus.SOLVED, model.state, xs, us, 0.05 * np.arange(61))


def test_tracking_is_lqr_along_a_standing_plan() -> None:
    xs, us = np.zeros((81, 2)), np.zeros((80, 1))
    law = TrackingLQR(CART, Plan(PlanStatus.SOLVED, CART.state, xs, us, DT * np.arange(81)), [2.0, 1.0], 0.5)
    still = LQR(CART, [0.0, 0.0], [2.0, 1.0], 0.5)
    x = np.array([1.0, -0.3])
    for t in (0.0, 0.34, 7.99, 20.0):
        assert law.act(x, t).u == pytest.approx(still.act(x).u, rel=1e-9)
    assert law.act(x, 21.0).status is ActionStatus.DONE


def test_tracking_brings_a_disturbed_pendulum_back_to_its_plan() -> None:
    model, plan = pendulum(damping=0.2), swing()
    law = TrackingLQR(model, plan, [10.0, 1.0], 0.1)
    np.testing.assert_allclose(law.E.shape, (60, 2))
    assert plan.xs is not None and plan.us is not None
    x, free = plan.xs[0] + [0.2, 0.0], plan.xs[0] + [0.2, 0.0]
    for k in range(60):
        x, free = model.step(x, law.act(x, 0.05 * k).u, 0.05), model.step(free, plan.us[k], 0.05)
    error, left = (np.abs(model.state.minus(y, plan.xs[-1])).max() for y in (x, free))
    assert error < 0.02 < 0.05 < left
    d = np.array([2e-3, -1e-3])
    for k, part in ((0, 0.0), (17, 0.5), (40, 0.25)):
        y = model.state.plus(model.state.interpolate(plan.xs[k], plan.xs[k + 1], np.array(part)), d)
        K = (1.0 - part) * law.K[k] + part * law.K[k + 1]
        law.reset()
        law.act(plan.xs[0], 0.0)
        np.testing.assert_allclose(law.act(y, 0.05 * (k + part)).u, plan.us[k] - K @ d, rtol=1e-9)
    # Against the time-varying problem solved by hand, one step before the end.
    F, B = model.linearize(plan.xs[59], plan.us[59], 0.05)
    S = law.S[60]
    K = np.linalg.solve(B.T @ S @ B + 0.1 * np.eye(1), B.T @ S @ F)
    np.testing.assert_allclose(law.K[59], K, rtol=1e-9)


def test_tracking_by_the_nearest_point_waits_for_a_robot_that_was_held() -> None:
    robot = unicycle()
    us = np.tile([0.5, 0.2], (40, 1))
    xs = robot.rollout(np.zeros(3), us, DT)
    plan = Plan(PlanStatus.SOLVED, robot.state, xs, us, DT * np.arange(41))
    by_time, by_place = (TrackingLQR(robot, plan, along=along) for along in ("time", "nearest"))
    middle = robot.state.interpolate(xs[10], xs[11], np.array(0.5))
    np.testing.assert_allclose(by_place.act(middle, 0.0).u, us[10], atol=1e-9)
    np.testing.assert_allclose(by_place.act(middle, 3.0).u, us[10], atol=1e-9)
    by_time.act(middle, 0.0)
    assert np.abs(by_time.act(middle, 3.0).u - us[10]).max() > 0.3
    x, t = np.zeros(3), 0.0
    by_place.reset()
    while by_place.act(x, t).status is not ActionStatus.DONE and t < 20.0:
        x, t = robot.step(x, by_place.act(x, t).u if t > 4.0 else np.zeros(2), DT), t + DT
    np.testing.assert_allclose(x, xs[-1], atol=0.05)
    assert 7.5 < t < 8.5


def test_irregular_plans_are_linearised_over_their_own_steps() -> None:
    model, ts = pendulum(), np.array([0.0, 0.1, 0.15, 0.25, 0.5])
    us, xs = np.array([[0.5], [-0.2], [0.1], [0.4]]), [np.array([2.0, 0.0])]
    for u, h in zip(us, np.diff(ts)):
        xs.append(model.step(xs[-1], u, h))
    law = TrackingLQR(model, Plan(PlanStatus.SOLVED, model.state, np.array(xs), us, ts))
    assert law.after is None, "the end is no equilibrium"
    As, Bs = zip(*(model.linearize(x, u, h) for x, u, h in zip(xs, us, np.diff(ts))))
    np.testing.assert_allclose(law.K, finite_horizon_lqr(np.array(As), np.array(Bs), np.eye(2), 1.0).K, rtol=1e-7)
    law.act(xs[0], 1.0)
    ended = law.act(xs[-1], 1.6)
    assert ended.status is ActionStatus.DONE and ended.u.tolist() == [0.0]


def test_plans_that_cannot_be_tracked() -> None:
    with pytest.raises(SettingError, match="Plan"):
        TrackingLQR(CART, [[0.0, 0.0], [1.0, 0.0]])  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="with states, actions and times"):
        TrackingLQR(pendulum(), Plan(PlanStatus.SOLVED, pendulum().state, np.zeros((3, 2))))
    with pytest.raises(SettingError, match="no path"):
        TrackingLQR(pendulum(), Plan(PlanStatus.NO_PATH, reason="it is blocked"))


# -- on readings

PLACE = LinearSensor([[1.0, 0.0]], R=0.04, state=CART.state)


def test_separation_principle() -> None:
    """The mean cost of LQG is its closed form, and the gain of its filter that of the dual regulator."""
    F, B, W = CART.discretized(DT)
    Q, R = np.diag([1.0, 0.2]), np.array([[0.1]])
    settled = steady_state(CART, PLACE, DT)
    H = PLACE.params["H"]
    K, S, _ = dlqr(F.T, H.T, W, PLACE.params["R"])
    np.testing.assert_allclose(F @ settled.gain, K.T, rtol=1e-8)
    np.testing.assert_allclose(S, settled.predicted, rtol=1e-8)

    law = LQR(CART, [0.0, 0.0], Q, R, dt=DT)
    S, K = law.regulator.S, law.regulator.K
    expected = np.trace(S @ W) + np.trace(settled.cov @ K.T @ (B.T @ S @ B + R) @ K)
    control = LQG(KF(CART, dt=DT).start(belief=Gaussian(CART.state, [0, 0], settled.predicted)), PLACE, law, dt=DT)
    rng, means = np.random.default_rng(4), []
    root = np.linalg.cholesky(W + 1e-15 * np.eye(2))
    for _ in range(32):
        control.reset()
        x, costs = rng.multivariate_normal([0, 0], settled.predicted), []
        for k in range(120):
            u = control.act(H @ x + 0.2 * rng.standard_normal(1), k * DT).u
            costs.append(x @ Q @ x + u @ R @ u)
            x = F @ x + B @ u + root @ rng.standard_normal(2)
        means.append(np.mean(costs[40:]))
    error = np.std(means) / np.sqrt(len(means))
    assert error < 0.1 * expected
    assert abs(np.mean(means) - expected) < 3.5 * error
    np.testing.assert_allclose(control.filter.belief.moments().cov, settled.cov, rtol=1e-4)


def test_lqg_without_a_reading_acts_on_the_prediction() -> None:
    control = LQG(KF(CART, dt=DT, gate=0.999).start(mean=[1.0, 0.0], std=0.1), PLACE, LQR(CART, [0.0, 0.0]))
    first = control.act([1.0], 0.0)
    for reading, told in (([np.nan], "no_reading"), ([50.0], "gated"), ([np.inf], "infinite")):
        missing = control.act(reading, 0.1)
        assert missing.status is ActionStatus.FALLBACK and told in missing.reason
        control.reset()
        assert control.act([1.0], 0.0).u == first.u, "every episode begins alike"
    assert control.act([1.0], 0.1).status is ActionStatus.SOLVED


def test_other_filters_and_laws_act_on_readings() -> None:
    model, plan, theta = pendulum(damping=0.2), swing(), Space("theta: angle")
    angle = LinearSensor([[1.0]], R=1e-4, state=theta, reading=theta).on(model.state)
    assert plan.xs is not None
    start = Gaussian.of(model.state, plan.xs[0] + [0.1, 0.0], std=0.1)
    control = LQG(EKF(model, dt=0.05).start(belief=start), angle, TrackingLQR(model, plan, [10.0, 1.0], 0.1), dt=0.05)
    rng, x = np.random.default_rng(2), plan.xs[0] + [0.2, 0.0]
    for _ in range(60):
        x = model.step(x, control.act(angle.observe(x) + 0.01 * rng.standard_normal(1)).u, 0.05)
    assert np.abs(model.state.minus(x, plan.xs[-1])).max() < 0.05


# -- given gains


def test_poles_are_placed() -> None:
    A, B = system(2, 4, 2)[:2]
    wanted = np.array([-1.0, -2.0, -1.0 + 1.0j, -1.0 - 1.0j])
    K = place_poles(A, B, wanted)
    L = place_poles(A.T, B, wanted).T
    for M in (A - B @ K, A - L @ B.T):
        np.testing.assert_allclose(np.poly(M), np.poly(wanted), rtol=1e-6, atol=1e-6)
    with pytest.raises(ModelError, match=r"modes at 2[^0-9]"):
        place_poles(np.diag([1.0, 2.0]), [[1.0], [0.0]], [-1.0, -2.0])
    with pytest.raises(SettingError, match="conjugate"):
        place_poles(A, B, [-1.0, -1.0, -1.0 + 1j, -2.0])


@pytest.mark.parametrize(("size", "actions"), [(2, 1), (3, 1), (4, 1), (4, 2), (6, 3)])
def test_repeated_poles_are_placed(size: int, actions: int) -> None:
    """Critical damping: the pole may be repeated more often than there are actions."""
    A, B = system(size, size, actions)[:2]
    for wanted in (np.full(size, -2.0), np.array([-1.0] * (size - 1) + [-3.0])):
        np.testing.assert_allclose(np.poly(A - B @ place_poles(A, B, wanted)), np.poly(wanted), rtol=1e-6, atol=1e-6)


def test_state_feedback_takes_a_goal_by_names() -> None:
    by_name = StateFeedback.placed(pendulum(), {"theta_rate": 0.0, "theta": 0.3}, [-4.0, -4.0])
    assert np.array_equal(by_name.K, StateFeedback.placed(pendulum(), [0.3, 0.0], [-4.0, -4.0]).K)
    with pytest.raises(SettingError, match="theta_rate"):
        StateFeedback.placed(pendulum(), {"theta": 0.3}, [-4.0, -5.0])


def test_state_feedback_decays_with_its_poles() -> None:
    law = StateFeedback.placed(CART, [0.0, 0.0], [-1.0, -3.0], dt=DT)
    x0, ts = np.array([1.0, 0.0]), DT * np.arange(1, 30)
    x, xs = x0, []
    for t in ts:
        x = CART.step(x, law.act(x, t - DT).u, DT)
        xs.append(x[0])
    basis = np.exp(np.outer(ts, [-1.0, -3.0]))
    part, left, *_ = np.linalg.lstsq(basis, np.array(xs), rcond=None)
    assert left[0] < 1e-18 and part[0] > 1.0


@pytest.mark.parametrize(
    "make",
    [
        lambda: LQR(pendulum(), [0.0, 0.0], integral={"theta": 0.1}),
        lambda: TrackingLQR(pendulum(damping=0.2), swing(), along="nearest"),
        lambda: StateFeedback(pendulum(), [0.0, 0.0], [[9.0, 2.0]]),
    ],
)
def test_a_copy_continues_where_the_original_is(make: Any) -> None:
    law = make()
    x = np.array([np.pi - 0.1, 0.2]) if isinstance(law, TrackingLQR) else np.array([0.05, 0.1])
    law.act(x, 0.0)
    copies = [copy.deepcopy(law), pickle.loads(pickle.dumps(law))]
    for t in (0.13, 0.31):
        u = law.act(x, t).u
        assert all(np.array_equal(each.act(x, t).u, u) for each in copies)


def test_a_state_that_is_lost() -> None:
    law = TrackingLQR(pendulum(damping=0.2), swing())
    lost = law.act([np.nan, 0.0], 0.4)
    assert lost.status is ActionStatus.FALLBACK and "theta" in lost.reason
    drone = LQR(quadrotor(), quadrotor().state.identity())
    x = quadrotor().state.identity()
    x[0] = np.nan
    assert drone.act(x).u[0] == pytest.approx(0.5 * 9.81)


def test_integrals_grow_by_the_seconds_that_passed() -> None:
    law, integrals = LQR(CART, [0.0, 0.0], integral={"x": 1.0}), []
    for h in (0.1, 0.05, 0.025):
        law.reset()
        for tick in range(round(1.0 / h) + 1):
            law.act([0.1, 0.0], h * tick)
        integrals.append(law.integrals[0])
    np.testing.assert_allclose(integrals, 0.1, rtol=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LQR(CART, [0.0, 0.0], integral={"x": 1.0}),
        lambda: LQG(
            KF(CART, dt=DT).start(std=1.0), LinearSensor(np.eye(2), R=0.01, state=CART.state), LQR(CART, [0, 0])
        ),
        lambda: TrackingLQR(CART, ILQR(CART, reach(CART, [1.0, 0.0])).solve([0.0, 0.0]), along="nearest"),
    ],
)
def test_a_clock_that_goes_back_starts_the_episode_again(make: Any) -> None:
    law = make()
    xs = [[0.1 * k, 0.3] for k in range(5)]
    first = [law.act(x, DT * k).u for k, x in enumerate(xs)]
    np.testing.assert_array_equal([law.act(x, DT * k).u for k, x in enumerate(xs)], first)


def test_arrays_of_the_user_stay_his() -> None:
    K, u = np.array([[0.1, 0.2]]), np.zeros(1)
    plan = ILQR(CART, reach(CART, [1.0, 0.0])).solve([0.0, 0.0])
    laws = StateFeedback(CART, [0.0, 0.0], K), LQR(CART, [0.0, 0.0], action=u), TrackingLQR(CART, plan)
    before = [law.act([0.3, 0.1], 0.0).u for law in laws]
    K[:], u[:] = 9.0, 9.0
    plan.us[:], plan.xs[:] = 9.0, 9.0
    for law, wanted in zip(laws, before):
        law.reset()
        np.testing.assert_array_equal(law.act([0.3, 0.1], 0.0).u, wanted)
