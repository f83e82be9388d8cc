"""Robots that get nowhere are told from those that get on, and the reason says where and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.control import ILQR, MPPI, PurePursuit, follow, reach
from pilotage.core import ActionStatus, Dynamics, Space
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import bicycle, task, unicycle
from pilotage.planners import AStar

from .worlds import FLAT, TURN, cart

DT, ROBOT = 0.1, unicycle()


class Broken(Dynamics):
    """A robot whose motors do nothing."""

    state, action = FLAT, TURN

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return np.array(np.broadcast_to(x, np.broadcast_shapes(np.shape(x), (*np.shape(u)[:-1], 3))))


def statuses(drive: Any, model: Any, x: Any, ticks: int) -> tuple[list[Any], np.ndarray]:
    actions, x = [], np.array(x, dtype=float)
    for tick in range(ticks):
        actions.append(drive.act(x, DT * tick))
        x = model.step(x, actions[-1].u, DT)
    return actions, x


def door() -> OccupancyGrid:
    """A wall of a metre with a door of 0.8 m."""
    solid = np.zeros((40, 60), dtype=bool)
    solid[:, 25:35], solid[16:24, 25:35] = True, False
    return OccupancyGrid.from_occupied(solid, 0.1)


@pytest.mark.parametrize("kind", ["MPPI", "ILQR"])
def test_a_margin_that_exceeds_a_door_is_said(kind: str) -> None:
    grid = door()
    plan = AStar().plan(grid.inflate(0.3), (1.0, 2.0), (5.0, 2.0))
    assert plan.ok
    make: Any = {"MPPI": lambda t: MPPI(ROBOT, t, samples=512, rng=0), "ILQR": lambda t: ILQR(ROBOT, t, iterations=30)}
    for margin in (0.3, 0.02):
        drive = make[kind](follow(plan, grid, radius=0.3, margin=margin, speed=0.3))
        actions, x = statuses(drive, ROBOT, [1.0, 2.0, 0.0], 180)
        if margin == 0.3:
            assert actions[-1].status is ActionStatus.STUCK
            assert "below the margin of 0.3 m" in actions[-1].reason
            assert abs(float(actions[-1].reason.split("at (")[1].split(",")[0]) - x[0]) < 0.1
            assert actions[20].status is not ActionStatus.STUCK, "it has patience"
        else:
            assert actions[-1].status is ActionStatus.DONE
            assert ActionStatus.STUCK not in {action.status for action in actions}


@pytest.mark.parametrize("kind", ["MPPI", "PurePursuit"])
def test_a_robot_that_does_not_move_is_stuck(kind: str) -> None:
    path = [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0]]
    drive: Any = PurePursuit(ROBOT, path) if kind == "PurePursuit" else MPPI(ROBOT, follow(path), samples=64, rng=0)
    actions, _ = statuses(drive, Broken(), [1.0, 0.0, -0.5], 120)
    stuck = [action.status is ActionStatus.STUCK for action in actions]
    assert not any(stuck[:50]) and all(stuck[80:])
    assert "(1.00, 0.00)" in actions[-1].reason and "7 m before the end" in actions[-1].reason
    assert actions[-1].u.any(), "it goes on to try"
    drive.reset()
    assert drive.act([1.0, 0.0, -0.5], 0.0).status is ActionStatus.SOLVED
    moved = statuses(drive, ROBOT, [1.0, 0.0, -0.5], 30)[0]
    assert {action.status for action in moved} == {ActionStatus.SOLVED}


def test_an_obstacle_on_the_path_is_said() -> None:
    grid = OccupancyGrid.from_occupied(np.zeros((40, 60), dtype=bool), 0.1).with_rectangles(
        [[3.0, 2.0, 0.0]], [0.3, 4.0]
    )
    drive = MPPI(ROBOT, follow([[1.0, 2.0], [5.0, 2.0]], grid, radius=0.2), samples=256, rng=0)
    actions, _ = statuses(drive, ROBOT, [1.0, 2.0, 0.0], 120)
    assert actions[-1].status is ActionStatus.STUCK
    assert "leads into an obstacle at (2." in actions[-1].reason


def test_a_new_path_and_a_clock_that_goes_back_begin_again() -> None:
    drive, x = MPPI(ROBOT, follow([[0.0, 0.0], [4.0, 0.0]]), samples=64, rng=0), np.zeros(3)
    assert [drive.act(x, t).status.name for t in (0.0, 4.0, 5.5)] == ["SOLVED", "SOLVED", "STUCK"]
    assert [drive.act(x, t).status.name for t in (1.0, 5.0)] == ["SOLVED", "SOLVED"]
    drive.retarget(follow([[0.0, 0.0], [9.0, 0.0]]))
    assert [drive.act(x, t).status.name for t in (7.0, 11.0, 13.0)] == ["SOLVED", "SOLVED", "STUCK"]


def test_reach_with_a_tolerance_is_stuck_where_it_stands_still() -> None:
    model = cart()
    drive = MPPI(model, reach(model, [5.0, 0.0], tolerance=0.1), samples=64, rng=0)
    statuses = [drive.act([0.0, 0.0], DT * tick).status for tick in range(60)]
    assert statuses[49] is ActionStatus.SOLVED and statuses[-1] is ActionStatus.STUCK
    assert "x is 5 from the goal" in drive.act([0.0, 0.0]).reason
    assert drive.act([0.5, 0.0]).status is ActionStatus.SOLVED
    free = MPPI(model, reach(model, [5.0, 0.0]), samples=64, rng=0)
    assert {free.act([0.0, 0.0], DT * tick).status for tick in range(60)} == {ActionStatus.SOLVED}


def test_a_task_of_ones_own_tells_that_a_robot_gets_on() -> None:
    class Rising:
        patience = 1.0

        def advanced(self, x: Any, r: Any, x0: Any, r0: Any) -> bool:
            return bool(x[0] > x0[0])

        def explain(self, x: Any, rows: Any, constraint: Any, params: Any) -> str:
            return f"y is {x[0]:g}, the constraint at {constraint(np.array([x]), rows[:1]).item():g}"

    @task(state=Space("v [m/s]"), action=Space(), constraint=lambda x, u, p, m: x[0] - 9.0)
    def rise(x: Any, u: Any, p: Any, m: Any) -> Any:
        return (x[0] - 1.0) ** 2

    drive = MPPI(cart(), rise(gauge=Rising()), samples=64, rng=0)
    found = [drive.act([0.0, v], t).status.name for v, t in ((1, 0.0), (1, 0.9), (2, 1.1), (2, 2.0), (2, 2.2))]
    assert found == ["SOLVED", "SOLVED", "SOLVED", "SOLVED", "STUCK"]
    assert "y is 2, the constraint at -7" in drive.act([0.0, 2.0], 2.3).reason


def test_a_car_that_circles_a_turning_point_is_stuck() -> None:
    """It cannot turn within its lookahead; falling back on the same path is no headway."""
    car = bicycle()
    actions, _ = statuses(PurePursuit(car, [(0, 0), (20, 0), (0, 0)], speed=2.0), car, [0.0, 0.0, 0.0, 0.0], 400)
    assert actions[-1].status is ActionStatus.STUCK and "no progress" in actions[-1].reason


def test_a_car_that_turns_round_in_its_tightest_circle_is_not_stuck() -> None:
    car = bicycle()
    actions, _ = statuses(PurePursuit(car, [(0, 0), (20, 0)], speed=2.0), car, [0.0, 0.0, np.pi, 0.0], 230)
    assert {action.status for action in actions} == {ActionStatus.SOLVED, ActionStatus.DONE}


def test_a_robot_that_is_put_back_is_stuck() -> None:
    drive = MPPI(ROBOT, follow([[0.0, 0.0], [9.0, 0.0]]), samples=64, rng=0)
    found = [drive.act([x, 0.0, 0.0], t).status.name for x, t in ((1.0, 0.0), (0.5, 4.0), (0.9, 5.5), (1.5, 6.0))]
    assert found == ["SOLVED", "SOLVED", "STUCK", "SOLVED"]


def test_a_car_beside_the_end_stands_and_is_stuck() -> None:
    car = bicycle()
    actions, x = statuses(PurePursuit(car, [(0, 0), (20, 0), (18, 1)], speed=2.0), car, [0.0, 0.0, 0.0, 0.0], 260)
    assert actions[-1].status is ActionStatus.STUCK and "beside it" in actions[-1].reason
    assert abs(x[3]) < 0.1 and ActionStatus.DONE not in {action.status for action in actions}


def test_the_room_that_is_told_is_that_of_the_path() -> None:
    """Where the references begin ahead of the robot, the way straight to them may cut a corner of the wall."""
    solid = np.zeros((80, 160), dtype=bool)
    solid[:, 78:82], solid[34:46, 78:82] = True, False
    grid, disc = OccupancyGrid.from_occupied(solid, 0.05), Footprint.disc(0.25)
    plan = AStar().plan(grid.problem((1.0, 1.0), (7.0, 2.5), disc))
    assert plan.ok
    rows, _ = follow(plan, grid, footprint=disc, speed=0.8).references(np.array([3.2, 1.6, 1.2]), 0.0, 30)
    rows[:, :4] = [3.9, 1.6, 0.0, 1.0]  # references of a robot that waits, cut off from the path
    why = follow(plan, grid, footprint=disc, speed=0.8).obstruction(np.array([3.2, 1.6, 1.2]), rows)
    assert "leads into an obstacle" not in why
