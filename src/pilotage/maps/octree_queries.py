"""Rays through an octree, and boxes of its voxels, compiled."""

from __future__ import annotations

import math

import numpy as np

from ..models.trace import driver
from .octree_blocks import CENTRE, STORE, spread, value_at
from .octree_scan import key

NOTHING, HIT, UNKNOWN = 0, 1, 2
"""The end of a ray: its length or the border of the tree, an occupied voxel, or an unknown one."""
FREE_VOXEL, OCCUPIED_VOXEL, UNKNOWN_VOXEL = 0, 1, 2


@driver
def code_at(i, j, k):
    """The Morton code of a voxel by its keys."""
    return spread(i) | (spread(j) << 1) | (spread(k) << 2)


@driver
def kind_of(value, threshold):
    """Whether log-odds mean free, occupied or unknown."""
    if math.isnan(value):
        return UNKNOWN_VOXEL
    return OCCUPIED_VOXEL if value >= threshold else FREE_VOXEL


@driver(f"void({STORE}, f8[:,::1], f8[:,::1], f8, f4, b1, u1[::1], i8[:,::1], f8[::1])")
def cast(
    table, keys, values, pages, voxels, spare, counts,
    origins, directions, reach, threshold, through, ended, ends, ranges,
):  # fmt: skip
    """Follow rays voxel by voxel (Amanatides and Woo, 1987) up to an occupied voxel, or an unknown one.

    Args:
        table, keys, values, pages, voxels, spare, counts: of `Blocks`.
        origins, directions: of the rays ``(N, 3)``, in voxels, directions of length 1.
        reach: longest ray [voxels].
        threshold: log-odds from which on a voxel is occupied.
        through: whether rays pass through unknown voxels.
        ended, ends, ranges: what ended each ray, the keys of its last voxel, and how far away that begins [voxels].
    """
    store = (table, keys, values, pages, voxels, spare, counts)
    for n in range(origins.shape[0]):
        x, y, z = origins[n]
        dx, dy, dz = directions[n]
        i, j, k = key(x), key(y), key(z)
        t = 0.0
        ended[n] = NOTHING
        ranges[n] = np.nan
        if min(i, j, k) < 0 or not abs(dx) + abs(dy) + abs(dz) > 0.0:
            ends[n, 0], ends[n, 1], ends[n, 2] = i, j, k
            continue
        tx = (i - CENTRE + (1 if dx > 0.0 else 0) - x) / dx if dx != 0.0 else np.inf
        ty = (j - CENTRE + (1 if dy > 0.0 else 0) - y) / dy if dy != 0.0 else np.inf
        tz = (k - CENTRE + (1 if dz > 0.0 else 0) - z) / dz if dz != 0.0 else np.inf
        while True:
            kind = kind_of(value_at(store, code_at(i, j, k)), threshold)
            if kind == OCCUPIED_VOXEL or (kind == UNKNOWN_VOXEL and not through):
                ended[n] = HIT if kind == OCCUPIED_VOXEL else UNKNOWN
                break
            ni, nj, nk = i, j, k
            if tx < ty and tx < tz:
                ahead = tx
                tx += abs(1.0 / dx)
                ni += 1 if dx > 0.0 else -1
            elif ty < tz:
                ahead = ty
                ty += abs(1.0 / dy)
                nj += 1 if dy > 0.0 else -1
            else:
                ahead = tz
                tz += abs(1.0 / dz)
                nk += 1 if dz > 0.0 else -1
            if ahead > reach or min(ni, nj, nk) < 0 or max(ni, nj, nk) >= 2 * CENTRE:
                t = min(ahead, reach)
                break
            t, i, j, k = ahead, ni, nj, nk
        ranges[n] = t
        ends[n, 0], ends[n, 1], ends[n, 2] = i, j, k


@driver(f"void({STORE}, i8[::1], f4, u1[:,:,::1])")
def read_box(table, keys, values, pages, voxels, spare, counts, low, threshold, kinds):
    """The kinds of the voxels of a box from the keys `low` on."""
    store = (table, keys, values, pages, voxels, spare, counts)
    for a in range(kinds.shape[0]):
        for b in range(kinds.shape[1]):
            for c in range(kinds.shape[2]):
                code = code_at(low[0] + a, low[1] + b, low[2] + c)
                kinds[a, b, c] = kind_of(value_at(store, code), threshold)


@driver(f"void({STORE}, i8[::1], i8, f4[:,::1])")
def read_columns(table, keys, values, pages, voxels, spare, counts, low, height, out):
    """The largest log-odds of columns of voxels from the keys `low` on, ``(ny, nx)``; NaN if all are unknown."""
    store = (table, keys, values, pages, voxels, spare, counts)
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            best = np.float32(np.nan)
            for k in range(height):
                value = value_at(store, code_at(low[0] + i, low[1] + j, low[2] + k))
                if not value <= best and not math.isnan(value):
                    best = value
            out[j, i] = best
