"""Pure pursuit converges to lines and circles, stops at the end, and keeps the limits."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from pilotage.control import Path, PurePursuit
from pilotage.control.paths._commands import slower
from pilotage.core import (
    ActionStatus,
    Dynamics,
    Gaussian,
    ModelError,
    Plan,
    PlanStatus,
    SettingError,
    ShapeError,
    Space,
    SpaceError,
)
from pilotage.models import bicycle, differential_drive, pendulum, tricycle, unicycle
from pilotage.testing import check_controller

DT = 0.05
VEHICLES: dict[str, Any] = {
    "unicycle": unicycle(),
    "differential drive": differential_drive(wheel_radius=0.1, track=0.4),
    "bicycle": bicycle(wheelbase=0.5),
    "tricycle": tricycle(wheelbase=0.5),
}
TURN = np.linspace(0.0, 2.0 * np.pi, 400)
PATHS: dict[str, Any] = {
    "line": (np.array([[0.0, 0.0], [30.0, 0.0]]), lambda xy: abs(xy[..., 1])),
    "circle": (
        np.stack([4.0 * np.sin(TURN), 4.0 - 4.0 * np.cos(TURN)], -1),
        lambda xy: abs(np.hypot(xy[..., 0], xy[..., 1] - 4.0) - 4.0),
    ),
}


class Crab(Dynamics):
    """Drives where it looks, with actions of other names."""

    state, action = unicycle().state, Space("forward [m/s]", "rotation [rad/s]")

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return unicycle().step(x, u, dt)


def driven(drive: PurePursuit, model: Any, pose: tuple[float, ...], ticks: int) -> tuple[np.ndarray, list[Any]]:
    x = model.state.identity()
    x[:3] = pose
    xs, actions = [x], []
    for tick in range(ticks):
        actions.append(drive.act(x, DT * tick))
        if actions[-1].status is ActionStatus.DONE:
            break
        x = model.step(x, actions[-1].u, DT)
        xs.append(x)
    return np.array(xs), actions


@pytest.mark.parametrize("shape", PATHS)
@pytest.mark.parametrize("name", VEHICLES)
@pytest.mark.parametrize("pose", [(0.0, 0.6, 0.0), (0.0, -0.5, -1.0), (0.5, 0.0, 2.5)])
def test_converges(name: str, shape: str, pose: tuple[float, ...]) -> None:
    model, (path, error) = VEHICLES[name], PATHS[shape]
    xs, actions = driven(PurePursuit(model, path, speed=1.0), model, pose, 420)
    assert error(xs[-40:, :2]).max() < 0.02
    assert all(a.status is ActionStatus.SOLVED for a in actions)
    assert bool(model.action.contains(np.array([a.u for a in actions])).all())


@pytest.mark.parametrize("name", VEHICLES)
def test_stops_at_the_end(name: str) -> None:
    model = VEHICLES[name]
    xs, actions = driven(
        PurePursuit(model, [[0.0, 0.0], [3.0, 0.0], [3.0, 2.0]], tolerance=0.15), model, (0, 0, 0), 400
    )
    assert actions[-1].status is ActionStatus.DONE
    assert np.hypot(*(xs[-1, :2] - [3.0, 2.0])) < 0.15


def test_curvature_is_that_of_the_arc_through_the_target() -> None:
    robot = unicycle(noise=None)
    drive = PurePursuit(robot, [[0.0, 0.0], [100.0, 0.0]], speed=1.0, lookahead=2.0, preview=0.1)
    x = np.array([10.0, 1.0, 0.2])
    speed, turn = drive.act(x).u
    center = x[:2] + speed / turn * np.array([-np.sin(x[2]), np.cos(x[2])])
    target = np.array([10.0 + np.sqrt(4.0 - 1.0), 0.0])
    assert np.isclose(np.hypot(*(target - center)), abs(speed / turn))


def test_lookahead_grows_with_speed() -> None:
    car = bicycle()
    drive = PurePursuit(car, [[0.0, 0.0], [100.0, 0.0]], speed=5.0)
    slow, fast = (drive.act([10.0, 1.0, 0.0, v]).u[1] for v in (2.0, 6.0))
    assert slow < fast < 0.0


def test_turns_on_the_spot_when_the_path_lies_behind() -> None:
    drive = PurePursuit(unicycle(), [[0.0, 0.0], [10.0, 0.0]])
    speed, turn = drive.act([2.0, 0.1, np.pi - 0.1]).u
    assert speed == 0.0
    assert turn > 0.0


def test_keeps_the_curvature_at_the_limit() -> None:
    robot = differential_drive(wheel_radius=0.05, track=0.4)
    drive = PurePursuit(robot, [[0.0, 0.0], [9.0, 0.0]], speed=5.0, lookahead=1.0, preview=0.0)
    slow = PurePursuit(robot, [[0.0, 0.0], [9.0, 0.0]], speed=0.2, lookahead=1.0, preview=0.0)
    wheels = [d.act([1.0, 0.3, 0.0]).u for d in (drive, slow)]
    assert np.abs(wheels[0]).max() == 20.0
    assert np.isclose(wheels[0][0] / wheels[0][1], wheels[1][0] / wheels[1][1])


@pytest.mark.parametrize("speed", [0.5, 5.0])
@pytest.mark.parametrize(
    "bounds",
    ["speed [m/s] in [-1, 1]|yaw_rate [rad/s]", "speed [m/s] in [-1, 8]|yaw_rate [rad/s] in [-0.1, 3]"],
    ids=["slow", "one-sided"],
)
def test_keeps_the_curvature_at_either_limit(bounds: str, speed: float) -> None:
    class Limited(Crab):
        action = Space(*bounds.split("|"))

    drive = PurePursuit(Limited(), [[0.0, 0.0], [20.0, 0.0]], speed=speed, decel=5.0, lookahead=1.0, preview=0.0)
    u = drive.act([1.0, 0.3, 0.0]).u
    assert bool(Limited.action.contains(u))
    assert np.isclose(u[1] / u[0], -2.0 * 0.3 / 1.0**2)


def test_slower_leaves_what_cannot_be_helped_to_the_bounds() -> None:
    bounds = Space("a in [0.2, 1]", "b in [-1, 0]")
    assert slower(np.array([0.5, -0.5]), bounds).tolist() == [0.5, -0.5]
    assert slower(np.array([2.0, -0.5]), bounds).tolist() == [1.0, -0.25]
    assert slower(np.array([0.0, 0.5]), bounds).tolist() == [0.0, 0.0]
    assert slower(np.array([-0.1, 0.0]), bounds).tolist() == [-0.1, 0.0]


@pytest.mark.parametrize("name", VEHICLES)
def test_a_path_that_leads_back_is_driven_round(name: str) -> None:
    model, (circle, error) = VEHICLES[name], PATHS["circle"]
    xs, actions = driven(PurePursuit(model, circle, speed=1.0), model, (0.0, 0.0, 0.0), 800)
    assert actions[-1].status is ActionStatus.DONE
    assert not actions[-1].reason
    assert error(xs[:, :2]).max() < 0.2
    assert np.hypot(*np.diff(xs[:, :2], axis=0).T).sum() > 0.95 * 8.0 * np.pi


def test_a_fast_car_stays_on_its_own_lane() -> None:
    """At 30 m/s it comes three metres along in a tick, on a path that returns three metres beside."""
    car = bicycle()
    drive = PurePursuit(car, [[0.0, 0.0], [300.0, 0.0], [300.0, 3.0], [0.0, 3.0]], speed=30.0, decel=5.0)
    for tick in range(60):
        turned = drive.act([3.0 * tick, min(0.5 * tick + 0.1, 1.8), 0.0, 30.0], 0.1 * tick).u[1]
        assert -0.1 < turned < 0.0, f"at {3 * tick} m the path ahead lies to the right, and the car steers {turned}"


@pytest.mark.parametrize("name", VEHICLES)
def test_a_path_of_one_point_is_driven_to(name: str) -> None:
    model = VEHICLES[name]
    xs, actions = driven(PurePursuit(model, [[3.0, 1.0]]), model, (0.0, 0.0, 0.0), 400)
    assert actions[-1].status is ActionStatus.DONE
    assert np.hypot(*(xs[-1, :2] - [3.0, 1.0])) < 0.2


@pytest.mark.parametrize("name", VEHICLES)
def test_contract(name: str) -> None:
    check_controller(PurePursuit(VEHICLES[name], [[0.0, 0.0], [9.0, 3.0]]), VEHICLES[name])


def test_nan_brakes_and_says_so() -> None:
    action = PurePursuit(bicycle(), [[0.0, 0.0], [9.0, 0.0]]).act([0.0, np.nan, 0.0, 3.0])
    assert action.status is ActionStatus.FALLBACK
    assert action.reason == "the state is NaN or infinite in y; fell back to brake"
    assert action.u.tolist() == [-5.0, 0.0]


def test_a_missed_end_is_reported() -> None:
    drive = PurePursuit(unicycle(), [[0.0, 0.0], [3.0, 0.0]])
    action = drive.act(Gaussian.of(unicycle().state, [3.1, 0.5, 0.0], std=0.01))
    assert action.status is ActionStatus.STUCK, "it is not where it was to go"
    assert "passed 0.51 m beside it" in action.reason
    assert "passed 0.64 m beyond it" in drive.act([3.5, -0.4, 0.0]).reason
    assert action.u.tolist() == [0.0, 0.0]


def test_other_vehicles_bring_their_command() -> None:
    with pytest.raises(ModelError, match="does not know how to drive with the actions forward, rotation; give command"):
        PurePursuit(Crab(), [[0.0, 0.0], [9.0, 0.0]])
    drive = PurePursuit(Crab(), [[0.0, 0.0], [9.0, 0.0]], command=lambda x, v, kappa, behind: (v, v * kappa))
    known = PurePursuit(unicycle(), [[0.0, 0.0], [9.0, 0.0]])
    assert np.array_equal(drive.act([0.0, 0.2, 0.1]).u, known.act([0.0, 0.2, 0.1]).u)


def test_refusals() -> None:
    with pytest.raises(SpaceError, match="no component 'x'; it has theta, theta_rate"):
        PurePursuit(pendulum(), [[0.0, 0.0], [9.0, 0.0]])
    with pytest.raises(SettingError, match="speed is 'fast'"):
        PurePursuit(unicycle(), [[0.0, 0.0], [9.0, 0.0]], speed="fast")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ShapeError, match="a path is not an array of numbers"):
        PurePursuit(unicycle(), "home")  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingError, match="lookahead is -1"):
        PurePursuit(unicycle(), [[0.0, 0.0], [9.0, 0.0]], lookahead=-1)


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(SettingError, match="t is nan"):
        PurePursuit(unicycle(), [[0, 0], [5, 0]]).act([0.0, 0.0, 0.0], np.nan)


def test_a_preview_that_is_no_time_is_refused():
    with pytest.raises(SettingError, match="preview is"):
        PurePursuit(unicycle(), [[0, 0], [5, 0]], preview=np.nan)


@pytest.mark.parametrize("lookahead", [0.4, 1.2])
@pytest.mark.parametrize(("turn", "share"), [(45.0, 0.15), (90.0, 0.27)])
def test_corners_are_cut_by_a_share_of_the_lookahead(lookahead: float, turn: float, share: float) -> None:
    """The clearance that the documentation tells planners to leave."""
    way = np.deg2rad(turn)
    path = np.array([[0.0, 0.0], [4.0, 0.0], [4.0 + 4.0 * np.cos(way), 4.0 * np.sin(way)]])
    robot, line, x, cut = unicycle(), Path(path), np.zeros(3), 0.0
    drive = PurePursuit(robot, path, speed=0.3, lookahead=lookahead)
    for tick in range(1200):
        x = robot.step(x, drive.act(x, 0.02 * tick).u, 0.02)
        cut = max(cut, float(np.hypot(*(line.at(line.project(x[:2])) - x[:2]))))
    assert cut == pytest.approx(share * lookahead, rel=0.05)


def test_it_has_a_name_to_show() -> None:
    drive = PurePursuit(unicycle(), [[0.0, 0.0], [3.0, 4.0]], speed=0.5)
    assert repr(drive) == "PurePursuit(unicycle(), Path(2 points, 5 m), 0.5 m/s)"


ONE_WAY: dict[str, Any] = {
    "unicycle": lambda low, high: unicycle(limits={"speed": (low, high)}),
    "differential drive": lambda low, high: differential_drive(
        wheel_radius=0.1, track=0.4, limits={"left": (low, high), "right": (low, high)}
    ),
}


@pytest.mark.parametrize("name", ONE_WAY)
@pytest.mark.parametrize("gear", [1.0, -1.0])
def test_a_leg_that_the_bounds_rule_out_is_refused(name: str, gear: float) -> None:
    """In place of standing still at the stop before it for ever; within the other bounds it is driven."""
    xs = np.column_stack([gear * np.linspace(0.0, 2.0, 5), np.zeros((5, 2))])
    plan = Plan(PlanStatus.SOLVED, unicycle().state, xs)
    wrong, right = (0.0, 1.0), (-1.0, 0.0)
    if gear > 0.0:
        wrong, right = right, wrong
    with pytest.raises(ModelError, match=f"driven {'forwards' if gear > 0.0 else 'backwards'} from 0 m to 2 m"):
        PurePursuit(ONE_WAY[name](*wrong), plan)
    model = ONE_WAY[name](*right)
    _, actions = driven(PurePursuit(model, plan), model, (0.0, 0.0, 0.0), 900)
    assert actions[-1].status is ActionStatus.DONE


def test_a_car_that_has_no_reverse_gear_is_refused_a_reverse_leg() -> None:
    plan = Plan(PlanStatus.SOLVED, unicycle().state, np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [1.0, 0.0, 0.0]]))

    class Forwards(Dynamics):
        """A car whose speed is bounded in its state."""

        state, action = bicycle().state.bounded(speed=(0.0, 3.0)), bicycle().action
        params: ClassVar = {"wheelbase": 2.7}

        def step(self, x: Any, u: Any, dt: float) -> Any:
            return self.state.clip(bicycle().step(x, u, dt))

    with pytest.raises(ModelError, match="backwards from 2 m to 3 m"):
        PurePursuit(Forwards(), plan)
    PurePursuit(Forwards(), [[0.0, 0.0], [2.0, 0.0]])
    PurePursuit(Forwards(), plan, command=lambda x, speed, kappa, behind: (speed, kappa))
