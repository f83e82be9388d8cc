"""The fixed-lag smoother: at every tick, the belief of a short time ago given all readings until now."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..core import FilterRun, ModelError, PilotageError, Sensor, Update, generator
from ..core.settings import Positive, instance, setting
from ._engine import PureEngine
from ._stacked import stacked, stacked_updates
from .filter import Filter
from .rts import smooth


class Tick(NamedTuple):
    """A step of the filter: its end and duration, action, the beliefs before and after the update, and the update."""

    t: float
    dt: float
    u: Any
    predicted: Any
    belief: Any
    update: Update | None


class FixedLagSmoother:
    """A filter with the belief of `lag` seconds ago, given all readings until now.

    ::

        belief = p(x(t - lag) | z(0), ..., z(t))

    It is the belief that `smooth` gives for a run until now, of which only the last steps are needed: the recursion of
    the smoother starts at the present belief. It is computed when it is asked for, in time proportional to the number
    of steps within the lag. Until `lag` seconds have passed, it is the belief of the start. Smoothers that draw random
    numbers continue one stream, which the seed of the filter fixes.

    Source: Sarkka, *Bayesian Filtering and Smoothing*, 2013, section 8.1; Anderson and Moore, *Optimal Filtering*,
    1979, chapter 7.

    Args:
        filter: a filter, whose estimator can smooth its runs; it is moved by the smoother from now on.
        lag: seconds.

    Raises:
        ModelError: if the filter has latencies, which make readings late.

    Attributes:
        filter: the filter, with the present belief and time.

    Example:
        >>> from pilotage.estimators import EKF
        >>> from pilotage.models import gnss, unicycle
        >>> robot = FixedLagSmoother(EKF(unicycle(), dt=0.1).start(mean=[0, 0, 0], std=[1, 1, 0.1]), lag=0.5)
        >>> for k in range(20):
        ...     taken = robot.step(gnss(std=0.5), z=[0.1 * k, 0.0], u=[1.0, 0.0])
        >>> round(robot.filter.t - robot.t, 6), bool(robot.belief.std[0] < robot.filter.belief.std[0])
        (0.5, True)
    """

    def __init__(self, filter: Filter, lag: float) -> None:
        self.filter = instance(filter, Filter, "FixedLagSmoother", "start an estimator, as in EKF(car).start(...)")
        if filter._latency:
            raise ModelError(
                f"{filter!r} has latencies, so that readings are late; a fixed-lag smoother takes them in order: leave "
                "latency out, and give update(..., t=...) the time of what the reading shows"
            )
        self.lag: float = setting(lag, Positive, "lag")
        self._ticks = deque([Tick(filter.t, 0.0, None, filter.belief, filter.belief, None)])
        self._belief: Any = None
        # A stream of its own, which begins where the filter's stands: who asks for a belief must not move the filter.
        engine = filter._engine
        rng = copy.deepcopy(engine.rng) if isinstance(engine, PureEngine) else None
        self._rng = None if rng is None else generator(int(rng.integers(2**63)), "smooth")

    def __getstate__(self) -> dict[str, Any]:
        """For copies and other processes: with a filter and steps of their own."""
        rng = copy.deepcopy(self._rng)
        return {**vars(self), "filter": copy.copy(self.filter), "_ticks": self._ticks.copy(), "_rng": rng}

    def __repr__(self) -> str:
        return f"<FixedLagSmoother at t = {self.t:g} s, {self.lag:g} s behind {self.filter!r}>"

    @property
    def t(self) -> float:
        """Time of the smoothed belief [s]: of the last step that is at least `lag` old."""
        return self._ticks[0].t

    @property
    def belief(self) -> Any:
        """The belief at time `t` given all readings until now."""
        if self._belief is None:
            self._belief = smooth(self._run(), rng=self._rng)[..., 0]
        return self._belief

    def predict(self, dt: float | None = None, *, to: float | None = None, u: Any = None) -> None:
        """Move on as `Filter.predict` does."""
        self._whole(lambda: self._move(dt, to, u))

    def update(
        self, sensor: Sensor | str, z: Any, t: float | None = None, context: Any = None, *, u: Any = None
    ) -> Update:
        """Take in a reading as `Filter.update` does; it must not be late."""
        if t is None and u is not None:
            raise PilotageError(f"u = {u!r} acts until a time; give t=..., or both steps at once: step(sensor, z, u)")
        return self._whole(lambda: (None if t is None else self._move(None, t, u), self._read(sensor, z, context))[1])

    def step(self, sensor: Sensor | str, z: Any, u: Any = None, dt: float | None = None, context: Any = None) -> Update:
        """Predict and update in one call."""
        return self._whole(lambda: (self._move(dt, None, u), self._read(sensor, z, context))[1])

    def _whole(self, act: Callable[[], Any]) -> Any:
        """Do all of it, or nothing if there is an error."""
        filter, ticks = self.filter, self._ticks.copy()
        saved, clock = filter._engine.save(), copy.copy(filter._clock)
        try:
            result = act()
        except BaseException:
            filter._engine.restore(saved)
            filter._clock, self._ticks = clock, ticks
            raise
        oldest = filter.t - self.lag + filter._clock.rounding
        while len(self._ticks) > 1 and self._ticks[1].t <= oldest:
            self._ticks.popleft()
        self._belief = None
        return result

    def _move(self, dt: float | None, to: float | None, u: Any) -> None:
        """Predict, and note each step of it."""
        filter = self.filter
        if to is not None and dt is None:
            pieces, length = filter._clock.cut(filter._clock.step(None, to))
            for _ in range(pieces):
                self._move(float(length), None, u)
        gap = filter._clock.step(dt, to)
        filter.predict(dt, to=to, u=u)
        if gap > 0.0 or to is None:
            belief = filter.belief
            self._ticks.append(Tick(filter.t, gap, copy.copy(u), belief, belief, None))

    def _read(self, sensor: Any, z: Any, context: Any) -> Update:
        """Update, and note it."""
        before = self.filter.belief
        result = self.filter.update(sensor, z, context=context)
        self._ticks.append(Tick(self.filter.t, 0.0, None, before, self.filter.belief, result))
        return result

    def _run(self) -> FilterRun:
        """The run of the steps within the lag."""
        ticks, first = self._ticks, self.filter._engine.first
        us = np.stack([np.zeros(first.action.size) if tick.u is None else np.asarray(tick.u, float) for tick in ticks])
        widest = max((len(tick.update.innovation) for tick in ticks if tick.update), default=0)
        return FilterRun(
            stacked([tick.belief for tick in ticks]), stacked([tick.predicted for tick in ticks]),
            *stacked_updates([tick.update for tick in ticks], widest), np.array([tick.t for tick in ticks]),
            np.array([tick.dt for tick in ticks]), us, self.filter.dynamics, (), np.zeros(len(ticks), dtype=np.int64),
            self.filter.estimator,
        )  # fmt: skip
