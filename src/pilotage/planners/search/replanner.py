"""Plans to one goal on a map that changes while the robot moves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from numpy.typing import ArrayLike

from pilotage.core.errors import PilotageError
from pilotage.core.plan import Plan
from pilotage.core.settings import setting
from pilotage.maps.cells import GridCells, Unknown

from ._cell_repair import CellRepair
from ._on_cells import Array, Connectivity, Found, answer, check_cells
from ._on_graph import View, answer_on_graph
from .dstar_lite import Repair
from .graph import Graph
from .workspace import Workspace


class Replanner:
    """D* Lite with memory: plans to one goal, each of which repairs the search of the one before.

    Args:
        goal: point (x, y), pose or belief, on grids; a state, on graphs.
        connectivity: 8 or 4 neighbours, on grids.
        unknown: how to treat unknown cells, "blocked" or "free".

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> replanner = Replanner(goal=(2.5, 0.5))
        >>> replanner.plan(OccupancyGrid.from_ascii(["...", "..."]), start=(0.5, 0.5)).cost
        2.0
        >>> replanner.plan(OccupancyGrid.from_ascii(["...", ".#."]), start=(0.5, 0.5)).cost
        4.0
    """

    def __init__(self, goal: Any, *, connectivity: Connectivity = 8, unknown: Unknown = "blocked") -> None:
        self.goal = goal
        self.connectivity = setting(connectivity, Connectivity, "connectivity")
        self.unknown = setting(unknown, Unknown, "unknown")
        self._repair: Repair | CellRepair | None = None
        self._graph: Graph | None = None

    def plan(
        self,
        problem: GridCells | Graph,
        start: Any,
        *,
        costs: ArrayLike | None = None,
        changed: Iterable[Any] = (),
        budget: float | None = None,
    ) -> Plan:
        """A shortest path on the map as it is now, from where the robot is now.

        Args:
            problem: a grid, which is compared with the one before; or a graph. Another shape, or another graph, starts
                a new search.
            start: as `goal`.
            costs: traversal cost of each cell, as for `AStar.plan`.
            changed: states of the graph from which an edge has appeared, vanished or changed its cost since the plan
                before.
            budget: seconds, as for `AStar.plan`; the next call goes on where this one stopped.

        Returns:
            A plan as that of `AStar`. ``stats["expansions"]`` are those of this repair.

        Raises:
            ShapeError: if start, goal or costs have the wrong shape or are not finite.
            PilotageError: if a cost of a graph is negative or NaN.
        """
        if not isinstance(problem, Graph):
            cells = check_cells(problem)
            costs = cells.costs if costs is None else costs
            return answer(
                cells, start, self.goal, costs, budget, self.unknown, self._on_cells,
                self.connectivity == 8,
            )  # fmt: skip
        if costs is not None:
            raise PilotageError("costs are those of the cells of a grid; the edges of a graph have their own")
        fresh, self._graph = problem is not self._graph, problem
        states = list(changed)

        def search(graph: View, start: Any, goal: Any, deadline: float) -> Found:
            return self._repaired(graph, start, goal, None if fresh else states, deadline)

        return answer_on_graph(problem, start, self.goal, budget, search)

    def _on_cells(self, space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None) -> Found:
        repair, self._graph = self._repair, None
        self._repair = None  # an interrupt leaves no half of a repair behind
        if isinstance(repair, CellRepair) and repair.fits(space, last):
            repair.follow(space, costs)
        else:
            repair = CellRepair(space, costs, last, self.connectivity == 8)
        found = repair.found(first, deadline)
        self._repair = repair
        return found

    def _repaired(self, graph: View, start: Any, goal: Any, changed: list[Any] | None, deadline: float) -> Found:
        """The path after a repair, or after a new search where `changed` is None."""
        repair = self._repair
        self._repair = None
        if not isinstance(repair, Repair) or changed is None:
            repair = Repair(graph, start, goal)
        else:
            repair.move(start)
            repair.change(graph, changed)
        found = repair.found(deadline)
        self._repair = repair
        return found
