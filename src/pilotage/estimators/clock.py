"""The clock of a filter."""

from __future__ import annotations

import math
from dataclasses import dataclass
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
        raise PilotageError("how long is a step? give dt, in seconds")
    return float(seconds(usual if dt is None else dt))


@dataclass
class Clock:
    """Time of a belief, and how long a step takes when nobody says."""

    t: float
    dt: float | None

    def __post_init__(self) -> None:
        self.t = number(self.t, "t")
        if not math.isfinite(self.t):
            raise PilotageError(f"t is {self.t}; a filter starts at a finite time, in seconds")

    @property
    def rounding(self) -> float:
        """Seconds by which a time may be before this one and still be the same.

        A clock that adds up steps and one that multiplies them differ by some roundings.
        """
        return 1e-9 + 1e-13 * abs(self.t)

    def step(self, dt: float | None, to: float | None) -> float:
        """Seconds to move: `dt`, or up to time `to`, or the usual step."""
        if dt is None:
            if to is None:
                if self.dt is None:
                    raise PilotageError("how long is a step? give dt=..., to=..., or bind it once: EKF(car, dt=0.05)")
                return self.dt
            if not isinstance(to, (int, float, np.number)):
                raise PilotageError(f"a filter is moved to a time in seconds, not to {to!r}")
            dt = float(to) - self.t
            if -self.rounding <= dt < 0.0:
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

    def steps(self, ts: Any, count: int) -> np.ndarray:
        """Seconds to each of the times `ts`, ``(count,)``, from the one before it."""
        times = numbers(ts, "ts")
        if times.shape != (count,):
            raise ShapeError(f"ts has shape {times.shape}; {count} readings need {count} times")
        dts = np.diff(times, prepend=self.t)
        dts[:1][(dts[:1] < 0.0) & (dts[:1] >= -self.rounding)] = 0.0
        late = np.flatnonzero(~((dts >= 0.0) & (dts < math.inf)))
        if len(late):
            self.step(None, float(times[late[0]]))
            raise PilotageError(f"ts[{late[0]}] = {times[late[0]]:g} s is before the reading ahead of it; sort by time")
        return dts
