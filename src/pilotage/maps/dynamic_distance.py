"""A distance field that follows changes of the map, exactly."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.raster import Raster
from pilotage.models.trace import driver

from .cells import GridCells, bools, bools_of
from .distance import _column_distances, _in_halves, _row_envelopes

Mask = NDArray[np.bool_]
MANY = 16
"""Changed columns in a row from which the whole row is computed rather than its changed columns."""


class DynamicDistance:
    """A distance field kept up to date while cells become occupied or free; equal to one from scratch, bit for bit.

    ::

        d(y, x)^2 = min over columns u of f(x - u)^2 + f(g(y, u))^2,   g(y, u) = distance to the obstacles in column u

    A change recomputes g in its columns. In a row, a smaller g can only lower distances, so a minimum suffices; a
    larger g matters only if a distance was that to this column, and then the whole row is computed. Between centres,
    f(n) = |n|; to the faces of cells, in halves of a cell, f(n) = max(2 |n| - 1, 0).

    Args:
        grid: the map as it is now; its frame stays.
        signed: False for distances between cell centres, as `OccupancyGrid.distance_field`; True for distances from
            centres to the faces of occupied cells, negative inside, as ``distance_field(signed=True)``.

    Source: the two scans of A. Meijster, J. Roerdink, W. Hesselink, 2000; the task is that of B. Lau, C. Sprunk,
    W. Burgard, Efficient grid-based spatial representations for robot navigation in dynamic environments, 2013, whose
    brushfire is exact except on some ridges.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> distance = DynamicDistance(OccupancyGrid.from_ascii(["#....."]))
        >>> distance.mark([[0, 4]])
        1
        >>> distance.values
        array([[0., 1., 2., 1., 0., 1.]])
        >>> distance.mark([[0, 0]], occupied=False), distance.values
        (1, array([[4., 3., 2., 1., 0., 1.]]))
    """

    def __init__(self, grid: GridCells, *, signed: bool = False) -> None:
        if not isinstance(grid, GridCells):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ShapeError(f"DynamicDistance needs a grid of cells, not {type(grid).__name__}")
        self.grid, self.signed = grid, bool(signed)
        self._occupied = np.array(grid.occupied)
        self._outside = _Squares(self._occupied, self.signed)
        self._inside = _Squares(~self._occupied, self.signed) if self.signed else None
        self._values = np.empty(grid.shape)
        self._write(slice(None))

    def __repr__(self) -> str:
        kind = "signed, to faces" if self.signed else "between centres"
        return f"DynamicDistance({kind}, {int(self._occupied.sum())} occupied cells of {self.grid!r})"

    @property
    def values(self) -> NDArray[np.float64]:
        """The distances ``(ny, nx)`` [m] as they are now: a read-only view that later changes overwrite."""
        return _view(self._values)

    @property
    def occupied(self) -> Mask:
        """The occupied cells ``(ny, nx)`` as they are now, a read-only view."""
        return _view(self._occupied)

    @property
    def squares(self) -> NDArray[Any]:
        """The squared distances ``(ny, nx)`` as integers [cells], of half cells if signed; huge without obstacles."""
        return _view(self._outside.squares)

    def copy(self) -> DynamicDistance:
        """A copy that changes on its own."""
        return copy.deepcopy(self, {id(self.grid): self.grid})

    def field(self) -> Raster:
        """A copy of the distances [m] as they are now, to interpolate."""
        return Raster(self._values, self.grid.resolution, self.grid.origin)

    def mark(self, cells: ArrayLike, occupied: ArrayLike = True) -> int:
        """Change cells (row, column) ``(K, 2)``.

        Args:
            cells: rows and columns; those off the map are ignored.
            occupied: whether they are occupied now, one bool for all or ``(K,)``.

        Returns:
            The number of cells that changed.

        Raises:
            ShapeError: if the shapes do not fit, or `occupied` holds numbers other than 0 and 1.
        """
        given = numbers(cells, "cells") if np.size(cells) else np.zeros((0, 2))
        on = self.grid.contains_cell(given)
        state = bools_of(occupied, on.shape)[on]
        rows, columns = given[on].astype(np.int64).T
        before = self._occupied[rows, columns]
        self._occupied[rows, columns] = state
        changed = before != self._occupied[rows, columns]
        self._repair(np.unique(columns[changed]))
        return len(np.unique(rows[changed] * self._occupied.shape[1] + columns[changed]))

    def follow(self, occupied: ArrayLike) -> int:
        """Take over the occupied cells ``(ny, nx)`` of a whole map; only what differs costs time.

        Returns:
            The number of cells that changed.

        Raises:
            ShapeError: if the shape is another one, or there are numbers other than 0 and 1, such as probabilities.
        """
        mask = np.ascontiguousarray(bools(occupied))
        if mask.shape != self._occupied.shape:
            raise ShapeError(f"occupied must have the shape of the grid, {self._occupied.shape}, not {mask.shape}")
        changed = mask != self._occupied
        self._occupied[...] = mask
        self._repair(np.flatnonzero(changed.any(axis=0)))
        return int(np.count_nonzero(changed))

    def _repair(self, columns: NDArray[np.int64]) -> None:
        """Bring the distances up to date after changes in some columns."""
        if len(columns):
            touched = self._outside.repair(self._occupied, columns)
            if self._inside is not None:
                touched |= self._inside.repair(~self._occupied, columns)
            self._write(touched)

    def _write(self, rows: Any) -> None:
        out = self._outside.distances(rows)
        if self._inside is not None:
            out = out - self._inside.distances(rows)
        self._values[rows] = out * self.grid.resolution


class _Squares:
    """Squared distances to the True cells of a mask, in cells between centres, in half cells to faces."""

    def __init__(self, mask: Mask, faces: bool) -> None:
        self.faces, self.diagonal = faces, float(np.hypot(*mask.shape))
        kind = np.int32 if sum(mask.shape) < (23_000 if faces else 46_000) else np.int64
        self.most = np.iinfo(kind).max
        self.g = np.empty(mask.shape, kind)
        self.squares: NDArray[Any] = np.full(mask.shape, self.most, kind)
        self.farthest = np.full(len(mask), self.most, np.int64)
        _column_distances(mask, self.g)
        self.empty = not mask.any()
        if not self.empty:
            rows: NDArray[Any] = _in_halves(np.maximum(2 * self.g - 1, 0)) if faces else self.g.copy()
            _row_envelopes(rows, np.empty((3, rows.shape[1]), np.int64))
            self.squares = np.ascontiguousarray(rows[:, 1::2] if faces else rows)
            self.farthest[:] = self.squares.max(axis=1)

    def repair(self, mask: Mask, columns: NDArray[np.int64]) -> Mask:
        """Follow changes in some columns; the rows ``(ny,)`` whose distances may differ."""
        was, self.empty = self.empty, not mask.any()
        touched = np.zeros(len(mask), np.bool_)
        width = self.squares.shape[1] * (2 if self.faces else 1) + 1
        before = np.empty((len(mask), len(columns)), self.g.dtype)
        scan = np.empty((1, width if self.faces else width - 1), self.g.dtype)
        work = np.empty((3, width), np.int64)
        repair(mask, columns, self.faces, self.empty, self.g, before, self.squares, self.farthest, touched, scan, work)
        if self.empty:
            self.squares[...] = self.most
            self.farthest[:] = self.most
        return np.ones_like(touched) if self.empty or was else touched

    def distances(self, rows: Any) -> NDArray[np.float64]:
        """Distances of some rows [cells]."""
        if self.empty:
            return np.full(self.squares[rows].shape, self.diagonal)
        return (0.5 if self.faces else 1.0) * np.sqrt(self.squares[rows])


def _view(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.setflags(write=False)
    return view


@driver(
    "void(b1[:,::1], i8[::1], b1, b1, i4[:,::1], i4[:,::1], i4[:,::1], i8[::1], b1[::1], i4[:,::1], i8[:,::1])",
    "void(b1[:,::1], i8[::1], b1, b1, i8[:,::1], i8[:,::1], i8[:,::1], i8[::1], b1[::1], i8[:,::1], i8[:,::1])",
)
def repair(mask, columns, faces, empty, g, before, squares, farthest, touched, scan, work):
    """Bring squared distances up to date after changes in some columns.

    Args:
        mask: cells ``(ny, nx)`` as they are now.
        columns: indices ``(K,)`` of columns with changes.
        faces: whether distances are to faces, in half cells, or to centres.
        empty: whether no cell is True; then only `g` is updated.
        g: distances along the columns; changed.
        before: memory ``(ny, K)``: `g` before the change.
        squares: squared distances; changed.
        farthest: upper bounds ``(ny,)`` of `squares` in each row; changed.
        touched: rows ``(ny,)`` with other distances than before; changed.
        scan, work: memory for one row.
    """
    for k in range(columns.shape[0]):
        _column(mask, columns[k], g, before[:, k])
    if empty:
        return
    for y in range(mask.shape[0]):
        if _stale(columns, faces, g[y], before[y], squares[y], farthest[y]):
            touched[y] = True
            _whole_row(g[y], squares[y], faces, scan, work)
            farthest[y] = _largest(squares[y])
            continue
        for k in range(columns.shape[0]):
            x = columns[k]
            if g[y, x] < before[y, k] and _lower(squares[y], x, g[y, x], faces, farthest[y]):
                touched[y] = True


@driver
def _column(mask, x, g, before):
    """Compute the distances along one column, and keep those before the change."""
    d = mask.shape[0] + mask.shape[1] - 1
    for y in range(mask.shape[0]):
        before[y] = g[y, x]
        d = 0 if mask[y, x] else d + 1
        g[y, x] = d
    for y in range(mask.shape[0] - 2, -1, -1):
        g[y, x] = min(g[y, x], g[y + 1, x] + 1)


@driver
def _largest(squares):
    """The largest square of a row."""
    most = squares[0]
    for x in range(1, squares.shape[0]):
        most = max(most, squares[x])
    return most


@driver
def _stale(columns, faces, g, before, squares, farthest):
    """Whether the whole row has to be computed: many columns changed, or one from which distances were taken rose."""
    count = 0
    for k in range(columns.shape[0]):
        change = g[columns[k]] - before[k]
        if change > 0 and _attained(squares, columns[k], before[k], faces, farthest):
            return True
        count += 1 if change != 0 else 0
        if count > MANY:
            return True
    return False


@driver(inline=True)
def _length(n, faces):
    """Cells between centres as lengths: the same, or half cells to the face."""
    return max(2 * n - 1, 0) if faces else n


@driver(inline=True)
def _reach(square, height, faces):
    """The most columns away that a column of this height can matter, where no square is above `square`; -1 for none."""
    left = square - height * height
    if left < 0:
        return -1
    return int(math.sqrt(left)) // (2 if faces else 1) + 2


@driver
def _attained(squares, x, g, faces, farthest):
    """Whether some square of a row is the one to column x."""
    height = np.int64(_length(np.int64(g), faces))
    reach = _reach(farthest, height, faces)
    for i in range(max(x - reach, 0), min(x + reach + 1, squares.shape[0]) if reach >= 0 else 0):
        d = _length(abs(i - x), faces)
        if squares[i] == d * d + height * height:
            return True
    return False


@driver
def _lower(squares, x, g, faces, farthest):
    """Lower the squares of a row to those to column x; whether one changed."""
    height = np.int64(_length(np.int64(g), faces))
    reach = _reach(farthest, height, faces)
    changed = False
    for i in range(max(x - reach, 0), min(x + reach + 1, squares.shape[0]) if reach >= 0 else 0):
        d = _length(abs(i - x), faces)
        square = d * d + height * height
        if square < squares[i]:
            squares[i] = square
            changed = True
    return changed


@driver
def _whole_row(g, squares, faces, scan, work):
    """Compute the squares of one row from its column distances."""
    if not faces:
        for x in range(g.shape[0]):
            scan[0, x] = g[x]
        _row_envelopes(scan, work)
        for x in range(g.shape[0]):
            squares[x] = scan[0, x]
        return
    for x in range(g.shape[0]):
        height = max(2 * g[x] - 1, 0)
        scan[0, 2 * x + 1] = height
        scan[0, 2 * x] = height if x == 0 else min(height, scan[0, 2 * x - 1])
    scan[0, 2 * g.shape[0]] = scan[0, 2 * g.shape[0] - 1]
    _row_envelopes(scan, work)
    for x in range(g.shape[0]):
        squares[x] = scan[0, 2 * x + 1]
