"""Controllers, which turn a belief into an action at every tick.

- `paths`: following a path (`PurePursuit`, `RegulatedPurePursuit`, `Stanley`; `PathTracker`, their shell, for a law of
  your own; the task `follow`; `Path`, parametrised by arc length, with the `Progress` of a robot along it)
- `trajectory`: trajectory optimisation by derivatives of the model (`ILQR`)
- `sampling`: predictive control by random rollouts (`MPPI`)
- `RecedingHorizon`: the common base of predictive controllers: clock, plan and fallback; it uses a solver, which
  returns a `Solution`
- `reach`: the task of reaching a goal
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from .paths import Path as Path
from .paths import PathTracker as PathTracker
from .paths import Progress as Progress
from .paths import PurePursuit as PurePursuit
from .paths import RegulatedPurePursuit as RegulatedPurePursuit
from .paths import Sight as Sight
from .paths import Stanley as Stanley
from .paths import Steering as Steering
from .paths import follow as follow
from .reach import reach as reach
from .receding import RecedingHorizon as RecedingHorizon
from .receding import Solution as Solution
from .sampling import MPPI as MPPI
from .trajectory import ILQR as ILQR

__all__ = [
    "ILQR",
    "MPPI",
    "Path",
    "PathTracker",
    "Progress",
    "PurePursuit",
    "RecedingHorizon",
    "RegulatedPurePursuit",
    "Sight",
    "Solution",
    "Stanley",
    "Steering",
    "follow",
    "reach",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
