"""MOBIL: whether a driver changes lanes."""

from __future__ import annotations

from ...models.trace import driver

SAFE = 4.0
"""The strongest braking that a change of lanes may impose on the new follower [m/s^2]."""
GAIN = 0.3
"""The advantage from which on a driver changes lanes [m/s^2]."""


@driver
def mobil(own: tuple[float, float], new: tuple[float, float], old: tuple[float, float], politeness: float) -> float:
    """The advantage of a change of lanes above `GAIN` [m/s^2]::

        a~_c - a_c + p (a~_n - a_n + a~_o - a_o) - GAIN

    Each pair is an acceleration before (a) and after the change (a~). Where the driver or the new follower had to brake
    by more than `SAFE`, a change is out of the question.

    Args:
        own: accelerations of the driver c.
        new: those of the follower n in the new lane.
        old: those of the follower o in the old one.
        politeness: p, the weight of the others.

    Source: A. Kesting, M. Treiber, D. Helbing, "General lane-changing model MOBIL for car-following models",
    Transportation Research Record 1999 (2007), equations (2) and (3).
    """
    return own[1] - own[0] + politeness * (new[1] - new[0] + old[1] - old[0]) - GAIN
