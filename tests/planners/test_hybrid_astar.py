"""Hybrid A*: paths that a vehicle can drive and that another checker finds clear, and reasons where there is none."""

from __future__ import annotations

import dataclasses
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import Gaussian, PilotageError, PlanStatus, Problem, SettingError, Space
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import dynamics, task, truck, unicycle
from pilotage.planners import Dubins, HybridAStar, ReedsShepp
from pilotage.planners.search._pose_field import Field
from pilotage.planners.search._pose_kernel import cell_of
from pilotage.testing import check_planner

from .vehicles import CAR, HALL, SE2, across, charged, in_room, inspect, pose, simulated

CURVE = ReedsShepp(0.8)
PLANNER = HybridAStar(CURVE)
SQUARE = SE2.bounded({"pose.x": (-5.0, 5.0), "pose.y": (-5.0, 5.0)})


@pytest.mark.parametrize("steering", [CURVE, Dubins(0.8)])
def test_a_car_drives_through_a_door(steering: ReedsShepp | Dubins) -> None:
    problem, planner = across(), HybridAStar(steering)
    plan = planner.plan(problem)
    inspect(plan, problem, CAR, HALL)
    simulated(plan, steering.radius)
    assert plan.xs is not None
    assert plan.us is not None
    np.testing.assert_allclose(plan.xs[-1], problem.goal, atol=1e-9)
    assert plan.lower_bound == pytest.approx(float(steering.distance(*np.array([problem.start, problem.goal]))))
    assert plan.lower_bound <= plan.cost
    assert plan.cost == pytest.approx(charged(plan, problem, planner.reverse, planner.cusp))
    if isinstance(steering, Dubins):
        assert (plan.us[:, 0] > 0.0).all()


def test_the_contract_of_planners() -> None:
    check_planner(PLANNER, across())
    check_planner(HybridAStar(Dubins(0.8)), in_room())
    check_planner(PLANNER, Problem(SQUARE, [0, 0, 0], [2, 1, 3], pillar, resolution=0.2))


def pillar(x: Any) -> Any:
    """Positive within half a metre of the point (1, 0.5)."""
    return 0.5 - np.hypot(x[..., :1] - 1.0, x[..., 1:2] - 0.5)


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000))
def test_paths_through_random_worlds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = Footprint.polygon([[0.25, 0.0], [-0.1, -0.15], [-0.1, 0.15]])
    grid = OccupancyGrid.from_occupied(rng.random((16, 20)) < 0.06, 0.25, (0.0, 1.0, rng.uniform(-3, 3)))
    ends = np.column_stack((grid.grid_to_world(rng.uniform((1, 1), (19, 15), (2, 2))), rng.uniform(-3, 3, 2)))
    problem = grid.problem(*ends, shape, space=SE2)
    plan = HybridAStar(ReedsShepp(0.3), refinements=2).plan(problem, budget=1.0)
    if plan.ok:
        inspect(plan, problem, shape, grid)
        simulated(plan, 0.3)
    else:
        assert plan.reason


@settings(max_examples=30)
@given(x=st.floats(-4, 4), y=st.floats(-4, 4), yaw=st.floats(-3, 3))
def test_without_obstacles_a_path_costs_no_more_than_the_curve(x: float, y: float, yaw: float) -> None:
    hall = OccupancyGrid.from_occupied(np.zeros((60, 60), dtype=bool), 0.5, (-15.0, -15.0, 0.0))
    problem = hall.problem([0, 0, 0], [x, y, yaw], CAR, space=SE2)
    plan, curve = PLANNER.plan(problem), CURVE.connect([0.0, 0.0, 0.0], [x, y, yaw])
    assert plan.cost >= curve.cost - 2e-7  # poses this near are the same
    assert plan.cost <= charged(curve, problem, PLANNER.reverse, PLANNER.cusp) + 1e-9


