"""Surfaces: the points of scans with the lines through their neighbours, which scan matching compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError, counted
from pilotage.core.settings import positive

from ._surface import BREAK, COLUMNS, bucket_counts, connect, fill_buckets, fit_lines

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

CELL = 0.5
"""Side of a bucket of points [m]."""
WIDEST = 4_000_000
"""Buckets of the largest surface; points farther apart than that are a mistake, and would fill the memory."""


@dataclass(frozen=True, eq=False, repr=False)
class Surface:
    """Points of one scan or several, each with a line through its neighbours, in one frame.

    ::

        n . (q - c) = 0        c: mean of the neighbours, n: their direction of least spread, towards the sensor

    Attributes:
        table: ``(N, 11)``: point x, y; normal x, y, NaN where a point has no line; direction of its beam x, y; mean of
            its neighbours x, y; sum of their squared distances along the line from their mean [m^2]; variance across
            the line [m^2]; half of the way to the next points [m].
        windows: rows of the first neighbour and the one behind the last, ``(N, 2)``.

    Example:
        >>> angles = np.linspace(-0.5, 0.5, 21)
        >>> wall = scan_surface(2.0 / np.cos(angles), angles, max_range=10.0)
        >>> wall, wall.normals[10].round(6).tolist()
        (Surface(21 points), [-1.0, 0.0])
        >>> wall.moved([1.0, 0.0, np.pi / 2]).points[10].round(6).tolist()
        [1.0, 2.0]
    """

    table: Array
    windows: Indices

    def __repr__(self) -> str:
        return f"Surface({counted(len(self.table), 'point')})"

    def __len__(self) -> int:
        return len(self.table)

    @property
    def points(self) -> Array:
        """Points ``(N, 2)`` [m]."""
        return self.table[:, :2]

    @property
    def normals(self) -> Array:
        """Unit normals towards the sensor ``(N, 2)``, NaN where a point has no line."""
        return self.table[:, 2:4]

    def moved(self, pose: ArrayLike) -> Surface:
        """The surface in the frame in which its own frame has this pose ``(3,)``: x [m], y [m], yaw [rad]."""
        x, y, yaw = numbers(pose, "pose").tolist()
        c, s = np.cos(yaw), np.sin(yaw)
        turn = np.array([[c, s], [-s, c]])
        table = self.table.copy()
        for first in (0, 2, 4, 6):
            table[:, first : first + 2] = self.table[:, first : first + 2] @ turn
        table[:, [0, 6]] += x
        table[:, [1, 7]] += y
        return Surface(table, self.windows)

    @cached_property
    def buckets(self) -> tuple[Array, Indices, Indices]:
        """Points with a line by square cells: corner, side, columns and rows ``(5,)``; the first entry of each cell in
        the list, and the end of the list ``(C + 1,)``; the list of points.
        """
        held = np.flatnonzero(np.isfinite(self.table[:, 2]))
        points = self.table[held, :2] if len(held) else np.zeros((1, 2))
        low = points.min(axis=0) - CELL
        nx, ny = (np.floor((points.max(axis=0) - low) / CELL).astype(np.int64) + 2).tolist()
        if nx * ny > WIDEST:
            raise ShapeError(f"a surface extends over {nx * CELL:.0f} x {ny * CELL:.0f} m; expected one of a few km")
        grid = np.array([*low, CELL, nx, ny])
        first, order = np.zeros(nx * ny + 1, np.int64), np.empty(len(held), np.int64)
        bucket_counts(self.table, grid, first)
        fill_buckets(self.table, grid, first, order)
        return grid, first, order


def scan_surface(
    ranges: ArrayLike, angles: ArrayLike, max_range: float, *, min_range: float = 0.0, span: float = 0.25
) -> Surface:
    """The surface of a scan in the frame of its sensor.

    A line is fitted to the neighbours within `span` of each point, and to those beside it however far they are, as far
    as the points follow each other closely: no gap is longer than 0.15 m and than seven times the distance of beams
    side by side.

    Args:
        ranges: ``(B,)`` [m]; NaN, 0, less than `min_range`, and `max_range` or more are no points.
        angles: directions of the beams ``(B,)``, in their order [rad].
        max_range, min_range: largest and smallest range of a point [m].
        span: largest distance of a neighbour [m]. Normals of longer lines are more exact, those of shorter ones follow
            corners.

    Raises:
        ShapeError: if shapes do not match, or an angle is not finite.
        SettingError: if a range or the span is not positive.

    Example:
        >>> scan_surface([1.0, 1.0, float("nan"), 30.0], [0.0, 0.1, 0.2, 0.3], max_range=20.0)
        Surface(2 points)
    """
    far, near = positive(max_range, "max_range"), positive(min_range, "min_range", zero=True)
    seen, directions = beams(ranges, angles)
    table, windows = np.empty((len(seen), COLUMNS)), np.empty((len(seen), 2), np.int64)
    spacing = float(np.abs(np.diff(directions)).max()) if len(directions) > 1 else 0.0
    count = connect(seen, directions, near, far, BREAK * spacing, table, windows)
    table, windows = table[:count].copy(), windows[:count].copy()
    fit_lines(table, windows, positive(span, "span"))
    return Surface(table, windows)


def join(surfaces: Sequence[Surface]) -> Surface:
    """One surface of several in the same frame.

    Example:
        >>> wall = scan_surface([1.0, 1.0], [0.0, 0.1], max_range=20.0)
        >>> join([wall, wall])
        Surface(4 points)
    """
    first = np.cumsum([0, *map(len, surfaces)]).tolist()
    windows = [each.windows + begin for each, begin in zip(surfaces, first, strict=False)]
    return Surface(
        np.concatenate([np.zeros((0, COLUMNS)), *(each.table for each in surfaces)]),
        np.concatenate([np.zeros((0, 2), np.int64), *windows]),
    )


def of_points(points: Array) -> Surface:
    """The surface of points ``(N, 2)`` without lines."""
    table = np.full((len(points), COLUMNS), np.nan)
    table[:, :2] = points
    return Surface(table, np.zeros((len(points), 2), np.int64))


def beams(ranges: Any, angles: Any) -> tuple[Array, Array]:
    """Ranges and directions of one scan ``(B,)``, checked."""
    seen, directions = numbers(ranges, "ranges", missing=True), numbers(angles, "angles")
    if directions.ndim != 1 or not np.isfinite(directions).all():
        raise ShapeError(f"angles have shape {directions.shape}; expected one finite direction a beam, (B,)")
    if seen.shape != directions.shape:
        raise ShapeError(f"ranges have shape {seen.shape}; expected {directions.shape}, one for each of the angles")
    return np.array(seen), np.array(directions)
