"""Planners that draw states at random: `RRTConnect`, `RRTStar`, `PRM` and others."""

from __future__ import annotations

from .bit_star import BITStar as BITStar
from .informed_rrt_star import InformedRRTStar as InformedRRTStar
from .kinodynamic_rrt import KinodynamicRRT as KinodynamicRRT
from .lazy_prm import LazyPRM as LazyPRM
from .prm import PRM as PRM
from .prm_star import PRMStar as PRMStar
from .roadmap import Roadmap as Roadmap
from .rrt import RRT as RRT
from .rrt_connect import RRTConnect as RRTConnect
from .rrt_star import RRTStar as RRTStar
from .sst import SST as SST

__all__ = [
    "PRM",
    "RRT",
    "SST",
    "BITStar",
    "InformedRRTStar",
    "KinodynamicRRT",
    "LazyPRM",
    "PRMStar",
    "RRTConnect",
    "RRTStar",
    "Roadmap",
]
