"""Observations as they arrive over links: noisy, late, at several rates, with gaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from ._world import ONLY, core_of, lines_of, links_of, named, stream_of
from .link import Link


class DegradedObservation(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """An environment whose observations arrive over links: noisy, delayed, at their own rates, and with gaps.

    Of each sensor, the last reading that has arrived is observed, within the bounds of its space; before the first, it
    is the reading of the start. ``info["age"]`` holds the seconds since each was taken.

    Args:
        env: an environment of Pilotage.
        links: one link for all parts of the observation, or links by name; others are perfect.

    Raises:
        SettingError: if there is no observation of a name, or the environment has no model.

    Example:
        >>> import pilotage.envs
        >>> late = DegradedObservation(gymnasium.make("pilotage/Pendulum-v0"), Link(delay=0.1, dropout=0.2))
        >>> first, info = late.reset(seed=0)
        >>> bool((late.step([1.0])[0] == first).all()), info["age"]
        (True, {'observation': 0.0})
    """

    _KEPT = ("_last", "_lines", "_stream", "_tick")

    def __init__(self, env: gymnasium.Env[Any, Any], links: Link | Mapping[str, Link]) -> None:
        RecordConstructorArgs.__init__(self, links=links)
        gymnasium.Wrapper.__init__(self, env)
        core = core_of(env, "DegradedObservation")
        self._dt, space = core.world.dt, env.observation_space
        self._boxes: dict[str, Any] = dict(space.spaces) if isinstance(space, gymnasium.spaces.Dict) else {ONLY: space}
        self._links = links_of(links, [*self._boxes])
        self._stream = stream_of(None)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode, with nothing on its way."""
        observation, info = self.env.reset(seed=seed, options=options)
        if seed is not None:
            self._stream = stream_of(seed)
        self._tick, self._lines = 0, lines_of(self._links, self._dt)
        self._last = {name: (0, part) for name, part in named(observation).items()}
        return self._arrived(observation), self._aged(info)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """A tick, and what has arrived by its end."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._tick += 1
        return self._arrived(observation), reward, terminated, truncated, self._aged(info)

    def _arrived(self, observation: Any) -> Any:
        """The last readings that have arrived, in the form of the observation."""
        for name, part in named(observation).items():
            for arrival in self._lines[name].passed(self._tick, part, self._stream):
                box = self._boxes[name]
                whole = np.rint(arrival.reading) if box.dtype.kind in "iu" else arrival.reading
                self._last[name] = arrival.taken, np.clip(whole, box.low, box.high).astype(box.dtype)
        seen = {name: np.array(part) for name, (_, part) in self._last.items()}
        return seen if isinstance(observation, dict) else seen[ONLY]

    def _aged(self, info: dict[str, Any]) -> dict[str, Any]:
        ages = {name: (self._tick - taken) * self._dt for name, (taken, _) in self._last.items()}
        return {**info, "age": ages}
