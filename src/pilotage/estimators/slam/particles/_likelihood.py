"""The likelihood of a scan on a map of tiles, compiled; `grid_rbpf` holds the formulas."""

from __future__ import annotations

import math

import numpy as np

from pilotage.models.trace import driver

from ..matching._point_to_line import offset
from ._tiles import BLANK, SIDE


@driver
def nearest_end(table, evidence, ends, u, v, reach, out):
    """The mean end of an occupied cell that is nearest to (u, v) [cells], into `out`; returns its squared distance.

    Infinity if there is none within `reach`. Cells are searched in square rings around the point, as long as a ring
    can hold a nearer one.
    """
    i0, j0, most = int(math.floor(u)), int(math.floor(v)), int(math.ceil(reach))
    if not (most <= i0 < table.shape[1] * SIDE - most and most <= j0 < table.shape[0] * SIDE - most):
        return np.inf
    edge = min(min(u - i0, i0 + 1.0 - u), min(v - j0, j0 + 1.0 - v))
    best, found = reach * reach, False
    for ring in range(most + 1):
        apart = ring - 1.0 + edge
        if ring > 0 and apart * apart >= best:
            break
        for j in range(j0 - ring, j0 + ring + 1):
            step = 1 if ring == 0 or abs(j - j0) == ring else 2 * ring
            for i in range(i0 - ring, i0 + ring + 1, step):
                tile = table[j // SIDE, i // SIDE]
                if tile == BLANK or not evidence[tile, j % SIDE, i % SIDE] > 0.0:
                    continue
                end = ends[tile, j % SIDE, i % SIDE]
                if end[2] == 0.0:
                    continue
                x, y = i + float(end[0]), j + float(end[1])
                d = (x - u) * (x - u) + (y - v) * (y - v)
                if d < best:
                    best, found, out[0], out[1] = d, True, x, y
    return best if found else np.inf


@driver
def log_likelihood(table, evidence, ends, corner, scan, pose, rule, out):
    """The logarithm of the likelihood of a scan; `rule` holds sigma, worst, unseen and power, see `GridRBPF`."""
    sigma, worst, unseen, power = rule[0], rule[1], rule[2], rule[3]
    c, s, total = math.cos(pose[2]), math.sin(pose[2]), 0.0
    x, y, side = (pose[0] - corner[0]) / corner[2], (pose[1] - corner[1]) / corner[2], corner[2]
    reach = sigma / side * math.sqrt(2.0 * worst)
    for k in range(scan.shape[0]):
        px, py = scan[k, 0] / side, scan[k, 1] / side
        u, v = x + c * px - s * py, y + s * px + c * py
        d = nearest_end(table, evidence, ends, u, v, reach, out)
        if d < np.inf:
            if scan[k, 2] == scan[k, 2]:
                nx, ny = c * scan[k, 2] - s * scan[k, 3], s * scan[k, 2] + c * scan[k, 3]
                d = (nx * (u - out[0]) + ny * (v - out[1])) ** 2
            total -= min(0.5 * d * (side / sigma) ** 2, worst)
        else:
            total -= unseen if unknown(table, evidence, u, v) else worst
    return power * total


@driver
def unknown(table, evidence, u, v):
    """Whether nothing is known about the cell of (u, v)."""
    if not (0.0 <= u < table.shape[1] * SIDE and 0.0 <= v < table.shape[0] * SIDE):
        return True
    i, j = int(u), int(v)
    tile = table[j // SIDE, i // SIDE]
    l = evidence[tile, j % SIDE, i % SIDE]
    return tile == BLANK or (l == 0.0 and np.signbit(l))


@driver
def log_prior(pose, guess, information):
    """Logarithm of the density of the motion, without its constant."""
    x, y, turn = offset(pose, guess)
    wx = information[0, 0] * x + information[0, 1] * y + information[0, 2] * turn
    wy = information[1, 0] * x + information[1, 1] * y + information[1, 2] * turn
    wz = information[2, 0] * x + information[2, 1] * y + information[2, 2] * turn
    return -0.5 * (x * wx + y * wy + turn * wz)


@driver
def log_target(table, evidence, ends, corner, scan, pose, guess, information, rule, out):
    """Logarithm of likelihood times density of the motion, without its constant."""
    l = log_likelihood(table, evidence, ends, corner, scan, pose, rule, out)
    return l + log_prior(pose, guess, information)
