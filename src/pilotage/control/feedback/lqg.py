"""LQG: a linear quadratic regulator that acts on the estimate of a filter, and so on readings."""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from typing import Any

import numpy as np

from ...core.protocols import Controller, Filter
from ...core.results import Action, ActionStatus
from ...core.sensor import Sensor
from ...core.settings import Finite, Positive, by_name, instance, setting
from ...core.states import state_of
from ...core.status import FilterStatus


class LQG:
    """Linear quadratic Gaussian control (LQG): a filter estimates the state, and a law such as `LQR` acts on it.

    ::

        belief <- predict(belief, u, dt)      u: the last action, as it was clipped
        belief <- update(belief, z)           if something was measured
        u       = law(belief)

    With linear models, a `KF` and an `LQR`, no controller of the readings has a lower mean cost (separation principle):
    per step it is ``tr(S W) + tr(P K'(B'S B + R) K)``, with the covariances W of the process noise and P of the
    estimate after an update.

    `act` takes a reading instead of a state; components that are NaN were not measured. If nothing was measured, or the
    filter refuses the reading, the law acts on the prediction with status FALLBACK. For several sensors, use `Agent`.

    Args:
        filter: a started filter; every episode begins with a copy of it.
        sensor: the sensor of the readings.
        law: the controller of the estimate.
        dt: seconds between ticks without a time.

    Attributes:
        filter: the filter of this episode.

    Source: Anderson and Moore, *Optimal Control: Linear Quadratic Methods*, 1990, section 8.2.

    Example:
        >>> from pilotage.control import LQR
        >>> from pilotage.estimators import KF
        >>> from pilotage.models import LinearDynamics, LinearSensor
        >>> cart = LinearDynamics([[0, 1], [0, 0]], [[0], [1]], Qc=[0.0, 0.1])
        >>> place = LinearSensor([[1.0, 0.0]], R=0.01)
        >>> control = LQG(KF(cart, dt=0.1).start(std=1.0), place, LQR(cart, [0.0, 0.0], dt=0.1))
        >>> control.act([0.5]).u.round(3)
        array([-0.454])
    """

    @by_name
    def __init__(self, filter: Filter, sensor: Sensor, law: Controller, *, dt: float = 0.1) -> None:
        self.sensor, self.law = instance(sensor, Sensor, "LQG"), law
        instance(law, Controller, "LQG")  # pyright: ignore[reportAbstractUsage, reportArgumentType]
        hint = "; an estimator starts one: EKF(model, dt=0.1).start(...)"
        self._first = copy.deepcopy(instance(filter, Filter, "LQG", hint))  # pyright: ignore[reportArgumentType]
        self.dt = setting(dt, Positive, "dt")
        self.reset()

    def __repr__(self) -> str:
        return f"LQG({self._first!r}, {self.sensor!r}, {self.law!r})"

    def reset(self, *, seed: int | None = None) -> None:
        """Start an episode with the first belief of the filter."""
        self.law.reset(seed=seed)
        self.filter = copy.deepcopy(self._first)
        self._last: tuple[float, Any] | None = None

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action after a reading at time `t` [s]; default: `dt` after the last. Of a belief, the mean is read.

        A clock that goes back starts the episode again.

        Raises:
            ShapeError: if the reading has the wrong length.
            SettingError: if the time is not finite.
        """
        begun = time.perf_counter()
        z = state_of(belief_or_state, self.sensor.reading, "reading", finite=False)
        now = 0.0 if self._last is None else self._last[0] + self.dt
        now = now if t is None else setting(t, Finite, "t")
        if self._last is not None and now < self._last[0]:
            self.reset()
        if self._last is not None and now > self._last[0]:
            self.filter.predict(now - self._last[0], u=self._last[1])
        why = self._read(z)
        action = self.law.act(self.filter.belief, now)
        self._last = now, action.u
        action = replace(action, solve_time=time.perf_counter() - begun)
        if not why or action.status is ActionStatus.FALLBACK:
            return action
        return replace(action, status=ActionStatus.FALLBACK, reason=f"{why}; acted on the prediction")

    def _read(self, z: Any) -> str:
        """Update the belief; one sentence if that did not happen."""
        if np.isinf(z).any():
            return "the reading is infinite"
        status = FilterStatus(int(self.filter.update(self.sensor, z).status))
        return "" if status is FilterStatus.ACCEPTED else f"the filter did not use the reading: {status.name.lower()}"
