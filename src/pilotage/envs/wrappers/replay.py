"""Episodes that are recorded, and repeated to the bit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from ...core import PilotageError

if TYPE_CHECKING:
    from ...io import Episode


@dataclass(eq=False)
class Recording:
    """An episode: how it began, what was done, and what came of it.

    Attributes:
        seed, options: arguments of the reset.
        observations: T + 1 observations.
        actions, rewards: of the T ticks.
        terminated, truncated: how it ended.

    Example:
        >>> import pilotage.envs
        >>> env = Recorder(gymnasium.make("pilotage/Pendulum-v0"))
        >>> start, result = env.reset(seed=5), env.step(np.array([0.5], np.float32))
        >>> again = env.recording.replay(gymnasium.make("pilotage/Pendulum-v0"))
        >>> env.recording.seed, len(again.observations), again.rewards == [result[1]]
        (5, 2, True)
    """

    seed: int
    options: dict[str, Any] | None = None
    observations: list[Any] = field(default_factory=list[Any])
    actions: list[Any] = field(default_factory=list[Any])
    rewards: list[float] = field(default_factory=list[float])
    terminated: bool = False
    truncated: bool = False

    @property
    def episode(self) -> Episode:
        """The episode as data sets hold it: `write_minari`, `write_lerobot` and `write_sequences` take it.

        Example:
            >>> import pilotage.envs
            >>> env = Recorder(gymnasium.make("pilotage/Pendulum-v0"))
            >>> start, result = env.reset(seed=5), env.step(np.array([0.5], np.float32))
            >>> env.recording.episode, env.recording.episode.seed
            (Episode(1 steps), 5)
        """
        from ...io import Episode  # half the time of importing the wrappers

        first = self.observations[0]
        named = isinstance(first, dict)
        seen = {name: np.array([z[name] for z in self.observations]) for name in first} if named else np.array(
            self.observations
        )  # fmt: skip
        last = np.arange(len(self.rewards)) == len(self.rewards) - 1
        ends = last & self.terminated, last & self.truncated
        return Episode(seen, np.array(self.actions), np.array(self.rewards), *ends, self.seed)

    def replay(self, env: gymnasium.Env[Any, Any]) -> Recording:
        """The episode again, in an environment that was made in the same way, from the same seed, to the bit.

        Raises:
            PilotageError: if the environment does something else, at the first tick at which it does.
        """
        again = Recorder(env)
        again.reset(seed=self.seed, options=self.options)
        for tick, action in enumerate(self.actions):
            again.step(action)
            same = equal(again.recording.observations[-1], self.observations[tick + 1])
            if not same or again.recording.rewards[-1] != self.rewards[tick]:
                raise PilotageError(f"tick {tick + 1} of the replay differs; was the environment made in the same way?")
        return again.recording


class Recorder(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """An environment that keeps what happens in its present episode, to be repeated.

    A reset without a seed draws one, so that every episode can be replayed.

    Example:
        >>> import pilotage.envs
        >>> env = Recorder(gymnasium.make("pilotage/TwoRooms-v0"))
        >>> observation, info = env.reset()
        >>> for _ in range(5):
        ...     result = env.step(env.action_space.sample())
        >>> again = env.recording.replay(gymnasium.make("pilotage/TwoRooms-v0"))
        >>> again.rewards == env.recording.rewards
        True
    """

    _KEPT = ("recording",)

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        gymnasium.Wrapper.__init__(self, env)
        self.recording = Recording(0)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode and its recording."""
        seed = int(np.random.default_rng().integers(2**31)) if seed is None else seed
        observation, info = self.env.reset(seed=seed, options=options)
        self.recording = Recording(seed, options, [observation])
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """A tick, which is recorded."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        kept = self.recording
        kept.actions.append(np.array(action))
        kept.observations.append(observation)
        kept.rewards.append(float(reward))
        kept.terminated, kept.truncated = terminated, truncated
        return observation, reward, terminated, truncated, info


def equal(one: Any, other: Any) -> bool:
    """Whether two observations are equal to the bit."""
    if isinstance(one, dict):
        return all(equal(one[name], other[name]) for name in one)
    return np.array_equal(one, other)
