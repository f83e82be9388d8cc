"""What every path tracker keeps to: it arrives, stays near the path, and gets on along it, forwards and backwards."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path as File
from typing import Any

import numpy as np
import pytest

from pilotage.control import Path, PathTracker, Progress, PurePursuit, RegulatedPurePursuit, Stanley, Steering
from pilotage.core import ActionStatus, Gaussian, ModelError, SettingError, ShapeError
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import bicycle, differential_drive, tricycle, unicycle
from pilotage.planners import TimeParameterization
from pilotage.testing import check_controller

from .test_cusps import planned, poses, there_and_back

DT, SPEED, TOLERANCE = 0.1, 0.5, 0.1
VEHICLES: dict[str, Any] = {
    "unicycle": unicycle(),
    "bicycle": bicycle(wheelbase=0.5),
    "differential drive": differential_drive(wheel_radius=0.1, track=0.4),
    "tricycle": tricycle(wheelbase=0.5),
}
TRACKERS: dict[str, Any] = {
    "PurePursuit": lambda *a, **k: PurePursuit(*a, lookahead=0.3, preview=0.0, **k),
    "RegulatedPurePursuit": lambda *a, **k: RegulatedPurePursuit(*a, farthest=0.3, **k),
    "Stanley": Stanley,
}
HALF = np.pi / 2.0
PATHS: dict[str, tuple[Any, float]] = {
    "out and back": (planned(poses([0.0, 0.0, 0.0], [(2.0, 0.0), (-2.0, 0.0)])), 0.02),
    "three-point turn": (planned(poses([1.0, 1.4, 0.0], [(0.3, 0.0), (1.05, 1.0), (-1.05, -1.0), (1.05, 1.0)])), 0.12),
    "parking": (planned(poses([0.8, 1.6, 0.0], [(1.9, 0.0), (-0.8, -0.9), (-0.8, 0.9), (0.3, 0.0)])), 0.12),
    "backwards in an S": (planned(poses([0.0, 0.0, 2.0], [(-1.5, 0.7), (-1.5, -0.7)])), 0.12),
    "loop": (planned(poses([0.0, 0.0, 1.0], [(3.0, 2.0 * np.pi / 9.0), (6.0, 2.0 * np.pi / 9.0)])), 0.12),
    "eight": (planned(poses([0.0, 0.0, 0.0], [(2.0 * np.pi, 1.0), (2.0 * np.pi, -1.0)])), 0.12),
}


def driven(drive: Any, model: Any, pose: Any, ticks: int = 900) -> tuple[np.ndarray, list[Any]]:
    x = model.state.identity()
    x[:3] = pose
    xs, actions = [x], []
    for tick in range(ticks):
        actions.append(drive.act(xs[-1], DT * tick))
        if actions[-1].status is ActionStatus.DONE:
            break
        xs.append(model.step(xs[-1], actions[-1].u, DT))
    return np.array(xs), actions


@pytest.mark.parametrize("shape", PATHS)
@pytest.mark.parametrize("vehicle", ["unicycle", "bicycle", "differential drive"])
@pytest.mark.parametrize("kind", TRACKERS)
def test_every_tracker_drives_every_path(kind: str, vehicle: str, shape: str) -> None:
    model, (plan, bound) = VEHICLES[vehicle], PATHS[shape]
    path = Path(plan)
    drive = TRACKERS[kind](model, plan, speed=SPEED, tolerance=TOLERANCE)
    xs, actions = driven(drive, model, plan.xs[0])
    assert actions[-1].status is ActionStatus.DONE and not actions[-1].reason
    assert all(a.status is ActionStatus.SOLVED for a in actions[:-1])
    assert np.hypot(*(xs[-1, :2] - path.goal)) <= TOLERANCE
    off, s, progress = 0.0, None, Progress(path, reached=TOLERANCE)
    for xy in xs[:, :2]:  # near a cusp, the nearest place is on either side of it
        s = progress.advance(s, xy)
        off = max(off, float(np.hypot(*(path.at(path.project(xy, s - 0.2, s + 0.2)) - xy))))
    if kind == "Stanley":
        bound += 0.125  # it leads the front axle along the path: the rear axle cuts a curve by wheelbase^2 kappa / 2
    assert off < bound, f"{off:.3f} m off the path"
    assert s is not None and s > path.length - 2.0 * TOLERANCE
    moved = np.hypot(*np.diff(xs[:, :2], axis=0).T).sum()
    assert moved < 1.1 * path.length + 0.3, "it goes to and fro"


@pytest.mark.parametrize("vehicle", VEHICLES)
@pytest.mark.parametrize("kind", TRACKERS)
def test_contract(kind: str, vehicle: str) -> None:
    model = VEHICLES[vehicle]
    check_controller(TRACKERS[kind](model, [[0.0, 0.0], [9.0, 3.0]]), model)
    check_controller(TRACKERS[kind](model, [[2.0, 1.0]]), model)


@pytest.mark.parametrize("kind", TRACKERS)
def test_a_turn_on_the_spot_is_driven(kind: str) -> None:
    robot, plan = unicycle(), there_and_back()
    xs, actions = driven(TRACKERS[kind](robot, plan, speed=SPEED), robot, (0.0, 0.1, 0.0))
    assert actions[-1].status is ActionStatus.DONE
    assert np.hypot(*xs[-1, :2]) < 0.2 and xs[:, 0].max() > 1.8
    assert abs(xs[:, 1]).max() < 0.2, "it turns on the spot rather than in a circle"


@pytest.mark.parametrize("gear", [1.0, -1.0])
@pytest.mark.parametrize("v", [0.5, 2.0])
def test_the_front_axle_of_stanley_comes_to_a_line_as_the_paper_says(v: float, gear: float) -> None:
    """``e' = -v sin(atan(k e / (soft + v)))`` [Hoffmann 2007, eq. 6], forwards, and backwards for the mirrored axle."""
    car, k, soft, dt = tricycle(wheelbase=0.5), 1.5, 0.3, 0.002  # its speed is that of the front wheel
    plan = planned(poses([0.0, 0.0, 0.0], [(gear * 40.0, 0.0)], step=1.0))
    drive = Stanley(car, plan, speed=v, k=k, soft=soft, steer=1.4)
    x, e = np.array([gear * 1.0, 0.3, 0.1, gear * v]), []
    for _ in range(1000):
        e.append(x[1] + gear * 0.5 * np.sin(x[2]))
        x = car.step(x, drive.act(x).u, dt)
    expected = e[:1]
    for _ in range(len(e) - 1):
        expected.append(expected[-1] - dt * v * np.sin(np.arctan(k * expected[-1] / (soft + v))))
    assert np.allclose(e, expected, atol=2e-3)
    assert e[-1] < 0.6 * e[0]


