"""Compensation of the time from an observation until its action acts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.arrays import Array
from ..core.dynamics import Dynamics
from ..core.protocols import Controller
from ..core.results import Action
from ..core.settings import Finite, NonNegative, by_name, instance, positive, setting
from ..core.states import state_of


class DelayCompensation:
    """A controller that acts on the state predicted for the time at which its action will act.

    ::

        x(t + delay) = x(t) moved by the actions that are under way from t to t + delay
        u = controller.act(x(t + delay), t + delay),      which acts from t + delay on

    The delay is that of the whole loop: the age of the observation, the computation, and the way to the motors. Ticks
    may be shorter than the delay; then several actions are under way. A controller inside sees no delay, so that its
    gains and horizon stay those of the model without one. The prediction is no better than the model, and disturbances
    during the delay remain; a filter that knows the age of its readings needs no share of it here.

    Args:
        controller: any controller.
        dynamics: model of the motion.
        delay: seconds from the time of the state until the action acts.
        dt: longest step of the prediction [s], and the time between ticks where `act` is called without times.

    Raises:
        SettingError: if the delay is negative, or dt is not positive.

    Source: Findeisen and Allgöwer, "Computational delay in nonlinear model predictive control", IFAC Proceedings
    Volumes 37 (2004).

    Example:
        >>> from pilotage.control import LQR
        >>> from pilotage.models import double_integrator
        >>> cart = double_integrator(1)
        >>> late = DelayCompensation(LQR(cart, [0.0, 0.0]), cart, delay=0.2)
        >>> late.act([1.0, 0.5], 0.0).u == LQR(cart, [0.0, 0.0]).act([1.1, 0.5], 0.2).u
        array([ True])
    """

    @by_name
    def __init__(self, controller: Controller, dynamics: Dynamics, *, delay: float, dt: float = 0.1) -> None:
        self.controller: Any = instance(controller, Controller, "DelayCompensation")
        self.dynamics = instance(dynamics, Dynamics, "DelayCompensation")
        self.delay: float = setting(delay, NonNegative, "delay")
        self.dt = positive(dt, "dt")
        self._forget()

    def __repr__(self) -> str:
        return f"DelayCompensation({self.controller!r}, {self.delay:g} s)"

    def reset(self, *, seed: int | None = None) -> None:
        """Reset the controller; no action is under way."""
        self.controller.reset(seed=seed)
        self._forget()

    def _forget(self) -> None:
        self._clock: float | None = None
        self._acting: Array = self.dynamics.action.clip(np.zeros(self.dynamics.action.size))
        self._coming: list[tuple[float, Array]] = []

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action that is to act from ``t + delay`` on. A belief is replaced by its mean."""
        x = state_of(belief_or_state, self.dynamics.state, finite=False)
        now = self._advance(t)
        ahead = self.predicted(x) if np.isfinite(x).all() else x
        action: Action = self.controller.act(ahead, now + self.delay)
        self._coming.append((now + self.delay, action.u.copy()))
        return action

    def predicted(self, x: Array) -> Array:
        """The state ``(n,)`` when the next action will act, from that of the last tick."""
        assert self._clock is not None, "act sets the clock"
        at, end = self._clock, self._clock + self.delay
        u = self._acting
        for begin, coming in [*self._coming, (end, self._acting)]:
            until = min(max(begin, at), end)
            count = int(np.ceil((until - at) / self.dt - 1e-9))
            for _ in range(count):
                x = np.asarray(self.dynamics.step(x, u, (until - at) / count), dtype=np.float64)
            at, u = until, coming
        return x

    def _advance(self, t: float | None) -> float:
        """The time of this tick; actions that have arrived act. If the clock goes back, none is under way."""
        last = self._clock
        now = setting(t, Finite, "t") if t is not None else 0.0 if last is None else last + self.dt
        if last is not None and now < last:
            self._forget()
        while self._coming and self._coming[0][0] <= now + 1e-9:
            self._acting = self._coming.pop(0)[1]
        self._clock = now
        return now
