"""Direct collocation: known optima, the cost of iLQR on short steps, the order of its errors, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.control import ILQR, DirectCollocation, reach
from pilotage.core import ModelError, PlanStatus, SettingError, ShapeError, Space
from pilotage.models import double_integrator, dynamics, task, unicycle

from .test_ilqr import linear, pole, upright
from .worlds import FLAT, TURN, past, roller

CART = double_integrator(1, limits={"ax": (-1.0, 1.0)})
HANGING = np.array([0.0, 0.0, np.pi, 0.0])


@task(state=CART.state, action=CART.action)
def hurry(x: Any, u: Any, p: Any, m: Any) -> Any:
    return 0.1


@task(state=CART.state, action=CART.action, params={"wall": 9.0}, constraint=lambda x, u, p, m: x[1] - p.wall)
def gently(x: Any, u: Any, p: Any, m: Any) -> Any:
    return 0.1 * u[0] * u[0]


def test_the_least_time_of_a_cart() -> None:
    """Full acceleration, then full braking: 2 sqrt(distance / acceleration)."""
    plan = DirectCollocation(CART, hurry(dt=0.1)).solve([0.0, 0.0], [1.0, 0.0], duration=(0.5, 10.0))
    assert plan.status is PlanStatus.SOLVED, plan.reason
    assert plan.cost == pytest.approx(2.0, rel=1e-3), "the cost of 0.1 each 0.1 s is the duration"
    assert plan.ts[-1] == pytest.approx(2.0, rel=1e-3)
    assert np.allclose(np.abs(plan.us[:10]), 1.0, atol=1e-4)


@pytest.mark.parametrize("method", ["hermite-simpson", "trapezoidal"])
def test_the_least_effort_of_a_cart(method: Any) -> None:
    """u = 6 - 12 t, of which the integral of the square is 12; both methods keep bounds and goal exactly."""
    free = double_integrator(1, limits={"ax": (-9.0, 9.0)})
    plan = DirectCollocation(free, gently(dt=0.1), method=method).solve([0.0, 0.0], [1.0, 0.0], duration=1.0)
    assert plan.ok, plan.reason
    assert plan.cost == pytest.approx(12.0, rel=1e-6 if method == "hermite-simpson" else 1e-2)
    assert np.allclose(plan.xs[-1], [1.0, 0.0], atol=1e-8)
    slow = DirectCollocation(free, gently(wall=1.2, dt=0.1), method=method).solve([0.0, 0.0], [1.0, 0.0], duration=1.0)
    assert slow.ok, slow.reason
    assert slow.xs[:, 1].max() == pytest.approx(1.2, abs=1e-4), "1.5 without the constraint"
    assert slow.cost > plan.cost


def test_swings_up_at_the_cost_of_ilqr() -> None:
    """The sum of iLQR's short steps, with the trapezoidal rule's half of the first and the last cost, tends to it."""
    plan = DirectCollocation(pole(), upright(dt=0.05), accuracy=1e-3).solve(HANGING, duration=2.5)
    assert plan.ok, plan.reason
    dt, errand = 0.0125, upright(dt=0.0125)
    fine = ILQR(pole(), errand, horizon=200).solve(HANGING)
    half = 0.5 * (errand.cost(fine.xs[-1], fine.us[-1]) - errand.cost(fine.xs[0], fine.us[0]))
    end = errand.terminal_cost(fine.xs[-1])
    assert plan.cost == pytest.approx((fine.cost + half - end) * dt / 0.05 + end, rel=5e-3)
    again = DirectCollocation(pole(), upright(dt=0.05), accuracy=1e-3).solve(HANGING, duration=2.5, guess=plan)
    assert again.cost == pytest.approx(plan.cost, rel=1e-3)
    assert again.stats["iterations"] < plan.stats["iterations"]


@pytest.mark.parametrize("method", ["hermite-simpson", "trapezoidal"])
def test_the_plan_follows_the_dynamics(method: Any) -> None:
    """The interpolated actions drive a fine simulation along the states, as near as the accuracy that was asked for."""
    errand, accuracy = past(FLAT, TURN, [(2.0, 0.3, 0.5)]), 5e-3
    plan = DirectCollocation(roller(), errand, method=method, intervals=12, accuracy=accuracy).solve(
        np.zeros(3), duration=6.0
    )
    assert plan.ok, plan.reason
    assert plan.stats["error"] <= accuracy
    assert plan.stats["intervals"] > 12, "the mesh was refined"
    assert errand.constraint(plan.stats["xs"], plan.stats["us"])[1:].max() < 1e-6
    ts, us, x, n = plan.stats["ts"], plan.stats["us"], plan.xs[0], 400
    for t in 6.0 / n * (np.arange(n) + 0.5):
        x = roller().step(x, action_at(t, ts, us, method), 6.0 / n)
    assert np.abs(x - plan.xs[-1]).max() < 10.0 * accuracy


def action_at(t: float, ts: np.ndarray, us: np.ndarray, method: str) -> np.ndarray:
    if method == "trapezoidal":
        return np.array([np.interp(t, ts, u) for u in us.T])
    i = min(2 * int(np.searchsorted(ts[::2], t, side="right") - 1), len(ts) - 3)
    s = (t - ts[i]) / (ts[i + 2] - ts[i])
    return (1 - 3 * s + 2 * s * s) * us[i] + (4 * s - 4 * s * s) * us[i + 1] + (2 * s * s - s) * us[i + 2]


def test_failures_are_explained() -> None:
    plan = DirectCollocation(CART, hurry(dt=0.1), iterations=60).solve([0.0, 0.0], [1.0, 0.0], duration=1.0)
    assert plan.status is PlanStatus.NO_PATH
    assert "off by" in plan.reason
    assert "allow more time" in plan.reason

    @dynamics(state=CART.state, action=CART.action)
    def lost(x: Any, u: Any, p: Any, m: Any) -> Any:
        return x[1], m.sqrt(x[0] - 10.0)

    assert "not finite" in DirectCollocation(lost(), hurry()).solve([0.0, 0.0], duration=1.0).reason
    short = DirectCollocation(pole(), upright(dt=0.05), iterations=3).solve(HANGING, duration=2.5)
    assert short.status is not PlanStatus.SOLVED
    assert short.reason


def test_bad_input_is_refused() -> None:
    drive = DirectCollocation(CART, hurry())
    with pytest.raises(ModelError, match="rates"):
        DirectCollocation(linear(), hurry())
    with pytest.raises(SettingError, match="shorter one first"):
        drive.solve([0.0, 0.0], duration=(2.0, 1.0))
    with pytest.raises(SettingError, match="duration"):
        drive.solve([0.0, 0.0], duration=0.0)
    with pytest.raises(ShapeError):
        drive.solve([0.0, 0.0, 0.0], duration=1.0)
    with pytest.raises(SettingError, match="guess needs a Plan"):
        drive.solve([0.0, 0.0], duration=1.0, guess=[1.0, 2.0])
    with pytest.raises(ShapeError, match="guess"):
        drive.solve([0.0, 0.0], duration=1.0, guess=drive.solve([0.0, 0.0], [1.0, 0.0], duration=0.1))


def test_an_angle_is_unwrapped() -> None:
    """A robot turns the short way, through the seam of its yaw."""
    robot = unicycle()
    drive = DirectCollocation(robot, reach(robot, [0.0, 0.0, 0.0], weights=0.0, effort=1.0))
    plan = drive.solve([0.0, 0.0, 2.5], [0.0, 0.0, -2.5], duration=4.0)
    assert plan.ok, plan.reason
    assert plan.us[:, 1] == pytest.approx((2.0 * np.pi - 5.0) / 4.0, abs=1e-4)
    assert np.abs(plan.xs[:, 2]).min() > 2.4


def test_states_within_bounds() -> None:
    @dynamics(state=Space("x [m]", "v [m/s] in [-0.7, 0.7]"), action=Space("a [m/s^2] in [-5, 5]"))
    def slow(x: Any, u: Any, p: Any, m: Any) -> Any:
        return x[1], u[0]

    plan = DirectCollocation(slow(), reach(slow(), [1.0, 0.0])).solve([0.0, 0.0], [1.0, 0.0], duration=3.0)
    assert plan.ok, plan.reason
    assert 0.69 < plan.xs[:, 1].max() < 0.7 + 1e-9
