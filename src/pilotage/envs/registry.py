"""The registration of the environments with Gymnasium. Entry points are strings, so that modules load on first use."""

from __future__ import annotations

import gymnasium


def register_all() -> None:
    """Register every environment of this subpackage, once."""
    for name, module, entry, steps in (
        ("pilotage/Navigation-v0", "navigation", "Navigation", 2000),
        ("pilotage/CartPole-v0", "cart_pole", "CartPole", 500),
        ("pilotage/TruckBackerUpper-v0", "truck", "TruckBackerUpper", 2000),
    ):
        if name not in gymnasium.registry:
            gymnasium.register(
                name,
                entry_point=f"pilotage.envs.{module}:{entry}",
                vector_entry_point=f"pilotage.envs.{module}:{entry}Vector",
                max_episode_steps=steps,
            )
