"""Dense traffic on a road of several lanes, simulated or replayed, as dynamics and as an environment.

- `ReactiveTraffic`, `Drivers`: drivers that follow by `idm` and change lanes by `mobil`
- `ReplayedTraffic`, `ngsim_traffic`, `commonroad_traffic`: recordings in which one car is replaced by the own one
- `ContextRaster`, `Neighbours`: what the own car sees, as a picture or as numbers
- `TrafficTask`: to reach the goal without a collision and without leaving the road
- `IDMDriver`: a reference that knows where all cars are
- `Traffic`: the environment
"""

from __future__ import annotations

from .env import Traffic as Traffic
from .env import TrafficVector as TrafficVector
from .idm_driver import IDMDriver as IDMDriver
from .neighbours import Neighbours as Neighbours
from .raster import ContextRaster as ContextRaster
from .reactive import Drivers as Drivers
from .reactive import ReactiveTraffic as ReactiveTraffic
from .recorded import commonroad_traffic as commonroad_traffic
from .recorded import ngsim_traffic as ngsim_traffic
from .replayed import ReplayedTraffic as ReplayedTraffic
from .road import Road as Road
from .state import others as others
from .state import present as present
from .state import traffic_space as traffic_space
from .task import TrafficTask as TrafficTask

__all__ = [
    "ContextRaster",
    "Drivers",
    "IDMDriver",
    "Neighbours",
    "ReactiveTraffic",
    "ReplayedTraffic",
    "Road",
    "Traffic",
    "TrafficTask",
    "TrafficVector",
    "commonroad_traffic",
    "ngsim_traffic",
    "others",
    "present",
    "traffic_space",
]
