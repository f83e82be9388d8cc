"""Plans that drive forwards and backwards: their legs, progress along them, and controllers that follow them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.control import ILQR, MPPI, Path, Progress, PurePursuit, follow
from pilotage.core import ActionStatus, Plan, PlanStatus, SettingError, ShapeError, Space
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import bicycle, differential_drive, unicycle

POSE = Space("x y [m]", "yaw: angle")
BODY, TOLERANCE, SPEED, DT = Footprint.rectangle(0.7, 0.36, (0.2, 0.0)), 0.1, 0.5, 0.1
VEHICLES: dict[str, Any] = {
    "bicycle": bicycle(wheelbase=0.5),
    "unicycle": unicycle(),
    "differential drive": differential_drive(wheel_radius=0.1, track=0.4),
}
STD = {"bicycle": (1.0, 0.3), "unicycle": (0.3, 0.6), "differential drive": (3.0, 3.0)}


def poses(start: Any, arcs: Any, step: float = 0.1) -> np.ndarray:
    """Poses along arcs of (signed length, curvature), each the exact motion of a bicycle that holds its wheel."""
    xs = [np.array(start, dtype=float)]
    for length, curvature in arcs:
        x, y, yaw = xs[-1]
        for d in np.linspace(0.0, length, int(np.ceil(abs(length) / step)) + 1)[1:]:
            half, chord = 0.5 * curvature * d, d * np.sinc(0.5 * curvature * d / np.pi)
            xs.append(np.array([x + chord * np.cos(yaw + half), y + chord * np.sin(yaw + half), yaw + 2.0 * half]))
    return POSE.normalize(np.array(xs))


def planned(xs: np.ndarray, space: Space = POSE) -> Plan:
    return Plan(PlanStatus.SOLVED, space, xs, cost=0.0)


def cleared(*boxes: tuple[float, float, float, float]) -> OccupancyGrid:
    """A map that is solid but for boxes x0, x1, y0, y1 [m]."""
    solid = np.ones((64, 80), dtype=bool)
    for x0, x1, y0, y1 in boxes:
        solid[round(20 * y0) : round(20 * y1), round(20 * x0) : round(20 * x1)] = False
    return OccupancyGrid.from_occupied(solid, 0.05)


THIRD = np.pi / 3.0
MANOEUVRES = {
    "three-point turn": (
        planned(poses([1.0, 1.4, 0.0], [(0.3, 0.0), (THIRD, 1.0), (-THIRD, -1.0), (THIRD, 1.0), (0.3, 0.0)])),
        cleared((0.2, 3.2, 0.4, 2.8)),
    ),
    "parallel parking": (
        planned(poses([0.8, 1.6, 0.0], [(1.9, 0.0), (-0.8, -1.0), (-0.8, 1.0), (0.3, 0.0)])),
        cleared((0.2, 3.8, 1.15, 2.4), (0.85, 2.6, 0.65, 1.2)),
    ),
}


def controller(kind: str, name: str, plan: Plan, grid: OccupancyGrid) -> Any:
    if kind == "PurePursuit":
        return PurePursuit(VEHICLES[name], plan, speed=SPEED, tolerance=TOLERANCE, lookahead=0.3, preview=0.3)
    # The manoeuvre is worth more than distance from the obstacles that it leads close by.
    weights = {"along": 20.0, "across": 20.0, "heading": 5.0, "near": 10.0}
    task = follow(plan, grid, speed=SPEED, tolerance=TOLERANCE, footprint=BODY, margin=0.05, weights=weights)
    if kind == "ILQR":
        return ILQR(VEHICLES[name], task, horizon=20, iterations=20)
    return MPPI(VEHICLES[name], task, horizon=20, samples=500, std=STD[name], rng=1)


def driven(drive: Any, model: Any, pose: Any, ticks: int = 150) -> tuple[np.ndarray, np.ndarray, ActionStatus]:
    """States ``(N + 1, n)`` of a closed loop, arc lengths ``(N,)`` at them, and the last status."""
    x = model.state.identity()
    x[:3] = pose
    xs, reached, status = [x], list[Any](), ActionStatus.SOLVED
    for tick in range(ticks):
        action = drive.act(xs[-1], DT * tick)
        status = action.status
        if status is ActionStatus.DONE:
            break
        reached.append(drive._s if isinstance(drive, PurePursuit) else drive.carry.s)
        xs.append(model.step(xs[-1], action.u, DT))
    return np.array(xs), np.array(reached), status


def advances(xs: np.ndarray) -> np.ndarray:
    """Metres that the robot moved along its heading in each step ``(N,)``."""
    e = np.stack([np.cos(xs[:, 2]), np.sin(xs[:, 2])], -1)
    return 0.5 * (np.diff(xs[:, :2], axis=0) * (e[:-1] + e[1:])).sum(-1)


@pytest.mark.parametrize("kind", ["MPPI", "ILQR", "PurePursuit"])
@pytest.mark.parametrize("name", VEHICLES)
@pytest.mark.parametrize("manoeuvre", MANOEUVRES)
@pytest.mark.parametrize("offset", [(0.0, 0.0, 0.0), (0.05, 0.08, -0.1), (-0.1, -0.06, 0.15)])
def test_a_manoeuvre_is_driven_in_its_gears(manoeuvre: str, name: str, kind: str, offset: Any) -> None:
    (plan, grid), model = MANOEUVRES[manoeuvre], VEHICLES[name]
    assert plan.xs is not None
    path = Path(plan)
    xs, reached, status = driven(controller(kind, name, plan, grid), model, plan.xs[0] + offset)
    assert status is ActionStatus.DONE
    assert np.hypot(*(xs[-1, :2] - plan.xs[-1, :2])) < TOLERANCE
    assert abs(POSE.minus(xs[-1, :3], plan.xs[-1])[2]) < np.deg2rad(10.0)
    assert grid.clearance(xs[:, :3], BODY).min() > 0.0
    cross = [np.hypot(*(path.at(path.project(xy)) - xy)) for xy in xs[:, :2]]
    assert max(cross) < max(0.1, np.hypot(*offset[:2]) + 0.01)
    leg = np.array([path.legs.index(path.leg(s)) for s in reached])
    assert leg[0] == 0 and leg[-1] == 2 and np.isin(np.diff(leg), [0, 1]).all(), "no leg is left out"
    for k, at in enumerate(path.stops):
        turned_back = xs[np.flatnonzero(leg == k)[-1] + 1, :2]
        assert np.hypot(*(turned_back - path.at(at))) < 1.5 * TOLERANCE, "it has come to the cusp before it turns back"
    for k, each in enumerate(path.legs):
        moved = advances(xs)[leg == k] * each.direction
        assert moved.sum() > 0.7 * (each.end - each.start) - 2.0 * TOLERANCE
        assert moved.clip(max=0.0).sum() > -TOLERANCE, "against its direction it moves only while it brakes"


@pytest.mark.parametrize("manoeuvre", MANOEUVRES)
def test_references_stop_at_the_cusp(manoeuvre: str) -> None:
    plan, _ = MANOEUVRES[manoeuvre]
    assert plan.xs is not None
    path, task, carry = Path(plan), follow(plan, speed=SPEED, tolerance=TOLERANCE), None
    for leg in path.legs:
        rows, carry = task.references(np.array([*path.at(leg.start), 0.0]), 0.0, 200, carry)
        assert np.allclose(rows[-1, :2], path.at(leg.end), atol=1e-3), "they do not go on beyond the end of the leg"
        assert np.allclose(rows[[0, -1], 4], path.length - np.array([leg.start, leg.end]), atol=1e-3)
        assert (np.diff(rows[:, 4]) <= 0.0).all(), "metres left are those of the whole path"
        own = plan.xs[(path.along >= leg.start - 1e-9) & (path.along <= leg.end + 1e-9)]
        nearest = own[np.hypot(*(own[:, None, :2] - rows[:, :2]).T).argmin(-1)]
        faced = np.column_stack([rows[:, :2], np.arctan2(rows[:, 3], rows[:, 2])])
        assert np.abs(POSE.minus(faced, nearest)[:, 2]).max() < 0.06, "half a step of the plan turns by 0.05"
        _, carry = task.references(np.array([*path.at(leg.end), 0.0]), 0.0, 1, carry)


arcs = st.lists(st.tuples(st.floats(0.3, 3.0), st.floats(-1.0, 1.0)), min_size=1, max_size=6)


@given(arcs, st.sampled_from([1.0, -1.0]), st.floats(-3.0, 3.0), st.booleans())
def test_legs_of_arcs_driven_in_turn_forwards_and_backwards(
    given_arcs: list[tuple[float, float]], gear: float, yaw: float, paired: bool
) -> None:
    """Each leg is one arc, or two in the same gear; a plan that is run backwards has them in the opposite order."""
    gears = [gear * (-1.0) ** (k // 2 if paired else k) for k in range(len(given_arcs))]
    xs = poses([1.0, -2.0, yaw], [(g * d, k) for g, (d, k) in zip(gears, given_arcs, strict=True)])
    path, back = Path(planned(xs)), Path(planned(xs[::-1].copy()))
    changes = [k for k in range(1, len(gears)) if gears[k] != gears[k - 1]]
    assert [leg.direction for leg in path.legs] == [gears[0], *(gears[k] for k in changes)]
    assert [leg.direction for leg in back.legs] == [-leg.direction for leg in path.legs[::-1]]
    assert np.allclose(path.stops, np.cumsum([d for d, _ in given_arcs])[[k - 1 for k in changes]], rtol=2e-3)
    assert path.legs[0].start == 0.0 and path.legs[-1].end == path.length
    for leg in path.legs:
        assert np.allclose(np.hypot(*leg.headings.T), 1.0)
        assert len(leg.points) == len(leg.s) == len(leg.headings)
        assert path.leg(leg.start) is leg and path.leg(0.5 * (leg.start + leg.end)) is leg
    assert np.array_equal(np.concatenate([leg.points[1:] for leg in path.legs]), path.points[1:])


@given(st.lists(st.tuples(st.floats(-2.0, 2.0), st.floats(-0.6, 0.6)), min_size=2, max_size=8))
def test_directions_are_the_signs_of_the_speed(holds: list[tuple[float, float]]) -> None:
    """Of whatever a car drives, its state in another order, too."""
    car = VEHICLES["bicycle"]
    xs = car.rollout(np.array([0.0, 0.0, 0.3, 1.0]), np.repeat(holds, 10, axis=0), DT)
    for space, order in ((car.state, [0, 1, 2, 3]), (Space("speed [m/s]", "pose: SE2"), [3, 0, 1, 2])):
        path = Path(planned(xs[:, order], space))
        speed = 0.5 * (xs[:-1, 3] + xs[1:, 3])
        told = [path.leg(s).direction for s in 0.5 * (path.along[:-1] + path.along[1:])]
        assert np.array_equal(np.sign(speed)[abs(speed) > 0.1], np.array(told)[abs(speed) > 0.1])


@given(arcs, st.sampled_from([1.0, -1.0]), st.floats(-3.0, 3.0))
def test_a_plan_of_poses_is_driven_along_their_arcs(
    given_arcs: list[tuple[float, float]], gear: float, yaw: float
) -> None:
    """Poses at the ends of arcs make the path that the arcs make when they are sampled."""
    signed = [(gear * (-1.0) ** k * d, curvature) for k, (d, curvature) in enumerate(given_arcs)]
    fine = Path(planned(poses([1.0, -2.0, yaw], signed, step=0.02)))
    path = Path(planned(poses([1.0, -2.0, yaw], signed, step=10.0), Space("pose: SE2")))
    assert [leg.direction for leg in path.legs] == [leg.direction for leg in fine.legs]
    assert np.allclose(path.stops, fine.stops, rtol=5e-3)
    assert path.length == pytest.approx(sum(d for d, _ in given_arcs), rel=5e-3)
    off = [np.hypot(*(path.at(path.project(xy)) - xy)) for xy in fine.points[::4]]
    assert max(off) < 1.1e-3


@pytest.mark.parametrize("space", [Space("pose: SE2"), Space("speed [m/s]", "pose: SE2"), Space("pose: SE3")], ids=str)
def test_a_path_lies_on_the_interpolation_of_its_space(space: Space) -> None:
    """Half a turn about a horizontal axis, too, that is an S seen from above."""
    xs = space.sample(12, rng=0)
    if "pose.qw" in space.names:
        xs = np.concatenate([xs, [[0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0], [3.0, -1.0, 0.0, 0.0, 1.0, 0.0, 0.0]]])
    columns = [space.find("x"), space.find("y")]
    for a, b in pairwise(xs):
        path = Path(planned(np.array([a, b]), space))
        curve = space.interpolate(a, b, np.linspace(0.0, 1.0, 201))[:, columns]
        assert max(np.hypot(*(path.at(path.project(xy)) - xy)) for xy in curve) < 2e-3
        assert path.length == pytest.approx(np.hypot(*np.diff(curve, axis=0).T).sum(), rel=5e-3)


def test_a_flat_space_is_not_sampled() -> None:
    assert len(Path(planned(np.array([[0.0, 0.0, 0.0], [2.0, 2.0, 1.5], [4.0, 2.0, 0.0]]))).points) == 3


@pytest.mark.parametrize("gear", [1.0, -1.0])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_step_sideways_goes_on_in_the_direction_of_the_plan(gear: float, at: int) -> None:
    """Whether it leads a little forwards or a little backwards, at the start, between, or at the end."""
    for drift in (-0.01, 0.01):
        steps = np.array([[gear * 10.0, 0.0]] * 2)
        xy = np.concatenate([[[0.0, 0.0]], np.cumsum(np.insert(steps, at, [drift, 0.5], axis=0), axis=0)])
        path = Path(planned(np.column_stack([xy, np.zeros(4)])))
        assert [leg.direction for leg in path.legs] == [gear] and not path.stops


def test_a_plan_with_a_heading_that_is_no_number_is_refused() -> None:
    for wrong in (np.nan, np.inf):
        with pytest.raises(ShapeError, match="finite"):
            Path(planned(np.array([[0.0, 0.0, wrong], [1.0, 0.0, 0.0]])))


def test_plans_that_tell_no_direction_are_paths_of_points() -> None:
    xs = poses([0.0, 0.0, 0.0], [(2.0, 0.0), (-1.0, 0.5)])
    sideways = xs + [0.0, 0.0, 0.5 * np.pi]
    for path in (Path(xs[:, :2]), Path(planned(xs[:, :2], Space("x y [m]"))), Path(planned(sideways))):
        assert len(path.legs) == 1 and not path.stops and not len(path.legs[0].headings)
        assert np.array_equal(path.legs[0].points, path.points)
    rng = np.random.default_rng(0)
    crab = planned(np.column_stack([np.linspace(0.0, 9.0, 40), np.zeros(40), rng.uniform(-np.pi, np.pi, 40)]))
    rows, _ = follow(crab).references(np.array([1.0, 0.2, 2.0]), 0.0, 20)
    assert np.array_equal(rows, follow(Path(crab).states).references(np.array([1.0, 0.2, 2.0]), 0.0, 20)[0])
    assert Path(planned(xs)) != Path(planned(xs[:, :2], Space("x y [m]")))
    assert Path(planned(xs)) == Path(planned(xs.copy())) and len({Path(planned(xs)), Path(planned(xs))}) == 1


def test_the_way_back_on_the_same_line_is_not_taken_for_driven() -> None:
    """Forwards to x = 3 and backwards again, over the same points."""
    progress, s = Progress(Path(planned(poses([0.0, 0.0, 0.0], [(3.0, 0.0), (-3.0, 0.0)])))), None
    for x in np.arange(0.0, 2.75, 0.1):
        s = progress.advance(s, [x, 0.3])
        assert s == pytest.approx(x)
    s = progress.advance(s, [2.85, 0.3])
    assert s == 3.0, "so near to the cusp, the next leg begins"
    for x in (2.9, 2.85, 2.5, 1.0, 1.2, 0.0):
        before, s = s, progress.advance(s, [x, 0.3])
        assert s >= before
    assert s == pytest.approx(6.0)


def test_a_robot_waits_at_no_cusp_that_it_has_not_come_to() -> None:
    """However far the search reaches, and even where the next leg is the nearer one."""
    hairpin = planned(poses([0.0, 0.0, 0.0], [(3.0, 0.0), (-1.0, 1.0), (-2.0, 0.0)]))
    progress = Progress(Path(hairpin), ahead=50.0)
    s = progress.advance(None, [0.0, 0.0])
    for x in np.linspace(0.5, 2.7, 12):
        s = progress.advance(s, [x, -0.2])
        assert s <= x + 1e-9


def there_and_back() -> Plan:
    """Forwards to x = 2, round on the spot, and forwards to where it began."""
    out = poses([0.0, 0.0, 0.0], [(2.0, 0.0)])
    spin = np.column_stack([np.full(9, 2.0), np.zeros(9), np.linspace(0.0, np.pi, 9)])
    return planned(np.concatenate([out, spin, poses([2.0, 0.0, np.pi], [(2.0, 0.0)])]))


@pytest.mark.parametrize("kind", ["MPPI", "PurePursuit"])
def test_a_turn_on_the_spot_ends_a_leg(kind: str) -> None:
    plan, robot = there_and_back(), VEHICLES["unicycle"]
    path = Path(plan)
    assert [leg.direction for leg in path.legs] == [1.0, 1.0] and path.stops == [2.0]
    assert np.allclose(path.legs[0].headings, [1.0, 0.0]) and np.allclose(path.legs[1].headings, [-1.0, 0.0])
    if kind == "MPPI":
        drive: Any = MPPI(robot, follow(plan, speed=SPEED, turn_rate=1.0), samples=500, std=(0.3, 0.6), rng=1)
    else:
        drive = PurePursuit(robot, plan, speed=SPEED)
    xs, _, status = driven(drive, robot, (0.0, 0.1, 0.0), ticks=250)
    assert status is ActionStatus.DONE
    assert np.hypot(*xs[-1, :2]) < 0.2 and abs(abs(xs[-1, 2]) - np.pi) < 0.3
    assert xs[:, 0].max() > 1.8


def turning_at_the_end(turn: float, length: float = 2.0) -> Plan:
    """Forwards, if at all, and a turn on the spot at the end."""
    out = poses([0.0, 0.0, 0.0], [(length, 0.0)]) if length else np.zeros((1, 3))
    spin = np.column_stack([np.full(8, length), np.zeros(8), np.linspace(0.0, turn, 9)[1:]])
    return planned(np.concatenate([out, spin]))


@given(arcs, st.floats(0.05, 3.0), st.sampled_from([1.0, -1.0]), st.sampled_from(["", "pose: SE2"]))
def test_a_turn_at_the_end_is_a_leg_of_no_length(
    given_arcs: list[tuple[float, float]], turn: float, side: float, space: str
) -> None:
    xs = poses([1.0, -2.0, 0.3], given_arcs)
    spun = np.concatenate([xs, xs[-1] + np.outer(np.linspace(0.0, side * turn, 5)[1:], [0.0, 0.0, 1.0])])
    path, straight = (Path(planned(each, Space(space) if space else POSE)) for each in (spun, xs))
    assert straight.turn is None and path.turn is not None
    assert np.allclose(path.turn, [np.cos(spun[-1, 2]), np.sin(spun[-1, 2])])
    assert len(path.legs) == len(straight.legs) + 1 and path.stops == [*straight.stops, path.length]
    assert path.length == straight.length and path != straight
    assert path.leg(path.length) is path.legs[-1] and path.leg(path.length - 1e-6) is path.legs[-2]


@pytest.mark.parametrize("length", [2.0, 0.0])
@pytest.mark.parametrize("turn", [np.pi / 2.0, -2.5, 0.2])
@pytest.mark.parametrize("kind", ["MPPI", "PurePursuit"])
@pytest.mark.parametrize("name", ["unicycle", "differential drive"])
def test_a_turn_at_the_end_is_driven(name: str, kind: str, turn: float, length: float) -> None:
    plan, robot, tolerance = turning_at_the_end(turn, length), VEHICLES[name], np.deg2rad(4.0)
    if kind == "MPPI":
        task = follow(plan, speed=SPEED, turn_rate=1.0, yaw_tolerance=tolerance)
        drive: Any = MPPI(robot, task, samples=500, std=STD[name], rng=1)
    else:
        drive = PurePursuit(robot, plan, speed=SPEED, yaw_tolerance=tolerance)
    xs, _, status = driven(drive, robot, (0.0, 0.1, 0.0))
    assert status is ActionStatus.DONE
    assert np.hypot(*(xs[-1, :2] - [length, 0.0])) < 0.2
    assert abs(POSE.minus(xs[-1, :3], [length, 0.0, turn])[2]) <= tolerance


def test_a_robot_that_leaves_the_goal_while_it_turns_comes_back() -> None:
    robot = VEHICLES["unicycle"]
    drive = PurePursuit(robot, turning_at_the_end(np.pi / 2.0), speed=SPEED)
    assert drive.act([2.0, 0.0, 0.0], 0.0).status is ActionStatus.SOLVED
    xs, _, status = driven(drive, robot, (2.3, 0.4, 0.5))
    assert status is ActionStatus.DONE
    assert np.hypot(*(xs[-1, :2] - [2.0, 0.0])) < 0.2 and xs[-1, 2] == pytest.approx(np.pi / 2.0, abs=0.09)


def test_a_robot_that_cannot_turn_on_the_spot_says_how_far_off_it_is() -> None:
    plan, car = turning_at_the_end(np.pi / 2.0), VEHICLES["bicycle"]
    action = PurePursuit(car, plan).act([2.0, 0.0, np.deg2rad(20.0), 0.0])
    assert action.status is ActionStatus.DONE and "70 degrees" in action.reason
    tank = differential_drive(wheel_radius=0.1, track=0.4, limits={"left": (0.0, 5.0), "right": (0.0, 5.0)})
    action = PurePursuit(tank, plan).act([2.0, 0.0, 0.0])
    assert action.status is ActionStatus.DONE and "90 degrees" in action.reason, "its wheels do not turn backwards"
    assert not PurePursuit(car, plan).act([2.0, 0.0, np.deg2rad(88.0), 0.0]).reason
    assert MPPI(car, follow(plan), samples=64, rng=0).act([2.0, 0.0, 0.0, 0.0]).status is ActionStatus.DONE
    with pytest.raises(SettingError, match="yaw_tolerance is -1"):
        PurePursuit(car, plan, yaw_tolerance=-1)
    with pytest.raises(SettingError, match="yaw_tolerance is 0"):
        follow(plan, yaw_tolerance=0)
