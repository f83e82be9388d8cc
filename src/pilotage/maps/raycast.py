"""Exact ray casting through a grid, compiled.

A ray visits cells as in Amanatides and Woo (A fast voxel traversal algorithm for ray tracing, 1987), but if a whole
square around the current cell is free, it leaves the square in one step. The squares come from `distance.clear_boxes`;
with k = 1 everywhere the loop is the plain traversal, so the result is the same.

A single ray is a chain of dependent operations, which uses a processor poorly. Therefore the rays of a pose advance
side by side in lanes, in a loop without branches that the compiler vectorises; lanes that have arrived wait.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.trace import driver


def entered(ranges: Any) -> Any:
    """Ranges [cells] extended slightly beyond the surface where they end.

    A surface is the face of an occupied cell, and a ray ends exactly on it. The beam hits the cell behind the face,
    from whichever side it comes, so its end is looked up behind the face, by the rounding of ranges in single
    precision.
    """
    return ranges * (1.0 + 1e-7) + 1e-9


def measured(ranges: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """Ranges, NaN where no surface returned one: below `least`, negative, or 0, which many drivers write."""
    return np.where((ranges > 0.0) & (ranges >= least), ranges, np.nan)


LANES = 32
"""The fastest measured of 8 to 64, with 4 and with 8 numbers per vector register."""

_NEVER = 1e30
"""1 / 0 for a ray along an axis, but finite, so that no infinity times zero becomes NaN."""

# Rows of the table of lanes: direction, its inverse, distance so far, cell, half width of the square around the cell.
_DX, _DY, _INV_X, _INV_Y, _T, _I, _J, _K = 0, 1, 2, 3, 4, 5, 6, 7


@driver("void(u1[:,::1], u1[::1], f8[:,::1], f8[::1], f8[::1], f8, f8[:,::1], f8[:,::1], i8[::1])")
def cast_rays(boxes, flat, poses, beam_cos, beam_sin, reach, ranges, lanes, cell):
    """Distance to the first blocked cell along every beam from every pose, in cells, written to `ranges`.

    Args:
        boxes, flat: `clear_boxes` of the blocked cells with the ring, ``(ny + 2, nx + 2)`` uint8; and flattened.
        poses: ``(N, 3)`` x, y in cells from the corner of cell [0, 0], heading in the axes of the grid.
        beam_cos, beam_sin: of the beam angles relative to the heading, ``(B,)``.
        reach: maximum range [cells]; also the result if a ray hits nothing or leaves the grid.
        ranges: ``(N, B)``, overwritten; NaN if the pose is not finite.
        lanes, cell: memory, ``(8, LANES)`` and ``(LANES,)``.
    """
    rows, columns = boxes.shape
    beams = beam_cos.shape[0]
    width = float(columns)
    for n in range(poses.shape[0]):
        # The ring shifts cells by one.
        px, py, heading = poses[n, 0] + 1.0, poses[n, 1] + 1.0, poses[n, 2]
        if not (math.isfinite(px) and math.isfinite(py) and math.isfinite(heading)):
            ranges[n, :] = np.nan
            continue
        c, s = math.cos(heading), math.sin(heading)
        inside = 1.0 <= px < columns - 1 and 1.0 <= py < rows - 1
        i0, j0 = (math.floor(px), math.floor(py)) if inside else (0.0, 0.0)
        k0 = float(flat[int(j0) * columns + int(i0)])
        for first in range(0, beams, LANES):
            used = min(LANES, beams - first)
            _send_off(lanes, first, used, c, s, beam_cos, beam_sin, i0, j0, k0)
            moving = k0 > 0.0 if inside else _enter(lanes, px, py, reach, boxes)
            while moving:
                _leave_squares(lanes, cell, px, py, reach, width)
                moving = _look_around(lanes, cell, flat, reach)
            _arrive(lanes, ranges, n, first, used, reach, columns, rows)


@driver(inline=True)
def _send_off(lanes, first, used, c, s, beam_cos, beam_sin, i, j, k):
    """Start the rays of beams `first` and following from cell (i, j), k being the half width of the square around."""
    for lane in range(LANES):
        b = first + (lane if lane < used else 0)
        dx = c * beam_cos[b] - s * beam_sin[b]
        dy = s * beam_cos[b] + c * beam_sin[b]
        lanes[_DX, lane], lanes[_DY, lane] = dx, dy
        lanes[_INV_X, lane] = 1.0 / dx if dx != 0.0 else _NEVER
        lanes[_INV_Y, lane] = 1.0 / dy if dy != 0.0 else _NEVER
        lanes[_T, lane] = 0.0
        lanes[_I, lane], lanes[_J, lane], lanes[_K, lane] = i, j, k


@driver(inline=True)
def _leave_squares(lanes, cell, px, py, reach, width):
    """Move each ray out of the free square around its cell, through the side that it meets first, and update `cell`."""
    for lane in range(LANES):
        dx, dy, t = lanes[_DX, lane], lanes[_DY, lane], lanes[_T, lane]
        i, j, k = lanes[_I, lane], lanes[_J, lane], lanes[_K, lane]
        going = (k > 0.0) & (t < reach)
        tx = (i + (k if dx >= 0.0 else 1.0 - k) - px) * lanes[_INV_X, lane]
        ty = (j + (k if dy >= 0.0 else 1.0 - k) - py) * lanes[_INV_Y, lane]
        through_x = tx < ty
        t_out = tx if through_x else ty
        # A ray along an edge of cells crosses it at no definite time, but not earlier than now.
        t_out = t_out if t_out > t else t
        # Parallel to that side it cannot have left the square, despite rounding.
        x, low, high = np.floor(px + t_out * dx), i - k + 1.0, i + k - 1.0
        x = x if x > low else low
        x = x if x < high else high
        y, low, high = np.floor(py + t_out * dy), j - k + 1.0, j + k - 1.0
        y = y if y > low else low
        y = y if y < high else high
        next_i, next_j = i + (k if dx >= 0.0 else -k), j + (k if dy >= 0.0 else -k)
        x = next_i if through_x else x
        y = y if through_x else next_j
        lanes[_T, lane] = t_out if going else t
        x = x if going else i
        y = y if going else j
        lanes[_I, lane], lanes[_J, lane] = x, y
        cell[lane] = np.int64(y * width + x)


@driver(inline=True)
def _look_around(lanes, cell, flat, reach):
    """Look up the half widths of the free squares around the new cells; returns whether any ray continues."""
    room = 0.0
    for lane in range(LANES):
        k = float(flat[cell[lane]])
        lanes[_K, lane] = k
        room += k if lanes[_T, lane] < reach else 0.0
    return room > 0.0


@driver(inline=True)
def _arrive(lanes, ranges, n, first, used, reach, columns, rows):
    """Write the ranges of one pose's beams `first` and following; the ring around the grid is out of reach."""
    for lane in range(used):
        t, i, j = lanes[_T, lane], lanes[_I, lane], lanes[_J, lane]
        in_ring = i == 0.0 or j == 0.0 or i == columns - 1.0 or j == rows - 1.0
        ranges[n, first + lane] = reach if in_ring or t >= reach else t


