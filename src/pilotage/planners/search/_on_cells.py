"""From a problem on a grid to cells, and from the cells that a search has found to a plan."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import PilotageError, ShapeError, counted
from pilotage.core.plan import Budget, Plan, PlanStatus
from pilotage.core.problem import Problem
from pilotage.core.settings import setting, shown
from pilotage.core.space import Space
from pilotage.core.states import state_of
from pilotage.maps import FootprintConstraint
from pilotage.maps.cells import GridCells

from .._lead_out import LeadOut
from ._way_out import way_out, way_to_cells
from .explain import explain_endpoint, explain_separation
from .workspace import Workspace, borrow

Array = NDArray[np.float64]
Cells = NDArray[np.int64]
POINT = Space("x y [m]")
HIGHEST_COST = 65535.0
Connectivity = Literal[4, 8]


class Found(NamedTuple):
    """The result of a search; on cells, lengths are in cells, times costs.

    Attributes:
        finished: False when its time was up.
        path: cells (row, column) ``(K, 2)`` from start to goal, or states of a graph; None when no path was found.
        length: of the path.
        bound: no path is shorter; infinity when there is none.
        expansions: cells expanded.
        more: further entries of the plan's `stats`.
    """

    finished: bool
    path: Any
    length: float
    bound: float
    expansions: int
    more: dict[str, Any] | None = None


Solve = Callable[[Workspace, "Array | None", int, int, "float | None"], Found]
"""A search: workspace, costs ``(ny, nx)``, indices of start and goal in the workspace, deadline."""


def answer(
    problem: Problem | GridCells,
    start: Any,
    goal: Any,
    costs: ArrayLike | None,
    budget: float | None,
    unknown: str,
    solve: Solve,
    diagonal: bool,
    record: bool = False,
    leave: Callable[[LeadOut], str] = lambda out: "",
) -> Plan:
    """The plan for a problem on cells that `solve` searches.

    A start in inflated cells, or within a margin, is led out of them, in diagonal steps too or in straight ones only.
    The search is told the way out by `leave`, which may say what is wrong with it. With `record`, the stats contain the
    cells that were expanded.
    """
    began = time.perf_counter()
    deadline = None if budget is None else began + setting(budget, Budget, "the budget")
    cells, ends, reason, out = _posed(problem, start, goal, unknown)
    places = cells.world_to_cell(ends).tolist()
    terrain = None if costs is None else check_costs(costs, cells)
    if out is None and not reason and (reason := explain_endpoint(cells, ends[0], places[0], "start", unknown)):
        out = way_out(cells, ends[0], places[0], places[1], unknown, diagonal)
    reason = ("" if out else reason) or explain_endpoint(cells, ends[1], places[1], "goal", unknown)
    reason = reason or (leave(out) if out else "")
    if reason:
        return Plan(PlanStatus.INVALID, reason=reason, stats=stats_of(0, began))
    if out:
        ends[0] = out.xs[-1]
        places[0] = cells.world_to_cell(ends[0]).tolist()
    with borrow(cells, unknown) as space:
        first, last = (space.index(*place) for place in places)
        order = space.order = [] if record else None
        found = solve(space, terrain, first, last, deadline)
    stats = stats_of(found.expansions, began) | (found.more or {}) | ({"led_out": out.said} if out else {})
    if order is not None:
        stats["expanded"] = cells.cell_to_world(space.places(np.array(order, dtype=np.int64)))
    bound = found.bound * cells.resolution
    if out:  # another way out might be better
        bound = min(bound, float(np.hypot(*(ends[1] - out.xs[0]))))
    if not found.finished:
        effort = counted(found.expansions, "expansion")
        reason = f"the budget was spent after {effort}; no path costs less than {bound:.2f} m"
        return Plan(PlanStatus.BUDGET, lower_bound=bound, reason=reason, stats=stats)
    if found.path is None:
        reason = explain_separation(cells, unknown, *ends)
        return Plan(PlanStatus.NO_PATH, lower_bound=bound if out else math.inf, reason=reason, stats=stats)
    xs, cost = cells.cell_to_world(found.path), found.length * cells.resolution
    if out:
        worth = None if terrain is None else terrain[tuple(cells.world_to_cell(out.xs).T)]
        xs, cost = np.concatenate([out.xs, xs[1:]]), cost + _paid(out.xs, worth)
        bound = float(np.hypot(*(xs[-1] - xs[0])))
    shape, lower = problem.footprint if isinstance(problem, Problem) else None, min(bound, cost)
    return Plan(PlanStatus.SOLVED, POINT, xs, cost=cost, lower_bound=lower, stats=stats, footprint=shape)


def path_cost(cells: Cells, terrain: Array | None = None) -> float:
    """Length [cells] of the straight lines between cells ``(K, 2)``, each times the mean cost of its two cells."""
    return _paid(cells, None if terrain is None else terrain[tuple(cells.T)])


def _paid(places: Array | Cells, worth: Array | None) -> float:
    """Length of the straight lines between places ``(K, 2)``, each times the mean cost of its two places."""
    lengths = np.hypot(*np.diff(places, axis=0).T)
    return float(lengths.sum() if worth is None else (lengths * (0.5 * (worth[1:] + worth[:-1]))).sum())


def _posed(problem: Any, start: Any, goal: Any, unknown: str) -> tuple[GridCells, Array, str, LeadOut | None]:
    """Cells, start and goal ``(2, 2)``, what is wrong with them at once, and the way out of a margin."""
    if isinstance(problem, GridCells):
        return problem, np.array((world_point(start, "start"), world_point(goal))), "", None
    if not isinstance(problem, Problem):
        check_cells(problem)
    if start is not None or goal is not None:
        raise PilotageError("a Problem brings its start and goal; leave them out, or give a grid instead")
    if not isinstance(problem.constraint, FootprintConstraint) or problem.is_free is not None:
        raise PilotageError(
            "a search on cells needs a problem on a grid; expected one of grid.problem(start, goal, footprint), or a "
            "grid with start and goal"
        )
    goals = problem.goals(2, rng=0)[:, problem.constraint.pose[:2]]
    if not (goals == goals[0]).all():
        raise PilotageError("the goal is a region or several states; a search on cells needs one point (x, y)")
    ends = np.stack((problem.start[problem.constraint.pose[:2]], goals[0]))
    cells, reason = problem.constraint.cells, problem.explain(problem.start, "start")
    out = way_to_cells(problem, cells, goals[0]) if reason else None
    return cells, ends, ("" if out else reason) or problem.explain(problem.goals(1, rng=0)[0], "goal"), out


def check_cells(grid: Any) -> GridCells:
    """`grid`, when it is a grid of cells; else a sentence."""
    if not isinstance(grid, GridCells):
        raise ShapeError(
            f"an OccupancyGrid is needed, not {type(grid).__name__}; "
            "OccupancyGrid.load(path) reads one, OccupancyGrid.from_occupied(array, resolution) makes one"
        )
    return grid


def check_costs(costs: ArrayLike, grid: GridCells) -> Array:
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
    if end is None or hasattr(end, "moments"):
        point = state_of(end, POINT, name, finite=False)
    else:
        values = numbers(end, name)
        if values.shape not in ((2,), (3,)):
            raise ShapeError(f"{name} must be (x, y), (x, y, yaw) or a belief, not an array of shape {values.shape}")
        point = values[:2]
    if not (math.isfinite(point[0]) and math.isfinite(point[1])):
        raise ShapeError(f"{name} must be one finite world point, not {shown(point.tolist())}")
    return point


def stats_of(expansions: int, began: float) -> dict[str, Any]:
    """The effort of a search that began at a time of the clock."""
    seconds = time.perf_counter() - began
    rate = expansions / seconds if seconds > 0.0 else 0.0
    return {"expansions": expansions, "seconds": seconds, "expansions_per_second": rate}
