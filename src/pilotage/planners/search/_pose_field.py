"""The way around the obstacles to a goal, for a point: the estimate of a search over poses that sees the map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ...core.problem import Problem
from ...maps import Footprint, FootprintConstraint, OccupancyGrid
from ...maps.obstacles import Obstacles
from .explain import distance_of_component
from .field import cost_to_go

Array = NDArray[np.float64]
OFF = 0.83
"""The most [cells] by which the field at the middle of a cell may lie below a clearance somewhere in the cell: half its
diagonal, and what `Obstacles` subtracts away from obstacles."""
COARSE = 0.85
"""Side of a coarse cell in radii of the disc: a wall, which is two radii thick, then contains whole cells."""
UNREACHABLE = 1e9


@dataclass(frozen=True)
class Field:
    """Lengths [m] of the ways of a point to the goals, ``(ny, nx)``, on cells where the origin of the robot may be.

    The robot covers a disc around its origin, which must be clear. A cell belongs to obstacles if this disc is not
    clear anywhere in it, so that a start from which no cells lead to the goal is disconnected from it.

    Attributes:
        cells: the coarse grid.
        values: ways; `UNREACHABLE` where there is none.
    """

    cells: OccupancyGrid | None
    values: Array

    @classmethod
    def of(cls, problem: Problem, goals: Array, pose: list[int]) -> Field:
        """The field of a problem on a map; zero everywhere for one without a map."""
        if not isinstance(problem.world, OccupancyGrid):
            return cls(None, np.zeros((1, 1)))
        if isinstance(problem.constraint, FootprintConstraint):
            cells = coarse(problem.constraint.obstacles, _middle(problem.constraint.footprint))
        else:
            cells = coarse(problem.world.obstacles("free"), 0.0)
        ends = {tuple(cells.world_to_cell(x[pose[:2]]).tolist()) for x in goals}
        if not all(cells.contains_cell(end) and cells.free[end] for end in ends):
            return cls(None, np.zeros((1, 1)))
        ways = [cost_to_go(cells, cells.cell_to_world(end), unreachable=UNREACHABLE).values for end in sorted(ends)]
        return cls(cells, np.ascontiguousarray(np.min(ways, axis=0)))

    @property
    def frame(self) -> tuple[float, float, float, float]:
        """Corner of the grid, and cosine and sine of its heading per side of a cell."""
        if self.cells is None:
            return 0.0, 0.0, 0.0, 0.0
        x, y, yaw = self.cells.origin
        return x, y, math.cos(yaw) / self.cells.resolution, math.sin(yaw) / self.cells.resolution

    def separates(self, root: Array, ends: Array, reach: float = 0.0) -> bool:
        """Whether it is proven that no way leads from a root ``(2,)`` to within `reach` of ends ``(K, 2)``."""
        if self.cells is None:
            return False
        row, column = self.cells.world_to_cell(root).tolist()
        apart = float(self.values[row, column]) >= UNREACHABLE
        return apart and distance_of_component(self.cells, root, ends) > reach


_KEPT: WeakKeyDictionary[Obstacles, dict[float, OccupancyGrid]] = WeakKeyDictionary()


def coarse(obstacles: Obstacles, disc: float) -> OccupancyGrid:
    """The cells where the origin of a robot that covers a disc may be, as free cells of a coarser grid; kept for later.

    A coarse cell is free if any of its cells is: walls, which are as thick as the disc is wide, remain closed.
    """
    kept = _KEPT.setdefault(obstacles, {})
    if disc not in kept:
        side = obstacles.grid.resolution
        free = obstacles.field.values[1:-1, 1:-1] > max(disc - OFF * side, 0.0)
        k = max(1, int(COARSE * disc / side))
        (ny, nx), rows, columns = obstacles.grid.shape, -obstacles.grid.shape[0] % k, -obstacles.grid.shape[1] % k
        blocks = np.pad(free, ((0, rows), (0, columns))).reshape((ny + rows) // k, k, (nx + columns) // k, k)
        kept[disc] = OccupancyGrid.from_occupied(~blocks.any(axis=(1, 3)), k * side, obstacles.grid.origin)
    return kept[disc]


def _middle(footprint: Footprint) -> float:
    """The radius of a disc around the origin that the robot covers [m]; 0 if the origin is outside."""
    if not footprint.hull:
        return max(0.0, *(r - math.hypot(x, y) for x, y, r in footprint.discs))
    a = np.array(footprint.hull)
    side = np.roll(a, -1, axis=0) - a
    return max(0.0, float(((a[:, 1] * side[:, 0] - a[:, 0] * side[:, 1]) / -np.hypot(*side.T)).min()))