def test_costs_shape_the_path() -> None:
    """Dearer cusps are fewer, a dearer reverse is used less, dearer changes of curvature are smaller."""
    grid = OccupancyGrid.from_occupied(np.zeros((40, 40), dtype=bool), 0.25)
    problem = grid.problem([5.0, 5.0, 0.0], [5.0, 6.0, math.pi], CAR, space=SE2)

    def effort(**costs: float) -> tuple[float, float, float]:
        plan = HybridAStar(ReedsShepp(1.0), weight=1.0, **costs).plan(problem)
        assert plan.us is not None
        assert plan.ts is not None
        gears, curvature = plan.us[:, 0], plan.us[:, 1] / plan.us[:, 0]
        back = float(np.diff(plan.ts)[gears < 0.0].sum())
        return float((np.diff(gears) != 0.0).sum()), back, float(abs(np.diff(curvature, prepend=0.0)).sum())

    free = effort(reverse=1.0, cusp=0.0)
    assert effort(reverse=1.0, cusp=50.0)[0] < free[0]
    assert effort(reverse=20.0, cusp=0.0)[1] < free[1]
    assert effort(reverse=1.0, cusp=0.0, bend=5.0)[2] < free[2]


def bay() -> tuple[Problem, Footprint, OccupancyGrid]:
    """A car in a street, and a bay between two others."""
    occupied = np.zeros((60, 150), dtype=bool)
    occupied[:22] = occupied[55:] = True
    occupied[9:22, 60:92] = False
    grid = OccupancyGrid.from_occupied(occupied, 0.2)
    car = Footprint.rectangle(4.2, 1.8, center=(1.35, 0.0), rows=3)
    problem = grid.problem([3.0, 7.0, 0.0], [13.75, 3.1, 0.0], car, space=SE2)
    return problem, car, grid


def test_a_bay_is_searched_from() -> None:
    """A car parks between two others; the path is driven from the start, and few expansions suffice."""
    problem, car, grid = bay()
    plan = HybridAStar(ReedsShepp(5.0)).plan(problem)
    inspect(plan, problem, car, grid, every=0.5)
    simulated(plan, 5.0)
    assert plan.xs is not None
    np.testing.assert_allclose(plan.xs[-1], problem.goal)
    assert plan.cost == pytest.approx(charged(plan, problem, 1.5, 0.5))
    assert plan.stats["expansions"] < 20_000


def test_finer_motions_where_coarse_ones_lead_nowhere() -> None:
    problem, _, _ = bay()
    coarse = HybridAStar(ReedsShepp(5.0), refinements=0).plan(problem)
    assert coarse.status is PlanStatus.NO_PATH
    assert "motions" in coarse.reason
    assert HybridAStar(ReedsShepp(5.0)).plan(problem).ok


def test_start_at_the_goal() -> None:
    problem = HALL.problem(pose(3, 1, 1.0), pose(3, 1, 1.0), CAR, space=SE2)
    plan = PLANNER.plan(problem)
    assert plan.ok
    assert plan.xs is not None
    assert plan.cost == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(plan.xs, [problem.start] * len(plan.xs))


def test_several_goals_and_any_heading() -> None:
    far, near = pose(19, 4.5, -2.0), pose(6, 3, 1.0)
    plan = PLANNER.plan(HALL.problem(pose(3, 1), [far, near], CAR, space=SE2))
    assert plan.xs is not None
    np.testing.assert_allclose(plan.xs[-1], near, atol=1e-9)
    point = pose(19, 4.5)[:2]
    problem = HALL.problem(pose(3, 1), point, CAR, space=SE2)
    plan = PLANNER.plan(problem, rng=3)
    inspect(plan, problem, CAR, HALL)
    assert plan.xs is not None
    np.testing.assert_allclose(plan.xs[-1][:2], point)


def test_failures_have_reasons() -> None:
    chamber = HALL.with_rectangles([pose(10.5, 4)], [[0.6, 2.0]])
    closed = PLANNER.plan(chamber.problem(pose(3, 1), pose(19, 4.5), CAR, space=SE2))
    assert closed.status is PlanStatus.NO_PATH
    assert "component" in closed.reason
    assert closed.lower_bound == math.inf
    wall = PLANNER.plan(HALL.problem(pose(10.5, 1), pose(19, 4.5), CAR, space=SE2))
    assert wall.status is PlanStatus.INVALID
    assert "start" in wall.reason
    assert "collision" in wall.reason
    off = PLANNER.plan(HALL.problem(pose(3, 1), pose(40, 4.5), CAR, space=SE2))
    assert off.status is PlanStatus.INVALID
    hurried = HybridAStar(CURVE, weight=1.0, step=0.1).plan(across(), budget=0.0)
    assert hurried.status is PlanStatus.BUDGET
    assert "budget" in hurried.reason
    assert 0.0 < hurried.lower_bound < math.inf


