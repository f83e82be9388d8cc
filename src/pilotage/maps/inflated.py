"""The configuration space of a round robot on a map."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core.settings import positive

from .cells import GridCells, read_only

if TYPE_CHECKING:
    from .occupancy import OccupancyGrid

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class InflatedGrid(GridCells):
    """A map with its obstacles grown by the radius of a round robot; its centre may be in every free cell.

    ::

        occupied = |cell - nearest occupied cell of the map| <= radius        between cell centres, exact

    This is a view of the map for planners; for sensors, distances and saving, use the map. Unknown cells stay unknown;
    neither they nor the edge of the map are grown. For footprints that are not round, and for clearances to the faces
    of cells, use `FootprintConstraint`.

    Attributes:
        grid: the map.
        radius: radius of the robot [m], not negative.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> InflatedGrid(OccupancyGrid.from_ascii([".....", "..#..", "....."]), 1.0).occupied.astype(int)
        array([[0, 0, 1, 0, 0],
               [0, 1, 1, 1, 0],
               [0, 0, 1, 0, 0]])
    """

    grid: OccupancyGrid
    radius: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "radius", positive(self.radius, "the inflation radius", zero=True))

    def __getstate__(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def __repr__(self) -> str:
        return f"InflatedGrid({self.grid!r}, {self.radius:g} m)"

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and columns."""
        return self.grid.shape

    @property
    def resolution(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The side of a cell [m]."""
        return self.grid.resolution

    @property
    def origin(self) -> tuple[float, float, float]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The pose of the lower-left corner of the map."""
        return self.grid.origin

    @cached_property
    def occupied(self) -> Mask:
        """The cells within `radius` of an occupied cell, bools ``(ny, nx)``."""
        # Distances are roots of integers times the resolution; the slack keeps a radius of 3 cells at 3 cells.
        grown = self.grid.distance_field().values <= self.radius * (1 + 1e-12)
        return read_only(grown | self.grid.occupied)

    @cached_property
    def free(self) -> Mask:
        """The free cells of the map that are not within `radius` of an occupied cell, bools ``(ny, nx)``."""
        return read_only(self.grid.free & ~self.occupied)

    def inflate(self, radius: float) -> InflatedGrid:
        """The same map, inflated by `radius` [m] more."""
        return InflatedGrid(self.grid, self.radius + positive(radius, "the inflation radius", zero=True))
