"""The free space of a sphere in an octree, against distances to all blocked voxels, and plans through it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pilotage.core import Problem, Space
from pilotage.core.errors import ModelError, PilotageError, SettingError, ShapeError
from pilotage.core.plan import PlanStatus
from pilotage.maps import OcTree, SphereConstraint, VoxelGraph
from pilotage.maps.octree_sphere import POINT, VoxelBox
from pilotage.planners import (
    AStar,
    Bidirectional,
    BreadthFirst,
    Dijkstra,
    GreedyBestFirst,
    JumpPointSearch,
    RRTConnect,
)
from pilotage.testing import check_planner

Array = NDArray[np.float64]
SIDE = 0.2


def random_box(seed: int, share: float = 0.08, shape: tuple[int, int, int] = (9, 8, 7)) -> VoxelBox:
    """A box with some blocked voxels, its first inner corner at the origin of the world."""
    blocked = np.random.default_rng(seed).random(shape) < share
    return VoxelBox(np.pad(blocked, 1, constant_values=True), SIDE, np.full(3, -SIDE))


def clearance(box: VoxelBox, points: Array) -> Array:
    """Distances ``(N,)`` to the nearest of all blocked voxels, one by one."""
    low = box.corner + np.argwhere(box.blocked) * box.resolution
    gap = np.maximum(np.maximum(low - points[:, None], points[:, None] - low - box.resolution), 0.0)
    return np.sqrt((gap**2).sum(-1)).min(1)


def inside(box: VoxelBox, count: int, seed: int) -> Array:
    """Random points in the box without its ring."""
    extent = (np.array(box.blocked.shape) - 2) * box.resolution
    return np.random.default_rng(seed).uniform(0.0, 1.0, (count, 3)) * extent


@pytest.mark.parametrize("reach", [0.25, 0.5, 5.0, np.inf])
def test_clearances_are_distances_to_cubes(reach: float) -> None:
    box = random_box(1, 0.02)
    cells = np.argwhere(np.ones(box.blocked.shape, dtype=bool))
    exact = np.minimum(clearance(box, box.corner + (cells + 0.5) * SIDE), reach).reshape(box.blocked.shape)
    np.testing.assert_allclose(box.clearances(reach), exact, atol=1e-6)


@pytest.mark.parametrize("radius", [0.0, 0.07, 0.1, 0.23])
def test_values_are_exact_near_obstacles_and_safe_elsewhere(radius: float) -> None:
    box = random_box(2)
    constraint = SphereConstraint(box, radius, POINT)
    points = inside(box, 2000, seed=3)
    exact, room = clearance(box, points) - radius, -constraint(points)[:, 0]
    free = exact + radius > 0.0
    assert (room <= exact + 1e-9).all() and (room[~free] < 0.0).all()
    near = free & (exact < 0.5 * SIDE)
    np.testing.assert_allclose(room[near], exact[near], atol=1e-9)
    assert (room[free & ~near] >= 0.5 * SIDE - 1e-6).all() and near.any() and (free & ~near).any()
    outside = constraint([[-0.3, 0.5, 0.5], [0.5, 9.0, 0.5], [np.nan, 0.5, 0.5]])[:, 0]
    assert (outside[:2] > 0.0).all() and np.isnan(outside[2])


@pytest.mark.parametrize("radius", [0.0, 0.1])
def test_an_edge_is_allowed_if_all_of_it_is_clear(radius: float) -> None:
    box = random_box(4, 0.03)
    constraint = SphereConstraint(box, radius, POINT)
    a, b = inside(box, 400, seed=5), inside(box, 400, seed=6)
    allowed = constraint.edges_allowed(a, b)
    shares = np.linspace(0.0, 1.0, 401)[:, None]
    worst = np.array([clearance(box, p + shares * (q - p)).min() for p, q in zip(a[:50], b[:50], strict=True)])
    assert (worst[allowed[:50]] >= radius - 1e-9).all()
    # Forbidden ones come too near somewhere, up to the slack and what lies between two of the points.
    assert (worst[~allowed[:50]] <= radius + 1e-3 * SIDE + 5e-3).all()
    assert 5 < allowed[:50].sum() < 45
    np.testing.assert_array_equal(constraint.edges_allowed(b, a), allowed)
    assert constraint.edges_allowed(a[:4].reshape(2, 2, 3), b[0]).shape == (2, 2)


def building() -> OcTree:
    """Two rooms of free voxels, a wall with a window between, and unknown space around."""
    tree = OcTree(SIDE)
    axes = np.arange(20), np.arange(10), np.arange(8)
    keys = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    window = (keys[:, 0] == 10) & (abs(keys[:, 1] - 4.5) < 3) & (abs(keys[:, 2] - 4) < 2)
    wall = (keys[:, 0] == 10) & ~window
    tree.update((keys + 0.5) * SIDE, wall)
    return tree


START, GOAL = (0.7, 1.1, 0.7), (3.3, 1.1, 0.7)


@pytest.mark.parametrize("radius", [0.0, 0.1, 0.25])
def test_searches_find_the_shortest_way_through_a_window(radius: float) -> None:
    problem: Any = building().problem(START, GOAL, radius)
    plan, other = AStar().plan(problem), Dijkstra().plan(problem)
    assert plan.ok and plan.space is not None and plan.xs is not None and plan.space.names == ("x", "y", "z")
    assert plan.cost == pytest.approx(other.cost) and plan.stats["expansions"] < other.stats["expansions"]
    assert Bidirectional().plan(problem).cost == pytest.approx(plan.cost)
    assert AStar(weight=2.0).plan(problem).cost <= 2.0 * plan.cost + 1e-9
    for planner in (BreadthFirst(), GreedyBestFirst()):
        assert planner.plan(problem).cost >= plan.cost - 1e-9
    np.testing.assert_allclose(plan.xs[[0, -1]], [START, GOAL], atol=0.5 * SIDE)
    length = np.linalg.norm(np.diff(plan.xs, axis=0), axis=1).sum()
    assert plan.cost == pytest.approx(length) and problem.edges_allowed(plan.xs[:-1], plan.xs[1:]).all()
    shares = np.linspace(0.0, 1.0, 50)[:, None]
    along = np.concatenate([p + shares * (q - p) for p, q in zip(plan.xs[:-1], plan.xs[1:], strict=True)])
    assert clearance(problem.constraint.box, along).min() >= radius - 1e-6


def test_sampling_planners_pass_the_window() -> None:
    problem = building().problem(START, GOAL, 0.15)
    plan = RRTConnect().plan(problem, rng=0)
    assert plan.ok and plan.xs is not None and problem.edges_allowed(plan.xs[:-1], plan.xs[1:]).all()
    assert plan.cost >= np.linalg.norm(np.subtract(GOAL, START))


class Hidden:
    """The constraint of a sphere in another class, whose methods planners call."""

    def __init__(self, sphere: SphereConstraint) -> None:
        self.sphere, self.edges_allowed, self.describe = sphere, sphere.edges_allowed, sphere.describe

    def __call__(self, x: Any) -> Any:
        return self.sphere(x)


@pytest.mark.parametrize("names", ["x y z [m]", "z [m], x [m], y [m]"])
def test_trees_in_octrees_grow_without_a_call_of_python(names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given: Any = building().problem(START, GOAL, 0.15)
    space = Space(*names.split(", ")).bounded(x=(0.3, 3.7), y=(0.3, 1.9), z=(0.3, 1.9))
    start, goal = ([dict(zip("xyz", end, strict=True))[name] for name in space.names] for end in (START, GOAL))
    clear = SphereConstraint(given.constraint.box, 0.15, space)
    asked = RRTConnect().plan(Problem(space, start, goal, Hidden(clear)), rng=0)
    monkeypatch.setattr(SphereConstraint, "__call__", None)
    monkeypatch.setattr(SphereConstraint, "edges_allowed", None)
    plan = RRTConnect().plan(Problem(space, start, goal, clear), rng=0)
    np.testing.assert_array_equal(plan.xs, asked.xs)
    assert plan.stats["states"] == asked.stats["states"] > 5


@pytest.mark.parametrize("planner", [AStar(), Dijkstra(), RRTConnect()])
def test_plans_in_octrees_keep_the_contract(planner: Any) -> None:
    tree = building()
    start, goal = (np.floor(np.array([START, GOAL]) / SIDE) + 0.5) * SIDE  # searches lead from centre to centre
    check_planner(planner, tree.problem(start, goal, 0.1))


def test_no_way_leads_through_a_window_that_is_too_small() -> None:
    tree = building()
    plan = AStar().plan(tree.problem(START, GOAL, 0.45))
    assert plan.status is PlanStatus.NO_PATH and "no path leads" in plan.reason
    for start, said in (((2.1, 0.1, 0.1), "collision"), ((9.0, 1.0, 1.0), "out of bounds")):
        plan = AStar().plan(tree.problem(start, GOAL))
        assert plan.status is PlanStatus.INVALID and said in plan.reason
    assert "start" in AStar().plan(tree.problem((0.02, 0.02, 0.02), GOAL, 0.1)).reason
    assert AStar().plan(tree.problem(START, GOAL), budget=0.0).status is PlanStatus.BUDGET


def test_unknown_space_is_blocked_unless_it_is_said_to_be_free() -> None:
    tree = OcTree(SIDE)
    for x in (0.1, 1.5):
        tree.update([x, 0.1, 0.1], False)
    a, b = [0.1, 0.1, 0.1], [1.5, 0.1, 0.1]
    assert not AStar().plan(tree.problem(a, b)).ok
    assert AStar().plan(tree.problem(a, b, unknown="free")).cost == pytest.approx(1.4)
    assert AStar().plan(tree.problem(a, b, low=[0, 0, 0], high=[1.6, 0.2, 0.2], unknown="free")).cost > 1.3


def test_steps_cut_no_corner_and_no_estimate_is_too_high() -> None:
    free = np.pad(np.random.default_rng(7).random((5, 4, 4)) < 0.75, 1)
    graph = VoxelGraph(free, SIDE, [0.0, 0.0, 0.0])
    states = [int(s) for s in np.flatnonzero(free)]
    for state in states:
        here = np.array(np.unravel_index(state, free.shape))
        want: dict[int, float] = {}
        for other in states:
            there = np.array(np.unravel_index(other, free.shape))
            low, high = np.minimum(here, there), np.maximum(here, there)
            between = free[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))]
            if (high - low).max() == 1 and between.all():
                want[other] = float(np.linalg.norm(there - here)) * SIDE
        assert dict(graph.neighbours(state)) == pytest.approx(want)
    for a, b in np.random.default_rng(8).choice(states, (40, 2)).tolist():
        plan = Dijkstra().plan(graph, a, b)
        assert graph.heuristic(a, b) <= plan.cost + 1e-12
        assert AStar().plan(graph, a, b).cost == pytest.approx(plan.cost)
    assert graph.state([-0.1, 0.0, 0.0]) == -1 and -1 not in graph and states[0] in graph
    np.testing.assert_allclose([graph.state(p) for p in graph.points(states)], states)


def test_wrong_input_is_refused_in_a_sentence() -> None:
    tree = building()
    with pytest.raises(SettingError, match="radius"):
        tree.problem(START, GOAL, -0.1)
    with pytest.raises(SettingError, match="unknown"):
        tree.problem(START, GOAL, unknown="maybe")
    with pytest.raises(ShapeError, match="voxels"):
        tree.problem(START, GOAL, low=[-500.0] * 3, high=[500.0] * 3)
    with pytest.raises(ShapeError, match="voxels"):
        tree.box([-np.inf] * 3, [np.inf] * 3)
    with pytest.raises(ShapeError, match="empty"):
        OcTree(0.1).problem(START, GOAL)
    with pytest.raises(PilotageError, match="octrees too"):
        JumpPointSearch().plan(tree.problem(START, GOAL))
    with pytest.raises(ModelError, match="final"):
        type("Own", (SphereConstraint,), {})
    with pytest.raises(PilotageError, match="z"):
        Problem(Space("x y [m]"), [0, 0], [1, 1], SphereConstraint(random_box(1), 0.1, Space("x y [m]")))
    several = tree.problem(START, [GOAL, START])
    with pytest.raises(PilotageError, match="one goal"):
        AStar().plan(several)
