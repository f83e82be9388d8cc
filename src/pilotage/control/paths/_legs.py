"""The legs of a path: its parts between two stops, each driven in one direction."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import Array
from ...core.errors import SpaceError
from ...core.space import Space

ALIGNED = 0.9
"""Least cosine between a step and the heading, on average and of a step by itself, for the heading to give a direction.

A heuristic. The cosine is 1 for a robot that drives where it looks, and 0 for one that moves sideways; 0.9, an angle of
26 degrees, leaves room for plans whose headings are rounded to eighths of a turn (off by 22.5 degrees at most).
"""
TURN = math.cos(math.radians(15.0))
"""Cosine of the smallest turn on the spot, between two steps, that a robot stops for.

A heuristic. A robot that drives on through a turn of 15 degrees cuts the corner by 0.05 of its lookahead only, and
`follow` lets a robot that faces so near to its direction drive and turn at once.
"""


@dataclass(frozen=True, eq=False)
class Leg:
    """A part of a path that is driven in one direction, from one stop to the next.

    A turn on the spot at the end of a path is a leg of one point, with the heading to turn to.

    Attributes:
        points: x and y ``(K, 2)`` [m].
        s: arc length of the path at the points [m], ``(K,)``.
        headings: cosine and sine of the yaw at the points ``(K, 2)``; ``(0, 2)`` where the path does not tell.
        direction: 1 forwards, -1 backwards; of a turn at the end, that of the leg before.
    """

    points: Array
    s: Array
    headings: Array
    direction: float = 1.0

    @property
    def start(self) -> float:
        """Arc length where it begins [m]."""
        return float(self.s[0])

    @property
    def end(self) -> float:
        """Arc length where it ends [m]."""
        return float(self.s[-1])


def slowing(legs: Iterable[Leg], decel: float, action: Space) -> float:
    """What a vehicle slows down with on all of these legs [m/s^2]: `decel`, or less where its `accel` is bounded so.

    Example:
        >>> leg = Leg(np.array([[0.0, 0.0], [5.0, 0.0]]), np.array([0.0, 5.0]), np.empty((0, 2)))
        >>> slowing([leg], 1.0, Space("accel [m/s^2] in [-0.4, 2]"))
        0.4
    """
    if "accel" not in action.names:
        return decel
    low, high = (float(bound[action.index("accel")]) for bound in (action.low, action.high))
    most = [-low if leg.direction > 0.0 else high for leg in legs]
    return min([decel, *(a for a in most if a > 0.0)])  # what only drag brakes is left to the caller


def legs_of(points: Array, s: Array, states: Array, space: Space | None, moved: NDArray[np.bool_]) -> tuple[Leg, ...]:
    """The legs of a path, cut at its cusps and where it turns on the spot; one, forwards, where it has no headings.

    ::

        e_i = (cos yaw_i, sin yaw_i)           d_i = (x, y)_{i+1} - (x, y)_i
        direction_i = sign(d_i . (e_i + e_{i+1}))

    The chord of an arc points in the mean of the headings at its ends, or against it, so this is exact for what drives
    where it looks; a speed in the plan says the same. A step that is not aligned with its heading (`ALIGNED`) gives no
    direction and goes on in that of the step before, or, at the start, of the first one that does. A plan that is not
    aligned on the whole, of a robot that moves sideways, is a path of points.

    Args:
        points: of the path, those that repeat dropped ``(K, 2)``.
        s: arc length at the points ``(K,)``.
        states: of which the points are x and y ``(N, n)``.
        space: of the states; None for an array.
        moved: whether the robot moves from a state to the next, ``(N-1,)``.
    """
    whole = Leg(points, s, np.empty((0, 2)))
    e, begin = _headings(states, space), np.flatnonzero(moved)
    if e is None:
        return (whole,)
    before, after = e[begin], e[begin + 1]
    along = (np.diff(points, axis=0) * (before + after)).sum(-1) / np.linalg.norm(before + after, axis=-1).clip(1e-9)
    if abs(along).sum() < ALIGNED * s[-1]:
        return (whole,)
    legs = _driven(points, s, before, after, along) if len(begin) else ()
    if np.allclose(e[-1], after[-1] if legs else e[0]):
        return legs or (whole,)
    return (*legs, Leg(points[-1:], s[-1:], e[-1:], legs[-1].direction if legs else 1.0))


def _driven(points: Array, s: Array, before: Array, after: Array, along: Array) -> tuple[Leg, ...]:
    """The legs of steps that lead so far `along` the headings `before` and `after` them."""
    aligned = abs(along) >= ALIGNED * np.diff(s)
    told = np.maximum.accumulate(np.where(aligned, np.arange(len(along)), aligned.argmax()))
    direction = np.where(along[told] < 0.0, -1.0, 1.0)
    stops = (np.diff(direction) != 0.0) | ((after[:-1] * before[1:]).sum(-1) < TURN)
    return tuple(
        Leg(points[a : b + 1], s[a : b + 1], np.concatenate([before[a : a + 1], after[a:b]]), float(direction[a]))
        for a, b in pairwise([0, *(np.flatnonzero(stops) + 1).tolist(), len(along)])
    )


def _headings(states: Array, space: Space | None) -> Array | None:
    """Cosine and sine of the yaw of states ``(N, 2)``; None where they have none, or several."""
    try:
        yaw = None if space is None else states[:, space.find("yaw")]
    except SpaceError:
        return None
    return None if yaw is None else np.stack([np.cos(yaw), np.sin(yaw)], -1)
