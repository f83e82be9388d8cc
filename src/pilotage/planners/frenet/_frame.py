"""Frenet coordinates along a spline, compiled."""

from __future__ import annotations

import math

import numpy as np

from ...models.trace import driver

NEWTON = 50
"""Most steps to the nearest point of a line."""


@driver
def frame(line, h, s):
    """Point, unit tangent, curvature and its change by s of a line: x, y, tx, ty, k, k'.

    Args:
        line: coefficients ``(N, 2, 4)`` of x and y on each piece, constant first.
        h: length of a piece.
        s: arc length; beyond the ends, the first and last piece go on.
    """
    i = min(max(int(s / h), 0), line.shape[0] - 1)
    u, x, y = s - i * h, line[i, 0], line[i, 1]
    dx, dy = x[1] + u * (2.0 * x[2] + 3.0 * u * x[3]), y[1] + u * (2.0 * y[2] + 3.0 * u * y[3])
    ddx, ddy = 2.0 * x[2] + 6.0 * u * x[3], 2.0 * y[2] + 6.0 * u * y[3]
    square = dx * dx + dy * dy
    norm, cross = math.sqrt(square), dx * ddy - dy * ddx
    turn = 6.0 * (dx * y[3] - dy * x[3]) - 3.0 * cross * (dx * ddx + dy * ddy) / square
    px, py = x[0] + u * (x[1] + u * (x[2] + u * x[3])), y[0] + u * (y[1] + u * (y[2] + u * y[3]))
    return px, py, dx / norm, dy / norm, cross / (square * norm), turn / (square * square)


@driver
def to_cartesian(line, h, s, ds, dds, d, d1, d2, out):
    """``out``: x, y, yaw, speed, acceleration and curvature; the return value is ``1 - k d``."""
    x, y, tx, ty, k, k1 = frame(line, h, s)
    scale = 1.0 - k * d
    norm, fall = math.sqrt(scale * scale + d1 * d1), k1 * d + k * d1
    out[0], out[1] = x - ty * d, y + tx * d
    out[2] = math.atan2(ty * scale + tx * d1, tx * scale - ty * d1)
    out[3] = ds * norm
    out[4] = dds * norm + ds * ds * (d1 * d2 - scale * fall) / norm
    out[5] = ((d2 * scale + fall * d1) / (norm * norm) + k) / norm
    return scale


@driver
def to_frenet(line, h, x, y, yaw, v, a, curvature, out):
    """``out``: s, s', s'', d, d', d'' of `ReferenceLine.to_frenet`; NaN where there are none."""
    s = nearest(line, h, x, y)
    px, py, tx, ty, k, k1 = frame(line, h, s)
    ahead, d = tx * (x - px) + ty * (y - py), tx * (y - py) - ty * (x - px)
    cos, sin = math.cos(yaw) * tx + math.sin(yaw) * ty, math.sin(yaw) * tx - math.cos(yaw) * ty
    scale = 1.0 - k * d
    if not (cos > 0.0 and scale > 0.0 and abs(ahead) < 1e-6 * (1.0 + abs(d))):
        out[:] = np.nan
        return
    norm, d1 = scale / cos, scale * sin / cos
    fall = k1 * d + k * d1
    d2 = ((curvature * norm - k) * norm * norm - fall * d1) / scale
    ds = v / norm
    out[0], out[1], out[2] = s, ds, (a - ds * ds * (d1 * d2 - scale * fall) / norm) / norm
    out[3], out[4], out[5] = d, d1, d2


@driver
def nearest(line, h, x, y):
    """Arc length of the point of the line nearest to (x, y): a root of the distance's derivative, by Newton's method.

    It is sought beside the nearest joint; a step that leaves the interval of the root becomes a bisection.
    """
    count, best, joint = line.shape[0], np.inf, 0
    for i in range(count):
        square = (line[i, 0, 0] - x) ** 2 + (line[i, 1, 0] - y) ** 2
        if square < best:
            best, joint = square, i
    px, py, _, _, _, _ = frame(line, h, count * h)
    if (px - x) ** 2 + (py - y) ** 2 < best:
        joint = count
    low, high = max(joint - 1, 0) * h, min(joint + 1, count) * h
    s = joint * h
    for _ in range(NEWTON):
        px, py, tx, ty, k, _ = frame(line, h, s)
        ahead, d = tx * (x - px) + ty * (y - py), tx * (y - py) - ty * (x - px)
        if ahead > 0.0:
            low = s
        else:
            high = s
        slope = 1.0 - k * d
        after = s + ahead / slope if slope > 0.0 else low - 1.0
        if not (low <= after <= high):
            after = 0.5 * (low + high)
        if abs(after - s) < 1e-15 * (1.0 + s):
            return after
        s = after
    return s


@driver("void(f8[:,:,::1], f8, f8[:,::1], f8[:,::1])")
def cartesian_states(line, h, rows, out):
    """`to_cartesian` of rows ``(N, 6)``; NaN where ``1 - k d`` is not positive."""
    for n in range(rows.shape[0]):
        r = rows[n]
        if not to_cartesian(line, h, r[0], r[1], r[2], r[3], r[4], r[5], out[n]) > 0.0:
            out[n] = np.nan


@driver("void(f8[:,:,::1], f8, f8[:,::1], f8[:,::1])")
def frenet_states(line, h, rows, out):
    """`to_frenet` of rows ``(N, 6)``."""
    for n in range(rows.shape[0]):
        r = rows[n]
        to_frenet(line, h, r[0], r[1], r[2], r[3], r[4], r[5], out[n])
