"""Curves between two states: `Dubins` and `ReedsShepp` for vehicles with a turning radius."""

from __future__ import annotations

from .dubins import Dubins as Dubins
from .reeds_shepp import ReedsShepp as ReedsShepp

__all__ = ["Dubins", "ReedsShepp"]
