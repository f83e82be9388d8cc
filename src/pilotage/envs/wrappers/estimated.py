"""A belief as the observation: readings in, estimate out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from ...core import Sensor
from ._world import belief_box, core_of, lines_of, links_of, named, sensors_of, stream_of
from .link import Link


class EstimatedObservation(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """An environment that shows the belief of a filter: mean and standard deviations, ``(size + dim,)`` float32.

    At every tick, the filter predicts under the action that acted, and is updated with the readings that have arrived,
    each at the time at which it was taken. If links have a delay, start the filter with a `history` at least as long.
    `belief` is the belief itself.

    Args:
        env: an environment of Pilotage; its observations are the readings of the sensors.
        filter: function from the seed of an episode, which may be None, to a filter at time 0.
        sensors: the sensors of the readings by name, or one; default: those of the environment.
        links: how the readings come: one link, or links by name; default: perfect ones.

    Raises:
        SettingError: if the environment observes its state, and no sensors are given.

    Example:
        >>> import pilotage.envs
        >>> from pilotage.core import Gaussian
        >>> from pilotage.estimators import EKF
        >>> from pilotage.models import compass, pendulum
        >>> angle, rod = compass(reads="theta", std=0.05), pendulum(damping=0.05)
        >>> start = Gaussian.of(rod.state, [np.pi, 0.0], std=[0.2, 0.2])
        >>> blind = gymnasium.make("pilotage/Pendulum-v0", sensors=angle)
        >>> guess = EstimatedObservation(blind, lambda seed: EKF(rod, dt=0.05).start(belief=start))
        >>> observation, info = guess.reset(seed=0)
        >>> observation.shape, guess.belief.space == rod.state
        ((4,), True)
    """

    _KEPT = ("_filter", "_lines", "_stream", "_tick")

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        filter: Callable[[int | None], Any],
        sensors: Sensor | Mapping[str, Sensor] | None = None,
        links: Link | Mapping[str, Link] | None = None,
    ) -> None:
        RecordConstructorArgs.__init__(self, filter=filter, sensors=sensors, links=links)
        gymnasium.Wrapper.__init__(self, env)
        self._core, self._make = core_of(env, "EstimatedObservation"), filter
        self._sensors = sensors_of(sensors, self._core.world, self._core.single, env.observation_space)
        self._links = links_of(Link() if links is None else links, [*self._sensors])
        self._filter = self._make(None)
        self._stream = stream_of(None)
        self.observation_space = belief_box(self._filter.belief.space)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode, with a new filter."""
        observation, info = self.env.reset(seed=seed, options=options)
        if seed is not None:
            self._stream = stream_of(seed)
        self._filter, self._tick = self._make(seed), 0
        self._lines = lines_of(self._links, self._core.world.dt)
        return self._estimate(observation), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """A tick, and the belief at its end."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._tick += 1
        self._filter.predict(to=self._core.time, u=self._core.action)
        return self._estimate(observation), reward, terminated, truncated, info

    @property
    def belief(self) -> Any:
        """The belief of the filter now."""
        return self._filter.belief

    def _estimate(self, observation: Any) -> NDArray[np.float32]:
        dt = self._core.world.dt
        for name, reading in named(observation).items():
            for arrival in self._lines[name].passed(self._tick, reading, self._stream):
                self._filter.update(self._sensors[name], arrival.reading.ravel(), arrival.taken * dt)
        moments, space = self._filter.belief.moments(), self.observation_space
        whole = np.concatenate([moments.mean, moments.std])
        assert isinstance(space, gymnasium.spaces.Box)
        return np.clip(whole, space.low, space.high).astype(np.float32)
