"""D* Lite: replanning on grids and graphs that change under way."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Iterable
from typing import Any

from pilotage.core.settings import settings
from pilotage.maps.cells import Unknown

from ._cell_repair import CellRepair
from ._on_cells import Array, Connectivity, Found
from ._on_graph import GraphPlanner, View, no_path, out_of_time, unwound
from .workspace import Workspace

Key = tuple[float, float]


@settings
class DStarLite(GraphPlanner):
    """D* Lite: a shortest path, repaired when the graph changes or the robot moves, at the cost of what has changed.

    ::

        rhs(s) = min over edges (s, s') of c(s, s') + g(s'),   rhs(goal) = 0;   s is consistent when g(s) = rhs(s)
        key(s) = (min(g(s), rhs(s)) + h(start, s) + k_m,  min(g(s), rhs(s)))

    The search runs from the goal, so that most of it stays true while the robot moves. `plan` makes one plan, as
    `AStar` does; a `Replanner` keeps the search between plans.

    Attributes:
        connectivity: 8 or 4 neighbours, on grids.
        unknown: how to treat unknown cells, "blocked" or "free".

    Source: S. Koenig, M. Likhachev, D* Lite, AAAI 2002, figure 4.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> grid = OccupancyGrid.from_ascii(["...", ".#.", "..."])
        >>> DStarLite().plan(grid, start=(0.5, 0.5), goal=(2.5, 2.5)).cost
        4.0
    """

    connectivity: Connectivity = 8
    unknown: Unknown = "blocked"

    def _solve(self, space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None) -> Found:
        return CellRepair(space, costs, last, self.connectivity == 8).found(first, deadline, space.order)

    def _search(self, graph: View, start: Any, goal: Any, deadline: float) -> Found:
        return Repair(graph, start, goal).found(deadline)


class Repair:
    """The search of D* Lite on a graph between changes; one without path costs infinity. On grids, see `CellRepair`."""

    def __init__(self, graph: View, start: Any, goal: Any) -> None:
        self.graph, self.start, self.goal = graph, start, goal
        self.g: dict[Any, float] = {}
        self.rhs: dict[Any, float] = {goal: 0.0}
        self.km, self.pushed, self.expansions = 0.0, 0, 0
        self.keys: dict[Any, Key] = {}
        self.queue: list[tuple[Key, int, Any]] = []
        self._update(goal)

    def move(self, start: Any) -> None:
        """Set the state where the robot is now."""
        self.km += self.graph.heuristic(self.start, start)
        self.start = start

    def change(self, graph: View, changed: Iterable[Any]) -> None:
        """Replace the graph by one whose edges differ only from some states."""
        self.graph = graph
        for s in changed:
            self._look_ahead(s)

    def found(self, deadline: float) -> Found:
        """A shortest path under the present graph."""
        before = self.expansions
        if not self._repair(deadline):
            bound = min(self._top()[0] - self.km, self.g.get(self.start, math.inf))
            return out_of_time(max(bound, 0.0), self.expansions - before)
        cost = self.rhs.get(self.start, math.inf)
        if math.isinf(cost):
            return no_path(self.expansions - before)
        return Found(True, self._descent(), cost, cost, self.expansions - before)

    def _repair(self, deadline: float) -> bool:
        """Make states consistent until the start is, and no waiting one could change its cost; False out of time."""
        while True:
            top, start = self._top(), self.start
            start_rhs = self.rhs.get(start, math.inf)
            if top >= self._key(start) and start_rhs == self.g.get(start, math.inf):
                return True
            if time.perf_counter() > deadline:
                return False
            if math.isinf(top[0]):
                return True
            u = heapq.heappop(self.queue)[2]
            del self.keys[u]
            self.expansions += 1
            if top < self._key(u):
                self._update(u)
            elif self.g.get(u, math.inf) > self.rhs[u]:
                self.g[u] = self.rhs[u]
                self._pass_on(u)
            else:
                self.g[u] = math.inf
                self._look_ahead(u)
                for s, _ in list(self.graph.predecessors(u)):
                    self._look_ahead(s)

    def _pass_on(self, u: Any) -> None:
        """Tell the predecessors of a state that it has become cheaper."""
        for s, cost in self.graph.predecessors(u):
            if cost + self.g[u] < self.rhs.get(s, math.inf):
                self.rhs[s] = cost + self.g[u]
                self._update(s)

    def _look_ahead(self, s: Any) -> None:
        """Compute rhs of a state from its neighbours."""
        if s != self.goal:
            ahead = (cost + self.g.get(other, math.inf) for other, cost in self.graph.neighbours(s))
            self.rhs[s] = min(ahead, default=math.inf)
        self._update(s)

    def _update(self, s: Any) -> None:
        """Queue a state when it is inconsistent; else take it from the queue."""
        if self.g.get(s, math.inf) == self.rhs.get(s, math.inf):
            self.keys.pop(s, None)
            return
        self.keys[s] = key = self._key(s)
        self.pushed += 1
        heapq.heappush(self.queue, (key, self.pushed, s))

    def _key(self, s: Any) -> Key:
        least = min(self.g.get(s, math.inf), self.rhs.get(s, math.inf))
        return least + self.graph.heuristic(self.start, s) + self.km, least

    def _top(self) -> Key:
        """The lowest key in the queue, from which entries that are no longer true have been taken."""
        while self.queue and self.keys.get(self.queue[0][2]) != self.queue[0][0]:
            heapq.heappop(self.queue)
        return self.queue[0][0] if self.queue else (math.inf, math.inf)

    def _descent(self) -> list[Any]:
        """States from the start to the goal, along edges that lead to the least cost to go."""
        parents, stack = {self.start: self.start}, [self.start]
        while stack[-1] != self.goal:
            s = stack.pop()
            ahead = [(cost + self.g.get(other, math.inf), other) for other, cost in self.graph.neighbours(s)]
            least = min(cost for cost, _ in ahead)
            for cost, other in ahead:
                if cost == least and other not in parents:
                    parents[other] = s
                    stack.append(other)
        return unwound(parents, self.goal)
