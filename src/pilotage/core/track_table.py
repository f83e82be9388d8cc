"""Tables of tracks: the states of many targets over time, as truth or as a tracker reports them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, cast

import numpy as np
from numpy.typing import NDArray

from .arrays import Array, frozen, numbers
from .covariances import check_semidefinite
from .errors import ShapeError, SpaceError
from .settings import Interval, instance, setting
from .space import Space

Integers = NDArray[np.int64]
Longest = Annotated[float, Interval(0.0, np.inf, "[]")]
SAME = 1e-6
"""Times closer than this are one [s]."""
COLUMNS = ("t", "id", "x", "cov", "score", "kind")


@dataclass(frozen=True, eq=False, init=False, repr=False)
class TrackTable:
    """The states of many targets over time, one row for each target at each instant: truth, or the output of a tracker.

    Rows are sorted by time, and by id within an instant; they may be given in any order.

    Args:
        t: times ``(R,)`` [s].
        id: whole numbers ``(R,)`` that name the targets; each occurs once in an instant.
        x: states ``(R, n)``.
        space: the space of the states; `BOX` for boxes in an image.
        cov: covariances ``(R, d, d)`` in the tangent space of each state, or None.
        score: confidences ``(R,)``, or None.
        kind: kinds of target ``(R,)``, such as "car", one for all rows, or None.

    Raises:
        ShapeError: if lengths differ, a number is NaN or infinite, an id is no whole number, or an id occurs twice in
            an instant.
        CovarianceError: if a covariance is not symmetric or is indefinite.
        SettingError: if `space` is no `Space`.

    Example:
        >>> table = TrackTable([0.0, 0.0, 0.1], [7, 3, 7], [[1.0, 2.0], [9.0, 9.0], [1.2, 2.0]], space=Space("x y [m]"))
        >>> table
        TrackTable(3 rows of 2 targets at 2 instants, 0 to 0.1 s)
        >>> table.id.tolist(), table.at(0.1).x.tolist(), table.of(7).t.tolist()
        ([3, 7, 7], [[1.2, 2.0]], [0.0, 0.1])
    """

    t: Array
    id: Integers
    x: Array
    space: Space
    cov: Array | None
    score: Array | None
    kind: NDArray[np.str_] | None

    def __init__(
        self, t: Any, id: Any, x: Any, *, space: Space, cov: Any = None, score: Any = None, kind: Any = None
    ) -> None:
        instance(space, Space, "TrackTable")
        times = _times(t)
        rows = len(times)
        names = _ids(id, rows)
        given = numbers(x, "x of a track table")
        states = space.check(given.reshape(0, space.size) if given.size == 0 else given, "x of a track table")
        _check_shape(states, (rows, space.size), "x")
        covs = None if cov is None else _covariances(cov, rows, space.dim)
        scores = None if score is None else _scores(score, rows)
        kinds = None if kind is None else _kinds(kind, rows)
        order = np.lexsort((names, times))
        _refuse_repeated(times[order], names[order])
        self._set(space, order, t=times, id=names, x=states, cov=covs, score=scores, kind=kinds)

    def _set(self, space: Space, rows: Any, **columns: Any) -> None:
        """Columns as read-only copies of those rows."""
        kept = {name: None if column is None else _fixed(column[rows]) for name, column in columns.items()}
        self.__dict__.update(kept, space=space)

    def __getitem__(self, rows: slice | NDArray[np.bool_] | Integers) -> TrackTable:
        """The table of some rows: a slice, one bool for each row, or increasing row numbers."""
        table = object.__new__(TrackTable)
        table._set(self.space, rows, **{name: getattr(self, name) for name in COLUMNS})
        return table

    def __len__(self) -> int:
        return len(self.t)

    @cached_property
    def times(self) -> Array:
        """The instants ``(K,)`` at which there are rows, increasing [s]."""
        return frozen(np.unique(self.t))

    @cached_property
    def offsets(self) -> Integers:
        """``(K + 1,)``: the rows of instant k are ``offsets[k]:offsets[k + 1]``."""
        return _fixed(np.append(np.searchsorted(self.t, self.times), len(self)).astype(np.int64))

    @cached_property
    def ids(self) -> Integers:
        """The ids ``(N,)`` that occur, increasing."""
        return _fixed(np.unique(self.id))

    def instants(self) -> Iterator[TrackTable]:
        """The tables of the instants, one after another."""
        return (self[i:j] for i, j in zip(self.offsets[:-1], self.offsets[1:], strict=True))

    def at(self, t: float) -> TrackTable:
        """The rows of one instant; none, if there are none at exactly that time [s]."""
        return self[slice(*np.searchsorted(self.t, [t, np.nextafter(t, np.inf)]))]

    def of(self, id: int) -> TrackTable:
        """The rows of one target over time."""
        return self[self.id == id]

    def between(self, start: float, end: float) -> TrackTable:
        """The rows from one time to another, both included [s]."""
        return self[slice(*np.searchsorted(self.t, [start, np.nextafter(end, np.inf)]))]

    def joined(self, *others: TrackTable) -> TrackTable:
        """One table with the rows of this one and of others on the same space.

        A column that one of them lacks is dropped.

        Raises:
            SpaceError: if spaces differ.
            ShapeError: if an id occurs twice in an instant.

        Example:
            >>> near, far = (TrackTable([0.0], [i], [[10.0 * i]], space=Space("x [m]")) for i in (1, 2))
            >>> near.joined(far).x.tolist()
            [[10.0], [20.0]]
        """
        tables = (self, *(instance(other, TrackTable, "joined") for other in others))
        for table in tables:
            if table.space != self.space:
                raise SpaceError(f"a track table on {table.space} cannot be joined with one on {self.space}")
        columns = {name: [getattr(table, name) for table in tables] for name in COLUMNS}
        whole: dict[str, Any] = {
            name: None if any(part is None for part in parts) else np.concatenate(parts)
            for name, parts in columns.items()
        }
        return TrackTable(**whole, space=self.space)

    def interpolated(self, ts: Any, *, longest: float = np.inf) -> TrackTable:
        """The targets at other times, such as the truth at the times of the scans of a tracker.

        The state of a target is ``x_a (+) s (x_b (-) x_a)`` between its rows a and b, with s from 0 to 1; its score and
        kind are those of row a. It has no covariance, and no rows before its first or after its last.

        Args:
            ts: times [s].
            longest: between rows further apart than this, a target has no rows [s].

        Example:
            >>> table = TrackTable([0.0, 2.0, 4.0], [7, 7, 7], [[0.0], [10.0], [10.0]], space=Space("x [m]"))
            >>> table.interpolated([1.0, 2.5, 9.0]).x.tolist()
            [[5.0], [10.0]]
        """
        times, most = np.unique(_finite(ts, "ts")), setting(longest, Longest, "longest of interpolated")
        parts = [_between(np.flatnonzero(self.id == id), self.t, times, most) for id in self.ids]
        none = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
        a, b, t, share = (np.concatenate(column) for column in zip(none, *parts, strict=True))
        x = self.space.interpolate(self.x[a], self.x[b], share)
        score, kind = (None if column is None else column[a] for column in (self.score, self.kind))
        return TrackTable(t, self.id[a], x, space=self.space, score=score, kind=kind)

    def __repr__(self) -> str:
        span = f", {self.t[0]:.12g} to {self.t[-1]:.12g} s" if len(self) else ""
        return f"TrackTable({len(self)} rows of {len(self.ids)} targets at {len(self.times)} instants{span})"


def _between(rows: Integers, t: Array, times: Array, longest: float) -> tuple[Integers, Integers, Array, Array]:
    """Rows before and after those of `times` at which a target has a state, these times, and how far between."""
    own = t[rows]
    inside = times[(times >= own[0] - SAME) & (times <= own[-1] + SAME)]
    before = np.maximum(np.searchsorted(own, inside, side="right") - 1, 0)
    after = np.minimum(before + 1, len(own) - 1)
    gap = own[after] - own[before]
    share = np.clip((inside - own[before]) / np.where(gap > 0.0, gap, 1.0), 0.0, 1.0)
    near = np.minimum(np.abs(inside - own[before]), np.abs(inside - own[after])) <= SAME
    kept = near | (gap <= longest)
    return rows[before[kept]], rows[after[kept]], inside[kept], share[kept]


def _fixed(column: Any) -> Any:
    """The column, read-only; a copy, if it could be changed elsewhere."""
    if column.flags.writeable:
        column = column.copy()
        column.flags.writeable = False
    return column


def _check_shape(given: NDArray[Any], expected: tuple[int, ...], name: str) -> None:
    if given.shape != expected:
        raise ShapeError(f"{name} of a track table has shape {given.shape}; expected {expected}, as t has one a row")


def _finite(given: Any, name: str) -> Array:
    """Checked finite numbers ``(R,)``."""
    column = numbers(given, f"{name} of a track table")
    if column.ndim != 1:
        raise ShapeError(f"{name} of a track table has shape {column.shape}; expected one number a row, (R,)")
    if not np.isfinite(column).all():
        row = int(np.argmin(np.isfinite(column)))
        raise ShapeError(f"{name} of a track table is {column[row]} in row {row}; give finite numbers, or drop the row")
    return column


def _times(t: Any) -> Array:
    return _finite(t, "t") + 0.0  # no -0.0


def _ids(id: Any, rows: int) -> Integers:
    given = np.asarray(id)
    column: Any = given if given.dtype.kind in "iu" and given.ndim == 1 else _finite(id, "id")
    _check_shape(column, (rows,), "id")
    wrong = (np.abs(column) > 2**53) | (np.rint(column) != column)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ShapeError(f"id of a track table is {column[row]} in row {row}; expected whole numbers up to 2^53")
    return column.astype(np.int64)


def _covariances(cov: Any, rows: int, dim: int) -> Array:
    given = numbers(cov, "cov of a track table")
    given = given.reshape(0, dim, dim) if given.size == 0 and not rows else given
    _check_shape(given, (rows, dim, dim), "cov")
    return check_semidefinite(given, dim, "cov of a track table") if rows else given


def _scores(score: Any, rows: int) -> Array:
    column = _finite(score, "score")
    _check_shape(column, (rows,), "score")
    return column


def _kinds(kind: Any, rows: int) -> NDArray[np.str_]:
    column = np.full(rows, kind) if isinstance(kind, str) else np.asarray(kind, dtype=None if rows else np.str_)
    if column.dtype.kind == "O" and all(isinstance(value, str) for value in column.flat):
        column = column.astype(np.str_)
    if column.dtype.kind != "U":
        raise ShapeError(f"kind of a track table holds {column.dtype} and not text; give a string a row, or one")
    _check_shape(column, (rows,), "kind")
    return cast("NDArray[np.str_]", column)


def _refuse_repeated(t: Array, id: Integers) -> None:
    """Refuse an id that occurs twice in an instant; rows are sorted."""
    twice = (t[1:] == t[:-1]) & (id[1:] == id[:-1])
    if twice.any():
        row = int(np.argmax(twice))
        raise ShapeError(
            f"id {id[row]} of a track table occurs twice at t = {t[row]:.9g} s; a target has one state at a time: drop "
            "one row, or give it another id"
        )
