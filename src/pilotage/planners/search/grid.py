"""A*, weighted A* and Dijkstra on occupancy grids."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import PilotageError, ShapeError
from pilotage.core.results import Plan, PlanStatus
from pilotage.core.settings import number
from pilotage.core.streams import Rng
from pilotage.maps import OccupancyGrid
from pilotage.maps.occupancy import check_grid

from .explain import explain_endpoint, explain_separation
from .kernel import (
    BEST,
    BUCKET,
    DIAGONAL,
    EXPANSIONS,
    FREE,
    NEVER,
    PAUSED,
    POOL_FULL,
    STRAIGHT,
    USED,
    WAITING,
    WEIGHT_BITS,
    search,
    trace_back,
)
from .workspace import Workspace, borrow

Array = NDArray[np.float64]
Cells = NDArray[np.int64]

HIGHEST_COST = 65535.0
HIGHEST_WEIGHT = 1000.0
_CHUNK = 50_000
"""Expansions between two looks at the clock, about a millisecond."""
_WITHOUT_CLOCK = 5_000_000
"""Expansions after which Python gets to handle an interrupt."""


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
        >>> grid = OccupancyGrid.from_ascii(["...", ".#.", "..."])
        >>> plan = AStar().plan(grid, start=(0.5, 0.5), goal=(2.5, 2.5))
        >>> plan.cost, len(plan.path)
        (4.0, 5)
    """

    connectivity: int = 8
    weight: float = 1.0
    unknown: str = "blocked"

    def __post_init__(self) -> None:
        check_settings(self.connectivity, self.unknown)
        if not 1.0 <= number(self.weight, "the weight") <= HIGHEST_WEIGHT:
            raise PilotageError(f"the weight must be at least 1 and at most {HIGHEST_WEIGHT:g}, not {self.weight}")

    def plan(
        self,
        problem: OccupancyGrid,
        start: Any = None,
        goal: Any = None,
        *,
        costs: ArrayLike | None = None,
        rng: Rng = None,
        budget: float | None = None,
    ) -> Plan:
        """Plan a path over the cells of a grid.

        Args:
            problem: the grid; give `grid.inflate(radius)` for a robot with a radius.
            start: world point (x, y), pose (x, y, yaw) or belief, whose mean components x and y count.
            goal: the same.
            costs: traversal cost of each cell ``(ny, nx)``, at least 1; a step costs its length times the mean of
                its two cells. `grid.soft_costs` makes such costs.
            rng: taken by every planner; this one draws nothing.
            budget: seconds after which the search gives up with status BUDGET.

        Returns:
            A plan whose `path` ``(K, 2)`` runs through cell centres, from the start's cell to the goal's, and whose
            `cost` is in metres (times `costs`). `lower_bound` says what no path can undercut; `reason` why there is
            none; `stats` holds ``expansions``, ``seconds`` and ``expansions_per_second``.

        Raises:
            ShapeError: when start, goal or costs do not have the right shape or are not finite.
        """
        return _plan(problem, start, goal, costs, budget, self.connectivity, float(self.weight), self.unknown)


