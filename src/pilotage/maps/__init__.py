"""Maps: occupancy grids, footprints on them, and what a lidar sees of them.

- `OccupancyGrid`: free, occupied and unknown cells; distances, exact ray casting, mapping with known poses
- `InflatedGrid`: the cells in which a round robot may be, for planners on grids
- `Footprint`: the outline of a robot: a disc, several discs, a convex polygon
- `Obstacles`: blocked cells as solid squares, with signed distances to them
- `FootprintConstraint`: that a robot touches nothing, for planners, controllers and environments alike
- `Lidar`: a lidar on such a map, as a sensor with two likelihoods
- `ObstacleLayer`: what a lidar sees that is not on the map
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from .collision import FootprintConstraint as FootprintConstraint
from .footprint import Footprint as Footprint
from .inflated import InflatedGrid as InflatedGrid
from .lidar import Lidar as Lidar
from .obstacles import Obstacles as Obstacles
from .occupancy import OccupancyGrid as OccupancyGrid
from .surprises import ObstacleLayer as ObstacleLayer

__all__ = [
    "Footprint",
    "FootprintConstraint",
    "InflatedGrid",
    "Lidar",
    "ObstacleLayer",
    "Obstacles",
    "OccupancyGrid",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
