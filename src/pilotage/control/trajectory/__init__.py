"""Trajectory optimisation by derivatives of the model: `ILQR`."""

from __future__ import annotations

from .ilqr import ILQR as ILQR

__all__ = ["ILQR"]
