"""Convex polygons around line segments, clear of the blocked squares of a map, compiled."""

from __future__ import annotations

import math

import numpy as np

from ...models.trace import driver

SIDES = 64
"""Most corners of a polygon. A half-plane adds one at most."""
FLUSH = 1e-9
"""A distance [cells] that is rounding."""


@driver("void(Array(b1, 2, 'C', True), f8, f8, f8[:,::1], f8[:,::1], f8[:,::1], f8[:,:,::1], i8[::1])")
def grow(blocked, radius, reach, points, squares, work, polygons, counts):
    """For each segment between two points a convex polygon that is `radius` away from all blocked squares.

    The nearest square that can still reach the polygon cuts it along the line through its nearest point, across the
    shortest way to it, moved back by the radius. All squares that lie beyond that line are done with.

    Args:
        blocked: ``(ny + 2, nx + 2)`` of bool, with its ring.
        radius, reach: of the robot, and how far a polygon reaches beyond its segment [cells].
        points: ``(N + 1, 2)`` x, y in cells from the corner of the ring.
        squares: memory ``(M, 3)`` for the squares around one polygon.
        work: memory ``(SIDES + 2, 2)``.
        polygons: ``(N, SIDES, 2)``, overwritten with corners, counter-clockwise.
        counts: ``(N,)``, overwritten with the number of corners; 0 where the segment is too near to a square.
    """
    line = work[SIDES:]
    for n in range(counts.shape[0]):
        ax, ay, bx, by = points[n, 0], points[n, 1], points[n + 1, 0], points[n + 1, 1]
        polygon = polygons[n]
        count = box_around(ax, ay, bx, by, reach, polygon)
        left = squares_near(blocked, radius, ax, ay, bx, by, polygon, line, squares)
        while left > 0 and count > 0:
            k = 0
            for i in range(1, left):
                if squares[i, 2] < squares[k, 2]:
                    k = i
            distance = nearest(ax, ay, bx, by, squares[k, 0], squares[k, 1], line)
            normal_x, normal_y = line[1, 0], line[1, 1]
            offset = normal_x * line[0, 0] + normal_y * line[0, 1]
            crossed = distance < FLUSH or not beyond(squares[k], normal_x, normal_y, offset - FLUSH)
            if crossed or distance < radius - FLUSH:
                count = 0
                break
            count = clip(polygon, count, normal_x, normal_y, offset - radius, work)
            kept = 0
            for i in range(left):
                if not beyond(squares[i], normal_x, normal_y, offset - FLUSH):
                    for axis in range(3):
                        squares[kept, axis] = squares[i, axis]
                    kept += 1
            left = kept
        counts[n] = count


@driver
def box_around(ax, ay, bx, by, reach, polygon):
    """The rectangle along a segment that reaches beyond it on all sides; its number of corners, 4."""
    length = math.hypot(bx - ax, by - ay)
    dx, dy = ((bx - ax) / length, (by - ay) / length) if length > 0.0 else (1.0, 0.0)
    dx, dy = dx * reach, dy * reach
    polygon[0, 0], polygon[0, 1] = ax - dx + dy, ay - dy - dx
    polygon[1, 0], polygon[1, 1] = bx + dx + dy, by + dy - dx
    polygon[2, 0], polygon[2, 1] = bx + dx - dy, by + dy + dx
    polygon[3, 0], polygon[3, 1] = ax - dx - dy, ay - dy + dx
    return 4


@driver
def squares_near(blocked, radius, ax, ay, bx, by, rectangle, line, out):
    """The blocked squares at the edge of free space near a rectangle: column, row and distance to the segment.

    The others lie behind them: a polygon around a segment in free space would meet one of these first.
    """
    rows, columns = blocked.shape
    low_x, low_y, high_x, high_y, found = np.inf, np.inf, -np.inf, -np.inf, 0
    for k in range(4):
        low_x, high_x = min(low_x, rectangle[k, 0] - radius), max(high_x, rectangle[k, 0] + radius)
        low_y, high_y = min(low_y, rectangle[k, 1] - radius), max(high_y, rectangle[k, 1] + radius)
    for j in range(max(int(low_y) - 1, 0), min(int(high_y) + 1, rows - 1) + 1):
        for i in range(max(int(low_x) - 1, 0), min(int(high_x) + 1, columns - 1) + 1):
            if blocked[j, i] and (
                (j > 0 and not blocked[j - 1, i])
                or (j + 1 < rows and not blocked[j + 1, i])
                or (i > 0 and not blocked[j, i - 1])
                or (i + 1 < columns and not blocked[j, i + 1])
            ):
                out[found, 0], out[found, 1] = i, j
                out[found, 2] = nearest(ax, ay, bx, by, float(i), float(j), line)
                found += 1
    return found


@driver
def nearest(ax, ay, bx, by, left, low, line):
    """The distance of a segment and a unit square; `line` becomes the square's nearest point and the way there."""
    best, dx, dy = np.inf, bx - ax, by - ay
    square = dx * dx + dy * dy
    for k in range(6):
        if k < 4:
            qx, qy = left + (k & 1), low + (k >> 1)
            t = min(max(((qx - ax) * dx + (qy - ay) * dy) / square, 0.0), 1.0) if square > 0.0 else 0.0
            px, py = ax + t * dx, ay + t * dy
        else:
            px, py = (ax, ay) if k == 4 else (bx, by)
            qx, qy = min(max(px, left), left + 1.0), min(max(py, low), low + 1.0)
        distance = math.hypot(qx - px, qy - py)
        if distance < best:
            best = distance
            scale = 1.0 / max(distance, 1e-300)
            line[0, 0], line[0, 1], line[1, 0], line[1, 1] = qx, qy, (qx - px) * scale, (qy - py) * scale
    return best


@driver
def beyond(square, normal_x, normal_y, offset):
    """Whether a square at (column, row) lies beyond the line ``normal . x = offset``."""
    low = normal_x * square[0] + normal_y * square[1] + min(normal_x, 0.0) + min(normal_y, 0.0)
    return low >= offset


@driver
def clip(polygon, count, normal_x, normal_y, offset, work):
    """Cut a convex polygon to ``normal . x <= offset``, in place; its number of corners afterwards."""
    kept = 0
    for i in range(count):
        j = (i + 1) % count
        da = normal_x * polygon[i, 0] + normal_y * polygon[i, 1] - offset
        db = normal_x * polygon[j, 0] + normal_y * polygon[j, 1] - offset
        if da <= 0.0 and kept < SIDES:
            work[kept, 0], work[kept, 1] = polygon[i, 0], polygon[i, 1]
            kept += 1
        if da * db < 0.0 and kept < SIDES:
            t = da / (da - db)
            work[kept, 0] = polygon[i, 0] + t * (polygon[j, 0] - polygon[i, 0])
            work[kept, 1] = polygon[i, 1] + t * (polygon[j, 1] - polygon[i, 1])
            kept += 1
    for i in range(kept):
        polygon[i, 0], polygon[i, 1] = work[i, 0], work[i, 1]
    return kept if kept > 2 else 0
