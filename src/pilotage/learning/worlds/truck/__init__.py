"""The truck backer-upper: an oracle of which starts can be docked, and the policy between walls that it teaches."""

from __future__ import annotations

from .oracle import Outcome as Outcome
from .oracle import TruckOracle as TruckOracle
from .teaching import WallsSettings as WallsSettings
from .teaching import teach as teach
from .walls import WallsPolicy as WallsPolicy
from .walls_world import TruckWalls as TruckWalls
from .walls_world import WallsOptions as WallsOptions

__all__ = ["Outcome", "TruckOracle", "TruckWalls", "WallsOptions", "WallsPolicy", "WallsSettings", "teach"]
