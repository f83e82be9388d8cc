"""Best-first search on graphs: Dijkstra, A* and weighted A* are one loop, as on grids."""

from __future__ import annotations

import heapq
import math
import time
from typing import Any

from ._on_cells import Found
from ._on_graph import View, no_path, out_of_time, unwound


def best_first_on_graph(graph: View, start: Any, goal: Any, weight: float, deadline: float) -> Found:
    """Search in order of ``g + weight h``; a state is expanded again when a cheaper way to it turns up."""
    g, parents, expansions, pushed = {start: 0.0}, {start: start}, 0, 0
    queue: list[tuple[float, int, float, Any]] = [(weight * graph.heuristic(start, goal), 0, 0.0, start)]
    while queue:
        f, _, cost, s = heapq.heappop(queue)
        if cost > g[s]:
            continue
        if s == goal:
            return Found(True, unwound(parents, goal), cost, cost / max(weight, 1.0), expansions)
        if time.perf_counter() > deadline:
            return out_of_time(f / max(weight, 1.0), expansions)
        expansions += 1
        for other, step in graph.neighbours(s):
            if cost + step < g.get(other, math.inf):
                g[other], parents[other] = cost + step, s
                pushed -= 1  # of equal f, the last one first
                estimate = weight * graph.heuristic(other, goal) if weight else 0.0
                heapq.heappush(queue, (cost + step + estimate, pushed, cost + step, other))
    return no_path(expansions)
