"""Frenet candidates: against differences along curves, brute force over all of them, and samples between states."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from pilotage.core import PilotageError, Plan, PlanStatus, Problem, SettingError, ShapeError, Space
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.planners import AStar, CorridorSmoother, FrenetPlanner, MovingObstacle, Polynomial, ReferenceLine

STATE = Space("x y [m]", "yaw: angle", "speed [m/s]")
FULL = Space("x y [m]", "yaw: angle", "speed [m/s]", "acceleration [m/s^2]", "curvature [1/m]")
ROAD = ReferenceLine([[0.0, 0.0], [250.0, 0.0]])
CAR = Footprint.rectangle(4.0, 1.8, (1.3, 0.0))


def winding(seed: int) -> ReferenceLine:
    draw = np.random.default_rng(seed)
    u = np.linspace(0.0, 100.0, 26)
    y = 8.0 * np.sin(u / 15.0 + draw.uniform(0.0, 6.0)) + 0.1 * draw.normal(size=26)
    return ReferenceLine(np.stack([u, y], -1))


def coordinates(line: ReferenceLine, seed: int, count: int = 200) -> np.ndarray:
    """Frenet coordinates within the inner half of each curve."""
    draw = np.random.default_rng(seed)
    s = draw.uniform(0.5, line.length - 0.5, count)
    inner = 0.5 / np.maximum(abs(line.curvature(s)), 0.1)
    columns = draw.uniform([0.1, -2.0, -1.0, -0.8, -0.3], [15.0, 2.0, 1.0, 0.8, 0.3], (count, 5))
    columns[:, 2] *= np.minimum(inner, 3.0)
    return np.column_stack([s, columns])


def test_a_line_has_unit_speed_and_the_curvature_of_its_tangent() -> None:
    line = winding(0)
    s, h = np.linspace(1.0, line.length - 1.0, 300), 1e-4
    steps = (line.poses(s + h) - line.poses(s - h)) / (2.0 * h)
    np.testing.assert_allclose(np.hypot(steps[:, 0], steps[:, 1]), 1.0, atol=1e-6)
    np.testing.assert_allclose(np.arctan2(steps[:, 1], steps[:, 0]), line.poses(s)[:, 2], atol=1e-6)
    np.testing.assert_allclose(steps[:, 2], line.curvature(s), atol=1e-5)
    assert np.isnan(line.poses([-0.1, line.length + 0.1])).all()


def test_a_circle_has_its_length_and_curvature() -> None:
    angle = np.linspace(0.0, 1.5 * np.pi, 60)
    line = ReferenceLine(7.0 * np.stack([np.cos(angle), np.sin(angle)], -1))
    assert line.length == pytest.approx(7.0 * 1.5 * np.pi, abs=1e-5)
    np.testing.assert_allclose(line.curvature(np.linspace(2.0, line.length - 2.0, 50)), 1.0 / 7.0, atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_coordinates_there_and_back(seed: int) -> None:
    line = winding(seed)
    given = coordinates(line, seed)
    there = line.to_cartesian(given)
    back = line.to_frenet(there)
    np.testing.assert_allclose(back, given, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(line.to_cartesian(back), there, rtol=1e-9, atol=1e-9)
    # The foot is the nearest of all points of the line.
    near = line.poses(np.linspace(0.0, line.length, 20_001))[:, :2]
    distances = np.linalg.norm(there[:, None, :2] - near[None], axis=-1).min(-1)
    np.testing.assert_allclose(abs(back[:, 3]), distances, atol=5e-4)


def test_states_agree_with_differences_along_a_motion() -> None:
    """Heading, speed, acceleration and curvature from positions alone, on a curve with s(t) and d(s) known."""
    line, h = winding(1), 1e-3

    def motion(t: np.ndarray) -> np.ndarray:
        s, ds, dds = 5.0 + 3.0 * t + 0.4 * t**2, 3.0 + 0.8 * t, np.full_like(t, 0.8)
        d, d1, d2 = np.sin(0.2 * s), 0.2 * np.cos(0.2 * s), -0.04 * np.sin(0.2 * s)
        return line.to_cartesian(np.stack([s, ds, dds, d, d1, d2], -1))

    t = np.linspace(0.1, 8.0, 60)
    x, before, after = motion(t), motion(t - h), motion(t + h)
    velocity, change = (after - before) / (2.0 * h), (after + before - 2.0 * x) / h**2
    np.testing.assert_allclose(np.hypot(*velocity[:, :2].T), x[:, 3], atol=1e-4)
    np.testing.assert_allclose(np.arctan2(velocity[:, 1], velocity[:, 0]), x[:, 2], atol=1e-4)
    np.testing.assert_allclose(velocity[:, 3], x[:, 4], atol=5e-4)
    cross = velocity[:, 0] * change[:, 1] - velocity[:, 1] * change[:, 0]
    np.testing.assert_allclose(cross / x[:, 3] ** 3, x[:, 5], atol=2e-3)


def test_what_has_no_coordinates() -> None:
    states = [[-1.0, 0.0, 0.0, 1.0, 0.0, 0.0], [5.0, 0.0, 2.0, 1.0, 0.0, 0.0], [5.0, 0.0, 0.5, 1.0, 0.0, 0.0]]
    np.testing.assert_array_equal(np.isnan(ROAD.to_frenet(states)).all(-1), [True, True, False])
    with pytest.raises(ShapeError, match="same"):
        ReferenceLine([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    with pytest.raises(ShapeError, match="shape"):
        ReferenceLine([[0.0, 0.0]])
    for back in ([[0, 0], [10, 0], [0, 0]], [[0, 0], [5, 5], [7, 7], [6, 6], [9, 0]]):
        with pytest.raises(ShapeError, match="turns back"):
            ReferenceLine(back)
    assert ReferenceLine([[0, 0], [10, 0], [0.0, 1.0]]).length > 19.0
    with pytest.raises(ShapeError, match="no path"):
        ReferenceLine(Plan(PlanStatus.NO_PATH, reason="blocked"))


def expected(planner: FrenetPlanner, start: Any) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Costs, verdicts and states of all candidates on a straight road, from formulas in numpy for one at a time."""
    x, y, yaw, v, a, k = start
    tangent = np.tan(yaw)
    begin_s = [x, v * np.cos(yaw), a * np.cos(yaw) - k * v * v * np.sin(yaw)]
    begin_d = [y, v * np.sin(yaw), a * np.sin(yaw) + k * v * v * np.cos(yaw)]
    if planner.over == "length":
        begin_d = [y, tangent, k * (1.0 + tangent**2) ** 1.5]
    costs, verdicts, states = [], [], []
    target = planner.speed if planner.target is None else planner.target
    for T in planner.durations:
        for end in planner.speeds or ():
            for offset in planner.offsets:
                t = np.linspace(0.0, T, max(int(np.ceil(T / planner.dt - 1e-9)), 1) + 1)
                s = _joined(begin_s, [None, end, 0.0], T)
                u = t
                if planner.over == "length":
                    u = s(t) - x
                span = u[-1]
                d = _joined(begin_d, [offset, 0.0, 0.0], span)
                jerk = sum((p.deriv(3) ** 2).integ()(L) for p, L in ((s, T), (d, span)))
                costs.append(
                    planner.jerk_weight * jerk + planner.time_weight * T
                    + planner.offset_weight * offset**2 + planner.speed_weight * (end - target) ** 2
                )  # fmt: skip
                ds, dds = s.deriv(1)(t), s.deriv(2)(t)
                vy, ay = d.deriv(1)(u), d.deriv(2)(u)
                if planner.over == "length":
                    vy, ay = vy * ds, ay * ds**2 + vy * dds
                speed = np.hypot(ds, vy)
                along, across = (ds * dds + vy * ay) / speed, (ds * ay - vy * dds) / speed
                states.append(np.stack([s(t), d(u), np.arctan2(vy, ds), speed, along, across / speed**2], -1))
                jerks = np.append(0.0, abs(np.diff(along)) / (T / (len(t) - 1)))
                brake = planner.braking or planner.acceleration
                creep = 0.1 if planner.over == "time" else 0.0
                reasons = {
                    "line": (s(t) < 0.0) | (s(t) > planner.line.length),
                    "speed": (speed > planner.speed * (1 + 1e-9)) | (ds < creep),
                    "acceleration": (along > planner.acceleration) | (along < -brake) | (abs(across) > planner.lateral)
                    | (jerks > (planner.jerk or np.inf)),
                    "curvature": abs(across / speed**2) > (planner.curvature or np.inf),
                }  # fmt: skip
                bad = np.array(list(reasons.values()))
                first = int(np.argmax(bad.any(0))) if bad.any() else -1
                verdicts.append("allowed" if first < 0 else list(reasons)[int(np.argmax(bad[:, first]))])
    return np.array(costs), np.array(verdicts), states


