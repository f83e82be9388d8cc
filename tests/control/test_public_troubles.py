"""Troubles that users of other controllers reported in public: each test names the threads and rebuilds a trouble."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from pilotage.control import (
    CEM,
    ICEM,
    ILQR,
    LQR,
    MPPI,
    SQP,
    GradientMPC,
    LinearMPC,
    PredictiveSampling,
    PurePursuit,
    QuadraticProgram,
    Stanley,
    dlqr,
    follow,
    lqr,
    place_poles,
    reach,
)
from pilotage.core import ActionStatus, Space
from pilotage.core.errors import ModelError, SettingError
from pilotage.maps import OccupancyGrid
from pilotage.models import LinearDynamics, bicycle, discrete_dynamics, dynamics, quadrotor, task, unicycle

DT = 0.1
ROBOT = unicycle()
CART = LinearDynamics(
    [[0, 1], [0, 0]], [[0], [1]], state=Space("x [m]", "v [m/s]"), action=Space("a [m/s^2] in [-1, 1]")
)


def turning(ts: Any) -> np.ndarray:
    """References that turn at 0.5 rad/s, unwrapped."""
    return np.stack([0.0 * ts, 0.0 * ts, 2.5 + 0.5 * ts], -1)


def wrapped(ts: Any) -> np.ndarray:
    """The same, within half a turn."""
    return ROBOT.state.normalize(turning(ts))


@pytest.mark.parametrize("reference", [turning, wrapped])
@pytest.mark.parametrize("relinearize", [False, True])
def test_a_reference_turns_past_half_a_turn(reference: Any, relinearize: bool) -> None:
    """quad-sdk #345 and #400, PythonRobotics #86: the robot turns back by a whole turn where yaw passes pi."""
    drive = LinearMPC(
        ROBOT, {"yaw": 0.0}, Q=[0.0, 0.0, 1.0], R=[1.0, 0.01], P=np.diag([0.0, 0.0, 1.0]), reference=reference,
        horizon=15, dt=DT, relinearize=relinearize,
    )  # fmt: skip
    x = np.array([0.0, 0.0, 2.5])
    for k in range(150):  # more than a turn
        u = drive.act(x, k * DT).u
        assert u[1] == pytest.approx(0.5, abs=1e-6)
        x = ROBOT.step(x, u, DT)
    assert abs(ROBOT.state.minus(x, turning(np.array(15.0)))[2]) < 1e-6


