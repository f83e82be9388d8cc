"""Maps in tiles that particles share until they differ, compiled; `tile_maps` holds the storage."""

from __future__ import annotations

import math

import numpy as np

from pilotage.maps.mapping import add_row, seen_whole
from pilotage.models.trace import driver

SIDE = 32
"""Rows and columns of a tile."""
BLANK = 0
"""The tile about whose cells nothing is known, which nobody changes."""


@driver
def marked(marks, row, column):
    """Whether there is a mark on the tile of marks in that row and column of tiles."""
    for j in range(row * SIDE + 1, (row + 1) * SIDE + 1):
        total = 0
        for i in range(column * SIDE + 1, (column + 1) * SIDE + 1):
            total |= marks[j, i]
        if total:
            return True
    return False


@driver
def own_tile(table, row, column, references, free, counts, evidence, ends):
    """The tile of a map in that row and column, copied before if other maps share it."""
    old = table[row, column]
    if old != BLANK and references[old] == 1:
        return old
    counts[0] -= 1
    new = free[counts[0]]
    for j in range(SIDE):
        for i in range(SIDE):
            evidence[new, j, i] = evidence[old, j, i]
            for a in range(3):
                ends[new, j, i, a] = ends[old, j, i, a]
    if old != BLANK:
        references[old] -= 1
    references[new], table[row, column] = 1, new
    return new


@driver(
    "b1(i4[:,::1], i8, i8, i4[::1], i4[::1], i8[::1], f4[:,:,::1], f4[:,:,:,::1], u1[:,::1], u8[:,::1], i8[::1],"
    "f8, f8, f8, f8, f8, f8, f8[:,::1], f8)"
)
def add_scan(
    table, row, column, references, free, counts, evidence, ends, marks, words, box, base, gain, low, high, x, y, beams,
    reach,
):  # fmt: skip
    """Add the marks of a scan and the ends of its beams to one map, and wipe the marks.

    Returns False, with nothing changed but the box, if there are too few free tiles.

    Args:
        table: tiles of the map ``(R, C)``.
        row, column: of the tile in which the marks begin.
        references: number of maps that hold each tile ``(T,)``.
        free, counts: free tiles, and how many there are ``(1,)``.
        evidence: of the cells ``(T, SIDE, SIDE)``.
        ends: mean column and row of the ends of beams in each cell, and their number ``(T, SIDE, SIDE, 3)``.
        marks, words, box: see `Marks`.
        base, gain, low, high: see `add_marks`.
        x, y, beams, reach: see `Scan`; counted from the corner of the marks.
    """
    low_row, high_row, left, right = box[2] // SIDE, box[3] // SIDE, box[0] // SIDE, box[1] // SIDE
    if _claims(table, row, column, references, marks, low_row, high_row, left, right) > counts[0]:
        return False
    base4, gain4, low4, high4 = np.float32(base), np.float32(gain), np.float32(low), np.float32(high)
    for a in range(low_row, high_row + 1):
        for b in range(left, right + 1):
            if marked(marks, a, b):
                tile = own_tile(table, row + a, column + b, references, free, counts, evidence, ends)
                first = b * SIDE + 1
                for j in range(SIDE):
                    add_row(evidence[tile, j], marks[a * SIDE + j + 1, first : first + SIDE], base4, gain4, low4, high4)
    for j in range(box[2], box[3] + 1):
        words[j + 1, (box[0] + 1) >> 3 : ((box[1] + 1) >> 3) + 1] = 0
    _add_ends(table, row, column, ends, x, y, beams, reach)
    return True


@driver
def _claims(table, row, column, references, marks, low_row, high_row, left, right):
    """The number of tiles that a scan makes a map copy."""
    count = 0
    for a in range(low_row, high_row + 1):
        for b in range(left, right + 1):
            old = table[row + a, column + b]
            if (old == BLANK or references[old] > 1) and marked(marks, a, b):
                count += 1
    return count


@driver
def _add_ends(table, row, column, ends, x, y, beams, reach):
    """Move the mean end of the cells in which beams end."""
    for b in range(beams.shape[1]):
        r = beams[2, b]
        if 0.0 <= r < reach and seen_whole(x, y, beams[0, b], beams[1, b], r, reach):
            u, v = x + r * beams[0, b], y + r * beams[1, b]
            i, j = int(math.floor(u)), int(math.floor(v))
            tile = table[row + j // SIDE, column + i // SIDE]
            if tile != BLANK:  # else the end lies off the marks
                cell = ends[tile, j % SIDE, i % SIDE]
                cell[2] += np.float32(1.0)
                cell[0] += np.float32(u - i - cell[0]) / cell[2]
                cell[1] += np.float32(v - j - cell[1]) / cell[2]


@driver("i8(i4[:,::1], f4[:,:,::1], f4[:,:,:,::1], f8[::1], f8, f8, f8, f8[:,::1])")
def gather_ends(table, evidence, ends, corner, x, y, far, out):
    """Write the mean ends of the occupied cells in the tiles around a place into `out`; returns their number.

    Args:
        table, evidence, ends: see `add_scan`.
        corner: see `TileMaps`.
        x, y: the place [m].
        far: half width of the square around it [m].
        out: receives x and y [m] of as many ends as there is room for.
    """
    u, v, r, n = (x - corner[0]) / corner[2], (y - corner[1]) / corner[2], far / corner[2], 0
    for a in range(max(int((v - r) / SIDE), 0), min(int((v + r) / SIDE) + 1, table.shape[0])):
        for b in range(max(int((u - r) / SIDE), 0), min(int((u + r) / SIDE) + 1, table.shape[1])):
            tile = table[a, b]
            if tile == BLANK:
                continue
            for j in range(SIDE):
                for i in range(SIDE):
                    if evidence[tile, j, i] > 0.0 and ends[tile, j, i, 2] > 0.0 and n < out.shape[0]:
                        out[n, 0] = corner[0] + corner[2] * (b * SIDE + i + ends[tile, j, i, 0])
                        out[n, 1] = corner[1] + corner[2] * (a * SIDE + j + ends[tile, j, i, 1])
                        n += 1
    return n
