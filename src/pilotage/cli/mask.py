"""A mask of forbidden areas, laid over a map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import FormatError
from pilotage.maps import OccupancyGrid
from pilotage.maps.frame import GridFrame
from pilotage.maps.stamps import grid_cells
from pilotage.maps.stock import kind_of

Mask = NDArray[np.bool_]


def masked(grid: OccupancyGrid, mask: Path | None, negate: bool = False) -> tuple[OccupancyGrid, Mask | None]:
    """The map with the occupied cells of a mask, too, and these cells ``(ny, nx)``; None without a mask.

    A mask that is an image alone has the frame of the map; with `negate`, what is white in it is occupied.

    Raises:
        FormatError: when such an image has another size than the map, no occupied cell of the mask lies on it, or
            `negate` is given without such an image.
    """
    image = mask is not None and kind_of(mask) == "image"
    if negate and not image:
        raise FormatError(
            "--negate-mask goes with a --mask that is an image alone; a yaml file says itself what is free"
        )
    if mask is None:
        return grid, None
    frame: dict[str, Any] = {"resolution": grid.resolution, "origin": grid.origin, "negate": negate} if image else {}
    found = OccupancyGrid.load(mask, **frame)
    if image and found.shape != grid.shape:
        (rows, columns), (ny, nx) = found.shape, grid.shape
        raise FormatError(
            f"{mask} has {columns} x {rows} pixels, and the map has {nx} x {ny}; give the mask the size of the map, or "
            "write a yaml file for it, which says where it lies"
        )
    cells = grid_cells(grid, found)
    if found.occupied.any() and not cells.any():
        raise FormatError(f"{mask} forbids nothing on the map, but only elsewhere; see its origin {found.origin}")
    return grid.with_occupied(cells), cells


def covered(cells: Mask, grid: GridFrame, places: dict[str, tuple[float, float]]) -> str:
    """The end of a sentence about those of the named places (x, y) that a mask covers; empty if it covers none."""
    at = {name: tuple(grid.world_to_cell(place).tolist()) for name, place in places.items()}
    names = [name for name, cell in at.items() if grid.contains_cell(cell) and cells[cell]]
    return f"; the mask covers the {' and the '.join(names)}" if names else ""
