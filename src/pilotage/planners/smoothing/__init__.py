"""Paths made shorter, smooth and timed: `Shortcut`, `CorridorSmoother` in a `Corridor`, `TimeParameterization`; and the
fastest line around a track, `RacingLine`.
"""

from __future__ import annotations

from .corridor import Corridor as Corridor
from .corridor_smoother import CorridorSmoother as CorridorSmoother
from .racing_line import RacingLine as RacingLine
from .shortcut import Shortcut as Shortcut
from .time_parameterization import TimeParameterization as TimeParameterization

__all__ = ["Corridor", "CorridorSmoother", "RacingLine", "Shortcut", "TimeParameterization"]
