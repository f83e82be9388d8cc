"""Jump point search on grids."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pilotage.core.errors import PilotageError
from pilotage.core.settings import settings
from pilotage.maps.cells import Unknown

from ._jumps import EVERYWHERE, fill_jumps, jump_search, walk
from ._on_cells import Array, Found
from ._planner import CellPlanner
from .kernel import NEVER
from .query import Query
from .workspace import Workspace


@settings
class JumpPointSearch(CellPlanner):
    """Jump point search: the shortest octile path of `AStar`, after far fewer expansions.

    Of all shortest paths that differ only in the order of their steps, the search follows those that go diagonally
    first. Such a path turns at jump points only, beside the ends of obstacles, so nothing else is queued. The distance
    from each cell to the next jump point, in eight directions, is computed once for a grid, by the first query on it
    (about 0.1 microseconds a cell), and kept with the grid: 22 bytes a cell. Every cell costs 1; a diagonal step cuts
    no corner.

    Attributes:
        unknown: how to treat unknown cells, "blocked" or "free".

    Source: D. Harabor, A. Grastien, Improving jump point search, ICAPS 2014, for the distances (JPS+); D. Harabor,
    A. Grastien, The JPS pathfinding system, SoCS 2012, for the rules without corner cutting.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> grid = OccupancyGrid.from_ascii(["...", ".#.", "..."])
        >>> JumpPointSearch().plan(grid, start=(0.5, 0.5), goal=(2.5, 2.5)).cost
        4.0
    """

    unknown: Unknown = "blocked"

    def _solve(self, space: Workspace, costs: Array | None, first: int, last: int, deadline: float | None) -> Found:
        if costs is not None:
            raise PilotageError("JumpPointSearch needs the cost 1 in every cell; AStar plans under costs")
        table, directions, parents = _prepared(space)
        query = Query(space, None, 1.0, True, farthest=space.width + len(space.cells) // space.width)
        query.open(first, last, query.round)
        directions[2 * first : 2 * first + 2] = EVERYWHERE, 0
        finished = query.advance(
            lambda limit: jump_search(
                space.cells, space.width, last, query.round, space.heads, space.shift, space.pool, space.state,
                table, directions, parents, limit,
            ),
            deadline,
        )  # fmt: skip
        if not finished:
            return Found(False, None, math.inf, query.lower_bound(), query.expansions)
        if query.best == NEVER:
            return Found(True, None, math.inf, math.inf, query.expansions)
        path, length = walk(parents, space.width, first, last)
        return Found(True, path, length, length, query.expansions)


def _prepared(space: Workspace) -> tuple[Any, Any, Any]:
    """Jump distances, directions and parents of a workspace, made by its first query."""
    if "jumps" not in space.tables:
        count = len(space.cells)
        table = np.zeros(8 * count, dtype=np.int16)
        fill_jumps(space.cells >= 0, space.width, table)
        space.tables["jumps"] = table, np.zeros(2 * count, dtype=np.uint8), np.zeros(count, dtype=np.int32)
    return space.tables["jumps"]
