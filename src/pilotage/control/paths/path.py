"""A path in the plane by arc length, the legs in which it is driven, and the progress of a robot along it."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.arrays import Array, numbers
from ...core.errors import ShapeError
from ...core.plan import Plan
from ...core.space import Space
from ._legs import Leg, legs_of
from ._polyline import nearest

YAW_TOLERANCE = math.radians(5.0)
"""Default tolerance of the heading at the end of a final turn on the spot [rad]."""
STANDING = 0.025
"""A robot stands if its braking distance is below this share of the tolerance: at 0.1 m/s for 1 m/s^2 and 0.2 m."""
BACK, ARM = math.cos(math.radians(120.0)), 0.5
"""Cosine of the smallest angle at which a path turns back, at a point and between chords of that length [m] there.

A heuristic. Beyond such a point a path runs next to itself, and the nearest point may be before or after it.
"""
DETOUR = 2.0
"""A robot so far from its last place has come along the path by so many times that distance at most.

The two sides of a corner of 120 degrees, beyond which a path turns back, are together twice as long as the way straight
across. Places that lie farther ahead, such as those beyond a loop or on the next of several lanes, are not reached yet.
"""
POSE = Space("x y [m]", "yaw: angle")
CHORD = 1e-3
"""Largest distance of a chord of a path from the curve that it replaces [m]."""


class Path:
    """A polyline with arc length, divided into legs. Paths with the same points and legs are equal.

    If the states of a plan have a heading, it determines the direction: the path is driven backwards if it moves
    against the heading. Legs end where the direction changes (cusps) and where the path turns on the spot; a turn at
    the end is a leg of zero length. An array, or a plan of points, is a single leg, with several parts if it turns
    back; an array with a third column, the yaw, is a plan with headings.

    Between two states of a plan, the path is the interpolation of its space, `Space.interpolate`: an arc between poses
    in SE(2). On spaces that are not flat it is sampled so that the chords stay within a millimetre of it.

    Args:
        points: a `Plan` whose states have components x and y [m], or an array of x and y ``(K, 2)``, or of x, y and yaw
            ``(K, 3)`` [m, m, rad].

    Attributes:
        points: x and y ``(K, 2)``, without repeated points.
        s: arc length at the points [m], ``(K,)``.
        states: all given states, with all components ``(N, n)``.
        along: arc length at the states [m], ``(N,)``; constant during a turn on the spot.
        space: space of the states; None for an array of points.
        legs: the parts of the path between its stops, in order.
        stops: arc lengths between the legs, at which the robot stops [m].
        parts: the legs; a path without headings is also cut where it turns back, and is driven part by part.

    Raises:
        ShapeError: if there is no path, or one of its states is NaN or infinite.

    Example:
        >>> Path([[0, 0], [3, 0], [3, 4]]).at(5.0).round(3).tolist()
        [3.0, 2.0]
    """

    def __init__(self, points: Plan | ArrayLike) -> None:
        self.space: Space | None = None
        given, columns = points, [0, 1]
        if isinstance(points, Plan):
            if points.xs is None:
                raise ShapeError(f"the plan has no path to follow: {points.reason or points.status.value}")
            self.space = points.space
            columns = [0, 1] if self.space is None else [self.space.find(name) for name in ("x", "y")]
            points = points.xs
        self.states: Array = numbers(points, "a path")
        shape = self.states.shape
        planned = isinstance(given, Plan)
        if len(shape) != 2 or shape[0] < 1 or shape[1] < 2 or (shape[1] > 3 and not planned):
            raise ShapeError(
                f"a path is an array (K, 2) of x and y, or (K, 3) of x, y and yaw; one of shape {shape} was given; "
                "give these columns of it, or the Plan itself"
            )
        if not np.isfinite(self.states).all():
            raise ShapeError("a path has finite numbers; one with NaN or infinity was given")
        if shape[1] == 3 and not planned:
            self.space = POSE
        states, own = _sampled(self.states, self.space, columns)
        xy = states[:, columns]
        steps = np.linalg.norm(np.diff(xy, axis=0), axis=-1)
        steps = np.where(steps > 1e-9, steps, 0.0)
        keep = np.concatenate([[True], steps > 0.0])
        along = np.concatenate([[0.0], np.cumsum(steps)])
        self.along: Array = along[own]
        self.points: Array = np.ascontiguousarray(xy[keep])
        self.s: Array = along[keep]
        self.legs: tuple[Leg, ...] = legs_of(self.points, self.s, states, self.space, keep[1:])
        self.stops: list[float] = [leg.start for leg in self.legs[1:]]
        self.parts: tuple[Leg, ...] = self.legs if len(self.legs[0].headings) else self._parts()
        self._cuts = [part.start for part in self.parts[1:]]
        self._key = self.points.tobytes(), *((leg.direction, leg.headings.tobytes()) for leg in self.legs)

    def __repr__(self) -> str:
        legs = f" in {len(self.legs)} legs" if self.stops else ""
        return f"Path({len(self.points)} points, {self.length:.3g} m{legs})"

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Path) and self._key == other._key)

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def length(self) -> float:
        """The length of the path [m]."""
        return float(self.s[-1])

    @property
    def goal(self) -> Array:
        """The last point of the path, ``(2,)``."""
        return self.points[-1]

    @property
    def turn(self) -> Array | None:
        """The cosine and sine ``(2,)`` of the heading of a final turn on the spot; None if there is no such turn."""
        leg = self.legs[-1]
        return leg.headings[-1] if leg.start == leg.end and len(leg.headings) else None

    def leg(self, s: float) -> Leg:
        """The part that contains arc length `s` [m]; at the end of a part, the next one."""
        return self.parts[bisect_right(self._cuts, s)]

    def _parts(self) -> tuple[Leg, ...]:
        """The parts of a path without headings, cut where it turns back."""
        s, here = self.s[1:-1], self.points[1:-1]
        steps = np.diff(self.points, axis=0)
        chords = here - self.at(s - ARM), self.at(s + ARM) - here
        turned = [
            (a * b).sum(-1) < BACK * np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
            for a, b in ((steps[:-1], steps[1:]), chords)
        ]
        cuts = [0, *(np.flatnonzero(turned[0] & turned[1]) + 1).tolist(), len(self.s) - 1]
        none = np.empty((0, 2))
        return tuple(Leg(self.points[a : b + 1], self.s[a : b + 1], none) for a, b in pairwise(cuts))

    def at(self, s: Any) -> Array:
        """The points ``(..., 2)`` at arc lengths ``(...)`` [m]; beyond the ends, the first or the last point."""
        return np.stack([np.interp(s, self.s, self.points[:, i]) for i in range(2)], -1)

    def project(self, xy: ArrayLike, low: float = 0.0, high: float = math.inf) -> float:
        """The arc length of the point nearest to `xy` ``(2,)``, between the arc lengths `low` and `high`."""
        point = numbers(xy, "a point")
        if point.shape != (2,):
            raise ShapeError(f"a point of shape {point.shape} was given; expected (2,): x and y")
        x, y = point
        return nearest(self.points, self.s, float(x), float(y), float(low), float(high))


def standing(decel: float, tolerance: float) -> float:
    """The speed [m/s] below which a robot counts as standing, given its braking `decel` [m/s^2] and `tolerance` [m].

    Example:
        >>> round(standing(1.0, 0.2), 3)
        0.1
    """
    return math.sqrt(2.0 * decel * STANDING * tolerance)


def _sampled(xs: Array, space: Space | None, columns: list[int]) -> tuple[Array, NDArray[np.bool_]]:
    """States so dense that chords of x and y stay within `CHORD` of the path, and which of them were given.

    Chord and path are compared in the middle and also at a quarter, because an S-shaped path crosses its chord.
    """
    own = np.ones(len(xs), dtype=bool)
    while space is not None and not space.flat and len(xs) > 1:
        a, b, t = xs[:-1, None], xs[1:, None], np.array([0.25, 0.5])
        between: Array = space.interpolate(a, b, t)
        off = (between - a - t[:, None] * (b - a))[..., columns]
        bent = np.flatnonzero(np.linalg.norm(off, axis=-1).max(-1) > CHORD)
        if not len(bent):
            break
        xs, own = np.insert(xs, bent + 1, between[bent, 1], axis=0), np.insert(own, bent + 1, False)
    return xs, own


@dataclass(frozen=True)
class Progress:
    """The progress of a robot along a path as arc length; it never decreases, unless the robot is moved elsewhere.

    The search covers only the current leg around the last position, and reaches ahead by no more than twice the
    distance of the robot from it, so that the robot does not jump across where the path comes near itself. The next leg
    begins once the robot is within `reached` metres of the end of the current one.
    Hence it drives to each cusp before it turns back, even if the next leg runs next to the current one.

    If the robot is farther than `lost` metres from this part of the path, the whole path is searched. Points whose
    distances differ by less than `alike` metres from the smallest count as equally near, and the first of them is
    used, so that a path that returns to its start begins at its start and not at its end. A point where a path without
    headings turns back is passed like the end of a leg: the last position tells the way out from the way back.

    Attributes:
        path: the path.
        behind, ahead: range of the search along the path, backward and, at most, forward from the last position [m].
        reached: distance along the path to the end of a leg at which the next leg begins [m].
        lost: distance from the part of the path around the last position beyond which the whole path is searched [m].
        alike: difference of distances below which points count as equally near [m].

    Example:
        >>> progress, s = Progress(Path([[0, 0], [5, 0], [5, 0.5], [0, 0.5]])), None
        >>> for x in (0.0, 1.0, 2.0):
        ...     s = progress.advance(s, [x, 0.2])
        >>> s
        2.0

    Source: the stop before the next leg follows the Nav2 MPPI controller (`enforce_path_inversion`).
    """

    path: Path
    behind: float = 0.5
    ahead: float = 2.0
    lost: float = 2.0
    alike: float = 0.5
    reached: float = 0.2

    def advance(self, s: float | None, xy: ArrayLike) -> float:
        """The arc length [m] at `xy` ``(2,)`` of a robot that was at `s`, or None if its position is unknown."""
        if s is not None:
            found = self._on_leg(xy, s, s - self.behind)
            if math.dist(self.path.at(found), np.asarray(xy, dtype=np.float64)) <= self.lost:
                leg, found = self.path.leg(s), max(found, s)
                stops = leg is not self.path.parts[-1] and leg.end - found <= self.reached
                return leg.end if stops else found
        return self.find(xy)

    def find(self, xy: ArrayLike) -> float:
        """The arc length [m] at `xy` ``(2,)`` of a robot whose position on the path is unknown."""
        path, point = self.path, np.asarray(xy, dtype=np.float64)
        steps, lengths = np.diff(path.points, axis=0), np.diff(path.s)
        along = np.clip(((point - path.points[:-1]) * steps).sum(-1) / lengths, 0.0, lengths)
        away = np.hypot(*(point - path.points[:-1] - (along / lengths)[:, None] * steps).T)
        near = np.flatnonzero(away <= away.min(initial=math.inf) + self.alike)
        first = path.s[near[0]] + along[near[0]] if len(near) else 0.0
        return self._on_leg(point, float(first), float(first))

    def _on_leg(self, xy: ArrayLike, s: float, low: float) -> float:
        """The arc length of the point nearest to `xy` on the leg of `s`, between `low` and the end of the search."""
        leg, gone = self.path.leg(s), math.dist(self.path.at(s), np.asarray(xy, dtype=np.float64))
        return self.path.project(xy, max(low, leg.start), min(s + min(DETOUR * gone, self.ahead), leg.end))