@pytest.mark.parametrize("fallback", ["shift", "hold", "brake"])
def test_rates_count_from_the_action_of_a_fallback(fallback: Any) -> None:
    """ocs2 #94 and rockit #1: the limit of change is broken; here, in the tick after a state without a plan, or NaN."""
    drive = LinearMPC(CART, [0.0, 0.0], bounds={"v": (-0.5, 0.5)}, rates={"a": (-3.0, 3.0)}, fallback=fallback, dt=DT)
    states = [[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [np.nan, 0.0], [2.0, 0.0], [np.nan, 0.0], [0.4, -0.2], [0.4, -0.2]]
    actions = [drive.act(x, k * DT) for k, x in enumerate(states)]
    assert [k for k, a in enumerate(actions) if a.status is ActionStatus.FALLBACK] == [3, 5]
    for before, after in itertools.pairwise(actions):
        if after.status is not ActionStatus.FALLBACK:
            assert abs(after.u - before.u) <= 0.3 + 1e-9


@pytest.mark.parametrize("weight", [1e2, 1e6, 1e9, 1e13])
def test_a_weight_of_any_size_keeps_a_soft_bound(weight: float) -> None:
    """safe-control-gym #161, acados #1573: a start outside the bounds, and a penalty that is larger than needed."""
    drive = LinearMPC(
        CART, [0.0, 0.0], Q=[1.0, 0.1], R=0.1, bounds={"v": (-0.5, 0.5)}, soft={"v": weight}, horizon=30, dt=DT
    )
    x, speeds = np.array([3.0, 2.0]), []
    for k in range(60):
        action = drive.act(x, k * DT)
        assert action.status in (ActionStatus.SOLVED, ActionStatus.IMPROVED), action.reason
        x = CART.step(x, action.u, DT)
        speeds.append(x[1])
    assert max(speeds[16:]) <= 0.5 and min(speeds) >= -0.5 - 1e-9
    np.testing.assert_allclose(speeds[:15], 2.0 - DT * np.arange(1, 16), atol=1e-9, err_msg="it brakes fully")


FEASIBLE: dict[str, Any] = {
    "piqp #33": (
        [61.0, 2e9, 61.0, 2e9, 1000.0, 100.0], np.zeros(6),
        [[1.0, 0.0, 1.0, 0.0, 1.0, 0.0], [2.4, 0.0, -2.4, 0.0, 0.0, 1.0]], [0.0, 0.0], [2e4, 0.3491, 2e4, 0.3491],
    ),
    "piqp #37": (
        [11.0, 1e7, 11.0, 1e7, 700.0, 1000.0], [876.8, 0.0, 876.8, 0.0, 0.0, 0.0],
        [[0.9973, -156.3, 0.9973, 154.2, 1.0, 0.0], [-1.619, -1.084e4, 1.612, -1.084e4, 0.0, 1.0]], [757.8, 1.255],
        [-0.0001, 0.3491, -0.0001, 0.3491],
    ),
}  # fmt: skip


@pytest.mark.parametrize("trouble", FEASIBLE)
@pytest.mark.parametrize("method", ["auto", "active_set", "interior_point"])
def test_feasible_programs_of_a_bad_scale_are_solved(trouble: str, method: str) -> None:
    """PIQP #33 and #37, OSQP #346: a small feasible program with weights from 11 to 2e9 is called infeasible."""
    H, f, A, b, high = FEASIBLE[trouble]
    least = [-2e4 if high[0] > 0 else -2000.0, -0.3491] * 2
    rows, free = np.vstack([A, np.eye(6)]), [np.inf, np.inf]
    program = QuadraticProgram(np.diag(H), f, rows, [*b, *least, *np.negative(free)], [*b, *high, *free])
    solution = program.solve(method=method, tolerance=1e-6)
    assert solution.ok, solution.reason
    y, lam = rows @ solution.z, solution.multipliers
    assert (y >= program.lower - 1e-6).all() and (y <= program.upper + 1e-6).all()
    np.testing.assert_allclose(np.diag(H) @ solution.z + f + rows.T @ lam, 0.0, atol=1e-6)
    assert (lam[y < program.upper - 1e-4] <= 1e-2).all() and (lam[y > program.lower + 1e-4] >= -1e-2).all()


def test_a_plant_that_is_no_further_than_its_bounds() -> None:
    """acados #1365: x' = u with x0 = 9 in [1, 20] and u in [-10, 10] gives u = 39, and states that do not integrate."""
    tank = LinearDynamics([[0.0]], [[1.0]], state=Space("x [m]"), action=Space("u [m/s] in [-10, 10]"))
    drive = LinearMPC(tank, {"x": 20.0}, Q=1000.0, R=1e-3, horizon=20, dt=0.01, bounds={"x": (1.0, 20.0)})
    plan = drive.solve([9.0])
    assert plan.us is not None and plan.xs is not None
    np.testing.assert_allclose(plan.us, 10.0, atol=1e-9)
    np.testing.assert_allclose(plan.xs[:, 0], 9.0 + 0.1 * np.arange(21), atol=1e-9)


def test_riccati_equations_of_public_threads() -> None:
    """Drake #19191 (crash), #19222, QuantEcon #356 (not stabilising), ControlSystems.jl #297, python-control #252."""
    A = np.zeros((12, 12))
    A[:6, 6:] = np.eye(6)
    A[6, [0, 4]], A[7, 5] = [-12.0, 9.0], -9.0
    B = np.zeros((12, 4))
    B[8:] = [[1, 1, 1, 1], [7, -7, 7, -7], [-59, 0, 59, 0], [0, 99, 0, -99]]
    with pytest.raises(ModelError, match="x4"):  # the weights do not see the fourth state, which drifts
        lqr(A, B, np.diag([10.0] * 3 + [0.0] * 9), np.eye(4))
    chain = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, -1.0, -1.0]])
    found = lqr(chain, [[0.0], [0.0], [1.0]], [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]], [[1.0]])
    assert found.E.real.max() < 0.0
    root = np.sqrt(0.9)
    discounted = dlqr(
        root * np.array([[1.0, 0.0], [0.225, 0.0]]), root * np.array([[0.0], [1.11111]]),
        [[2.89634, -4.0404], [-4.0404, 8.16243]], [[8.16243]], [[4.0404], [-8.16243]],
    )  # fmt: skip
    np.testing.assert_allclose(discounted.S, [[15.94687678, -2.38748478], [-2.38748478, 0.81622831]], atol=1e-6)
    rng, weight = np.random.default_rng(0), np.outer([-100.0, 1.0], [-100.0, 1.0])  # an eigenvalue of -eps
    for _ in range(50):
        assert np.abs(dlqr(rng.normal(size=(2, 2)), rng.normal(size=(2, 1)), weight, [[1.0]]).E).max() < 1.0
    with pytest.raises(SettingError, match="eigenvalue"):
        lqr(chain, [[0.0], [0.0], [1.0]], np.eye(3), [[1.0]], [[1.0], [1.0], [2.0]])


