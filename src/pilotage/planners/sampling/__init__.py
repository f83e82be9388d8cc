"""Planners that draw states at random: `RRTConnect`."""

from __future__ import annotations

from .rrt_connect import RRTConnect as RRTConnect

__all__ = ["RRTConnect"]
