"""Occupancy grids, collision checks of footprints, and lidars.

- `OccupancyGrid`: free, occupied and unknown cells; distances and exact ray casting
- `OccupancyMap`: a map that scans from known poses change in place; growing, or a window that moves with the robot
- `InverseBeamModel`, `InverseConeModel`, `InverseLikelihoodModel`: what a scan says about the cells of such a map
- `InflatedGrid`: the map grown by the radius of a round robot, for grid planners
- `Footprint`: the outline of a robot: a disc, several discs, or a convex polygon
- `Obstacles`: blocked cells as solid squares, with signed distances to them
- `FootprintConstraint`: the collision constraint of planners, controllers and environments
- `Costmap`: layers of obstacles with a cost that decays around them, for grid planners
- `DynamicDistance`: the distances of a map that changes, kept up to date
- `Lidar`: a lidar on a map, as a sensor with two likelihood models
- `OcTree`: a map in three dimensions: free, occupied and unknown voxels
- `SphereConstraint`, `VoxelGraph`: the free space of a sphere in an octree, for planners
- `ElevationMap`: heights of the ground with their variances, slopes and steps
- `ObstacleLayer`: obstacles seen by a lidar that are not on the map
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from .collision import FootprintConstraint as FootprintConstraint
from .costmap import Costmap as Costmap
from .dynamic_distance import DynamicDistance as DynamicDistance
from .elevation import ElevationMap as ElevationMap
from .elevation import TerrainLimits as TerrainLimits
from .footprint import Footprint as Footprint
from .inflated import InflatedGrid as InflatedGrid
from .inverse_beam import InverseBeamModel as InverseBeamModel
from .inverse_cone import InverseConeModel as InverseConeModel
from .inverse_likelihood import InverseLikelihoodModel as InverseLikelihoodModel
from .lidar import Lidar as Lidar
from .obstacles import Obstacles as Obstacles
from .occupancy import OccupancyGrid as OccupancyGrid
from .occupancy_map import OccupancyMap as OccupancyMap
from .octree import OcTree as OcTree
from .octree_arrays import Boxes as Boxes
from .octree_arrays import RayHits as RayHits
from .octree_graph import VoxelGraph as VoxelGraph
from .octree_sphere import SphereConstraint as SphereConstraint
from .octree_sphere import VoxelBox as VoxelBox
from .surprises import ObstacleLayer as ObstacleLayer

__all__ = [
    "Boxes",
    "Costmap",
    "DynamicDistance",
    "ElevationMap",
    "Footprint",
    "FootprintConstraint",
    "InflatedGrid",
    "InverseBeamModel",
    "InverseConeModel",
    "InverseLikelihoodModel",
    "Lidar",
    "ObstacleLayer",
    "Obstacles",
    "OcTree",
    "OccupancyGrid",
    "OccupancyMap",
    "RayHits",
    "SphereConstraint",
    "TerrainLimits",
    "VoxelBox",
    "VoxelGraph",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
