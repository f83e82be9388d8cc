"""Paths made shorter and smooth: `Shortcut`, and `CorridorSmoother` in a `Corridor` free of obstacles."""

from __future__ import annotations

from .corridor import Corridor as Corridor
from .corridor_smoother import CorridorSmoother as CorridorSmoother
from .shortcut import Shortcut as Shortcut

__all__ = ["Corridor", "CorridorSmoother", "Shortcut"]