def _joined(begin: list[float], end: list[float | None], T: float) -> np.polynomial.Polynomial:
    """The polynomial of least degree with these derivatives at 0 and, unless they are None, at T."""
    given = [(k, value) for k, value in enumerate(end) if value is not None]
    n = 3 + len(given)
    powers = [np.polynomial.Polynomial.basis(j) for j in range(n)]
    A = [[p.deriv(k)(0.0) if k else p(0.0) for p in powers] for k in range(3)]
    A += [[p.deriv(k)(T) if k else p(T) for p in powers] for k, _ in given]
    return np.polynomial.Polynomial(np.linalg.solve(A, [*begin, *(value for _, value in given)]))


PLANNERS = {
    "plain": FrenetPlanner(ROAD, speed=13.0, target=12.0, speeds=(4.0, 8.0, 12.0, 16.0), offsets=(-3.0, 0.0, 2.0)),
    "tight": FrenetPlanner(
        ROAD, speed=14.0, acceleration=1.5, braking=2.5, lateral=1.0, curvature=0.02, jerk=2.0,
        speeds=(2.0, 6.0, 10.0, 14.0), offsets=(-3.0, -1.0, 0.5, 3.0), durations=(1.0, 2.0, 4.0, 7.05),
    ),
    "by length": FrenetPlanner(
        ROAD, over="length", speed=13.0, speeds=(4.0, 8.0, 12.0), offsets=(-3.0, 0.0, 2.0), durations=(1.5, 3.0, 5.0),
        lateral=1.5,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize("start", [(10.0, 0.5, 0.1, 9.0, 0.4, 0.01), (215.0, -1.0, -0.2, 11.0, -0.5, 0.0)])
def test_brute_force_finds_the_same_winner_costs_and_reasons(name: str, start: tuple[float, ...]) -> None:
    planner = PLANNERS[name]
    problem = Problem(FULL, start, FULL)
    costs, verdicts, states = expected(planner, start)
    found = planner.candidates(problem)
    np.testing.assert_allclose(found.costs, costs, rtol=1e-8)
    np.testing.assert_array_equal(found.verdicts, verdicts)
    assert len(set(verdicts.tolist())) >= 2
    for n, each in enumerate(states):
        if (each[1:, 3] > 0.2).all() and (each[:, 0] > 0.0).all():  # elsewhere the two speak of different things
            np.testing.assert_allclose(found.states[n, : len(each)], each, rtol=1e-6, atol=1e-6)
            assert np.isnan(found.states[n, len(each) :]).all()
    plan = planner.plan(problem)
    allowed = np.where(verdicts == "allowed", costs, np.inf)
    assert plan.ok == np.isfinite(allowed.min())
    if plan:
        best = int(np.argmin(allowed))
        assert plan.cost == pytest.approx(allowed[best], rel=1e-8)
        np.testing.assert_allclose(plan.xs, states[best], rtol=1e-6, atol=1e-6)
        assert plan.stats["checked"] == (costs < allowed[best]).sum() + 1
    else:
        assert plan.stats["rejected"] == {
            key: int((verdicts == key).sum()) for key in plan.stats["rejected"]
        }  # fmt: skip


def test_ends_of_polynomials_to_rounding() -> None:
    draw = np.random.default_rng(0)
    a, b, T = draw.normal(size=(500, 3)), draw.normal(size=(500, 3)), draw.uniform(1.0, 6.0, 500)
    for motion, orders in ((Polynomial.quintic(a, b, T), (0, 1, 2)), (Polynomial.quartic(a, b[:, 1:], T), (1, 2))):
        for order in range(3):
            np.testing.assert_allclose(motion([0.0], order)[:, 0], a[:, order], atol=1e-12)
        for order in orders:
            np.testing.assert_allclose(motion(T[:, None], order)[:, 0], b[:, order], atol=1e-12)


def street(seed: int) -> OccupancyGrid:
    """A road 10 m wide, with parked boxes."""
    draw = np.random.default_rng(seed)
    occupied = np.zeros((160, 1100), bool)
    occupied[:30], occupied[130:] = True, True
    for _ in range(6):
        row, column = draw.integers(30, 110), draw.integers(250, 1000)
        occupied[row : row + 15, column : column + 30] = True
    return OccupancyGrid.from_occupied(occupied, resolution=0.1, origin=(-5.0, -8.0, 0.0))


@pytest.mark.parametrize("seed", range(6))
def test_plans_are_clear_between_states_too(seed: int) -> None:
    """Samples of the path, not the states, against the exact distance to the map and to moving discs."""
    grid = street(seed)
    problem = grid.problem([0.0, 0.0, 0.0, 8.0], STATE, CAR, space=STATE)
    moving = [MovingObstacle([0.0, 8.0], [[25.0, 2.0], [40.0, -2.0]], 1.0), MovingObstacle([0.0], [[30.0, -3.0]], 0.5)]
    planner = FrenetPlanner(ROAD, speed=10.0, offsets=tuple(np.linspace(-3.5, 3.5, 15)), durations=(3.0, 4.0, 5.0))
    plan = planner.plan(problem, moving=moving)
    assert plan, plan.reason
    assert plan.stats["rejected"]["moving"] + plan.stats["rejected"]["obstacles"] > 0
    shares = np.linspace(0.0, 1.0, 21)
    fine = STATE.interpolate(plan.xs[:-1, None], plan.xs[1:, None], shares)
    ts = plan.ts[:-1, None] + shares * np.diff(plan.ts)[:, None]
    assert CAR.clearance(grid.obstacles(), fine[..., :3]).min() >= -1e-9
    centers, radii = CAR.centers(fine[..., :3])
    for other in moving:
        apart = np.linalg.norm(centers - other.at(ts)[..., None, :], axis=-1) - radii - np.max(other.radius)
        assert apart.min() >= -1e-9


@pytest.mark.parametrize(("crossing", "verdict"), [(0.55, "moving"), (0.85, "allowed")])
def test_what_crosses_between_two_states_is_met(crossing: float, verdict: str) -> None:
    """A small disc at 104 m/s crosses the road 5.5 m ahead of a car at 10 m/s; at the states it is 5 m away."""
    planner = FrenetPlanner(ROAD, target=10.0, speeds=(10.0,), offsets=(0.0,), durations=(3.0,))
    ts = np.array([0.0, 3.0])
    other = MovingObstacle(ts, np.stack([5.5 + 30.0 * (ts - crossing), 100.0 * (ts - crossing)], -1), 0.1)
    problem = Problem(STATE, [0.0, 0.0, 0.0, 10.0], STATE)
    assert planner.candidates(problem, moving=[other]).verdicts.tolist() == [verdict]


@pytest.mark.parametrize("seed", range(3))
def test_lazy_checks_find_the_best_of_all(seed: int) -> None:
    problem = street(seed).problem([0.0, 0.0, 0.0, 8.0], STATE, CAR, space=STATE)
    moving = [MovingObstacle([0.0, 8.0], [[25.0, 2.0], [40.0, -2.0]], 1.0)]
    planner = FrenetPlanner(ROAD, speed=10.0)
    plan, every = planner.plan(problem, moving=moving), planner.candidates(problem, moving=moving)
    allowed = np.where(every.verdicts == "allowed", every.costs, np.inf)
    assert plan.cost == allowed.min()
    n = int(np.argmin(allowed))
    np.testing.assert_array_equal(plan.xs, every.states[n, : len(plan.xs), :4])
    np.testing.assert_allclose(plan.ts, every.ts[n, : len(plan.xs)], rtol=1e-12)
    assert (every.costs < plan.cost).sum() < plan.stats["checked"] <= (every.costs <= plan.cost).sum()
    # What is said to meet the moving disc comes nearer than rounding and the allowance for turns.
    for m in np.flatnonzero(every.verdicts == "moving")[::7]:
        ts = every.ts[m, ~np.isnan(every.ts[m])]
        shares = np.linspace(0.0, 1.0, 11)
        states = every.states[m, : len(ts), :4]
        fine = STATE.interpolate(states[:-1, None], states[1:, None], shares)
        centers, radii = CAR.centers(fine[..., :3])
        when = ts[:-1, None] + shares * np.diff(ts)[:, None]
        apart = np.linalg.norm(centers - moving[0].at(when)[..., None, :], axis=-1) - radii - 1.0
        assert apart.min() < 0.03
    # The verdicts on obstacles are those of the problem.
    for m in np.flatnonzero(np.isin(every.verdicts, ("allowed", "obstacles")))[::17]:
        xs = every.states[m, ~np.isnan(every.ts[m]), :4]
        assert bool(problem.edges_allowed(xs[:-1], xs[1:]).all()) == (every.verdicts[m] == "allowed")


def test_a_goal_that_is_a_state_is_where_the_plan_ends() -> None:
    goal = [60.0, 2.0, 0.0, 0.0]
    planner = FrenetPlanner(ROAD, over="length", durations=tuple(np.arange(3.0, 20.0)))
    plan = planner.plan(Problem(STATE, [0.0, 0.0, 0.0, 0.0], goal))
    assert plan, plan.reason
    np.testing.assert_allclose(plan.xs[[0, -1]], [[0.0, 0.0, 0.0, 0.0], goal], atol=1e-9)
    several = planner.plan(Problem(STATE, [0.0, 0.0, 0.0, 0.0], [goal, [30.0, 0.0, 0.0, 0.0]]))
    assert several.cost <= plan.cost


def test_a_goal_beside_the_start_is_not_reached_by_length() -> None:
    """Where s does not advance, nor does d as a function of it; by time it does."""
    planner = FrenetPlanner(ROAD, over="length", curvature=None)
    for goal in ([10.0, 2.0, 0.0, 0.0], [10.0, 0.3, 0.0, 0.0], [10.0005, 1.0, 0.0, 0.0]):
        plan = planner.plan(Problem(STATE, [10.0, 0.0, 0.0, 0.0], goal))
        assert plan.status is PlanStatus.NO_PATH and plan.stats["rejected"]["goal"] == 4
    stays = planner.plan(Problem(STATE, [10.0, 0.5, 0.1, 0.0], [10.0, 0.5, 0.1, 0.0]))
    assert stays.ok and abs(stays.xs - [10.0, 0.5, 0.1, 0.0]).max() < 1e-9


@pytest.mark.parametrize("over", ["time", "length"])
def test_states_on_their_bounds_are_within_them(over: str) -> None:
    """States pass through Frenet coordinates, where rounding may put them beyond bounds that they lie on."""
    draw, angle = np.random.default_rng(0), np.linspace(0.0, 3.0, 30)
    bend = ReferenceLine(50.0 * np.stack([np.sin(angle), 1.0 - np.cos(angle)], -1))
    bounded, planner = STATE.bounded({"speed": (0.0, 10.0)}), FrenetPlanner(bend, speed=10.0, over=over)
    rejected = 0
    for _ in range(12):
        pose = bend.to_cartesian([draw.uniform(5, 80), 1.0, 0.0, draw.uniform(-2, 2), 0.05, 0.0])[:3]
        start = [*pose, 10.0]
        free, plan = (planner.plan(Problem(space, start, goal=space)) for space in (STATE, bounded))
        assert plan.ok == free.ok and plan.cost == free.cost
        rejected += plan.stats["rejected"]["bounds"]
        if plan.ok:
            assert (plan.xs[0] == Problem(bounded, start, bounded).start).all()
            assert np.asarray(bounded.contains(plan.xs)).all()
    assert not rejected
    for _ in range(12):
        v, s = draw.uniform(1.0, 10.0), draw.uniform(15.0, 40.0)
        start, stop = [10.0, 0.0, 0.0, v], [10.0 + s, 0.0, 0.0, 0.0]
        free, plan = (FrenetPlanner(ROAD, over=over).plan(Problem(space, start, stop)) for space in (STATE, bounded))
        if free.ok and (free.xs[:, 3] <= 10.0).all():
            assert plan.ok and plan.cost == free.cost
        fast = STATE.bounded({"speed": (v, 20.0)})  # the candidates end on its bound
        same = FrenetPlanner(ROAD, over=over, speeds=(v,)).plan(Problem(STATE, [10.0, 0.3, 0.0, v], fast))
        assert same.ok and same.xs[-1, 3] >= v


@pytest.mark.parametrize("ahead", [0.0, 3.0])
def test_an_obstacle_over_the_start_makes_a_problem_invalid(ahead: float) -> None:
    """It touches the body of the car, if not the middle of the rear axle, as it passes at time 0."""
    heading = 0.5
    place = np.array([10.0 + ahead * np.cos(heading), ahead * np.sin(heading)])
    start, grid = [10.0, 0.0, heading, 8.0], OccupancyGrid.from_occupied(np.zeros((40, 100), bool), 1.0, (0, -20, 0))
    problem = grid.problem(start, STATE, CAR, space=STATE)
    passing = MovingObstacle([-1.0, 1.0], [place + [0.0, 9.0], place - [0.0, 9.0]], 0.2)
    plan = FrenetPlanner(ROAD).plan(problem, moving=[passing])
    assert plan.status is PlanStatus.INVALID and "at time 0" in plan.reason
    assert FrenetPlanner(ROAD).plan(problem, moving=[passing.later(0.9)]).status is not PlanStatus.INVALID


def test_the_plan_goes_on_where_another_is_cut() -> None:
    """With acceleration and curvature in the state, a plan from the middle of another joins it."""
    line = winding(2)
    planner = FrenetPlanner(line, speed=9.0, lateral=6.0, offsets=(0.0, 1.0))
    first = planner.plan(Problem(FULL, line.to_cartesian([2.0, 6.0, 0.5, 0.3, 0.05, 0.0]), FULL))
    assert first, first.reason
    second = planner.plan(Problem(FULL, first.xs[10], FULL))
    np.testing.assert_allclose(second.xs[0], first.xs[10], atol=1e-9)
    jump = abs(second.stats["acceleration"][1] - first.stats["acceleration"][10])
    assert jump < 0.5


def test_regions_bounds_and_functions_are_reasons() -> None:
    def reasons(problem: Problem, **more: Any) -> dict[str, int]:
        plan = FrenetPlanner(ROAD, speed=12.0).plan(problem, **more)
        assert plan.status is PlanStatus.NO_PATH and plan.lower_bound == np.inf
        assert sum(plan.stats["rejected"].values()) == plan.stats["checked"] == plan.stats["candidates"]
        return {key for key, count in plan.stats["rejected"].items() if count and key in plan.reason}

    start = [0.0, 0.0, 0.0, 10.0]
    assert "goal" in reasons(Problem(STATE, start, STATE.bounded({"y": (5.0, 6.0)})))
    narrow = STATE.bounded({"x": (-1.0, 5.0)})
    assert "bounds" in reasons(Problem(narrow, start, narrow))
    assert "obstacles" in reasons(Problem(STATE, start, STATE, lambda x: x[..., :1] - 12.0))
    assert "moving" in reasons(Problem(STATE, start, STATE), moving=[MovingObstacle([0.0], [[12.0, 0.0]], 9.0)])


def test_what_has_no_candidates() -> None:
    planner = FrenetPlanner(ROAD)
    beside = planner.plan(Problem(STATE, [-5.0, 0.0, 0.0, 1.0], STATE))
    assert beside.status is PlanStatus.INVALID and "start" in beside.reason
    with pytest.raises(PilotageError, match="start"):
        planner.candidates(Problem(STATE, [-5.0, 0.0, 0.0, 1.0], STATE))
    goal = planner.plan(Problem(STATE, [5.0, 0.0, 0.0, 1.0], [-5.0, 0.0, 0.0, 1.0]))
    assert goal.status is PlanStatus.INVALID and "goal" in goal.reason
    blocked = planner.plan(Problem(STATE, [5.0, 0.0, 0.0, 1.0], STATE, lambda x: np.ones_like(x[..., :1])))
    assert blocked.status is PlanStatus.INVALID and "start" in blocked.reason
    for space in (Space("x y [m]", "yaw: angle"), Space("x y [m]", "yaw: angle", "speed [m/s]", "steer [rad]")):
        with pytest.raises(PilotageError, match="speed"):
            planner.plan(Problem(space, np.zeros(space.size), space))
    with pytest.raises(SettingError, match="lateral"):
        dataclasses.replace(planner, lateral=-1.0)
    with pytest.raises(SettingError, match="speeds"):
        dataclasses.replace(planner, speeds=())


def test_a_spent_budget_is_said() -> None:
    problem = Problem(STATE, [0.0, 0.0, 0.0, 10.0], STATE)
    wall = MovingObstacle([0.0], [[12.0, 0.0]], 9.0)
    plan = FrenetPlanner(ROAD).plan(problem, moving=[wall], budget=0.0)
    assert plan.status is PlanStatus.BUDGET and 0 < plan.stats["checked"] < plan.stats["candidates"]
    assert 0.0 < plan.lower_bound < np.inf


def test_a_smooth_path_is_a_reference_line() -> None:
    hall = OccupancyGrid.from_ascii(["." * 40] * 20)
    problem = hall.problem([2.0, 2.0], [38.0, 15.0], Footprint.disc(1.0))
    smooth = CorridorSmoother().smooth(AStar().plan(problem), problem)
    line = ReferenceLine(smooth)
    assert line.length == pytest.approx(smooth.cost, rel=1e-4)
    x, y, yaw = line.poses(0.5)
    assert FrenetPlanner(line, speed=5.0).plan(Problem(STATE, [x, y, yaw, 4.0], STATE))
