"""GOSPA: the generalised optimal sub-pattern assignment metric, with its parts."""

from __future__ import annotations

from dataclasses import dataclass

from ....core.arrays import Array
from .comparison import Comparison, Integers, compared
from .ospa import matched_powers, order_of


@dataclass(frozen=True, eq=False, repr=False)
class GOSPAScores:
    """GOSPA at each instant; the properties are its means and parts over all instants.

    Attributes:
        times: times ``(K,)`` [s].
        p: order.
        cutoff: cutoff distance c.
        localisations: sum of ``d^p`` of the matches ``(K,)``.
        misses: number of targets without a track ``(K,)``.
        falses: number of tracks without a target ``(K,)``.

    Example:
        >>> import numpy as np
        >>> GOSPAScores(np.zeros(1), 1.0, 10.0, np.array([3.0]), np.array([1]), np.array([2]))
        GOSPAScores(GOSPA 18 = localisation 3 + missed 5 + false 10)
    """

    times: Array
    p: float
    cutoff: float
    localisations: Array
    misses: Integers
    falses: Integers

    @property
    def values(self) -> Array:
        """GOSPA ``(K,)``: ``(localisation + c^p / 2 (missed + false))^(1/p)``."""
        return (self.localisations + self.cutoff**self.p / 2.0 * (self.misses + self.falses)) ** (1.0 / self.p)

    @property
    def gospa(self) -> float:
        """The mean over the instants; 0 without any."""
        return _mean(self.values)

    @property
    def localisation(self) -> float:
        """The mean of ``sum d^p`` over the instants."""
        return _mean(self.localisations)

    @property
    def missed(self) -> float:
        """The mean of ``c^p / 2`` for each missed target over the instants."""
        return _mean(self.cutoff**self.p / 2.0 * self.misses)

    @property
    def false(self) -> float:
        """The mean of ``c^p / 2`` for each false track over the instants."""
        return _mean(self.cutoff**self.p / 2.0 * self.falses)

    def __repr__(self) -> str:
        power = "" if self.p == 1.0 else f"^{self.p:g}"
        parts = f"localisation {self.localisation:.4g} + missed {self.missed:.4g} + false {self.false:.4g}"
        return f"GOSPAScores(GOSPA{power} {_mean(self.values**self.p):.4g} = {parts})"


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else 0.0


def gospa(comparison: Comparison, *, p: float = 1.0) -> GOSPAScores:
    """GOSPA of the states of each instant, with alpha = 2, for which it has parts.

    ::

        d(X, Y) = ( min over matchings  sum of d(x, y)^p  +  c^p / 2 (missed targets + false tracks) )^(1/p)

    The number of states does not divide it, so that every missed target and every false track costs the same.

    Source: Rahmathullah, Garcia-Fernandez and Svensson, "Generalized optimal sub-pattern assignment metric", Fusion
    2017, proposition 1; equal to Stone Soup.

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
        >>> gospa(compare(truth, tracks, cutoff=4.0))
        GOSPAScores(GOSPA 2.5 = localisation 0.5 + missed 2 + false 0)
    """
    c, p = compared(comparison, "gospa"), order_of(p)
    sums, matched = matched_powers(c, p)
    a, b = c.at_instant
    return GOSPAScores(c.times, p, c.cutoff, sums, a - matched, b - matched)
