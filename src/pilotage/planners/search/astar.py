"""A* and weighted A* on grids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from pilotage.core.errors import PilotageError
from pilotage.core.plan import Plan
from pilotage.core.problem import Problem
from pilotage.core.settings import number
from pilotage.core.streams import Rng
from pilotage.maps.cells import GridCells

from ._on_cells import Array, Found, answer, check_settings
from .query import best_first, ready
from .workspace import Workspace

HIGHEST_WEIGHT = 1000.0


@dataclass(frozen=True)
class AStar:
    """Shortest paths on an `OccupancyGrid`, exactly, or within a factor and sooner.

    ::

        f(n) = g(n) + w h(n),   h octile (8 neighbours) or Manhattan (4)

    The metric is octile: a straight step costs 1 cell, a diagonal one sqrt(2), and a diagonal step needs both cells
    beside it passable (no corner is cut). With weight 1 the path is a shortest one; with weight w its cost is at most
    w times that, and far fewer cells are expanded.

    Attributes:
        connectivity: 8 or 4 neighbours.
        weight: of the heuristic, 1 to 1000.
        unknown: "blocked" or "free": what cells are of which nothing is known.

    Source: P. Hart, N. Nilsson, B. Raphael, A formal basis for the heuristic determination of minimum cost paths,
    1968; I. Pohl, Heuristic search viewed as path finding in a graph, 1970, for the weight.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> grid = OccupancyGrid.from_ascii(["...", ".#.", "..."])
        >>> plan = AStar().plan(grid, start=(0.5, 0.5), goal=(2.5, 2.5))
        >>> plan.cost, len(plan.xs)
        (4.0, 5)
    """

    connectivity: int = 8
    weight: float = 1.0
    unknown: str = "blocked"

    def __post_init__(self) -> None:
        check_settings(self.connectivity, self.unknown)
        if not 1.0 <= number(self.weight, "the weight") <= HIGHEST_WEIGHT:
            raise PilotageError(f"the weight is {self.weight}; expected 1 to {HIGHEST_WEIGHT:g}")

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
        """Plan a path over the cells of a grid.

        Args:
            problem: a grid (``grid.inflate(radius)`` for a robot with a radius), or the `Problem` of a round robot
                that a grid has made and that brings start and goal.
            start: world point (x, y), pose (x, y, yaw) or belief, whose mean components x and y count.
            goal: the same.
            costs: traversal cost of each cell ``(ny, nx)``, at least 1; a step costs its length times the mean of
                its two cells. `grid.soft_costs` makes such costs.
            rng: taken by every planner; this one draws nothing.
            budget: seconds after which the search gives up with status BUDGET.

        Returns:
            A plan whose `xs` ``(T+1, 2)`` run through cell centres, from the start's cell to the goal's, and whose
            `cost` is in metres (times `costs`). `lower_bound` says what no path can undercut; `reason` why there is
            none; `stats` holds ``expansions``, ``seconds`` and ``expansions_per_second``.

        Raises:
            ShapeError: when start, goal or costs do not have the right shape or are not finite.
            PilotageError: on a problem that is not one of a round robot on a grid.
        """
        ready(costs is not None)  # first: a budget is not spent on compiling
        return answer(problem, start, goal, costs, budget, self.unknown, self._solve)

    def _solve(self, space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None) -> Found:
        return best_first(space, costs, first, last, deadline, float(self.weight), self.connectivity == 8)
