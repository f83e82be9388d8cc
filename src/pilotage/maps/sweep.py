"""The cells that a footprint touches along a motion, compiled."""

from __future__ import annotations

import math

from ..models.trace import driver
from .clearance import _square_distance

TOUCH = 1e-3
"""Distance [cells] from which a cell counts as touched."""


@driver(
    "void(f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], Array(b1, 2, 'C', True), b1[:,::1], b1[::1])",
    "void(f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], b1[:,::1], b1[:,::1], b1[::1])",
)
def sweep(discs, hull, poses, corners, cells, touched, hit):
    """Mark the cells that a footprint touches on the ways between poses, by conservative advancement.

    ::

        t <- t + d(t) / L     d(t) = distance of the footprint at t to the cell,  L = |d_xy| + reach |d_yaw|

    No point of the robot moves farther than L dt in dt, so it cannot touch the cell before that.

    Args:
        discs: ``(K, 3)`` x, y, radius in the frame of the robot [cells].
        hull: corners ``(V, 2)`` of a convex polygon, counter-clockwise; none if the robot consists of the discs.
        poses: ``(T, 3)`` in cells from the corner of `cells`, heading in its axes.
        corners: memory, of the shape of `hull`.
        cells: the cells ``(ny, nx)`` that matter.
        touched: ``(ny, nx)``; True is written where a cell that matters is touched.
        hit: ``(T-1,)``; True is written for ways on which a cell is touched.
    """
    rows, columns = cells.shape
    radius, arm = 0.0, 0.0
    for v in range(hull.shape[0]):
        arm = max(arm, math.hypot(hull[v, 0], hull[v, 1]))
        radius = arm
    for k in range(discs.shape[0] if hull.shape[0] == 0 else 0):
        arm = max(arm, math.hypot(discs[k, 0], discs[k, 1]))
        radius = max(radius, math.hypot(discs[k, 0], discs[k, 1]) + discs[k, 2])
    around = radius + 2.0 * TOUCH
    for n in range(poses.shape[0] - 1):
        a, b = poses[n], poses[n + 1]
        dx, dy, turn = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        turn -= 2.0 * math.pi * math.floor(turn / (2.0 * math.pi) + 0.5)
        length = math.hypot(dx, dy) + arm * abs(turn)
        top, right = min(max(a[1], b[1]) + around, rows - 0.5), min(max(a[0], b[0]) + around, columns - 0.5)
        for row in range(int(max(min(a[1], b[1]) - around, 0.0)), int(max(top, -1.0)) + 1):
            for column in range(int(max(min(a[0], b[0]) - around, 0.0)), int(max(right, -1.0)) + 1):
                if not cells[row, column] or (touched[row, column] and hit[n]):
                    continue
                t = 0.0
                while True:
                    x, y, yaw = a[0] + t * dx, a[1] + t * dy, a[2] + t * turn
                    d = _distance(discs, hull, corners, x, y, yaw, float(column), float(row))
                    if d <= TOUCH:
                        touched[row, column] = True
                        hit[n] = True
                        break
                    if t >= 1.0 or d - TOUCH > length * (1.0 - t):
                        break
                    t = min(t + max(d, TOUCH) / length, 1.0) if length > 0.0 else 1.0


@driver
def _distance(discs, hull, corners, x, y, yaw, left, low):
    """Distance of a footprint at a pose to the unit square at (left, low), not above 0 where they overlap."""
    c, s = math.cos(yaw), math.sin(yaw)
    if hull.shape[0] > 0:
        for v in range(hull.shape[0]):
            corners[v, 0] = x + c * hull[v, 0] - s * hull[v, 1]
            corners[v, 1] = y + s * hull[v, 0] + c * hull[v, 1]
        return _square_distance(corners, left, low)[0]
    nearest = math.inf
    for k in range(discs.shape[0]):
        px = x + c * discs[k, 0] - s * discs[k, 1]
        py = y + s * discs[k, 0] + c * discs[k, 1]
        apart = math.hypot(max(left - px, px - left - 1.0, 0.0), max(low - py, py - low - 1.0, 0.0))
        nearest = min(nearest, apart - discs[k, 2])
    return nearest
