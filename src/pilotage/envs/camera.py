"""A camera that sees a state as a picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Dynamics, Space
from ..core.arrays import Array
from ..core.settings import whole
from .drawing import Drawing, Scene, draw
from .exact import Exact


class Camera(Exact):
    """The picture of a state, ``uint8 (size, size, 3)``, without noise.

    Args:
        dynamics: the model whose states are seen.
        drawing: function from a `Scene` to a picture; the default draws the figure of the model.
        size: side of the picture [pixels].

    Example:
        >>> from pilotage.models import pendulum
        >>> Camera(pendulum(), size=32).observe([0.5, 0.0]).shape
        (3072,)
    """

    def __init__(self, dynamics: Dynamics, drawing: Drawing = draw, *, size: int = 64) -> None:
        self.size = whole(size, "size")
        self.state, self.reading = dynamics.state, Space(f"camera: uint8[{self.size}, {self.size}, 3]")
        self._dynamics, self._drawing = dynamics, drawing

    def observe(self, x: Any, context: Any = None) -> Any:
        """The pictures ``(..., size * size * 3)``."""
        x = np.asarray(x, dtype=np.float64)
        pictures = [self._seen(row) for row in x.reshape(-1, x.shape[-1])]
        return np.reshape(pictures, (*x.shape[:-1], self.reading.size))

    def _seen(self, x: Array) -> Any:
        """One picture, cut or filled up to a square."""
        scene = Scene(self.state, 1.0, [x], model=self._dynamics, size=self.size, caption=False)
        picture = self._drawing(scene)[: self.size, : self.size]
        low = [self.size - side for side in picture.shape[:2]]
        return np.pad(picture, [*((n // 2, n - n // 2) for n in low), (0, 0)])
