"""Paths made shorter, smooth and timed: `Shortcut`, `CorridorSmoother` in a `Corridor`, `TimeParameterization`."""

from __future__ import annotations

from .corridor import Corridor as Corridor
from .corridor_smoother import CorridorSmoother as CorridorSmoother
from .shortcut import Shortcut as Shortcut
from .time_parameterization import TimeParameterization as TimeParameterization

__all__ = ["Corridor", "CorridorSmoother", "Shortcut", "TimeParameterization"]