@dataclass(frozen=True)
class Dijkstra:
    """Shortest paths without a heuristic: A* with ``h = 0``, the same result after more expansions.

    Attributes:
        connectivity: 8 or 4 neighbours.
        unknown: "blocked" or "free": what cells are of which nothing is known.

    Source: E. Dijkstra, A note on two problems in connexion with graphs, 1959.

    Example:
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
        problem: OccupancyGrid,
        start: Any = None,
        goal: Any = None,
        *,
        costs: ArrayLike | None = None,
        rng: Rng = None,
        budget: float | None = None,
    ) -> Plan:
        """Plan a path over the cells of a grid; arguments and result as those of `AStar.plan`."""
        return _plan(problem, start, goal, costs, budget, self.connectivity, 0.0, self.unknown)


def check_settings(connectivity: int, unknown: str) -> None:
    """Refuse neighbourhoods and meanings of unknown cells that do not exist."""
    if connectivity not in (4, 8):
        raise PilotageError(f"connectivity must be 4 or 8, not {connectivity!r}")
    if unknown not in ("blocked", "free"):
        raise PilotageError(f'unknown must be "blocked" or "free", not {unknown!r}')


def _plan(
    grid: OccupancyGrid,
    start: Any,
    goal: Any,
    costs: ArrayLike | None,
    budget: float | None,
    connectivity: int,
    weight: float,
    unknown: str,
) -> Plan:
    ready(costs is not None)  # first: a budget is not spent on compiling
    began = time.perf_counter()
    check_grid(grid)
    if budget is not None and not number(budget, "the budget") >= 0.0:
        raise PilotageError(f"the budget is a number of seconds, 0 or more, not {budget}")
    deadline = None if budget is None else began + budget
    ends = np.stack((world_point(start, "start"), world_point(goal)))
    cells = grid.world_to_cell(ends).tolist()
    terrain = None if costs is None else check_costs(costs, grid)
    with borrow(grid, unknown) as space:
        for name, point, cell in zip(("start", "goal"), ends, cells, strict=True):
            if reason := explain_endpoint(grid, point, cell, name, unknown):
                return Plan(PlanStatus.INVALID, reason=reason, stats=_stats(0, began))
        query = Query(space, terrain, weight, connectivity == 8)
        first, last = (space.index(*cell) for cell in cells)
        if not query.run(first, last, deadline):
            return _spent(grid, query, began)
        if query.best == NEVER:
            reason = explain_separation(grid, query, last, ends[1], deadline)
            return Plan(PlanStatus.NO_PATH, lower_bound=math.inf, reason=reason, stats=_stats(query.expansions, began))
        return _solved(grid, query, first, last, began)


def _spent(grid: OccupancyGrid, query: Query, began: float) -> Plan:
    """What is known when the budget is spent."""
    bound = query.lower_bound() * grid.resolution
    return Plan(
        PlanStatus.BUDGET,
        lower_bound=bound,
        reason=f"the budget was spent after {query.expansions} expansions; no path costs less than {bound:.2f} m",
        stats=_stats(query.expansions, began),
    )


def _solved(grid: OccupancyGrid, query: Query, first: int, last: int, began: float) -> Plan:
    """The plan that a query has found."""
    bound = query.lower_bound() * grid.resolution
    cells, length = query.path(first, last)
    cost = length * grid.resolution
    return Plan(
        PlanStatus.SOLVED,
        path=grid.cell_to_world(cells),
        cost=cost,
        lower_bound=cost if query.weight <= 1 else min(max(bound, cost / query.weight), cost),
        stats=_stats(query.expansions, began),
    )


@cache
def ready(costly: bool) -> None:
    """Compile what a query calls, or load it, with costs or without: once a process, by a trivial query."""
    with borrow(OccupancyGrid.from_ascii([".."]), "blocked") as space:
        query = Query(space, np.ones((1, 2)) if costly else None, 1.0, True)
        first, last = space.index(0, 0), space.index(0, 1)
        query.run(first, last)
        query.path(first, last)


class Query:
    """One search in a borrowed workspace.

    Args:
        space: the workspace; its labels are those of this search until the next one begins.
        costs: traversal costs ``(ny, nx)``, or None for 1 everywhere.
        weight: of the heuristic; 0 for none.
        diagonal: whether diagonal steps are allowed.
    """

    def __init__(self, space: Workspace, costs: Array | None, weight: float, diagonal: bool) -> None:
        self.space, self.weight, self.diagonal = space, weight, diagonal
        # Rounded down: a little less weight keeps the factor that was asked for.
        self.scaled_weight = int(weight * (1 << WEIGHT_BITS))
        self.costs = None if costs is None else space.framed(costs)
        self.direct = 0
        self.round, self.end = space.begin(1.0 if costs is None else float(costs.max()), weight)

    def run(self, first: int, last: int, deadline: float | None = None) -> bool:
        """Search from `first` to `last` (-1: to every cell); False when the deadline came first."""
        space, state = self.space, self.space.state
        self.direct = self._distance(first, last)
        offset = ((self.direct * self.scaled_weight) >> WEIGHT_BITS) >> space.shift
        space.cells[first] = self.round + 1
        space.pool[0] = (first << 32) | 0xFFFFFFFF
        space.heads[offset & (len(space.heads) - 1)] = 0
        state[BUCKET], state[FREE], state[USED], state[WAITING] = offset, -1, 1, 1
        state[BEST], state[EXPANSIONS] = (0 if first == last else NEVER), 0
        while True:
            limit = _WITHOUT_CLOCK if deadline is None else _CHUNK
            outcome = search(
                space.cells, space.width, self.costs, last, self.scaled_weight, self.diagonal,
                self.round, space.heads, space.shift, space.pool, space.found, state, limit,
            )  # fmt: skip
            if outcome == POOL_FULL:
                space.grow()
            elif outcome != PAUSED:
                return True
            if deadline is not None and time.perf_counter() > deadline:
                return False

    def _distance(self, first: int, last: int) -> int:
        """Length of the way from the start to the goal if nothing were in it; 0 without a goal."""
        if last < 0:
            return 0
        dy, dx = np.abs(np.subtract(divmod(first, self.space.width), divmod(last, self.space.width))).tolist()
        straight, both = max(dx, dy) * STRAIGHT, min(dx, dy) * (DIAGONAL - STRAIGHT)
        return straight + both if self.diagonal else (dx + dy) * STRAIGHT

    @property
    def best(self) -> int:
        """Length of the best path known, `NEVER` without one."""
        return int(self.space.state[BEST])

    @property
    def expansions(self) -> int:
        """Cells expanded."""
        return int(self.space.state[EXPANSIONS])

    def lower_bound(self) -> float:
        """Length [cells] that no path undercuts: f of the lowest bucket left, over the weight, and the direct way."""
        f = min(int(self.space.state[BUCKET]) << self.space.shift, self.best)
        return max(f / max(self.weight, 1.0), self.direct) / STRAIGHT

    def lengths(self) -> Array:
        """Length [cells] of the way to each cell ``(ny, nx)``, infinity where the search has not been."""
        return np.where(self.reached(), ((self._labels() - self.round) >> 1) / STRAIGHT, np.inf)

    def reached(self) -> NDArray[np.bool_]:
        """Cells ``(ny, nx)`` to which the search has found a way."""
        label = self._labels()
        return (label >= self.round) & (label < self.end)

    def _labels(self) -> Cells:
        return self.space.cells.reshape(-1, self.space.width)[1:-1, 1:-1]

    def path(self, first: int, last: int) -> tuple[Cells, float]:
        """Cells (row, column) ``(K, 2)`` of the best path, and its cost [cells]."""
        space = self.space
        path, cost = trace_back(space.cells, space.width, self.costs, first, last, self.diagonal, self.round)
        if len(path) == 0:
            raise RuntimeError("a path was found whose cells do not lead back to the start; please report this map")
        return np.stack((path // space.width - 1, path % space.width - 1), axis=-1), float(cost)


def check_costs(costs: ArrayLike, grid: OccupancyGrid) -> Array:
    """Costs as float64 ``(ny, nx)``, or a sentence about what is wrong with them."""
    terrain = numbers(costs, "costs")
    if terrain.shape != grid.shape:
        raise ShapeError(f"costs must have the shape of the grid, {grid.shape}, not {terrain.shape}")
    fine = (terrain >= 1.0) & (terrain <= HIGHEST_COST)
    if not bool(fine.all()):
        row, column = np.argwhere(~fine)[0].tolist()
        raise ShapeError(
            f"costs must lie within [1, {HIGHEST_COST:g}] everywhere; {np.count_nonzero(~fine)} do not, the first is "
            f"{terrain[row, column]:g} in cell ({row}, {column}); cells that must not be entered belong on the map, "
            "as grid.with_occupied(mask)"
        )
    return terrain


def world_point(end: Any, name: str = "goal") -> Array:
    """World point of a start or goal: a belief's mean x and y, or the first two of two or three numbers."""
    if end is None:
        raise ShapeError(f"{name} is missing; give a world point (x, y), a pose (x, y, yaw) or a belief")
    if hasattr(end, "moments"):
        mean = end.moments()
        point = np.array([mean.mean[..., mean.space.find(axis)] for axis in ("x", "y")])
    else:
        values = numbers(end, name)
        if values.shape not in ((2,), (3,)):
            raise ShapeError(f"{name} must be (x, y), (x, y, yaw) or a belief, not an array of shape {values.shape}")
        point = values[:2]
    if point.shape != (2,) or not np.isfinite(point).all():
        raise ShapeError(f"{name} must be one finite world point, not {point}")
    return point


def _stats(expansions: int, began: float) -> dict[str, float]:
    seconds = time.perf_counter() - began
    rate = expansions / seconds if seconds > 0.0 else 0.0
    return {"expansions": expansions, "seconds": seconds, "expansions_per_second": rate}
