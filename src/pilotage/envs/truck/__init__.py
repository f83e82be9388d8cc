"""The truck that backs up to a dock: its yard, starts, picture and environment."""

from __future__ import annotations

from .env import TruckBackerUpper as TruckBackerUpper
from .env import TruckBackerUpperVector as TruckBackerUpperVector
from .starts import starts as starts

__all__ = ["TruckBackerUpper", "TruckBackerUpperVector", "starts"]