def test_memory_is_bounded() -> None:
    """A search that needs more nodes than it may keep ends, and says so; with enough of them, it finds the path."""
    problem = bay()[0]
    few, enough = (HybridAStar(ReedsShepp(5.0), step=0.5, nodes=n).plan(problem) for n in (5000, 100_000))
    assert few.status is PlanStatus.BUDGET
    assert "nodes" in few.reason
    assert enough.ok
    assert enough.stats["nodes"] > 5000


def test_unknown_cells() -> None:
    p = np.zeros((20, 40))
    p[:, 18:22] = 0.5
    grid = OccupancyGrid.from_probability(p, 0.2)
    ends = [1.0, 2.0, 0.0], [7.0, 2.0, 0.0]
    assert PLANNER.plan(grid.problem(*ends, CAR, space=SE2)).status is PlanStatus.NO_PATH
    assert PLANNER.plan(grid.problem(*ends, CAR, space=SE2, unknown="free")).ok


def test_beliefs_and_pickles() -> None:
    problem = across()
    belief = Gaussian.of(SE2, problem.start, std=0.1)
    again = pickle.loads(pickle.dumps(PLANNER))
    plans = [PLANNER.plan(problem), again.plan(HALL.problem(belief, problem.goal, CAR, space=SE2))]
    np.testing.assert_array_equal(plans[0].xs, plans[1].xs)


def test_an_interrupt_gives_the_best_path_so_far() -> None:
    """Pressed before there is a path, it is the caller's; pressed later, the path that is known is the result."""
    for presses, known in ((20, False), (4000, True)):
        calls = 0

        def pressed(x: Any, presses: int = presses) -> Any:
            nonlocal calls
            calls += 1
            if calls == presses:
                raise KeyboardInterrupt
            return pillar(x)

        problem = Problem(SQUARE, [0, 0, 0], [2, 1, 3], pressed)
        planner = HybridAStar(ReedsShepp(1.0), weight=1.0, step=0.25)
        if not known:
            with pytest.raises(KeyboardInterrupt):
                planner.plan(problem)
            continue
        plan = planner.plan(problem)
        assert calls == presses
        assert plan.ok
        assert plan.xs is not None
        np.testing.assert_allclose(plan.xs[-1], problem.goal, atol=1e-9)


@pytest.mark.parametrize("shape", [CAR, Footprint.disc(0.3)])
@pytest.mark.parametrize("goal", [pose(19, 4.5), pose(19, 4.5)[:2]])
def test_x_y_and_yaw_on_a_map_are_taken_as_poses(shape: Footprint, goal: Any) -> None:
    """What `grid.problem` makes without being told a space: the plan is the one in SE(2)."""
    plain, posed = HALL.problem(pose(3, 1), goal, shape), HALL.problem(pose(3, 1), goal, shape, space=SE2)
    plan, same = PLANNER.plan(plain, rng=0), PLANNER.plan(posed, rng=0)
    assert plan.ok and plan.cost == same.cost and plan.space == same.space
    np.testing.assert_array_equal(plan.xs, same.xs)
    assert plan.xs is not None and posed.edges_allowed(plan.xs[:-1], plan.xs[1:]).all()


def test_what_does_not_fit_is_refused() -> None:
    flat = HALL.problem(pose(3, 1)[:2], pose(19, 4.5)[:2], Footprint.disc(0.3))
    with pytest.raises(PilotageError, match=r'grid.problem\(start, goal, footprint, space=Space\("pose: SE2"\)\)'):
        PLANNER.plan(flat)
    with pytest.raises(PilotageError, match="OccupancyGrid"):
        PLANNER.plan(HALL)  # type: ignore[arg-type]
    with pytest.raises(PilotageError, match="unicycle"):
        HybridAStar(model=unicycle(), actions=[[1.0, 0.0]]).plan(across())
    with pytest.raises(SettingError, match="actions"):
        HybridAStar(model=unicycle())
    with pytest.raises(SettingError, match="reverse"):
        HybridAStar(reverse=0.5)


