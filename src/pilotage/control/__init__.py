"""From a belief to an action, every tick.

- `RecedingHorizon`: what predictive controllers share: clock, plan, fallback; made with a solver, whose steps return a
  `Solution`
- `MPPI`: the mean of random plans, weighted by how well they do; any dynamics, any task
- `ILQR`: a linear-quadratic problem around the plan, solved again and again; limits and constraints
- `PurePursuit`: the arc to a point ahead on the path
- `follow`, `reach`: tasks: along a path clear of obstacles, to a goal
- `Path`, `Progress`: a path by arc length, and how far along it a robot has come
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from .follow import follow as follow
from .ilqr import ILQR as ILQR
from .mppi import MPPI as MPPI
from .path import Path as Path
from .path import Progress as Progress
from .pursuit import PurePursuit as PurePursuit
from .reach import reach as reach
from .receding import RecedingHorizon as RecedingHorizon
from .receding import Solution as Solution

__all__ = ["ILQR", "MPPI", "Path", "Progress", "PurePursuit", "RecedingHorizon", "Solution", "follow", "reach"]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