WEST = np.stack([-np.linspace(0.0, 12.0, 61), np.zeros(61)], -1)
CAR = bicycle(wheelbase=2.5)
TRACKERS: dict[str, Any] = {
    "pure pursuit": lambda: PurePursuit(CAR, WEST, speed=2.5),
    "Stanley": lambda: Stanley(CAR, WEST, speed=2.5),
    "iLQR": lambda: ILQR(CAR, follow(WEST, speed=2.5)),
    "MPPI": lambda: MPPI(CAR, follow(WEST, speed=2.5), std=(1.0, 0.2), rng=0),
}


@pytest.mark.parametrize("name", TRACKERS)
def test_a_course_to_the_west_with_a_noisy_yaw(name: str) -> None:
    """PythonRobotics #86: a measured yaw that jitters around pi is an error of a whole turn, and the car swerves."""
    drive, rng, x, widest = TRACKERS[name](), np.random.default_rng(0), np.array([0.0, 0.0, -np.pi, 0.0]), 0.0
    action = drive.act(x, 0.0)
    for k in range(120):
        action = drive.act(CAR.state.plus(x, [0.0, 0.0, 0.02 * rng.standard_normal(), 0.0]), k * DT)
        if action.status is ActionStatus.DONE:
            break
        x = CAR.step(x, action.u, DT)
        widest = max(widest, abs(x[1]))
    assert action.status is ActionStatus.DONE and widest < 0.15


@task(state=ROBOT.state, action=ROBOT.action, stage=Space("rx ry [m]", "ryaw [rad]"), weights=(1, 1, 1, 0.01, 0.01))
def pose(x: Any, u: Any, r: Any, p: Any, m: Any) -> Any:
    return x[0] - r[0], x[1] - r[1], m.wrap(x[2] - r[2]), *u


def round_and_round(x: Any, t: float, steps: int, carry: Any) -> Any:
    phase = 0.5 * (t + DT * np.arange(steps + 1))
    rows = np.stack([2.0 * np.cos(phase), 2.0 * np.sin(phase), phase + np.pi / 2.0], -1)
    return ROBOT.state.normalize(rows), None


@pytest.mark.parametrize("kind", [ILQR, SQP, GradientMPC])
def test_poses_on_a_circle_pass_half_a_turn(kind: Any) -> None:
    """quad-sdk #204, MotionPlanning #5: references of yaw jump from pi to -pi; `m.wrap` is the short way."""
    drive, x = kind(ROBOT, pose(references=round_and_round, dt=DT), horizon=15), np.array([2.0, 0.0, np.pi / 2.0])
    for k in range(60):
        x = ROBOT.step(x, drive.act(x, k * DT).u, DT)
        phase = 0.5 * DT * (k + 1)
        assert np.hypot(x[0] - 2.0 * np.cos(phase), x[1] - 2.0 * np.sin(phase)) < 0.02


