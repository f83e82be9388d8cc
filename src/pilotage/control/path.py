"""A path in the plane by arc length, and how far along it a robot has come."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.arrays import numbers
from ..core.errors import ShapeError
from ..core.plan import Plan
from ..core.space import Space
from ..models.trace import driver

Array = NDArray[np.float64]


class Path:
    """A polyline that is read at arc lengths. Paths of the same points are equal.

    Args:
        points: a `Plan`, whose states have x and y [m] by name, or an array ``(K, >= 2)`` that begins with them.

    Attributes:
        points: x and y ``(K, 2)``; points that repeat are dropped.
        s: arc length at the points [m], ``(K,)``.
        states: all states that were given, whole ``(N, n)``.
        along: arc length at the states [m], ``(N,)``; equal where a robot turns on the spot.
        space: of the states; None for an array.

    Raises:
        ShapeError: when there is no path, or it holds NaN.

    Example:
        >>> Path([[0, 0], [3, 0], [3, 4]]).at(5.0).round(3).tolist()
        [3.0, 2.0]
    """

    def __init__(self, points: Plan | ArrayLike) -> None:
        self.space: Space | None = None
        columns = [0, 1]
        if isinstance(points, Plan):
            if points.xs is None:
                raise ShapeError(f"the plan has no path to follow: {points.reason or points.status.value}")
            self.space = points.space
            columns = [0, 1] if self.space is None else [self.space.index(name) for name in ("x", "y")]
            points = points.xs
        self.states: Array = numbers(points, "a path")
        xy = self.states[:, columns] if self.states.ndim == 2 and self.states.shape[1] > 1 else np.empty(0)
        if xy.size == 0 or not np.isfinite(xy).all():
            raise ShapeError(f"a path is an array (K, 2) of finite points; one of shape {self.states.shape} was given")
        steps = np.linalg.norm(np.diff(xy, axis=0), axis=-1)
        steps = np.where(steps > 1e-9, steps, 0.0)
        keep = np.concatenate([[True], steps > 0.0])
        self.along: Array = np.concatenate([[0.0], np.cumsum(steps)])
        self.points: Array = np.ascontiguousarray(xy[keep])
        self.s: Array = self.along[keep]

    def __repr__(self) -> str:
        return f"Path({len(self.points)} points, {self.length:.3g} m)"

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Path) and np.array_equal(self.points, other.points))

    def __hash__(self) -> int:
        return hash(self.points.tobytes())

    @property
    def length(self) -> float:
        """Length of the path [m]."""
        return float(self.s[-1])

    @property
    def goal(self) -> Array:
        """Its last point, ``(2,)``."""
        return self.points[-1]

    def at(self, s: Any) -> Array:
        """Points ``(..., 2)`` at arc lengths ``(...)`` [m]; the ends beyond them."""
        return np.stack([np.interp(s, self.s, self.points[:, i]) for i in range(2)], -1)

    def project(self, xy: ArrayLike, low: float = 0.0, high: float = math.inf) -> float:
        """Arc length of the point nearest to `xy` ``(2,)`` among those between the arc lengths `low` and `high`."""
        point = numbers(xy, "a point")
        if point.shape != (2,):
            raise ShapeError(f"a point of shape {point.shape} was given; expected (2,): x and y")
        x, y = point
        return nearest(self.points, self.s, float(x), float(y), float(low), float(high))


@dataclass(frozen=True)
class Progress:
    """A robot's arc length along a path, from its last one; it never goes back, unless the robot is put elsewhere.

    The path is searched around the last place only, so a path that comes near itself does not pull the robot across.
    A robot that is farther than `lost` metres from there is looked for everywhere: it is at the first of the places
    that are as near as the nearest to within `alike` metres, so that a path that leads back to where it begins is not
    taken for driven. The way out and the way back on one line cannot be distinguished: follow a path that turns round
    on the spot in two.

    Attributes:
        path: the path.
        behind, ahead: the search reaches so far back and forward from the last place, along the path [m].
        lost: distance from the path around the last place beyond which that is given up [m].
        alike: differences of distance that do not tell places apart [m].

    Example:
        >>> progress, s = Progress(Path([[0, 0], [5, 0], [5, 0.5], [0, 0.5]])), None
        >>> for x in (0.0, 1.0, 2.0):
        ...     s = progress.advance(s, [x, 0.2])
        >>> s
        2.0
    """

    path: Path
    behind: float = 0.5
    ahead: float = 2.0
    lost: float = 2.0
    alike: float = 0.5

    def advance(self, s: float | None, xy: ArrayLike) -> float:
        """Arc length [m] reached at `xy` ``(2,)`` by a robot that was at `s`; None when nothing is known of it."""
        if s is not None:
            found = self.path.project(xy, s - self.behind, s + self.ahead)
            if math.dist(self.path.at(found), np.asarray(xy, dtype=np.float64)) <= self.lost:
                return max(found, s)
        return self.find(xy)

    def find(self, xy: ArrayLike) -> float:
        """Arc length [m] at `xy` ``(2,)`` of a robot of which nothing is known yet."""
        path, point = self.path, np.asarray(xy, dtype=np.float64)
        steps, lengths = np.diff(path.points, axis=0), np.diff(path.s)
        along = np.clip(((point - path.points[:-1]) * steps).sum(-1) / lengths, 0.0, lengths)
        away = np.hypot(*(point - path.points[:-1] - (along / lengths)[:, None] * steps).T)
        near = np.flatnonzero(away <= away.min(initial=math.inf) + self.alike)
        first = path.s[near[0]] + along[near[0]] if len(near) else 0.0
        return path.project(point, first, first + self.ahead)


@driver("f8(f8[:,::1], f8[::1], f8, f8, f8, f8)")
def nearest(points: Any, s: Any, x: float, y: float, low: float, high: float) -> float:
    """Arc length of the point of the polyline nearest to (x, y), among those between `low` and `high`."""
    last = points.shape[0] - 1
    best = math.inf
    found = min(max(low, 0.0), s[last])
    for i in range(max(last, 1)):
        j = min(i + 1, last)
        length = s[j] - s[i]
        if s[j] < low or s[i] > high:
            continue
        dx = points[j, 0] - points[i, 0]
        dy = points[j, 1] - points[i, 1]
        along = (dx * (x - points[i, 0]) + dy * (y - points[i, 1])) / length if length > 0.0 else 0.0
        along = min(max(along, max(low - s[i], 0.0)), min(high - s[i], length))
        share = along / length if length > 0.0 else 0.0
        d = (points[i, 0] + share * dx - x) ** 2 + (points[i, 1] + share * dy - y) ** 2
        if d < best:
            best = d
            found = s[i] + along
    return found


@driver
def place(points: Any, s: Any, at: float, i: int) -> Any:
    """Point of the polyline at arc length `at`, and the segment it lies on, sought from segment `i` on."""
    last = points.shape[0] - 1
    while i < last - 1 and s[i + 1] < at:
        i += 1
    if last == 0:
        return points[0, 0], points[0, 1], 0
    share = min(max((at - s[i]) / (s[i + 1] - s[i]), 0.0), 1.0)
    return (
        points[i, 0] + share * (points[i + 1, 0] - points[i, 0]),
        points[i, 1] + share * (points[i + 1, 1] - points[i, 1]),
        i,
    )


@driver("void(f8[:,::1], f8[::1], f8, f8, f8, f8, f8, f8[:,::1])")
def paced(
    points: Any, s: Any, begin: float, speed: float, decel: float, dt: float, chord: float, rows: Any
) -> None:  # fmt: skip
    """Fill rows (x, y, cos yaw, sin yaw, metres left), one each `dt` from arc length `begin` on.

    The speed falls towards the end. The direction is that of the chord of the given length around the point.
    """
    length = s[-1]
    half = min(0.5 * chord, 0.5 * length)
    at = begin
    i = 0
    back = 0
    front = 0
    for k in range(rows.shape[0]):
        rows[k, 0], rows[k, 1], i = place(points, s, at, i)
        middle = min(max(at, half), length - half)
        ax, ay, back = place(points, s, middle - half, back)
        bx, by, front = place(points, s, middle + half, front)
        size = math.sqrt((bx - ax) ** 2 + (by - ay) ** 2)
        rows[k, 2] = (bx - ax) / size if size > 0.0 else 1.0
        rows[k, 3] = (by - ay) / size if size > 0.0 else 0.0
        left = length - at
        rows[k, 4] = left
        at += min(speed * dt, math.sqrt(2.0 * decel * left) * dt, left)


@driver("UniTuple(f8, 2)(f8[:,::1], f8[::1], f8, f8, f8, f8)")
def sighted(points: Any, s: Any, begin: float, x: float, y: float, distance: float) -> Any:
    """First point of the path after arc length `begin` that is `distance` away from (x, y).

    The path goes on straight beyond its end, so that the last metres are driven like all others.
    """
    last = points.shape[0] - 1
    ax, ay, i = place(points, s, begin, 0)
    if (ax - x) ** 2 + (ay - y) ** 2 >= distance * distance:
        return ax, ay  # too far off the path to see past its nearest point
    while i < last:
        bx = points[i + 1, 0]
        by = points[i + 1, 1]
        if (bx - x) ** 2 + (by - y) ** 2 >= distance * distance or i == last - 1:
            return crossing(ax, ay, bx - points[i, 0], by - points[i, 1], x, y, distance)
        ax = bx
        ay = by
        i += 1
    return ax, ay


@driver
def crossing(ax: float, ay: float, dx: float, dy: float, x: float, y: float, distance: float) -> Any:
    """The point where the ray from a, inside the circle around (x, y), in the direction d leaves it."""
    size = math.sqrt(dx * dx + dy * dy)
    dx /= size
    dy /= size
    middle = dx * (x - ax) + dy * (y - ay)
    away = (x - ax - middle * dx) ** 2 + (y - ay - middle * dy) ** 2
    t = middle + math.sqrt(max(distance * distance - away, 0.0))
    return ax + t * dx, ay + t * dy
