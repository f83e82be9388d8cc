"""A map with a path on it, as an image file; drawn without a plotting library, so that no extra is needed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pilotage.core.errors import FormatError
from pilotage.io import write_atomic
from pilotage.maps import InflatedGrid
from pilotage.maps.cells import GridCells

Array = NDArray[np.float64]
OCCUPIED, UNKNOWN, FREE = (38, 50, 56), (189, 198, 203), (255, 255, 255)
GROWN, OFF = (255, 224, 178), (236, 239, 241)
OUTLINE = (120, 144, 156)
PATH, START, GOAL = (21, 101, 192), (46, 125, 50), (198, 40, 40)
INK = (55, 71, 79)
SIDE = 1000
"""Pixels along the longer side of the map."""
LEAST = 120
"""Pixels along the shorter side, of a corridor."""
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 20, 50
"""Pixels around the map, for the axes."""
MARGIN = 4
"""Cells around what is known."""


def save_picture(grid: GridCells, path: Array | None, ends: Array, file: Path, hull: Array | None = None) -> None:
    """Draw free, unknown, occupied and inflated cells, the path, its start (green) and its goal (red).

    The axes are those of the frame of the map, in metres, whatever the yaw of the grid's origin; the picture has about
    `SIDE` pixels along its longer side, whatever the number of cells.

    Args:
        grid: the map that was planned on, inflated or not.
        path: world coordinates ``(K, 2)`` or more columns, or None.
        ends: start and goal, ``(2, 2)`` [m].
        file: image to write; its ending chooses the format. It takes the place of an older one in one step.
        hull: corners of the robot ``(V, 2)`` in its own frame, drawn along a path of poses; or None.

    Raises:
        FormatError: when the ending names no image format.
    """
    kind = Image.registered_extensions().get(file.suffix.lower())
    if kind not in Image.SAVE:
        raise FormatError(f"{file}: not an image format that can be written; use .png")
    frame = Frame.around(grid, ends if path is None else np.vstack([ends, path[:, :2]]))
    image = Image.new("RGB", (LEFT + frame.size[0] + RIGHT, TOP + frame.size[1] + BOTTOM), FREE)
    image.paste(Image.fromarray(_colours(grid, frame)), (LEFT, TOP))
    draw = ImageDraw.Draw(image)
    draw_axes(draw, frame)
    if path is not None and hull is not None:
        for corners in _outlines(path, hull):
            draw.line(frame.pixels(corners), fill=OUTLINE, width=1)
    if path is not None and len(path) > 1:
        draw.line(frame.pixels(path), fill=PATH, width=3, joint="curve")
    for (px, py), colour in zip(frame.pixels(ends), (START, GOAL), strict=True):
        draw.ellipse((px - 7, py - 7, px + 7, py + 7), fill=colour, outline=FREE, width=2)
    content = BytesIO()
    image.save(content, format=kind)
    write_atomic(file, content.getvalue())


@dataclass(frozen=True)
class Frame:
    """The part of the world that is drawn: its lower-left corner, its extent [m], and pixels a metre."""

    low: Array
    extent: Array
    scale: float

    @classmethod
    def around(cls, grid: GridCells, points: Array) -> Frame:
        """The box around what is known, and around the points as far as they are near the map."""
        rows, columns = _window(grid, points)
        corners = [[x, y] for x in (columns.start, columns.stop) for y in (rows.start, rows.stop)]
        box = grid.grid_to_world(corners)
        low, extent = box.min(0), np.ptp(box, axis=0)
        wanted = np.maximum(extent, extent.max() * LEAST / SIDE)
        return cls(low - (wanted - extent) / 2, wanted, SIDE / float(wanted.max()))

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height [pixels]."""
        width, height = np.rint(self.extent * self.scale).astype(int).tolist()
        return width, height

    def pixels(self, points: Array) -> list[tuple[float, float]]:
        """Places of world points ``(K, 2)`` in the image."""
        x, y = ((points[:, :2] - self.low) * self.scale).T
        return list(zip((LEFT + x).tolist(), (TOP + self.size[1] - y).tolist(), strict=True))

    def world(self) -> Array:
        """World points of the middles of all pixels, ``(height, width, 2)``, top row first."""
        width, height = self.size
        x, y = np.meshgrid(np.arange(width) + 0.5, height - 0.5 - np.arange(height))
        return self.low + np.stack([x, y], -1) / self.scale


