"""Worlds with what is learned in them: emulators, policies, and oracles of what is feasible."""

from __future__ import annotations

from .dynamics import DynamicsOptions as DynamicsOptions
from .dynamics import DynamicsSettings as DynamicsSettings
from .dynamics import DynamicsWorld as DynamicsWorld
from .truck import TruckOptions as TruckOptions
from .truck import TruckOracle as TruckOracle
from .truck import TruckPolicy as TruckPolicy
from .truck import TruckSettings as TruckSettings
from .truck import TruckWalls as TruckWalls
from .truck import TruckWorld as TruckWorld
from .truck import WallsPolicy as WallsPolicy
from .world import World as World
from .world import world_of as world_of
from .world import worlds as worlds

worlds.add(DynamicsWorld, name="dynamics")
worlds.add(TruckWorld, name="truck")
worlds.add(TruckWalls, name="truck_walls")

__all__ = [
    "DynamicsOptions",
    "DynamicsSettings",
    "DynamicsWorld",
    "TruckOptions",
    "TruckOracle",
    "TruckPolicy",
    "TruckSettings",
    "TruckWalls",
    "TruckWorld",
    "WallsPolicy",
    "World",
    "world_of",
    "worlds",
]