@dynamics(
    state=Space("x y [m]", "yaw [rad]", "speed [m/s]", "yaw_rate [rad/s]"),
    action=Space("accel [m/s^2] in [-0.3, 0.3]", "yaw_accel [rad/s^2] in [-0.5, 0.5]"),
)
def heavy(x: Any, u: Any, p: Any, m: Any) -> Any:
    return x[3] * m.cos(x[2]), x[3] * m.sin(x[2]), x[4], u[0], u[1]


@pytest.mark.parametrize("kind", [MPPI, ILQR])
def test_a_robot_with_weak_brakes_stops_at_its_goal(kind: Any) -> None:
    """Nav2 #5573 and #5579: with the true accelerations, MPPI passes the goal, or is there with a speed left."""
    path = np.stack([np.linspace(0.0, 3.0, 31), np.zeros(31)], -1)
    drive, x, farthest = kind(heavy(), follow(path, speed=1.0)), np.zeros(5), 0.0
    action = drive.act(x, 0.0)
    for k in range(150):
        action = drive.act(x, k * DT)
        if action.status is ActionStatus.DONE:
            break
        x = heavy().step(x, action.u, DT)
        farthest = max(farthest, x[0])
        assert x[3] >= -0.02, "it does not swing about the goal"
    assert action.status is ActionStatus.DONE and farthest < 3.1 and abs(x[3]) < 0.12


@pytest.mark.parametrize("ahead", [0.45, 0.8, 1.5])
@pytest.mark.parametrize("kind", [MPPI, ILQR, SQP])
def test_an_obstacle_that_appears_at_the_last_moment_is_not_touched(kind: Any, ahead: float) -> None:
    """Nav2 #5661, python_simple_mppi #12: an obstacle within the horizon; the robot goes round it, or stops."""
    robot, free = unicycle(limits={"speed": (-0.3, 1.0), "yaw_rate": (-1.5, 1.5)}), np.zeros((60, 120), dtype=bool)
    path = np.stack([np.linspace(1.0, 9.0, 81), np.full(81, 3.0)], -1)

    def around(occupied: Any) -> Any:
        grid = OccupancyGrid.from_occupied(occupied, 0.1)
        return grid, follow(path, grid, radius=0.3, margin=0.2, speed=1.0)

    drive, x = kind(robot, around(free)[1], **({"rng": 0} if kind is MPPI else {})), np.array([1.0, 3.0, 0.0])
    for k in range(30):
        x = robot.step(x, drive.act(x, k * DT).u, DT)
    column = round((x[0] + ahead) / 0.1)
    free[25:35, column : column + 5] = True
    grid, errand = around(free)
    drive.retarget(errand)
    statuses = set()
    for k in range(30, 140):
        action = drive.act(x, k * DT)
        statuses.add(action.status)
        x = robot.step(x, action.u, DT)
        assert grid.clearance(x[None, :2])[0] >= 0.3 - 1e-3
    assert statuses & {ActionStatus.DONE, ActionStatus.STUCK}


@pytest.mark.parametrize("kind", [LQR, LinearMPC])
def test_states_of_another_simulator(kind: Any) -> None:
    """do-mpc #446: a simulator of one's own, with the same rates, other steps and other quaternions, diverges."""
    drone = quadrotor(mass=0.5)
    rest = drone.state.identity()
    drive = kind(drone, rest, R=[0.1, 10.0, 10.0, 10.0], dt=0.02)
    x = drone.state.plus(rest, np.r_[0.5, 0.0, -0.3, 0.4, -0.4, 1.0, np.zeros(6)])
    for k in range(300):
        seen = x.copy()
        seen[3:7] *= (-1) ** k  # the same rotation
        u = drive.act(seen, 0.02 * k).u
        for _ in range(10):
            x = drone.step(x, u, 0.002)
    assert np.abs(drone.state.minus(x, rest)).max() < 0.01
    x[3:7] *= 1.001
    with pytest.raises(ValueError, match="normalize"):
        drive.act(x, 9.0)


