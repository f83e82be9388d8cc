"""The cars around the own one, as six rows of numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...core import Space
from ...core.settings import Count, Positive, settings
from ...models.trace import driver
from ..exact import Exact
from ._flow import COLUMNS, EGO, ESPEED, EX, EY, EYAW, LENGTH, SPEED, YAW, X, Y
from .road import Road
from .state import rows, traffic_space

ROWS, FAR, FAST = 6, 20.0, 100.0
"""Number of neighbours, and the largest places beside the road [m] and speeds [m/s]; more is cut off."""


@settings
class Neighbours(Exact):
    """The motion of the own car, and the nearest cars in its lane and the two beside it, without noise.

    First the place across the road [m], yaw [rad] and speed [m/s] of the own car, and how far the edges of the road are
    on its left and right [m]. Then for each of six neighbours (ahead and behind on the left, in the own lane, and on
    the right) its relative place and speed along and across the road, from middle to middle, and 1. Where there is
    none within `reach`, the row is ``[+-reach, 0, 0, 0, 0]``.

    Attributes:
        cars: number of other cars in the state.
        road: the lanes.
        reach: [m].

    Example:
        >>> from pilotage.envs.traffic import ReactiveTraffic
        >>> z = Neighbours(cars=50).observe(ReactiveTraffic(cars=50).start(0))
        >>> z.shape, bool(z[5] > 0 > z[10])
        ((35,), True)
    """

    cars: Count
    road: Road = Road()
    reach: Positive = 60.0

    def __post_init__(self) -> None:
        around = [f"{way}_{side}" for side in ("left", "same", "right") for way in ("ahead", "behind")]
        rows = [
            f"{name}_{what} in [{-most:g}, {most:g}]"
            for name in around
            for what, most in (("x", self.reach), ("y", FAR), ("vx", FAST), ("vy", FAST), ("there", 1.0))
        ]
        object.__setattr__(self, "state", traffic_space(self.cars))
        most = 0.5 * self.road.width + FAR
        own = (f"y [m] in [{-most:g}, {most:g}]", "yaw [rad] in [-3.2, 3.2]", f"speed [m/s] in [0, {FAST:g}]")
        edges = f"left right [m] in [{-FAR:g}, {self.road.width + FAR:g}]"
        object.__setattr__(self, "reading", Space(*own, edges, *rows))

    def observe(self, x: Any, context: Any = None) -> Any:
        """The readings ``(..., 35)``."""
        x = np.asarray(x, dtype=np.float64)
        xs = rows(x, self.state.size, "x of traffic")
        out = np.empty((len(xs), self.reading.size))
        surround(xs, self.road.packed, self.reach, out)
        return out.reshape(*x.shape[:-1], -1)


@driver("void(f8[:,::1], f8[::1], f8, f8[:,::1])", nogil=True)
def surround(states, road, reach, out):
    """The readings of states."""
    for n in range(states.shape[0]):
        x, z = states[n], out[n]
        half = 0.5 * road[0] * road[1]
        z[0], z[1], z[2], z[3], z[4] = x[EY], x[EYAW], x[ESPEED], half - x[EY], half + x[EY]
        for row in range(ROWS):
            k = 5 + 5 * row
            z[k] = reach if row % 2 == 0 else -reach
            for c in range(1, 5):
                z[k + c] = 0.0
        for k in range(EGO, x.shape[0], COLUMNS):
            if x[k + LENGTH] > 0.0:
                place(x, k, road[1], z)


@driver
def place(x: Any, k: int, lane: float, z: Any) -> None:
    """Put a car into the row of its lane and direction, if it is the nearest there."""
    dx, dy = x[k + X] - x[EX], x[k + Y] - x[EY]
    side = 1 - int(math.floor(dy / lane + 0.5))
    if side < 0 or side > 2:
        return
    row = 5 + 5 * (2 * side + (0 if dx > 0.0 else 1))
    if abs(dx) < abs(z[row]):
        v, yaw = x[k + SPEED], x[k + YAW]
        z[row], z[row + 1] = dx, dy
        z[row + 2] = v * math.cos(yaw) - x[ESPEED] * math.cos(x[EYAW])
        z[row + 3] = v * math.sin(yaw) - x[ESPEED] * math.sin(x[EYAW])
        z[row + 4] = 1.0
