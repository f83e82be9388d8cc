"""A map with a path on it, as an image file; drawn without a plotting library, so that no extra is needed."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pilotage.core.errors import FormatError
from pilotage.io import write_atomic
from pilotage.maps import InflatedGrid
from pilotage.maps.cells import GridCells

OCCUPIED, UNKNOWN, FREE = (38, 50, 56), (189, 198, 203), (255, 255, 255)
GROWN = (255, 224, 178)
PATH, START, GOAL = (21, 101, 192), (46, 125, 50), (198, 40, 40)
SIDE = 1000
"""Pixels along the longer side, about: cells are drawn as whole squares."""
MARGIN = 4
"""Cells around what is known."""


def save_picture(grid: GridCells, path: NDArray[np.float64] | None, ends: NDArray[np.float64], file: Path) -> None:
    """Draw free, unknown, occupied and inflated cells, the path, its start (green) and its goal (red).

    Args:
        grid: the map that was planned on, inflated or not.
        path: world coordinates ``(K, 2)`` or more columns, or None.
        ends: start and goal, ``(2, 2)`` [m].
        file: image to write; its ending chooses the format. It takes the place of an older one in one step.

    Raises:
        FormatError: when the ending names no image format.
    """
    kind = Image.registered_extensions().get(file.suffix.lower())
    if kind not in Image.SAVE:
        raise FormatError(f"{file}: not an image format that can be written; use .png")
    rows, columns = _window(grid, ends)
    scale = max(1, round(SIDE / max(rows.stop - rows.start, columns.stop - columns.start)))
    cells = _cells(grid)[rows, columns][::-1]
    image = Image.fromarray(np.ascontiguousarray(cells.repeat(scale, axis=0).repeat(scale, axis=1)))
    draw = ImageDraw.Draw(image)
    width = max(3, scale // 3)

    def pixels(points: NDArray[np.float64]) -> list[tuple[float, float]]:
        xy = grid.world_to_grid(points[:, :2]) * scale
        return [(x - columns.start * scale, rows.stop * scale - y) for x, y in xy.tolist()]

    if path is not None and len(path) > 1:
        draw.line(pixels(path), fill=PATH, width=width, joint="curve")
    for (px, py), colour in zip(pixels(ends), (START, GOAL), strict=True):
        draw.ellipse((px - 2 * width, py - 2 * width, px + 2 * width, py + 2 * width), fill=colour)
    content = BytesIO()
    image.save(content, format=kind)
    write_atomic(file, content.getvalue())


def _window(grid: GridCells, ends: NDArray[np.float64]) -> tuple[slice, slice]:
    """Rows and columns worth drawing: where anything is known, and both ends as far as they lie on the map."""
    seen = ~grid.unknown
    for row, column in grid.world_to_cell(ends).tolist():
        if 0 <= row < grid.shape[0] and 0 <= column < grid.shape[1]:
            seen[row, column] = True
    sides = (np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0)))
    if not len(sides[0]):
        return slice(0, grid.shape[0]), slice(0, grid.shape[1])
    rows, columns = (
        slice(max(0, int(side[0]) - MARGIN), min(count, int(side[-1]) + 1 + MARGIN))
        for side, count in zip(sides, grid.shape, strict=True)
    )
    return rows, columns


def _cells(grid: GridCells) -> NDArray[np.uint8]:
    """One colour a cell, ``(ny, nx, 3)``."""
    base = grid.grid if isinstance(grid, InflatedGrid) else grid
    colours = np.empty((*grid.shape, 3), np.uint8)
    colours[...] = UNKNOWN
    colours[grid.free] = FREE
    colours[grid.occupied & ~base.occupied] = GROWN
    colours[base.occupied] = OCCUPIED
    return colours
