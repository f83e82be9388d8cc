"""Controllers, which turn a belief into an action at every tick.

- `paths`: following a path (`PurePursuit`; the task `follow`; `Path`, parametrised by arc length, with the `Progress`
  of a robot along it)
- `trajectory`: trajectory optimisation by derivatives of the model (`ILQR`, `GradientMPC`)
- `sampling`: predictive control by random rollouts (`MPPI`, `CEM`, `ICEM`, `PredictiveSampling`; their noise over time:
  `PowerLawNoise`, `IntegratedNoise`, `SplineNoise`, `KernelNoise`)
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
from .sampling import CEM as CEM
from .sampling import ICEM as ICEM
from .sampling import MPPI as MPPI
from .sampling import IntegratedNoise as IntegratedNoise
from .sampling import KernelNoise as KernelNoise
from .sampling import PowerLawNoise as PowerLawNoise
from .sampling import PredictiveSampling as PredictiveSampling
from .sampling import SplineNoise as SplineNoise
from .trajectory import ILQR as ILQR
from .trajectory import GradientMPC as GradientMPC

__all__ = [
    "CEM",
    "ICEM",
    "ILQR",
    "MPPI",
    "GradientMPC",
    "IntegratedNoise",
    "KernelNoise",
    "Path",
    "PowerLawNoise",
    "PredictiveSampling",
    "Progress",
    "PurePursuit",
    "RecedingHorizon",
    "Solution",
    "SplineNoise",
    "follow",
    "reach",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
