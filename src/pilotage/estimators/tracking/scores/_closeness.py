"""The closeness of true and tracked states: a distance, or a similarity."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....core import BOX, SettingError, ShapeError, Space, SpaceError, TrackTable
from ....core.arrays import Array, numbers
from ....core.boxes import overlaps
from ....core.settings import Fraction, positive, setting, shown

Measure = Callable[[Any, Any], Any]


@dataclass(frozen=True, eq=False)
class Closeness:
    """Similarity and distance of pairs of states.

    Attributes:
        measure: a function of states ``(P, n)`` and ``(P, m)``.
        similar: whether it returns similarities, and not distances.
        cutoff: distance from which on states count as unrelated.
        threshold: similarity from which on a pair may be a match.
    """

    measure: Measure
    similar: bool
    cutoff: float
    threshold: float

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
        return (found, 1.0 - found) if self.similar else (1.0 - found / self.cutoff, found)


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
    measure = overlaps if boxes else _called(similarity, "similarity") if similar else _distance(distance, a, b)
    least = (0.5 if similar else 0.0) if threshold is None else setting(threshold, Fraction, "threshold")
    return Closeness(measure, similar, 1.0 if cutoff is None else positive(cutoff, "cutoff"), least)


def _called(given: Any, name: str) -> Measure:
    if not callable(given):
        raise SettingError(f"{name} is {shown(given)}; expected a function of states (P, n) and (P, m)")
    return given


def _distance(given: Any, a: Space, b: Space) -> Measure:
    """The distance of pairs of states on two spaces."""
    if given is not None and not isinstance(given, (str, list, tuple)):
        return _called(given, "distance")
    names: Any = given
    if given is None:
        shared = [name for name in ("x", "y", "z") if name in a.names and name in b.names]
        names = shared or ([part.name for part in a.parts] if a == b else None)
    if names is None:
        raise SpaceError(
            f"{a} and {b} share no component x, y or z; name the components to compare, as in distance='north east'"
        )
    if not all(part.linear for space in (a, b) for part in space.select(names).parts):
        own, (i, _), (j, _) = a.select(names), a.indices(names), b.indices(names)
        return lambda x, y: own.distance(x[:, i], y[:, j])
    (i, _), (j, _) = a.indices(names), b.indices(names)
    return lambda x, y: np.sqrt(sum((x[:, k] - y[:, l]) ** 2 for k, l in zip(i, j, strict=True)))
