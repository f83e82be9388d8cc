"""Drawing in metres with pygame, as in Gymnasium's own environments."""

from __future__ import annotations

import copy
import os
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core import require

Color: TypeAlias = tuple[int, int, int] | tuple[int, int, int, int]

INK: Color = (38, 50, 56)
PAPER: Color = (250, 250, 248)
GRID: Color = (228, 230, 232)
BLUE: Color = (33, 118, 199)
ORANGE: Color = (236, 118, 36)
GREEN: Color = (46, 158, 91)
RED: Color = (211, 62, 62)

SMOOTH = 2
"""Number of drawn pixels per shown pixel along each axis; averaging them gives smooth edges."""


def pygame() -> Any:
    """The pygame module, imported without its greeting.

    Raises:
        MissingExtra: when it is not installed.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    return require("pygame", extra="envs")


class Canvas:
    """A picture of a rectangle of the world, x to the right and y up.

    Args:
        low, high: corners of the rectangle [m].
        size: longest side of the picture [pixels].
        paper: background.

    Example:
        >>> canvas = Canvas((0.0, 0.0), (4.0, 2.0), size=200)
        >>> canvas.disc((2.0, 1.0), 0.5, RED)
        >>> canvas.pixels().shape
        (100, 200, 3)
    """

    def __init__(self, low: ArrayLike, high: ArrayLike, *, size: int = 640, paper: Color = PAPER) -> None:
        self._pygame = pygame()
        self.low = np.asarray(low, dtype=np.float64)
        self.high = np.asarray(high, dtype=np.float64)
        extent = np.maximum(self.high - self.low, 1e-9)
        self.scale = SMOOTH * size / float(extent.max())
        # Video encoders need even sizes.
        self.shape = tuple(int(2 * max(1, round(side * self.scale / SMOOTH / 2))) for side in extent)
        self._surface: Any = self._pygame.Surface((self.shape[0] * SMOOTH, self.shape[1] * SMOOTH))
        self._surface.fill(paper)

    def copy(self) -> Canvas:
        """A copy of the picture."""
        twin = copy.copy(self)
        twin._surface = self._surface.copy()
        return twin

    def place(self, xy: ArrayLike) -> NDArray[np.float64]:
        """Pixel coordinates ``(..., 2)`` of points in the world."""
        p = (np.asarray(xy, dtype=np.float64) - self.low) * self.scale
        p[..., 1] = self._surface.get_height() - p[..., 1]
        return np.clip(np.nan_to_num(p, nan=-1e5), -1e5, 1e5)  # the range of pygame's integers

    def image(self, colors: NDArray[np.uint8], low: ArrayLike, width: float, yaw: float = 0.0) -> None:
        """Draw an image ``(rows, columns, 3)``, row 0 lowest, `width` metres wide, lower left corner at `low`."""
        pg = self._pygame
        rows, columns = colors.shape[:2]
        picture = pg.surfarray.make_surface(np.ascontiguousarray(colors[::-1].swapaxes(0, 1)))
        size = (max(1, round(width * self.scale)), max(1, round(width * rows / columns * self.scale)))
        picture = pg.transform.scale(picture, size)
        height = width * rows / columns
        if yaw:
            clear = pg.Surface(size, pg.SRCALPHA)  # what turning leaves empty stays transparent
            clear.blit(picture, (0, 0))
            picture = pg.transform.rotate(clear, float(np.degrees(yaw)))
        c, s = np.cos(yaw), np.sin(yaw)
        corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ np.array([[c, s], [-s, c]])
        corners = self.place(corners + np.asarray(low))
        self._surface.blit(picture, tuple(np.round(corners.min(0)).astype(int)))

    def disc(self, center: ArrayLike, radius: float, color: Color) -> None:
        """Draw a filled circle of `radius` metres."""
        x, y = self.place(center)
        with self._paint(color) as surface:
            self._pygame.draw.circle(surface, color, (float(x), float(y)), max(1.0, radius * self.scale))

    def ring(self, center: ArrayLike, radius: float, color: Color, width: float = 1.5) -> None:
        """Draw the outline of a circle of `radius` metres, `width` pixels wide."""
        x, y = self.place(center)
        with self._paint(color) as surface:
            r = max(1.0, radius * self.scale)
            self._pygame.draw.circle(surface, color, (float(x), float(y)), r, max(1, round(width * SMOOTH)))

    def dot(self, center: ArrayLike, color: Color, width: float = 4.0) -> None:
        """Draw a disc `width` pixels wide, regardless of the scale."""
        self.disc(center, 0.5 * width * SMOOTH / self.scale, color)

    def polygon(self, points: ArrayLike, color: Color) -> None:
        """Draw a filled polygon ``(K, 2)``."""
        with self._paint(color) as surface:
            self._pygame.draw.polygon(surface, color, self.place(points))

    def line(self, points: ArrayLike, color: Color, width: float = 2.0) -> None:
        """Draw a polyline ``(K, 2)``, `width` pixels wide, with round joints."""
        placed = self.place(points)
        if len(placed) < 2:
            return
        thick = max(1, round(width * SMOOTH))
        with self._paint(color) as surface:
            self._pygame.draw.lines(surface, color, False, placed, thick)
            if thick > 2 and len(color) == 3:
                for x, y in placed[1:-1]:
                    self._pygame.draw.circle(surface, color, (float(x), float(y)), thick / 2)

    def rays(self, start: ArrayLike, ends: ArrayLike, color: Color, width: float = 1.0) -> None:
        """Draw lines from one point to many ``(K, 2)``."""
        origin, thick = self.place(start), max(1, round(width * SMOOTH / 2))
        with self._paint(color) as surface:
            for end in self.place(ends):
                self._pygame.draw.line(surface, color, origin, end, thick)

    def text(self, words: str, at: ArrayLike, color: Color = INK, size: int = 14) -> None:
        """Draw text with its upper left corner at a point of the world."""
        pg = self._pygame
        pg.font.init()
        picture = pg.font.Font(None, round(1.4 * size * SMOOTH)).render(words, True, color)
        self._surface.blit(picture, tuple(self.place(at)))

    def pixels(self) -> NDArray[np.uint8]:
        """The picture ``(height, width, 3)``."""
        shown = self._pygame.transform.smoothscale(self._surface, self.shape)
        return np.ascontiguousarray(np.swapaxes(self._pygame.surfarray.array3d(shown), 0, 1))

    def _layer(self) -> Any:
        return self._pygame.Surface(self._surface.get_size(), self._pygame.SRCALPHA)

    def _paint(self, color: Color) -> _Layer:
        return _Layer(self, transparent=len(color) == 4)

    def blend(self, layer: Any) -> None:
        """Draw a transparent layer over the picture."""
        self._surface.blit(layer, (0, 0))


class _Layer:
    """The surface to draw a shape on: the picture itself, or a separate layer if its color is transparent."""

    def __init__(self, canvas: Canvas, *, transparent: bool) -> None:
        self._canvas, self._transparent = canvas, transparent

    def __enter__(self) -> Any:
        self._surface = self._canvas._layer() if self._transparent else self._canvas._surface
        return self._surface

    def __exit__(self, *_: object) -> None:
        if self._transparent:
            self._canvas.blend(self._surface)


class Window:
    """A window on the screen that shows pictures at a steady pace."""

    def __init__(self, title: str) -> None:
        self._pygame = pygame()
        self._title = title
        self._screen: Any = None
        self._clock: Any = None

    def show(self, pixels: NDArray[np.uint8], fps: float) -> None:
        """Show a picture, after waiting until it is due."""
        pg = self._pygame
        size = (pixels.shape[1], pixels.shape[0])
        if self._screen is None:
            pg.display.init()
            pg.display.set_caption(self._title)
            self._clock = pg.time.Clock()
        if self._screen is None or self._screen.get_size() != size:
            self._screen = pg.display.set_mode(size)
        self._screen.blit(pg.surfarray.make_surface(np.swapaxes(pixels, 0, 1)), (0, 0))
        pg.event.pump()
        pg.display.flip()
        self._clock.tick(fps)

    def close(self) -> None:
        """Close the window."""
        if self._screen is not None:
            self._pygame.display.quit()
            self._screen = None
