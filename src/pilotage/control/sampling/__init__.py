"""Predictive control by random rollouts: `MPPI`."""

from __future__ import annotations

from .mppi import MPPI as MPPI

__all__ = ["MPPI"]
