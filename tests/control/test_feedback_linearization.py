"""Feedback linearisation: the errors of the closed loop obey their linear equations."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest

from pilotage.control import ILQR, FeedbackLinearization, TrackingLQR, TrailerBacking, reach
from pilotage.core import ActionStatus, ModelError, Plan, PlanStatus, SettingError
from pilotage.models import bicycle, differential_drive, trailer_rear, truck, unicycle


def ellipse(t: float) -> np.ndarray:
    c, s, w = math.cos(0.5 * t), math.sin(0.5 * t), 0.5
    return np.array([[2.0 * c, s], [-2.0 * w * s, w * c], [-2.0 * w * w * c, -w * w * s]])


def driven(law: Any, model: Any, x: Any, T: float, h: float = 0.002) -> np.ndarray:
    xs = [np.array(x, dtype=float)]
    for k in range(round(T / h)):
        xs.append(model.step(xs[-1], law.act(xs[-1], k * h).u, h))
    return np.array(xs)


@pytest.mark.parametrize("ahead", [0.2, -0.3])
@pytest.mark.parametrize("model", [unicycle(), differential_drive(wheel_radius=0.1, track=0.3)], ids=repr)
def test_static_errors_decay_exponentially(model: Any, ahead: float) -> None:
    law = FeedbackLinearization(model, ellipse, ahead=ahead, gain=0.8)
    x = np.array([1.6, -0.1, 1.2 if ahead > 0.0 else 1.2 - math.pi])
    xs = driven(law, model, x, 2.5)
    p = xs[:, :2] + ahead * np.stack([np.cos(xs[:, 2]), np.sin(xs[:, 2])], -1)
    ts = 0.002 * np.arange(len(xs))
    e = np.array([ellipse(t)[0] for t in ts]) - p
    np.testing.assert_allclose(e, np.exp(-0.8 * ts)[:, None] * e[0], atol=6e-3)


@pytest.mark.parametrize("name", ["unicycle", "differential_drive", "bicycle"])
def test_dynamic_errors_are_critically_damped(name: str) -> None:
    model: Any = {
        "unicycle": unicycle(),
        "differential_drive": differential_drive(wheel_radius=0.1, track=0.3),
        "bicycle": bicycle(wheelbase=0.4),
    }[name]
    law = FeedbackLinearization(model, ellipse, gain=1.5)
    x = [1.9, -0.05, 1.5] + ([0.6] if name == "bicycle" else [])
    xs, ts = driven(law, model, x, 4.0), 0.002 * np.arange(2001)
    v0 = 0.6 if name == "bicycle" else ellipse(0.0)[1] @ [math.cos(1.5), math.sin(1.5)]
    e = np.array([ellipse(t)[0] for t in ts]) - xs[:, :2]
    rate = ellipse(0.0)[1] - v0 * np.array([math.cos(1.5), math.sin(1.5)])
    expected = np.exp(-1.5 * ts)[:, None] * (e[0] + ts[:, None] * (rate + 1.5 * e[0]))
    np.testing.assert_allclose(e, expected, atol=5e-3)
    assert np.abs(e[-1]).max() < 5e-3


def test_a_plan_is_tracked_to_its_end() -> None:
    robot = unicycle()
    plan = ILQR(robot, reach(robot, [2.0, 1.0, 0.0]), horizon=40).solve([0.0, 0.0, 0.0])
    assert plan.xs is not None
    law = FeedbackLinearization(robot, plan, ahead=0.15, gain=3.0)
    x, statuses = np.array([0.0, 0.1, 0.0]), []
    for k in range(60):
        action = law.act(x, 0.1 * k)
        statuses.append(action.status)
        x = robot.step(x, action.u, 0.1)
    assert statuses[38] is ActionStatus.SOLVED and statuses[-1] is ActionStatus.DONE
    tip = x[:2] + 0.15 * np.array([math.cos(x[2]), math.sin(x[2])])
    assert np.hypot(*(tip - plan.xs[-1, :2])) < 0.02
    again = pickle.loads(pickle.dumps(law))
    again.reset(), law.reset()
    np.testing.assert_array_equal(again.act([0, 0.1, 0], 0.0).u, law.act([0, 0.1, 0], 0.0).u)


def test_a_car_brakes_at_the_end() -> None:
    car = bicycle()
    xs = car.rollout(np.array([0.0, 0.0, 0.0, 2.0]), np.zeros((10, 2)), 0.1)
    law = FeedbackLinearization(car, Plan(PlanStatus.SOLVED, car.state, xs, np.zeros((10, 2)), 0.1 * np.arange(11)))
    law.act(xs[0], 0.0)
    ended = law.act(xs[-1], 1.1)
    assert ended.status is ActionStatus.DONE and ended.u.tolist() == [-5.0, 0.0]


def test_bounds_keep_the_curvature() -> None:
    robot = unicycle()
    law = FeedbackLinearization(robot, lambda t: [[30.0, 10.0], [0, 0], [0, 0]], ahead=0.2)
    far = law.act([0.0, 0.0, 0.0]).u
    assert np.abs(far).max() == pytest.approx(2.0)
    assert far[1] / far[0] == pytest.approx((10.0 / 0.2) / 29.8, rel=1e-6)


def test_what_is_refused() -> None:
    with pytest.raises(ModelError, match="static law does not fit the actions accel, steer"):
        FeedbackLinearization(bicycle(), ellipse, ahead=0.2)
    with pytest.raises(ModelError, match="dynamic law"):
        FeedbackLinearization(truck(), ellipse)
    with pytest.raises(SettingError, match="ahead"):
        FeedbackLinearization(unicycle(), ellipse, ahead=0.0)
    with pytest.raises(SettingError, match="states and times"):
        FeedbackLinearization(unicycle(), Plan(PlanStatus.SOLVED, unicycle().state, np.zeros((3, 3))))
    with pytest.raises(SettingError, match="reference at 0 s"):
        FeedbackLinearization(unicycle(), lambda t: [1.0, 2.0]).act([0.0, 0.0, 0.0])
    with pytest.raises(ModelError, match="truck"):
        TrailerBacking(bicycle(), [0.0, 0.0, 0.0])


@pytest.mark.parametrize("dock", [(0.0, 0.0, 0.0), (3.0, -2.0, 2.5)])
def test_the_trailer_comes_to_its_line_by_the_linear_equation(dock: Any) -> None:
    model, length = truck(), 3.0
    law = TrailerBacking(model, dock, length=length)
    c, s = math.cos(dock[2]), math.sin(dock[2])
    a, b, gap, side = 0.12, -0.1, 26.0, 0.7
    rear = np.array([dock[0] + c * gap - s * side, dock[1] + s * gap + c * side])
    trailer_yaw = dock[2] + a
    x = np.array(
        [*(rear + 4.0 * np.array([math.cos(trailer_yaw), math.sin(trailer_yaw)])), trailer_yaw + b, trailer_yaw]
    )
    np.testing.assert_allclose(law.errors(x), (gap, side, a, b), atol=1e-12)
    errors = [law.errors(x)]
    for k in range(4000):
        action = law.act(x, 0.02 * k)
        if action.status is ActionStatus.DONE:
            break
        x = model.step(x, action.u, 0.02)
        errors.append(law.errors(x))
    assert action.status is ActionStatus.DONE
    np.testing.assert_allclose(trailer_rear(x), dock[:2], atol=5e-3)
    along, off = np.array(errors)[:, 0], np.array(errors)[:, 1]
    # (1 + length d/dz)^3 y = 0, with y, y_z and y_zz at the start
    z, slope, bend = gap - along, -math.tan(a), math.tan(b) / (4.0 * math.cos(a) ** 3)
    c1 = slope + side / length
    c2 = 0.5 * (bend + 2.0 * c1 / length - side / length**2)
    expected = np.exp(-z / length) * (side + c1 * z + c2 * z**2)
    np.testing.assert_allclose(off, expected, atol=6e-3)


def test_a_truck_far_from_its_line_approaches_at_the_given_angle() -> None:
    law, model = TrailerBacking(truck(), [0.0, 0.0, 0.0], approach=0.4), truck()
    x, steepest = np.array([64.0, 12.0, 0.0, 0.0]), 0.0
    for k in range(800):
        action = law.act(x, 0.1 * k)
        if action.status is not ActionStatus.SOLVED:
            break
        x = model.step(x, action.u, 0.1)
        steepest = max(steepest, abs(x[3]))
    assert action.status is ActionStatus.DONE
    assert 0.3 < steepest < 0.55
    np.testing.assert_allclose(trailer_rear(x), 0.0, atol=0.02)


def test_a_hitch_beyond_the_steering_stops() -> None:
    long = TrailerBacking(truck(wheelbase=4.0, trailer_length=2.0), [0.0, 0.0, 0.0])
    assert long.act([20.0, 0.0, 0.3, 0.0]).status is ActionStatus.SOLVED
    for x, told in (
        ([20.0, 0.0, 1.0, 0.0], "57 degrees"),
        ([20.0, 0.0, 3.0, 0.0], "172"),
        ([9.0, 0, 1.8, 1.8], "dock"),
    ):
        lost = long.act(x)
        assert lost.status is ActionStatus.FALLBACK and told in lost.reason and lost.u.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("x", "told"), [([10.0, 5.0, 0.0, 0.0], "m and"), ([8.0, 0.0, 0.9, 0.9], "degrees")])
def test_an_end_beside_the_dock_is_no_success(x: Any, told: str) -> None:
    """Too near to reach the line; with a wider tolerance, the same end counts."""
    x, model = np.array(x), truck()
    narrow, wide = (TrailerBacking(model, [0.0, 0.0, 0.0], tolerance=size) for size in ((0.5, 0.17), (50.0, 3.0)))
    for k in range(600):
        action = narrow.act(x, 0.1 * k)
        if action.status is not ActionStatus.SOLVED:
            break
        x = model.step(x, action.u, 0.1)
    assert action.status is ActionStatus.FALLBACK and told in action.reason and "beside the dock" in action.reason
    assert wide.act(x).status is ActionStatus.DONE


@pytest.mark.parametrize("make", [
    lambda model, plan: TrackingLQR(model, plan),
    lambda model, plan: FeedbackLinearization(model, plan, ahead=0.1),
    lambda model, plan: FeedbackLinearization(model, plan),
])  # fmt: skip
def test_a_robot_that_was_held_up_has_not_arrived(make: Any) -> None:
    """The clock of the plan runs out; the same law is done where the robot follows."""
    model = unicycle()
    plan = ILQR(model, reach(model, [2.0, 1.0, 0.0]), horizon=40).solve([0.0, 0.0, 0.0])
    law, x = make(model, plan), np.zeros(3)
    for k in range(42):
        held, x = law.act(np.zeros(3), 0.1 * k), np.zeros(3)
    assert held.status is ActionStatus.STUCK and "are left" in held.reason
    law.reset()
    for k in range(42):
        action = law.act(x, 0.1 * k)
        x = model.step(x, action.u, 0.1)
    assert action.status is ActionStatus.DONE
