"""Trajectories along a road: `FrenetPlanner` beside a `ReferenceLine`."""

from __future__ import annotations

from .frenet_planner import Candidates as Candidates
from .frenet_planner import FrenetPlanner as FrenetPlanner
from .reference_line import ReferenceLine as ReferenceLine

__all__ = ["Candidates", "FrenetPlanner", "ReferenceLine"]
