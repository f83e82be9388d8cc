"""The distributions of the truck's first states: E1, E2 and E3."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...core import SettingError
from ...core.arrays import Array

STARTS = ("E1", "E2", "E3")
BOX = (40.0, 10.0)
"""Length of the yard and half its width [m]: x in [0, 40], y in [-10, 10]."""
FRONT = 1.5
"""Distance from the rear axle of the cab to its front [m]."""
TRAILER = 4.0


def starts(name: str, count: int, rng: np.random.Generator) -> Array:
    """Random first states ``(count, 4)``: x, y [m] of the hitch, yaw of the cab and of the trailer [rad].

    - "E1": x in [10, 40], y in [-10, 10], trailer within 90 degrees of the dock's heading, hitch angle within 45.
    - "E2", "E3": the reset of the course NYU-DLSP20: any heading of the cab, trailer within 45 degrees of it, x and y
      as before, drawn again until cab front and trailer rear are inside the yard. E3 has walls, E2 none.

    Raises:
        SettingError: if there is no distribution of this name.

    Example:
        >>> starts("E1", 3, np.random.default_rng(0)).shape
        (3, 4)
    """
    if name not in STARTS:
        raise SettingError(f"starts are {name!r}; expected one of {', '.join(STARTS)}")
    if name == "E1":
        return _uniform(count, 0.5 * math.pi, rng)
    kept = np.empty((0, 4))
    while len(kept) < count:
        drawn = _uniform(count, math.pi, rng)
        kept = np.concatenate([kept, drawn[inside(drawn)]])
    return kept[:count]


def _uniform(count: int, heading: float, rng: np.random.Generator) -> Array:
    place = rng.uniform((10.0, -BOX[1]), BOX, (count, 2))
    trailer = rng.uniform(-heading, heading, count)
    cab = trailer + rng.uniform(-0.25 * math.pi, 0.25 * math.pi, count)
    return np.column_stack([place, np.arctan2(np.sin(cab), np.cos(cab)), trailer])


def inside(x: Array) -> NDArray[np.bool_]:
    """Whether cab front and trailer rear are inside the yard, for states ``(..., 4)``; bools ``(...)``."""
    front = x[..., :2] + FRONT * np.stack([np.cos(x[..., 2]), np.sin(x[..., 2])], -1)
    rear = x[..., :2] - TRAILER * np.stack([np.cos(x[..., 3]), np.sin(x[..., 3])], -1)
    ends = np.stack([front, rear], -2)
    within = (ends[..., 0] > 0.0) & (ends[..., 0] < BOX[0]) & (np.abs(ends[..., 1]) < BOX[1])
    return np.asarray(within.all(-1))
