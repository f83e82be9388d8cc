"""Space-time A* with safe intervals: paths on a grid among moving obstacles."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core.moving import MovingObstacle
from pilotage.core.plan import Plan, PlanStatus
from pilotage.core.problem import Problem
from pilotage.core.settings import Positive, instances, settings
from pilotage.core.streams import Rng, checked
from pilotage.maps import FootprintConstraint, InflatedGrid
from pilotage.maps.cells import GridCells, Unknown

from .._lead_out import LeadOut
from ._heap import WAITING
from ._intervals import (
    EXPANSIONS,
    FOREVER,
    FULL,
    PAUSED,
    REACHED,
    RESERVE,
    TIE,
    neighbourhoods,
    safe_intervals,
    search,
    segments,
)
from ._on_cells import Array, Connectivity, Found, answer
from .astar import AStar
from .query import Query
from .workspace import Workspace

Integers = NDArray[np.int64]
HEAP = 4096
"""Intervals that may wait before the heap grows."""
CHUNK = 20_000
"""Expansions between two looks at the clock, some milliseconds."""


@settings
class SpaceTimeAStar:
    """Space-time A* with safe intervals: the path on a grid that arrives first, among moving obstacles.

    ::

        node       a cell, and an interval of time in which no obstacle touches a robot that stands in it
        arrival    at the neighbour of n:  min t + length / speed  over departures t >= arrival(n) in the interval of n,
                   such that the arrival lies in that of the neighbour, and no obstacle touches the robot on the way
        f(n)       = arrival(n) + h(n) / speed,   h: length of the shortest path to the goal if nothing moved

    The robot drives from cell to cell at its speed, or waits. The times at which it would touch an obstacle are
    roots of quadratic equations, not sampled. A robot that arrives in an interval earlier can wait, and do all that a
    later one can, so the path is optimal among those on the grid. At the goal, nothing touches the robot ever after.
    Memory: about 100 bytes a cell.

    Attributes:
        speed: speed of the robot [m/s].
        connectivity: 8 or 4 neighbours.
        unknown: how to treat unknown cells, "blocked" or "free".

    Source: M. Phillips, M. Likhachev, SIPP: safe interval path planning for dynamic environments, 2011; A. Andreychuk
    and others, Multi-agent pathfinding with continuous time, 2019, for conflicts of moves in continuous time.

    Example:
        >>> from pilotage.core import MovingObstacle
        >>> from pilotage.maps import OccupancyGrid
        >>> lane = OccupancyGrid.from_ascii(["#.####", "......"])
        >>> other = MovingObstacle([0.0, 5.0], [[5.5, 0.5], [0.5, 0.5]], radius=0.3)
        >>> plan = SpaceTimeAStar().plan(lane, (1.5, 1.5), (5.5, 0.5), moving=[other])
        >>> plan.ts.round(2).tolist()                         # waits until the other one has gone by
        [0.0, 3.42, 4.42, 5.42, 6.42, 7.42, 8.42]
    """

    speed: Positive = 1.0
    connectivity: Connectivity = 8
    unknown: Unknown = "blocked"

    def plan(
        self,
        problem: Problem | GridCells,
        start: Any = None,
        goal: Any = None,
        *,
        moving: Sequence[MovingObstacle] = (),
        rng: Rng = None,
        budget: float | None = None,
    ) -> Plan:
        """Plan a path over the cells of a grid, in time.

        Args:
            problem: a grid (``grid.inflate(radius)`` for a robot with a radius), or a `Problem` that a grid created for
                a round robot, with its start and goal.
            start: point (x, y), pose (x, y, yaw) or belief, of which the mean x and y are used.
            goal: the same.
            moving: moving obstacles besides those of the problem; the radius of the robot is added to theirs.
            rng: accepted by every planner; this one draws no random numbers.
            budget: seconds after which the search stops with status BUDGET.

        Returns:
            A plan whose `xs` ``(T+1, 2)`` are the middles of cells, and whose `ts` ``(T+1,)`` [s] say when the robot is
            there; where it waits, two rows are at one place. A start in inflated cells, or within a margin, is led out
            of it first, as by `AStar`. `cost` [m] is the time of arrival times the speed: the
            length of the path if the robot never waits. No path on the grid costs less than `lower_bound`.

        Raises:
            ShapeError: if start or goal have the wrong shape or are not finite.
            PilotageError: if the problem is not that of a round robot on a grid.
        """
        checked(rng)
        own = problem.moving if isinstance(problem, Problem) else ()
        moving = [*instances(moving, MovingObstacle, "moving"), *own]
        still = replace(problem, moving=()) if isinstance(problem, Problem) else problem
        run, diagonal = _Run(self, moving, *_robot(problem)), self.connectivity == 8
        plan = answer(still, start, goal, None, budget, self.unknown, run.solve, diagonal, leave=run.leave)
        if plan.ok:
            return replace(plan, ts=np.concatenate([run.left[:-1], run.left[-1] + run.ts]))
        if plan.status is not PlanStatus.NO_PATH or not moving:
            return plan
        status = PlanStatus.INVALID if run.touched else plan.status
        if run.touched or AStar(self.connectivity, unknown=self.unknown).plan(still, start, goal):
            return replace(plan, status=status, reason=run.touched or CAUGHT)
        return plan


CAUGHT = "the map has a path, but moving obstacles are in the way at all times, or where the robot is to stay"


def _robot(problem: Any) -> tuple[GridCells | None, float]:
    """The grid of a problem, and the radius of the robot; None where there is none."""
    if isinstance(problem, Problem) and isinstance(problem.constraint, FootprintConstraint):
        return problem.constraint.obstacles.grid, problem.constraint.footprint.radius
    if isinstance(problem, InflatedGrid):
        return problem, problem.radius
    return (problem, 0.0) if isinstance(problem, GridCells) else (None, 0.0)


class _Run:
    """One search: the arrays of the driver, and what it found.

    Attributes:
        ts: times of the path, from 0 where the search begins.
        left: times ``(K,)`` at which the robot is on its way out of a margin, the last one when the search begins.
        touched: what is wrong with the start at time 0; empty if nothing.
    """

    def __init__(
        self, planner: SpaceTimeAStar, moving: Sequence[MovingObstacle], grid: GridCells | None, radius: float
    ) -> None:
        self.planner, self.ts, self.left, self.touched = planner, np.zeros(0), np.zeros(1), ""
        self.moving, self.grid, self.radius = moving, grid, radius

    def leave(self, out: LeadOut) -> str:
        """Begin where the way out of a margin ends, at that time; the reason why the robot cannot take it."""
        self.left = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(out.xs, axis=0), axis=-1))) / self.planner.speed
        if any((each.room(out.xs, self.left) < self.radius).any() for each in self.moving):
            return "a moving obstacle touches the robot on its way out of the margin, or at its start, at time 0"
        return ""

    @property
    def segments(self) -> Array:
        """Segments of `_intervals` ``(S, 7)``, on the clock of the search."""
        if self.grid is None:
            return np.zeros((0, 7))
        rows = [
            segments(each.later(float(self.left[-1])), self.radius, self.grid, self.planner.speed)
            for each in self.moving
        ]
        return np.ascontiguousarray(np.concatenate([np.zeros((0, 7)), *rows]))

    def solve(self, space: Workspace, _: Array | None, start: int, goal: int, deadline: float | None) -> Found:
        """Search the cells of a workspace."""
        width, diagonal = space.width, self.planner.connectivity == 8
        ways = Query(space, None, 0.0, diagonal)
        ways.run(goal, -1)
        rest, moving = np.pad(ways.lengths(), 1, constant_values=np.inf).ravel(), self.segments
        first, items, starts, intervals = _safe(width, len(rest), moving)
        count = len(intervals)
        cells = np.repeat(np.arange(len(rest)), np.diff(starts))
        arrivals, parents = np.full(count, np.inf), np.full(count, -1, dtype=np.int64)
        heap, keys, state = np.zeros(HEAP, dtype=np.int64), np.zeros(HEAP), np.zeros(4, dtype=np.int64)
        root, state[REACHED], state[RESERVE] = int(starts[start]), -1, 8 * int(np.diff(starts).max()) + 1
        if starts[start] == starts[start + 1] or intervals[root, 0] > 0.0:
            self.touched = "a moving obstacle touches the robot at its start, at time 0"
            return Found(True, None, math.inf, math.inf, 0)
        if rest[start] == np.inf or starts[goal] == starts[goal + 1] or intervals[starts[goal + 1] - 1, 1] < FOREVER:
            return Found(True, None, math.inf, math.inf, 0)
        release = float(intervals[starts[goal + 1] - 1, 0])
        arrivals[root], heap[0], keys[0], state[WAITING], finished = 0.0, root, rest[start], 1, True
        while True:
            outcome = search.compiled(
                rest, width, diagonal, goal, release, moving, first, items, starts, intervals, cells,
                arrivals, parents, heap, keys, state, CHUNK,
            )  # fmt: skip
            if outcome == FULL:
                more = max(len(heap), int(state[RESERVE]))
                heap, keys = np.append(heap, np.zeros(more, dtype=np.int64)), np.append(keys, np.zeros(more))
            elif outcome != PAUSED:
                break
            if deadline is not None and time.perf_counter() > deadline:
                finished = False
                break
        expansions, node = int(state[EXPANSIONS]), int(state[REACHED])
        if node < 0:
            bound = max(float(keys[0]) / (1.0 + TIE), release) if not finished else math.inf
            return Found(finished, None, math.inf, bound, expansions)
        cost = float(arrivals[node])
        path, steps = _unwound(node, cells, arrivals, parents, width)
        self.ts = steps * (space.resolution / self.planner.speed)
        return Found(True, path, cost, cost, expansions)


def _safe(width: int, count: int, segments: Array) -> tuple[Integers, Integers, Integers, Array]:
    """The segments near each cell, as row starts and rows, and the safe intervals, alike."""
    margin, first = math.sqrt(2.0), np.zeros(count + 1, dtype=np.int64)
    neighbourhoods(width, segments, margin, first, np.zeros(0, dtype=np.int64), False)
    longest = int(first.max(initial=0))
    first = np.cumsum(first)
    items, ahead = np.zeros(int(first[-1]), dtype=np.int64), first.copy()
    neighbourhoods(width, segments, margin, ahead, items, True)
    starts, intervals = np.zeros(count + 1, dtype=np.int64), np.empty((count + len(items), 2))
    found = safe_intervals(width, segments, first, items, np.empty((longest + 1, 2)), starts, intervals)
    return first, items, starts, intervals[:found]


def _unwound(node: int, cells: Integers, arrivals: Array, parents: Integers, width: int) -> tuple[Integers, Array]:
    """Cells (row, column) ``(K, 2)`` and times ``(K,)`` of the way to an interval, with the waiting between."""
    nodes = [node]
    while (node := int(parents[node])) >= 0:
        nodes.append(node)
    way = -1 - cells[nodes[::-1]]
    places = np.stack(np.divmod(way, width), axis=-1) - 1
    arrived = arrivals[nodes[::-1]]
    departed = arrived[1:] - np.linalg.norm(np.diff(places, axis=0), axis=-1)
    waits = departed > arrived[:-1] + 1e-9
    rows = np.repeat(np.arange(len(way)), 1 + np.append(waits, False))
    ts = np.sort(np.concatenate((arrived, departed[waits])))
    return places[rows], ts
