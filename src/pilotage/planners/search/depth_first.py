"""Depth-first search on grids and graphs."""

from __future__ import annotations

import time
from typing import Any

from pilotage.core.settings import settings
from pilotage.maps.cells import Unknown

from ._first_way import NEWEST, first_way
from ._on_cells import Array, Connectivity, Found
from ._on_graph import GraphPlanner, View, no_path, out_of_time, unwound
from .workspace import Workspace


@settings
class DepthFirst(GraphPlanner):
    """Depth-first search: some path, usually a long one; the baseline that shows what an order of expansion is worth.

    The state that was found last is expanded first; of several neighbours, the first one. On an infinite graph it may
    never return, so it needs a budget. `lower_bound` is the heuristic of the start. A grid keeps 9 bytes a cell, and 8
    for each cell that waits, once for each neighbour that found it.

    Attributes:
        connectivity: 8 or 4 neighbours, on grids.
        unknown: how to treat unknown cells, "blocked" or "free".

    Source: R. Tarjan, Depth-first search and linear graph algorithms, 1972.

    Example:
        >>> from pilotage.planners import EdgeGraph
        >>> graph = EdgeGraph(4, [(0, 1), (1, 2), (2, 3), (0, 3)], [1.0, 1.0, 1.0, 1.0])
        >>> DepthFirst().plan(graph, 0, 3).stats["states"]
        [0, 1, 2, 3]
    """

    connectivity: Connectivity = 8
    unknown: Unknown = "blocked"

    def _solve(self, space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None) -> Found:
        return first_way(space, costs, first, last, deadline, NEWEST, self.connectivity == 8)

    def _search(self, graph: View, start: Any, goal: Any, deadline: float) -> Found:
        g: dict[Any, float] = {}
        parents: dict[Any, Any] = {}
        stack, bound = [(start, start, 0.0)], graph.heuristic(start, goal)
        while goal not in g and stack:
            if time.perf_counter() > deadline:
                return out_of_time(bound, len(g))
            s, parent, cost = stack.pop()
            if s in g:
                continue
            g[s], parents[s] = cost, parent
            further = [(other, s, cost + step) for other, step in graph.neighbours(s) if step < float("inf")]
            stack.extend(reversed(further))
        return Found(True, unwound(parents, goal), g[goal], bound, len(g)) if goal in g else no_path(len(g))
