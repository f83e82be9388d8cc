"""Controllers, which turn a belief into an action at every tick.

- `RecedingHorizon`: the common base of predictive controllers: clock, plan and fallback; it uses a solver, which
  returns a `Solution`
- `MPPI`: model predictive path integral control, for any dynamics and any task
- `ILQR`: iterative linear-quadratic regulator with action limits and constraints
- `PurePursuit`: steering along the arc to a point ahead on the path
- `follow`, `reach`: the tasks of following a path clear of obstacles and of reaching a goal
- `Path`, `Progress`: a path parametrised by arc length, and the progress of a robot along it
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
