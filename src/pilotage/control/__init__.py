"""Controllers, which turn a belief into an action at every tick.

- `paths`: following a path (`PurePursuit`; the task `follow`; `Path`, parametrised by arc length, with the `Progress`
  of a robot along it)
- `trajectory`: trajectory optimisation by derivatives of the model (`ILQR`, `SQP`,
  `DirectCollocation`)
- `sampling`: predictive control by random rollouts (`MPPI`)
- `RecedingHorizon`: the common base of predictive controllers: clock, plan and fallback; it uses a solver, which
  returns a `Solution`
- `reach`: the task of reaching a goal
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from .paths import Path as Path
from .paths import Progress as Progress
from .paths import PurePursuit as PurePursuit
from .paths import follow as follow
from .reach import reach as reach
from .receding import RecedingHorizon as RecedingHorizon
from .receding import Solution as Solution
from .sampling import MPPI as MPPI
from .trajectory import ILQR as ILQR
from .trajectory import SQP as SQP
from .trajectory import DirectCollocation as DirectCollocation

__all__ = [
    "ILQR",
    "MPPI",
    "SQP",
    "DirectCollocation",
    "Path",
    "Progress",
    "PurePursuit",
    "RecedingHorizon",
    "Solution",
    "follow",
    "reach",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
