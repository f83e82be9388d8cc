"""Trajectory optimisation by derivatives of the model: `ILQR`, `GradientMPC`."""

from __future__ import annotations

from .gradient import GradientMPC as GradientMPC
from .ilqr import ILQR as ILQR

__all__ = ["ILQR", "GradientMPC"]
