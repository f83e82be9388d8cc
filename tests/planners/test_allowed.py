"""The law of planners: a problem allows every edge of a plan that is solved, whatever its constraint and its space."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import ModelError, PilotageError, Planner, Problem, Space
from pilotage.maps import Footprint, FootprintConstraint, OccupancyGrid
from pilotage.models import task
from pilotage.planners import AStar, Dijkstra, RRTConnect

SPACES = {
    "plane": Space("x y [m] in [-3, 3]"),
    "flat": Space("yaw: angle", "x y [m] in [-3, 3]"),
    "group": Space("pose: SE2").bounded({"pose.x": (-3, 3), "pose.y": (-3, 3)}),
}
YARD = OccupancyGrid.from_ascii(
    ["........", "...#....", "...#....", "...##...", "........"], resolution=1.0, origin=(0.0, 0.0, 0.3)
).refined(4)
ENDS = ((3.2, 8.8), 3.0), ((18.0, 11.2), -3.0)


class Fence:
    """A fence without thickness on x = 0 below y = `top`; beyond x = 1 a one-way street: no edge leads down."""

    def __init__(self, space: Space, top: float = 2.0) -> None:
        names = ("pose.x", "pose.y") if "pose.x" in space.names else ("x", "y")
        self.xy, self.top, self.asked = [space.index(name) for name in names], top, 0

    def __call__(self, x: Any) -> Any:
        x, y = np.moveaxis(np.asarray(x)[..., self.xy], -1, 0)
        return np.where((x == 0.0) & (y < self.top), 1.0, -1.0)[..., None]

    def edges_allowed(self, a: Any, b: Any) -> Any:
        self.asked += 1
        (ax, ay), (bx, by) = (np.moveaxis(np.asarray(end)[..., self.xy], -1, 0) for end in (a, b))
        crossing = (ax < 0.0) != (bx < 0.0)
        y = ay + (by - ay) * ax / np.where(crossing, ax - bx, 1.0)
        down = (by < ay) & (np.maximum(ax, bx) > 1.0)
        return ~((crossing & (y < self.top)) | down)

    def describe(self, x: Any) -> str:
        return ""


def problem(kind: str, space: Space, rng: np.random.Generator) -> Problem:
    """From the left to the right, around what a constraint of that kind forbids."""
    xy = Fence(space).xy
    start, goal = space.sample(2, rng=rng)
    start[xy], goal[xy] = [-2.0, -2.0], [2.0, rng.uniform(-2.0, 2.0)]

    @task(state=Space("x y [m]"), action=Space("ux uy"), constraint=lambda x, u, p, m: 1.0 - m.hypot(x[0], x[1]))
    def disc(x: Any, u: Any, p: Any, m: Any) -> Any:
        return 0.0

    def away(x: Any) -> Any:
        return 1.0 - np.linalg.norm(x[..., xy], axis=-1, keepdims=True)

    given: dict[str, Any] = {
        "none": {},
        "function": {"constraint": away},
        "free": {"is_free": lambda x: away(x)[..., 0] <= 0.0},
        "task": {"constraint": disc(reads=[space.names[i] for i in xy]).on(space)},
        "edges": {"constraint": Fence(space)},
        "edges and free": {"constraint": Fence(space), "is_free": lambda x: away(x)[..., 0] <= 0.0},
    }[kind]
    return Problem(space, start, goal, resolution=0.07, **given)


def obeyed(planner: Planner, asked: Problem, seed: int) -> bool:
    """Whether a plan is found and the problem allows each of its edges."""
    plan = planner.plan(asked, rng=seed)
    assert plan.ok, plan.reason
    assert plan.xs is not None
    return bool(asked.edges_allowed(plan.xs[:-1], plan.xs[1:]).all())


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("kind", ["none", "function", "free", "task", "edges", "edges and free"])
@settings(max_examples=5)
@given(seed=st.integers(0, 10_000))
def test_every_edge_of_a_plan_is_allowed(kind: str, name: str, seed: int) -> None:
    assert obeyed(RRTConnect(samples=20_000), problem(kind, SPACES[name], np.random.default_rng(seed)), seed)


@pytest.mark.parametrize("name", ["plane", "flat", "group"])
@pytest.mark.parametrize("is_free", [None, lambda x: np.ones(x.shape[:-1], dtype=bool)])
def test_every_edge_on_a_map_is_allowed(name: str, is_free: Any) -> None:
    for footprint in (Footprint.disc(0.2), Footprint.rectangle(0.6, 0.3)):
        if name == "plane" and footprint.turns:
            continue
        space = {"plane": Space("x y [m]"), "flat": Space("x y [m]", "yaw: angle"), "group": Space("pose: SE2")}[name]
        start, goal = (np.array([*YARD.grid_to_world(end), yaw])[: space.size] for end, yaw in ENDS)
        asked = dataclasses.replace(YARD.problem(start, goal, footprint, space=space), is_free=is_free)
        for seed in range(3):
            assert obeyed(RRTConnect(samples=20_000), asked, seed)


@pytest.mark.parametrize("planner", [AStar(), Dijkstra(), AStar(connectivity=4), RRTConnect()])
@pytest.mark.parametrize("space", [Space("x y [m]"), Space("x [m]", "y [m] in [2, 4]")])
def test_every_step_through_cells_is_allowed(planner: Planner, space: Space) -> None:
    """Inside bounds that are narrower than the map, too: the shorter way around the wall is out of them."""
    grid = OccupancyGrid.from_ascii(["........"] * 2 + ["...##..."] + ["........"] * 2).refined(4)
    assert obeyed(planner, grid.problem([1.1, 2.2], [7.1, 2.2], Footprint.disc(0.2), space=space), 0)


def test_an_edge_constraint_is_asked_about_edges() -> None:
    """A wall without thickness: points along an edge, however near, miss it."""
    fence = Fence(SPACES["plane"])
    plan = RRTConnect().plan(Problem(SPACES["plane"], [-2, 0], [2, 0], fence), rng=0)
    assert plan.ok and fence.asked > 0
    assert plan.xs is not None
    left, right = (plan.xs[k + np.argmax(plan.xs[:, 0] >= 0.0)] for k in (-1, 0))
    assert left[1] + (right[1] - left[1]) * left[0] / (left[0] - right[0]) >= fence.top
    shut = RRTConnect(samples=300).plan(
        Problem(SPACES["plane"], [-2, 0], [2, 0], Fence(SPACES["plane"], np.inf)), rng=0
    )
    assert not shut.ok


def test_a_footprint_constraint_is_held_not_inherited() -> None:
    """Compiled planners would run the code of the parent; what holds one is asked, on a map, too."""
    with pytest.raises(ModelError, match="OneWay is a subclass of FootprintConstraint, which is final"):

        class OneWay(FootprintConstraint):  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
            pass

    class Westward:
        """Clear of obstacles, and no edge that leads east above y = 2."""

        def __init__(self, clear: FootprintConstraint) -> None:
            self.clear = clear

        def __call__(self, x: Any) -> Any:
            return self.clear(x)

        def edges_allowed(self, a: Any, b: Any) -> Any:
            a, b = np.asarray(a), np.asarray(b)
            east = (b[..., 0] > a[..., 0]) & (np.maximum(a[..., 1], b[..., 1]) > 2.0)
            return self.clear.edges_allowed(a, b) & ~east

        def describe(self, x: Any) -> str:
            return self.clear.describe(x)

    grid = OccupancyGrid.from_ascii(["........"] * 2 + ["...##..."] + ["........"] * 2).refined(4)
    on_map = grid.problem([1.1, 1.2], [7.1, 1.2], Footprint.disc(0.2))
    assert isinstance(on_map.constraint, FootprintConstraint)
    constraint = Westward(on_map.constraint)
    asked = dataclasses.replace(on_map, constraint=constraint)
    xs = [RRTConnect().plan(asked, rng=seed).xs for seed in range(5)]
    assert all(x is not None and constraint.edges_allowed(x[:-1], x[1:]).all() for x in xs)
    with pytest.raises(PilotageError, match="a search on cells needs a problem on a grid"):
        AStar().plan(asked)


def test_what_an_edge_constraint_raises_arrives() -> None:
    class Broken(Fence):
        def edges_allowed(self, a: Any, b: Any) -> Any:
            raise RuntimeError("the map is gone")

    with pytest.raises(RuntimeError, match="the map is gone"):
        RRTConnect().plan(Problem(SPACES["plane"], [-2, 0], [2, 0], Broken(SPACES["plane"])), rng=0)
