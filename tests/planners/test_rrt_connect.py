"""RRT-Connect: paths that another checker finds clear, on spaces of every kind, and reasons where there is none."""

from __future__ import annotations

import gc
import pickle
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import Gaussian, PilotageError, Plan, PlanStatus, Problem, Space
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import task
from pilotage.planners import AStar, Dubins, ReedsShepp, RRTConnect
from pilotage.planners.sampling import _nearest
from pilotage.planners.sampling._problem import FEW, compiled
from pilotage.planners.sampling._tree import Tree
from pilotage.testing import check_planner

from ..maps.polygons import gap, overlapping, placed, squares
from .vehicles import CAR, HALL, pose

POSE3 = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
PLANE = Space("x y [m] in [-3, 3]")


def inspect(plan: Plan, problem: Problem, footprint: Footprint, grid: OccupancyGrid) -> None:
    """Every tenth of a cell along the path, by separating axes against the squares around."""
    assert plan.ok
    assert plan.xs is not None
    np.testing.assert_allclose(plan.xs[0], problem.start)
    world = squares(grid, margin=3)
    hull = np.array(footprint.hull)
    for a, b in zip(plan.xs[:-1], plan.xs[1:], strict=True):
        steps = int(np.ceil(problem.distance(a, b) / (0.1 * grid.resolution))) + 1
        for x in problem.space.interpolate(a, b, np.linspace(0.0, 1.0, steps)):
            others = world[np.linalg.norm(world.mean(1) - x[:2], axis=-1) < footprint.radius + 3.0 * grid.resolution]
            if len(hull):
                assert not overlapping(placed(hull, x), others).any()
            elif len(others):
                assert gap(footprint, x, others) > 0.0
    assert plan.cost == pytest.approx(problem.distance(plan.xs[:-1], plan.xs[1:]).sum())
    assert plan.lower_bound <= plan.cost


@pytest.mark.parametrize("kind", ["flat", "group"])
def test_a_car_drives_through_a_door(kind: str) -> None:
    space = Space("x y [m]", "yaw: angle") if kind == "flat" else Space("pose: SE2")
    problem = HALL.problem(pose(3, 1), pose(19, 4.5, -2.0), CAR, space=space)
    for seed in range(3):
        plan = RRTConnect().plan(problem, rng=seed)
        inspect(plan, problem, CAR, HALL)
        assert plan.seed == seed
        np.testing.assert_allclose(plan.xs[-1], problem.goal)
        assert 0 < plan.stats["samples"] < 50_000


@pytest.mark.parametrize(("steering", "footprint"), [(ReedsShepp(0.8), CAR), (Dubins(0.4), Footprint.disc(0.3))])
def test_a_turning_circle_is_kept(steering: Dubins | ReedsShepp, footprint: Footprint) -> None:
    problem = HALL.problem(pose(3, 1), pose(19, 4.5, -2.0), footprint, space=Space("pose: SE2"))
    for seed in range(3):
        plan = RRTConnect(steering=steering).plan(problem, rng=seed)
        inspect(plan, problem, footprint, HALL)
        assert plan.xs is not None
        assert plan.us is not None
        np.testing.assert_allclose(plan.xs[-1], problem.goal)
        twists = problem.space.minus(plan.xs[1:], plan.xs[:-1])
        assert abs(twists[:, 1]).max() < 1e-6, "a car does not move sideways"
        assert (abs(twists[:, 2]) <= abs(twists[:, 0]) / steering.radius + 1e-6).all()
        if isinstance(steering, Dubins):
            assert (twists[:, 0] > 0.0).all()
        np.testing.assert_array_equal(np.sign(twists[:, 0]), plan.us[:, 0])


def test_steering_needs_poses() -> None:
    with pytest.raises(PilotageError, match="SE2"):
        RRTConnect(steering=ReedsShepp()).plan(HALL.problem(pose(3, 1), pose(19, 4.5, -2.0), CAR))


