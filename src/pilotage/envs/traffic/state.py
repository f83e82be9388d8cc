"""The state of traffic: the own car, and all others around it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import Space
from ...core.arrays import Array
from ...core.errors import ShapeError
from ...core.settings import whole
from ._flow import COLUMNS, EGO, LENGTH, POLITE

ACTION = Space("accel [m/s^2] in [-6.2, 6.2]", "curvature [1/m] in [-0.065, 0.065]")
"""Acceleration and curvature of the way of the own car, as in PPUU."""
EGO_DRIVER = (30.0, 1.4, 1.2, 2.0, 2.0, 0.2)
"""The driver that others expect in the own car: the numbers of `idm`, and politeness."""


def traffic_space(cars: int) -> Space:
    """The space of traffic with up to so many other cars.

    The own car comes first: pose of its middle, speed, length and width; then x of its goal, the length after which the
    road repeats (0 for a road that does not), the number of ticks, the key of random numbers, or of the recorded car
    that it replaces, and the speed in waves of stop and go (0 without them) and their phase. Each row of `cars` is
    another car: x, y, yaw, speed, length, width, y that it steers to, and its driver (the numbers of `idm`: desired
    speed, time gap, acceleration, braking, least gap; and politeness). A length of 0 stands for no car.

    Example:
        >>> traffic_space(2).size
        38
    """
    count = whole(cars, "cars")
    own = ("x y [m]", "yaw: angle", "speed [m/s]", "length width goal ring [m]")
    return Space(*own, "tick", "key", "wave [m/s]", "phase: angle", f"cars: float64[{count}, {COLUMNS}]")


def rows(x: Any, size: int, what: str) -> Array:
    """A copy of an array ``(..., size)`` as contiguous rows ``(N, size)``; a `ShapeError` if it has another size."""
    given = np.asarray(x, dtype=np.float64)
    if given.ndim == 0 or given.shape[-1] != size:
        raise ShapeError(f"{what} has shape {given.shape}; expected (..., {size})")
    return np.array(given, order="C").reshape(-1, size)


def pairs(x: Any, u: Any, size: int) -> tuple[Array, Array, tuple[int, ...]]:
    """States ``(N, size)`` and actions ``(N, 2)`` for each other, and their batch axes."""
    given, actions = np.asarray(x, dtype=np.float64), np.asarray(u, dtype=np.float64)
    for each, width, what in ((given, size, "x"), (actions, 2, "u")):
        if each.ndim == 0 or each.shape[-1] != width:
            raise ShapeError(f"{what} of traffic has shape {each.shape}; expected (..., {width})")
    batch = np.broadcast_shapes(given.shape[:-1], actions.shape[:-1])
    xs, us = np.broadcast_to(given, (*batch, size)), np.broadcast_to(actions, (*batch, 2))
    return rows(xs, size, "x"), rows(us, 2, "u"), batch


def others(x: Any) -> Array:
    """The rows of the other cars ``(..., M, 13)`` in states; those of length 0 are not there.

    Example:
        >>> others(np.zeros(38)).shape
        (2, 13)
    """
    x = np.asarray(x, dtype=np.float64)
    return x[..., EGO:].reshape(*x.shape[:-1], -1, COLUMNS)


def present(x: Any) -> Array:
    """The rows of the other cars that are there in one state ``(K, 13)``.

    Example:
        >>> present(np.zeros(38)).shape
        (0, 13)
    """
    rows = others(x)
    return rows[rows[..., LENGTH] > 0.0]


def expected() -> Array:
    """A row with the driver that others expect in the own car."""
    row = np.zeros(COLUMNS)
    row[COLUMNS - len(EGO_DRIVER) :] = EGO_DRIVER
    assert POLITE == COLUMNS - 1
    return row
