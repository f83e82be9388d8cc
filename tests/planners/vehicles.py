"""What the tests of planners for vehicles share: maps, checks of a path, and a room for the contract of planners."""

from __future__ import annotations

from typing import Any

import numpy as np

from pilotage.core import Plan, Problem, Space
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import bicycle, unicycle
from pilotage.planners import ReferenceLine
from pilotage.testing.planners import ROOM

from ..maps.polygons import overlapping, placed, squares

SE2 = Space("pose: SE2")
CAR = Footprint.rectangle(1.1, 0.45, (0.2, 0.0))
HALL = OccupancyGrid.from_ascii(
    [
        "..........#...........",
        "..........#...........",
        "..........#...........",
        "......................",
        "......................",
        "..........#...........",
        "..........#....####...",
        "..........#....####...",
    ],
    resolution=0.5,
    origin=(2.0, -1.0, 0.3),
).refined(4)
ROAD = ReferenceLine([[0.0, 0.0], [30.0, 2.0], [60.0, -2.0], [100.0, 0.0]])
CONTRACT = OccupancyGrid.from_ascii(ROOM, resolution=0.5).refined(4)


def pose(column: float, row: float, yaw: float = 0.0) -> np.ndarray:
    """A pose in the hall, in cells of half a metre."""
    return HALL.grid_to_world([4 * column, 4 * row, yaw])


def across() -> Problem:
    """From one half of the hall through the door into the other."""
    return HALL.problem(pose(3, 1), pose(19, 4.5, -2.0), CAR, space=SE2)


def in_room() -> Problem:
    """A problem on the map of the contract of planners."""
    return CONTRACT.problem([0.75, 0.75, 0.0], [6.25, 0.75, 1.0], Footprint.rectangle(0.5, 0.3), space=SE2)


def inspect(plan: Plan, problem: Problem, footprint: Footprint, grid: OccupancyGrid, every: float = 0.1) -> None:
    """The polygon of the robot along the path, `every` cells, by separating axes against the squares around."""
    assert plan.xs is not None, plan.reason
    np.testing.assert_allclose(plan.xs[0], problem.start)
    world, hull = squares(grid, margin=3), np.array(footprint.hull)
    for a, b in zip(plan.xs[:-1], plan.xs[1:], strict=True):
        steps = int(np.ceil(problem.distance(a, b) / (every * grid.resolution))) + 1
        for x in problem.space.interpolate(a, b, np.linspace(0.0, 1.0, steps)):
            near = np.linalg.norm(world.mean(1) - x[:2], axis=-1) < footprint.radius + 3.0 * grid.resolution
            assert not overlapping(placed(hull, x), world[near]).any(), f"the robot touches something at {x}"


def simulated(plan: Plan, radius: float) -> None:
    """A unicycle and a bicycle that execute the controls come by all states, and steer no more than they can."""
    assert plan.xs is not None
    assert plan.us is not None
    assert plan.ts is not None
    wheelbase = 0.6
    cart, car = unicycle(integrator="rk4"), bicycle(wheelbase=wheelbase, integrator="rk4")
    x, y = np.array(plan.xs[0]), np.append(plan.xs[0], 0.0)
    for (speed, rate), dt, to in zip(plan.us, np.diff(plan.ts), plan.xs[1:], strict=True):
        assert abs(rate) <= 1.0 / radius + 1e-6
        y[3] = speed
        for _ in range(8):
            x = cart.step(x, [speed, rate], dt / 8)
            y = car.step(y, [0.0, np.arctan(wheelbase * rate / speed)], dt / 8)
        for end in (x, y[:3]):
            np.testing.assert_allclose(SE2.minus(end, to), 0.0, atol=1e-5)


def charged(plan: Plan, problem: Problem, reverse: float, cusp: float) -> float:
    """The cost of a path from its states: length, dearer in reverse, and changes of direction."""
    assert plan.xs is not None
    d: Any = problem.space.minus(plan.xs[1:], plan.xs[:-1])
    gears = np.sign(d[:, 0])
    lengths = problem.distance(plan.xs[:-1], plan.xs[1:])
    return float((lengths * np.where(gears < 0.0, reverse, 1.0)).sum() + cusp * (np.diff(gears) != 0.0).sum())


def on_road() -> Problem:
    """A problem for the contract of planners along a line, with a metric that no cost of a candidate is below."""
    space = Space("x y [m]", "yaw: angle", "speed [m/s]")
    return Problem(space, [0.0, 0.5, 0.1, 8.0], space.bounded({"x": (10.0, 90.0)}), weights=4 * [1e-6])
