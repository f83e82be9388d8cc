"""The closeness of true and tracked states: a distance, or a similarity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....core import BOX, SettingError, ShapeError, Space, SpaceError, TrackTable
from ....core.arrays import Array, numbers
from ....core.boxes import overlaps
from ....core.settings import Fraction, positive, setting, shown
from ._near import Integers, near_pairs

Measure = Callable[[Any, Any], Any]
Places = tuple[NDArray[np.intp], NDArray[np.intp]]
MOST = 1 << 20
"""Pairs whose distances are computed at once."""


@dataclass(frozen=True, eq=False)
class Closeness:
    """Similarity and distance of pairs of states.

    Attributes:
        measure: a function of states ``(P, n)`` and ``(P, m)``.
        similar: whether it returns similarities, and not distances.
        cutoff: distance from which on states count as unrelated.
        threshold: similarity from which on a pair may be a match.
        places: the components of both sides that are the points or boxes of `near_pairs`; None for other measures.
    """

    measure: Measure
    similar: bool
    cutoff: float
    threshold: float
    places: Places | None = None

    def pairs(self, x: Array, y: Array, first: Integers, after: Integers) -> tuple[Integers, Integers, Array, Array]:
        """Rows, columns, similarities and distances ``(P,)`` of the pairs with a similarity above 0.

        Args:
            x: states ``(R, n)``.
            y: states ``(Q, m)``.
            first: first row of y at the instant of each row of x ``(R,)``.
            after: the row after the last one ``(R,)``.
        """
        if self.places is not None:
            i, j = self.places
            row, column, found = near_pairs(x[:, i], y[:, j], first, after, self.similar, self.cutoff)
            return row, column, *self._both(found)
        parts: list[tuple[Any, ...]] = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0))]
        for rows in _chunks(after - first):
            many = (after - first)[rows]
            row = np.repeat(np.arange(len(x))[rows], many)
            column = np.arange(len(row)) - np.repeat(np.cumsum(many) - many - first[rows], many)
            s, d = self.of(x[row], y[column])
            kept = s > 0.0
            parts.append((row[kept], column[kept], s[kept], d[kept]))
        row, column, s, d = (np.concatenate(part) for part in zip(*parts, strict=True))
        return row, column, s, d

    def of(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Similarities and distances ``(P,)``."""
        what = "similarity" if self.similar else "distance"
        found = numbers(self.measure(x, y), f"the {what} of states")
        if found.shape != x.shape[:1] or not (found >= 0.0).all() or (self.similar and not (found <= 1.0).all()):
            given = f"shape {found.shape}" if found.shape != x.shape[:1] else f"the value {_odd(found, self.similar)}"
            raise ShapeError(
                f"the {what} of states has {given}; expected {'from 0 to 1' if self.similar else '0 or more'}, one for "
                f"each of {len(x)} pairs"
            )
        return self._both(found)

    def _both(self, found: Array) -> tuple[Array, Array]:
        return (found, 1.0 - found) if self.similar else (1.0 - found / self.cutoff, found)


def _chunks(counts: Integers) -> Iterator[slice]:
    """Slices of rows with at most `MOST` pairs, or one row."""
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + MOST, side="right")))
        yield slice(start, stop)
        start = stop


def _odd(found: Array, similar: bool) -> float:
    bad = ~(found >= 0.0) | (similar & (found > 1.0))
    return float(found[bad][0])


def closeness(
    truth: Iterable[TrackTable],
    tracks: Iterable[TrackTable],
    distance: Any,
    similarity: Any,
    cutoff: Any,
    threshold: Any,
) -> Closeness:
    """The closeness that the arguments of `compare` mean."""
    if distance is not None and similarity is not None:
        raise SettingError("a distance and a similarity were given; give one of them")
    spaces = {(a.space, b.space) for a, b in zip(truth, tracks, strict=True)}
    if len(spaces) != 1:
        raise SpaceError(f"the sequences have states of {len(spaces)} kinds of spaces; score those of one at a time")
    a, b = spaces.pop()
    boxes = distance is None and similarity is None and a == b == BOX
    similar = similarity is not None or boxes
    if cutoff is None and not similar:
        raise SettingError("cutoff is missing; give the distance from which on a track counts as false, as cutoff=...")
    places: Places | None = None
    if boxes:
        measure, places = overlaps, (np.arange(4), np.arange(4))
    elif similar:
        measure = _called(similarity, "similarity")
    else:
        measure, places = _distance(distance, a, b)
    least = (0.5 if similar else 0.0) if threshold is None else setting(threshold, Fraction, "threshold")
    return Closeness(measure, similar, 1.0 if cutoff is None else positive(cutoff, "cutoff"), least, places)


def _called(given: Any, name: str) -> Measure:
    if not callable(given):
        raise SettingError(f"{name} is {shown(given)}; expected a function of states (P, n) and (P, m)")
    return given


def _distance(given: Any, a: Space, b: Space) -> tuple[Measure, Places | None]:
    """The distance of pairs of states on two spaces, and the components of both of which it is the distance, if any."""
    if given is not None and not isinstance(given, (str, list, tuple)):
        return _called(given, "distance"), None
    names: Any = given
    if given is None:
        shared = [name for name in ("x", "y", "z") if name in a.names and name in b.names]
        names = shared or ([part.name for part in a.parts] if a == b else None)
    if names is None:
        raise SpaceError(
            f"{a} and {b} share no component x, y or z; name the components to compare, as in distance='north east'"
        )
    own, other, (i, _), (j, _) = a.select(names), b.select(names), a.indices(names), b.indices(names)
    straight = all(part.linear for part in (*own.parts, *other.parts))
    return lambda x, y: own.distance(x[:, i], y[:, j]), (i, j) if straight else None
