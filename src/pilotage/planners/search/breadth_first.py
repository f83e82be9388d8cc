"""Breadth-first search on grids and graphs."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from pilotage.core.settings import settings
from pilotage.maps.cells import Unknown

from ._first_way import FEWEST, first_way
from ._on_cells import Array, Connectivity, Found
from ._on_graph import GraphPlanner, View, no_path, out_of_time, unwound
from .workspace import Workspace


@settings
class BreadthFirst(GraphPlanner):
    """Breadth-first search: a path with the fewest steps, whatever they cost.

    States that fewer steps reach are expanded first. On a grid with 4 neighbours, the fewest steps are the shortest
    path too. `lower_bound` is the heuristic of the start. A grid keeps 9 bytes a cell, and 8 for each cell that waits.

    Attributes:
        connectivity: 8 or 4 neighbours, on grids.
        unknown: how to treat unknown cells, "blocked" or "free".

    Source: E. Moore, The shortest path through a maze, 1959.

    Example:
        >>> from pilotage.planners import EdgeGraph
        >>> graph = EdgeGraph(3, [(0, 1), (1, 2), (0, 2)], [1.0, 1.0, 5.0])
        >>> BreadthFirst().plan(graph, 0, 2).stats["states"]
        [0, 2]
    """

    connectivity: Connectivity = 8
    unknown: Unknown = "blocked"

    def _solve(self, space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None) -> Found:
        return first_way(space, costs, first, last, deadline, FEWEST, self.connectivity == 8)

    def _search(self, graph: View, start: Any, goal: Any, deadline: float) -> Found:
        g, parents, expansions = {start: 0.0}, {start: start}, 0
        queue, bound = deque([start]), graph.heuristic(start, goal)
        while goal not in g and queue:
            if time.perf_counter() > deadline:
                return out_of_time(bound, expansions)
            s = queue.popleft()
            expansions += 1
            for other, cost in graph.neighbours(s):
                if other not in g and cost < float("inf"):
                    g[other], parents[other] = g[s] + cost, s
                    queue.append(other)
        return Found(True, unwound(parents, goal), g[goal], bound, expansions) if goal in g else no_path(expansions)
