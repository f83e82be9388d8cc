"""Trajectory optimisation by derivatives of the model: `ILQR`, `SQP`."""

from __future__ import annotations

from .ilqr import ILQR as ILQR
from .sqp import SQP as SQP

__all__ = ["ILQR", "SQP"]