@pytest.mark.parametrize("kind", [ILQR, SQP])
def test_any_first_plan_leads_to_the_same_one(kind: Any) -> None:
    """OSQP #37 and #383: a warm start that is infeasible, or of a large norm, makes a solvable problem fail."""
    drive = kind(CART, reach(CART, [0.0, 0.0], dt=DT), horizon=20)
    best = drive.solve([2.0, 0.0]).cost
    for us in (np.full((20, 1), 1e6), np.where(np.arange(20) % 2, 1.0, -1.0)[:, None]):
        plan = drive.solve([2.0, 0.0], us=us)
        assert plan.ok and plan.cost == pytest.approx(best, rel=1e-6)


@dynamics(state=Space("x [m]"), action=Space("u [m/s] in [-20, 20]"))
def escaping(x: Any, u: Any, p: Any, m: Any) -> Any:
    return (x[0] ** 3 + u[0],)


SAMPLERS: dict[Any, dict[str, Any]] = {MPPI: {"std": 5.0, "rng": 0}, CEM: {"std": 5.0, "rng": 0}}


@pytest.mark.parametrize("kind", [ILQR, SQP, GradientMPC, MPPI, CEM])
@pytest.mark.parametrize("begin", [1.2, 2.0])
def test_a_model_that_escapes_without_control(kind: Any, begin: float) -> None:
    """Crocoddyl #96 and #270: rolled out without control, states become infinite, and no solver can begin."""
    model = escaping()
    assert not np.isfinite(model.rollout([begin], np.zeros((30, 1)), DT)).all()
    drive = kind(model, reach(model, [0.0], dt=DT), horizon=30, **SAMPLERS.get(kind, {}))
    x = np.array([begin])
    plan = drive.solve(x)
    assert plan.ok and plan.xs is not None and np.isfinite(plan.xs).all()
    for k in range(25):
        action = drive.act(x, k * DT)
        assert action.status in (ActionStatus.SOLVED, ActionStatus.IMPROVED), action.reason
        x = model.step(x, action.u, DT)
    assert abs(x[0]) < 0.6


def test_where_no_plan_is_finite_the_fallback_acts() -> None:
    """The same, of a robot that is lost at once."""
    kinds: list[Any] = [ILQR, MPPI, PredictiveSampling]
    for kind in kinds:
        drive = kind(escaping(), reach(escaping(), [0.0], dt=DT), horizon=30)
        assert drive.act([1e9]).status is ActionStatus.FALLBACK
        assert not drive.solve([1e9]).ok


@task(state=ROBOT.state, action=ROBOT.action)
def away(x: Any, u: Any, p: Any, m: Any) -> Any:
    return m.sqrt(x[0] * x[0] + x[1] * x[1]) + 0.01 * u[0] ** 2 + 0.01 * u[1] ** 2


@pytest.mark.parametrize("kind", [ILQR, SQP, GradientMPC])
def test_a_distance_has_no_derivative_at_the_goal(kind: Any) -> None:
    """CasADi #3598, LinearMPC.jl #118, acados #803: one tick with NaN inside, and all ticks after it are useless."""
    drive, x = kind(ROBOT, away(dt=DT), horizon=20), np.array([1.0, 0.5, 0.0])
    drive.act([0.0, 0.0, 0.0], 0.0)
    for k in range(40):
        x = ROBOT.step(x, drive.act(x, (k + 1) * DT).u, DT)
    assert np.hypot(x[0], x[1]) < 0.02


@pytest.mark.parametrize("solver", ["active_set", "interior_point"])
def test_ticks_without_a_plan_leave_nothing_behind(solver: str) -> None:
    """LinearMPC.jl #118: after an infeasible solve, all later ones report success, and NaN."""

    def drive() -> LinearMPC:
        return LinearMPC(CART, [0.0, 0.0], bounds={"x": (-0.5, 0.5), "v": (-0.1, 0.1)}, horizon=5, dt=DT, solver=solver)

    used, fresh = drive(), drive()
    for x in ([2.0, 0.0], [2.0, 3.0], [np.nan, 0.0]):
        assert used.act(x).status is not ActionStatus.SOLVED
    np.testing.assert_allclose(used.act([0.1, 0.0]).u, fresh.act([0.1, 0.0]).u, atol=1e-6)


