"""Actions that act later than they are given."""

from __future__ import annotations

from collections import deque
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from ...core.settings import whole


class ActionLatency(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """An environment whose actions act some ticks later: ``u_t`` acts at ``t + ticks``; before that, `rest` does.

    Args:
        env: any environment with a box of actions.
        ticks: number of ticks of delay.
        rest: the action until the first one acts; default: zeros.

    Example:
        >>> import pilotage.envs
        >>> slow = ActionLatency(gymnasium.make("pilotage/Pendulum-v0"), ticks=1)
        >>> first, info = slow.reset(seed=0, options={"state": [0.0, 0.0]})
        >>> slow.step([2.0])[0].tolist(), bool(slow.step([2.0])[0][1] > 0.0)
        ([0.0, 0.0], True)
    """

    _KEPT = ("_queue",)

    def __init__(self, env: gymnasium.Env[Any, Any], ticks: int, rest: Any = None) -> None:
        RecordConstructorArgs.__init__(self, ticks=ticks, rest=rest)
        gymnasium.Wrapper.__init__(self, env)
        self._ticks, box = whole(ticks, "ticks"), env.action_space
        self._rest = np.zeros(box.shape or (), box.dtype) if rest is None else np.asarray(rest, box.dtype)
        self._queue: deque[Any] = deque()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode at rest."""
        self._queue = deque([self._rest] * self._ticks)
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """A tick under the action of some ticks ago."""
        self._queue.append(action)
        return self.env.step(self._queue.popleft())
