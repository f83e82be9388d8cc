"""Occupancy grids, collision checks of footprints, and lidars.

- `OccupancyGrid`: free, occupied and unknown cells; distances, exact ray casting, mapping with known poses
- `InflatedGrid`: the map grown by the radius of a round robot, for grid planners
- `Footprint`: the outline of a robot: a disc, several discs, or a convex polygon
- `Obstacles`: blocked cells as solid squares, with signed distances to them
- `FootprintConstraint`: the collision constraint of planners, controllers and environments
- `Costmap`: layers of obstacles with a cost that decays around them, for grid planners
- `DynamicDistance`: the distances of a map that changes, kept up to date
- `Lidar`: a lidar on a map, as a sensor with two likelihood models
- `ObstacleLayer`: obstacles seen by a lidar that are not on the map
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from .collision import FootprintConstraint as FootprintConstraint
from .costmap import Costmap as Costmap
from .dynamic_distance import DynamicDistance as DynamicDistance
from .footprint import Footprint as Footprint
from .inflated import InflatedGrid as InflatedGrid
from .lidar import Lidar as Lidar
from .obstacles import Obstacles as Obstacles
from .occupancy import OccupancyGrid as OccupancyGrid
from .surprises import ObstacleLayer as ObstacleLayer

__all__ = [
    "Costmap",
    "DynamicDistance",
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
