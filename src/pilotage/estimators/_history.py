"""The history of a filter: what it was asked to do in the last seconds, and what it knew before."""

from __future__ import annotations

import copy
from collections import deque
from typing import Any, NamedTuple

import numpy as np

from ..core import PilotageError
from ._clock import Clock


class Request(NamedTuple):
    """What a filter was asked to do: predict by `dt` or up to time `to` under action `u`, and take in a reading.

    `reading` is the sensor, the reading and its context, or None; `paced` is whether the reading comes after a step, of
    `dt` or the usual one.
    """

    dt: float | None = None
    to: float | None = None
    u: Any = None
    reading: tuple[Any, Any, Any] | None = None
    paced: bool = False

    def kept(self) -> Request:
        """The same, with arrays that nobody else changes."""
        given = None if self.reading is None else (self.reading[0], _own(self.reading[1]), _own(self.reading[2]))
        return Request(self.dt, self.to, _own(self.u), given, self.paced)


class Entry(NamedTuple):
    """A request with the clock and the state of the engine before it."""

    request: Request
    clock: Clock
    state: Any


class History:
    """The requests of the last seconds, in order of time.

    Args:
        seconds: how old a reading may be.
        retrodicts: whether late readings are taken in by retrodiction; otherwise requests are replayed.
    """

    def __init__(self, seconds: float, retrodicts: bool) -> None:
        self.seconds, self.retrodicts = seconds, retrodicts
        self.entries: deque[Entry] = deque()

    def __copy__(self) -> History:
        other = History(self.seconds, self.retrodicts)
        other.entries = self.entries.copy()
        return other

    def add(self, entry: Entry, clock: Clock) -> None:
        """Note a request that was fulfilled, and forget those that ended more than `seconds` ago."""
        self.entries.append(entry)
        oldest = clock.t - self.seconds - 1e-5  # no rounding is larger
        while len(self.entries) > 1 and self.entries[1].clock.t < oldest:
            self.entries.popleft()

    def place(self, t: float, clock: Clock) -> int:
        """The request before or within which a reading of time `t` belongs; a sentence where that is too long ago.

        A reading at the time of others comes after them.
        """
        begun = self.entries[0].clock.t if self.entries else clock.t
        first, slack = max(begun, clock.t - self.seconds), clock.rounding
        if not t >= first - slack:
            raise PilotageError(
                f"a reading of t = {t:g} s is too old: the filter is at {clock.t:g} s, and its history of "
                f"{self.seconds:g} s begins at {first:g} s; drop the reading, or start with a longer history=..."
            )
        ends = [entry.clock.t for entry in self.entries][1:] + [clock.t]
        return next(k for k, end in enumerate(ends) if end > t + slack)


def _own(given: Any) -> Any:
    """A copy of an array or a list; anything else as it is."""
    return copy.copy(given) if isinstance(given, (np.ndarray, list)) else given
