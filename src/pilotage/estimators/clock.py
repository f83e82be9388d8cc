"""The clock of a filter."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core import PilotageError, ShapeError
from ..core.arrays import numbers
from ..core.seconds import seconds
from ..core.settings import number


def usual(dt: Any) -> float | None:
    """The step that an estimator takes when nobody says, or None for no such step; a sentence where it is no time."""
    if dt is None or seconds(dt) > 0.0:
        return dt
    raise PilotageError(f"dt is {dt}; the usual step must take more than 0 s")


def wanted(dt: Any, usual: float | None) -> float:
    """The step that was asked for, or else the usual one."""
    if dt is None and usual is None:
        raise PilotageError("there is no time step; give dt, in seconds")
    return float(seconds(usual if dt is None else dt))


@dataclass
class Clock:
    """Time of a belief, and how long a step takes when nobody says.

    Steps are added with what rounding takes away from the sum (two-sum, Knuth, *The Art of Computer Programming*,
    volume 2, 4.2.2), so the time after k steps is that of ``k dt`` to the last digit.
    """

    t: float
    dt: float | None
    _start: float = field(init=False)
    _rest: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.t = self._start = number(self.t, "t")
        if not math.isfinite(self.t):
            raise PilotageError(f"t is {self.t}; a filter starts at a finite time, in seconds")

    @property
    def rounding(self) -> float:
        """Seconds by which two times may differ and still be the same.

        Who stamps readings may add up steps without compensation; that differs by some 1e-12 of the time that passed.
        Times since 1970 are no finer than 2.4e-7 s in floating point. Both are far below the period of any sensor.
        """
        return min(1e-9 + 1e-11 * abs(self.t - self._start), 1e-5) + 4.0 * math.ulp(self.t)

    def step(self, dt: float | None, to: float | None) -> float:
        """Seconds to move: `dt`, or up to time `to`, or the usual step."""
        if dt is None:
            if to is None:
                if self.dt is None:
                    raise PilotageError("there is no time step; give dt=..., to=..., or set it once: EKF(car, dt=0.05)")
                return self.dt
            if not isinstance(to, (int, float, np.number)):
                raise PilotageError(f"a filter is moved to a time in seconds, not to {to!r}")
            dt = (float(to) - self.t) - self._rest
            if -self.rounding <= dt <= self.rounding:
                return 0.0
        elif to is not None:
            raise PilotageError("give dt or to, not both")
        if not isinstance(dt, (int, float, np.number)) or not math.isfinite(dt):
            raise PilotageError(f"a step takes a finite number of seconds, not {dt!r}; actions are given as u=...")
        if not dt >= 0.0:
            raise PilotageError(
                f"a step of {dt:g} s from t = {self.t:g} s goes back in time; readings must arrive in order of time"
            )
        return dt

    def advance(self, dt: float, to: float | None = None) -> None:
        """Move on by a step that `step` gave for this `to`."""
        if to is not None and dt > 0.0:
            self.t, self._rest = float(to), 0.0
            return
        began, step = self.t, dt + self._rest
        self.t = t = began + step
        gained = t - began
        self._rest = (began - (t - gained)) + (step - gained)

    def steps(self, ts: Any, count: int) -> np.ndarray:
        """Seconds to each of the times `ts`, ``(count,)``, from the one before it; by the rule of `step`."""
        times = numbers(ts, "ts")
        if times.shape != (count,):
            raise ShapeError(f"ts has shape {times.shape}; {count} readings need {count} times")
        clock, dts = Clock(self.t, self.dt), np.empty(count)
        clock._start, clock._rest = self._start, self._rest
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
