"""Quadratic programs on a ring: two variables at each node, and terms that join neighbours, also the last to the first.

The nodes are renumbered 0, n - 1, 1, n - 2, ...: nodes that are d apart on the ring are then at most 2 d apart, so that
the matrices are banded.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._quadratic import minimize

Array = NDArray[np.float64]
Term = tuple[int, int, Array]
"""A node, counted from that of the row, the number of its variable, and the factors ``(n,)``."""
WIDTH = 10
"""Of the bands: a row joins nodes that are up to two apart, four after renumbering, with two variables each."""


class RingProgram:
    """A quadratic program ``min 1/2 x' P x + q' x, G x <= h`` over two variables at each of n nodes of a ring."""

    def __init__(self, n: int) -> None:
        self.node, order = np.arange(n), np.empty(n, dtype=np.int64)
        order[0::2], order[1::2] = np.arange((n + 1) // 2), n - 1 - np.arange(n // 2)
        self.place = np.empty(n, dtype=np.int64)
        self.place[order] = self.node
        self.P, self.q = np.zeros((2 * n, WIDTH)), np.zeros(2 * n)
        self.rows: list[tuple[Array, NDArray[np.int64], Array]] = []

    def _at(self, away: int, kind: int) -> NDArray[np.int64]:
        return 2 * self.place[(self.node + away) % len(self.node)] + kind

    def linear(self, away: int, kind: int, slope: Array) -> None:
        """Add ``slope x`` to the cost, for the variable `kind` of the node that is `away` from each node."""
        np.add.at(self.q, self._at(away, kind), slope)

    def quadratic(self, one: tuple[int, int], other: tuple[int, int], factor: Array) -> None:
        """Add ``factor x y`` to the cost, or ``factor / 2 x^2`` if both variables are the same one."""
        i, j = self._at(*one), self._at(*other)
        np.add.at(self.P, (np.minimum(i, j), abs(i - j)), factor)

    def square(self, terms: list[Term], value: Array) -> None:
        """Add ``(value + sum of terms)^2`` to the cost."""
        for k, (away, kind, factor) in enumerate(terms):
            self.linear(away, kind, 2.0 * value * factor)
            for away2, kind2, factor2 in terms[k:]:
                self.quadratic((away, kind), (away2, kind2), 2.0 * factor * factor2)

    def bound(self, terms: list[Term], most: Array) -> None:
        """Require ``sum of terms <= most`` at each node."""
        G, places = np.zeros((len(self.node), WIDTH)), [self._at(away, kind) for away, kind, _ in terms]
        first = 2 * (np.min(places, axis=0) // 2)
        for place, (_, _, factor) in zip(places, terms, strict=True):
            np.add.at(G, (self.node, place - first), factor)
        self.rows.append((G, first, most))

    def solve(self, tolerance: float = 1e-6) -> Array | None:
        """The variables ``(2, n)``; None if there is no solution."""
        G, first, h = (np.concatenate(each) for each in zip(*self.rows, strict=True))
        start, none = np.zeros(len(self.q)), np.zeros(0, dtype=np.int64)
        found = minimize(self.P, self.q, G, first, h, start, none, tolerance)
        return np.stack([found.x[self._at(0, kind)] for kind in (0, 1)]) if found.converged else None
