"""The registration of the environments with Gymnasium. Entry points are strings, so that modules load on first use."""

from __future__ import annotations

from typing import Any

import gymnasium

ENVIRONMENTS: tuple[tuple[str, str, str, int, dict[str, Any]], ...] = (
    ("Navigation", "navigation", "Navigation", 2000, {}),
    ("Parking", "parking", "Parking", 100, {}),
    ("TruckBackerUpper", "truck", "TruckBackerUpper", 2000, {}),
    ("Tracking", "tracking", "Tracking", 200, {}),
    ("CartPole", "cart_pole", "CartPole", 500, {}),
    ("Pendulum", "pendulum", "Pendulum", 200, {}),
    ("PendulumPixels", "pendulum", "Pendulum", 200, {"pixels": True}),
    ("Acrobot", "acrobot", "Acrobot", 120, {}),
    ("Reacher", "reacher", "Reacher", 60, {}),
    ("Quadrotor", "quadrotor", "Quadrotor", 80, {}),
    ("TwoRooms", "maze", "TwoRooms", 300, {}),
    ("FourRooms", "maze", "FourRooms", 300, {}),
    ("PointMaze", "maze", "PointMaze", 300, {}),
    ("OccludedBall", "occluded_ball", "OccludedBall", 200, {}),
    ("Traffic", "traffic", "Traffic", 1000, {}),
)
"""Name, module, class, largest number of steps, and settings of each environment."""


def register_all() -> None:
    """Register every environment of this subpackage, once."""
    for name, module, entry, steps, settings in ENVIRONMENTS:
        if f"pilotage/{name}-v0" not in gymnasium.registry:
            gymnasium.register(
                f"pilotage/{name}-v0",
                entry_point=f"pilotage.envs.{module}:{entry}",
                vector_entry_point=f"pilotage.envs.{module}:{entry}Vector",
                max_episode_steps=steps,
                kwargs=dict(settings),
            )
