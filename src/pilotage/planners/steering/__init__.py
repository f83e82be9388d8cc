"""Curves between two states: `Dubins`, `ReedsShepp` for vehicles with a turning radius, `Polynomial` for least jerk."""

from __future__ import annotations

from .dubins import Dubins as Dubins
from .polynomial import Polynomial as Polynomial
from .polynomial import best_durations as best_durations
from .reeds_shepp import ReedsShepp as ReedsShepp

__all__ = ["Dubins", "Polynomial", "ReedsShepp", "best_durations"]
