"""A model that is another one in every episode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from ...core import SettingError
from ...core.settings import positive, shown
from ._world import core_of, stream_of


class RandomisedDynamics(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """An environment whose parameters are multiplied by random factors, new in every episode.

    With ranges it randomises the domain, for learners that have to be robust; with single factors the true model
    differs from that of a filter or controller. ``info["factors"]`` holds the factors of the episode.

    Args:
        env: an environment of Pilotage whose dynamics have parameters and `replace`.
        factors: by the name of the parameter, a factor, or the lowest and the highest one.

    Raises:
        SettingError: if the dynamics have no such parameter, or a factor is not positive.

    Example:
        >>> import pilotage.envs
        >>> heavy = RandomisedDynamics(gymnasium.make("pilotage/Pendulum-v0"), {"mass": (0.5, 2.0), "length": 1.1})
        >>> observation, info = heavy.reset(seed=0)
        >>> info["factors"]["length"], 0.5 <= info["factors"]["mass"] <= 2.0
        (1.1, True)
    """

    _KEPT = ("_stream",)

    def __init__(self, env: gymnasium.Env[Any, Any], factors: Mapping[str, float | tuple[float, float]]) -> None:
        RecordConstructorArgs.__init__(self, factors=factors)
        gymnasium.Wrapper.__init__(self, env)
        self._core = core_of(env, "RandomisedDynamics")
        self._plain: Any = self._core.world.dynamics
        params = getattr(self._plain, "params", {})
        self._ranges: dict[str, tuple[float, float]] = {}
        for name, given in factors.items():
            if name not in params or not hasattr(self._plain, "replace"):
                raise SettingError(f"{self._plain!r} has no parameter {name!r}; it has {', '.join(params) or 'none'}")
            low, high = given if isinstance(given, tuple) else (given, given)
            if positive(low, name) > positive(high, name):
                raise SettingError(f"the factors of {name} are {shown(given)}; expected the lower one first")
            self._ranges[name] = float(low), float(high)
        self._stream = stream_of(env, None)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode of another model."""
        if seed is not None:
            self._stream = stream_of(self.env, seed)
        factors = {name: float(self._stream.uniform(*span)) for name, span in self._ranges.items()}
        params = {name: np.multiply(self._plain.params[name], factor) for name, factor in factors.items()}
        self._core.replace_dynamics(self._plain.replace(**params))
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, {**info, "factors": factors}
