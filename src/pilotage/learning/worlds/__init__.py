"""Worlds with what is learned in them: emulators, policies, and oracles of what is feasible."""

from __future__ import annotations

from .truck import TruckOracle as TruckOracle
from .world import World as World
from .world import world_of as world_of
from .world import worlds as worlds

__all__ = ["TruckOracle", "World", "world_of", "worlds"]
