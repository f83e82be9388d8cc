"""A map with a path on it, as an image file; drawn without a plotting library, so that no extra is needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pilotage.core.errors import FormatError
from pilotage.maps import OccupancyGrid

OCCUPIED, UNKNOWN, FREE = (38, 50, 56), (189, 198, 203), (255, 255, 255)
GROWN = (255, 224, 178)
PATH, START, GOAL = (21, 101, 192), (46, 125, 50), (198, 40, 40)
SIDE = 1000
"""Pixels along the longer side, about: cells are drawn as whole squares."""


def save_picture(grid: OccupancyGrid, path: NDArray[np.float64] | None, ends: NDArray[np.float64], file: Path) -> None:
    """Draw free, unknown, occupied and inflated cells, the path, its start (green) and its goal (red).

    Args:
        grid: the map that was planned on, inflated or not.
        path: world coordinates ``(K, 2)`` or more columns, or None.
        ends: start and goal, ``(2, 2)`` [m].
        file: image to write; its ending chooses the format.

    Raises:
        FormatError: when the ending names no image format.
    """
    if file.suffix.lower() not in Image.registered_extensions():
        raise FormatError(f"{file}: not an image format that can be written; use .png")
    scale = max(1, round(SIDE / max(grid.shape)))
    image = Image.fromarray(np.ascontiguousarray(np.kron(_cells(grid), np.ones((scale, scale, 1), np.uint8))))
    draw = ImageDraw.Draw(image)
    width = max(2, scale // 3)
    if path is not None and len(path) > 1:
        draw.line([tuple(point) for point in _pixels(grid, path, scale)], fill=PATH, width=width, joint="curve")
    for (px, py), colour in zip(_pixels(grid, ends, scale), (START, GOAL), strict=True):
        draw.ellipse((px - 2 * width, py - 2 * width, px + 2 * width, py + 2 * width), fill=colour)
    image.save(file)


def _cells(grid: OccupancyGrid) -> NDArray[np.uint8]:
    """One colour a cell, ``(ny, nx, 3)``, top row first."""
    base = grid.original or grid
    colours = np.empty((*grid.shape, 3), np.uint8)
    colours[...] = UNKNOWN
    colours[grid.free] = FREE
    colours[grid.occupied & ~base.occupied] = GROWN
    colours[base.occupied] = OCCUPIED
    return colours[::-1]


def _pixels(grid: OccupancyGrid, points: NDArray[np.float64], scale: int) -> NDArray[np.float64]:
    """World coordinates as pixels of the picture, whose y axis points down."""
    cells = grid.world_to_grid(points[:, :2])
    return np.stack((cells[:, 0] * scale, (grid.shape[0] - cells[:, 1]) * scale), axis=-1)