def test_the_estimate_around_obstacles_closes_no_gap_and_opens_no_wall() -> None:
    """The start reaches the goal over coarse cells exactly if a disc in the middle of the robot gets there."""
    for gap in range(1, 14):
        occupied = np.zeros((40, 60), dtype=bool)
        occupied[:, 30] = True
        occupied[20 : 20 + gap, 30] = False
        grid = OccupancyGrid.from_occupied(occupied, 0.1)
        wide = Footprint.rectangle(1.0, 0.6, (0.3, 0.0))
        problem = grid.problem([1.0, 2.0, 0.0], [4.5, 2.0, 0.0], wide, space=SE2)
        field = Field.of(problem, problem.goals(), [0, 1, 2])
        separated = field.separates(problem.start[:2], problem.goals()[:, :2])
        if gap * 0.1 >= 0.4:  # the disc of radius 0.2 m at the rear axle fits
            assert not separated
        if gap == 1:
            assert separated


def test_walls_of_the_map_prove_nothing_of_other_problems() -> None:
    """The wall stands between start and goal; not so for another constraint, a region, and a goal from afar."""
    wall = OccupancyGrid.from_ascii(["......#......"] * 8).refined(4)
    shape, ends = Footprint.rectangle(0.8, 0.4), ([2.0, 4.0, 0.0], [10.0, 4.0, 0.0])
    problem = wall.problem(*ends, shape, space=SE2)
    assert "component" in PLANNER.plan(problem).reason
    assert PLANNER.plan(dataclasses.replace(problem, constraint=lambda x: x[..., :1] - 100.0)).ok
    region = problem.space.bounded({"pose.x": (5.3, 12.0), "pose.y": (3.0, 5.0)})
    assert (region.sample(16, rng=5)[:, 0] > 6.0).all(), "no state on this side of the wall is drawn"
    assert PLANNER.plan(dataclasses.replace(problem, goal=region), rng=5).ok
    driven = wall.problem(*ends, shape, space=Space("x y [m]", "yaw: angle"))
    near, far = (HybridAStar(model=unicycle(), actions=[[1.0, 0.0]], tolerance=reach) for reach in (1.0, 6.0))
    assert "component" in near.plan(driven).reason
    assert far.plan(driven).ok


def test_a_model_is_driven_by_its_actions() -> None:
    cart = unicycle()
    problem = HALL.problem(pose(3, 1), pose(19, 4.5, -2.0), CAR, space=Space("x y [m]", "yaw: angle"), turning=0.2)
    actions = [[v, w] for v in (1.0, -1.0) for w in (-1.2, -0.6, 0.0, 0.6, 1.2)]
    planner = HybridAStar(CURVE, model=cart, actions=actions, dt=0.1, steps=6, tolerance=0.2)
    plan = planner.plan(problem)
    inspect(plan, problem, CAR, HALL)
    assert plan.xs is not None
    assert plan.us is not None
    np.testing.assert_allclose(cart.rollout(problem.start, plan.us, 0.1), plan.xs, atol=1e-12)
    np.testing.assert_allclose(plan.ts, 0.1 * np.arange(len(plan.xs)))
    assert {tuple(u) for u in plan.us.tolist()} <= {tuple(u) for u in actions}
    assert float(problem.distance(plan.xs[-1], problem.goal)) <= 0.2


def test_the_lower_bound_is_none_of_what_costs_less() -> None:
    """A metric in which the way is short, and a model that turns on the spot, and stops before the goal."""
    cheap = dataclasses.replace(across(), weights=[0.2, 0.2, 0.2])
    plan = HybridAStar(CURVE).plan(cheap)
    assert 0.0 < plan.lower_bound < plan.cost
    cart, room = unicycle(), Space("x y [m] in [-5, 5]", "yaw: angle")
    problem = Problem(room, [0.0, 0.0, 0.0], [0.0, 1.0, 1.5], weights=[1.0, 1.0, 0.1])
    actions = [[v, w] for v in (1.0, 0.0) for w in (-1.5, 0.0, 1.5)]
    plan = HybridAStar(CURVE, model=cart, actions=actions, dt=0.1, steps=5, tolerance=0.3).plan(problem)
    assert plan.cost < float(CURVE.distance(problem.start, problem.goal))
    assert 0.0 < plan.lower_bound <= float(problem.distance(problem.start, problem.goal)) - 0.3