@pytest.mark.parametrize("vehicle", ["bicycle", "tricycle"])
def test_the_front_axle_of_stanley_stays_on_a_circle(vehicle: str) -> None:
    model, turn = VEHICLES[vehicle], np.linspace(0.0, 2.0 * np.pi, 400)
    circle = 3.0 * np.stack([np.sin(turn), 1.0 - np.cos(turn)], -1)
    xs, _ = driven(Stanley(model, circle, speed=1.0), model, (0.0, 0.0, 0.0), 500)
    front = xs[100:-60, :2] + 0.5 * np.stack([np.cos(xs[100:-60, 2]), np.sin(xs[100:-60, 2])], -1)
    assert abs(np.hypot(front[:, 0], front[:, 1] - 3.0) - 3.0).max() < 0.01


def regulated(path: Any = ((0.0, 0.0), (9.0, 0.0)), **settings: Any) -> RegulatedPurePursuit:
    return RegulatedPurePursuit(unicycle(), path, **settings)


def test_curves_below_the_least_radius_are_driven_more_slowly() -> None:
    """In proportion to the radius [Macenski 2023, eq. 4], on an arc through the target."""
    for radius in (0.4, 0.6, 2.0):
        turn = np.linspace(0.0, 3.0, 600)
        curve = radius * np.stack([np.sin(turn), 1.0 - np.cos(turn)], -1)
        speed, rate = regulated(curve, min_radius=0.8, lookahead=0.3, preview=0.0).act([0.0, 0.0, 0.0]).u
        assert speed == pytest.approx(min(radius / 0.8, 1.0), rel=1e-3)
        assert rate == pytest.approx(speed / radius, rel=1e-3)


