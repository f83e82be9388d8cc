"""Troubles that users of other controllers reported in public: each test names the threads and rebuilds a trouble."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from pilotage.control import LinearMPC, QuadraticProgram, dlqr, lqr
from pilotage.core import ActionStatus, Space
from pilotage.core.errors import ModelError, SettingError
from pilotage.models import LinearDynamics, unicycle

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
    states = [[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [np.nan, 0.0], [2.0, 0.0], [0.4, -0.9], [0.4, -0.2], [0.4, -0.2]]
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
