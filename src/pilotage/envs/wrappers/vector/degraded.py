"""Observations of many environments as they arrive over links: noisy, late, at several rates, with gaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.spaces import Dict
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from .._world import ONLY, links_of, named
from ..link import Link
from ._episodes import Episodes, Lines, Mask, Parts, Sent, vector_core_of


class DegradedObservation(Episodes):
    """A vector environment whose observations arrive over links: noisy, delayed, at their own rates, and with gaps.

    Environment i shows what `pilotage.envs.wrappers.DegradedObservation` shows with the same seed.
    ``infos["age"][name]`` holds the seconds ``(N,)`` since each reading was taken.

    Args:
        env: a vector environment of Pilotage.
        links: one link for all parts of the observation, or links by name; others are perfect.

    Raises:
        SettingError: if there is no observation of a name, or the environment has no model.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> late = DegradedObservation(gymnasium.make_vec("pilotage/Pendulum-v0", num_envs=2), Link(delay=0.1))
        >>> first, infos = late.reset(seed=0)
        >>> bool((late.step([[1.0], [2.0]])[0] == first).all()), infos["age"]["observation"].tolist()
        (True, [0.0, 0.0])
    """

    _KEPT = ("_step", "_ticks", "_way", "_last", "_taken")

    def __init__(self, env: VectorEnv[Any, Any, Any], links: Link | Mapping[str, Link]) -> None:
        super().__init__(env)
        dt, space = vector_core_of(env, "DegradedObservation").world.dt, env.single_observation_space
        self._dt, self._single = dt, not isinstance(space, Dict)
        self._boxes: dict[str, Any] = dict(space.spaces) if isinstance(space, Dict) else {ONLY: space}
        self._lines = {name: Lines(link, dt) for name, link in links_of(links, [*self._boxes]).items()}
        self._step, self._ticks = 0, np.zeros(self.num_envs, dtype=np.int64)
        self._way: dict[str, list[Sent]] = {}
        self._last: Parts = {}
        self._taken: dict[str, NDArray[np.int64]] = {}

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start all episodes, with nothing on its way."""
        observations, infos = self._reset(seed, options)
        self._step, self._way = 0, {name: [] for name in self._lines}
        self._last = {name: np.array(part) for name, part in named(observations).items()}
        self._taken = {name: np.zeros(self.num_envs, dtype=np.int64) for name in self._lines}
        self._begin(self._last, self._all)
        return self._seen(), self._aged(infos)

    def step(self, actions: Any) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """A tick of all environments, and what has arrived by its end."""
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        step = self._stepped(observations, terminated | truncated, infos)
        self._step += 1
        self._ticks += step.going
        self._arrive(step.last, step.going)
        shown = [self._seen()]
        if step.began.any():
            if "final_info" in infos:
                infos["final_info"] = self._aged(infos["final_info"])
            self._begin(step.first, step.began)
            shown.append(self._seen())
        seen, infos = self._shown(step, shown, infos)
        return seen, rewards, terminated, truncated, self._aged(infos)

    def _begin(self, first: Parts, rows: Mask) -> None:
        """Start the episodes of these rows."""
        self._ticks[rows] = 0
        for name, part in first.items():
            self._last[name][rows], self._taken[name][rows] = part[rows], 0
            for sent in self._way[name]:
                sent.rows[rows] = False
        self._arrive(first, rows)

    def _arrive(self, parts: Parts, rows: Mask) -> None:
        """Send the readings of these rows, and take those that arrive in this step."""
        for name, part in parts.items():
            self._way[name].append(self._lines[name].send(self._step, self._ticks, part, rows, self._streams))
            for sent in (each for each in self._way[name] if each.due <= self._step):
                box, z = self._boxes[name], sent.readings[sent.rows]
                whole = np.rint(z) if box.dtype.kind in "iu" else z
                self._last[name][sent.rows] = np.clip(whole, box.low, box.high).astype(box.dtype)
                self._taken[name][sent.rows] = sent.taken[sent.rows]
            self._way[name] = [each for each in self._way[name] if each.due > self._step]

    def _seen(self) -> Any:
        """The last readings that have arrived, in the form of the observation."""
        seen = {name: part.copy() for name, part in self._last.items()}
        return seen[ONLY] if self._single else seen

    def _aged(self, infos: dict[str, Any]) -> dict[str, Any]:
        ages: dict[str, Any] = {}
        for name, taken in self._taken.items():
            ages[name], ages[f"_{name}"] = (self._ticks - taken) * self._dt, self._all.copy()
        return {**infos, "age": ages, "_age": self._all.copy()}