def test_obstacles_slow_it_down_in_proportion_to_their_distance() -> None:
    """[Macenski 2023, eq. 6]: d is measured from the outline, here half a metre above a wall at y = 0."""
    open_above = OccupancyGrid.from_occupied(np.zeros((100, 200)), 0.1, (-1.0, 0.0, 0.0))
    body = Footprint.disc(0.2)
    for y, share in ((0.35, 0.15), (0.5, 0.3), (0.8, 0.6), (1.5, 1.0)):
        drive = regulated([[0.0, y], [9.0, y]], grid=open_above, footprint=body, proximity=0.5, alpha=0.5)
        expected = max(0.5 * (y - 0.2) / 0.5, 0.1) if y - 0.2 <= 0.5 else 1.0
        assert drive.act([1.0, y, 0.0]).u[0] == pytest.approx(expected), share


def walled(x: float) -> OccupancyGrid:
    """A hall with a wall across it at x [m]."""
    solid = np.zeros((80, 160), dtype=bool)
    solid[:, round(10.0 * (x + 2.0)) : round(10.0 * (x + 2.2))] = True
    return OccupancyGrid.from_occupied(solid, 0.1, (-2.0, -4.0, 0.0))


@pytest.mark.parametrize("vehicle", ["unicycle", "bicycle"])
@pytest.mark.parametrize("gear", [1.0, -1.0])
def test_it_stops_before_a_wall_and_says_so(vehicle: str, gear: float) -> None:
    """Whatever its speed, forwards and backwards; in time it becomes STUCK; it drives on once the wall is gone."""
    model, body = VEHICLES[vehicle], Footprint.rectangle(0.7, 0.4, (0.15, 0.0))
    start = [0.0, 0.0, 0.0] if gear > 0.0 else [0.0, 0.0, np.pi]
    plan = planned(poses(start, [(gear * 8.0, 0.0)]))
    grid = walled(5.0)
    drive: Any = RegulatedPurePursuit(model, plan, grid=grid, footprint=body, speed=2.0)
    xs, actions = driven(drive, model, start, 320)
    room = grid.clearance(xs[:, :3], body)
    assert room.min() > 0.05 and room[-1] < 2.5, "it comes near, and does not touch it"
    statuses = [a.status for a in actions]
    assert ActionStatus.FALLBACK in statuses and statuses[-1] is ActionStatus.STUCK
    assert "fell back to brake" in actions[statuses.index(ActionStatus.FALLBACK)].reason
    assert re.search(r"no progress for \d+ s.*into an obstacle at \(", actions[-1].reason)
    drive.law = dataclasses.replace(drive.law, obstacles=None)
    assert drive.act(xs[-1]).status is ActionStatus.SOLVED


def test_a_turn_on_the_spot_into_a_wall_is_not_driven() -> None:
    solid = np.zeros((80, 160), dtype=bool)
    solid[46:, :] = True  # above y = 0.6
    hall = OccupancyGrid.from_occupied(solid, 0.1, (-2.0, -4.0, 0.0))
    long = Footprint.rectangle(1.6, 0.3, (0.5, 0.0))
    wall = regulated([[0.0, 0.0], [-5.0, 0.5]], grid=hall, footprint=long, proximity=0.0).act([0.0, 0.0, 0.1])
    assert wall.status is ActionStatus.FALLBACK and wall.u[1] >= 0.0 and wall.u[0] == 0.0
    free = regulated([[0.0, 0.0], [-5.0, 0.5]]).act([0.0, 0.0, 0.1])
    assert free.status is ActionStatus.SOLVED and free.u[0] == 0.0 and free.u[1] > 0.0


