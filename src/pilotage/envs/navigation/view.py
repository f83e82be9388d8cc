"""The picture of a robot on its map."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import Array
from ..canvas import BLUE, GREEN, INK, ORANGE, RED, Canvas
from ..drawing import Scene, arrow
from .arena import Arena

FREE, WALL, UNKNOWN = (250, 250, 248), (55, 62, 70), (214, 218, 221)
OBSTACLE = (186, 120, 72)
BEAMS = (211, 62, 62, 40)
MARGIN = 0.03
"""Around what is known of the map, as a share of its extent; twice that at the top, for the words."""


class View:
    """Draws a scene of an arena: map, obstacles, goals, the way so far, the scan, the robot.

    What lies in ``scene.extras`` is drawn over it: "path" ``(K, 2)``, "particles" ``(N, 2 or 3)``, "estimate"
    ``(3,)``.
    """

    def __init__(self, arena: Arena, angles: Array, max_range: float, *, size: int = 720) -> None:
        self.arena, self.angles, self.max_range, self.size = arena, angles, max_range, size
        self.low, self.high = self._extent()

    @cached_property
    def _background(self) -> Canvas:
        """The map."""
        grid = self.arena.grid
        (i0, j0), (i1, j1) = self._known
        cells = np.full((i1 - i0, j1 - j0, 3), UNKNOWN, np.uint8)
        cells[grid.free[i0:i1, j0:j1]] = FREE
        cells[grid.occupied[i0:i1, j0:j1]] = WALL
        canvas = Canvas(self.low, self.high, size=self.size, paper=UNKNOWN)
        corner = grid.grid_to_world([float(j0), float(i0)])
        canvas.image(cells, corner, (j1 - j0) * grid.resolution, grid.origin[2])
        return canvas

    @cached_property
    def _known(self) -> tuple[Array, Array]:
        """First and past-the-last row and column of what is known of the map."""
        known = ~self.arena.grid.unknown
        spans = [np.flatnonzero(known.any(axis))[[0, -1]] for axis in (1, 0)]
        first, last = np.stack(spans, -1)
        return first, last + 1

    def _extent(self) -> tuple[Array, Array]:
        """Corners of the picture in the world."""
        (i0, j0), (i1, j1) = self._known
        corners = np.array([[j0, i0], [j1, i0], [j0, i1], [j1, i1]], dtype=np.float64)
        world = self.arena.grid.grid_to_world(corners)
        low, high = world.min(0), world.max(0)
        margin = MARGIN * float((high - low).max())
        return low - margin, high + [margin, 2.0 * margin]

    def __call__(self, scene: Scene) -> NDArray[np.uint8]:
        """The picture ``(height, width, 3)``."""
        arena, x = self.arena, scene.states[-1]
        canvas = self._background.copy()
        for ox, oy, r in arena.obstacles_of(x):
            canvas.disc((ox, oy), r, OBSTACLE)
        self._goals(canvas, x)
        self._overlay(canvas, scene.extras)
        self._scan(canvas, scene, x)
        canvas.line(arena.pose(np.array(scene.states))[:, :2], BLUE, 2)
        self._robot(canvas, arena.pose(x), INK)
        seconds = scene.dt * (len(scene.states) - 1)
        words = f"{seconds:.1f} s    goals {int(arena.reached(x))} of {arena.goals}"
        unit = 0.01 * float((self.high - self.low).max())
        canvas.text(words, (self.low[0] + 2.0 * unit, self.high[1] - 1.5 * unit), size=13)
        return canvas.pixels()

    def _goals(self, canvas: Canvas, x: Array) -> None:
        reached = int(self.arena.reached(x))
        for i, goal in enumerate(self.arena.goals_of(x)):
            color = GREEN if i == reached else (170, 198, 180)
            canvas.ring(goal, self.arena.tolerance, color, 2.5)
            canvas.dot(goal, color, 6)
            canvas.text(str(i + 1), goal + np.array([0.7, 0.7]) * self.arena.tolerance + [0.05, 0.25], color, 12)

    def _overlay(self, canvas: Canvas, extras: dict[str, Any]) -> None:
        if extras.get("path") is not None:
            canvas.line(np.asarray(extras["path"])[:, :2], (*GREEN[:3], 190), 2)
        if extras.get("particles") is not None:
            for point in np.asarray(extras["particles"])[:, :2]:
                canvas.dot(point, ORANGE, 2)
        if extras.get("estimate") is not None:
            pose = np.asarray(extras["estimate"], dtype=np.float64)
            canvas.polygon(arrow(pose[:2], float(pose[2]), 2.6 * self.arena.robot.footprint.radius), (*ORANGE[:3], 170))

    def _scan(self, canvas: Canvas, scene: Scene, x: Array) -> None:
        ranges = (scene.observation or {}).get("lidar")
        if ranges is None:
            return
        pose = self.arena.pose(x)
        r = np.asarray(ranges, dtype=np.float64)
        heading = pose[2] + self.angles
        ends = pose[:2] + r[:, None] * np.stack([np.cos(heading), np.sin(heading)], -1)
        canvas.rays(pose[:2], ends, BEAMS, 2)
        for end in ends[r < self.max_range]:
            canvas.dot(end, RED, 3.5)

    def _robot(self, canvas: Canvas, pose: Array, color: Any) -> None:
        centers, radii = self.arena.robot.footprint.centers(pose)
        pixel, own = (self.high - self.low).max() / self.size, self.arena.robot.footprint.radius
        for center, r in zip(centers, radii, strict=True):
            canvas.disc(center, max(r, 2.0 * pixel), color)
        # On a large map the robot is too small to show where it looks: an arrow that is larger than it does.
        small = own < 8.0 * pixel
        length, fill = (16.0 * pixel, color) if small else (1.25 * own, (255, 255, 255))
        canvas.polygon(arrow(pose[:2], float(pose[2]), length), fill)
