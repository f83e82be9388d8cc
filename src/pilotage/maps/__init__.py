"""Occupancy grids, collision checks of footprints, and lidars.

- `OccupancyGrid`: free, occupied and unknown cells; distances and exact ray casting
- `OccupancyMap`: a map that scans from known poses change in place; growing, or a window that moves with the robot
- `InverseBeamModel`, `InverseConeModel`, `InverseLikelihoodModel`: what a scan says about the cells of such a map
- `InflatedGrid`: the map grown by the radius of a round robot, for grid planners
- `Footprint`: the outline of a robot: a disc, several discs, or a convex polygon
- `Obstacles`: blocked cells as solid squares, with signed distances to them
- `FootprintConstraint`: the collision constraint of planners, controllers and environments
- `Lidar`: a lidar on a map, as a sensor with two likelihood models
- `ObstacleLayer`: obstacles seen by a lidar that are not on the map
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from .collision import FootprintConstraint as FootprintConstraint
from .footprint import Footprint as Footprint
from .inflated import InflatedGrid as InflatedGrid
from .inverse_beam import InverseBeamModel as InverseBeamModel
from .inverse_cone import InverseConeModel as InverseConeModel
from .inverse_likelihood import InverseLikelihoodModel as InverseLikelihoodModel
from .lidar import Lidar as Lidar
from .obstacles import Obstacles as Obstacles
from .occupancy import OccupancyGrid as OccupancyGrid
from .occupancy_map import OccupancyMap as OccupancyMap
from .surprises import ObstacleLayer as ObstacleLayer

__all__ = [
    "Footprint",
    "FootprintConstraint",
    "InflatedGrid",
    "InverseBeamModel",
    "InverseConeModel",
    "InverseLikelihoodModel",
    "Lidar",
    "ObstacleLayer",
    "Obstacles",
    "OccupancyGrid",
    "OccupancyMap",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