@pytest.mark.parametrize("kind", ["flat", "group"])
def test_a_goal_a_turn_away_is_the_same_goal(kind: str) -> None:
    space = Space("x y [m]", "yaw: angle") if kind == "flat" else Space("pose: SE2")
    turn = np.array([0.0, 0.0, 2.0 * np.pi])
    start, goal = pose(3, 1), pose(19, 4.5, -2.0)
    one, other = (HALL.problem(start + k * turn, goal - k * turn, CAR, space=space) for k in (0, 1))
    plans = [RRTConnect().plan(problem, rng=0) for problem in (one, other)]
    assert [plan.ok for plan in plans] == [True, True]
    np.testing.assert_allclose(plans[1].xs, plans[0].xs, atol=1e-9)


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), name=st.sampled_from(["disc", "discs", "triangle"]))
def test_paths_through_random_worlds(seed: int, name: str) -> None:
    shapes = {
        "disc": Footprint.disc(0.12),
        "discs": Footprint([[0.1, 0.0, 0.1], [-0.1, 0.0, 0.12]]),
        "triangle": Footprint.polygon([[0.25, 0.0], [-0.1, -0.15], [-0.1, 0.15]]),
    }
    rng = np.random.default_rng(seed)
    grid = OccupancyGrid.from_occupied(rng.random((16, 20)) < 0.06, 0.25, (0.0, 1.0, rng.uniform(-3, 3)))
    ends = np.column_stack((grid.grid_to_world(rng.uniform((1, 1), (19, 15), (2, 2))), rng.uniform(-3, 3, 2)))
    problem = grid.problem(*ends, shapes[name], space=Space("x y [m]", "yaw: angle"))
    plan = RRTConnect(samples=3000).plan(problem, rng=seed)
    if plan.ok:
        inspect(plan, problem, shapes[name], grid)
    else:
        assert plan.reason


def test_the_contract_of_planners_on_maps_and_elsewhere() -> None:
    planner = RRTConnect(samples=5000)
    check_planner(planner, HALL.problem(pose(3, 1), pose(19, 4.5, -2.0), CAR))
    check_planner(planner, ring())
    check_planner(planner, Problem(Space("q: quaternion"), [1, 0, 0, 0], [0, 0.6, 0.8, 0]))


def ring(**changes: object) -> Problem:
    """From one side of a disc of radius 1 to the other."""
    given = {"constraint": lambda x: 1.0 - np.hypot(x[..., :1], x[..., 1:]), "resolution": 0.02, **changes}
    return Problem(PLANE, [-2.0, 0.0], [2.0, 0.0], **given)  # type: ignore[arg-type]


def test_constraints_of_every_kind_find_the_same_path() -> None:
    """A traced task runs as machine code, functions are called back; the trees are the same."""

    @task(state=PLANE, action=Space("ux uy"), constraint=lambda x, u, p, m: 1.0 - m.hypot(x[0], x[1]))
    def disc(x, u, p, m):
        return 0.0

    paths = [
        RRTConnect().plan(problem, rng=4).xs
        for problem in (
            ring(),
            ring(constraint=disc()),
            ring(constraint=None, is_free=lambda x: np.hypot(x[..., 0], x[..., 1]) >= 1.0),
        )
    ]
    assert paths[0] is not None
    assert (
        np.hypot(
            *np.moveaxis(PLANE.interpolate(paths[0][:-1, None], paths[0][1:, None], np.linspace(0, 1, 50)), -1, 0)
        ).min()
        > 0.98
    )
    np.testing.assert_array_equal(paths[1], paths[0])
    np.testing.assert_array_equal(paths[2], paths[0])


def test_machine_code_is_kept_as_long_as_the_problem() -> None:
    @task(state=PLANE, action=Space("ux uy"), params={"radius": 1.0}, constraint=around)
    def disc(x, u, p, m):
        return 0.0

    problem = ring(constraint=disc())
    first, other, again = (RRTConnect(step=step).plan(problem, rng=4) for step in (0.3, 0.6, 0.3))
    assert first.stats["checks"] == again.stats["checks"] != other.stats["checks"]
    np.testing.assert_array_equal(again.xs, first.xs)
    one, two = compiled(problem, 0.3), compiled(problem, 0.3)
    assert one.machine is two.machine is not compiled(problem, 0.6).machine
    assert not any(np.shares_memory(one.world[k], two.world[k]) for k in (2, 7)), "queries may run at the same time"
    with pytest.raises(ValueError, match="read-only"):
        problem.weights[0] = 2.0
    called, gone = ring(), [weakref.ref(problem)]
    gone.append(weakref.ref(called))
    RRTConnect().plan(called, rng=0)
    del problem, called
    gc.collect()
    assert [each() for each in gone] == [None, None]


