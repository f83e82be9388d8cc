"""Tracks and detections as an image file; drawn without a plotting library, so that no extra is needed."""

from __future__ import annotations

import colorsys
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pilotage.core import BOX, TrackTable
from pilotage.core.errors import FormatError
from pilotage.io import write_atomic

from .picture import BOTTOM, LEFT, RIGHT, SIDE, TOP, Frame, draw_axes

Array = NDArray[np.float64]
EDGE = 20
"""Pixels around the picture of boxes, which has no axes."""
GREY = (170, 176, 180)


def save_tracks(found: TrackTable, detections: Array, file: Path) -> None:
    """Draw detections as grey dots, and the path of each track in a colour of its own, with its number where it ends.

    Places have axes in metres, y up; boxes are drawn by their middles, y down, as in the image of the camera.

    Args:
        found: the tracks.
        detections: places ``(N, 2)`` or boxes ``(N, 4)``; those far from all tracks are left out.
        file: image to write; its ending chooses the format.

    Raises:
        FormatError: when the ending names no image format.
    """
    kind = Image.registered_extensions().get(file.suffix.lower())
    if kind not in Image.SAVE:
        raise FormatError(f"{file}: not an image format that can be written; use .png")
    boxes = found.space == BOX
    points, dots = _places(found.x, boxes), _places(detections, boxes)
    frame = _frame(points if len(points) else dots, 0.0 if boxes else 0.05)
    left, top, right, bottom = (EDGE,) * 4 if boxes else (LEFT, TOP, RIGHT, BOTTOM)
    image = Image.new("RGB", (left + frame.size[0] + right, top + frame.size[1] + bottom), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    shift = np.array([left - LEFT, top - TOP], dtype=float)
    inside = ((dots >= frame.low) & (dots <= frame.low + frame.extent)).all(1)
    for x, y in (np.reshape(frame.pixels(dots[inside]), (-1, 2)) + shift).tolist():
        draw.ellipse((x - 1, y - 1, x + 1, y + 1), fill=GREY)
    if not boxes:
        draw_axes(draw, frame)
    for id in found.ids.tolist():
        _draw_track(draw, np.add(frame.pixels(points[found.id == id]), shift), id)
    content = BytesIO()
    image.save(content, format=kind)
    write_atomic(file, content.getvalue())


def _places(x: Array, boxes: bool) -> Array:
    """Places ``(R, 2)``; of boxes their middles, with y turned up."""
    if not len(x):
        return np.zeros((0, 2))
    return (x[:, :2] + 0.5 * x[:, 2:4]) * [1.0, -1.0] if boxes else x[:, :2]


def _frame(points: Array, margin: float) -> Frame:
    """The part of the plane around points, with a margin by its size, that is at least a tenth as high as wide."""
    low = points.min(0) if len(points) else np.zeros(2)
    extent = np.maximum(np.ptp(points, axis=0) if len(points) else np.ones(2), 1e-9)
    wanted = np.maximum(extent, extent.max() / 10.0) + 2.0 * margin * extent.max()
    return Frame(low - (wanted - extent) / 2.0, wanted, SIDE / float(wanted.max()))


def _draw_track(draw: ImageDraw.ImageDraw, places: Array, id: int) -> None:
    """A path, its last place and its number."""
    colour = tuple(int(255 * c) for c in colorsys.hsv_to_rgb(0.618034 * id % 1.0, 0.9, 0.75))
    draw.line([tuple(place) for place in places.tolist()], fill=colour, width=2)
    x, y = places[-1].tolist()
    draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour)
    draw.text((x + 5, y - 5), str(id), fill=colour)
