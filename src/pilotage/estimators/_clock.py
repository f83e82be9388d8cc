"""The clock of a filter."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

from ..core import Dynamics, PilotageError, SettingError, ShapeError
from ..core.arrays import numbers
from ..core.seconds import seconds
from ..core.settings import number

MOST = 1000
"""Steps into which the way to a time is cut at most; longer ways have longer steps."""
AGE = 1e10
"""Seconds, some 300 years: a time that is later than that is in another unit, such as milliseconds since 1970."""


def usual(dt: Any) -> float | None:
    """The step that an estimator takes when nobody says, or None for no such step; a sentence where it is no time."""
    if dt is None or seconds(dt) > 0.0:
        return dt
    raise SettingError(f"dt is {dt}; the usual step must take more than 0 s")


def wanted(dt: Any, usual: float | None) -> float:
    """The step that was asked for, or else the usual one."""
    if dt is None and usual is None:
        raise PilotageError("there is no time step; give dt, in seconds")
    return float(seconds(usual if dt is None else dt))


def stamp(t: Any, before: float) -> float:
    """A finite time of a scan, in seconds: not centuries after the one before, or after 0 where that is NaN."""
    t = number(t, "t")
    if not math.isfinite(t):
        raise PilotageError(f"t is {t}; expected a finite time, in seconds")
    first = math.isnan(before)
    if t - (0.0 if first else before) > AGE:
        since = "0, as first time" if first else "the latest scan"
        raise PilotageError(f"t is {t:g} s, 300 years or more after {since}; times are in seconds")
    return t


class Clock:
    """Time of a belief, and how long a step takes when nobody says.

    Usual steps are counted, others added with what rounding takes away from the sum (two-sum, Knuth, *The Art of
    Computer Programming*, volume 2, 4.2.2): after k steps it is ``k dt`` to the last digit.

    Args:
        t: seconds at the start.
        dt: seconds of the usual step, None for no such step.
        dynamics: those moved by the clock; where all are continuous, a way to a time is cut into usual steps.

    Attributes:
        ticks: usual steps since the last other one.
        longest: seconds of a step on the way to a time, at most, unless there would be more than `MOST` steps.
    """

    def __init__(self, t: float, dt: float | None, *dynamics: Dynamics) -> None:
        self._t = self._start = number(t, "t")
        if not math.isfinite(self._t):
            raise SettingError(f"t is {t}; a filter starts at a finite time, in seconds")
        self.dt, self._rest, self.ticks = dt, 0.0, 0
        cut = dt is not None and dynamics and all(each.continuous for each in dynamics)
        self.longest = float(dt) if cut and dt is not None else math.inf

    def __copy__(self) -> Clock:
        other = object.__new__(Clock)  # a tenth of the time of the general way
        other.__dict__.update(self.__dict__)
        return other

    @property
    def t(self) -> float:
        """Seconds."""
        return self._t + (self._rest + self.ticks * (self.dt or 0.0)) if self.ticks else self._t

    @property
    def rounding(self) -> float:
        """Seconds by which two times may differ and still be the same.

        Who stamps readings may add up steps without compensation; that differs by some 1e-12 of the time that passed.
        Times since 1970 are no finer than 2.4e-7 s in floating point. Both are far below the period of any sensor.
        """
        t = self.t
        return min(1e-9 + 1e-11 * abs(t - self._start), 1e-5) + 4.0 * math.ulp(t)

    def cut(self, gaps: Any) -> tuple[Any, Any]:
        """On ways of `gaps` seconds: the number of equal steps before the last one, and their seconds."""
        length = np.maximum(self.longest, np.asarray(gaps) / MOST)
        return np.maximum(np.ceil((gaps - self.rounding) / length) - 1.0, 0.0).astype(np.int64), length

    def step(self, dt: float | None, to: float | None) -> float:
        """Seconds to move: `dt`, or up to time `to`, or the usual step."""
        if dt is None:
            if to is None:
                if self.dt is None:
                    raise PilotageError("there is no time step; give dt=..., to=..., or set it once: EKF(car, dt=0.05)")
                return self.dt
            if not isinstance(to, (int, float, np.number)):
                raise PilotageError(f"a filter is moved to a time in seconds, not to {to!r}")
            self._fold()
            dt = (float(to) - self._t) - self._rest
            if -self.rounding <= dt <= self.rounding:
                return 0.0
            if AGE < dt < math.inf:
                raise PilotageError(
                    f"t = {to:g} s is {dt:g} s after the filter's {self.t:g} s; times are in seconds: convert stamps "
                    "in milliseconds or nanoseconds"
                )
        elif to is not None:
            raise PilotageError("give dt or to, not both")
        if not isinstance(dt, (int, float, np.number)):
            raise PilotageError(f"a step takes a number of seconds, not {dt!r}; actions are given as u=...")
        if not math.isfinite(dt):
            raise PilotageError(f"a step takes a finite number of seconds, not {dt!r}")
        if not dt >= 0.0:
            raise PilotageError(
                f"a step of {dt:g} s from t = {self.t:g} s goes back in time; readings must arrive in order of time, "
                "or the filter must keep a history: start(..., history=1.0)"
            )
        return dt

    def advance(self, dt: float, to: float | None = None) -> None:
        """Move on by a step that `step` gave for this `to`."""
        if to is None and dt == self.dt:
            self.ticks += 1
            return
        self._fold()
        if to is None:
            self._add(dt)
        elif dt > 0.0:
            self._t, self._rest = float(to), 0.0

    def _fold(self) -> None:
        """Add the usual steps that were counted."""
        if self.ticks:
            self._add(self.ticks * (self.dt or 0.0))
            self.ticks = 0

    def _add(self, dt: float) -> None:
        began, step = self._t, dt + self._rest
        self._t = t = began + step
        gained = t - began
        self._rest = (began - (t - gained)) + (step - gained)

    def steps(self, ts: Any, count: int) -> np.ndarray:
        """Seconds to each of the times `ts`, ``(count,)``, from the one before it; by the rule of `step`."""
        times = numbers(ts, "ts")
        if times.shape != (count,):
            raise ShapeError(f"ts has shape {times.shape}; {count} readings need {count} times")
        clock, dts = copy.copy(self), np.empty(count)
        for k, t in enumerate(times.tolist()):
            try:
                dts[k] = clock.step(None, t)
            except PilotageError as error:
                if k > 0 and t < times[k - 1]:
                    raise PilotageError(
                        f"ts[{k}] = {t:g} s is before the time ahead of it; sort readings by time"
                    ) from None
                raise error
            clock.advance(float(dts[k]), t)
        return dts
