"""Sampling planners: costs that tend to known optima, paths that replay, and roadmaps that are graphs."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import Dynamics, PilotageError, PlanStatus, Problem, SettingError, Space
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import dynamics, task, unicycle
from pilotage.models.trace.driver import ENTRIES
from pilotage.planners import (
    PRM,
    RRT,
    SST,
    BITStar,
    Dijkstra,
    Dubins,
    InformedRRTStar,
    KinodynamicRRT,
    LazyPRM,
    PRMStar,
    ReedsShepp,
    RRTConnect,
    RRTStar,
)
from pilotage.planners.sampling import _nearest, _propagation, _query, _tree
from pilotage.planners.sampling._bound import Floor
from pilotage.planners.sampling._draws import Draws, halton
from pilotage.planners.sampling._problem import compiled
from pilotage.planners.sampling._query import Query, begun
from pilotage.planners.sampling._tree import Tree, TreeSearch
from pilotage.planners.sampling.rrt import grow
from pilotage.testing import check_planner

PLANE = Space("x y [m] in [-3, 3]")
AROUND = 2.0 * (math.sqrt(3.0) + math.pi / 6.0)
"""The shortest way around a disc of radius 1 from (-2, 0) to (2, 0): two tangents and an arc of 60 degrees."""
YARD = OccupancyGrid.from_ascii(
    ["..........", "..........", "...####...", "...####...", "..........", ".........."], resolution=0.5
).refined(4)
POSES = Space("pose: SE2")
ROBOT = unicycle()
CONTROLS = ROBOT.action.bounded({"speed": (0.0, 1.0), "yaw_rate": (-1.0, 1.0)})


@task(state=PLANE, action=Space(), constraint=lambda x, u, p, m: 1.0 - m.hypot(x[0], x[1]))
def disc(x: Any, u: Any, p: Any, m: Any) -> Any:
    return 0.0


def around() -> Problem:
    return Problem(PLANE, [-2.0, 0.0], [2.0, 0.0], disc(), resolution=0.01)


def yard(footprint: Footprint | None = None, **changes: Any) -> Problem:
    return YARD.problem([0.5, 1.5, 0.0], [4.5, 1.5, 0.0], footprint or Footprint.rectangle(0.4, 0.3), **changes)


OPTIMAL = {
    "RRTStar": RRTStar(iterations=6000),
    "RRTStar by radius": RRTStar(iterations=6000, neighbours="radius"),
    "RRTStar, halton": RRTStar(iterations=6000, samples="halton"),
    "InformedRRTStar": InformedRRTStar(iterations=4000),
    "BITStar": BITStar(iterations=3000),
    "BITStar by radius": BITStar(iterations=3000, neighbours="radius"),
    "BITStar, halton": BITStar(iterations=3000, samples="halton"),
    "PRMStar": PRMStar(size=4000),
    "LazyPRM": LazyPRM(size=4000, samples="halton"),
}
EVERY = {
    "RRT": RRT(),
    "RRTStar": RRTStar(iterations=700),
    "InformedRRTStar": InformedRRTStar(iterations=700),
    "BITStar": BITStar(iterations=400),
    "PRM": PRM(size=600),
    "PRMStar": PRMStar(size=300),
    "LazyPRM": LazyPRM(size=500),
}


@pytest.mark.parametrize("name", OPTIMAL)
def test_costs_tend_to_the_optimum(name: str) -> None:
    plan = OPTIMAL[name].plan(around(), rng=1)
    assert AROUND * (1.0 - 1e-3) < plan.cost < 1.015 * AROUND  # points 0.01 apart may cut the disc by a little
    costs = plan.stats["history"][:, 1]
    assert (np.diff(costs) < 0.0).all()
    assert costs[-1] == plan.cost


def test_more_samples_cost_less() -> None:
    for planner in (RRTStar, InformedRRTStar, BITStar):
        few, many = (planner(iterations=n).plan(around(), rng=0).cost for n in (500, 8000))
        assert many < few
        assert many < 1.01 * AROUND


@pytest.mark.parametrize("name", EVERY)
def test_the_contract_on_every_kind_of_space(name: str) -> None:
    planner = EVERY[name]
    check_planner(planner, around())
    check_planner(planner, yard(space=POSES))
    check_planner(planner, Problem(Space("q: quaternion"), [1, 0, 0, 0], [0, 0.6, 0.8, 0]))
    arm = Space("a: angle", "b: angle", "c [m] in [0, 1]")
    check_planner(
        planner, Problem(arm, [0, 3, 0], [2, -3, 1], lambda x: 0.5 - abs(x[..., :1] - 1.0) - x[..., 2:], resolution=0.3)
    )


@pytest.mark.parametrize("name", [*EVERY, "KinodynamicRRT", "SST"])
def test_the_pace_of_the_clock_changes_no_plan(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two looks at it, drivers take a sample, or all of them."""
    with_controls: dict[str, Any] = {
        "KinodynamicRRT": KinodynamicRRT(ROBOT, controls=CONTROLS, dt=0.2, iterations=2000),
        "SST": SST(ROBOT, CONTROLS, dt=0.2, iterations=1000),
    }
    planner = with_controls.get(name) or EVERY[name]
    flat = Problem(Space("a b c [m] in [0, 1]"), [0, 0, 0], [1, 1, 1], lambda x: abs(x[..., :1] - x[..., 1:2]) - 0.3)
    for problem in [yard(space=ROBOT.state)] if name in with_controls else [around(), flat, yard(space=POSES)]:
        plans = list[Any]()
        for short, long in ((0.0, 0.0), (math.inf, math.inf)):
            for module in (_tree, _propagation):
                monkeypatch.setattr(module, "SHORT", short)
                monkeypatch.setattr(module, "LONG", long)
            plans.append(planner.plan(problem, rng=2))
        one, other = plans
        assert one.cost == other.cost
        assert one.ok
        for key in one.stats.keys() - {"seconds", "history"}:
            np.testing.assert_array_equal(one.stats[key], other.stats[key], key)
        np.testing.assert_array_equal(one.stats["history"][:, 1:], other.stats["history"][:, 1:])


