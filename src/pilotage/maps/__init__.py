"""Where things are: occupancy grids.

- `OccupancyGrid`: free, occupied and unknown cells; distances, inflation, exact ray casting
"""

from __future__ import annotations

from .occupancy import OccupancyGrid as OccupancyGrid

__all__ = ["OccupancyGrid"]
