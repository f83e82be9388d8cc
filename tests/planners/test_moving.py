"""Moving obstacles in a problem: planners that know times avoid them, others refuse, and risks are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from pilotage.core import Gaussian, PilotageError, Plan, PlanStatus, Problem, SettingError, ShapeError, Space
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import unicycle
from pilotage.planners import (
    PRM,
    RRT,
    SST,
    AStar,
    BITStar,
    CorridorSmoother,
    FrenetPlanner,
    HybridAStar,
    KinodynamicRRT,
    MovingObstacle,
    PredictedTrack,
    ReedsShepp,
    ReferenceLine,
    RRTConnect,
    RRTStar,
    Shortcut,
    SpaceTimeAStar,
    ThetaStar,
    TimeParameterization,
    chance_constrained,
)

HALL = OccupancyGrid.from_occupied(np.zeros((40, 40), bool), 0.1)
DISC = Footprint.disc(0.2)
WALKER = MovingObstacle([0.0, 5.0], [[2.0, 0.5], [2.0, 3.3]], 0.3)
ROBOT = unicycle()
CONTROLS = ROBOT.action.bounded({"speed": (0, 1), "yaw_rate": (-1, 1)})


def least_gap(plan: Plan, moving: Any, radius: float) -> float:
    """The least room between robot and obstacles until it arrives, at finely sampled times."""
    assert plan.xs is not None
    assert plan.ts is not None
    assert plan.space is not None
    t, at = np.linspace(0.0, plan.ts[-1], 4001), [plan.space.find(name) for name in ("x", "y")]
    x = np.stack([np.interp(t, plan.ts, plan.xs[:, k]) for k in at], -1)
    return float(min(np.linalg.norm(x - each.at(t), axis=-1).min() - each.radius.max() - radius for each in moving))


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000))
def test_room_is_the_least_of_finely_sampled_distances(seed: int) -> None:
    rng = np.random.default_rng(seed)
    radii = rng.uniform(0.1, 0.5, 4)
    other = MovingObstacle(np.cumsum(rng.uniform(0.2, 2.0, 4)) - 1.0, rng.uniform(0.0, 4.0, (4, 2)), radii)
    ts, xys = np.cumsum(rng.uniform(0.1, 1.0, 6)), rng.uniform(0.0, 4.0, (6, 2))
    room = other.room(xys, ts)
    own = np.asarray(other.ts)
    for k in range(5):
        t = np.linspace(ts[k], ts[k + 1], 2001)[1:-1]
        x = np.stack([np.interp(t, ts, xys[:, i]) for i in range(2)], -1)
        i = np.searchsorted(own, t)
        larger = np.maximum(radii[np.minimum(i, 3)], radii[np.maximum(i - 1, 0)])
        sampled = (np.linalg.norm(x - other.at(t), axis=-1) - larger).min()
        assert sampled - 0.02 <= room[k] <= sampled + 1e-9
    np.testing.assert_allclose(other.later(0.4).room(xys, ts - 0.4), room, atol=1e-12)


@pytest.mark.parametrize("yaw", [0.0, 1.2])
@pytest.mark.parametrize("spread", [0.05, 1.5])
def test_a_predicted_pose_is_where_it_is_said_to_be(yaw: float, spread: float) -> None:
    """Poses in SE(2) vary along and across their heading, on an arc if the heading is uncertain."""
    pose = Gaussian(Space("pose: SE2"), [1.0, 2.0, yaw], np.diag([0.4, 0.05, spread]) ** 2)
    disc = MovingObstacle.predicted([0.0], [pose], radius=0.3, risk=0.05)
    away = np.linalg.norm(np.asarray(pose.sample(20_000, rng=0))[:, :2] - disc.at(0.0), axis=-1)
    assert (away > np.asarray(disc.radius)[0] - 0.3).mean() <= 0.05
    assert np.asarray(disc.radius)[0] <= 0.3 + 0.4 * np.sqrt(-2.0 * np.log(0.05)) + 1e-9
    with pytest.raises(ShapeError, match="plane"):
        MovingObstacle.predicted([0.0], [Gaussian.of(Space("p: SE3"), [0, 0, 0, 1, 0, 0, 0], std=0.1)], radius=0.3)


def timed(problem: Problem) -> list[Plan]:
    """Plans among the moving obstacles of a problem, by all that know times."""
    start, goal = [*problem.start, 0.0], [*np.ravel(problem.goal), 0.0]
    driven = HALL.problem(start, goal, DISC, space=ROBOT.state, moving=problem.moving)
    straight = AStar().plan(problem.still)
    return [
        SpaceTimeAStar().plan(problem),
        KinodynamicRRT(ROBOT, CONTROLS, tolerance=0.4).plan(driven, rng=0),
        SST(ROBOT, CONTROLS, tolerance=0.4, iterations=3000, cost="time").plan(driven, rng=0),
        TimeParameterization(speed=1.0, acceleration=1.0).parameterize(straight, problem),
    ]


def test_planners_that_know_times_touch_nothing_that_moves() -> None:
    problem = HALL.problem([0.5, 2.0], [3.5, 2.0], DISC, moving=[WALKER])
    alone = TimeParameterization(speed=1.0, acceleration=1.0).parameterize(AStar().plan(problem.still))
    assert least_gap(alone, [WALKER], 0.2) < -0.1  # what ignores the walker meets it
    for plan in timed(problem):
        assert plan.ok, plan.reason
        assert least_gap(plan, [WALKER], 0.2) > -1e-6


def test_a_timed_path_waits_or_slows_down_and_keeps_its_limits() -> None:
    problem = HALL.problem([0.5, 2.0], [3.5, 2.0], DISC, moving=[WALKER])
    clock = TimeParameterization(speed=1.0, acceleration=1.0)
    plain = clock.parameterize(AStar().plan(problem.still))
    plan = clock.parameterize(AStar().plan(problem.still), problem)
    assert plan.cost == plan.ts[-1] > plain.cost and plan.stats["wait"] + plan.stats["slower"] > 1.0
    moves, spans = np.linalg.norm(np.diff(plan.xs, axis=0), axis=-1), np.diff(plan.ts)
    assert (moves <= 1.0 * spans + 1e-9).all() and len(plan.stats["speed"]) == len(plan.xs)
    parked = MovingObstacle([0.0], [[2.0, 2.0]], 0.3)
    still = clock.parameterize(AStar().plan(problem.still), HALL.problem([0.5, 2], [3.5, 2], DISC, moving=[parked]))
    assert still.status is PlanStatus.INVALID and "moving obstacles" in still.reason


@settings(max_examples=8)
@given(seed=st.integers(0, 10_000))
def test_a_timed_path_departs_as_soon_as_any_departure_that_is_tried(seed: int) -> None:
    """Departures a tenth of a second apart, for each factor, with the room on all ways and at the goal."""
    draw = np.random.default_rng(seed)
    moving = []
    for _ in range(3):
        ts = np.append(-draw.uniform(0.0, 1.0), np.cumsum(draw.uniform(0.5, 3.0, 3)))
        moving.append(MovingObstacle(ts, draw.uniform(0.5, 3.5, (4, 2)), draw.uniform(0.1, 0.4, 4)))
    problem = HALL.problem([0.5, 2.0], [3.5, 2.0], DISC, moving=moving)
    clock = TimeParameterization(speed=1.0, acceleration=1.0, spacing=0.3)
    line = Plan(PlanStatus.SOLVED, problem.space, np.array([[0.5, 2.0], [3.5, 2.0]]), cost=3.0)
    plan, plain = clock.parameterize(line, problem), clock.parameterize(line)
    slack = np.append(0.125 * abs(np.diff(plain.stats["speed"])) * np.diff(plain.ts), 0.0)
    xs, soonest = np.concatenate([plain.xs[:1], plain.xs, plain.xs[-1:]]), np.inf
    for slower in (1.0, 1.25, 1.5, 2.0, 3.0, 4.0):
        for wait in np.arange(0.0, min(9.0, soonest - slower * plain.ts[-1]), 0.1):
            room = problem.room_among(xs, np.concatenate([[0.0], wait + slower * plain.ts, [60.0]]))
            if room[0] >= 0.0 and (room[1:] >= slack + 1e-5).all():
                soonest = min(soonest, wait + slower * plain.ts[-1])
                break
    assert plan.cost <= soonest + 1e-6
    if plan.ok:
        assert problem.room_among(plan.xs, plan.ts).min() > -1e-9
        stays = np.append(plan.ts[-1], 60.0)
        assert problem.room_among(plan.xs[[-1, -1]], stays)[0] >= 0.0


def test_a_timed_path_among_long_tracks_jumps_from_departure_to_departure() -> None:
    """Of a week, not every tenth of a second is tried; and what is blocked for ever is said at once."""
    week, line = 6e5, [[0.5, 2.0], [3.5, 2.0]]
    clock = TimeParameterization(speed=1.0, acceleration=1.0)
    plan = Plan(PlanStatus.SOLVED, Space("x y [m]"), line, cost=3.0)
    ever = MovingObstacle([0.0, week], [[2.0, 2.0], [2.0, 2.1]], 0.3)
    stays = clock.parameterize(plan, HALL.problem(*line, DISC, moving=[ever]))
    assert stays.status is PlanStatus.INVALID and "moving obstacles" in stays.reason
    leaves = MovingObstacle([0.0, week, week + 1.0], [[2.0, 2.0], [2.0, 2.0], [2.0, 5.0]], 0.3)
    waits = clock.parameterize(plan, HALL.problem(*line, DISC, moving=[leaves]))
    assert waits.ok and week < waits.cost < week + 4.0
    spent = clock.parameterize(plan, HALL.problem(*line, DISC, moving=[leaves]), budget=0.0)
    assert spent.status is PlanStatus.BUDGET and "budget" in spent.reason
    with pytest.raises(SettingError, match="budget"):
        clock.parameterize(plan, budget=-1.0)


def test_planners_that_know_no_times_refuse_with_a_sentence() -> None:
    flat = HALL.problem([0.5, 2.0], [3.5, 2.0], DISC, moving=[WALKER])
    pose = HALL.problem([0.5, 2.0, 0.0], [3.5, 2.0, 0.0], DISC, space=Space("pose: SE2"), moving=[WALKER])
    for planner in (AStar(), ThetaStar(), RRT(), RRTConnect(), RRTStar(), BITStar(), PRM()):
        with pytest.raises(PilotageError, match=f"{type(planner).__name__} knows no times, .* 1 moving obstacle;"):
            planner.plan(flat)
        assert planner.plan(flat.still, rng=0).ok
    with pytest.raises(PilotageError, match="HybridAStar knows no times"):
        HybridAStar(steering=ReedsShepp(0.5)).plan(pose)
    found = AStar().plan(flat.still)
    for smoother in (Shortcut(), CorridorSmoother()):
        with pytest.raises(PilotageError, match="knows no times"):
            smoother.smooth(found, flat)
    with pytest.raises(SettingError, match="MovingObstacle"):
        HALL.problem([0.5, 2.0], [3.5, 2.0], DISC, moving=[[1.0, 2.0]])  # type: ignore[list-item]


def test_wrong_obstacles_are_refused_with_a_sentence() -> None:
    road = ReferenceLine([[0.0, 0.0], [100.0, 0.0]])
    ride = Space("x y [m]", "yaw: angle", "speed [m/s]")
    drive = Problem(ride, [1.0, 0.0, 0.0, 5.0], ride)
    for wrong, said in ((WALKER, "list"), (["a"], "MovingObstacle"), (3.0, "list")):
        for use in (
            lambda moving: HALL.problem([0.5, 2.0], [3.5, 2.0], DISC, moving=moving),
            lambda moving: Problem(Space("x y [m]"), [0.5, 2.0], [3.5, 2.0], moving=moving),
            lambda moving: SpaceTimeAStar().plan(HALL, (0.5, 2.0), (3.5, 2.0), moving=moving),
            lambda moving: FrenetPlanner(road).plan(drive, moving=moving),
        ):
            with pytest.raises(SettingError, match=said):
                use(wrong)
    for track in (3.0, PredictedTrack([0.0], [[1.0, 1.0]], [np.eye(2)])):
        with pytest.raises(SettingError, match=r"tracks .* list"):
            chance_constrained(HALL.problem([0.5, 2.0], [3.5, 2.0], DISC), np.eye(2), tracks=track)
    with pytest.raises(PilotageError, match="FrenetPlanner.* avoid them; .*TimeParameterization"):
        AStar().plan(HALL.problem([0.5, 2.0], [3.5, 2.0], DISC, moving=[WALKER]))


@pytest.mark.parametrize(
    ("xys", "ts"), [([[0, 0], [1, 1]], [1.0, 0.0]), (np.zeros((0, 2)), []), ([[0, 0]], [0.0, 1.0]), ([0, 0], 1.0)]
)
def test_room_along_what_is_no_way_is_refused(xys: Any, ts: Any) -> None:
    with pytest.raises(ShapeError, match="positions and times"):
        WALKER.room(xys, ts)


def test_times_of_a_plan_may_be_a_list() -> None:
    plan = Plan(PlanStatus.SOLVED, Space("x y [m]"), [[0, 0], [2, 0]], ts=[0, 2])  # type: ignore[arg-type]
    assert MovingObstacle.of(plan, 0.3).at(1.0).tolist() == [1.0, 0.0]
    with pytest.raises(ShapeError, match="ts of a plan"):
        Plan(PlanStatus.SOLVED, Space("x y [m]"), [[0, 0], [2, 0]], ts=["now", "then"])  # type: ignore[arg-type]


def test_times_that_rounding_joins_stay_apart() -> None:
    jump = MovingObstacle([0.0, 1e-17, 2e-17, 1.0], [[0, 0], [1, 0], [2, 0], [3, 0]], 0.1)
    later = jump.later(-3.0)
    assert (np.diff(later.ts) > 0.0).all()
    np.testing.assert_allclose(later.at([2.9, 3.5, 4.5]), jump.at([-0.1, 0.5, 1.5]))


def test_a_start_that_is_touched_is_refused() -> None:
    parked = MovingObstacle([0.0, 9.0], [[0.6, 2.0], [3.0, 0.5]], 0.3)
    problem = HALL.problem([0.5, 2.0, 0.0], [3.5, 2.0, 0.0], DISC, space=ROBOT.state, moving=[parked])
    plan = KinodynamicRRT(ROBOT, CONTROLS).plan(problem, rng=0)
    assert plan.status is PlanStatus.INVALID and "at time 0" in plan.reason


@given(seed=st.integers(0, 1000))
@settings(max_examples=15)
def test_a_map_with_all_places_that_obstacles_pass_is_occupied_wherever_they_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    moving = [MovingObstacle([0.0, 1.0, 3.0], rng.uniform(-1, 5, (3, 2)), rng.uniform(0.0, 0.6, 3)) for _ in range(2)]
    grid = OccupancyGrid.from_occupied(np.zeros((40, 40), bool), 0.1, (0.2, -0.1, 0.4)).with_moving(moving)
    for each in moving:
        for t in rng.uniform(0.0, 3.0, 30):
            least = min(each.radius[0 if t < 1.0 else 1], each.radius[1 if t < 1.0 else 2])
            angle, share = rng.uniform(0, 2 * np.pi), rng.uniform()
            point = each.at(t) + least * share * np.array([np.cos(angle), np.sin(angle)])
            if grid.contains_cell(grid.world_to_cell(point)):
                assert grid.is_occupied(point)
    assert not grid.occupied.all()


@pytest.mark.parametrize("risk", [0.2, 0.05])
def test_collisions_with_tracks_are_as_rare_as_declared(risk: float) -> None:
    """The robot is off by an error that stays, and each track at each of its times, straight in between."""
    grid = OccupancyGrid.from_occupied(np.pad(np.zeros((48, 98), bool), 1, constant_values=True), 0.1)
    P, ts = 0.08**2 * np.eye(2), np.array([0.0, 3.0, 6.0, 9.0])
    spread = np.array([0.05, 0.1, 0.15, 0.2])[:, None, None] ** 2 * np.eye(2)
    means = [[[8.0 - 0.7 * t, 2.6] for t in ts], [[5.0, 0.5 + 0.4 * t] for t in ts]]
    tracks = [PredictedTrack(ts, mean, spread, radius=0.3) for mean in means]
    problem = chance_constrained(grid.problem([1.0, 2.5], [9.0, 2.5], DISC), P, risk=risk, tracks=tracks)
    assert len(problem.moving) == 2
    plan = SpaceTimeAStar().plan(problem)
    assert plan.ok, plan.reason
    rng, trials, hits = np.random.default_rng(0), 1500, 0
    for _ in range(trials):
        xs = plan.xs + rng.multivariate_normal([0.0, 0.0], P)
        met = (grid.clearance(xs, DISC) < 0.0).any()
        for track in tracks:
            real = track.means + np.sqrt(spread[:, 0, 0])[:, None] * rng.normal(size=(4, 2))
            met = met or (MovingObstacle(ts, real, 0.3).room(xs, plan.ts) < 0.2).any()
        hits += int(met)
    assert (beta.ppf(0.001, hits, trials - hits + 1) if hits else 0.0) <= risk
    bold = SpaceTimeAStar().plan(grid.problem([1.0, 2.5], [9.0, 2.5], DISC))
    blind = [MovingObstacle(ts, track.means, 0.3).room(bold.xs, bold.ts).min() for track in tracks]
    assert min(blind) < 0.2  # a path that ignores the tracks meets one


def test_a_robot_without_a_way_to_go_is_not_run_over() -> None:
    still = HALL.problem([2.0, 2.0], [2.0, 2.0], DISC, moving=[WALKER])
    stays = AStar().plan(still.still)
    assert TimeParameterization().parameterize(stays, still).status is PlanStatus.INVALID
    aside = HALL.problem([0.5, 2.0], [0.5, 2.0], DISC, moving=[WALKER])
    assert TimeParameterization().parameterize(AStar().plan(aside.still), aside).ok


def test_obstacles_of_the_past_are_where_they_were_last() -> None:
    past = MovingObstacle([-0.2], [[0.3, 3.7]], 0.1)
    problem = HALL.problem([0.5, 2.0], [3.5, 2.0], DISC, moving=[past])
    assert TimeParameterization().parameterize(AStar().plan(problem.still), problem).ok


def test_a_robot_with_a_covariance_of_the_state_is_no_point_among_obstacles() -> None:
    flat = HALL.problem([0.5, 2.0], [3.5, 2.0], DISC, moving=[WALKER])
    with pytest.raises(ShapeError):
        chance_constrained(flat, lambda x: 1e-4 * np.eye(2))
    later = replace(chance_constrained(flat.still, lambda x: 1e-4 * np.eye(2)), moving=[WALKER])
    xs, ts = np.array([[2.0, 2.0], [2.0, 2.0]]), np.array([0.0, 5.0])
    np.testing.assert_array_equal(later.room_among(xs, ts), flat.room_among(xs, ts))


def test_an_obstacle_keeps_its_own_numbers() -> None:
    xys = np.array([[0.0, 0.0], [4.0, 0.0]])
    other = MovingObstacle([0.0, 2.0], xys, 0.5)
    xys[:] = 9.0
    assert other.at(1.0).tolist() == [2.0, 0.0]
