"""Exact clearances between a footprint and the blocked cells of a map, and their gradients, compiled.

A clearance is the signed distance of the nearest pair of features, so its gradient is that of this pair: the normal n
points from the obstacle to the robot, and a point w of the robot touches, or is to be freed, along it.

::

    dc / d(x, y) = n,   dc / dyaw = n' J (w - origin),   J: a quarter turn
"""

from __future__ import annotations

import math

import numpy as np

from ..models.trace import driver
from .obstacles import AWAY

MORE = 1e-9
"""Added to upper bounds [cells], so that what attains them is found."""


@driver(
    "void(Array(b1, 2, 'C', True), Array(f8, 2, 'C', True), f8, f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[::1],"
    " f8[:,::1])"
)
def clearances(blocked, field, scale, discs, hull, poses, corners, out, slopes):
    """Signed distance [cells] of a footprint to the nearest blocked square at each pose, negative where they overlap.

    Args:
        blocked: ``(ny + 2, nx + 2)`` of bool, with its ring.
        field: of `Obstacles`, of the same shape; bounds the search.
        scale: cells a metre.
        discs: ``(K, 3)`` x, y, radius in the frame of the robot.
        hull: corners ``(V, 2)`` of a convex polygon, counter-clockwise; none if the robot consists of the discs.
        poses: ``(N, 3)`` in cells from the corner of the map's cell [0, 0], heading in the axes of the map.
        corners: memory, of the shape of `hull`.
        out: ``(N,)``, overwritten; NaN where a pose is not finite.
        slopes: gradients ``(N, 3)`` by the pose, overwritten alike; empty if they are not needed.
    """
    for n in range(poses.shape[0]):
        x, y = poses[n, 0] + 1.0, poses[n, 1] + 1.0
        if not (abs(x) < 1e9 and abs(y) < 1e9 and math.isfinite(poses[n, 2])):
            out[n] = np.nan
            if slopes.shape[0] > 0:
                slopes[n, 0], slopes[n, 1], slopes[n, 2] = np.nan, np.nan, np.nan
            continue
        c, s = math.cos(poses[n, 2]), math.sin(poses[n, 2])
        for v in range(hull.shape[0]):
            corners[v, 0] = x + c * hull[v, 0] - s * hull[v, 1]
            corners[v, 1] = y + s * hull[v, 0] + c * hull[v, 1]
        nearest, nx, ny, wx, wy = np.inf, 0.0, 0.0, x, y
        if hull.shape[0] > 0:
            nearest, nx, ny, wx, wy = _hull_distance(blocked, field, scale, corners)
        for k in range(discs.shape[0] if hull.shape[0] == 0 else 0):
            px = x + c * discs[k, 0] - s * discs[k, 1]
            py = y + s * discs[k, 0] + c * discs[k, 1]
            d, row, column = nearest_cell(blocked, field, scale, px, py)
            if d - discs[k, 2] < nearest:
                nearest, wx, wy = d - discs[k, 2], px, py
                if slopes.shape[0] > 0:
                    nx, ny = _normal(blocked, row, column, px, py)
        out[n] = nearest
        if slopes.shape[0] > 0:
            slopes[n, 0], slopes[n, 1], slopes[n, 2] = nx, ny, ny * (wx - x) - nx * (wy - y)


@driver
def nearest_cell(blocked, field, scale, x, y):
    """Signed distance [cells] of a point to the nearest surface, and the cell of the other kind, row and column, there.

    Off the map, the distance to the map is added.
    """
    rows, columns = blocked.shape
    px, py = min(max(x, 0.0), columns - 1e-9), min(max(y, 0.0), rows - 1e-9)
    i, j = int(px), int(py)
    inside, at_row, at_column = blocked[j, i], j, i
    # The surface is no farther than from the centre of the cell, and the way there. The field may be AWAY too small.
    best = abs(field[j, i]) * scale + (0.0 if inside else AWAY) + math.hypot(px - i - 0.5, py - j - 0.5) + MORE
    for row in range(j, rows):
        if row - py >= best:
            break
        best, found = _nearest_in_row(blocked, row, px, max(row - py, 0.0), not inside, best)
        if found >= 0:
            at_row, at_column = row, found
    for row in range(j - 1, -1, -1):
        if py - row - 1.0 >= best:
            break
        best, found = _nearest_in_row(blocked, row, px, py - row - 1.0, not inside, best)
        if found >= 0:
            at_row, at_column = row, found
    return -best - math.hypot(x - px, y - py) if inside else best, at_row, at_column


@driver
def _nearest_in_row(blocked, row, x, dy, wanted, best):
    """The minimum of `best` and the distance to the squares of a row at the vertical distance `dy` from the point.

    With it, the column of that square; -1 if none is nearer than `best`.
    """
    reach, found = math.sqrt(best * best - dy * dy), -1
    for column in range(max(int(x - reach), 0), min(int(x + reach), blocked.shape[1] - 1) + 1):
        if blocked[row, column] == wanted:
            d = math.hypot(max(column - x, x - column - 1.0, 0.0), dy)
            if d < best:
                best, found = d, column
    return best, found


