"""PID control: its continuous limit, limits of the action, irregular ticks, gaps, changes without a step, a cascade."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from pilotage.control import PID
from pilotage.core import ActionStatus, SettingError, Space
from pilotage.models import LinearDynamics, pendulum, quadrotor

LINE, PUSH, FREE = Space("x [m]", "v [m/s]"), Space("a [m/s^2] in [-2, 2]"), Space("a [m/s^2]")
CART = LinearDynamics([[0, 1], [0, 0]], [[0], [1]], state=LINE, action=FREE)
GAINS: Any = {"kp": 4.0, "ki": 1.5, "kd": 3.0}


def pid(**options: Any) -> PID:
    return PID(LINE, options.pop("action", FREE), {"x": "a"}, options.pop("goal", {"x": 1.0}), **{**GAINS, **options})


def run(law: PID, ts: np.ndarray, x: Any = (0.0, 0.0), model: Any = CART) -> np.ndarray:
    xs = [np.array(x, dtype=float)]
    for t, h in zip(ts[:-1], np.diff(ts)):
        xs.append(model.step(xs[-1], law.act(xs[-1], t).u, h))
    return np.array(xs)


def continuous(t: float, lag: float = 0.2, b: float = 1.0) -> float:
    """x of the closed loop of `CART` from rest, goal 1, by the exponential of its matrix; states x, v, I, D, 1."""
    kp, ki, kd = GAINS["kp"], GAINS["ki"], GAINS["kd"]
    M = np.array([
        [0, 1, 0, 0, 0],
        [-kp, 0, 1, 1, kp],
        [-ki, 0, 0, 0, ki],
        [0, -kd / lag, 0, -1 / lag, 0],
        [0, 0, 0, 0, 0],
    ])  # fmt: skip
    return float((expm(M * t) @ [0, 0, 0, 0, 1.0])[0])


def test_a_fast_clock_gives_the_continuous_solution() -> None:
    errors = []
    for h in (0.02, 0.01, 0.005):
        ts = h * np.arange(round(3.0 / h) + 1)
        errors.append(abs(run(pid(lag=0.2), ts)[-1, 0] - continuous(3.0)))
    assert errors[0] < 0.02
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.2) and errors[1] / errors[2] == pytest.approx(2.0, rel=0.2)


def test_irregular_ticks_have_the_same_limit() -> None:
    h = np.random.default_rng(1).uniform(0.0005, 0.0115, 400)
    ts = np.concatenate([[0.0], np.cumsum(h)])
    assert run(pid(lag=0.2), ts)[-1, 0] == pytest.approx(continuous(float(ts[-1])), abs=1e-2)


def test_a_tick_twice_at_one_time_changes_nothing() -> None:
    law = pid(lag=0.1)
    law.act([0.0, 0.0], 0.0)
    once = law.act([0.1, 0.0], 0.1).u
    np.testing.assert_array_equal(law.act([0.1, 0.0], 0.1).u, once)


@pytest.mark.parametrize("windup", ["back-calculation", "clamping"])
def test_ticks_that_are_nearer_than_a_clock_tells_have_no_derivative(windup: Any) -> None:
    law = pid(windup=windup, action=PUSH)
    law.act([0.0, 0.0], 0.0)
    assert np.isfinite(law.act([2.0, 0.0], 1e-308).u).all()


@given(
    st.lists(st.tuples(st.floats(0.0, 0.5), st.floats(-20.0, 20.0)), min_size=1, max_size=30),
    st.sampled_from(["back-calculation", "clamping"]),
    st.sampled_from([1e9, 1.0]),
)
@settings(max_examples=40, deadline=None)
def test_the_integral_never_winds_up_past_the_limits(ticks: Any, windup: str, rate: float) -> None:
    law, t, last = pid(action=PUSH, windup=windup, rate=rate, feedforward=[0.5]), 0.0, None
    for h, x in ticks:
        t += h
        u = law.act([x, 0.0], t).u[0]
        assert -2.0 - 1e-12 <= 0.5 + law.integral[0] <= 2.0 + 1e-12
        assert -2.0 <= u <= 2.0
        assert last is None or abs(u - last) <= rate * h + 1e-6
        last = u


@pytest.mark.parametrize("windup", ["back-calculation", "clamping"])
def test_a_limited_action_does_not_overshoot_for_long(windup: Any) -> None:
    def speed(**options: Any) -> np.ndarray:
        law = PID(LINE, PUSH, {"v": "a"}, {"v": 20.0}, kp=2.0, ki=2.0, **options)
        return run(law, 0.05 * np.arange(400))[:, 1]

    v, wound = speed(windup=windup, tracking=0.3 if windup == "back-calculation" else None), speed(tracking=1e9)
    assert abs(v[-1] - 20.0) < 0.01
    assert v.max() < 20.3, "the proportional action alone is at its limit until 19"
    assert wound.max() > 20.6, "and here the integral is at its limit, too"


def test_weights_of_the_goal() -> None:
    full, half, none = (pid(b=b, ki=0.0, kd=0.0) for b in (1.0, 0.5, 0.0))
    for law, share in ((full, 1.0), (half, 0.5), (none, 0.0)):
        first = law.act([0.0, 0.0], 0.0).u[0]
        law.retarget({"x": 3.0})
        assert law.act([0.0, 0.0], 0.1).u[0] - first == pytest.approx(share * 4.0 * 2.0)
    kick = pid(c=1.0, kp=0.0, ki=0.0)
    kick.act([0.0, 0.0], 0.0)
    kick.retarget({"x": 3.0})
    assert kick.act([0.0, 0.0], 0.1).u[0] == pytest.approx(3.0 * 2.0 / 0.1)
    quiet = pid(kp=0.0, ki=0.0)
    quiet.act([0.0, 0.0], 0.0)
    quiet.retarget({"x": 3.0})
    assert quiet.act([0.0, 0.0], 0.1).u[0] == 0.0, "a derivative on the measurement does not see the goal"


def test_no_step_of_the_action_at_the_start_and_when_gains_change() -> None:
    law = pid(lag=0.1)
    law.reset(action=[0.7])
    assert law.act([0.3, 0.0], 0.0).u[0] == pytest.approx(0.7)
    law.act([0.32, 0.0], 0.1)
    before = law.act([0.33, 0.0], 0.2).u[0]
    law.retune(kp=9.0, ki=0.1, kd=0.5)
    assert law.act([0.33, 0.0], 0.2).u[0] == pytest.approx(before, abs=1e-9)
    law.reset()
    assert law.act([0.0, 0.0], 0.0).u[0] == pytest.approx(9.0)


def test_gaps_hold_the_action_and_are_bridged() -> None:
    law, ramp = pid(kp=0.0, ki=0.0), lambda t: [0.5 * t, 0.0]
    law.act(ramp(0.0), 0.0)
    held = law.act(ramp(0.1), 0.1)
    for t in (0.2, 0.3):
        gap = law.act([np.nan, 0.0], t)
        assert gap.status is ActionStatus.FALLBACK and "x" in gap.reason
        np.testing.assert_array_equal(gap.u, held.u)
    assert law.act(ramp(0.4), 0.4).u[0] == pytest.approx(-3.0 * 0.5), "the rate over the gap, not over the last tick"
    assert law.act([1.0, np.nan], 0.5).status is ActionStatus.SOLVED, "v has no loop"
    assert PID(LINE, PUSH, {"x": "a"}, kp=1.0).act([np.nan, 0.0]).u.tolist() == [0.0]


def test_angles_take_the_short_way() -> None:
    model = pendulum()
    law = PID(model.state, model.action, {"theta": "torque"}, {"theta": 3.1}, kp=1.0, kd=0.1)
    assert law.act([-3.1, 0.0], 0.0).u[0] == pytest.approx(-(2.0 * math.pi - 6.2))
    assert law.act([3.1, 0.0], 0.1).u[0] == pytest.approx(0.1 * (2.0 * math.pi - 6.2) / 0.1)


def height(ff: Any = None) -> tuple[PID, PID, Any]:
    """A cascade: height by climb rate, climb rate by thrust."""
    drone = quadrotor(mass=0.5)
    climb = Space("vz [m/s] in [-1, 1]")
    outer = PID(drone.state, climb, {"z": "vz"}, {"z": 2.0}, kp=1.5)
    inner = PID(drone.state, drone.action, {"vz": "thrust"}, kp=3.0, ki=4.0, tracking=0.3, feedforward=ff)
    return outer, inner, drone


def test_a_cascade_holds_a_height_with_a_limited_climb_rate() -> None:
    outer, inner, drone = height()
    x, fastest = drone.state.identity(), 0.0
    for k in range(500):
        inner.retarget({"vz": outer.act(x, 0.02 * k).u[0]})
        u = inner.act(x, 0.02 * k).u
        x = drone.step(x, u, 0.02)
        fastest = max(fastest, x[9])
    assert x[2] == pytest.approx(2.0, abs=1e-3)
    assert u[0] == pytest.approx(0.5 * 9.81, rel=1e-3) and (u[1:] == 0.0).all()
    assert fastest < 1.2


def weight(y: np.ndarray, t: float) -> list[float]:
    return [0.5 * 9.81 * (1.0 if t < 1.0 else 0.0), 0.0, 0.0, 0.0]


def test_feedforward_by_a_function_and_copies() -> None:
    _, inner, drone = height(weight)
    x = drone.state.identity()
    assert inner.act(x, 0.0).u[0] == pytest.approx(0.5 * 9.81)
    copies = [copy.deepcopy(inner), pickle.loads(pickle.dumps(inner))]
    x[9] = 0.3
    u = inner.act(x, 0.1).u
    assert all(np.array_equal(each.act(x, 0.1).u, u) for each in copies)
    assert inner.act(x, 1.5).u[0] < 1.0


def test_an_unknown_gain_is_named() -> None:
    with pytest.raises(SettingError, match="retune has no setting kq; .*kp, ki, kd"):
        pid().retune(kq=1.0)  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"loops": {"y": "a"}}, "'y'"),
        ({"loops": {"x": "b"}}, "b"),
        ({"loops": {}}, "loops"),
        ({"loops": {"x": "a", "v": "a"}}, "each action once"),
        ({"goal": {"v": 1.0}}, "goal names 'v'"),
        ({"kp": {"z": 1.0}}, "kp"),
        ({"kd": math.nan}, "kd"),
        ({"lag": -1.0}, "lag"),
        ({"rate": 0.0}, "rate"),
        ({"tracking": 0.0}, "tracking"),
        ({"windup": "none"}, "windup"),
        ({"windup": "clamping", "tracking": 1.0, "kp": 1.0}, "tracking"),
        ({}, "kp, ki and kd of x"),
        ({"kp": {"x": 0.0}}, "kp, ki and kd of x"),
    ],
)
def test_wrong_settings(settings: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        PID(LINE, PUSH, settings.pop("loops", {"x": "a"}), settings.pop("goal", {}), **settings)
    with pytest.raises(SettingError, match="t is nan"):
        pid().act([0.0, 0.0], math.nan)
    with pytest.raises(SettingError, match="goal names"):
        pid().retarget({"v": 1.0})


def test_an_array_of_the_user_stays_his() -> None:
    ahead = np.array([0.5])
    law = pid(feedforward=ahead, kp=1.0, ki=0.0, kd=0.0)
    ahead[0] = 9.0
    assert law.act([0.0, 0.0]).u == 1.5
