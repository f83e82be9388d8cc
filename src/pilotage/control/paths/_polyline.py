"""The drivers of paths: the nearest point, paced references, and the target of a lookahead on a polyline."""

from __future__ import annotations

import math
from typing import Any

from ...models.trace import driver


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


@driver("void(f8[:,::1], f8[::1], f8[:,::1], f8, f8, f8, f8, f8, f8[:,::1])")
def paced(
    points: Any, s: Any, headings: Any, begin: float, speed: float, decel: float, dt: float, chord: float, rows: Any
) -> None:  # fmt: skip
    """Fill rows (x, y, cos yaw, sin yaw, metres left), one each `dt` from arc length `begin` on a leg.

    The speed falls towards the end of the leg. The yaw is that of the headings; without, it is the direction of the
    chord of the given length around the point.
    """
    end = s[-1]
    half = min(0.5 * chord, 0.5 * (end - s[0]))
    told = headings.shape[0] > 0
    at = begin
    i = 0
    back = 0
    front = 0
    for k in range(rows.shape[0]):
        rows[k, 0], rows[k, 1], i = place(points, s, at, i)
        if told:
            dx, dy, _ = place(headings, s, at, i)
        else:
            middle = min(max(at, s[0] + half), end - half)
            ax, ay, back = place(points, s, middle - half, back)
            bx, by, front = place(points, s, middle + half, front)
            dx, dy = bx - ax, by - ay
        size = math.sqrt(dx * dx + dy * dy)
        rows[k, 2] = dx / size if size > 0.0 else 1.0
        rows[k, 3] = dy / size if size > 0.0 else 0.0
        left = end - at
        rows[k, 4] = left
        at += min(speed * dt, math.sqrt(2.0 * decel * left) * dt, left)


@driver("UniTuple(f8, 2)(f8[:,::1], f8[::1], f8, f8, f8, f8)")
def sighted(points: Any, s: Any, begin: float, x: float, y: float, distance: float) -> Any:
    """First point of the leg after arc length `begin` that is `distance` away from (x, y).

    The leg goes on straight beyond its end, so that the last metres are driven like all others.
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
