"""Worlds with what is learned in them: emulators, policies, and oracles of what is feasible."""

from __future__ import annotations

from .truck import TruckOracle as TruckOracle

__all__ = ["TruckOracle"]
