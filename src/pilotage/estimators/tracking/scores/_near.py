"""Pairs of states that are near each other at the same instant, compiled, for points and for boxes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ....core.arrays import Array
from ....models.trace import driver

Integers = NDArray[np.int64]


def near_pairs(
    x: Array, y: Array, first: Integers, after: Integers, boxes: bool, cutoff: float
) -> tuple[Integers, Integers, Array]:
    """Rows and columns ``(P,)`` of pairs with a similarity above 0, and their IoU if they are boxes, else distance.

    Args:
        x: boxes or points ``(R, k)``.
        y: boxes or points ``(Q, k)``.
        first: first row of y at the instant of each row of x ``(R,)``.
        after: the row after the last one ``(R,)``.
        boxes: whether they are boxes, whose similarity is their IoU; else it is ``1 - d / c``.
        cutoff: distance c.

    Example:
        >>> x, y = np.zeros((1, 2)), np.array([[3.0, 4.0], [9.0, 9.0]])
        >>> near_pairs(x, y, np.array([0]), np.array([2]), False, 6.0)
        (array([0]), array([0]), array([5.]))
    """
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    starts, none = np.zeros(len(x) + 1, dtype=np.int64), np.zeros(0, dtype=np.int64)
    _find.compiled(x, y, first, after, boxes, cutoff, False, starts, none, np.zeros(0))
    np.cumsum(starts, out=starts)
    column, value = np.empty(starts[-1], dtype=np.int64), np.empty(starts[-1])
    _find.compiled(x, y, first, after, boxes, cutoff, True, starts, column, value)
    return np.repeat(np.arange(len(x)), np.diff(starts)), column, value


@driver
def _overlap(x, y, i, j):
    """IoU of two boxes, in the order of operations of `pilotage.core.boxes.overlaps`."""
    wide = min(x[i, 0] + x[i, 2], y[j, 0] + y[j, 2]) - max(x[i, 0], y[j, 0])
    high = min(x[i, 1] + x[i, 3], y[j, 1] + y[j, 3]) - max(x[i, 1], y[j, 1])
    inside = max(wide, 0.0) * max(high, 0.0)
    union = x[i, 2] * x[i, 3] + y[j, 2] * y[j, 3] - inside
    return min(inside / union, 1.0) if union > 0.0 else 0.0


@driver
def _apart(x, y, i, j):
    """Distance of two points."""
    total = 0.0
    for k in range(x.shape[1]):
        total += (x[i, k] - y[j, k]) ** 2
    return math.sqrt(total)


Rows = "Array(f8, 2, 'C', True)"


@driver(f"void({Rows}, {Rows}, i8[::1], i8[::1], b1, f8, b1, i8[::1], i8[::1], f8[::1])")
def _find(x, y, first, after, boxes, cutoff, fill, starts, column, value):
    """Count the pairs of row i in ``starts[i + 1]``; or, if `starts` holds their sums, write them."""
    far = cutoff * (1.0 + 1e-9)  # no rounding of the distance matters beyond that
    for i in range(x.shape[0]):
        count = 0
        for j in range(first[i], after[i]):
            if not boxes and abs(x[i, 0] - y[j, 0]) > far:
                continue
            found = _overlap(x, y, i, j) if boxes else _apart(x, y, i, j)
            near = found > 0.0 if boxes else 1.0 - found / cutoff > 0.0
            if near:
                if fill:
                    column[starts[i] + count] = j
                    value[starts[i] + count] = found
                count += 1
        if not fill:
            starts[i + 1] = count
