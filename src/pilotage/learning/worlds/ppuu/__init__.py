"""Prediction and planning under uncertainty in dense traffic (PPUU): data, kinematics and costs.

- `simulated_drives`, `recorded_drives`: each car of traffic as seen from its own seat
- `driven`, `unrolled`, `actions_of`: the exact motion of the own car, and the actions that explain a recorded one
- `RasterCosts`, `PoseCosts`: how near other cars are, lane marks, and the edges of the road
"""

from __future__ import annotations

from .costs import Costs as Costs
from .costs import Masks as Masks
from .costs import PoseCosts as PoseCosts
from .costs import RasterCosts as RasterCosts
from .ego import actions_of as actions_of
from .ego import driven as driven
from .ego import unrolled as unrolled
from .recordings import Drive as Drive
from .recordings import recorded_drives as recorded_drives
from .recordings import simulated_drives as simulated_drives
from .recordings import swapped as swapped

__all__ = [
    "Costs",
    "Drive",
    "Masks",
    "PoseCosts",
    "RasterCosts",
    "actions_of",
    "driven",
    "recorded_drives",
    "simulated_drives",
    "swapped",
    "unrolled",
]
