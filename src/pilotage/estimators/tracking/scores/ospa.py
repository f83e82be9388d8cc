"""OSPA: the optimal sub-pattern assignment metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ....core.arrays import Array
from ....core.settings import Interval, setting
from .._assignment import assigned
from .comparison import Comparison, Integers, compared

Order = Annotated[float, Interval(1.0, ends="[)")]


@dataclass(frozen=True, eq=False, repr=False)
class OSPAScores:
    """OSPA at each instant.

    Attributes:
        times: times ``(K,)`` [s].
        values: OSPA ``(K,)``, from 0 to the cutoff.

    Example:
        >>> OSPAScores(np.zeros(2), np.array([1.0, 2.0]))
        OSPAScores(OSPA 1.5 at 2 instants)
    """

    times: Array
    values: Array

    @property
    def ospa(self) -> float:
        """The mean over the instants; 0 without any."""
        return float(self.values.mean()) if len(self.values) else 0.0

    def __repr__(self) -> str:
        return f"{type(self).__name__}(OSPA {self.ospa:.4g} at {len(self.values)} instants)"


def ospa(comparison: Comparison, *, p: float = 1.0) -> OSPAScores:
    """OSPA of the states of each instant.

    ::

        d(X, Y) = ( 1/n ( min over matchings  sum of min(c, d(x, y))^p  +  c^p (n - m) ) )^(1/p)

    n is the larger and m the smaller number of states; 0 if there is none.

    Source: Schuhmacher, Vo and Vo, "A consistent metric for performance evaluation of multi-object filters", IEEE
    Transactions on Signal Processing 56, 2008, equation 3; equal to Stone Soup for p = 1. For a larger p, Stone Soup
    matches by the sum of d and not of d^p, which is not the smallest.

    Args:
        comparison: tracks beside the truth, from `compare`, with the cutoff c.
        p: order, 1 or more: how much more large errors count.

    Raises:
        SettingError: if p is below 1 or infinite.

    Example:
        >>> from pilotage.core import Space, TrackTable
        >>> from pilotage.estimators.tracking.scores import compare
        >>> truth = TrackTable([0.0, 0.0], [1, 2], [[0.0], [9.0]], space=Space("x [m]"))
        >>> tracks = TrackTable([0.0], [5], [[0.5]], space=Space("x [m]"))
        >>> ospa(compare(truth, tracks, cutoff=4.0)).values
        array([2.25])
    """
    c, p = compared(comparison, "ospa"), order_of(p)
    sums, matched = matched_powers(c, p)
    most = np.maximum(*c.at_instant)
    return OSPAScores(c.times, ((sums + c.cutoff**p * (most - matched)) / np.maximum(1, most)) ** (1.0 / p))


def order_of(p: Any) -> float:
    """The order of a metric, checked."""
    return setting(p, Order, "p")


def matched_powers(c: Comparison, p: float) -> tuple[Array, Integers]:
    """Sum of ``d^p`` and number ``(K,)`` of the matches that make both OSPA and GOSPA least."""
    edges = assigned(c.starts, c.column, c.distance**p - c.cutoff**p, len(c.track_index))
    edges = edges[edges >= 0]
    instant, count = c.truth_instant[c.row[edges]], len(c.times)
    sums: Any = np.bincount(instant, c.distance[edges] ** p, count)
    return sums, np.bincount(instant, minlength=count)
