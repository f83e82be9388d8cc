"""Plans to one goal on a map that changes while the robot moves."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pilotage.core.errors import PilotageError
from pilotage.core.plan import Plan
from pilotage.core.settings import setting
from pilotage.maps.cells import GridCells, Unknown

from ._on_cells import Array, Connectivity, Found, answer, check_cells
from ._on_graph import CellGraph, View, answer_on_graph, as_cells
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
        self._repair: Repair | None = None
        self._cells: _ChangingCells | None = None
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
            costs = check_cells(problem).costs if costs is None else costs
            return answer(problem, start, self.goal, costs, budget, self.unknown, self._on_cells)
        if costs is not None:
            raise PilotageError("costs are those of the cells of a grid; the edges of a graph have their own")
        fresh, self._graph, self._cells = problem is not self._graph, problem, None
        states = list(changed)

        def search(graph: View, start: Any, goal: Any, deadline: float) -> Found:
            return self._repaired(graph, start, goal, None if fresh else states, deadline)

        return answer_on_graph(problem, start, self.goal, budget, search)

    def _on_cells(self, space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None) -> Found:
        if self._cells is None or not self._cells.fits(space, last):
            self._cells, changed = _ChangingCells(space, costs, last, self.connectivity == 8), None
        else:
            changed = self._cells.follow(space, costs)
        limit, self._graph = math.inf if deadline is None else deadline, None
        found = self._repaired(View(self._cells.graph), first, last, changed, limit)
        return found if found.path is None else found._replace(path=as_cells(found.path, space.width))

    def _repaired(self, graph: View, start: Any, goal: Any, changed: list[Any] | None, deadline: float) -> Found:
        """The path after a repair, or after a new search where `changed` is None."""
        repair = self._repair
        self._repair = None  # an interrupt leaves no half of a repair behind
        if repair is None or changed is None:
            repair = Repair(graph, start, goal)
        else:
            repair.move(start)
            repair.change(graph, changed)
        found = repair.found(deadline)
        self._repair = repair
        return found


class _ChangingCells:
    """The graph of the cells of a grid, kept up to date."""

    def __init__(self, space: Workspace, costs: Array | None, goal: int, diagonal: bool) -> None:
        self.graph, self.goal = CellGraph(space, costs, diagonal), goal
        self.free, self.costs = space.cells >= 0, self._framed(space, costs)

    def fits(self, space: Workspace, goal: int) -> bool:
        """Whether the grid has the same shape and goal as before."""
        return self.graph.width == space.width and len(self.free) == len(space.cells) and self.goal == goal

    def follow(self, space: Workspace, costs: Array | None) -> list[int]:
        """Bring the graph up to date; the cells whose edges may have changed: those around the ones that have."""
        free, framed = space.cells >= 0, self._framed(space, costs)
        changed = np.flatnonzero((free != self.free) | (framed != self.costs))
        for n in changed.tolist():
            self.graph.free[n] = bool(free[n])
        self.graph.costs = None if costs is None else framed.tolist()
        self.free, self.costs = free, framed
        w = space.width
        around = np.add.outer(changed, [0, 1, -1, w, -w, w + 1, w - 1, -w + 1, -w - 1])
        return np.unique(around[(around >= 0) & (around < len(free))]).tolist()

    def _framed(self, space: Workspace, costs: Array | None) -> Array:
        return np.ones(len(space.cells)) if costs is None else space.framed(costs)
