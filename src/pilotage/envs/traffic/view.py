"""Traffic from above."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..canvas import BLUE, ORANGE, Canvas, Color
from ..drawing import Scene, rotation
from ..figures import box_at
from ._flow import ELENGTH, EWIDTH, EX, EY, EYAW, GOAL, LENGTH, SPEED, TARGET, WIDTH, YAW, X, Y
from .road import Road
from .state import present

BEFORE, BEHIND = 60.0, 40.0
ASPHALT, GRASS, MARK = (92, 98, 104), (176, 196, 164), (232, 232, 228)


def draw_traffic(scene: Scene) -> NDArray[np.uint8]:
    """The road around the own car, in orange; the others are green when fast and red when they stand."""
    x = scene.states[-1]
    road: Road = scene.model.road
    half = 0.5 * road.width + 2.0
    low, high = (x[EX] - BEHIND, -half), (x[EX] + BEFORE, half)
    canvas = Canvas(low, high, size=2 * scene.size, paper=GRASS)
    canvas.polygon(box_at((0.0, 0.0), 0.0, (low[0], -0.5 * road.width), (high[0], 0.5 * road.width)), ASPHALT)
    for k, y in enumerate(road.lines):
        whole = k in (0, road.lanes)
        starts = [low[0]] if whole else np.arange(np.floor(low[0] / 9.0) * 9.0, high[0], 9.0)
        for start in starts:
            canvas.line([(start, y), (high[0] if whole else start + 3.0, y)], MARK, 1.5)
    if scene.model is not None and low[0] < x[GOAL] < high[0]:
        canvas.line([(x[GOAL], -0.5 * road.width), (x[GOAL], 0.5 * road.width)], BLUE, 3)
    for row in present(x):
        if low[0] - 8.0 < row[X] < high[0] + 8.0:
            body(canvas, row[:TARGET], pace(row[SPEED]))
    way = np.array(scene.states)[:, [EX, EY]]
    canvas.line(way, (236, 118, 36, 120), 1.5)
    body(canvas, x[[EX, EY, EYAW, 3, ELENGTH, EWIDTH]], ORANGE)
    if scene.caption:
        words = f"t {scene.dt * (len(scene.states) - 1):.1f} s   {x[3]:.1f} m/s   {x[EX] - scene.states[0][EX]:.0f} m"
        canvas.text(words, (low[0] + 1.0, high[1] - 0.2))
    return canvas.pixels()


def pace(v: float) -> Color:
    """Red for a car that stands to green for one at 20 m/s."""
    share = min(max(v / 20.0, 0.0), 1.0)
    return (int(200 - 150 * share), int(60 + 100 * share), int(60 + 30 * share))


def body(canvas: Canvas, car: NDArray[np.float64], color: Color) -> None:
    """A car with its windscreen."""
    l, w = car[LENGTH], car[WIDTH]
    R = rotation(car[YAW]).T
    corners = np.array([[-0.5, -0.5], [0.42, -0.5], [0.5, -0.3], [0.5, 0.3], [0.42, 0.5], [-0.5, 0.5]]) * [l, w]
    canvas.polygon(corners @ R + car[[X, Y]], color)
    glass = np.array([[0.12, -0.4], [0.24, -0.32], [0.24, 0.32], [0.12, 0.4]]) * [l, w]
    canvas.polygon(glass @ R + car[[X, Y]], (40, 52, 60))