@pytest.mark.parametrize("name", EVERY)
def test_a_budget_is_not_spent_on_compiling(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in ENTRIES:
        vars(each).pop("compiled", None)
    ready: list[set[str]] = []

    def clock() -> float:
        ready.append({each.__name__ for each in ENTRIES if "compiled" in vars(each)})
        return 0.0

    monkeypatch.setattr(_query, "time", SimpleNamespace(perf_counter=clock))
    assert EVERY[name].plan(around(), rng=1, budget=1.0).ok
    clock()
    assert ready[0] == ready[-1]


@pytest.mark.parametrize("steering", [ReedsShepp(0.5), Dubins(0.3)])
@pytest.mark.parametrize("planner", [RRT, RRTStar, InformedRRTStar, BITStar, PRM, LazyPRM])
def test_a_turning_circle_is_kept(planner: Any, steering: Any) -> None:
    sizes: Any = {RRT: {}, PRM: {"size": 1500, "neighbours": 15}, LazyPRM: {"size": 600}}
    made = planner(steering=steering, **sizes.get(planner, {"iterations": 600}))
    problem = yard(Footprint.disc(0.2), space=POSES, turning=0.3)
    plan = made.plan(problem, rng=0)
    assert problem.edges_allowed(plan.xs[:-1], plan.xs[1:]).all()
    twists = problem.space.minus(plan.xs[1:], plan.xs[:-1])
    assert abs(twists[:, 1]).max() < 1e-6, "a car does not move sideways"
    assert (abs(twists[:, 2]) <= abs(twists[:, 0]) / steering.radius + 1e-6).all()
    assert isinstance(steering, ReedsShepp) or (twists[:, 0] > 0.0).all()
    assert plan.cost == pytest.approx(problem.distance(plan.xs[:-1], plan.xs[1:]).sum())
    assert plan.stats["history"][-1, 1] == pytest.approx(plan.cost, abs=1e-6)
    assert plan.lower_bound <= plan.cost


def test_steering_on_free_ground_is_one_curve() -> None:
    hall = OccupancyGrid.from_ascii(["........"] * 6)
    curve = Dubins(0.7)
    problem = hall.problem([1, 1, 0], [6, 4, 2.0], space=POSES)
    best = curve.connect(problem.start, problem.goal)
    for planner in (RRTStar, BITStar):
        plan = planner(steering=curve, iterations=1500).plan(problem, rng=0)
        length = problem.distance(best.xs[:-1], best.xs[1:]).sum()
        assert plan.cost <= length * (1.0 + 1e-9)


@pytest.mark.parametrize("planner", [PRM(size=800), PRMStar(size=500), LazyPRM(size=500)])
def test_queries_of_roadmaps_are_graph_searches(planner: Any) -> None:
    roadmap = planner.roadmap(around(), rng=3)
    rng = np.random.default_rng(0)
    for _ in range(5):
        a, b = rng.choice(len(roadmap.states), 2, replace=False)
        plan = roadmap.plan(roadmap.states[a], roadmap.states[b])
        best = Dijkstra().plan(roadmap.graph, int(a), int(b))
        # A lazy roadmap has no blocked ways on its shortest path once it has answered.
        assert plan.ok == best.ok
        if plan.ok and isinstance(planner, PRMStar):
            assert plan.cost <= best.cost + 1e-9
        assert not plan.ok or around().edges_allowed(plan.xs[:-1], plan.xs[1:]).all()


def test_a_query_from_a_state_of_the_roadmap_costs_what_the_graph_says() -> None:
    roadmap = PRMStar(size=400).roadmap(around(), rng=0)
    allowed = roadmap.edges[around().edges_allowed(*roadmap.states[roadmap.edges.T])]
    assert len(allowed) == len(roadmap.edges)
    lengths = np.linalg.norm(np.diff(roadmap.states[roadmap.edges], axis=1)[:, 0], axis=-1)
    np.testing.assert_allclose(roadmap.graph.lengths.sum(), lengths.sum())
    before = len(roadmap.states), len(roadmap.edges)
    first = roadmap.plan([-2.0, 0.0], [2.0, 0.0])
    again = roadmap.plan([-2.0, 0.0], [2.0, 0.0])
    assert (len(roadmap.states), len(roadmap.edges)) == before
    np.testing.assert_array_equal(first.xs, again.xs)


def test_lazy_roadmaps_answer_alike_and_check_less() -> None:
    lazy, full = (planner(size=1000).plan(around(), rng=0) for planner in (LazyPRM, PRMStar))
    np.testing.assert_array_equal(lazy.xs, full.xs)
    assert lazy.stats["checks"] < 0.1 * full.stats["checks"]


@pytest.mark.parametrize("planner", [KinodynamicRRT, SST])
def test_kinodynamic_plans_replay(planner: Any) -> None:
    problem = yard(Footprint.disc(0.15), space=ROBOT.state)
    made = planner(ROBOT, CONTROLS, tolerance=0.4, iterations=8000)
    plan = made.plan(problem, rng=0)
    np.testing.assert_array_equal(plan.xs, ROBOT.rollout(problem.start, plan.us, 0.1))
    np.testing.assert_allclose(plan.ts, 0.1 * np.arange(len(plan.xs)))
    assert problem.edges_allowed(plan.xs[:-1], plan.xs[1:]).all()
    assert problem.distance(plan.xs[-1], problem.goal) <= 0.4
    assert (plan.stats["history"][:, 2] == plan.lower_bound).all()
    assert np.asarray(CONTROLS.contains(plan.us)).all()
    region = Problem(problem.space, problem.start, problem.space.bounded(x=(4, 5), y=(1, 2)), problem.constraint)
    check_planner(made, region)


class Cart(Dynamics):
    """A model that is no formula."""

    state, action = PLANE, Space("vx vy [m/s] in [-1, 1]")

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return x + dt * u


def test_any_dynamics_drives() -> None:
    goal = PLANE.bounded(x=(1.5, 2.5), y=(-0.5, 0.5))
    plan = KinodynamicRRT(Cart(), steps=(5, 15)).plan(Problem(PLANE, [-2, 0], goal, disc()), rng=0)
    np.testing.assert_array_equal(plan.xs, Cart().rollout(plan.xs[0], plan.us, 0.1))
    with pytest.raises(PilotageError, match="space=dynamics.state"):
        KinodynamicRRT(ROBOT).plan(around())
    with pytest.raises(PilotageError, match="controls of SST"):
        SST(ROBOT, Space("x")).plan(yard(space=ROBOT.state))


def test_sst_gets_cheaper_and_stays_sparse() -> None:
    problem = Problem(PLANE, [-2, 0], PLANE.bounded(x=(1.8, 2.2), y=(-0.2, 0.2)), disc())
    few, many = (SST(Cart(), iterations=n, steps=(1, 10)).plan(problem, rng=2) for n in (2500, 10_000))
    assert many.cost < few.cost
    assert (np.diff(many.stats["history"][:, 1]) < 0.0).all()
    timed = SST(Cart(), iterations=2500, steps=(1, 10), cost="time").plan(problem, rng=0)
    assert timed.cost == pytest.approx(timed.ts[-1])


def test_trees_are_trees_of_allowed_edges() -> None:
    for planner in (RRT(), RRTStar(iterations=1500), InformedRRTStar(iterations=1500), BITStar(iterations=800)):
        problem = around()
        stats = planner.plan(problem, rng=0).stats
        nodes, parents = stats["tree"], stats["parents"]
        assert (parents[1:] >= 0).all() and parents[0] == -1
        assert problem.edges_allowed(nodes[parents[1:]], nodes[1:]).all()


def test_failures_say_why() -> None:
    shut = OccupancyGrid.from_ascii(["...#...", "...#...", "...#..."])
    apart = shut.problem([1, 1.5], [6, 1.5], Footprint.disc(0.3))
    for name, planner in EVERY.items():
        plan = planner.plan(apart, rng=0, budget=0.05)
        assert plan.status is PlanStatus.NO_PATH, name
        assert "another component of the map" in plan.reason
        assert plan.lower_bound == np.inf, name
        assert "9.00 m^2" in plan.reason
    ring = Problem(PLANE, [0, 0], [2, 2], lambda x: 0.5 - abs(np.hypot(x[..., :1], x[..., 1:]) - 1.5), resolution=0.05)
    plan = RRTStar(iterations=300).plan(ring, rng=0)
    assert plan.status is PlanStatus.BUDGET
    assert "300 samples" in plan.reason and " from it" in plan.reason
    several = Problem(PLANE, [-2, 0], [[0.0, 0.0], [0.1, 0.0]], disc())
    assert "none of 2 goal states is allowed" in RRT().plan(several).reason
    with pytest.raises(PilotageError, match="SE2"):
        BITStar(steering=Dubins()).plan(around())
    with pytest.raises(PilotageError, match="not OccupancyGrid"):
        PRM().plan(YARD)  # type: ignore[arg-type]


def test_a_wall_proves_nothing_where_the_goal_is_reached_from_afar() -> None:
    wall = OccupancyGrid.from_ascii(["...#...", "...#...", "...#..."])
    problem = wall.problem([1, 1.5], [6, 1.5], Footprint.disc(0.3))
    near, far = (SST(Cart(), tolerance=reach, iterations=2).plan(problem, rng=0) for reach in (1.0, 4.0))
    assert near.status is PlanStatus.NO_PATH
    assert far.status is PlanStatus.BUDGET
    assert SST(Cart(), tolerance=4.0, iterations=2000).plan(problem, rng=0).ok


def test_a_path_that_is_refused_does_not_hide_others() -> None:
    """A user's function that looks at whole paths refuses the short ones; longer ones are found behind them."""

    def patient(x: np.ndarray) -> np.ndarray:
        return np.full(x.shape[:-1], x.ndim < 3 or len(x) > 24)

    planner = SST(Cart(), cost="time", tolerance=0.5, iterations=400, dt=0.2, steps=(1, 5))
    plans = [planner.plan(Problem(PLANE, [-2, 0], [-0.5, 0], None, f, None, 1.0), rng=1) for f in (None, patient)]
    assert len(plans[0].us) <= 24 < len(plans[1].us)


def test_sst_tends_to_the_fastest_way() -> None:
    """A cart from rest to rest: full thrust, then full brakes, which take ``2 v_top - v`` with ``v_top^2 = x + v^2/2``.

    The goal is a ball in the plane of x and v, and the oracle is the fastest of its states.
    """

    @dynamics(state=Space("x in [-1, 3]", "v in [-2, 2]"), action=Space("a in [-1, 1]"))
    def cart(x: Any, u: Any, p: Any, m: Any) -> Any:
        return [x[1], u[0]]

    reach, turn = 0.05, np.linspace(0.0, 2.0 * np.pi, 1001)
    x, v = 1.0 + reach * np.cos(turn), reach * np.sin(turn)
    fastest = (2.0 * np.sqrt(x + 0.5 * v**2) - v).min()
    planner = SST(cart(), dt=0.05, cost="time", tolerance=reach, iterations=40_000)
    costs = [planner.plan(Problem(cart().state, [0, 0], [1, 0]), rng=seed).cost for seed in range(3)]
    assert min(costs) >= fastest
    assert np.median(costs) <= 1.1 * fastest


@pytest.mark.parametrize("planner", [RRT, RRTStar, InformedRRTStar])
def test_planners_that_reach_goals_by_samples_need_some(planner: Any) -> None:
    with pytest.raises(SettingError, match="bias"):
        planner(bias=0.0)


@pytest.mark.parametrize("bias", [0.05, 0.3, 0.7, 0.9])
def test_as_many_samples_are_goals_as_the_bias_says(bias: float) -> None:
    query = begun(RRT(), around(), 0, None)
    assert isinstance(query, Query)
    _, targets = TreeSearch(query, grow, np.zeros(1), "uniform", bias)._block()
    assert (targets >= 0).mean() == pytest.approx(bias, abs=1e-3)


def test_an_interrupt_gives_the_best_so_far() -> None:
    def interrupted(*_: float) -> None:
        raise KeyboardInterrupt

    for planner in (RRTStar, BITStar):
        plan = planner(progress=interrupted).plan(around(), rng=0)
        assert plan.ok
        assert len(plan.stats["history"]) == 1


def test_progress_is_told_of_every_better_path() -> None:
    told: list[tuple[float, float]] = []
    plan = InformedRRTStar(iterations=2000, progress=lambda *now: told.append(now)).plan(around(), rng=0)
    np.testing.assert_array_equal([(t, c) for c, t in told], plan.stats["history"][:, :2])


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_no_path_is_cheaper_than_the_floor(seed: int) -> None:
    rng = np.random.default_rng(seed)
    space = Space("p: SE2", "q: SE3", "r: quaternion", "a: angle", "x").bounded({"x": (0, 1)})
    problem = Problem(space, space.sample(rng=rng), space.sample(rng=rng), weights=rng.uniform(0.2, 3.0, space.dim))
    floor, xs = Floor(problem), space.sample(5, rng=rng)
    length = problem.distance(xs[:-1], xs[1:]).sum()
    assert 0.0 < floor(xs[0], xs[-1]) <= length
    flat = Problem(PLANE, [0, 0], [1, 1], weights=[2.0, 1.0])
    assert Floor(flat)([0, 0], [1, 2]) == flat.distance([0, 0], [1, 2])


def test_a_path_may_be_shorter_than_the_move_between_poses() -> None:
    """The bound of `RRTConnect`: the length of one move from start to goal is none."""
    space = POSES.bounded({"pose.x": (-3, 3), "pose.y": (-3, 3)})
    problem = Problem(space, [0, 0, 0], [0, 2, 3.0], weights=[1.0, 1.0, 0.01])
    straight = space.interpolate(problem.start, [0, 0, 3.0], np.linspace(0, 1, 50))
    moved = np.array([[0, y, 3.0] for y in np.linspace(0, 2, 50)])
    xs = np.concatenate((straight, moved))
    assert problem.distance(xs[:-1], xs[1:]).sum() < problem.distance(problem.start, problem.goal)
    assert RRTConnect().plan(problem, rng=0).lower_bound <= problem.distance(xs[:-1], xs[1:]).sum()


def test_halton_is_its_definition_and_even() -> None:
    def inverse(i: int, base: int) -> float:
        digits = []
        while i:
            digits.append(i % base)
            i //= base
        return sum(d * base ** -(k + 1.0) for k, d in enumerate(digits))

    expected = [[inverse(i, b) for b in (2, 3, 5)] for i in range(8, 28)]
    np.testing.assert_allclose(halton(7, 20, 3), expected)
    problem = Problem(Space("x y in [0, 1]"), [0, 0], [1, 1])
    counts = [
        np.histogram2d(*Draws(problem, kind, np.random.default_rng(0)).take(6400).T, bins=20)[0].std()
        for kind in ("halton", "uniform")
    ]
    assert counts[0] < 0.3 * counts[1]


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30)
def test_informed_samples_are_those_that_can_improve(seed: int) -> None:
    rng = np.random.default_rng(seed)
    space = Space("x y z in [-3, 3]")
    problem = Problem(space, *space.sample(2, rng=rng), weights=rng.uniform(0.5, 2.0, 3))
    cost = 1.2 * float(problem.distance(problem.start, problem.goal))
    xs = Draws(problem, "uniform", rng).promising(200, problem.start[None], problem.goal[None], cost)
    assert len(xs) == 200
    assert (problem.distance(problem.start, xs) + problem.distance(xs, problem.goal) < cost).all()
    assert np.asarray(space.contains(xs)).all()


@given(seed=st.integers(0, 1000), most=st.integers(1, 30))
@settings(max_examples=20)
def test_neighbours_are_brute_force(seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    space = Space("x in [0, 9]", "yaw: angle", "y in [-2, 1]")
    problem = Problem(space, *space.sample(2, rng=rng), weights=rng.uniform(0.3, 3.0, 3))
    world, count = compiled(problem, 0.4), int(rng.integers(1, 500))
    tree, found, costs = Tree(compiled(problem, None)), np.empty(most, dtype=np.int64), np.empty(most)
    tree.nodes[:count] = space.sample(count, rng=rng)
    tree.rehash(count)
    for x, radius in itertools.product(space.sample(5, rng=rng), (math.inf, 1.5)):
        n = _nearest.neighbours.compiled(
            world.world, False, tree.hashing, tree.nodes, tree.heads, tree.chains, x, most, radius, found, costs
        )
        expected = np.sort(problem.distance(tree.nodes[:count], x))
        np.testing.assert_allclose(costs[:n], expected[expected < radius][:most], atol=1e-12)
        np.testing.assert_allclose(problem.distance(tree.nodes[found[:n]], x), costs[:n], atol=1e-12)
