"""Scan matching on a map of tiles, compiled; `grid_rbpf` holds the formulas."""

from __future__ import annotations

import math

import numpy as np

from pilotage.models.trace import driver

from ..matching._point_to_line import DAMPING, advance, damped, prior_step, solve3
from ._likelihood import log_target, nearest_end

ITERATIONS, TOLERANCE = 30, 1e-4
"""Limit of iterations of scan matching, and the step that ends them [m, rad]."""


@driver
def climb(table, evidence, ends, corner, scan, pose, guess, information, rule, reach, work):
    """Move a pose to where the points of a scan lie on the ends in a map; returns how many do.

    Partners are searched within `reach` at first, and within two sigma at the end. H is in ``work[0:3]`` afterwards.
    """
    H, g, d, last, out, gain, count = work[0:3], work[3], work[4], work[5], work[6], 1.0, 0
    last[0] = last[1] = last[2] = 0.0
    final = 2.0 * rule[0]
    reach = max(reach, final)
    for _ in range(ITERATIONS):
        for a in range(3):
            g[a] = 0.0
            H[a, 0] = H[a, 1] = H[a, 2] = 0.0
        count = _add_points(table, evidence, ends, corner, scan, pose, rule[0], rule[3], reach, H, g, out)
        prior_step(pose, guess, information, H, g)
        if not solve3(H, g, d, DAMPING):
            return 0
        gain = damped(d, last, gain)
        advance(pose, d)
        if reach == final and max(abs(d[0]), abs(d[1]), abs(d[2])) < TOLERANCE:
            break
        reach = max(0.7 * reach, final)
    return count


@driver
def _add_points(table, evidence, ends, corner, scan, pose, sigma, power, reach, H, g, out):
    """Add the points of a scan that have an end nearby, with the weights of Cauchy's loss; returns their number."""
    c, s, count = math.cos(pose[2]), math.sin(pose[2]), 0
    side, x, y = corner[2], pose[0] - corner[0], pose[1] - corner[1]
    for k in range(scan.shape[0]):
        px, py = scan[k, 0], scan[k, 1]
        u, v = x + c * px - s * py, y + s * px + c * py
        if not nearest_end(table, evidence, ends, u / side, v / side, reach / side, out) < np.inf:
            continue
        count += 1
        dx, dy = u - side * out[0], v - side * out[1]
        dx, dy = c * dx + s * dy, c * dy - s * dx  # in the frame of the scan, as its normals
        if scan[k, 2] == scan[k, 2]:
            _add_row(H, g, scan[k, 2], scan[k, 3], px, py, dx, dy, sigma, power)
        else:
            _add_row(H, g, 1.0, 0.0, px, py, dx, dy, sigma, power)
            _add_row(H, g, 0.0, 1.0, px, py, dx, dy, sigma, power)
    return count


@driver
def _add_row(H, g, nx, ny, px, py, dx, dy, sigma, power):
    """Add the distance of a point along one direction."""
    e = nx * dx + ny * dy
    w, turn = power / (sigma * sigma + e * e / 9.0), ny * px - nx * py
    for a in range(3):
        ja = nx if a == 0 else (ny if a == 1 else turn)
        g[a] += w * ja * e
        for b in range(3):
            H[a, b] += w * ja * (nx if b == 0 else (ny if b == 1 else turn))


@driver(
    "void(i4[:,::1], f4[:,:,::1], f4[:,:,:,::1], f8[::1], f8[:,::1], f8[:,::1], f8[::1], f8[:,::1], f8[::1], f8,"
    "f8[::1], f8[:,::1])"
)
def match(table, evidence, ends, corner, scan, starts, guess, information, rule, reach, pose, work):
    """The best one of the poses that scan matching leads to from several starts ``(S, 3)``, into `pose`.

    A start from a search may lie anywhere along a corridor, where the odometry knows better.
    """
    best, other, out = -np.inf, work[7], work[8]
    for k in range(starts.shape[0]):
        other[0], other[1], other[2] = starts[k, 0], starts[k, 1], starts[k, 2]
        climb(table, evidence, ends, corner, scan, other, guess, information, rule, reach, work[0:7])
        l = log_target(table, evidence, ends, corner, scan, other, guess, information, rule, out)
        if l > best:
            best, pose[0], pose[1], pose[2] = l, other[0], other[1], other[2]
