"""ARA*: anytime A* on grids and graphs."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np

from pilotage.core.settings import Interval, Positive, settings
from pilotage.maps.cells import Unknown

from ._on_cells import Array, Connectivity, Found
from ._on_graph import GraphPlanner, View, no_path, out_of_time, unwound
from .astar import HIGHEST_WEIGHT
from .kernel import NEVER, STRAIGHT
from .query import Query
from .workspace import Workspace


@settings
class ARAStar(GraphPlanner):
    """ARA*: a first path soon, then better ones with a proven bound, until it is a shortest one or the time is up.

    ::

        f(s) = g(s) + w h(s),   cost <= w times the optimum,   w falls from `weight` to 1

    Each search uses what the one before has found: only states whose cost has fallen since they were expanded are
    expanded again. The optimum lies between ``min g(s) + h(s)`` over the states that wait, which is the plan's
    `lower_bound`, and the cost. When the budget is spent, or Ctrl-C is pressed, the best path so far is the result; its
    `lower_bound` says how good it is.

    Attributes:
        weight: weight w of the first search, 1 to 1000.
        decrease: how much w falls from one search to the next.
        on_path: called with seconds, cost and lower bound after each search; `stats["history"]` ``(k, 3)`` holds
            the same.
        connectivity: 8 or 4 neighbours, on grids.
        unknown: how to treat unknown cells, "blocked" or "free".

    Source: M. Likhachev, G. Gordon, S. Thrun, ARA*: anytime A* with provable bounds on sub-optimality, NIPS 2003.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> grid = OccupancyGrid.from_ascii(["...", ".#.", "..."])
        >>> plan = ARAStar().plan(grid, start=(0.5, 0.5), goal=(2.5, 2.5))
        >>> plan.cost, plan.lower_bound
        (4.0, 4.0)
    """

    weight: Annotated[float, Interval(1.0, HIGHEST_WEIGHT, "[]")] = 3.0
    decrease: Positive = 0.5
    on_path: Callable[[float, float, float], Any] | None = None
    connectivity: Connectivity = 8
    unknown: Unknown = "blocked"

    def _search(self, graph: View, start: Any, goal: Any, deadline: float) -> Found:
        return self._improved(_OnGraph(graph, start, goal, deadline), 1.0)

    def _solve(self, space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None) -> Found:
        diagonal = self.connectivity == 8
        return self._improved(_OnCells(space, costs, first, last, deadline, self.weight, diagonal), space.resolution)

    def _improved(self, state: _OnGraph | _OnCells, unit: float) -> Found:
        history, began = [], time.perf_counter()
        weight, path, cost, bound, in_time = self.weight, None, math.inf, 0.0, True
        while in_time and bound < cost:
            try:
                in_time = state.improve(weight)
            except KeyboardInterrupt:
                if path is None:
                    raise
                in_time = False
            bound = max(bound, min(state.bound(), state.cost()))
            if state.cost() < cost or (path is not None and in_time):
                path, cost = state.path()
                bound = cost if weight == 1.0 and in_time else min(bound, cost)
                history.append((time.perf_counter() - began, cost * unit, bound * unit))
                if self.on_path is not None:
                    self.on_path(*history[-1])
            if in_time and path is None:
                return no_path(state.expansions)
            weight = max(1.0, min(weight - self.decrease, cost / bound if bound > 0.0 else math.inf))
        if path is None:
            return out_of_time(bound, state.expansions)
        return Found(True, path, cost, bound, state.expansions, {"history": np.array(history)})


class _OnCells:
    """The labels found so far on a grid; what waits is queued again for each weight."""

    def __init__(
        self, space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None, weight: float,
        diagonal: bool,
    ) -> None:  # fmt: skip
        self.query, self.first, self.last, self.deadline = Query(space, costs, weight, diagonal), first, last, deadline
        self.begun = False

    def improve(self, weight: float) -> bool:
        """Search on with less weight; False out of time."""
        if not self.begun:
            self.begun = True
            return self.query.run(self.first, self.last, self.deadline)
        return self.query.run_on(self.last, weight, self.deadline)

    def bound(self) -> float:
        """A length that no path undercuts, unless a path that is known does."""
        return self.query.least(self.last)

    def cost(self) -> float:
        """Length of the best path; infinity without one."""
        return self.query.best / STRAIGHT if self.query.best < NEVER else math.inf

    def path(self) -> tuple[Any, float]:
        """The best path and its cost."""
        return self.query.path(self.first, self.last)

    @property
    def expansions(self) -> int:
        """Cells expanded by all searches."""
        return self.query.expansions


class _OnGraph:
    """The costs found so far and the states that wait, over several searches with falling weights."""

    def __init__(self, graph: View, start: Any, goal: Any, deadline: float) -> None:
        self.graph, self.goal, self.deadline = graph, goal, deadline
        self.g: dict[Any, float] = {goal: math.inf, start: 0.0}
        self.parents: dict[Any, Any] = {start: start}
        self.waiting: set[Any] = {start}  # OPEN and INCONS of the paper: their costs are to be passed on
        self.expansions = 0

    def cost(self) -> float:
        """Cost of the best path; infinity without one."""
        return self.g[self.goal]

    def path(self) -> tuple[Any, float]:
        """The best path and its cost."""
        return unwound(self.parents, self.goal), self.g[self.goal]

    def improve(self, weight: float) -> bool:
        """Expand states, each once at most, until no waiting one has a lower f than the goal; False out of time."""
        g, count, closed = self.g, 0, set[Any]()
        queue = [(g[s] + weight * self._h(s), i, s) for i, s in enumerate(self.waiting)]
        heapq.heapify(queue)
        while queue and queue[0][0] < g[self.goal]:
            if time.perf_counter() > self.deadline:
                return False
            s = heapq.heappop(queue)[2]
            if s in closed:
                continue
            closed.add(s)
            self.expansions += 1
            for other, cost in self.graph.neighbours(s):
                if g[s] + cost < g.get(other, math.inf):
                    g[other], self.parents[other] = g[s] + cost, s
                    self.waiting.add(other)
                    if other not in closed:
                        count -= 1
                        heapq.heappush(queue, (g[other] + weight * self._h(other), count, other))
            # Not before: an interrupt between would lose the edges that are not passed on yet.
            self.waiting.discard(s)
        return True

    def bound(self) -> float:
        """A cost that no path undercuts, unless a path that is known does; infinity when nothing waits."""
        return min((self.g[s] + self._h(s) for s in self.waiting), default=math.inf)

    def _h(self, s: Any) -> float:
        return self.graph.heuristic(s, self.goal)
