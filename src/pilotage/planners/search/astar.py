"""A* and weighted A* on grids."""

from __future__ import annotations

from typing import Annotated, Any

from pilotage.core.settings import Interval, settings
from pilotage.maps.cells import Unknown

from ._best_first import best_first_on_graph
from ._on_cells import Array, Connectivity, Found
from ._on_graph import GraphPlanner, View
from .query import best_first
from .workspace import Workspace

HIGHEST_WEIGHT = 1000.0


@settings
class AStar(GraphPlanner):
    """A* and weighted A*: shortest paths on an `OccupancyGrid`, or faster searches with a bounded cost.

    ::

        f(n) = g(n) + w h(n),   h octile (8 neighbours) or Manhattan (4)

    The metric is octile: a straight step costs 1 cell and a diagonal step sqrt(2). A diagonal step requires that both
    cells beside it are free, so no corner is cut. With weight 1, the path is a shortest one. With weight w, its cost is
    at most w times the optimum, and the search expands far fewer cells.

    Attributes:
        connectivity: 8 or 4 neighbours.
        weight: weight w of the heuristic, 1 to 1000.
        unknown: how to treat unknown cells, "blocked" or "free".

    Source: P. Hart, N. Nilsson, B. Raphael, A formal basis for the heuristic determination of minimum cost paths,
    1968; I. Pohl, Heuristic search viewed as path finding in a graph, 1970, for the weight.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> grid = OccupancyGrid.from_ascii(["...", ".#.", "..."])
        >>> plan = AStar().plan(grid, start=(0.5, 0.5), goal=(2.5, 2.5))
        >>> plan.cost, len(plan.xs)
        (4.0, 5)
    """

    connectivity: Connectivity = 8
    weight: Annotated[float, Interval(1.0, HIGHEST_WEIGHT, "[]")] = 1.0
    unknown: Unknown = "blocked"

    def _solve(self, space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None) -> Found:
        return best_first(space, costs, first, last, deadline, self.weight, self.connectivity == 8)

    def _search(self, graph: View, start: Any, goal: Any, deadline: float) -> Found:
        return best_first_on_graph(graph, start, goal, self.weight, deadline)
