"""Dijkstra's search on grids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from pilotage.core.plan import Plan
from pilotage.core.problem import Problem
from pilotage.core.streams import Rng
from pilotage.maps.cells import GridCells

from ._on_cells import Array, Found, answer, check_settings
from .query import best_first, ready
from .workspace import Workspace


@dataclass(frozen=True)
class Dijkstra:
    """Shortest paths without a heuristic: A* with ``h = 0``, the same result after more expansions.

    Attributes:
        connectivity: 8 or 4 neighbours.
        unknown: "blocked" or "free": what cells are of which nothing is known.

    Source: E. Dijkstra, A note on two problems in connexion with graphs, 1959.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> grid = OccupancyGrid.from_ascii(["...", ".#.", "..."])
        >>> Dijkstra().plan(grid, start=(0.5, 0.5), goal=(2.5, 2.5)).cost
        4.0
    """

    connectivity: int = 8
    unknown: str = "blocked"

    def __post_init__(self) -> None:
        check_settings(self.connectivity, self.unknown)

    def plan(
        self,
        problem: Problem | GridCells,
        start: Any = None,
        goal: Any = None,
        *,
        costs: ArrayLike | None = None,
        rng: Rng = None,
        budget: float | None = None,
    ) -> Plan:
        """Plan a path over the cells of a grid; arguments and result as those of `AStar.plan`."""
        ready(costs is not None)  # first: a budget is not spent on compiling
        return answer(problem, start, goal, costs, budget, self.unknown, self._solve)

    def _solve(self, space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None) -> Found:
        return best_first(space, costs, first, last, deadline, 0.0, self.connectivity == 8)