def around(x, u, p, m):
    return p.radius - m.hypot(x[0], x[1])


def test_errors_of_functions_arrive_and_nothing_is_lost() -> None:
    calls = []

    def strict(x: np.ndarray) -> np.ndarray:
        calls.append(x)
        if len(calls) > 20:
            raise RuntimeError("the sensor is off")
        return np.ones(x.shape[:-1], dtype=bool)

    with pytest.raises(RuntimeError, match="the sensor is off"):
        RRTConnect().plan(ring(constraint=None, is_free=strict, resolution=0.001), rng=0)
    assert RRTConnect().plan(ring(), rng=0).ok


def test_goals_may_be_regions_lists_and_beliefs() -> None:
    anyhow = HALL.problem(pose(3, 1), pose(19, 4.5)[:2], CAR)  # a point: any heading will do
    plan = RRTConnect().plan(anyhow, rng=1)
    inspect(plan, anyhow, CAR, HALL)
    np.testing.assert_allclose(plan.xs[-1, :2], pose(19, 4.5)[:2])
    region = ring(constraint=None)
    region = Problem(PLANE, region.start, PLANE.bounded(x=(1.5, 2.5), y=(-1, 1)))
    plan = RRTConnect().plan(region, rng=2)
    assert bool(region.goal.contains(plan.xs[-1]))
    several = Problem(PLANE, [-2, 0], [[2.0, 2.0], [0.5, 0.0], [-1.0, 0.0]], region.constraint)
    plan = RRTConnect().plan(several, rng=0)
    assert (several.goal == plan.xs[-1]).all(-1).any()
    believed = HALL.problem(Gaussian.of(Space("speed", "pose: SE2"), [1.0, *pose(3, 1)], std=0.1), pose(5, 4), CAR)
    np.testing.assert_allclose(RRTConnect().plan(believed, rng=0).xs[0], pose(3, 1))


def test_failures_say_why() -> None:
    inside = RRTConnect().plan(HALL.problem(pose(10.5, 1), pose(3, 1), CAR), rng=0)
    assert inside.status is PlanStatus.INVALID
    assert "start (" in inside.reason and "in collision by " in inside.reason
    beyond = RRTConnect().plan(HALL.problem(pose(3, 1), pose(40, 1), CAR), rng=0)
    assert beyond.status is PlanStatus.INVALID
    assert "goal (" in beyond.reason and "out of bounds: x is" in beyond.reason
    shut = RRTConnect(samples=300).plan(ring(constraint=lambda x: 1.0 - abs(x[..., :1] - 0.0)), rng=0)
    assert shut.status is PlanStatus.BUDGET
    assert "300 samples" in shut.reason and " 2." in shut.reason
    assert shut.stats["samples"] == 300
    assert shut.lower_bound == 4.0
    spent = RRTConnect().plan(ring(), budget=0.0)
    assert spent.status is PlanStatus.BUDGET
    assert spent.seed is not None
    # The seed that a plan names replays it.
    plan = RRTConnect().plan(ring())
    np.testing.assert_array_equal(RRTConnect().plan(ring(), rng=plan.seed).xs, plan.xs)
    at_once = RRTConnect().plan(Problem(PLANE, [1.0, 1.0], [1.0, 1.0]), rng=0)
    assert at_once.ok and at_once.cost == 0.0


