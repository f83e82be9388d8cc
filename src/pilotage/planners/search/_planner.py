"""The base of planners on the cells of a grid."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from pilotage.core.errors import PilotageError
from pilotage.core.plan import Plan
from pilotage.core.problem import Problem
from pilotage.core.streams import Rng, checked
from pilotage.maps import OccupancyGrid, SphereConstraint
from pilotage.maps.cells import GridCells, Unknown

from ._on_cells import Array, Found, answer
from .graph import Graph
from .workspace import Workspace, borrow


class CellPlanner(ABC):
    """A planner on the cells of a grid; subclasses give `unknown` and the search."""

    if TYPE_CHECKING:
        unknown: Unknown

    def plan(
        self,
        problem: Problem | GridCells | Graph,
        start: Any = None,
        goal: Any = None,
        *,
        costs: ArrayLike | None = None,
        rng: Rng = None,
        budget: float | None = None,
        record: bool = False,
    ) -> Plan:
        """Plan a path over the cells of a grid, or through a graph.

        Args:
            problem: a grid (``grid.inflate(radius)`` for a robot with a radius), or a `Problem` that a grid created for
                a round robot, or an octree for a sphere, with its start and goal; or a `Graph`.
            start: point (x, y), pose (x, y, yaw) or belief, of which the mean x and y are used; a state of a graph.
            goal: the same.
            costs: traversal cost of each cell ``(ny, nx)``, at least 1; a step costs its length times the mean of
                its two cells. `grid.soft_costs` returns such costs. The default is those of a `Costmap`, and 1 on other
                grids.
            rng: accepted by every planner; this one draws no random numbers.
            budget: seconds after which the search stops with status BUDGET.
            record: whether ``stats["expanded"]`` ``(N, 2)`` contains the centres of the cells of a grid in the order in
                which they were expanded; the search takes longer then.

        Returns:
            A plan whose `xs` ``(T+1, 2)`` are cell centres, from the cell of the start to that of the goal, and whose
            `cost` is in metres (times `costs`). `lower_bound` is a cost that no path can undercut, `reason` says why
            there is no path, and `stats` contains ``expansions``, ``seconds`` and ``expansions_per_second``.
            A start that only the inflation of an `InflatedGrid` forbids is led out of it, over free cells of the map;
            ``stats["led_out"]`` then says so in a sentence.
            On a graph, ``stats["states"]`` is the path, and `xs` contains the positions of its states, if it has any.

        Raises:
            ShapeError: if start, goal or costs have the wrong shape or are not finite.
            PilotageError: if the problem is not that of a round robot on a grid, or a graph has a cost that is negative
                or NaN.
        """
        checked(rng)
        # Grids and problems first: to ask a protocol takes longer than a short search.
        if not isinstance(problem, GridCells | Problem) and isinstance(problem, Graph):
            if costs is not None:
                raise PilotageError("costs are those of the cells of a grid; the edges of a graph have their own")
            if record:
                raise PilotageError("record is for grids; a graph can note itself which states it is asked about")
            return self._on_graph(problem, start, goal, budget)
        if isinstance(problem, Problem) and isinstance(problem.constraint, SphereConstraint):
            return self._in_voxels(problem, budget)
        if costs is None and isinstance(problem, GridCells):
            costs = problem.costs
        _compiled(type(self), costs is not None)  # first: a budget is not spent on compiling
        diagonal = getattr(self, "connectivity", 8) == 8
        return answer(problem, start, goal, costs, budget, self.unknown, self._solve, diagonal, record)

    def _on_graph(self, graph: Graph, start: Any, goal: Any, budget: float | None) -> Plan:
        """The plan for a query on a graph, by planners that can search one."""
        raise PilotageError(f"{type(self).__name__} needs a grid; AStar and Dijkstra, among others, search graphs too")

    def _in_voxels(self, problem: Problem, budget: float | None) -> Plan:
        """The plan for the problem of a sphere in an octree, by planners that can search graphs."""
        raise PilotageError(f"{type(self).__name__} needs a grid; AStar and Dijkstra, among others, search octrees too")

    @abstractmethod
    def _solve(self, space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None) -> Found:
        """Search a workspace from one index to another, under costs ``(ny, nx)``, until the deadline."""


@cache
def _compiled(kind: type[CellPlanner], costly: bool) -> None:
    """Compile what a planner calls, or load it, with costs or without: once a process, by a trivial query."""
    with borrow(OccupancyGrid.from_ascii([".."]), "blocked") as space:
        costs = np.ones((1, 2)) if costly else None
        kind()._solve(space, costs, space.index(0, 0), space.index(0, 1), None)
