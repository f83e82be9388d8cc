"""Events that come late are put in their place among those of the past, and later ones are processed again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Past = list[tuple[Any, Any]]
"""Events of the past in order of time, each with the state before it, None for the first."""


def replayed(state: Any, past: Past, event: Any, lag: float, step: Callable[[Any, Any], Any]) -> tuple[list[Any], Past]:
    """The states after an event and after each later one that is processed again, and the past within the lag.

    Args:
        state: the latest state, None before the first event; it and events have a time `t`.
        past: see `Past`.
        event: the event, later than the latest one or not.
        lag: how late events may come [s]; where it is 0 nothing is kept.
        step: the state after an event, from the one before.
    """
    past, events, states = [*past], [event], list[Any]()
    while past and state is not None and event.t < state.t:
        state, later = past.pop()
        events.insert(1, later)
    for each in events:
        past.append((state, each))
        state = step(state, each)
        states.append(state)
    return states, [one for one in past if one[1].t >= states[-1].t - lag] if lag > 0.0 else []
