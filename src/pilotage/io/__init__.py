"""Readers and writers of file formats, which take and return plain values.

- `read_ros_map`, `write_ros_map`: maps of the ROS map_server (yaml with pgm or png)
- `read_movingai_map`, `read_movingai_scenarios`: grid-planning benchmarks
- `read_g2o`, `write_g2o`: pose graphs
- `read_carmen`: logs of lasers
- `read_pgm`: grey images
- `write_atomic`: replace a file in one step
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from .atomic import write_atomic as write_atomic
from .carmen import LaserLog as LaserLog
from .carmen import read_carmen as read_carmen
from .g2o import PoseGraph as PoseGraph
from .g2o import read_g2o as read_g2o
from .g2o import write_g2o as write_g2o
from .movingai import Scenario as Scenario
from .movingai import find_movingai_map as find_movingai_map
from .movingai import read_movingai_map as read_movingai_map
from .movingai import read_movingai_scenarios as read_movingai_scenarios
from .pgm import read_pgm as read_pgm
from .ros_map import RosMap as RosMap
from .ros_map import read_ros_map as read_ros_map
from .ros_map import write_ros_map as write_ros_map

__all__ = [
    "LaserLog",
    "PoseGraph",
    "RosMap",
    "Scenario",
    "find_movingai_map",
    "read_carmen",
    "read_g2o",
    "read_movingai_map",
    "read_movingai_scenarios",
    "read_pgm",
    "read_ros_map",
    "write_atomic",
    "write_g2o",
    "write_ros_map",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
