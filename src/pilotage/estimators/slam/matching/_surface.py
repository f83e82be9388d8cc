"""Lines through the neighbours of points, and points by cells, compiled; `surface` holds the formulas."""

from __future__ import annotations

import math

import numpy as np

from pilotage.models.trace import driver

COLUMNS = 11
GAP = 0.15
"""Gap [m] that never separates two points."""
BREAK = 7.0
"""Gap that separates two points, as a multiple of the distance of beams side by side on a wall across them."""
GRAZING = 0.1
"""Least cosine between the normal of a line and the beam that meets it; flatter ones are edges of two things."""
FEWEST = 3
"""Fewest points of a line."""
BESIDE = 1
"""Neighbours on either side that belong to a line however far they are, as on walls that are seen at a flat angle."""


@driver("i8(f8[::1], f8[::1], f8, f8, f8, f8[:,::1], i8[:,::1])")
def connect(ranges, angles, near, far, wide, table, windows):
    """Write the points of a scan and the rows of those they are connected to; returns their number.

    Args:
        ranges, angles: ``(B,)``.
        near, far: smallest range, and the one from which on a beam saw nothing.
        wide: gap that separates points, as a share of their range.
        table, windows: see `Surface`; of `windows`, the first and last connected point.
    """
    n = 0
    for b in range(ranges.shape[0]):
        r = ranges[b]
        if not (r > 0.0 and r >= near and r < far):
            continue
        dx, dy = math.cos(angles[b]), math.sin(angles[b])
        table[n, 0], table[n, 1], table[n, 4], table[n, 5] = r * dx, r * dy, dx, dy
        windows[n, 0] = n
        if n > 0:
            gap = math.hypot(table[n, 0] - table[n - 1, 0], table[n, 1] - table[n - 1, 1])
            if gap <= max(GAP, wide * r):
                windows[n, 0] = windows[n - 1, 0]
        n += 1
    for k in range(n - 1, -1, -1):
        joined = k + 1 < n and windows[k + 1, 0] == windows[k, 0]
        windows[k, 1] = windows[k + 1, 1] if joined else k + 1
    return n


@driver("void(f8[:,::1], i8[:,::1], f8)")
def fit_lines(table, windows, span):
    """Fit a line to the neighbours of each point within `span`, and narrow the windows to them."""
    for k in range(table.shape[0]):
        first, last = k, k + 1
        while first > windows[k, 0] and (k - first < BESIDE or _apart(table, k, first - 1) <= span):
            first -= 1
        while last < windows[k, 1] and (last - k <= BESIDE or _apart(table, k, last) <= span):
            last += 1
        before = 0.5 * _apart(table, k, k - 1) if k > windows[k, 0] else 0.0
        after = 0.5 * _apart(table, k, k + 1) if k + 1 < windows[k, 1] else 0.0
        table[k, 10] = max(before, after)
        _fit_line(table, k, first, last)
        windows[k, 0], windows[k, 1] = first, last


@driver
def _apart(table, i, j):
    return math.hypot(table[i, 0] - table[j, 0], table[i, 1] - table[j, 1])


@driver
def _fit_line(table, k, first, last):
    """Mean, normal and spread of the points from `first` on, by their second moments."""
    m, x, y = last - first, 0.0, 0.0
    for j in range(first, last):
        x += table[j, 0] / m
        y += table[j, 1] / m
    xx, xy, yy = 0.0, 0.0, 0.0
    for j in range(first, last):
        dx, dy = table[j, 0] - x, table[j, 1] - y
        xx += dx * dx
        xy += dx * dy
        yy += dy * dy
    yaw = 0.5 * math.atan2(2.0 * xy, xx - yy)
    nx, ny = -math.sin(yaw), math.cos(yaw)
    facing = nx * table[k, 4] + ny * table[k, 5]
    if facing > 0.0:
        nx, ny = -nx, -ny
    along = xx * ny * ny - 2.0 * xy * nx * ny + yy * nx * nx
    across = max(xx + yy - along, 0.0)
    good = m >= FEWEST and abs(facing) >= GRAZING and along > 4.0 * across
    table[k, 2], table[k, 3] = (nx, ny) if good else (np.nan, np.nan)
    table[k, 6], table[k, 7], table[k, 8] = x, y, along
    table[k, 9] = across / max(m - 2, 1)


@driver("void(f8[:,::1], f8[::1], i8[::1])")
def bucket_counts(table, grid, cells):
    """Write the index of the first entry of each cell, and at the end the number of all."""
    nx = int(grid[3])
    for k in range(table.shape[0]):
        if table[k, 2] == table[k, 2]:
            i, j = int((table[k, 0] - grid[0]) / grid[2]), int((table[k, 1] - grid[1]) / grid[2])
            cells[j * nx + i] += 1
    total = 0
    for c in range(cells.shape[0]):
        count = cells[c]
        cells[c] = total
        total += count


@driver("void(f8[:,::1], f8[::1], i8[::1], i8[::1])")
def fill_buckets(table, grid, cells, order):
    """Write the list of points by cells. Entries are shifted while it is filled, and back at the end."""
    nx = int(grid[3])
    for k in range(table.shape[0]):
        if table[k, 2] == table[k, 2]:
            i, j = int((table[k, 0] - grid[0]) / grid[2]), int((table[k, 1] - grid[1]) / grid[2])
            order[cells[j * nx + i]] = k
            cells[j * nx + i] += 1
    for c in range(cells.shape[0] - 1, 0, -1):
        cells[c] = cells[c - 1]
    cells[0] = 0


@driver
def nearest(table, grid, cells, order, x, y, nx, ny, reach):
    """The row of the nearest point that faces the same way as the normal (nx, ny), NaN for any; -1 for none within
    `reach`, which is at most the side of a cell."""
    columns, rows = int(grid[3]), int(grid[4])
    u, v = (x - grid[0]) / grid[2], (y - grid[1]) / grid[2]
    if not (-1.0 < u < columns + 1.0 and -1.0 < v < rows + 1.0):
        return -1
    r = reach / grid[2]
    left, right = max(int(math.floor(u - r)), 0), min(int(math.floor(u + r)), columns - 1)
    low, high = max(int(math.floor(v - r)), 0), min(int(math.floor(v + r)), rows - 1)
    best, found = reach * reach, -1
    for j in range(low, high + 1):
        if left > right:
            break
        for e in range(cells[j * columns + left], cells[j * columns + right + 1]):
            k = order[e]
            dx, dy = x - table[k, 0], y - table[k, 1]
            d = dx * dx + dy * dy
            if d < best and not nx * table[k, 2] + ny * table[k, 3] < 0.0:
                best, found = d, k
    return found