def test_the_first_change_is_counted_from_what_the_plant_does() -> None:
    """do-mpc #84: the plant already runs when the controller begins, and the term of the change knows nothing of it."""
    drive = LinearMPC(CART, [0.0, 0.0], rates={"a": (-1.0, 1.0)}, dt=DT)
    drive.executed([0.8])
    assert drive.act([2.0, 0.0], 0.0).u[0] == pytest.approx(0.7)
    drive.executed([-0.4])  # a driver takes over for a tick
    assert drive.act([2.0, 0.0], DT).u[0] == pytest.approx(-0.5)
    drive.reset()
    assert drive.act([2.0, 0.0], 0.0).u[0] == pytest.approx(-0.1)


HEAT = np.array([
    [0.40987971, -0.01740548, -0.02915897, -0.0064689], [0.16314996, 0.55259033, 0.00775349, 0.00191702],
    [1.45655922, 0.6991218, 0.6678418, 0.22220992], [0.8925898, 0.42547154, 0.62484452, 0.31840862],
])  # fmt: skip
FLOW = np.array([[0.04506647, -5.8e-6], [-0.01187627, 1.86e-6], [-0.10863243, 0.00032904], [-0.06675421, 0.0011153]])
DRIFT = np.array([4.69608128, -0.79258518, 10.86881909, 5.41938816])


