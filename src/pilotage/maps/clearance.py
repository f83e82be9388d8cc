"""Exact clearances between a footprint and the blocked cells of a map, compiled."""

from __future__ import annotations

import math

import numpy as np

from ..models.trace import driver


@driver("void(Array(b1, 2, 'C', True), Array(f8, 2, 'C', True), f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[::1])")
def clearances(blocked, depth, discs, hull, poses, corners, out):
    """Signed distance [cells] of a footprint to the nearest blocked square at each pose, negative where they overlap.

    Args:
        blocked: ``(ny + 2, nx + 2)`` of bool, with its ring.
        depth: signed distance of the cell centres to the surfaces, of the same shape; bounds the search.
        discs: ``(K, 3)`` x, y, radius in the frame of the robot.
        hull: corners ``(V, 2)`` of a convex polygon, counter-clockwise; none where the discs are the robot.
        poses: ``(N, 3)`` in cells from the corner of the map's cell [0, 0], heading in the axes of the map.
        corners: memory, of the shape of `hull`.
        out: ``(N,)``, overwritten; NaN where a pose is not finite.
    """
    for n in range(poses.shape[0]):
        x, y = poses[n, 0] + 1.0, poses[n, 1] + 1.0
        if not (abs(x) < 1e9 and abs(y) < 1e9 and math.isfinite(poses[n, 2])):
            out[n] = np.nan
            continue
        c, s = math.cos(poses[n, 2]), math.sin(poses[n, 2])
        for v in range(hull.shape[0]):
            corners[v, 0] = x + c * hull[v, 0] - s * hull[v, 1]
            corners[v, 1] = y + s * hull[v, 0] + c * hull[v, 1]
        if hull.shape[0] > 0:
            out[n] = _hull_distance(blocked, depth, corners)
            continue
        nearest = np.inf
        for k in range(discs.shape[0]):
            px = x + c * discs[k, 0] - s * discs[k, 1]
            py = y + s * discs[k, 0] + c * discs[k, 1]
            nearest = min(nearest, point_distance(blocked, depth, px, py) - discs[k, 2])
        out[n] = nearest


@driver
def point_distance(blocked, depth, x, y):
    """Signed distance [cells] of a point to the nearest surface; off the map, its distance to the map is added."""
    rows, columns = blocked.shape
    px, py = min(max(x, 0.0), columns - 1e-9), min(max(y, 0.0), rows - 1e-9)
    i, j = int(px), int(py)
    inside = blocked[j, i]
    # The surface is no farther than from the centre of the cell, and the way there.
    best = abs(depth[j, i]) + math.hypot(px - i - 0.5, py - j - 0.5)
    for row in range(j, rows):
        if row - py >= best:
            break
        best = _nearest_in_row(blocked, row, px, max(row - py, 0.0), not inside, best)
    for row in range(j - 1, -1, -1):
        if py - row - 1.0 >= best:
            break
        best = _nearest_in_row(blocked, row, px, py - row - 1.0, not inside, best)
    return -best - math.hypot(x - px, y - py) if inside else best


@driver
def _nearest_in_row(blocked, row, x, dy, wanted, best):
    """The smaller of `best` and the distance to the squares of a row that are `dy` away from the point vertically."""
    reach = math.sqrt(best * best - dy * dy)
    for column in range(max(int(x - reach), 0), min(int(x + reach), blocked.shape[1] - 1) + 1):
        if blocked[row, column] == wanted:
            best = min(best, math.hypot(max(column - x, x - column - 1.0, 0.0), dy))
    return best


@driver
def _hull_distance(blocked, depth, corners):
    """Signed distance [cells] of a convex polygon to the blocked square that is nearest, or overlaps it the most."""
    rows, columns = blocked.shape
    low_x, high_x, low_y, high_y = _box(corners)
    best = min(low_x - 1.0, low_y - 1.0, columns - 1.0 - high_x, rows - 1.0 - high_y)  # to the edges of the map
    for v in range(corners.shape[0]):
        best = min(best, max(point_distance(blocked, depth, corners[v, 0], corners[v, 1]), 0.0))
    reach = max(best, 0.0)
    for row in range(max(int(low_y - reach), 0), min(int(high_y + reach), rows - 1) + 1):
        for column in range(max(int(low_x - reach), 0), min(int(high_x + reach), columns - 1) + 1):
            if blocked[row, column]:
                dx = max(column - high_x, low_x - column - 1.0, 0.0)
                dy = max(row - high_y, low_y - row - 1.0, 0.0)
                if best <= 0.0 or dx * dx + dy * dy < best * best:
                    best = min(best, _square_distance(corners, float(column), float(row)))
    return best


@driver
def _square_distance(corners, left, low):
    """Signed distance of a convex polygon to the unit square at (left, low).

    Two convex polygons that do not overlap are nearest at a corner of one and a side of the other. Where they overlap,
    the shortest way out is across one of the sides (separating axes).
    """
    count = corners.shape[0]
    low_x, high_x, low_y, high_y = _box(corners)
    best, out = np.inf, min(left + 1.0 - low_x, high_x - left, low + 1.0 - low_y, high_y - low)
    for v in range(count):
        ax, ay = corners[v, 0], corners[v, 1]
        bx, by = corners[(v + 1) % count, 0], corners[(v + 1) % count, 1]
        dx, dy = bx - ax, by - ay
        within = -np.inf
        for k in range(4):
            px, py = left + (k & 1) - ax, low + (k >> 1) - ay
            within = max(within, dx * py - dy * px)
            t = min(max((px * dx + py * dy) / (dx * dx + dy * dy), 0.0), 1.0)
            best = min(best, math.hypot(px - t * dx, py - t * dy))
        out = min(out, within / math.hypot(dx, dy))
        best = min(best, math.hypot(max(left - ax, ax - left - 1.0, 0.0), max(low - ay, ay - low - 1.0, 0.0)))
    return -out if out >= 0.0 else best


@driver
def _box(corners):
    """The bounds of a polygon: lowest and highest x, lowest and highest y."""
    low_x, high_x, low_y, high_y = np.inf, -np.inf, np.inf, -np.inf
    for v in range(corners.shape[0]):
        low_x, high_x = min(low_x, corners[v, 0]), max(high_x, corners[v, 0])
        low_y, high_y = min(low_y, corners[v, 1]), max(high_y, corners[v, 1])
    return low_x, high_x, low_y, high_y
