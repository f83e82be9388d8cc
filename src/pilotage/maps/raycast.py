"""Exact ray casting through a grid, compiled.

A ray visits the cells of Amanatides and Woo (A fast voxel traversal algorithm for ray tracing, 1987), but where a
whole square around the current cell is free it leaves the square in one step. Squares come from
`distance.clear_boxes`; with k = 1 everywhere the loop is the plain traversal, so the result is the same.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_NEVER = 1e30
"""1 / 0 for a ray along an axis, but finite, so that no infinity times zero becomes NaN."""


@njit(cache=True, error_model="numpy")
def cast_rays(boxes, poses, beam_cos, beam_sin, reach, ranges):
    """Distance to the first blocked cell along every beam from every pose, in cells, written to `ranges`.

    Args:
        boxes: `clear_boxes` of the blocked cells, with their ring, ``(ny + 2, nx + 2)`` uint8.
        poses: ``(N, 3)`` x, y in cells from the corner of cell [0, 0], heading in the axes of the grid.
        beam_cos, beam_sin: of the beam angles relative to the heading, ``(B,)``.
        reach: ranges end here [cells]; also the result where nothing is hit or the ray leaves the grid.
        ranges: ``(N, B)``, overwritten. NaN where the pose is not finite.
    """
    rows, columns = boxes.shape
    for n in range(poses.shape[0]):
        # The ring shifts cells by one.
        px, py, heading = poses[n, 0] + 1.0, poses[n, 1] + 1.0, poses[n, 2]
        if not (math.isfinite(px) and math.isfinite(py) and math.isfinite(heading)):
            ranges[n, :] = np.nan
            continue
        c, s = math.cos(heading), math.sin(heading)
        inside = 1.0 <= px < columns - 1 and 1.0 <= py < rows - 1
        for b in range(beam_cos.shape[0]):
            dx = c * beam_cos[b] - s * beam_sin[b]
            dy = s * beam_cos[b] + c * beam_sin[b]
            inv_x = 1.0 / dx if dx != 0.0 else _NEVER
            inv_y = 1.0 / dy if dy != 0.0 else _NEVER
            t = 0.0
            if not inside:
                t = _entry(px, py, dx, dy, columns - 1, rows - 1)
                if t >= reach:
                    ranges[n, b] = reach
                    continue
            i = min(max(int(math.floor(px + t * dx)), 1), columns - 2)
            j = min(max(int(math.floor(py + t * dy)), 1), rows - 2)
            k = int(boxes[j, i])
            while k > 0 and t < reach:
                tx = ((i + k if dx >= 0.0 else i - k + 1) - px) * inv_x
                ty = ((j + k if dy >= 0.0 else j - k + 1) - py) * inv_y
                if tx < ty:
                    t = tx
                    y = int(math.floor(py + t * dy))
                    j = min(max(y, j - k + 1), j + k - 1)
                    i = i + k if dx >= 0.0 else i - k
                else:
                    t = ty
                    x = int(math.floor(px + t * dx))
                    i = min(max(x, i - k + 1), i + k - 1)
                    j = j + k if dy >= 0.0 else j - k
                k = int(boxes[j, i])
            in_ring = i == 0 or j == 0 or i == columns - 1 or j == rows - 1
            ranges[n, b] = reach if in_ring or t >= reach else t


@njit(cache=True, error_model="numpy")
def _entry(px, py, dx, dy, right, top):
    """Parameter at which a ray from outside enters ``[1, right) x [1, top)``; infinity when it passes by."""
    near, far = 0.0, np.inf
    for p, d, low, high in ((px, dx, 1.0, right), (py, dy, 1.0, top)):
        if d == 0.0:
            if p < low or p >= high:
                return np.inf
        else:
            a, b = (low - p) / d, (high - p) / d
            near, far = max(near, min(a, b)), min(far, max(a, b))
    return near if near < far else np.inf
