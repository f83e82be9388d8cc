"""Exact distance transforms of boolean grids, compiled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.trace import driver


def distance_transform(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Euclidean distance from each cell centre to the nearest centre of a True cell, in cells; exact.

    ::

        d(y, x)^2 = min over rows u of (y - u)^2 + g(u, x)^2,   g(u, x) = distance to the nearest True in row u

    Args:
        mask: ``(ny, nx)`` of bool.

    Returns:
        ``(ny, nx)`` float64; where `mask` has no True at all, the diagonal of the grid.

    Source: A. Meijster, J. Roerdink, W. Hesselink, A general algorithm for computing distance transforms in linear
    time, 2000; the scans run along memory, which is why rows and columns are swapped against the paper.

    Example:
        >>> distance_transform(np.array([[True, False, False]]))
        array([[0., 1., 2.]])
    """
    grid = np.ascontiguousarray(mask, dtype=np.bool_)
    if not grid.any():
        return np.full(grid.shape, float(np.hypot(*grid.shape)))
    # Half the memory, unless the square of the longest distance takes more.
    squares = np.empty(grid.shape, dtype=np.int32 if sum(grid.shape) < 46_000 else np.int64)
    _column_distances(grid, squares)
    _row_envelopes(squares, np.empty((3, mask.shape[1]), dtype=np.int64))
    return np.sqrt(squares)


@driver("void(Array(b1, 2, 'C', True), i4[:,::1])", "void(Array(b1, 2, 'C', True), i8[:,::1])")
def _column_distances(mask, g):
    """First scan: distance along the column to the nearest True, far above any real one where there is none."""
    rows, columns = mask.shape
    far = rows + columns
    for x in range(columns):
        g[0, x] = 0 if mask[0, x] else far
    for y in range(1, rows):
        for x in range(columns):
            g[y, x] = 0 if mask[y, x] else g[y - 1, x] + 1
    for y in range(rows - 2, -1, -1):
        for x in range(columns):
            g[y, x] = min(g[y, x], g[y + 1, x] + 1)


@driver("void(i4[:,::1], i8[:,::1])", "void(i8[:,::1], i8[:,::1])")
def _row_envelopes(g, work):
    """Second scan: lower envelope of the parabolas ``(x - i)^2 + g(i)^2`` of each row, in place; `work` is memory."""
    rows, columns = g.shape
    s, t, square = work[0], work[1], work[2]
    for y in range(rows):
        for x in range(columns):
            square[x] = g[y, x] * g[y, x]
        q = 0
        s[0] = 0
        t[0] = 0
        for u in range(1, columns):
            while q >= 0:
                a, b = t[q] - s[q], t[q] - u
                if a * a + square[s[q]] <= b * b + square[u]:
                    break
                q -= 1
            if q < 0:
                q = 0
                s[0] = u
            else:
                i = s[q]
                w = 1 + (u * u - i * i + square[u] - square[i]) // (2 * (u - i))
                if w < columns:
                    q += 1
                    s[q] = u
                    t[q] = w
        for x in range(columns - 1, -1, -1):
            d = x - s[q]
            g[y, x] = d * d + square[s[q]]
            if x == t[q]:
                q -= 1


def clear_boxes(blocked: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Half width of the largest blocked-free square around each cell, on a grid with one ring of cells added.

    A value k > 0 says that all cells closer than k in both directions are neither blocked nor in the ring;
    0 marks the ring and the blocked cells themselves. This is the chessboard distance to either, at most 255.
    """
    k = np.zeros((blocked.shape[0] + 2, blocked.shape[1] + 2), np.uint8)
    _clear_boxes(np.ascontiguousarray(blocked), k)
    return k


@driver("void(Array(b1, 2, 'C', True), u1[:,::1])")
def _clear_boxes(blocked, k):
    rows, columns = blocked.shape
    for y in range(1, rows + 1):
        for x in range(1, columns + 1):
            if not blocked[y - 1, x - 1]:
                near = min(k[y - 1, x - 1], k[y - 1, x], k[y - 1, x + 1], k[y, x - 1])
                k[y, x] = min(near + 1, 255)
    for y in range(rows, 0, -1):
        for x in range(columns, 0, -1):
            if k[y, x] > 0:
                near = min(k[y + 1, x - 1], k[y + 1, x], k[y + 1, x + 1], k[y, x + 1])
                k[y, x] = min(near + 1, k[y, x])


def surface_distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Euclidean distance from each cell centre to the nearest point of the squares of True cells, in cells; exact.

    ::

        d = min over True cells (u, v) of hypot(max(|y - u| - 1/2, 0), max(|x - v| - 1/2, 0))

    The two scans of `distance_transform` in half cells: along a row, a square is its middle and its two sides.

    Args:
        mask: ``(ny, nx)`` of bool.

    Returns:
        ``(ny, nx)`` float64, 0 in True cells; where there are none, the diagonal of the grid.

    Example:
        >>> surface_distance(np.array([[True, False, False]]))
        array([[0. , 0.5, 1.5]])
    """
    out = np.empty(mask.shape)
    for rows, distances in surface_bands(mask):
        out[rows] = distances
    return out


def surface_bands(mask: NDArray[np.bool_]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """`surface_distance` of some rows after the other, so that there is little beside the map in memory at a time."""
    grid = np.ascontiguousarray(mask, dtype=np.bool_)
    if not grid.any():
        yield slice(None), np.full(grid.shape, float(np.hypot(*grid.shape)))
        return
    g = np.empty(grid.shape, dtype=np.int32 if sum(grid.shape) < 23_000 else np.int64)
    _column_distances(grid, g)
    work = np.empty((3, 2 * grid.shape[1] + 1), dtype=np.int64)
    for rows in bands(grid.shape):
        halves = _in_halves(np.maximum(2 * g[rows] - 1, 0))
        _row_envelopes(halves, work)
        yield rows, 0.5 * np.sqrt(halves[:, 1::2])


def bands(shape: tuple[int, int]) -> Iterator[slice]:
    """Slices of rows that together are a grid of that shape, of some 200 000 cells each."""
    count = max(1, 200_000 // shape[1])
    return (slice(first, min(first + count, shape[0])) for first in range(0, shape[0], count))


def _in_halves(g: NDArray[Any]) -> NDArray[Any]:
    """Distances along the columns at the middles of cells and, the smaller one, at the sides between them."""
    halves = np.empty((len(g), 2 * g.shape[1] + 1), dtype=g.dtype)
    halves[:, 1::2] = g
    halves[:, 0], halves[:, -1] = g[:, 0], g[:, -1]
    halves[:, 2:-1:2] = np.minimum(g[:, :-1], g[:, 1:])
    return halves
