"""Linear predictive control: LQR without bounds, iLQR with bounds of the actions, and the closed loop."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy.linalg import solve_discrete_are
from scipy.optimize import linprog
from scipy.stats import binom

from pilotage.control import ILQR, LQR, LinearMPC, QuadraticProgram, TubeMPC, reach
from pilotage.control.mpc.active_set import ActiveSet
from pilotage.control.mpc.interior_point import InteriorPoint
from pilotage.core import ActionStatus, Gaussian, Space
from pilotage.core.errors import ModelError, SettingError, ShapeError, SpaceError
from pilotage.estimators import KF
from pilotage.models import LinearDynamics, bicycle, position, quadrotor, unicycle
from pilotage.testing import check_controller

LINE = Space("x [m]", "v [m/s]")
CART = LinearDynamics([[0, 1], [0, 0]], [[0], [1]], Qc=[0, 0.004], state=LINE, action=Space("a [m/s^2] in [-1, 1]"))
DT = 0.1
F, B = CART.linearize(np.zeros(2), np.zeros(1), DT)


def loop(drive: Any, x: Any, ticks: int, push: Any = 0.0, model: Any = CART) -> tuple[np.ndarray, list[Any]]:
    """States ``(ticks + 1, n)`` and actions of a closed loop with a constant disturbance."""
    xs, actions = [np.asarray(x, dtype=float)], []
    for tick in range(ticks):
        actions.append(drive.act(xs[-1], tick * DT))
        xs.append(model.step(xs[-1], actions[-1].u, DT) + push)
    return np.array(xs), actions


def test_without_active_bounds_it_is_lqr() -> None:
    drive = LinearMPC(CART, [1.0, 0.0], Q=[2.0, 1.0], R=0.5, horizon=7)
    P = solve_discrete_are(F, B, np.diag([2.0, 1.0]), 0.5 * np.eye(1))
    K = np.linalg.solve(0.5 + B.T @ P @ B, B.T @ P @ F)
    for d in np.random.default_rng(0).normal(size=(10, 2)) * 0.05:
        action = drive.act([1.0, 0.0] + d)
        np.testing.assert_allclose(action.u, -K @ d, atol=1e-9)
        assert action.cost == pytest.approx(d @ P @ d, abs=1e-9)


def test_components_that_the_goal_does_not_name_are_free() -> None:
    """A lane is held as LQR holds it, wherever along the lane."""
    car, lane = bicycle(), {"y": 0.0, "yaw": 0.0, "speed": 8.0}
    x, far = np.array([0.0, 0.3, 0.02, 7.9]), np.array([500.0, 0.3, 0.02, 7.9])
    for Q in (1.0, {"y": 2.0, "yaw": 1.0, "speed": 0.5}):
        mpc, lqr = LinearMPC(car, lane, Q=Q, R=0.1, dt=0.1), LQR(car, lane, Q, 0.1, dt=0.1)
        for at in (x, far):
            mpc.reset()
            np.testing.assert_allclose(mpc.act(at).u, lqr.act(at).u, atol=1e-7)


@pytest.mark.parametrize("relinearize", [False, True])
def test_with_bounded_actions_it_is_ilqr(relinearize: bool) -> None:
    task = reach(CART, [0.0, 0.0], weights=[1.0, 0.2], effort=0.05, final=5.0, dt=DT)
    oracle = ILQR(CART, task, horizon=25)
    drive = LinearMPC(CART, [0.0, 0.0], Q=[1.0, 0.2], R=0.05, P=[5.0, 1.0], horizon=25, dt=DT, relinearize=relinearize)
    for x in ([2.0, 1.0], [-3.0, 0.5], [0.3, -2.0]):
        mine, theirs = drive.solve(x), oracle.solve(x)
        np.testing.assert_allclose(mine.us, theirs.us, atol=1e-5)
        assert mine.cost == pytest.approx(theirs.cost, rel=1e-7)


def test_plan_keeps_all_bounds_and_is_best() -> None:
    """Bounds of states, outputs and rates hold along the rollout; the program is that of a solver of another kind."""
    settings: dict[str, Any] = {
        "bounds": {"v": (-0.6, 0.4)}, "rates": {"a": (-4.0, 3.0)}, "outputs": ([[1.0, 2.0]], -1.0, 1.2), "horizon": 15,
    }  # fmt: skip
    drive = LinearMPC(CART, [0.0, 0.0], R=0.05, **settings)
    x = np.array([-0.9, 0.2])
    plan = drive.solve(x)
    assert plan.ok
    us, xs = plan.us[:, 0], CART.rollout(x, plan.us, DT)
    y = xs[1:] @ [1.0, 2.0]
    changes = np.diff(us, prepend=0.0) / DT
    for values, low, high in ((xs[1:, 1], -0.6, 0.4), (changes, -4.0, 3.0), (y, -1.0, 1.2), (us, -1.0, 1.0)):
        assert values.min() > low - 1e-7 and values.max() < high + 1e-7
    assert (np.abs(changes - 3.0) < 1e-6).any() and (np.abs(xs[:, 1] - 0.4) < 1e-6).any()
    task = drive.task
    assert plan.cost == pytest.approx(task.cost(xs[:-1], plan.us).sum() + task.terminal_cost(xs[-1]), rel=1e-9)
    other = drive.program.solve(np.r_[x, 0.0], method="interior_point", tolerance=1e-7)
    np.testing.assert_allclose(other.z, us, atol=1e-5)


def test_references_are_seen_ahead() -> None:
    def ramp(ts: Any) -> Any:
        return np.stack([0.3 * ts, np.full_like(ts, 0.3)], -1)

    drive = LinearMPC(CART, [0.0, 0.0], R=0.01, reference=ramp)
    xs, _ = loop(drive, [0.0, 0.3], 30)
    np.testing.assert_allclose(xs, ramp(DT * np.arange(31)), atol=1e-6)

    def step(ts: Any) -> Any:
        return np.stack([np.where(ts >= 1.0, 1.0, 0.0), 0.0 * ts], -1)

    early, _ = loop(LinearMPC(CART, [0.0, 0.0], R=0.01, reference=step), [0.0, 0.0], 11)
    assert early[9, 0] > 0.1, "it moves before the reference does"


def test_stable_loop_stays_feasible() -> None:
    """The cost with the Riccati matrix at the end falls at every tick, and no tick after a feasible one is not."""
    drive = LinearMPC(CART, [0.0, 0.0], R=0.1, bounds={"v": (-0.5, 0.5)}, horizon=30)
    for x in np.random.default_rng(3).uniform([-1.5, -0.5], [1.5, 0.5], (6, 2)):
        drive.reset()
        xs, actions = loop(drive, x, 60)
        assert {a.status for a in actions} == {ActionStatus.SOLVED}
        costs = np.array([a.cost for a in actions])
        assert (np.diff(costs) <= 1e-9 * costs[0]).all()
        assert np.abs(xs[-1]).max() < 0.05 and np.abs(xs[1:, 1]).max() < 0.5 + 1e-7


def test_models_along_the_plan_are_those_at_the_goal() -> None:
    """On a linear system, with every kind of row, preview, and a disturbance."""

    def wave(ts: Any) -> Any:
        return np.stack([0.5 * np.sin(ts), 0.5 * np.cos(ts)], -1)

    settings: dict[str, Any] = {
        "bounds": {"v": (-0.3, 0.4)}, "rates": {"a": (-2.0, 2.0)}, "outputs": ([[1.0, 1.0]], -0.6, 0.6), "soft": 200.0,
        "offset_free": 0.5, "reference": wave, "action": [0.1],
    }  # fmt: skip
    once, along = (LinearMPC(CART, [0.2, 0.0], relinearize=each, **settings) for each in (False, True))
    x = np.array([0.3, 0.3])
    for tick in range(15):
        mine, other = once.act(x, tick * DT), along.act(x, tick * DT)
        np.testing.assert_allclose(mine.plan, other.plan, atol=1e-6)
        assert mine.cost == pytest.approx(other.cost, rel=1e-6)
        x = CART.step(x, mine.u, DT) + [0.0, 0.02]


def test_another_task_is_refused() -> None:
    with pytest.raises(ModelError, match="LinearMPC"):
        LinearMPC(CART, [0.0, 0.0]).retarget(reach(CART, [1.0, 0.0]))


def test_infeasible_start_is_told() -> None:
    hard = LinearMPC(CART, [0.0, 0.0], bounds={"v": (-0.5, 0.5)})
    action = hard.act([0.0, 2.0])
    assert action.status is ActionStatus.IMPROVED
    assert "v <= 0.5 at step 1" in action.reason and "a >= -1 at step 0" in action.reason
    soft = LinearMPC(CART, [0.0, 0.0], bounds={"v": (-0.5, 0.5)}, soft={"v": 1e3})
    xs, actions = loop(soft, [0.0, 2.0], 40)
    assert {a.status for a in actions} == {ActionStatus.SOLVED}
    assert actions[0].u == pytest.approx([-1.0]) and np.abs(xs[20:, 1]).max() < 0.5 + 1e-7


@pytest.mark.parametrize("relinearize", [False, True])
def test_outside_hard_bounds_the_plan_leads_back_as_fast_as_the_actions_allow(relinearize: bool) -> None:
    drive = LinearMPC(CART, [0.0, 0.0], bounds={"v": (-0.5, 0.5)}, relinearize=relinearize, dt=DT)
    xs, actions = loop(drive, [0.0, 2.0], 40)
    back = round(1.5 / DT)  # 1.5 m/s at 1 m/s^2
    assert {a.status for a in actions[: back - 1]} == {ActionStatus.IMPROVED}
    assert {a.status for a in actions[back:]} == {ActionStatus.SOLVED}
    assert np.array([a.u for a in actions[: back - 1]]) == pytest.approx(-1.0)
    assert np.abs(xs[back + 1 :, 1]).max() < 0.5 + 1e-6


def test_the_way_back_violates_the_bounds_least() -> None:
    """The sum of violations is that of a linear program in the actions, which SciPy solves."""
    T, x, bound = 12, np.array([1.6, 0.4]), 1.0
    drive = LinearMPC(CART, [0.0, 0.0], bounds={"x": (-bound, bound)}, horizon=T, dt=DT)
    F, B = (np.asarray(each) for each in CART.linearize(np.zeros(2), np.zeros(1), DT))
    powers = [np.linalg.matrix_power(F, k) for k in range(T + 1)]
    G = np.array([[(powers[k - 1 - j] @ B)[0, 0] if j < k else 0.0 for j in range(T)] for k in range(1, T + 1)])
    free = np.array([(powers[k] @ x)[0] for k in range(1, T + 1)])
    cost, left = np.concatenate([np.zeros(T), np.ones(T)]), np.concatenate([G, -np.eye(T)], axis=1)
    least = linprog(cost, left, bound - free, bounds=[(-1.0, 1.0)] * T + [(0.0, None)] * T)
    action = drive.act(x)
    assert action.status is ActionStatus.IMPROVED and action.plan is not None
    assert np.maximum(free + G @ action.plan[:, 0] - bound, 0.0).sum() == pytest.approx(least.fun, rel=1e-6)


def test_what_cannot_be_kept_from_within_the_bounds_falls_back() -> None:
    drive = LinearMPC(CART, [0.0, 0.0], bounds={"x": (-1.0, 1.0)}, dt=DT)
    action = drive.act([0.9, 1.0])
    assert action.status is ActionStatus.FALLBACK and "brake" in action.reason
    assert action.u == pytest.approx([-1.0])


def test_a_reference_stands_for_the_goal() -> None:
    def ramp(ts: np.ndarray) -> np.ndarray:
        return np.stack([0.3 + 0.2 * ts, np.full(len(ts), 0.2)], axis=-1)

    lone, both = LinearMPC(CART, reference=ramp, dt=DT), LinearMPC(CART, [0.3, 0.2], reference=ramp, dt=DT)
    np.testing.assert_allclose(lone.act([0.0, 0.0]).plan, both.act([0.0, 0.0]).plan, atol=1e-9)
    assert "reference" in repr(lone) and "goal x 0.3, v 0.2" in repr(LinearMPC(CART, [0.3, 0.2], dt=DT))
    with pytest.raises(SettingError, match="goal and reference are missing"):
        LinearMPC(CART)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"soft": 10.0}, "soft is 10"),
        ({"soft": {"v": 10.0}, "bounds": {"x": (-1.0, 1.0)}}, "soft names 'v'"),
        ({"goal": [0.0, 0.8], "bounds": {"v": (-0.5, 0.5)}}, "goal is beyond the upper bound of v by 0.3"),
        ({"outputs": ([[1.0, 1.0]], -2.0, -1.0)}, "goal is beyond the upper bound of output 0 by 1"),
    ],
)
def test_settings_that_change_nothing_are_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingError, match=told):
        LinearMPC(CART, settings.pop("goal", [0.0, 0.0]), **settings)


@pytest.mark.parametrize("effort", [1e-4, 1e-2])
def test_weights_of_unlike_size_are_solved_by_the_active_set(effort: float) -> None:
    """Thrust in newtons beside torques: the Hessian has a condition of 3e7 and more, but not in scaled variables."""
    drone = quadrotor()
    drive = LinearMPC(drone, drone.state.identity(), R=[effort, 10.0, 10.0, 10.0], horizon=30, dt=0.02)
    method = ActiveSet(drive.program, 1e-8)
    for shift in ([0.1, 0.0, -0.1], [1.0, 0.5, -3.0]):
        away = np.concatenate([shift, np.zeros(drone.state.dim - 3)])
        found = method.solve(away)
        assert found.ok and found.iterations < 60
        other = InteriorPoint(drive.program, 1e-8).solve(away)
        assert found.cost == pytest.approx(other.cost, rel=1e-6)


def test_soft_bounds_are_exact() -> None:
    hard = LinearMPC(CART, [0.0, 0.0], bounds={"v": (-0.5, 0.5)})
    soft = LinearMPC(CART, [0.0, 0.0], bounds={"v": (-0.5, 0.5)}, soft=1e3)
    np.testing.assert_allclose(hard.act([2.0, 0.0]).plan, soft.act([2.0, 0.0]).plan, atol=1e-7)


def test_disturbance_leaves_no_offset() -> None:
    push = np.array([0.0, 0.03])
    free, plain = (LinearMPC(CART, [0.0, 0.0], offset_free=gain) for gain in (0.5, 0.0))
    assert abs(loop(free, [0.5, 0.0], 120, push)[0][-1, 0]) < 1e-4
    assert abs(loop(plain, [0.5, 0.0], 120, push)[0][-1, 0]) > 0.05


def test_rotations_are_deviations_in_the_tangent() -> None:
    drone = quadrotor()
    start = drone.state.plus(drone.state.identity(), np.r_[0.5, -0.3, 0.2, 0.0, 0.0, 1.0, np.zeros(6)])
    drive = LinearMPC(
        drone, drone.state.identity(), R=[0.1, 10.0, 10.0, 10.0], bounds={"vx": (-0.3, 0.3)}, soft=1e3, dt=DT
    )
    np.testing.assert_allclose(drive.task.ug, [0.5 * 9.81, 0.0, 0.0, 0.0], atol=1e-9)
    xs, _ = loop(drive, start, 60, model=drone)
    assert np.abs(drone.state.minus(xs[-1], drone.state.identity())).max() < 0.05


def test_linearised_along_the_plan_it_turns_a_unicycle() -> None:
    """At rest, a unicycle has no linear model that moves sideways; along a plan it has."""
    robot = unicycle()
    drive = LinearMPC(
        robot, [1.0, 0.4, 0.0], Q=[1.0, 1.0, 0.1], R=0.05, P=[20.0, 20.0, 2.0], relinearize=True, dt=DT, horizon=25
    )
    xs, actions = loop(drive, [0.0, 0.0, 0.3], 80, model=robot)
    assert np.hypot(*(xs[-1, :2] - [1.0, 0.4])) < 0.05
    assert all(robot.action.contains(a.u) for a in actions)


def test_a_pickled_controller_continues() -> None:
    drive = LinearMPC(CART, [0.0, 0.0], bounds={"v": (-0.5, 0.5)}, rates={"a": (-3.0, 3.0)})
    xs, _ = loop(drive, [1.0, 0.0], 3)
    copy = pickle.loads(pickle.dumps(drive))
    np.testing.assert_array_equal(copy.act(xs[-1]).plan, drive.act(xs[-1]).plan)


@pytest.mark.parametrize("solver", ["active_set", "interior_point", "piqp", "clarabel", "osqp", "daqp"])
def test_solvers_agree(solver: str) -> None:
    if solver not in ("active_set", "interior_point"):
        pytest.importorskip(solver)
    drive = LinearMPC(CART, [0.0, 0.0], bounds={"v": (-0.5, 0.5)}, soft=50.0, solver=solver, tolerance=1e-6)
    expected = LinearMPC(CART, [0.0, 0.0], bounds={"v": (-0.5, 0.5)}, soft=50.0)
    for x in ([2.0, 0.0], [1.9, 0.8]):
        action = drive.act(x)
        assert action.status is ActionStatus.SOLVED, action
        np.testing.assert_allclose(action.u, expected.act(x).u, atol=1e-4)
        assert max(drive.solution.stats["primal_residual"], drive.solution.stats["dual_residual"]) <= 1e-6


@pytest.mark.parametrize(
    ("settings", "error", "named"),
    [
        ({"Q": {"z": 1.0}}, SpaceError, "'z'"),
        ({"Q": np.diag([1.0, -1.0])}, SettingError, "-1"),
        ({"Q": np.ones((3, 3))}, SettingError, "Q"),
        ({"R": 0.0}, SettingError, "R"),
        ({"Q": [0.0, 1.0]}, ModelError, "x.* has no weight"),
        ({"bounds": {"v": (1.0, -1.0)}}, SettingError, "v"),
        ({"bounds": {"v": 1.0}}, SettingError, r"bounds of v is 1.*\(low, high\)"),
        ({"bounds": {"v": (-1.0, 0.0, 1.0)}}, SettingError, "bounds of v"),
        ({"rates": {"a": 3.0}}, SettingError, r"rates of a is 3.*\(low, high\)"),
        ({"outputs": ([[1.0]], -1.0, 1.0)}, ShapeError, "outputs"),
        ({"outputs": [[1.0, 1.0]]}, SettingError, r"outputs is .*\(C, low, high\)"),
        ({"soft": -1.0}, SettingError, "soft"),
        ({"solver": "simplex"}, SettingError, "simplex"),
        ({"offset_free": 2.0}, SettingError, "offset_free"),
        ({"goal": [0.0, np.nan]}, ShapeError, "goal"),
    ],
)
def test_bad_settings(settings: dict[str, Any], error: type[Exception], named: str) -> None:
    with pytest.raises(error, match=named):
        LinearMPC(CART, **{"goal": [0.0, 0.0], **settings})


def test_a_reference_that_is_none() -> None:
    drive = LinearMPC(CART, [0.0, 0.0], reference=lambda ts: np.zeros(3))
    with pytest.raises(ModelError, match="references"):
        drive.act([0.0, 0.0])


def test_chance_of_violation_is_at_most_the_risk() -> None:
    """Closed loops on the estimate of a Kalman filter, against a wall short of the goal."""
    risk, rng, wall = 0.1, np.random.default_rng(7), 1.0
    L, sensor, estimator = (
        np.linalg.cholesky(CART.noise(np.zeros(2), np.zeros(1), DT)),
        position(1, std=0.1),
        KF(CART, dt=DT),
    )
    mpc = LinearMPC(CART, [1.3, 0.0], bounds={"x": (-np.inf, wall)}, soft=1e3, horizon=10, dt=DT)
    drives = {
        "tube": TubeMPC(mpc, risk=risk),
        "plain": LinearMPC(CART, [1.3, 0.0], bounds={"x": (-np.inf, wall)}, soft=1e3, horizon=10),
    }
    over = dict.fromkeys(drives, 0)
    episodes, ticks = 20, 40
    for name, drive in drives.items():
        for _ in range(episodes):
            filter = estimator.start(mean=[0.6, 0.0], std=[0.1, 0.05])
            x = np.array([0.6, 0.0]) + rng.normal(size=2) * [0.1, 0.05]
            drive.reset()
            for tick in range(ticks):
                u = drive.act(filter.belief, tick * DT).u
                x = CART.step(x, u, DT) + L @ rng.normal(size=2)
                over[name] += x[0] > wall
                filter.predict(u=u)
                filter.update(sensor, x[:1] + 0.1 * rng.normal(size=1))
    total = episodes * ticks
    assert over["tube"] <= binom.ppf(0.999, total, risk)
    assert over["tube"] > 0.002 * total, "the bound is approached"
    assert over["plain"] > 1.5 * binom.ppf(0.999, total, risk), "the mean alone does not keep it"


def test_box_of_disturbances_violates_nothing() -> None:
    box, rng = np.array([0.002, 0.03]), np.random.default_rng(2)
    bounds: dict[str, Any] = {"bounds": {"x": (-np.inf, 1.0), "v": (-0.6, 0.6)}, "horizon": 15}
    drive = TubeMPC(LinearMPC(CART, [0.99, 0.0], **bounds), disturbance=box)
    for worst in (True, False):
        drive.reset()
        x, xs = np.array([0.0, 0.0]), []
        for tick in range(80):
            action = drive.act(x, tick * DT)
            assert action.status is ActionStatus.SOLVED, action
            x = CART.step(x, action.u, DT) + box * (1.0 if worst else rng.uniform(-1.0, 1.0, 2))
            xs.append(x)
        assert np.max(xs, axis=0)[0] < 1.0 + 1e-9 and np.abs(np.array(xs)[:, 1]).max() < 0.6 + 1e-9
    plain = LinearMPC(CART, [0.99, 0.0], **bounds)
    assert loop(plain, [0.0, 0.0], 80, box)[0][:, 0].max() > 1.0


def test_uncertainty_without_room_is_told() -> None:
    drive = TubeMPC(LinearMPC(CART, [0.0, 0.0], bounds={"v": (-0.1, 0.1)}, soft=1e3))
    action = drive.act(Gaussian.of(LINE, [0.0, 0.0], std=1.0))
    assert action.status is ActionStatus.IMPROVED and "v" in action.reason
    assert drive.act([0.0, 0.0]).status is not ActionStatus.FALLBACK
    for settings in ({"risk": 0.7}, {"disturbance": -1.0}):
        with pytest.raises(SettingError):
            TubeMPC(LinearMPC(CART, [0.0, 0.0]), **settings)


def test_a_tube_of_nothing_is_the_controller() -> None:
    still = LinearDynamics([[0, 1], [0, 0]], [[0], [1]], state=LINE, action=CART.action)
    mpc = LinearMPC(still, [0.0, 0.0], bounds={"v": (-0.5, 0.5)})
    expected = mpc.act([1.0, 0.2]).plan
    for drive in (TubeMPC(mpc), TubeMPC(mpc, disturbance=0.0)):
        drive.reset()
        np.testing.assert_allclose(drive.act([1.0, 0.2]).plan, expected, atol=1e-9)
    check_controller(TubeMPC(mpc), still, [1.0, 0.2])
    assert isinstance(mpc.program, QuadraticProgram)


@pytest.mark.parametrize("fallback", ["brake", "hold", "shift"])
def test_rates_hold_from_the_action_of_a_fallback_on(fallback: Any) -> None:
    drive = LinearMPC(CART, [0.0, 0.0], rates={"a": (-2.0, 2.0)}, fallback=fallback, dt=DT)
    for x in ([2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [np.nan, 0.0], [np.nan, 0.0]):
        last = drive.act(x).u
    for _ in range(3):
        u = drive.act([2.0, 0.0]).u
        assert abs(u - last) <= 2.0 * DT + 1e-6
        last = u


def test_a_solver_keeps_its_own_f() -> None:
    f = np.array([1.0, 1.0])
    for method in ("active_set", "interior_point"):
        solver = QuadraticProgram(np.eye(2), [0.0, 0.0]).solver(method)
        solver.solve(f=f)
        f[:] = 5.0
        np.testing.assert_allclose(solver.solve().z, -1.0, atol=1e-7)
        f[:] = 1.0
