"""Space-time A* with safe intervals: paths on a grid among moving obstacles."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.carry import carry
from pilotage.core.errors import PilotageError, ShapeError
from pilotage.core.plan import Plan, PlanStatus
from pilotage.core.problem import Problem
from pilotage.core.settings import Positive, positive, settings, shown
from pilotage.core.streams import Rng, checked
from pilotage.maps import FootprintConstraint, InflatedGrid
from pilotage.maps.cells import GridCells, Unknown

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
)
from ._on_cells import POINT, Array, Connectivity, Found, answer
from .astar import AStar
from .query import Query
from .workspace import Workspace

Integers = NDArray[np.int64]
HEAP = 4096
"""Intervals that may wait before the heap grows."""
CHUNK = 20_000
"""Expansions between two looks at the clock, some milliseconds."""


@settings(eq=False)
class MovingObstacle:
    """A disc that moves along a known or predicted path.

    Between two times it moves along a straight line at a constant speed. Before the first and after the last time, it
    rests.

    Attributes:
        ts: times ``(T,)`` [s], increasing; 0 is the start of the plan.
        xys: positions ``(T, 2)`` [m].
        radius: radius [m], one or ``(T,)``; between two times, the larger one counts.

    Raises:
        ShapeError: if shapes do not fit, a number is not finite, times do not increase, or a radius is negative.

    Example:
        >>> from pilotage.core import Plan, PlanStatus, Space
        >>> MovingObstacle([0.0, 2.0], [[0.0, 0.0], [4.0, 0.0]], 0.5).at(1.0).tolist()
        [2.0, 0.0]
    """

    ts: ArrayLike
    xys: ArrayLike
    radius: ArrayLike

    def __post_init__(self) -> None:
        ts, xys = numbers(self.ts, "the times of an obstacle"), numbers(self.xys, "the positions of an obstacle")
        if ts.ndim != 1 or not len(ts) or xys.shape != (len(ts), 2) or not np.isfinite([*ts, *xys.ravel()]).all():
            raise ShapeError(
                f"times and positions of an obstacle have shapes {ts.shape} and {xys.shape}; expected finite numbers "
                "of shape (T,) and (T, 2)"
            )
        radius = numbers(self.radius, "the radius of an obstacle")
        if radius.shape not in ((), ts.shape) or not ((radius >= 0.0) & np.isfinite(radius)).all():
            raise ShapeError(
                f"the radius of an obstacle is {shown(self.radius)}; expected one, or {len(ts)}, of 0 or more"
            )
        if not (np.diff(ts) > 0.0).all():
            raise ShapeError("the times of an obstacle do not increase; expected each to be later than the one before")
        for name, value in (("ts", ts), ("xys", xys), ("radius", np.broadcast_to(radius, ts.shape))):
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, plan: Plan, radius: float) -> MovingObstacle:
        """Another robot that follows a plan with times."""
        if plan.xs is None or plan.ts is None or plan.space is None:
            raise PilotageError("an obstacle follows a plan with states and times; this one has none")
        xy = [plan.space.find(name, "a moving obstacle") for name in ("x", "y")]
        last = np.append(np.diff(plan.ts) > 0.0, True)
        return cls(plan.ts[last], plan.xs[last][:, xy], positive(radius, "radius", zero=True))

    @classmethod
    def predicted(cls, ts: ArrayLike, beliefs: Iterable[Any], radius: float, risk: float = 0.05) -> MovingObstacle:
        """A tracked object, from beliefs over its state at some times.

        ::

            radius_k = radius + sqrt(-2 ln(risk) l_k),   l_k: largest eigenvalue of the covariance of x and y

        The middle of the object lies in a disc around its mean with probability 1 - risk at least, at each time.

        Args:
            ts: times ``(T,)`` [s].
            beliefs: a belief with components x and y for each time, such as the predictions of a track.
            radius: radius of the object [m].
            risk: probability that it is elsewhere, above 0 and below 1.
        """
        share = positive(risk, "risk")
        if not share < 1.0:
            raise ShapeError(f"risk is {shown(risk)}; expected a probability above 0 and below 1")
        places, radii = list[Array](), list[float]()
        for belief in beliefs:
            moments = carry(belief, POINT).moments()
            places.append(np.asarray(moments.mean))
            largest = float(np.linalg.eigvalsh(np.asarray(moments.cov))[-1])
            radii.append(positive(radius, "radius", zero=True) + math.sqrt(-2.0 * math.log(share) * largest))
        return cls(ts, np.array(places), np.array(radii))

    def at(self, t: ArrayLike) -> Array:
        """Positions ``(..., 2)`` [m] at times ``(...)``."""
        ts, xys, when = np.asarray(self.ts), np.asarray(self.xys), numbers(t, "times")
        return np.stack([np.interp(when, ts, xys[:, k]) for k in range(2)], -1)

    def segments(self, grid: GridCells | None, radius: float, speed: float) -> Array:
        """Segments of `_intervals` ``(S, 7)``, with the radius of the robot added.

        Args:
            grid: the grid; the segments are in its cells, framed, and in straight steps of the robot. Without a grid,
                they are in the world, and the unit of length is a metre.
            radius: radius of the robot [m].
            speed: speed of the robot [m/s].
        """
        unit = 1.0 if grid is None else grid.resolution
        ts, radii = np.asarray(self.ts) * (speed / unit), np.asarray(self.radius)
        ts = np.concatenate(([min(0.0, ts[0])], ts, [FOREVER]))
        at = np.asarray(self.xys) if grid is None else grid.world_to_grid(np.asarray(self.xys))
        at, radii = np.concatenate((at[:1], at, at[-1:])), np.concatenate((radii[:1], radii, radii[-1:]))
        spans = np.diff(ts)
        velocities = np.diff(at, axis=0) / np.maximum(spans, 1e-300)[:, None]
        reach = (np.maximum(radii[1:], radii[:-1]) + radius) / unit
        found = np.column_stack((at[:-1], velocities, ts[:-1], ts[1:], reach))
        return found[(spans > 0.0) & (ts[1:] > 0.0)]


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
            moving: the moving obstacles; the radius of the robot is added to theirs.
            rng: accepted by every planner; this one draws no random numbers.
            budget: seconds after which the search stops with status BUDGET.

        Returns:
            A plan whose `xs` ``(T+1, 2)`` are the middles of cells, and whose `ts` ``(T+1,)`` [s] say when the robot is
            there; where it waits, two rows are at one place. `cost` [m] is the time of arrival times the speed: the
            length of the path if the robot never waits. No path on the grid costs less than `lower_bound`.

        Raises:
            ShapeError: if start or goal have the wrong shape or are not finite.
            PilotageError: if the problem is not that of a round robot on a grid.
        """
        checked(rng)
        run = _Run(self, moving, *_robot(problem))
        plan = answer(problem, start, goal, None, budget, self.unknown, run.solve)
        if plan.ok:
            return dataclasses.replace(plan, ts=run.ts)
        if plan.status is not PlanStatus.NO_PATH or not moving:
            return plan
        status = PlanStatus.INVALID if run.touched else plan.status
        if run.touched or AStar(self.connectivity, unknown=self.unknown).plan(problem, start, goal):
            return dataclasses.replace(plan, status=status, reason=run.touched or CAUGHT)
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
        ts: times of the path.
        touched: what is wrong with the start at time 0; empty if nothing.
    """

    def __init__(
        self, planner: SpaceTimeAStar, moving: Sequence[MovingObstacle], grid: GridCells | None, radius: float
    ) -> None:
        self.planner, self.ts, self.touched = planner, np.zeros(0), ""
        rows = [np.zeros((0, 7))] if grid is None else [each.segments(grid, radius, planner.speed) for each in moving]
        self.segments = np.ascontiguousarray(np.concatenate([np.zeros((0, 7)), *rows]))

    def solve(self, space: Workspace, _: Array | None, start: int, goal: int, deadline: float | None) -> Found:
        """Search the cells of a workspace."""
        width, diagonal = space.width, self.planner.connectivity == 8
        ways = Query(space, None, 0.0, diagonal)
        ways.run(goal, -1)
        rest = np.pad(ways.lengths(), 1, constant_values=np.inf).ravel()
        first, items, starts, intervals = _safe(width, len(rest), self.segments)
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
                rest, width, diagonal, goal, release, self.segments, first, items, starts, intervals, cells,
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
