"""Theta* and lazy Theta* on grids."""

from __future__ import annotations

import math

import numpy as np

from pilotage.core.errors import PilotageError
from pilotage.core.settings import settings
from pilotage.maps.cells import Unknown

from ._on_cells import Array, Found, path_cost
from ._on_graph import no_path, out_of_time
from ._planner import CellPlanner
from ._sight import EFFORT, SIZE, any_angle
from .query import advance
from .workspace import Workspace

_CHUNK = 5_000
"""Expansions between two looks at the clock."""


@settings
class ThetaStar(CellPlanner):
    """Theta*: paths of any angle between the middles of cells, never longer than those of `AStar`.

    ::

        g(s') = g(p) + |p - s'|   if s' is in sight of the parent p of s,   g(s) + |s - s'| otherwise

    The line of sight is exact: all cells that it touches are free, those that it meets in a corner too. On a `Problem`
    of a robot with a footprint, it is clear of all that the problem forbids. The path has few states, one at each turn.
    It is usually close to the shortest one, but not always it, so `lower_bound` is the
    straight distance. Every cell costs 1.

    Attributes:
        unknown: how to treat unknown cells, "blocked" or "free".

    Source: A. Nash, K. Daniel, S. Koenig, A. Felner, Theta*: any-angle path planning on grids, AAAI 2007; with cells
    expanded again when a shorter way turns up, without which a path may be longer than that of A*.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> grid = OccupancyGrid.from_ascii(["....", "....", "...."])
        >>> plan = ThetaStar().plan(grid, start=(0.5, 0.5), goal=(3.5, 1.5))
        >>> plan.cost == 10**0.5, len(plan.xs)
        (True, 2)
    """

    unknown: Unknown = "blocked"

    def _solve(self, space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None) -> Found:
        return _at_any_angle(self, space, costs, first, last, deadline, lazy=False)


@settings
class LazyThetaStar(CellPlanner):
    """Lazy Theta*: `ThetaStar` with far fewer checks of the line of sight, and almost the same paths.

    A neighbour is assumed to be in sight of the parent of the cell that reaches it. This is checked when the neighbour
    is expanded; if it is false, the neighbour is reached from the best expanded cell beside it instead, and waits
    again. Its paths are never longer than those of `AStar` either.

    Attributes:
        unknown: how to treat unknown cells, "blocked" or "free".

    Source: A. Nash, S. Koenig, C. Tovey, Lazy Theta*: any-angle path planning and path length analysis in 3D, AAAI
    2010.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> grid = OccupancyGrid.from_ascii(["....", "....", "...."])
        >>> LazyThetaStar().plan(grid, start=(0.5, 0.5), goal=(3.5, 1.5)).cost == 10**0.5
        True
    """

    unknown: Unknown = "blocked"

    def _solve(self, space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None) -> Found:
        return _at_any_angle(self, space, costs, first, last, deadline, lazy=True)


def _at_any_angle(
    planner: CellPlanner,
    space: Workspace,
    costs: Array | None,
    first: int,
    last: int,
    deadline: float | None,
    *,
    lazy: bool,
) -> Found:
    if costs is not None:
        raise PilotageError(f"{type(planner).__name__} needs the cost 1 in every cell; AStar plans under costs")
    count, direct = len(space.free), path_cost(space.places([first, last]))
    (g, final_g), (parents, final_parents) = np.full((2, count), np.inf), np.zeros((2, count), dtype=np.int32)
    g[first], parents[first] = 0.0, first
    keys, queue = np.zeros(1024), np.full(1024, first, dtype=np.int32)  # the start comes first, whatever its key
    free, state = space.free, np.zeros(3, dtype=np.int64)
    state[SIZE] = 1

    def run(limit: int) -> int:
        return any_angle(
            free, space.width, last, lazy, space.between, g, parents, final_g, final_parents, keys, queue, state, limit
        )  # fmt: skip

    def grow() -> None:
        nonlocal keys, queue
        keys, queue = np.concatenate((keys, keys)), np.concatenate((queue, queue))

    in_time = advance(run, grow, state[EFFORT:], _CHUNK, deadline, space.order)
    expansions = int(state[EFFORT])
    if not in_time:
        return out_of_time(direct, expansions)
    if math.isinf(final_g[last]):
        return no_path(expansions)
    path = [last]
    while path[-1] != first:
        path.append(int(final_parents[path[-1]]))
    cells = space.places(path[::-1])
    return Found(True, cells, path_cost(cells), direct, expansions)