def test_a_robot_that_touches_a_wall_may_leave_it() -> None:
    grid, body = walled(5.0), Footprint.disc(0.3)
    away, into = (
        regulated([[4.8, 0.0], [0.0, 0.0]], grid=grid, footprint=body),
        regulated([[4.8, 0.0], [9.0, 0.0]], grid=grid, footprint=body),
    )
    assert away.act([4.8, 0.0, np.pi]).u[0] > 0.0
    assert into.act([4.8, 0.0, 0.0]).status is ActionStatus.FALLBACK


def test_speeds_along_the_path_are_kept() -> None:
    """With a car as well, that lags behind what it is told: a tenth of the change of speed in a second at the most."""
    xy = np.column_stack([np.linspace(0.0, 20.0, 201), np.zeros(201)])
    speeds = 1.5 + np.sin(xy[:, 0])
    for model, bound in ((unicycle(limits={"speed": (-3, 3)}), 0.12), (bicycle(wheelbase=0.5), 0.06)):
        drive = PurePursuit(model, xy, speed=speeds, gain=10.0, decel=5.0)
        xs, actions = driven(drive, model, (0.0, 0.0, 0.0), 800)
        v = np.hypot(*np.diff(xs[:, :2], axis=0).T) / DT  # means over a tick
        off = abs(v - np.interp(0.5 * (xs[1:, 0] + xs[:-1, 0]), xy[:, 0], speeds))
        assert actions[-1].status is ActionStatus.DONE
        assert off[60:-60].max() < bound


@pytest.mark.parametrize("vehicle", ["unicycle", "bicycle"])
def test_a_profile_that_begins_and_ends_at_rest_is_driven(vehicle: str) -> None:
    """As timed by `TimeParameterization`, in little more than its time."""
    model = VEHICLES[vehicle]
    timed = TimeParameterization(speed=1.0, acceleration=0.5, lateral=0.4).parameterize(PATHS["eight"][0])
    drive = Stanley(model, timed, speed=timed.stats["speed"], gain=10.0)
    _, actions = driven(drive, model, PATHS["eight"][0].xs[0])
    assert actions[-1].status is ActionStatus.DONE
    assert 0.85 * timed.cost < DT * len(actions) < timed.cost + 1.5


def test_speeds_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"speed has shape \(3,\)"):
        PurePursuit(unicycle(), [[0.0, 0.0], [9.0, 0.0]], speed=[1.0, 2.0, 1.0])
    for wrong in ([1.0, -1.0], [np.nan, 1.0], [0.0, 0.0]):
        with pytest.raises(SettingError, match="speeds along the path"):
            PurePursuit(unicycle(), [[0.0, 0.0], [9.0, 0.0]], speed=wrong)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(SettingError, match="k of Stanley is 0"):
        Stanley(unicycle(), [[0.0, 0.0], [9.0, 0.0]], k=0)
    with pytest.raises(SettingError, match="alpha of RegulatedPurePursuit is 2"):
        regulated(alpha=2, grid=OccupancyGrid.from_ascii(["...."]))
    with pytest.raises(SettingError, match="needs an OccupancyGrid"):
        regulated(grid="hall")
    with pytest.raises(ModelError, match="backwards"):
        Stanley(unicycle(limits={"speed": (0.0, 1.0)}), PATHS["backwards in an S"][0])


def test_a_law_of_the_user_needs_few_lines() -> None:
    def proportional(sight: Any) -> Steering:
        e, psi = sight.error()
        return Steering(-8.0 * e - 4.0 * psi, speed=0.3, behind=abs(psi) > HALF)

    robot = unicycle()
    drive = PathTracker(robot, PATHS["loop"][0], proportional)
    check_controller(drive, robot, PATHS["loop"][0].xs[0])
    drive.reset()
    xs, actions = driven(drive, robot, PATHS["loop"][0].xs[0], 800)
    assert actions[-1].status is ActionStatus.DONE
    assert np.hypot(*np.diff(xs[:, :2], axis=0).T).max() < 0.3 * DT + 1e-9
    belief = Gaussian.of(robot.state, xs[5], std=0.01)
    drive.reset()
    u = drive.act(xs[5]).u
    drive.reset()
    assert np.array_equal(drive.act(belief).u, u)