@driver
def _normal(blocked, row, column, x, y):
    """The gradient of the signed distance of a point whose nearest cell of the other kind is given."""
    rows, columns = blocked.shape
    px, py = min(max(x, 0.0), columns - 1e-9), min(max(y, 0.0), rows - 1e-9)
    side = -1.0 if blocked[int(py), int(px)] else 1.0
    dx, dy = px - min(max(px, column), column + 1.0), py - min(max(py, row), row + 1.0)
    if abs(dx) + abs(dy) < MORE:  # on the surface: the normal of the side
        dx, dy = px - column - 0.5, py - row - 0.5
        dx, dy = (dx, 0.0) if abs(dx) > abs(dy) else (0.0, dy)
    length = max(math.hypot(dx, dy), 1e-300)
    nx, ny = side * dx / length, side * dy / length
    away = math.hypot(x - px, y - py)
    if away > MORE:
        nx = (nx if x == px else 0.0) - (x - px) / away
        ny = (ny if y == py else 0.0) - (y - py) / away
    return nx, ny


@driver
def _hull_distance(blocked, field, scale, corners):
    """Signed distance [cells] of a convex polygon to the blocked square that is nearest, or overlaps it the most.

    With it, the normal and the point of the polygon of its gradient.
    """
    rows, columns = blocked.shape
    low_x, high_x, low_y, high_y = _box(corners)
    found = _facing(corners, 1.0, 1.0, columns - 1.0, rows - 1.0, -1.0)  # to the edges of the map
    best = found[0]
    for v in range(corners.shape[0]):
        d, row, column = nearest_cell(blocked, field, scale, corners[v, 0], corners[v, 1])
        best = min(best, max(d, 0.0) + MORE)
    reach = max(best, 0.0)
    for row in range(max(int(low_y - reach), 0), min(int(high_y + reach), rows - 1) + 1):
        for column in range(max(int(low_x - reach), 0), min(int(high_x + reach), columns - 1) + 1):
            if blocked[row, column]:
                dx = max(column - high_x, low_x - column - 1.0, 0.0)
                dy = max(row - high_y, low_y - row - 1.0, 0.0)
                if best <= 0.0 or dx * dx + dy * dy < best * best:
                    other = _square_distance(corners, float(column), float(row))
                    if other[0] < best:
                        best, found = other[0], other
    return best, found[1], found[2], found[3], found[4]


@driver
def _facing(corners, left, low, right, high, sign):
    """The least overlap of the box of a polygon with a box, across the sides of the box, with normal and point.

    With the sign -1, it is the least room in the box instead.
    """
    best, nx, ny, wx, wy = np.inf, 0.0, 0.0, 0.0, 0.0
    for axis in range(2):
        begin, end = (left, right) if axis == 0 else (low, high)
        least, most = 0, 0
        for v in range(1, corners.shape[0]):
            least = v if corners[v, axis] < corners[least, axis] else least
            most = v if corners[v, axis] > corners[most, axis] else most
        for k, depth, n in (
            (least, end - corners[least, axis] if sign > 0.0 else corners[least, axis] - begin, 1.0),
            (most, corners[most, axis] - begin if sign > 0.0 else end - corners[most, axis], -1.0),
        ):
            if depth < best:
                best, wx, wy = depth, corners[k, 0], corners[k, 1]
                nx, ny = (n, 0.0) if axis == 0 else (0.0, n)
    return best, nx, ny, wx, wy


@driver
def _square_distance(corners, left, low):
    """Signed distance of a convex polygon to the unit square at (left, low), with normal and point of its gradient.

    The distance of two convex polygons that do not overlap is between a corner of one and a side of the other. If they
    overlap, the shortest separating translation is across one of the sides (separating axes).
    """
    count = corners.shape[0]
    out, mx, my, qx, qy = _facing(corners, left, low, left + 1.0, low + 1.0, 1.0)
    best, nx, ny, wx, wy = np.inf, 0.0, 0.0, 0.0, 0.0
    for v in range(count):
        ax, ay = corners[v, 0], corners[v, 1]
        bx, by = corners[(v + 1) % count, 0], corners[(v + 1) % count, 1]
        dx, dy = bx - ax, by - ay
        length = math.hypot(dx, dy)
        within, deepest = -np.inf, 0
        for k in range(4):
            px, py = left + (k & 1) - ax, low + (k >> 1) - ay
            inward = dx * py - dy * px
            if inward > within:
                within, deepest = inward, k
            t = min(max((px * dx + py * dy) / (length * length), 0.0), 1.0)
            d = math.hypot(px - t * dx, py - t * dy)
            if d < best:
                best, nx, ny, wx, wy = d, t * dx - px, t * dy - py, ax + t * dx, ay + t * dy
        if within / length < out:
            out, mx, my = within / length, -dy / length, dx / length
            qx, qy = left + (deepest & 1), low + (deepest >> 1)
        gx, gy = ax - min(max(ax, left), left + 1.0), ay - min(max(ay, low), low + 1.0)
        d = math.hypot(gx, gy)
        if d < best:
            best, nx, ny, wx, wy = d, gx, gy, ax, ay
    if out >= 0.0:
        return -out, mx, my, qx, qy
    return best, nx / max(best, 1e-300), ny / max(best, 1e-300), wx, wy


@driver
def _box(corners):
    """The bounds of a polygon: lowest and highest x, lowest and highest y."""
    low_x, high_x, low_y, high_y = np.inf, -np.inf, np.inf, -np.inf
    for v in range(corners.shape[0]):
        low_x, high_x = min(low_x, corners[v, 0]), max(high_x, corners[v, 0])
        low_y, high_y = min(low_y, corners[v, 1]), max(high_y, corners[v, 1])
    return low_x, high_x, low_y, high_y
