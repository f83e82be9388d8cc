"""Costmaps against Nav2's formula cell by cell; changes of layers against costmaps from scratch."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core.errors import PilotageError
from pilotage.maps import Costmap, Footprint, ObstacleLayer, OccupancyGrid
from pilotage.planners import AStar, Dijkstra, JumpPointSearch, cost_to_go

GRID = OccupancyGrid.from_ascii(["............", ".....#......", "...........?", "............"], 0.1, (1.0, 2.0, 0.3))
SHAPE = GRID.shape


def nav2(lethal: np.ndarray, unknown: np.ndarray, inscribed: float, radius: float, decay: float) -> np.ndarray:
    """The inflation layer as Nav2 writes it: every cell for itself, distances in cells."""
    cost = np.zeros(lethal.shape, dtype=np.uint8)
    for cell in np.ndindex(lethal.shape):
        d = min((math.dist(cell, other) for other in np.argwhere(lethal)), default=math.inf)
        if d == 0.0:
            cost[cell] = 254
        elif d <= math.ceil(round(radius / 0.1, 9)):
            near = d * 0.1 <= inscribed + 1e-12
            cost[cell] = 253 if near else int(252 * math.exp(-decay * (d * 0.1 - inscribed)))
        if unknown[cell] and cost[cell] < 253:
            cost[cell] = 255
    return cost


@given(
    seed=st.integers(0, 10_000),
    share=st.sampled_from([0.0, 0.05, 0.4]),
    inscribed=st.sampled_from([0.0, 0.1, 0.25]),
    radius=st.sampled_from([0.25, 0.4, 0.63]),
    decay=st.sampled_from([0.0, 3.0, 10.0]),
)
def test_costs_are_those_of_nav2(seed: int, share: float, inscribed: float, radius: float, decay: float) -> None:
    rng = np.random.default_rng(seed)
    p = rng.choice([0.0, 1.0, np.nan], (7, 9), p=[0.95 - share, share, 0.05])
    grid = OccupancyGrid.from_probability(p, 0.1)
    found = Costmap(grid, (), inscribed, radius, decay)
    expected = nav2(grid.occupied, grid.unknown, inscribed, radius, decay)
    np.testing.assert_array_equal(found.cost, expected)
    np.testing.assert_array_equal(found.occupied, (expected == 253) | (expected == 254))
    np.testing.assert_array_equal(found.unknown, expected == 255)
    np.testing.assert_array_equal(found.free, expected < 253)


@given(seed=st.integers(0, 10_000))
def test_changed_layers_give_the_costmap_from_scratch_and_leave_no_ghosts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    present = start = Costmap(GRID, inscribed=0.12, radius=0.4)
    kept = present.cost.copy()
    for _ in range(6):
        boxes = GRID.with_occupied(rng.random(SHAPE) < rng.choice([0.0, 0.05, 0.5]))
        zone = np.where(rng.random(SHAPE) < 0.2, rng.integers(0, 255, SHAPE), 0)
        layers = [boxes, zone][: rng.integers(3)]
        present = present.with_layers(*layers)
        np.testing.assert_array_equal(present.cost, Costmap(GRID, layers, inscribed=0.12, radius=0.4).cost)
    np.testing.assert_array_equal(present.with_layers().cost, kept)
    np.testing.assert_array_equal(start.cost, kept)


@given(seed=st.integers(0, 10_000))
def test_changes_here_and_there_on_a_large_map_give_the_costmap_from_scratch(seed: int) -> None:
    """Obstacles come and go, at the edges too, on a map many times as large as the distance at which costs end."""
    rng = np.random.default_rng(seed)
    grid = OccupancyGrid.from_occupied(rng.random((50, 70)) < 0.01, 0.1)
    present = Costmap(grid, inscribed=0.1, radius=float(rng.choice([0.1, 0.25, 0.7])))
    for _ in range(4):
        mask = np.zeros(grid.shape, dtype=bool)
        mask[tuple(rng.integers([0, 0], grid.shape, (rng.integers(6), 2)).T)] = True
        present = present.with_layers(OccupancyGrid.from_occupied(mask, 0.1))
        scratch = Costmap(grid, present.layers, present.inscribed, present.radius)
        np.testing.assert_array_equal(present.cost, scratch.cost)


def test_an_obstacle_that_a_lidar_sees_raises_costs_until_it_has_gone() -> None:
    grid = OccupancyGrid.from_occupied(np.zeros((21, 61), dtype=bool), 0.1)
    layer, costmap = ObstacleLayer(grid, reach=10.0), Costmap(grid)
    pose, ahead = [0.55, 1.05, 0.0], [0.0]
    for _ in range(3):
        layer = layer.seen(pose, [2.0], ahead, max_range=10.0)
    seen = costmap.with_layers(layer)
    assert seen.cost[10, 25] == 254
    assert seen.cost[12, 25] == 253
    assert 0 < seen.cost[14, 25] < 253
    for _ in range(20):
        layer = layer.seen(pose, [np.inf], ahead, max_range=10.0)
    assert not seen.with_layers(layer).cost.any()


def test_planners_use_the_costs_of_a_costmap_and_pay_what_they_say() -> None:
    wall = np.zeros((40, 60), dtype=bool)
    wall[:18, 30] = wall[21:30, 30] = True  # a narrow gap, and a wide one farther away
    costmap = Costmap(OccupancyGrid.from_occupied(wall, 0.1), inscribed=0.05, radius=0.9, decay=2.0, weight=20.0)
    start, goal = (1.05, 1.95), (4.95, 1.95)
    given = AStar().plan(costmap, start, goal, costs=np.ones(costmap.shape))
    plan = AStar().plan(costmap, start, goal)
    assert given.cost == pytest.approx(3.9)
    assert plan.xs is not None
    assert plan.xs[:, 1].max() > 3.0
    cells = costmap.world_to_cell(plan.xs)
    c = costmap.costs[cells[:, 0], cells[:, 1]]
    steps = np.linalg.norm(np.diff(plan.xs, axis=0), axis=-1)
    assert plan.cost == pytest.approx(float((0.5 * (c[1:] + c[:-1]) * steps).sum()))
    assert plan.cost == pytest.approx(Dijkstra().plan(costmap, start, goal).cost)
    assert plan.cost == pytest.approx(float(cost_to_go(costmap, goal).at(plan.xs[0])))
    with pytest.raises(PilotageError, match="needs the cost 1"):
        JumpPointSearch().plan(costmap, start, goal)


def test_the_problem_of_a_costmap_is_that_of_the_map_with_all_layers() -> None:
    """Both forbid the same states and edges; obstacles of a layer count, costs below 254 do not."""
    zones = np.zeros(SHAPE)
    zones[1:3, 7:9], zones[3, :] = 254, 200
    costmap, robot = Costmap(GRID, [zones], inscribed=0.03), Footprint.rectangle(0.2, 0.1)
    merged = GRID.with_occupied(zones == 254)
    start, goal = (merged.cell_to_world(cell) for cell in np.argwhere(merged.free)[[0, -1]])
    x = GRID.cell_to_world(np.random.default_rng(0).uniform(0, SHAPE, (300, 2)))
    for shape in (Footprint.disc(0.03), robot):
        states = x if not shape.turns else np.column_stack([x, np.linspace(-3.0, 3.0, 300)])
        ends = [np.append(end, np.zeros(states.shape[1] - 2)) for end in (start, goal)]
        mine, theirs = costmap.problem(*ends, shape), merged.problem(*ends, shape)
        np.testing.assert_array_equal(mine.allowed(states), theirs.allowed(states))
        assert 0 < mine.allowed(states).sum() < 300
    assert costmap.problem(start, goal).footprint == Footprint.disc(0.03)


def test_a_costmap_is_pickled() -> None:
    costmap = Costmap(GRID, [np.full(SHAPE, 7)])
    for again in (pickle.loads(pickle.dumps(costmap)), copy.deepcopy(costmap)):
        np.testing.assert_array_equal(again.cost, costmap.cost)
        assert not again.layers[0].flags.writeable  # costs are computed once


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Costmap(np.zeros((3, 3))), "OccupancyGrid is needed"),  # type: ignore[arg-type]
        (lambda: Costmap(GRID, [OccupancyGrid.from_ascii("...")]), "must have the cells of the map"),
        (lambda: Costmap(GRID, [np.full(SHAPE, 255)]), "whole numbers from 0 to 254"),
        (lambda: Costmap(GRID, [np.full(SHAPE, 0.5)]), "whole numbers from 0 to 254"),
        (lambda: Costmap(GRID, [np.full(SHAPE, np.nan)]), "whole numbers from 0 to 254"),
        (lambda: Costmap(GRID, inscribed=0.6, radius=0.5), r"radius 0\.5 m < inscribed 0\.6 m"),
        (lambda: Costmap(GRID, decay=-1.0), "decay"),
    ],
)
def test_what_makes_no_costmap_is_a_sentence(make: object, sentence: str) -> None:
    with pytest.raises(PilotageError, match=sentence):
        make()  # type: ignore[operator]


def test_unknown_cells_beside_a_wall_are_no_cheaper_than_free_ones() -> None:
    """ros-planning/navigation #28: paths were led through unknown cells, which hid the cost of the wall beside them."""
    wall, free, dim = "#" * 12, "." * 12, "?" * 12
    half = Costmap(OccupancyGrid.from_ascii([wall, *[free] * 3, *[dim] * 2, *[free] * 2], 0.1), (), 0.05, 0.6, 3.0)
    known = Costmap(OccupancyGrid.from_ascii([wall, *[free] * 7], 0.1), (), 0.05, 0.6, 3.0)
    np.testing.assert_array_equal(half.costs, known.costs)
    assert (half.cost[2:4] == 255).all(), "as in Nav2"
    ends = (0.05, 0.65), (1.15, 0.65)
    np.testing.assert_array_equal(AStar(unknown="free").plan(half, *ends).xs, AStar().plan(known, *ends).xs)
    zones = np.full(half.shape, 100)
    assert half.with_layers(zones).costs.min() == pytest.approx(1.0 + 3.0 * 100 / 252), "zones hold in unknown cells"