@discrete_dynamics(state=Space("a b c d"), action=Space("u v"))
def furnace(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    return tuple(
        sum(HEAT[i, j] * x[j] for j in range(4)) + sum(FLOW[i, j] * u[j] for j in range(2)) + DRIFT[i] for i in range(4)
    )


def test_a_badly_scaled_program_is_that_of_least_squares() -> None:
    """TinyMPC #79: an affine plant, and weights of actions from 5e-7 to 0.5; the first action is wrong by 12000 %."""
    N, Q, R = 5, np.array([0.2, 1.0, 0.5, 0.2]), np.array([0.5, 5e-7])
    x0, goal = np.array([0.0, 0.0, 85.0, 85.0]), np.array([2.14, 2.14, 60.0, 60.0])
    M, free, x = np.zeros((4 * N, 2 * N)), np.zeros(4 * N), x0
    for k in range(N):
        x = HEAT @ x + DRIFT
        free[4 * k : 4 * k + 4] = x
        for j in range(k + 1):
            M[4 * k : 4 * k + 4, 2 * j : 2 * j + 2] = np.linalg.matrix_power(HEAT, k - j) @ FLOW
    W, S = np.diag(np.tile(np.sqrt(Q), N)), np.diag(np.tile(np.sqrt(R), N))
    right = np.r_[W @ (np.tile(goal, N) - free), np.zeros(2 * N)]
    us = np.linalg.lstsq(np.vstack([W @ M, S]), right, rcond=None)[0].reshape(N, 2)
    plan = LinearMPC(furnace(), goal, Q=Q, R=R, P=np.diag(Q), horizon=N, dt=1.0, action=[0.0, 0.0]).solve(x0)
    assert plan.us is not None
    np.testing.assert_allclose(plan.us, us, rtol=1e-6, atol=1e-6)

    @task(
        state=furnace().state, action=furnace().action, terminal=lambda x, p, m: off(x),
    )  # fmt: skip
    def cost(x: Any, u: Any, p: Any, m: Any) -> Any:
        return off(x) + sum(w * e**2 for w, e in zip(R, u, strict=True))

    def off(x: Any) -> Any:
        return sum(w * (e - g) ** 2 for w, e, g in zip(Q, x, goal, strict=True))

    for kind in (ILQR, SQP):
        found = kind(furnace(), cost(dt=1.0), horizon=N).solve(x0)
        assert found.us is not None
        np.testing.assert_allclose(found.us, us, rtol=1e-4, atol=1e-3)


def test_poles_of_public_threads() -> None:
    """python-control #177 (a complex pair for two real ones), #117 (not where they should be), #176 (repeated)."""
    A, B = np.array([[0.0, 1.0], [100.0, 0.0]]), np.array([[0.0], [1.0]])
    for poles in ([-20 + 10j, -20 - 10j], [-5.0, -5.0], [-10.0, -30.0]):
        found = np.linalg.eigvals(A - B @ place_poles(A, B, poles))
        np.testing.assert_allclose(np.poly(found), np.poly(poles), rtol=1e-9)
    A = np.array([[0, -42.7207306947135, 0, 47.0334901743703], [0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
    found = np.linalg.eigvals(A - place_poles(A, np.eye(4), [-31.0, -21.0, -20.0, -30.0]))
    np.testing.assert_allclose(np.sort(found.real), [-31.0, -30.0, -21.0, -20.0], rtol=1e-9)


@pytest.mark.parametrize("kind", [MPPI, CEM, ICEM, PredictiveSampling])
def test_wide_noise_stays_within_the_bounds(kind: Any) -> None:
    """PlaNet #22, mppi_numba #3: plans are made of samples within the bounds, and leave them nevertheless."""

    @dynamics(state=Space("x [m]"), action=Space("u [m/s] in [-0.1, 1]"))
    def tank(x: Any, u: Any, p: Any, m: Any) -> Any:
        return (u[0],)

    drive = kind(tank(), reach(tank(), [100.0], dt=DT), horizon=10, std=50.0, rng=0)
    actions = [drive.act([0.0], k * DT) for k in range(10)]
    plans = np.array([action.plan for action in actions])
    assert plans.min() >= -0.1 and plans.max() <= 1.0 and actions[-1].u[0] > 0.7


@pytest.mark.parametrize("kind", [ILQR, SQP, GradientMPC, MPPI, CEM])
def test_one_step_is_a_horizon(kind: Any) -> None:
    """do-mpc #442: with a horizon of one step, the state that it leads to costs nothing, and nothing is done."""
    drive = kind(CART, reach(CART, [0.0, 0.0], dt=DT), horizon=1, **({"rng": 0} if kind in SAMPLERS else {}))
    expected = ILQR(CART, reach(CART, [0.0, 0.0], dt=DT), horizon=1).solve([1.0, 0.0])
    assert expected.us is not None and expected.us[0, 0] < -0.1
    assert drive.act([1.0, 0.0]).u[0] == pytest.approx(expected.us[0, 0], abs=0.01)


@pytest.mark.parametrize("kind", [ILQR, SQP, GradientMPC, MPPI, CEM])
def test_a_solve_changes_nothing(kind: Any) -> None:
    """bioptim #222: the second solve of the same problem differs, since the first has changed the initial guess."""
    drive = kind(ROBOT, reach(ROBOT, [2.0, 1.0, 0.0]), horizon=15, **({"rng": 0} if kind in SAMPLERS else {}))
    us, x = np.full((15, 2), 0.1), np.zeros(3)
    plans = [drive.solve(x, us=us).us]
    drive.act(x, 0.0)
    plans += [drive.solve(x, us=us).us]
    np.testing.assert_array_equal(plans[0], plans[1])
    assert (us == 0.1).all() and (x == 0.0).all()


@task(
    state=CART.state, action=CART.action, stage=Space("r [m]"), terminal=lambda x, r, p, m: 100.0 * (x[0] - r[0]) ** 2
)
def late(x: Any, u: Any, r: Any, p: Any, m: Any) -> Any:
    return 1e-6 * u[0] ** 2


@pytest.mark.parametrize("kind", [ILQR, SQP, GradientMPC])
def test_the_end_of_the_horizon_has_its_own_reference(kind: Any) -> None:
    """do-mpc #81: a reference that varies is not that of the last step in the terminal cost."""

    def references(x: Any, t: float, steps: int, carry: Any) -> Any:
        return ((t + DT * np.arange(steps + 1)) ** 2 / 40.0)[:, None], None

    plan = kind(CART, late(references=references, dt=DT), horizon=10).solve([0.0, 0.0], t=1.0)
    assert plan.xs is not None and plan.xs[-1, 0] == pytest.approx(0.1, abs=1e-4)
