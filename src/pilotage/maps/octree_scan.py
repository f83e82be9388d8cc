"""The insertion of a scan into an octree, compiled: rays mark voxels, then each marked voxel changes once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.trace import driver
from .octree_blocks import (
    BLOCK,
    CENTRE,
    STORE,
    TOUCHED,
    UNIFORM,
    VOXELS,
    X_BITS,
    Y_BITS,
    Z_BITS,
    Blocks,
    block_of,
    collapse,
    doubled,
    page_of,
    spread,
)

PASSED, HIT = 1, 2
"""Marks of voxels that rays pass, and of those in which they end."""


@driver
def key(p):
    """The key of a coordinate [voxels], as in OctoMap; -1 outside the tree."""
    if not -CENTRE <= p < CENTRE:
        return -1
    return np.int64(math.floor(p)) + CENTRE


@driver
def row_of(store, scan, code):
    """The row of marks of the block around a voxel; -1 if there is no room."""
    counts = store[6]
    slots, touched, marks = scan
    if counts[TOUCHED] == marks.shape[0]:
        return -1
    entry = block_of(store, code)
    if entry < 0 or entry >= slots.shape[0]:
        return -1
    if slots[entry] < 0:
        slots[entry] = counts[TOUCHED]
        touched[counts[TOUCHED]] = entry
        counts[TOUCHED] += 1
    return slots[entry]


@driver
def mark_passed(store, scan, x, y, z, ex, ey, ez):
    """Mark the voxels from a start up to, but not including, that of the end; False if there is no room.

    The traversal of J. Amanatides and A. Woo (A fast voxel traversal algorithm for ray tracing, 1987). It steps in the
    interleaved codes directly: a carry runs through the bits of the other axes, which are set for it. An axis that has
    arrived takes no further step, whatever rounding says.
    """
    i, j, k = key(x), key(y), key(z)
    ei, ej, ek = key(ex), key(ey), key(ez)
    if min(i, j, k) < 0 or min(ei, ej, ek) < 0:
        return True
    marks = scan[2]
    nx, ny, nz = abs(ei - i), abs(ej - j), abs(ek - k)
    dx, dy, dz = ex - x, ey - y, ez - z
    tx = (i - CENTRE + (1 if dx > 0.0 else 0) - x) / dx if nx > 0 else np.inf
    ty = (j - CENTRE + (1 if dy > 0.0 else 0) - y) / dy if ny > 0 else np.inf
    tz = (k - CENTRE + (1 if dz > 0.0 else 0) - z) / dz if nz > 0 else np.inf
    sx = 1 / abs(dx) if nx > 0 else 0.0
    sy = 1 / abs(dy) if ny > 0 else 0.0
    sz = 1 / abs(dz) if nz > 0 else 0.0
    step_x = -X_BITS if dx > 0.0 else -1
    step_y = 1 - Y_BITS if dy > 0.0 else -2
    step_z = 3 - Z_BITS if dz > 0.0 else -4
    cx, cy, cz = spread(i), spread(j) << 1, spread(k) << 2
    block, row = np.int64(-1), np.int64(0)
    for _ in range(nx + ny + nz):
        code = cx | cy | cz
        if code >> (3 * BLOCK) != block:
            block = code >> (3 * BLOCK)
            row = row_of(store, scan, code)
            if row < 0:
                return False
        marks[row, code & (VOXELS - 1)] = PASSED
        if tx < ty and tx < tz:
            nx -= 1
            tx = tx + sx if nx > 0 else np.inf
            cx = (cx + step_x) & X_BITS
        elif ty < tz:
            ny -= 1
            ty = ty + sy if ny > 0 else np.inf
            cy = (cy + step_y) & Y_BITS
        else:
            nz -= 1
            tz = tz + sz if nz > 0 else np.inf
            cz = (cz + step_z) & Z_BITS
    return True


@driver(f"i8({STORE}, i4[::1], i4[::1], u1[:,::1], f8[:,::1], f8[::1], f8, i8)")
def mark(table, keys, values, pages, voxels, spare, counts, slots, touched, marks, points, origin, reach, start):
    """Mark what the rays of a scan pass, then where they end; ends outweigh passages.

    Args:
        table, keys, values, pages, voxels, spare, counts: of `Blocks`.
        slots, touched, marks: of `Scan`.
        points: ends of the rays ``(N, 3)`` [voxels]; those that are not finite are left out.
        origin: of all rays ``(3,)`` [voxels].
        reach: longest ray [voxels]; the rest of longer ones is cut off, and they have no end.
        start: the step from 0 to 2 N at which to go on.

    Returns:
        2 N, or the step at which there was no room.
    """
    store, scan = (table, keys, values, pages, voxels, spare, counts), (slots, touched, marks)
    count = points.shape[0]
    x, y, z = origin
    for step in range(start, 2 * count):
        ex, ey, ez = points[step % count]
        length = math.sqrt((ex - x) ** 2 + (ey - y) ** 2 + (ez - z) ** 2)
        if not length < np.inf:
            continue
        share = reach / length if length > 0.0 else np.inf
        cx, cy, cz = x + share * (ex - x), y + share * (ey - y), z + share * (ez - z)
        if step < count:
            if share < 1.0:
                ex, ey, ez = cx, cy, cz
            if not mark_passed(store, scan, x, y, z, ex, ey, ez):
                return step
        elif length <= reach and min(key(ex), key(ey), key(ez)) >= 0:
            if key(cx) == key(ex) and key(cy) == key(ey) and key(cz) == key(ez):
                continue  # no ray passes the voxel where the reach ends, so nothing could take this back
            code = spread(key(ex)) | (spread(key(ey)) << 1) | (spread(key(ez)) << 2)
            row = row_of(store, scan, code)
            if row < 0:
                return step
            marks[row, code & (VOXELS - 1)] = HIT
    return 2 * count


@driver(f"i8({STORE}, i4[::1], i4[::1], u1[:,::1], f4[::1], i8)")
def apply(table, keys, values, pages, voxels, spare, counts, slots, touched, marks, evidence, start):
    """Change each marked voxel once, and clear the marks.

    Args:
        table, keys, values, pages, voxels, spare, counts: of `Blocks`.
        slots, touched, marks: of `Scan`.
        evidence: log-odds of a miss and a hit, and their limits ``(4,)``.
        start: the block of the scan at which to go on.

    Returns:
        The number of blocks in the scan, or the one at which there was no room.
    """
    store = (table, keys, values, pages, voxels, spare, counts)
    for row in range(start, counts[TOUCHED]):
        entry = touched[row]
        if not (pages[entry] == UNIFORM and _settled(marks[row], values[entry], evidence)):
            page = page_of(store, entry)
            if page < 0:
                return row
            for v in range(VOXELS):
                if marks[row, v] != 0:
                    voxels[page, v] = changed(voxels[page, v], evidence[marks[row, v] - PASSED], evidence)
            collapse(store, entry)
        marks[row, :] = 0
        slots[entry] = -1
    return counts[TOUCHED]


@driver
def changed(old, change, evidence):
    """The log-odds of a voxel after a change; unknown ones start from 0."""
    new = (np.float32(0.0) if math.isnan(old) else old) + change
    return min(max(new, evidence[2]), evidence[3])


@driver
def _settled(marks, value, evidence):
    """Whether marks change nothing in a block of one value: it is at a limit, and all evidence points there."""
    for v in range(VOXELS):
        if marks[v] != 0 and changed(value, evidence[marks[v] - PASSED], evidence) != value:
            return False
    return True


@driver(f"i8({STORE}, i8[::1], f4[::1], f4[::1], i8)")
def change_voxels(table, keys, values, pages, voxels, spare, counts, codes, changes, evidence, start):
    """Change voxels by their codes, one after the other; returns how many are done. Code -1 is none."""
    store = (table, keys, values, pages, voxels, spare, counts)
    for n in range(start, codes.shape[0]):
        if codes[n] < 0:
            continue
        entry = block_of(store, codes[n])
        if entry < 0:
            return n
        page = page_of(store, entry)
        if page < 0:
            return n
        v = codes[n] & (VOXELS - 1)
        voxels[page, v] = changed(voxels[page, v], changes[n], evidence)
        collapse(store, entry)
    return codes.shape[0]


def change(blocks: Blocks, codes: NDArray[np.int64], changes: Any, evidence: Any) -> None:
    """Change voxels by their codes, one after the other; -1 is none."""
    done = 0
    while (done := change_voxels(*blocks.arrays, codes, changes, evidence, done)) < len(codes):
        blocks.grow()


class Scan:
    """The marks of one scan, kept for the next one; all are clear in between."""

    def __init__(self) -> None:
        self.slots = np.empty(0, dtype=np.int32)
        self.touched = np.empty(64, dtype=np.int32)
        self.marks = np.zeros((64, VOXELS), dtype=np.uint8)

    @property
    def arrays(self) -> tuple[Any, ...]:
        """Arguments of drivers, in their order."""
        return self.slots, self.touched, self.marks

    def insert(
        self, blocks: Blocks, points: NDArray[np.float64], origin: NDArray[np.float64], reach: float, evidence: Any
    ) -> None:
        """Add a scan: points ``(N, 3)`` seen from an origin ``(3,)``, in voxels. An interrupt leaves no marks."""
        try:
            self._insert(blocks, points, origin, reach, evidence)
        except BaseException:
            self.__init__()
            raise

    def _insert(self, blocks: Blocks, points: Any, origin: Any, reach: float, evidence: Any) -> None:
        blocks.counts[TOUCHED] = done = 0
        self._fit(blocks)
        while (done := mark(*blocks.arrays, *self.arrays, points, origin, reach, done)) < 2 * len(points):
            blocks.grow()
            self._fit(blocks)
        done = 0
        while (done := apply(*blocks.arrays, *self.arrays, evidence, done)) < blocks.counts[TOUCHED]:
            blocks.grow()

    def _fit(self, blocks: Blocks) -> None:
        """Make room for the blocks there are, and for twice the marks if they are full."""
        missing = max(len(blocks.keys) - len(self.slots), 0)
        self.slots = np.concatenate((self.slots, np.full(missing, -1, dtype=np.int32)))
        if blocks.counts[TOUCHED] == len(self.marks):
            self.touched = doubled(self.touched)
            self.marks = np.concatenate((self.marks, np.zeros_like(self.marks)))
