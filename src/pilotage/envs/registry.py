"""The environments that Gymnasium knows by name. Entry points are strings, so that nothing loads before it is made."""

from __future__ import annotations

import gymnasium


def register_all() -> None:
    """Register every environment of this subpackage, once."""
    for name, module, entry, steps in (
        ("pilotage/Navigation-v0", "navigation", "Navigation", 2000),
        ("pilotage/CartPole-v0", "cart_pole", "CartPole", 500),
    ):
        if name not in gymnasium.registry:
            gymnasium.register(
                name,
                entry_point=f"pilotage.envs.{module}:{entry}",
                vector_entry_point=f"pilotage.envs.{module}:{entry}Vector",
                max_episode_steps=steps,
            )
