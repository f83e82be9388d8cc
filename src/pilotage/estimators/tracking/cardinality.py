"""The distribution of the number of targets."""

from __future__ import annotations

import math
from functools import cached_property, reduce
from typing import Any

import numpy as np

from ...core.arrays import Array

TAIL = 10.0
"""Standard deviations of a Poisson number beyond its mean that are told."""


class Cardinality:
    """The distribution of the number of targets, a sum of independent numbers.

    ::

        n  =  m + b_1 + ... + b_N + u,      m ~ p,   b_i ~ Bernoulli(r_i),   u ~ Poisson(mean)

    Args:
        existence: probability r_i of each target that may be there, ``(N,)``.
        poisson: mean of the Poisson number.
        known: probabilities p of m = 0, 1, ...; None for m = 0.

    Attributes:
        mean: expected number of targets.
        variance: variance of the number.

    Example:
        >>> number = Cardinality([0.9, 0.5])
        >>> number.probabilities.round(2).tolist(), number.mode, round(number.mean, 2)
        ([0.05, 0.5, 0.45], 1, 1.4)
        >>> Cardinality(poisson=4.2).mode
        4
    """

    def __init__(self, existence: Any = (), poisson: float = 0.0, known: Any = None) -> None:
        self._existence, self._poisson = np.asarray(existence, np.float64), float(poisson)
        self._known = np.ones(1) if known is None else np.asarray(known, np.float64)

    @property
    def mean(self) -> float:
        return float(self._known @ np.arange(len(self._known)) + self._existence.sum() + self._poisson)

    @property
    def variance(self) -> float:
        n, r = np.arange(len(self._known)), self._existence
        return float(self._known @ n**2 - (self._known @ n) ** 2 + (r * (1.0 - r)).sum() + self._poisson)

    @property
    def mode(self) -> int:
        """The likeliest number of targets (the MAP estimate)."""
        return int(self.probabilities.argmax())

    @cached_property
    def probabilities(self) -> Array:
        """Probabilities of 0, 1, ... targets."""
        return reduce(np.convolve, (np.array([1.0 - r, r]) for r in self._existence), self._unsure)

    @property
    def _unsure(self) -> Array:
        """Probabilities of the number without those of known existence."""
        return np.convolve(self._known, poisson(self._poisson, most(self._poisson))) if self._poisson else self._known

    def __repr__(self) -> str:
        return f"<{self.mean:.2f} +- {math.sqrt(self.variance):.2f} targets, likeliest {self.mode}>"


def most(mean: float) -> int:
    """A number that a Poisson number of this mean never exceeds, to rounding."""
    return math.ceil(mean + TAIL * math.sqrt(mean) + TAIL)


def poisson(mean: float, most: int) -> Array:
    """Probabilities of 0 to `most` of a Poisson number, of sum 1."""
    n = np.arange(most + 1)
    logs = n * math.log(mean) - np.cumsum(np.log(np.maximum(n, 1))) if mean > 0.0 else np.where(n, -np.inf, 0.0)
    p = np.exp(logs - logs.max())
    return p / p.sum()
