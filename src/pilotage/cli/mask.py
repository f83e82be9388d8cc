"""A mask of forbidden areas, laid over a map."""

from __future__ import annotations

from pathlib import Path

from pilotage.core.errors import FormatError
from pilotage.maps import OccupancyGrid
from pilotage.maps.stock import kind_of


def masked(grid: OccupancyGrid, mask: Path | None) -> OccupancyGrid:
    """The map with the occupied cells of a mask, too; a mask that is an image alone has the frame of the map.

    Raises:
        FormatError: when such an image has another size than the map.
    """
    if mask is None:
        return grid
    if kind_of(mask) != "image":
        return grid.with_occupied(OccupancyGrid.load(mask))
    found = OccupancyGrid.load(mask, resolution=grid.resolution, origin=grid.origin)
    if found.shape != grid.shape:
        (rows, columns), (ny, nx) = found.shape, grid.shape
        raise FormatError(
            f"{mask} has {columns} x {rows} pixels, and the map has {nx} x {ny}; give the mask the size of the map, or "
            "write a yaml file for it, which says where it lies"
        )
    return grid.with_occupied(found)
