"""A mask of forbidden areas, laid over a map."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pilotage.core.errors import FormatError
from pilotage.maps import OccupancyGrid
from pilotage.maps.stock import kind_of


def masked(grid: OccupancyGrid, mask: Path | None) -> OccupancyGrid:
    """The map with the occupied cells of a mask, too; a mask that is an image alone has the frame of the map.

    Raises:
        FormatError: when such an image has another size than the map, or no occupied cell of the mask lies on it.
    """
    if mask is None:
        return grid
    if kind_of(mask) != "image":
        found = OccupancyGrid.load(mask)
        places = grid.world_to_cell(found.cell_to_world(np.argwhere(found.occupied)))
        if len(places) and not ((places >= 0) & (places < grid.shape)).all(-1).any():
            raise FormatError(f"{mask} forbids nothing on the map, but only elsewhere; see its origin {found.origin}")
        return grid.with_occupied(found)
    found = OccupancyGrid.load(mask, resolution=grid.resolution, origin=grid.origin)
    if found.shape != grid.shape:
        (rows, columns), (ny, nx) = found.shape, grid.shape
        raise FormatError(
            f"{mask} has {columns} x {rows} pixels, and the map has {nx} x {ny}; give the mask the size of the map, or "
            "write a yaml file for it, which says where it lies"
        )
    return grid.with_occupied(found)
