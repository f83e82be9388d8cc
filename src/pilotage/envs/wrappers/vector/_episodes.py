"""The base of the wrappers of vector environments: which episodes go on, and which begin, in a step."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from numpy.typing import NDArray

from ....core import SettingError
from ....core.arrays import Array
from ....core.settings import shown
from ....estimators.bank import Bank
from ..._batches import checked_autoreset, seeds_of
from ...vector_env import ModelVectorEnv
from .._world import named, stream_of
from ..link import Link

Mask = NDArray[np.bool_]
Parts = dict[str, NDArray[Any]]


class Step(NamedTuple):
    """The observations of a step, those of episodes that go on apart from the first ones of new episodes.

    Attributes:
        last: parts of the observations by name ``(N, ...)``, of episodes that go on or end.
        going: the episodes that go on or end ``(N,)``.
        first: first observations of the new episodes ``(N, ...)``.
        began: the new episodes ``(N,)``.
    """

    last: Parts
    going: Mask
    first: Parts
    began: Mask


class Episodes(VectorWrapper[Any, Any, Any, Any, NDArray[Any]]):
    """A wrapper of a vector environment that follows its episodes, each with a random stream of its own.

    Environment i has the stream that the wrapper of a single environment has, so that both draw the same numbers. The
    attributes that change in an episode are named in ``_KEPT``.
    """

    _KEPT: tuple[str, ...] = ()

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        mode: Any = env.metadata.get("autoreset_mode")
        self._same_step = checked_autoreset(mode) is AutoresetMode.SAME_STEP
        self._all = np.ones(env.num_envs, dtype=bool)
        self._ended = ~self._all
        self._seeds: list[int | None] = [None] * env.num_envs
        self._streams = [np.random.default_rng() for _ in self._seeds]

    def get_state(self) -> Kept:
        """All that the rest of the episodes depends on, as `ModelVectorEnv.get_state` has it."""
        names = ("_ended", "_seeds", "_streams", *self._KEPT)
        return Kept(type(self), inner_state(self.env), {name: kept(vars(self)[name]) for name in names})

    def set_state(self, saved: Kept) -> None:
        """Go on from what `get_state` returned: the same actions then have the same results, to the bit."""
        if not isinstance(saved, Kept) or saved.owner is not type(self):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(f"the state is {shown(saved)}; expected one that get_state of {self} returned")
        env: Any = self.env
        env.set_state(saved.inner)
        vars(self).update({name: kept(value) for name, value in saved.values.items()})

    def _reset(self, seed: Any, options: Any) -> tuple[Any, dict[str, Any]]:
        """Start all episodes, with new streams where there is a seed."""
        self._seeds = seeds_of(seed, self.num_envs)
        observations, infos = self.env.reset(seed=seed, options=options)
        for i, one in enumerate(self._seeds):
            if one is not None:
                self._streams[i] = stream_of(one)
        self._ended = ~self._all
        return observations, infos

    def _stepped(self, observations: Any, ended: Mask, infos: dict[str, Any]) -> Step:
        """The observations of a step whose episodes ended so; the next step is told by it which episodes begin."""
        seen = named(observations)
        if not self._same_step:
            began, self._ended = self._ended, ended
            return Step(seen, ~began, seen, began)
        self._ended = ended
        return Step(with_final(seen, ended, infos), self._all, seen, ended)

    def _shown(self, step: Step, shown: list[Any], infos: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The observations of a step, and its infos.

        Args:
            step: the step.
            shown: observations before episodes began, and after that.
            infos: those of the environment.
        """
        if not (self._same_step and step.began.any()):
            return shown[-1], infos
        final = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(step.began):
            final[i] = row_of(shown[0], int(i))
        return shown[-1], {**infos, "final_obs": final}


class Kept(NamedTuple):
    """The state of a wrapper.

    Attributes:
        owner: its class.
        inner: the state of the environment within.
        values: attributes of the wrapper by name.
    """

    owner: type
    inner: Any
    values: dict[str, Any]


def kept(value: Any) -> Any:
    """A copy that shares nothing that changes; a bank of filters knows how to copy itself."""
    return copy.copy(value) if isinstance(value, Bank) else copy.deepcopy(value)


def inner_state(env: Any) -> Any:
    """The state of a vector environment."""
    if not hasattr(env, "get_state"):
        raise SettingError(f"the state of {env} cannot be reached; give it the methods get_state and set_state")
    return env.get_state()


def with_final(seen: Parts, ended: Mask, infos: dict[str, Any]) -> Parts:
    """Observations ``(N, ...)`` by name, with the last ones of episodes that have ended."""
    if not ended.any():
        return seen
    last = {name: part.copy() for name, part in seen.items()}
    for i in np.flatnonzero(ended):
        for name, part in named(infos["final_obs"][i]).items():
            last[name][i] = part
    return last


def row_of(observations: Any, i: int) -> Any:
    """The observation of one environment."""
    return {k: v[i] for k, v in observations.items()} if isinstance(observations, dict) else observations[i]


def vector_core_of(env: VectorEnv[Any, Any, Any], owner: str) -> ModelVectorEnv:
    """The vector environment of models within the wrappers."""
    core = env.unwrapped
    if not isinstance(core, ModelVectorEnv):
        raise SettingError(
            f"{owner} wraps vector environments of Pilotage, which have a model; {env} has none: make it with "
            "gymnasium.make_vec and vectorization_mode='vector_entry_point'"
        )
    return core


class Sent(NamedTuple):
    """The readings that a step sent through a link.

    Attributes:
        due: number of the step in which they arrive.
        rows: which environments sent one ``(N,)``.
        taken: ticks of the episodes at which they were taken ``(N,)``.
        readings: the readings ``(N, ...)``.
    """

    due: int
    rows: Mask
    taken: NDArray[np.int64]
    readings: Array


class Lines:
    """The links of a part of the observation, one for each environment.

    Example:
        >>> lines, streams = Lines(Link(delay=0.2), 0.1), [np.random.default_rng(0)]
        >>> lines.send(5, np.zeros(1, int), np.ones((1, 2)), np.ones(1, bool), streams).due
        7
    """

    def __init__(self, link: Link, dt: float) -> None:
        self.link, self.dt = link, dt
        self.lag = round(link.delay / dt)

    def send(self, step: int, ticks: NDArray[np.int64], readings: NDArray[Any], rows: Mask, streams: list[Any]) -> Sent:
        """Send the readings of these rows that are due, and not lost, with noise from the stream of each."""
        z, sent, link = np.array(readings, dtype=np.float64), rows & self.link.due(ticks, self.dt), self.link
        if link.dropout or link.std:
            for i in np.flatnonzero(sent):
                sent[i] = not (link.dropout and streams[i].random() < link.dropout)
                if sent[i] and link.std:
                    z[i] += link.std * streams[i].standard_normal(z.shape[1:])
        return Sent(step + self.lag, sent, ticks.copy(), z)
