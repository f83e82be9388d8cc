"""Occupancy grids, collision checks of footprints, and lidars.

- `OccupancyGrid`: free, occupied and unknown cells; distances, exact ray casting, mapping with known poses
- `InflatedGrid`: the map grown by the radius of a round robot, for grid planners
- `Footprint`: the outline of a robot: a disc, several discs, or a convex polygon
- `Obstacles`: blocked cells as solid squares, with signed distances to them
- `FootprintConstraint`: the collision constraint of planners, controllers and environments
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
from .elevation import ElevationMap as ElevationMap
from .elevation import TerrainLimits as TerrainLimits
from .footprint import Footprint as Footprint
from .inflated import InflatedGrid as InflatedGrid
from .lidar import Lidar as Lidar
from .obstacles import Obstacles as Obstacles
from .occupancy import OccupancyGrid as OccupancyGrid
from .octree import OcTree as OcTree
from .octree_arrays import Boxes as Boxes
from .octree_arrays import RayHits as RayHits
from .octree_graph import VoxelGraph as VoxelGraph
from .octree_sphere import SphereConstraint as SphereConstraint
from .octree_sphere import VoxelBox as VoxelBox
from .surprises import ObstacleLayer as ObstacleLayer

__all__ = [
    "Boxes",
    "ElevationMap",
    "Footprint",
    "FootprintConstraint",
    "InflatedGrid",
    "Lidar",
    "ObstacleLayer",
    "Obstacles",
    "OcTree",
    "OccupancyGrid",
    "RayHits",
    "SphereConstraint",
    "TerrainLimits",
    "VoxelBox",
    "VoxelGraph",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
