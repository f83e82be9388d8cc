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

Factors = Mapping[str, float | tuple[float, float]]


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

    _KEPT = ("_stream", "_factors")

    def __init__(self, env: gymnasium.Env[Any, Any], factors: Factors) -> None:
        RecordConstructorArgs.__init__(self, factors=factors)
        gymnasium.Wrapper.__init__(self, env)
        self._core = core_of(env, "RandomisedDynamics")
        self._random = RandomParameters(self._core.world.dynamics, factors)
        self._stream = stream_of(None)
        self._factors = self._acting = dict[str, float]()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode of another model."""
        if seed is not None:
            self._stream = stream_of(seed)
        self._factors = self._random.draw(self._stream)
        self._act()
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, {**info, "factors": dict(self._factors)}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """A tick of the model of this episode."""
        if self._factors != self._acting:  # they were restored
            self._act()
        return self.env.step(action)

    def _act(self) -> None:
        self._core.replace_dynamics(self._random.model(self._factors))
        self._acting = dict(self._factors)


class RandomParameters:
    """Parameters of dynamics that are multiplied by random factors.

    Example:
        >>> from pilotage.models import pendulum
        >>> random = RandomParameters(pendulum(), {"mass": (0.5, 2.0)})
        >>> float(random.model({"mass": 1.5}).params["mass"]), list(random.draw(np.random.default_rng(0)))
        (1.5, ['mass'])
    """

    def __init__(self, dynamics: Any, factors: Factors) -> None:
        self._plain, params = dynamics, getattr(dynamics, "params", {})
        self._ranges: dict[str, tuple[float, float]] = {}
        for name, given in factors.items():
            if name not in params or not hasattr(dynamics, "replace"):
                raise SettingError(f"{dynamics!r} has no parameter {name!r}; it has {', '.join(params) or 'none'}")
            low, high = given if isinstance(given, tuple) else (given, given)
            if positive(low, name) > positive(high, name):
                raise SettingError(f"the factors of {name} are {shown(given)}; expected the lower one first")
            self._ranges[name] = float(low), float(high)

    def draw(self, stream: np.random.Generator) -> dict[str, float]:
        """Random factors by name."""
        return {name: float(stream.uniform(*span)) for name, span in self._ranges.items()}

    def model(self, factors: Mapping[str, float]) -> Any:
        """The dynamics with their parameters multiplied by these factors."""
        params = {name: np.multiply(self._plain.params[name], factor) for name, factor in factors.items()}
        return self._plain.replace(**params)
