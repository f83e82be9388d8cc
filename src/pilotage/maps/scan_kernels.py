"""Likelihoods of lidar scans, compiled; `lidar` holds the formulas."""

from __future__ import annotations

import math

import numpy as np

from ..models.trace import driver
from ..models.trace.turns import sine_cosine

_SQRT_HALF = math.sqrt(0.5)
_SQRT_TURN = math.sqrt(2.0 * math.pi)


@driver(
    "void(f4[::1], i8, Array(f8, 2, 'C', True), f8[::1], f8, f8[:,::1], f8[:,::1], f8[:,::1], i4[::1], f8[::1])",
    fast=True,
)
def score_field(table, columns, poses, origin, resolution, ends_x, ends_y, turns, cells, out):
    """The sum of a table's values in the cells where the beams of a scan end.

    All cells of a pose are computed before the first value is read: that loop becomes vector instructions, while
    reading single values does not.

    Args:
        table: log-likelihood of ending in each cell, with a ring for everything off the map, flat.
        columns: cells in a row of it, ring included.
        poses: of the sensor in the world, ``(N, 3)``.
        origin: pose of the grid in the world, ``(3,)``.
        resolution: of the grid [m].
        ends_x, ends_y: ends of the beams in the frame of the sensor [cells], ``(1, B)`` for all poses or ``(N, B)``.
        turns, cells: memory, ``(2, N)`` and ``(B,)``.
        out: ``(N,)``, overwritten; NaN where the pose is not finite.
    """
    beams = ends_x.shape[1]
    width, right, top = float(columns), columns - 1.0, table.shape[0] // columns - 1.0
    cosines, sines = turns[0], turns[1]
    _cosines_and_sines(poses, origin[2], cosines, sines)
    c0, s0 = math.cos(origin[2]) / resolution, math.sin(origin[2]) / resolution
    for n in range(poses.shape[0]):
        dx, dy = poses[n, 0] - origin[0], poses[n, 1] - origin[1]
        x, y = c0 * dx + s0 * dy + 1.0, c0 * dy - s0 * dx + 1.0
        c, s = cosines[n], sines[n]
        if not (abs(x) < 1e300 and abs(y) < 1e300 and abs(c) <= 2.0):
            out[n] = np.nan
            continue
        scan = n if ends_x.shape[0] > 1 else 0
        for b in range(beams):
            ex = x + c * ends_x[scan, b] - s * ends_y[scan, b]
            ey = y + s * ends_x[scan, b] + c * ends_y[scan, b]
            row = np.floor(min(max(ey, 0.0), top))
            cells[b] = np.int32(row * width + min(max(ex, 0.0), right))
        total = 0.0
        for b in range(beams):
            total += table[np.uint32(cells[b])]
        out[n] = total


@driver(fast=True)
def _cosines_and_sines(poses, origin, cosines, sines):
    """Cosine and sine of the yaws of many poses, less that of the origin, to 3e-16: a loop that vectorises."""
    for n in range(poses.shape[0]):
        sines[n], cosines[n] = sine_cosine(poses[n, 2] - origin)
    for n in range(poses.shape[0]):
        angle = poses[n, 2] - origin
        if not abs(angle) < 1e5:  # the remainder has lost digits, or the angle is not finite
            cosines[n], sines[n] = math.cos(angle), math.sin(angle)


@driver("void(f8[:,::1], f8[:,::1], f8, f8, f8, f8, f8, f8, f8, f8[::1])")
def score_beams(z, expected, reach, sigma, hit, short, missed, random, decay, out):
    """Sum over the beams of ``log p(z | z*)`` of the beam mixture.

    Args:
        z: ranges read [m], ``(1, B)`` for all poses or ``(N, B)``; NaN is skipped, `reach` and more is "nothing seen".
        expected: ranges z* ``(N, B)`` that the map gives [m].
        reach: largest range [m].
        sigma, hit, short, missed, random, decay: of the mixture.
        out: ``(N,)``, overwritten; NaN where an expected range is.
    """
    for n in range(expected.shape[0]):
        scan = n if z.shape[0] > 1 else 0
        total = 0.0
        for b in range(z.shape[1]):
            r, e = z[scan, b], expected[n, b]
            if math.isnan(r):
                continue
            if math.isnan(e):
                total = np.nan
                break
            total += math.log(beam_density(r, e, reach, sigma, hit, short, missed, random, decay))
        out[n] = total


@driver
def beam_density(r, e, reach, sigma, hit, short, missed, random, decay):
    """Density of a range `r` < reach [1/m], or the probability of `r` >= reach, when the map gives `e`."""
    if e >= reach:  # nothing within reach: what would be a hit is a miss
        missed += hit
        hit = 0.0
    if r >= reach:
        return missed
    p = random / reach
    if hit > 0.0:
        u = (r - e) / sigma
        if abs(u) < 38.0:
            inside = 1.0
            if e < 6.0 * sigma or reach - e < 6.0 * sigma:
                inside = 0.5 * (math.erf((reach - e) / sigma * _SQRT_HALF) + math.erf(e / sigma * _SQRT_HALF))
            p += hit * math.exp(-0.5 * u * u) / (sigma * _SQRT_TURN * inside)
    if decay * e < 1e-9:  # no room for anything in between: that share is random
        p += short / reach
    elif r <= e:
        p += short * decay * math.exp(-decay * r) / -math.expm1(-decay * e)
    return p
