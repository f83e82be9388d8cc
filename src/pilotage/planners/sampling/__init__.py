"""Planners that draw states at random: `RRTConnect`, `RRTStar` and others."""

from __future__ import annotations

from .bit_star import BITStar as BITStar
from .informed_rrt_star import InformedRRTStar as InformedRRTStar
from .rrt import RRT as RRT
from .rrt_connect import RRTConnect as RRTConnect
from .rrt_star import RRTStar as RRTStar

__all__ = ["RRT", "BITStar", "InformedRRTStar", "RRTConnect", "RRTStar"]
