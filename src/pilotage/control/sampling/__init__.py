"""Predictive control by random rollouts: `MPPI`, `CEM`, `ICEM`, `PredictiveSampling`, and kinds of noise for them."""

from __future__ import annotations

from .cem import CEM as CEM
from .icem import ICEM as ICEM
from .mppi import MPPI as MPPI
from .noise import IntegratedNoise as IntegratedNoise
from .noise import KernelNoise as KernelNoise
from .noise import PowerLawNoise as PowerLawNoise
from .noise import SplineNoise as SplineNoise
from .predictive_sampling import PredictiveSampling as PredictiveSampling

__all__ = [
    "CEM",
    "ICEM",
    "MPPI",
    "IntegratedNoise",
    "KernelNoise",
    "PowerLawNoise",
    "PredictiveSampling",
    "SplineNoise",
]
