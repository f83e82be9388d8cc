"""Paths of points with sharp corners, and paths that turn back, are driven to their end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.control import ILQR, MPPI, Path, Progress, PurePursuit, follow
from pilotage.core import ActionStatus, Plan, PlanStatus, Space
from pilotage.models import bicycle, unicycle

DT = 0.1
PATHS = {
    "right angle": [[0.0, 0.0], [2.0, 0.0], [2.0, 2.0]],
    "sharp": [[0.0, 0.0], [3.0, 0.0], [1.5, 1.5]],
    "out and back": [[0.0, 0.0], [3.0, 0.0], [0.0, 0.0]],
}
ROBOT, CAR = unicycle(), bicycle(wheelbase=0.33)


def driven(drive: Any, model: Any, ticks: int = 350) -> tuple[np.ndarray, Any]:
    xs, action = [model.state.identity()], None
    for tick in range(ticks):
        action = drive.act(xs[-1], DT * tick)
        if action.status is ActionStatus.DONE:
            break
        xs.append(model.step(xs[-1], action.u, DT))
    return np.array(xs), action


def assert_arrives(drive: Any, model: Any, path: list[list[float]]) -> None:
    xs, action = driven(drive, model)
    assert action.status is ActionStatus.DONE
    assert np.hypot(*(xs[-1, :2] - path[-1])) < 0.2
    assert np.hypot(*(xs[:, :2] - path[1]).T).min() < 0.35, "it does not leave out the corner"


@pytest.mark.parametrize("turn_rate", [1.0, None])
@pytest.mark.parametrize("name", PATHS)
def test_mppi_drives_on_after_a_corner(name: str, turn_rate: float | None) -> None:
    for seed in range(4):
        task = follow(PATHS[name], speed=0.5, turn_rate=turn_rate)
        assert_arrives(MPPI(ROBOT, task, samples=512, std=(0.25, 0.5), rng=seed), ROBOT, PATHS[name])


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("wheelbase", [0.33, 0.5])
def test_mppi_turns_a_car_about(name: str, wheelbase: float) -> None:
    """Forwards and backwards in turn, near the corner: it soon drives on forwards, and is never stuck."""
    car = bicycle(wheelbase=wheelbase)
    for seed in range(2):
        drive = MPPI(car, follow(PATHS[name], speed=0.5), samples=512, std=(1.0, 0.2), rng=seed)
        xs, statuses = [car.state.identity()], list[ActionStatus]()
        for tick in range(220):
            action = drive.act(xs[-1], DT * tick)
            statuses.append(action.status)
            if action.status is ActionStatus.DONE:
                break
            xs.append(car.step(xs[-1], action.u, DT))
        assert statuses[-1] is ActionStatus.DONE and ActionStatus.STUCK not in statuses
        assert (np.array(xs)[:, 3] < -0.05).sum() < 40


def test_references_leave_the_gear_open_while_a_car_turns_about() -> None:
    """And neither pace nor place run ahead of it; a robot that faces along the path has to drive forwards."""
    task, carry, rows = follow(PATHS["out and back"], speed=0.5), None, np.empty((0, 8))
    way, pace = (task.stage.index(name) for name in ("way", "pace"))
    for tick in range(30):
        rows, carry = task.references(np.array([2.9, 0.0, 0.0]), DT * tick, 40, carry)
    turning = rows[:, way] == -1.0
    assert turning[:25].all() and not turning[35:].any() and (rows[-5:, way] == 1.0).all()
    assert (rows[turning, pace][:-1] == 0.0).all()
    assert np.allclose(rows[turning, :2], [2.9, 0.0]), "it was not drawn on"
    rows, _ = task.references(np.array([2.9, 0.0, np.pi]), 3.1, 40, carry)
    assert (rows[:, way] == 1.0).all() and rows[0, pace] == pytest.approx(0.5)


@pytest.mark.parametrize("name", PATHS)
def test_a_plan_may_drive_on_at_its_end(name: str) -> None:
    """The last reference has the pace of the path there, and the car drives forwards all the same."""
    task = follow(PATHS[name], speed=0.6)
    rows, _ = task.references(np.zeros(3), 0.0, 20)
    assert np.allclose(rows[:, task.stage.index("pace")], 0.6)
    xs, _ = driven(ILQR(CAR, task, iterations=20), CAR)
    assert (xs[:, 3] < -0.05).mean() < 0.1


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize(("model", "turn_rate"), [(ROBOT, 1.0), (ROBOT, None), (CAR, None)])
def test_ilqr_drives_on_after_a_corner(name: str, model: Any, turn_rate: float | None) -> None:
    assert_arrives(ILQR(model, follow(PATHS[name], speed=0.6, turn_rate=turn_rate), iterations=20), model, PATHS[name])


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("model", [ROBOT, CAR], ids=repr)
def test_pursuit_drives_on_after_a_corner(name: str, model: Any) -> None:
    assert_arrives(PurePursuit(model, PATHS[name], speed=0.5), model, PATHS[name])


@pytest.mark.parametrize("kind", ["MPPI", "PurePursuit"])
def test_a_small_loop_is_driven_round(kind: str) -> None:
    circle = np.linspace(0.0, 2.0 * np.pi, 60)
    loop = [1.0, 0.3] + 0.3 * np.stack([np.sin(circle), -np.cos(circle)], -1)
    path = np.concatenate([[[0.0, 0.0]], loop, [[2.0, 0.0]]])
    if kind == "MPPI":
        drive: Any = MPPI(ROBOT, follow(path, speed=0.4, tolerance=0.1), samples=256, rng=1)
    else:
        drive = PurePursuit(ROBOT, path, speed=0.4, lookahead=0.2, preview=0.0)
    xs, action = driven(drive, ROBOT, 200)
    assert action.status is ActionStatus.DONE
    assert np.unwrap(xs[:, 2])[-1] == pytest.approx(2.0 * np.pi, abs=0.5)
    assert xs[:, 1].max() == pytest.approx(0.6, abs=0.1)


@pytest.mark.parametrize("yaw", [0.0, 0.4, -2.0])
def test_ilqr_turns_about_on_the_spot(yaw: float) -> None:
    """By exactly half a turn, where the cost of the heading has no gradient."""
    ahead = np.array([np.cos(yaw), np.sin(yaw)])
    states = [[0.0, 0.0, yaw], [*ahead, yaw], [*ahead, yaw + np.pi]]
    plan = Plan(PlanStatus.SOLVED, Space("x y [m]", "yaw: angle"), np.array(states))
    drive = ILQR(ROBOT, follow(plan, speed=0.5, turn_rate=1.0), iterations=20)
    x, action = np.array([0.0, 0.0, yaw]), None
    for tick in range(120):
        action = drive.act(x, DT * tick)
        x = ROBOT.step(x, action.u, DT)
    assert action is not None and action.status is ActionStatus.DONE
    assert abs(ROBOT.state.minus(x, states[-1])[2]) < np.deg2rad(5.0)


def test_a_path_of_points_is_cut_where_it_turns_back() -> None:
    assert [part.end for part in Path(PATHS["out and back"]).parts] == [3.0, 6.0]
    assert len(Path(PATHS["sharp"]).parts) == 2 and len(Path(PATHS["right angle"]).parts) == 1
    turn = np.linspace(0.0, np.pi, 40)
    hairpin = np.concatenate([[[-2.0, 0.0]], 0.3 * np.stack([np.sin(turn), 1.0 - np.cos(turn)], -1), [[-2.0, 0.6]]])
    assert len(Path(hairpin).parts) == 1, "a turn with a radius is driven"
    rng = np.random.default_rng(0)
    jittery = np.column_stack([np.linspace(0.0, 9.0, 900), 0.0 * np.arange(900)]) + rng.normal(0.0, 0.02, (900, 2))
    assert len(Path(jittery).parts) == 1, "points that jitter do not turn back"
    dense = np.concatenate([np.linspace([0, 0], [3, 0], 31), np.linspace([3, 0], [0, 0], 31)[1:]])
    assert [round(part.end, 9) for part in Path(dense).parts] == [3.0, 6.0]


def test_the_way_back_over_the_same_points_is_told_from_the_way_out() -> None:
    progress, s = Progress(Path(PATHS["out and back"])), None
    for x in np.arange(0.0, 2.75, 0.1):
        s = progress.advance(s, [x, 0.1])
        assert s == pytest.approx(x)
    assert progress.advance(s, [2.9, 0.1]) == 3.0, "so near to the turn, the way back begins"
    s = 3.0
    for x in (2.9, 2.5, 1.5, 0.3):
        s = progress.advance(s, [x, 0.1])
        assert s == pytest.approx(6.0 - x)


def test_references_draw_a_robot_on_that_stands() -> None:
    task, x, carry = follow(PATHS["right angle"], speed=0.5), np.array([1.0, 0.1, 0.0]), None
    begins = []
    for tick in range(40):
        rows, carry = task.references(x, DT * tick, 5, carry)
        begins.append(rows[0, 0])
        assert np.allclose(np.diff(rows[:, 0]), 0.05)
    assert np.allclose(begins[:11], 1.0), "for a second they begin beside the robot"
    assert (np.diff(begins) >= 0.0).all() and begins[-1] == pytest.approx(1.5), "then they run ahead by a second"
    rows, carry = task.references(x + [0.3, 0.0, 0.0], 4.0, 5, carry)
    assert rows[0, 0] == pytest.approx(1.5), "and wait for it"
    rows, carry = task.references(x + [0.6, 0.0, 0.0], 4.6, 5, carry)
    assert rows[0, 0] == pytest.approx(1.6)
    assert carry.s == pytest.approx(1.6)
