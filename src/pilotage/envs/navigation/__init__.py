"""The navigation environment: a robot with a lidar in a building, and agents that map it and drive through it."""

from __future__ import annotations

from .env import Navigation as Navigation
from .env import NavigationVector as NavigationVector
from .robots import Robot as Robot

__all__ = ["Navigation", "NavigationVector", "Robot"]
