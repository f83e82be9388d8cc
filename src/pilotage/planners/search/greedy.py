"""Greedy best-first search on grids and graphs."""

from __future__ import annotations

import heapq
import time
from typing import Any

from pilotage.core.settings import settings
from pilotage.maps.cells import Unknown

from ._first_way import NEAREST, first_way
from ._on_cells import Array, Connectivity, Found
from ._on_graph import GraphPlanner, View, no_path, out_of_time, unwound
from .workspace import Workspace


@settings
class GreedyBestFirst(GraphPlanner):
    """Greedy best-first search: expands the state that looks nearest to the goal, ``f(n) = h(n)``.

    It finds a path after few expansions, of any cost; `AStar(weight=...)` bounds the cost. `lower_bound` is the
    heuristic of the start. A grid keeps 9 bytes a cell, and 8 for each cell that waits.

    Attributes:
        connectivity: 8 or 4 neighbours, on grids.
        unknown: how to treat unknown cells, "blocked" or "free".

    Source: J. Doran, D. Michie, Experiments with the graph traverser program, 1966.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> grid = OccupancyGrid.from_ascii(["...", ".#.", "..."])
        >>> GreedyBestFirst().plan(grid, start=(0.5, 0.5), goal=(2.5, 2.5)).cost
        4.0
    """

    connectivity: Connectivity = 8
    unknown: Unknown = "blocked"

    def _solve(self, space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None) -> Found:
        return first_way(space, costs, first, last, deadline, NEAREST, self.connectivity == 8)

    def _search(self, graph: View, start: Any, goal: Any, deadline: float) -> Found:
        g, parents, expansions = {start: 0.0}, {start: start}, 0
        bound = graph.heuristic(start, goal)
        queue: list[tuple[float, int, Any]] = [(bound, 0, start)]
        while goal not in g and queue:
            if time.perf_counter() > deadline:
                return out_of_time(bound, expansions)
            s = heapq.heappop(queue)[2]
            expansions += 1
            for other, cost in graph.neighbours(s):
                if other not in g and cost < float("inf"):
                    g[other], parents[other] = g[s] + cost, s
                    heapq.heappush(queue, (graph.heuristic(other, goal), len(g), other))
        return Found(True, unwound(parents, goal), g[goal], bound, expansions) if goal in g else no_path(expansions)
