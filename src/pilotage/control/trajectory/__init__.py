"""Trajectory optimisation by derivatives of the model: `ILQR`, `SQP`, `DirectCollocation`."""

from __future__ import annotations

from .collocation import DirectCollocation as DirectCollocation
from .ilqr import ILQR as ILQR
from .sqp import SQP as SQP

__all__ = ["ILQR", "SQP", "DirectCollocation"]
