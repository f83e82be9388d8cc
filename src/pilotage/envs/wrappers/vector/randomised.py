"""Models that are other ones in every episode, in many environments at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from ..randomised import Factors, RandomParameters
from ._episodes import Episodes, Mask, vector_core_of


class RandomisedDynamics(Episodes):
    """A vector environment whose parameters are multiplied by random factors, new in every episode of each.

    Environment i has the factors of `pilotage.envs.wrappers.RandomisedDynamics` with the same seed. All environments
    are still simulated in one call. ``infos["factors"][name]`` holds the factors of the present episodes ``(N,)``.

    Args:
        env: a vector environment of Pilotage whose dynamics have parameters and `replace`.
        factors: by the name of the parameter, a factor, or the lowest and the highest one.

    Raises:
        SettingError: if the dynamics have no such parameter, or a factor is not positive.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> many = gymnasium.make_vec("pilotage/Pendulum-v0", num_envs=8)
        >>> heavy = RandomisedDynamics(many, {"mass": (0.5, 2.0), "length": 1.1})
        >>> observations, infos = heavy.reset(seed=0)
        >>> infos["factors"]["mass"].shape, set(infos["factors"]["length"].tolist())
        ((8,), {1.1})
    """

    _KEPT = ("_factors",)

    def __init__(self, env: VectorEnv[Any, Any, Any], factors: Factors) -> None:
        super().__init__(env)
        self._core = vector_core_of(env, "RandomisedDynamics")
        self._random = RandomParameters(self._core.world.dynamics, factors)
        self._factors = {name: np.ones(self.num_envs) for name in factors}

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start all episodes, each of another model."""
        observations, infos = self._reset(seed, options)
        self._draw(self._all)
        return observations, self._told(infos)

    def step(self, actions: Any) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """A tick of all environments."""
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        if "final_info" in infos:
            infos["final_info"] = self._told(infos["final_info"])
        self._draw(self._stepped(observations, terminated | truncated, infos).began)
        return observations, rewards, terminated, truncated, self._told(infos)

    def set_state(self, saved: Any) -> None:
        super().set_state(saved)
        for i in range(self.num_envs):
            self._act(i)

    def _draw(self, rows: Mask) -> None:
        """Give the new episodes of these rows their models."""
        for i in np.flatnonzero(rows).tolist():
            for name, factor in self._random.draw(self._streams[i]).items():
                self._factors[name][i] = factor
            self._act(i)

    def _act(self, i: int) -> None:
        """Give an environment the model of its factors."""
        factors = {name: float(each[i]) for name, each in self._factors.items()}
        self._core.replace_dynamics(self._random.model(factors), [i])

    def _told(self, infos: dict[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for name, factors in self._factors.items():
            told[name], told[f"_{name}"] = factors.copy(), self._all.copy()
        return {**infos, "factors": told, "_factors": self._all.copy()}
