"""Dijkstra's search on grids."""

from __future__ import annotations

from typing import Any

from pilotage.core.settings import settings
from pilotage.maps.cells import Unknown

from ._best_first import best_first_on_graph
from ._on_cells import Array, Connectivity, Found
from ._on_graph import GraphPlanner, View
from .query import best_first
from .workspace import Workspace


@settings
class Dijkstra(GraphPlanner):
    """Dijkstra's algorithm: A* with ``h = 0``, with the same result after more expansions.

    Attributes:
        connectivity: 8 or 4 neighbours.
        unknown: how to treat unknown cells, "blocked" or "free".

    Source: E. Dijkstra, A note on two problems in connexion with graphs, 1959.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> grid = OccupancyGrid.from_ascii(["...", ".#.", "..."])
        >>> Dijkstra().plan(grid, start=(0.5, 0.5), goal=(2.5, 2.5)).cost
        4.0
    """

    connectivity: Connectivity = 8
    unknown: Unknown = "blocked"

    def _solve(self, space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None) -> Found:
        return best_first(space, costs, first, last, deadline, 0.0, self.connectivity == 8)

    def _search(self, graph: View, start: Any, goal: Any, deadline: float) -> Found:
        return best_first_on_graph(graph, start, goal, 0.0, deadline)
