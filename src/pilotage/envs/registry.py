"""The environments that Gymnasium knows by name. Entry points are strings, so that nothing loads before it is made."""

from __future__ import annotations

import gymnasium


def register_all() -> None:
    """Register every environment of this room, once."""
    if "pilotage/Navigation-v0" not in gymnasium.registry:
        gymnasium.register(
            "pilotage/Navigation-v0",
            entry_point="pilotage.envs.navigation:Navigation",
            vector_entry_point="pilotage.envs.navigation:NavigationVector",
            max_episode_steps=2000,
        )
