"""One query to OMPL from Python, for all rows that compare with it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from pilotage.core import Problem


def solve(
    space: Any,
    limits: list[tuple[float, float]],
    free: Callable[[Any], bool],
    ends: tuple[Any, Any],
    *,
    planner: str,
    resolution: float,
    seconds: float,
    seed: int,
    step: float | None = None,
) -> tuple[float, float]:
    """The seconds that a planner took, and the length of its path; infinity without one.

    Args:
        space: OMPL's space: SE(2) with or without curves, or real numbers.
        limits: of each real component.
        free: whether a state of OMPL is allowed.
        ends: start and goal, numbers for each component.
        planner: name of the class in ``ompl.geometric``.
        resolution: distance between two checks along an edge.
        seconds: maximum time.
        seed: OMPL's generator is global; each query sets it.
        step: the longest edge; None leaves OMPL's own.
    """
    from ompl import base, geometric, util

    util.setLogLevel(util.LogLevel.LOG_NONE)
    util.RNG.setSeed(seed + 1)
    bounds = base.RealVectorBounds(len(limits))
    for axis, (low, high) in enumerate(limits):
        bounds.setLow(axis, low)
        bounds.setHigh(axis, high)
    space.setBounds(bounds)
    setup = geometric.SimpleSetup(space)
    setup.setStateValidityChecker(free)
    setup.setStartAndGoalStates(*(_state(space, x) for x in ends))
    information = setup.getSpaceInformation()
    information.setStateValidityCheckingResolution(resolution / space.getMaximumExtent())
    search = getattr(geometric, planner)(information)
    if step is not None:
        search.setRange(step)
    setup.setPlanner(search)
    setup.setup()
    began = time.perf_counter()
    setup.solve(seconds)
    took = time.perf_counter() - began
    return took, setup.getSolutionPath().length() if setup.haveExactSolutionPath() else math.inf


def _state(space: Any, x: Any) -> Any:
    state = space.allocState()
    if hasattr(state, "setYaw"):
        state.setX(float(x[0]))
        state.setY(float(x[1]))
        state.setYaw(float(x[2]))
    else:
        for i, value in enumerate(x):
            state[i] = float(value)
    return state


def footprint_checker(problem: Problem) -> Callable[[Any], bool]:
    """Whether the discs of a footprint are clear of the blocked cells of a map, in plain Python."""
    constraint: Any = problem.constraint
    discs, values = constraint.footprint.discs, constraint.obstacles.field.values
    field, scale, (rows, columns) = values.tolist(), 1.0 / problem.world.resolution, values.shape

    def free(state: Any) -> bool:
        x, y, yaw = state.getX(), state.getY(), state.getYaw()
        c, s = math.cos(yaw), math.sin(yaw)
        for a, b, r in discs:
            i, j = int((x + c * a - s * b) * scale) + 1, int((y + s * a + c * b) * scale) + 1
            if not (0 <= i < columns and 0 <= j < rows) or field[j][i] < r:
                return False
        return True

    return free