@driver
def _enter(lanes, px, py, reach, boxes):
    """Move rays from outside to their entry into the grid; returns whether any is in it. Others stay in the ring."""
    rows, columns = boxes.shape
    moving = False
    for lane in range(LANES):
        dx, dy = lanes[_DX, lane], lanes[_DY, lane]
        t = _entry(px, py, dx, dy, columns - 1.0, rows - 1.0)
        if t < reach:
            i = min(max(math.floor(px + t * dx), 1), columns - 2)
            j = min(max(math.floor(py + t * dy), 1), rows - 2)
            lanes[_T, lane], lanes[_I, lane], lanes[_J, lane] = t, i, j
            lanes[_K, lane] = boxes[j, i]
            moving = moving or boxes[j, i] > 0
    return moving


@driver
def _entry(px, py, dx, dy, right, top):
    """The parameter at which a ray from outside enters ``[1, right) x [1, top)``; infinity if it misses it."""
    near, far = 0.0, np.inf
    for p, d, low, high in ((px, dx, 1.0, right), (py, dy, 1.0, top)):
        if d == 0.0:
            if p < low or p >= high:
                return np.inf
        else:
            a, b = (low - p) / d, (high - p) / d
            near, far = max(near, min(a, b)), min(far, max(a, b))
    return near if near < far else np.inf
