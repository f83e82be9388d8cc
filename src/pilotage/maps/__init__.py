"""Where things are: occupancy grids.

- `OccupancyGrid`: free, occupied and unknown cells; distances, inflation, exact ray casting
- `Lidar`: a lidar on such a map, as a sensor with two likelihoods
- `ObstacleLayer`: what a lidar sees that is not on the map
"""

from __future__ import annotations

from .lidar import Lidar as Lidar
from .occupancy import OccupancyGrid as OccupancyGrid
from .surprises import ObstacleLayer as ObstacleLayer

__all__ = ["Lidar", "ObstacleLayer", "OccupancyGrid"]
