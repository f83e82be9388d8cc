"""A reading of the past, taken in by a filter that has a history: by replay or by retrodiction."""

from __future__ import annotations

import copy
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from ..core import Gaussian, PilotageError, Update
from ._clock import Clock
from ._history import Entry, History, Request
from ._timeline import sensor_of
from .retrodiction import retrodict

if TYPE_CHECKING:
    from .filter import Filter


def take_late(filter: Filter, history: History, request: Request) -> Update:
    """Take in a reading of the past."""
    t = cast(float, request.to)
    if request.u is not None:
        raise PilotageError(f"u = {request.u!r} of a late reading: the actions of the past are known; leave u out")
    k = history.place(t, filter._clock)
    before, clock, entries = filter._engine.save(), copy.copy(filter._clock), history.entries.copy()
    try:
        _rewind(filter, entries[k])
        if history.retrodicts:
            return _retrodicted(filter, entries, k, t, before, clock, request)
        history.entries = deque(islice(entries, k))
        begun, first = filter._clock.t, entries[k].request
        within = t - begun > filter._clock.rounding
        result = _again(filter, history, (request._replace(u=first.u) if within else request._replace(to=None)).kept())
        for i, entry in enumerate(islice(entries, k, None)):
            ends = entries[k + i + 1].clock.t if k + i + 1 < len(entries) else clock.t
            again = entry.request
            if i == 0 and within and again.to is None:  # a step that was cut in two
                again = again._replace(dt=None, to=ends, paced=False)
            _again(filter, history, again)
        return result
    except BaseException:
        filter._engine.restore(before)
        filter._clock, history.entries = clock, entries
        raise


def _rewind(filter: Filter, entry: Entry) -> None:
    """Back to what was before a request."""
    filter._engine.restore(entry.state)
    filter._clock = copy.copy(entry.clock)


def _again(filter: Filter, history: History, request: Request) -> Any:
    """Do what a request says, and note it at the end of the history."""
    entry = Entry(request, copy.copy(filter._clock), filter._engine.save())
    result = filter._done(request)
    history.entries.append(entry)
    return result


def _retrodicted(
    filter: Filter, entries: deque[Entry], k: int, t: float, before: Any, clock: Clock, request: Request
) -> Update:
    """Correct the present belief with a reading of time t, which belongs into request k."""
    past, dt = list[tuple[Gaussian, Any, float]](), filter._clock.step(None, t)
    if dt > 0.0:
        filter._engine.predict(entries[k].request.u, dt)
        filter._clock.advance(dt, t)
    for i in range(k, len(entries)):
        if i > k:
            _rewind(filter, entries[i])
        u, last = entries[i].request.u, i + 1 == len(entries)
        gap = filter._clock.step(None, clock.t if last else entries[i + 1].clock.t)
        pieces, length = filter._clock.cut(gap)
        for _ in range(pieces):
            past.append((filter._engine.belief, u, float(length)))
            filter._engine.predict(u, float(length))
        past.append((filter._engine.belief, u, gap - pieces * float(length) if pieces else gap))
    filter._engine.restore(before)
    filter._clock = clock
    sensor, z, context = cast("tuple[Any, Any, Any]", request.reading)
    reading = (sensor_of(sensor, filter.sensors), z, context)
    result, now = retrodict(filter.estimator, filter.dynamics, past, filter._engine.belief, reading)
    filter._engine.belief = now
    return result
