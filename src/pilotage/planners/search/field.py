"""The cost to go from every cell to a goal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pilotage.core.errors import PilotageError
from pilotage.core.raster import Raster
from pilotage.core.settings import setting
from pilotage.maps.cells import GridCells, Unknown

from ._on_cells import Connectivity, check_cells, check_costs, world_point
from .explain import explain_endpoint
from .query import Query
from .workspace import borrow


def cost_to_go(
    grid: GridCells,
    goal: Any,
    *,
    costs: ArrayLike | None = None,
    connectivity: int = 8,
    unknown: str = "blocked",
    unreachable: float | None = None,
) -> Raster:
    """Cost [m] of the best path from each cell to `goal`, computed by Dijkstra's algorithm from the goal.

    ::

        V(n) = min over neighbours m of V(m) + |n - m| (c(n) + c(m)) / 2,   V(goal) = 0

    Args:
        grid: the map; use `grid.inflate(radius)` for a robot with a radius.
        goal: point in the world, pose or belief.
        costs: traversal costs ``(ny, nx)`` as for `AStar.plan`.
        connectivity: 8 or 4 neighbours.
        unknown: how to treat unknown cells, "blocked" or "free".
        unreachable: value of cells without a path to the goal. Default: the largest cost to go plus the diagonal of the
            map, which is larger than any cost with a path, but still finite, so that it can be interpolated.

    Raises:
        PilotageError: if the goal is off the map or not free, with the reason.
        SettingError: if `connectivity` or `unknown` has another value.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> cost_to_go(OccupancyGrid.from_ascii(["..."]), goal=(2.5, 0.5)).values
        array([[2., 1., 0.]])
    """
    check_cells(grid)
    setting(connectivity, Connectivity, "connectivity")
    setting(unknown, Unknown, "unknown")
    point = world_point(goal)
    cell = grid.world_to_cell(point).tolist()
    if reason := explain_endpoint(grid, point, cell, "goal", unknown):
        raise PilotageError(reason)
    costs = grid.costs if costs is None else costs
    terrain = None if costs is None else check_costs(costs, grid)
    with borrow(grid, unknown) as space:
        query = Query(space, terrain, 0.0, connectivity == 8)
        query.run(space.index(*cell), -1)
        lengths = query.lengths() * grid.resolution
    reached = np.isfinite(lengths)
    if unreachable is None:
        unreachable = float(lengths[reached].max() + np.hypot(*grid.size))
    return Raster(np.where(reached, lengths, unreachable), grid.resolution, grid.origin)
