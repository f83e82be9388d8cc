"""The picture of the yard: walls, dock, the way of the trailer, and the truck."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..canvas import GREEN, GRID, INK, ORANGE, Canvas
from ..drawing import Scene, seconds
from ..figures import FIGURES, Stroke, box_at, put, trailer
from .starts import BOX, TRAILER
from .yard import rear

ASPHALT = (236, 237, 238)
MARGIN = 4.0
"""Of the picture beyond the yard [m]."""


def draw_yard(scene: Scene, *, walls: bool = False) -> NDArray[np.uint8]:
    """The yard from above, with the dock on the left; walls that end an episode are thick."""
    canvas = Canvas((-MARGIN, -BOX[1] - MARGIN), (BOX[0] + MARGIN, BOX[1] + MARGIN), size=720)
    corners = np.array([(0.0, -BOX[1]), (BOX[0], -BOX[1]), (BOX[0], BOX[1]), (0.0, BOX[1])])
    canvas.polygon(corners, ASPHALT)
    for x in np.arange(5.0, BOX[0], 5.0):
        canvas.line([(x, -BOX[1]), (x, BOX[1])], GRID, 1)
    canvas.line([*corners, corners[0]], INK if walls else (176, 182, 186), 4 if walls else 1.5)
    here = scene.present
    _dock(canvas, here["dock"])
    states = np.array(scene.states)
    canvas.line(np.stack(rear([states[:, i] for i in range(states.shape[1])]), -1), ORANGE, 1.5)
    put(canvas, _truck(here, scene.model))
    seconds(canvas, scene)
    return canvas.pixels()


def _dock(canvas: Canvas, y: float) -> None:
    """The building with its gate, and the two lines of the bay in front of it."""
    canvas.polygon(box_at((0.0, 0.0), 0.0, (-MARGIN, -BOX[1]), (0.0, BOX[1])), (150, 160, 166))
    canvas.polygon(box_at((0.0, y), 0.0, (-0.9, -0.9), (0.0, 0.9)), GREEN)
    for side in (-1.1, 1.1):
        canvas.line([(0.0, y + side), (5.0, y + side)], (222, 186, 40), 2.5)


def _truck(x: dict[str, float], model: Any) -> list[Stroke]:
    """The figure of the model `truck`, with the second trailer first, which lies below."""
    strokes = FIGURES["truck"].strokes(x, model.params)
    if "second_yaw" not in x:
        return strokes
    axle = np.array([x["x"], x["y"]]) - TRAILER * np.array([np.cos(x["trailer_yaw"]), np.sin(x["trailer_yaw"])])
    bar = [axle, axle - 0.2 * TRAILER * np.array([np.cos(x["second_yaw"]), np.sin(x["second_yaw"])])]
    return [*trailer(axle, x["second_yaw"], TRAILER, front=0.15), Stroke(bar, INK, 4), *strokes]
