"""The truck backer-upper: an oracle of which starts can be docked."""

from __future__ import annotations

from .oracle import Outcome as Outcome
from .oracle import TruckOracle as TruckOracle

__all__ = ["Outcome", "TruckOracle"]
