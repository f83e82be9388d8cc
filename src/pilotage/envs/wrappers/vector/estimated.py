"""Beliefs as the observations of many environments: readings in, estimates out, by one bank of filters."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ....core import Sensor
from ....core.arrays import Array
from ....estimators.bank import Bank
from .._world import belief_box, links_of, named, sensors_of
from ..link import Link
from ._episodes import Episodes, Lines, Mask, Parts, Sent, Step, vector_core_of


class Tick(NamedTuple):
    """A tick of all environments, as the filters need it.

    Attributes:
        time: seconds since the reset.
        us: actions ``(N, m)``, or None at the reset.
        sent: readings of the episodes that go on, by sensor.
        rows: places of the episodes that began, and their beliefs.
        beliefs: their beliefs at the start.
        first: first readings of the episodes that began.
    """

    time: float
    us: Array | None
    sent: dict[str, Sent]
    rows: NDArray[np.intp]
    beliefs: list[Any]
    first: dict[str, Sent]


class EstimatedObservation(Episodes):
    """A vector environment that shows the beliefs of filters: means and standard deviations, ``(N, size + dim)``.

    Environment i shows what `pilotage.envs.wrappers.EstimatedObservation` shows with the same seed. All filters are one
    `Bank`: a prediction or an update of all of them is one call. Late readings need no history: with a delay of k
    ticks, the bank stays k ticks behind, and every tick repeats the last k. A filter that fails keeps its belief.

    Args:
        env: a vector environment of Pilotage; its observations are the readings of the sensors.
        filter: function from the seed of an episode, which may be None, to a filter at time 0. All have the settings of
            the first one; only the beliefs at the start may differ.
        sensors: the sensors of the readings by name, or one; default: those of the environment.
        links: how the readings come: one link, or links by name; default: perfect ones.

    Raises:
        SettingError: if the environment observes its state, and no sensors are given; or if the filters cannot form a
            bank, such as particle filters.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> from pilotage.core import Gaussian
        >>> from pilotage.estimators import EKF
        >>> from pilotage.models import compass, pendulum
        >>> angle, rod = compass(reads="theta", std=0.05), pendulum(damping=0.05)
        >>> start = Gaussian.of(rod.state, [np.pi, 0.0], std=[0.2, 0.2])
        >>> blind = gymnasium.make_vec("pilotage/Pendulum-v0", num_envs=16, sensors=angle)
        >>> guess = EstimatedObservation(blind, lambda seed: EKF(rod, dt=0.05).start(belief=start))
        >>> observations, infos = guess.reset(seed=0)
        >>> observations.shape, guess.belief.mean.shape
        ((16, 4), (16, 2))
    """

    _KEPT = ("_step", "_ticks", "_behind", "_now", "_past")

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        filter: Callable[[int | None], Any],
        sensors: Sensor | Mapping[str, Sensor] | None = None,
        links: Link | Mapping[str, Link] | None = None,
    ) -> None:
        super().__init__(env)
        self._core, self._make = vector_core_of(env, "EstimatedObservation"), filter
        self._sensors = sensors_of(sensors, self._core.world, self._core.single, env.single_observation_space)
        known = links_of(Link() if links is None else links, [*self._sensors])
        self._lines = {name: Lines(link, self._core.world.dt) for name, link in known.items()}
        self._lag = max(lines.lag for lines in self._lines.values())
        first = filter(None)
        self._estimator = first.estimator
        self.single_observation_space = belief_box(first.belief.space)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self._clear()

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start all episodes, with new filters."""
        observations, infos = self._reset(seed, options)
        self._clear()
        seen = named(observations)
        return self._estimated(Step(seen, ~self._all, seen, self._all), None)[-1], infos

    def step(self, actions: Any) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """A tick of all environments, and the beliefs at its end."""
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        step = self._stepped(observations, terminated | truncated, infos)
        self._step += 1
        self._ticks += step.going
        self._seeds = [None] * self.num_envs  # of the episodes that begin from now on
        shown, infos = self._shown(step, self._estimated(step, self._core.actions), infos)
        return shown, rewards, terminated, truncated, infos

    @property
    def belief(self) -> Any:
        """The beliefs of all filters now, with a leading axis of N."""
        return self._now.belief

    def _clear(self) -> None:
        """Forget all episodes."""
        self._step, self._ticks = 0, np.zeros(self.num_envs, dtype=np.int64)
        self._behind = self._now = Bank(self._estimator, self.num_envs)
        self._past: list[Tick] = []

    def _estimated(self, step: Step, us: Array | None) -> list[NDArray[np.float32]]:
        """The observations before and after episodes begin in this step."""
        tick, bank = self._tick(step, us), self._caught_up()
        self._went_on(bank, tick)
        shown = [self._seen(bank)] if step.going.any() else []
        if len(tick.rows):
            self._began(bank, tick)
            shown.append(self._seen(bank))
        self._now = bank
        if self._lag:
            self._past.append(tick)
        return shown

    def _tick(self, step: Step, us: Array | None) -> Tick:
        """This step for the filters; what was sent before an episode began is forgotten."""
        sent = self._sent(step.last, step.going)
        rows = np.flatnonzero(step.began)
        self._ticks[rows] = 0
        first = self._sent(step.first, step.began) if len(rows) else {}
        beliefs = [self._make(self._seeds[i]).belief for i in rows]
        return Tick(self._step * self._core.world.dt, us, sent, rows, beliefs, first)

    def _sent(self, parts: Parts, rows: Mask) -> dict[str, Sent]:
        """The readings that these environments send in this step."""
        lines = self._lines
        return {n: lines[n].send(self._step, self._ticks, part, rows, self._streams) for n, part in parts.items()}

    def _caught_up(self) -> Bank:
        """The filters after the last tick, with the readings that have arrived by now."""
        if not self._lag:
            return self._behind
        if len(self._past) > self._lag:
            self._repeat(self._behind, self._past.pop(0))
        bank = copy.copy(self._behind)
        for tick in self._past:
            self._repeat(bank, tick)
        return bank

    def _repeat(self, bank: Bank, tick: Tick) -> None:
        self._went_on(bank, tick)
        if len(tick.rows):
            self._began(bank, tick)

    def _went_on(self, bank: Bank, tick: Tick) -> None:
        """Predict all filters, and update those whose readings have arrived by now."""
        if tick.us is not None:
            bank.predict(to=tick.time, u=tick.us)
            self._update(bank, tick.sent)

    def _began(self, bank: Bank, tick: Tick) -> None:
        """Start the filters of new episodes, in the places of the old ones."""
        if len(bank):
            bank.remove(tick.rows)
        for belief in tick.beliefs:
            bank.add(belief)
        self._update(bank, tick.first)

    def _update(self, bank: Bank, readings: dict[str, Sent]) -> None:
        """Update with the readings that have arrived by now."""
        for name, sent in readings.items():
            if sent.due <= self._step and (count := np.count_nonzero(sent.rows)):
                rows = None if count == self.num_envs else np.flatnonzero(sent.rows)
                bank.update(self._sensors[name], sent.readings[sent.rows].reshape(count, -1), rows)

    def _seen(self, bank: Bank) -> NDArray[np.float32]:
        moments, space = bank.belief.moments(), self.single_observation_space
        whole = np.concatenate([moments.mean, moments.std], axis=-1)
        assert isinstance(space, Box)
        return np.clip(whole, space.low, space.high).astype(np.float32)