@given(seed=st.integers(0, 1000), space=st.sampled_from(["flat", "group", "line"]))
@settings(max_examples=20)
def test_the_nearest_state_is_brute_force(seed: int, space: str) -> None:
    rng = np.random.default_rng(seed)
    made = {
        "flat": Space("x in [0, 9]", "yaw: angle", "y in [-2, 1]", "z in [0, 1]"),
        "group": Space("pose: SE2").bounded({"pose.x": (0, 5), "pose.y": (0, 5)}),
        "line": Space("x in [0, 9]"),
    }[space]
    problem = Problem(made, made.sample(rng=rng), made.sample(rng=rng), weights=rng.uniform(0.3, 3.0, made.dim))
    world = compiled(problem, step=0.4)
    tree = Tree(world, capacity=int(rng.choice([FEW, 2 * FEW])))
    states = made.sample(int(rng.integers(1, 300)), rng=rng)
    tree.plant(states, np.ones(len(states)))
    for x in made.sample(20, rng=rng):
        away = problem.distance(states, x)
        found, best = nearest(world, tree, x)
        assert best == pytest.approx(away.min(), abs=1e-12)
        assert away[found] == pytest.approx(away.min(), abs=1e-12)


def test_one_pose_has_one_step_however_it_is_declared() -> None:
    flat = Space("x y [m] in [0, 4]", "yaw: angle")
    group = Space("pose: SE2").bounded({"pose.x": (0, 4), "pose.y": (0, 4)})
    steps = [compiled(Problem(space, np.zeros(3), np.ones(3)), None).settings[0] for space in (flat, group)]
    assert steps[0] == steps[1] == pytest.approx(0.1 * np.sqrt(16 + 16 + np.pi**2))


def nearest(world, tree, x):
    """The search, which is no entry point of its own."""
    nodes, _, _, _, chains, heads, _, _, hashing = tree.arrays
    found, costs = np.zeros(1, dtype=np.int64), np.zeros(1)
    given = world.world, False, hashing, nodes, heads, chains, x, 1, np.inf, found, costs
    assert _nearest.neighbours.compiled(*given) == 1
    return found[0], costs[0]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: RRTConnect().plan(HALL), "not OccupancyGrid"),  # type: ignore[arg-type]
        (lambda: RRTConnect().plan(Problem(Space("x [m]"), [0.0], [1.0])), "x has no bounds"),
        (
            lambda: RRTConnect().plan(Problem(Space("p: SE3"), POSE3, POSE3 + [1, 0, 0, 0, 0, 0, 0])),
            "p.x has no bounds",
        ),
        (lambda: AStar().plan(ring()), "needs a problem on a grid"),
        (lambda: AStar().plan(HALL.problem(pose(3, 1), pose(5, 1), CAR)), "needs a round footprint"),
        (lambda: Problem(PLANE, None, [0, 0]), "start is missing"),
        (lambda: Problem(PLANE, [0, 0, 0], [0, 0]), "start"),
        (lambda: Problem(PLANE, [0, 0], [0, 0], weights=[1.0, -1.0]), "weights is"),
        (lambda: Problem(PLANE, [0, 0], Space("x")), "goal region"),
        (lambda: Problem(PLANE, [0, 0], [0, 0], resolution=0.0), "resolution is 0"),
    ],
)
def test_what_is_no_query_is_a_sentence(call: object, sentence: str) -> None:
    with pytest.raises(PilotageError, match=sentence):
        call()  # type: ignore[operator]


def test_cells_and_states_agree_on_what_a_round_robot_may_do() -> None:
    """A* over cells keeps the constraint that RRT-Connect checks along whole edges, for the same problem."""
    problem = HALL.problem(pose(3, 1)[:2], pose(19, 4)[:2], Footprint.disc(0.4))
    plan = AStar().plan(problem)
    assert plan.ok
    assert problem.edges_allowed(plan.xs[:-1], plan.xs[1:]).all()
    assert problem.allowed(PLANE.interpolate(plan.xs[:-1, None], plan.xs[1:, None], np.linspace(0, 1, 20))).all()
    assert RRTConnect().plan(problem, rng=0).cost > 0.95 * plan.cost


def test_problems_and_planners_go_to_other_processes() -> None:
    problem = HALL.problem(pose(3, 1), pose(19, 4.5), CAR)
    again = pickle.loads(pickle.dumps(problem))
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(RRTConnect())).plan(again, rng=1).xs, RRTConnect().plan(problem, rng=1).xs
    )