def test_a_trailer_backs_around_a_corner_without_a_jackknife() -> None:
    grid = OccupancyGrid.from_occupied(np.pad(np.zeros((58, 88), dtype=bool), 1, constant_values=True), 0.5)
    rig = truck(wheelbase=2.5, trailer_length=4.0)
    cab, trailer = Footprint.rectangle(4.0, 2.0, (1.3, 0.0)), Footprint.rectangle(5.0, 2.0, (-2.5, 0.0))

    def touching(x: Any, u: Any, p: Any, m: Any) -> Any:
        bodies = (cab, x[2]), (trailer, x[3])
        room = [g for body, yaw in bodies for g in body.constraint(x[0], x[1], yaw, p.field, m)]
        return [*room, math.cos(0.9) - m.cos(x[2] - x[3])]

    field = grid.obstacles().field

    @task(state=rig.state, action=Space(), params={"field": field}, constraint=touching)
    def yard(x: Any, u: Any, p: Any, m: Any) -> Any:
        return 0.0

    space = rig.state.bounded({"x": (0.0, 45.0), "y": (0.0, 30.0)})
    start, goal = [12.0, 20.0, 0.0, 0.0], [22.0, 12.0, 1.57, 1.57]
    problem = Problem(space, start, goal, yard(), world=grid, resolution=0.2)
    steer = math.atan(2.5 / 4.0)
    actions = [[v, s] for v in (1.0, -1.0) for s in (-steer, 0.0, steer)]
    planner = HybridAStar(ReedsShepp(4.0), weight=3.0, model=rig, actions=actions, dt=0.25, steps=8, tolerance=0.8)
    plan = planner.plan(problem)
    assert plan.ok, plan.reason
    assert plan.xs is not None
    assert plan.us is not None
    xs = rig.rollout(problem.start, plan.us, 0.25)
    np.testing.assert_allclose(xs, plan.xs, atol=1e-9)
    assert (plan.us[:, 0] < 0.0).any()
    assert np.cos(xs[:, 2] - xs[:, 3]).min() >= math.cos(0.9)
    assert grid.clearance(xs[:, [0, 1, 2]], cab).min() > 0.0
    assert grid.clearance(xs[:, [0, 1, 3]], trailer).min() > 0.0
    assert float(problem.distance(xs[-1], problem.goal)) <= 0.8


LOADED = Space(
    "x [m] in [-5, 125]", "y [m] in [-5, 5]", "yaw: angle", "speed [m/s] in [0, 3]", "a b c d [kg] in [0, 10]"
)


@dynamics(state=LOADED, action=Space("accel [m/s^2]", "rate [rad/s]"))
def loaded(x: Any, u: Any, p: Any, m: Any) -> Any:
    return x[3] * m.cos(x[2]), x[3] * m.sin(x[2]), u[1], u[0], 0.0, 0.0, 0.0, 0.0


def on_road(speed: float) -> Problem:
    """120 m straight ahead, for a vehicle with eight components in its state."""
    goal = LOADED.bounded({"x": (119.0, 121.0), "y": (-1.0, 1.0)})
    return Problem(LOADED, [0.0, 0.0, 0.0, speed, 5.0, 5.0, 5.0, 5.0], goal, resolution=1.0)


def test_states_of_many_components_share_no_cell_far_apart() -> None:
    """navigation2 #4284: the index of a cell overflowed on large maps, and cells far apart became one."""
    only = HybridAStar(CURVE, model=loaded(), actions=[[0.0, 0.0]], dt=0.1, steps=10)
    plan = only.plan(on_road(1.0))
    assert plan.ok, plan.reason
    assert plan.xs is not None
    np.testing.assert_allclose(np.diff(plan.xs[:, 0]), 0.1)


def test_motions_are_as_long_as_those_from_the_start() -> None:
    """Actions without acceleration move a vehicle that drives, not one at rest, which is told."""
    steered = HybridAStar(CURVE, model=loaded(), actions=[[0.0, 0.0], [0.0, 0.1], [0.0, -0.1]], dt=0.1, steps=10)
    assert steered.plan(on_road(2.0)).ok
    with pytest.raises(SettingError, match="do not move"):
        steered.plan(on_road(0.0))


@pytest.mark.parametrize(("size", "width"), [(3, 40), (8, 4)])
def test_cells_have_keys_of_their_own(size: int, width: int) -> None:
    key = cell_of.entry("cell_key", "i8(f8[:,::1], f8[::1], f8)").compiled
    cells, half = np.array([np.zeros(size), np.ones(size)]), width // 2
    states = np.stack(np.meshgrid(*[np.arange(-half, half) + 0.2] * size), axis=-1).reshape(-1, size)
    keys = {key(cells, x, gear) for x in states for gear in (1.0, -1.0)}
    assert len(keys) == 2 * len(states)