def test_a_law_that_gives_no_curvature_brakes() -> None:
    car, x = bicycle(wheelbase=0.5), [1.0, 0.0, 0.0, 2.0]
    for wrong in (Steering(np.nan), Steering(np.inf), Steering(0.1, speed=-1.0), Steering(0.1, speed=np.nan)):
        action = PathTracker(car, [[0.0, 0.0], [9.0, 0.0]], lambda sight, wrong=wrong: wrong).act(x)
        assert action.status is ActionStatus.FALLBACK and "the law gives" in action.reason
        assert action.u[0] < 0.0 and np.isfinite(action.u).all()
    with pytest.raises(SettingError, match="needs a Steering"):
        PathTracker(car, [[0.0, 0.0], [9.0, 0.0]], lambda sight: 0.5).act(x)  # pyright: ignore[reportArgumentType]


def test_the_page_is_enough_to_write_a_stanley() -> None:
    """A controller as a new user writes it, after docs/how-to/controller.md, in 25 lines: the contract is kept."""
    page = File(__file__).parents[2] / "docs" / "how-to" / "controller.md"
    for word in ("def reset(self, *, seed=None)", "ActionStatus.FALLBACK", "ActionStatus.DONE", "state.minus("):
        assert word in page.read_text(), f"the page no longer shows {word}"

    from pilotage.core import Action

    @dataclasses.dataclass(frozen=True)
    class MyStanley:
        car: Any
        path: Any
        k: float = 1.0
        speed: float = 2.0

        def reset(self, *, seed: int | None = None) -> None:
            """Nothing is remembered."""

        def act(self, belief_or_state: Any, t: Any = None) -> Action:
            x = belief_or_state.moments().mean if hasattr(belief_or_state, "moments") else np.asarray(belief_or_state)
            if not np.isfinite(x).all():
                return Action(np.zeros(2), ActionStatus.FALLBACK, reason="hold: the state is not known")
            L = self.car.params["wheelbase"]
            front = x[:2] + L * np.array([np.cos(x[2]), np.sin(x[2])])
            i = min(int(np.hypot(*(self.path - front).T).argmin()), len(self.path) - 2)
            if np.hypot(*(self.path[-1] - front)) < 0.3:
                return Action(self.car.action.clip([-2.0 * x[3], 0.0]), ActionStatus.DONE)
            t = self.path[i + 1] - self.path[i]
            psi = self.car.state.minus([*x[:2], np.arctan2(t[1], t[0]), x[3]], x)[2]
            e = (t[1] * (front - self.path[i])[0] - t[0] * (front - self.path[i])[1]) / np.hypot(*t)
            steer = psi + np.arctan2(self.k * e, 0.5 + x[3])
            return Action(self.car.action.clip([2.0 * (self.speed - x[3]), steer]))

    car, s = bicycle(wheelbase=0.5), np.linspace(0.0, 12.0, 121)
    drive, x, action = MyStanley(car, np.stack([s, np.sin(0.5 * s)], -1)), np.array([0.0, 0.5, 0.0, 0.0]), None
    check_controller(drive, car, x)
    for tick in range(400):
        action = drive.act(x, DT * tick)
        if action.status is ActionStatus.DONE:
            break
        x = car.step(x, action.u, DT)
    assert action is not None and action.status is ActionStatus.DONE and abs(x[1] - np.sin(0.5 * x[0])) < 0.1


def test_an_array_of_speeds_stays_the_users() -> None:
    speeds = np.array([0.5, 0.5])
    drive = PurePursuit(unicycle(), [[0.0, 0.0], [5.0, 0.0]], speed=speeds)
    speeds[:] = 2.0
    assert drive.act([0.0, 0.0, 0.0]).u[0] == 0.5
