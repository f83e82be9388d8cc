"""Trajectory optimisation by derivatives of the model: `ILQR`, `SQP`, `DirectCollocation`, `GradientMPC`."""

from __future__ import annotations

from .collocation import DirectCollocation as DirectCollocation
from .gradient import GradientMPC as GradientMPC
from .ilqr import ILQR as ILQR
from .sqp import SQP as SQP

__all__ = ["ILQR", "SQP", "DirectCollocation", "GradientMPC"]
