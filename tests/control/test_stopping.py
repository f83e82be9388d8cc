"""Robots stand at the end of their path when the task is done, and are held there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.control import ILQR, MPPI, PurePursuit, follow, reach
from pilotage.control.paths.path import standing
from pilotage.core import ActionStatus, Plan, PlanStatus, Space
from pilotage.models import bicycle, dynamics, task, tricycle, unicycle

from .worlds import cart, glider, roller

KINDS = "MPPI", "ILQR", "PurePursuit"
DT, END = 0.1, np.array([3.0, 0.0])


@dynamics(
    state=Space("x y [m]", "yaw: angle", "vx vy [m/s]"),
    action=Space("ax ay [m/s^2] in [-2, 2]", "yaw_rate [rad/s] in [-2, 2]"),
)
def drifter(x: Any, u: Any, p: Any, m: Any) -> Any:
    """A double integrator that has a heading."""
    return x[3], x[4], u[2], u[0], u[1]


VEHICLES: dict[str, Any] = {
    "bicycle": bicycle(wheelbase=0.33),
    "tricycle": tricycle(wheelbase=0.33),
    "unicycle": unicycle(),
    "double integrator": drifter(),
}


def controller(kind: str, model: Any) -> Any:
    path = [[0.0, 0.0], END.tolist()]
    if kind == "PurePursuit":
        return PurePursuit(model, path, speed=1.0)
    made: Any = {"MPPI": lambda: MPPI(model, follow(path), rng=2), "ILQR": lambda: ILQR(model, follow(path))}
    return made[kind]()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (k, n)
        for k in ("MPPI", "ILQR", "PurePursuit")
        for n in VEHICLES
        if (k, n) != ("PurePursuit", "double integrator")
    ],
)
def test_a_robot_that_is_done_stands_at_the_end_and_stays_there(kind: str, name: str) -> None:
    model = VEHICLES[name]
    drive, x, farthest, tick = controller(kind, model), model.state.identity(), 0.0, 0
    action = drive.act(x, 0.0)
    for tick in range(80):
        action = drive.act(x, DT * tick)
        if action.status is ActionStatus.DONE:
            break
        x = model.step(x, action.u, DT)
        farthest = max(farthest, float(x[0]))
    assert action.status is ActionStatus.DONE
    assert farthest < END[0] + 0.2, "it brakes in time"
    assert np.linalg.norm(x[3:]) <= standing(1.0, 0.2)
    for later in range(tick, tick + 30):
        action = drive.act(x, DT * later)
        assert action.status is ActionStatus.DONE
        x = model.step(x, action.u, DT)
        assert np.hypot(*(x[:2] - END)) < 0.2
    assert np.linalg.norm(x[3:]) < 1e-3, "what is done brakes, and does not drift"


@pytest.mark.parametrize(("speed", "decel"), [(2.0, 1.0), (6.0, 2.0)])
def test_pursuit_brakes_a_car_in_time(speed: float, decel: float) -> None:
    car, x = bicycle(), np.zeros(4)
    drive = PurePursuit(car, [[0.0, 0.0], [40.0, 0.0]], speed=speed, decel=decel, tolerance=0.3)
    action = drive.act(x, 0.0)
    for tick in range(600):
        action = drive.act(x, DT * tick)
        x = car.step(x, action.u, DT)
        assert x[0] < 40.0 + 0.1
    assert action.status is ActionStatus.DONE and not action.reason
    assert abs(x[0] - 40.0) < 0.3 and abs(x[3]) < 0.01


def test_follow_is_done_when_the_robot_stands() -> None:
    near, rest = np.array([9.9, 0.0, 0.0]), np.array([10.0, 0.0, 1.0, 0.0, 0.1, 0.0, 1.0, 10.0])
    task = follow([[0.0, 0.0], [10.0, 0.0]], tolerance=0.2, decel=2.0)
    limit = np.sqrt(2.0 * 2.0 * 0.2 / 40.0)
    car, drift = task.on(bicycle().state), task.on(drifter().state)
    assert bool(task.done(near, rest)), "a state without speed stands"
    for share, stands in ((0.95, True), (-0.95, True), (1.05, False), (-1.05, False)):
        assert bool(car.done([*near, share * limit], rest)) is stands
        assert bool(drift.done([*near, 0.6 * share * limit, 0.8 * share * limit], rest)) is stands
    moving = np.array([*near, 0.5])
    assert car.cost(moving, [0.0, 0.0], rest) > car.cost([*near, 0.0], [0.0, 0.0], rest)
    far = np.array([10.0, 0.0, 1.0, 0.0, 5.0, 0.5, 1.0, 10.0])
    assert car.cost(moving, [0.0, 0.0], far) < car.cost([*near, 0.0], [0.0, 0.0], far), "on its way it is to roll"


@pytest.mark.parametrize("model", [bicycle(), tricycle(), drifter(), glider(), cart(), unicycle(), roller()], ids=repr)
def test_braking_stops_what_can_be_stopped_in_a_step(model: Any) -> None:
    """After it, rest leaves the state where it is; faster ones brake as hard as they can."""
    drive = MPPI(model, reach(model, model.state.identity(), tolerance=1e9), samples=32, std=1.0, fallback="brake")
    rng, moving = np.random.default_rng(0), [i for i, unit in enumerate(model.state.units) if unit == "m/s"]
    for scale in (0.1, 20.0):
        x = model.state.sample(rng=rng)
        x[moving] = scale * np.sign(rng.normal(size=len(moving)))
        action = drive.act(x)
        assert action.status is ActionStatus.DONE
        assert bool(model.action.contains(action.u))
        after = model.step(x, action.u, DT)
        if scale < 1.0:
            np.testing.assert_allclose(after[moving], 0.0, atol=1e-6)
        for i in moving:
            assert abs(after[i]) <= max(abs(x[i]) - 1.9 * DT, 1e-6)


@pytest.mark.parametrize("gear", [1.0, -1.0])
@pytest.mark.parametrize("kind", KINDS)
def test_a_car_with_weak_brakes_begins_to_brake_in_time(kind: str, gear: float) -> None:
    """From 2 m/s, with 0.4 m/s^2 at most to stop with, and more to speed up with."""
    bounds = sorted([2.0 * gear, -0.4 * gear])
    car = bicycle(wheelbase=0.33, limits={"accel": (bounds[0], bounds[1])})
    poses = np.column_stack([gear * np.linspace(0.0, 9.0, 10), np.zeros((10, 2))])
    plan = Plan(PlanStatus.SOLVED, Space("x y [m]", "yaw: angle"), poses)
    if kind == "PurePursuit":
        drive: Any = PurePursuit(car, plan, speed=2.0)
    elif kind == "ILQR":
        drive = ILQR(car, follow(plan, speed=2.0), iterations=20)
    else:
        drive = MPPI(car, follow(plan, speed=2.0), samples=256, std=(0.5, 0.2), rng=0)
    x, farthest, action = car.state.identity(), 0.0, None
    for tick in range(140):
        action = drive.act(x, DT * tick)
        x = car.step(x, action.u, DT)
        farthest = max(farthest, gear * x[0])
    assert action is not None and action.status is ActionStatus.DONE
    assert farthest < 9.2


@given(st.floats(0.1, 3.0), st.floats(0.1, 3.0), st.floats(0.1, 3.0))
def test_references_slow_down_with_what_the_vehicle_can_do(decel: float, low: float, high: float) -> None:
    car = bicycle(limits={"accel": (-low, high)})
    path = [[0.0, 0.0], [3.0, 0.0]]
    ours = follow(path, decel=decel).on(car.state, car.action)
    plain = follow(path, decel=min(decel, low))
    rows, wanted = (one.references(np.zeros(n), 0.0, 99)[0] for one, n in ((ours, 4), (plain, 3)))
    assert np.array_equal(rows, wanted)


def test_a_state_that_is_not_known_is_braked_by_what_is_known_of_it() -> None:
    car = bicycle()
    drive = MPPI(car, follow([[0.0, 0.0], [9.0, 0.0]]), samples=32, rng=0, fallback="brake")
    action = drive.act([np.nan, 0.0, 0.0, 0.3])
    assert action.status is ActionStatus.FALLBACK
    assert car.step([0.0, 0.0, 0.0, 0.3], action.u, DT)[3] == pytest.approx(0.0, abs=1e-6)
    assert drive.act([0.0, 0.0, 0.0, np.nan]).u.tolist() == [0.0, 0.0], "of its speed nothing is known"


def test_optional_components_are_zero_where_the_state_lacks_them() -> None:
    @task(state=Space("x [m]"), action=Space(), optional=Space("speed vx [m/s]"))
    def haste(x: Any, u: Any, p: Any, m: Any) -> Any:
        return x[0] + 10.0 * x[1] + 100.0 * x[2]

    errand = haste(done=lambda x: x[..., 2] > 0.5)
    wide = errand.on(Space("vx [m/s]", "x [m]"))
    assert errand.cost([1.0], []) == 1.0 and wide.cost([2.0, 1.0], []) == 201.0
    assert errand.on(Space("speed [m/s]", "x [m]")).cost([2.0, 1.0], []) == 21.0
    assert not errand.done([9.0]) and wide.done(np.array([[2.0, 1.0], [0.0, 1.0]])).tolist() == [True, False]
    other = Space("x [m]") * Space("speed [m/s]").prefixed("lead")
    assert errand.on(other).cost([1.0, 3.0], []) == 1.0, "the speed of something else is not that of the robot"