def _window(grid: GridCells, points: Array) -> tuple[slice, slice]:
    """Rows and columns worth drawing: where anything is known, and the points as far as they lie on the map."""
    seen = ~grid.unknown
    for row, column in grid.world_to_cell(points).tolist():
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


def _colours(grid: GridCells, frame: Frame) -> NDArray[np.uint8]:
    """One colour a pixel, ``(height, width, 3)``; of cells smaller than a pixel, an obstacle among them is shown."""
    base = grid.grid if isinstance(grid, InflatedGrid) else grid
    world = frame.world()
    step = max(1, math.ceil(1.0 / (frame.scale * grid.resolution)))
    cells = grid.world_to_cell(world) // step
    image = np.full((*cells.shape[:2], 3), OFF, np.uint8)
    inside = grid.contains_cell(cells * step)
    rows, columns = cells[inside].T
    layers = (
        (grid.unknown, UNKNOWN),
        (grid.free, FREE),
        (grid.occupied & ~base.occupied, GROWN),
        (base.occupied, OCCUPIED),
    )
    shown = image[inside]
    for mask, colour in layers:
        shown[_any_of(mask, step)[rows, columns]] = colour
    image[inside] = shown
    return image


def _any_of(mask: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """Whether any cell is True in each block of `step` times `step`."""
    for axis in (0, 1):
        mask = np.logical_or.reduceat(mask, np.arange(0, mask.shape[axis], step), axis=axis)
    return mask


def _outlines(poses: Array, hull: Array) -> Array:
    """Closed outlines ``(K, V + 1, 2)`` of a robot at some forty of its poses, and at the last one."""
    chosen = poses[[*range(0, len(poses), max(1, len(poses) // 40)), -1]]
    c, s = np.cos(chosen[:, 2:]), np.sin(chosen[:, 2:])
    x, y = np.vstack([hull, hull[:1]]).T
    return np.stack([chosen[:, :1] + c * x - s * y, chosen[:, 1:2] + s * x + c * y], axis=-1)


def draw_axes(draw: ImageDraw.ImageDraw, frame: Frame) -> None:
    """Ticks and numbers [m] along the left and the lower side."""
    width, height = frame.size
    draw.rectangle((LEFT - 1, TOP - 1, LEFT + width, TOP + height), outline=INK)
    step = _tick(max(frame.extent) / 8.0)
    for axis in range(2):
        low, high = frame.low[axis], frame.low[axis] + frame.extent[axis]
        for k in range(math.ceil(low / step), math.floor(high / step) + 1):
            along = (k * step - low) * frame.scale
            if axis == 0:
                draw.line((LEFT + along, TOP + height, LEFT + along, TOP + height + 5), fill=INK)
                draw.text((LEFT + along, TOP + height + 8), f"{k * step:.10g}", fill=INK, anchor="ma")
            else:
                y = TOP + height - along
                draw.line((LEFT - 6, y, LEFT - 1, y), fill=INK)
                draw.text((LEFT - 10, y), f"{k * step:.10g}", fill=INK, anchor="rm")
    draw.text((LEFT + width / 2, TOP + height + 26), "x [m]", fill=INK, anchor="ma")
    draw.text((LEFT - 62, TOP + height / 2), "y [m]", fill=INK, anchor="lm")


def _tick(wanted: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below `wanted`."""
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= wanted * (1.0 - 1e-9))
