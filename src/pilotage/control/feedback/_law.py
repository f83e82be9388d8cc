"""The shell of feedback laws: clock, state of a belief, bounds of the actions, and the answer to a lost state."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import Array
from ...core.dynamics import Dynamics
from ...core.results import Action, ActionStatus
from ...core.settings import Finite, Positive, instance, setting
from ...core.states import state_of
from ...core.streams import checked
from .._states import broken


class Command(NamedTuple):
    """The answer of a law, before the bounds: action, status, reason and cost-to-go."""

    u: Array
    status: ActionStatus = ActionStatus.SOLVED
    reason: str = ""
    cost: float = math.nan


LEFT = 0.1
"""Largest share of a plan's way that may be left at its end."""


def ended(u: Array, left: float, way: float) -> Command:
    """The command after the end of a plan: DONE, or STUCK if the robot is far from its last state.

    Args:
        u: the action.
        left: distance to the last state.
        way: largest distance of a state of the plan to the last one.
    """
    if left <= LEFT * way or way == 0.0:
        return Command(u, ActionStatus.DONE)
    return Command(u, ActionStatus.STUCK, f"the plan has ended, but {left / way:.0%} of its way are left")


class FeedbackLaw(ABC):
    """A controller that computes an action from state and time, clipped to the bounds of the action space.

    Attributes:
        dynamics: model of the motion.
        dt: seconds between ticks without a time.
        saturated: which components of the last action were clipped ``(m,)``.
    """

    saturated: NDArray[np.bool_]

    def __init__(self, dynamics: Dynamics, dt: float) -> None:
        self.dynamics = instance(dynamics, Dynamics, type(self).__name__)
        self.dt = setting(dt, Positive, "dt")
        self.reset()

    @abstractmethod
    def law(self, x: Array, t: float, passed: float) -> Command:
        """The command in a finite state `x` at `t` [s] after the first tick, `passed` seconds after the last."""

    @abstractmethod
    def nominal(self, t: float) -> Array:
        """The action without feedback ``(m,)``, for a state that is NaN."""

    def reset(self, *, seed: int | None = None) -> None:
        """Start an episode; nothing here is random."""
        checked(seed)
        self._start: float | None = None
        self._last = 0.0
        self.saturated = np.zeros(self.dynamics.action.size, dtype=bool)

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action at time `t` [s]; default: `dt` after the last tick. For a state of NaN, that without feedback.

        Raises:
            ShapeError: if the state has the wrong length.
            SettingError: if the time is not finite.
        """
        begun, space = time.perf_counter(), self.dynamics.state
        x = state_of(belief_or_state, space, finite=False)
        now, passed = self._advance(t)
        lost = broken(x, space)
        if lost:
            reason = f"{lost}; fell back to the action without feedback"
            found = Command(self.nominal(now), ActionStatus.FALLBACK, reason)
        else:
            found = self.law(x, now, passed)
        u = self.dynamics.action.clip(found.u)
        self.saturated = u != found.u
        spent = time.perf_counter() - begun
        return Action(u, found.status, cost=found.cost, solve_time=spent, reason=found.reason)

    def _advance(self, t: float | None) -> tuple[float, float]:
        """Seconds since the first tick and since the last one; a clock that goes back starts the episode again."""
        t = None if t is None else setting(t, Finite, "t")
        if self._start is not None and t is not None and t < self._start + self._last:
            self.reset()
        if self._start is None:
            self._start = 0.0 if t is None else t
            return 0.0, 0.0
        now = self._last + self.dt if t is None else t - self._start
        passed, self._last = now - self._last, now
        return now, passed
