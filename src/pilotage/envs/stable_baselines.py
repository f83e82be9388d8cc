"""Vector environments as Stable-Baselines3 takes them."""

from __future__ import annotations

from typing import Any

from gymnasium.vector import VectorEnv


def sb3_vec_env(envs: VectorEnv[Any, Any, Any]) -> Any:
    """A vector environment as a `VecEnv` of Stable-Baselines3, so that its learners take the batch as it is.

    Args:
        envs: a `ModelVectorEnv`, or another vector environment, with `AutoresetMode.SAME_STEP`.

    Raises:
        MissingExtra: when Stable-Baselines3 is not installed.
        SettingError: for another mode; episodes start again in the step that ends them, as Stable-Baselines3 expects.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> from gymnasium.vector import AutoresetMode
        >>> envs = gymnasium.make_vec("pilotage/CartPole-v0", num_envs=8, autoreset_mode=AutoresetMode.SAME_STEP)
        >>> sb3_vec_env(envs).reset().shape
        (8, 4)
    """
    from ._sb3 import SB3VecEnv

    return SB3VecEnv(envs)
