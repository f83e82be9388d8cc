"""Bidirectional search on grids and graphs."""

from __future__ import annotations

import heapq
import math
import time
from typing import Any

from pilotage.core.errors import PilotageError
from pilotage.core.settings import settings
from pilotage.maps.cells import Unknown

from ._on_cells import Array, Connectivity, Found
from ._on_graph import GraphPlanner, View, no_path, out_of_time
from ._two_sided import two_sided
from .workspace import Workspace


@settings
class Bidirectional(GraphPlanner):
    """Bidirectional A* or Dijkstra: two searches, from the start and from the goal, that meet on a shortest path.

    ::

        forward key  g_f(v) + p(v),   backward key  g_b(v) - p(v),   p(v) = (h(v, goal) - h(start, v)) / 2

    With this potential both searches agree on the costs of edges, so the rule of Dijkstra's algorithm holds: the best
    path known, of cost mu, is a shortest one when the lowest forward key plus the lowest backward key reaches mu.
    Without heuristic, ``p = 0``. A grid keeps 17 bytes a cell, and 8 for each cell that waits on either side.

    Attributes:
        heuristic: whether to use the heuristic of the graph; it must be consistent.
        connectivity: 8 or 4 neighbours, on grids.
        unknown: how to treat unknown cells, "blocked" or "free".

    Raises:
        PilotageError: from `plan`, if an edge proves that the heuristic of a graph is not consistent.

    Source: T. Ikeda et al., A fast algorithm for finding better routes by AI search techniques, 1994, for the
    potential; A. Goldberg, C. Harrelson, Computing the shortest path: A* search meets graph theory, SODA 2005, 3.

    Example:
        >>> from pilotage.planners import EdgeGraph
        >>> graph = EdgeGraph(4, [(0, 1), (1, 3), (0, 2), (2, 3)], [1.0, 1.0, 1.0, 3.0])
        >>> Bidirectional().plan(graph, 0, 3).stats["states"]
        [0, 1, 3]
    """

    heuristic: bool = True
    connectivity: Connectivity = 8
    unknown: Unknown = "blocked"

    def _solve(self, space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None) -> Found:
        return two_sided(space, costs, first, last, deadline, float(self.heuristic), self.connectivity == 8)

    def _search(self, graph: View, start: Any, goal: Any, deadline: float) -> Found:
        def potential(v: Any) -> float:
            return 0.5 * (graph.heuristic(v, goal) - graph.heuristic(start, v)) if self.heuristic else 0.0

        sides = [_Side(graph.neighbours, start, potential, 1.0), _Side(graph.predecessors, goal, potential, -1.0)]
        mu, middle, turn = (0.0, start, 0) if start == goal else (math.inf, None, 0)
        while (bound := sides[0].lowest() + sides[1].lowest()) < mu:
            expansions = sum(len(side.closed) for side in sides)
            if time.perf_counter() > deadline:
                return out_of_time(max(bound, 0.0), expansions)
            turn = int(len(sides[1].queue) < len(sides[0].queue))
            for v in sides[turn].expand():
                cost = sides[turn].g[v] + sides[1 - turn].g.get(v, math.inf)
                if cost < mu:
                    mu, middle = cost, v
        expansions = sum(len(side.closed) for side in sides)
        if middle is None:
            return no_path(expansions)
        path = sides[0].way(middle)[::-1] + sides[1].way(middle)[1:]
        return Found(True, path, mu, mu, expansions)


class _Side:
    """One of the two searches: Dijkstra's algorithm under costs ``c(u, v) + sign (p(v) - p(u))``."""

    def __init__(self, neighbours: Any, root: Any, potential: Any, sign: float) -> None:
        self.neighbours, self.potential, self.sign = neighbours, potential, sign
        self.g: dict[Any, float] = {root: 0.0}
        self.p: dict[Any, float] = {root: sign * potential(root)}
        self.parents: dict[Any, Any] = {root: root}
        self.closed: set[Any] = set()
        self.queue: list[tuple[float, int, Any]] = [(self.p[root], 0, root)]
        self.pushed = 0

    def lowest(self) -> float:
        """The lowest key of a state that waits; infinity without one."""
        while self.queue and self.queue[0][2] in self.closed:
            heapq.heappop(self.queue)
        return self.queue[0][0] if self.queue else math.inf

    def expand(self) -> list[Any]:
        """Expand the state with the lowest key; the states that it reaches more cheaply."""
        s = heapq.heappop(self.queue)[2]
        self.closed.add(s)
        found: list[Any] = []
        for other, cost in self.neighbours(s):
            if other not in self.p:
                self.p[other] = self.sign * self.potential(other)
            if cost + self.p[other] - self.p[s] < -1e-9 * (cost + abs(self.p[s])):
                raise PilotageError(
                    f"the heuristic falls by more than the cost {cost:g} of the edge between {s!r} and {other!r}; "
                    "expected a consistent one; Bidirectional(heuristic=False) does without"
                )
            if self.g[s] + cost < self.g.get(other, math.inf):
                self.g[other], self.parents[other] = self.g[s] + cost, s
                self.pushed -= 1  # of equal keys, the last one first
                heapq.heappush(self.queue, (self.g[other] + self.p[other], self.pushed, other))
                found.append(other)
        return found

    def way(self, s: Any) -> list[Any]:
        """States from s back to the root."""
        way = [s]
        while self.parents[way[-1]] != way[-1]:
            way.append(self.parents[way[-1]])
        return way
