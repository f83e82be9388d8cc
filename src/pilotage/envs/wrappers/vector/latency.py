"""Actions that act later than they are given, in many environments."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from ....core.settings import whole
from ._episodes import Episodes


class ActionLatency(Episodes):
    """A vector environment whose actions act some ticks later: ``u_t`` acts at ``t + ticks``; before that, `rest` does.

    Args:
        env: any vector environment with a box of actions whose episodes start again by themselves.
        ticks: number of ticks of delay.
        rest: the action of one environment until the first one acts; default: zeros.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> slow = ActionLatency(gymnasium.make_vec("pilotage/Pendulum-v0", num_envs=2), ticks=1)
        >>> first, infos = slow.reset(seed=0, options={"state": [0.0, 0.0]})
        >>> slow.step([[2.0], [2.0]])[0].tolist(), bool((slow.step([[2.0], [2.0]])[0][:, 1] > 0.0).all())
        ([[0.0, 0.0], [0.0, 0.0]], True)
    """

    _KEPT = ("_queue",)

    def __init__(self, env: VectorEnv[Any, Any, Any], ticks: int, rest: Any = None) -> None:
        super().__init__(env)
        box: Any = env.single_action_space
        self._rest = np.zeros(box.shape, box.dtype) if rest is None else np.asarray(rest, box.dtype)
        self._queue = self._idle(whole(ticks, "ticks"))

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start all episodes at rest."""
        self._queue = self._idle(len(self._queue))
        return self._reset(seed, options)

    def step(self, actions: Any) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """A tick under the actions of some ticks ago."""
        queue = np.concatenate([self._queue, np.asarray(actions)[None]])
        observations, rewards, terminated, truncated, infos = self.env.step(queue[0])
        began = self._stepped(observations, terminated | truncated, infos).began
        queue[:, began] = self._rest
        self._queue = queue[1:]
        return observations, rewards, terminated, truncated, infos

    def _idle(self, ticks: int) -> NDArray[Any]:
        """Actions that rest ``(ticks, N, m)``."""
        return np.broadcast_to(self._rest, (ticks, self.num_envs, *self._rest.shape)).copy()
