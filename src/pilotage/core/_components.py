"""The geometry of spaces on sequences of scalar components, each with its mathematics: what the tracer uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ._product import Product
from .mathematics import Component, Mathematics
from .parts import Part

Column = Callable[[Part, slice, slice, list[float]], Sequence[Any]]
"""The image of a unit vector in a part, from the part and its places in state and tangent."""


class Componentwise(Product):
    """The part of `Space` whose methods take components one by one; `Space` has the same methods for arrays."""

    def components_plus(self, xs: Sequence[Component], ds: Sequence[Component], m: Mathematics) -> list[Component]:
        """`plus`."""
        return [c for p, s, t in self.layout for c in p.plus(xs[s], ds[t], m)]

    def components_minus(self, ys: Sequence[Component], xs: Sequence[Component], m: Mathematics) -> list[Component]:
        """`minus`."""
        return [c for p, s, _ in self.layout for c in p.minus(ys[s], xs[s], m)]

    def components_normalize(self, xs: Sequence[Component], m: Mathematics) -> list[Component]:
        """`normalize`."""
        return [c for p, s, _ in self.layout for c in p.normalize(xs[s], m)]

    def components_features(self, xs: Sequence[Component], m: Mathematics) -> list[Component]:
        """`features`."""
        return [c for p, s, _ in self.layout for c in p.features(xs[s], m)]

    def components_compose(self, xs: Sequence[Component], ys: Sequence[Component], m: Mathematics) -> list[Component]:
        """`compose`."""
        return [c for p, s, _ in self.layout for c in p.compose(xs[s], ys[s], m)]

    def components_inverse(self, xs: Sequence[Component], m: Mathematics) -> list[Component]:
        """`inverse`."""
        return [c for p, s, _ in self.layout for c in p.inverse(xs[s], m)]

    def components_transport(
        self, ys: Sequence[Component], xs: Sequence[Component], m: Mathematics
    ) -> list[list[Component]]:
        """`transport`, as rows."""
        ds = self.components_minus(ys, xs, m)

        def column(part: Part, s: slice, t: slice, unit: list[float]) -> Sequence[Component]:
            return part.transport(xs[s], ds[t], unit, m)

        return self._rows(column)

    def components_reframed(
        self, side: str, ys: Sequence[Component], xs: Sequence[Component], m: Mathematics
    ) -> list[list[Component]]:
        """The matrix, as rows, that takes tangent vectors at x to those at y that are equal on one side.

        That is ``Ad_y^-1 Ad_x`` where a part is perturbed on the right and the side is left, ``Ad_y Ad_x^-1`` the other
        way round, and the identity where a part is on that side.
        """

        def column(part: Part, s: slice, t: slice, unit: list[float]) -> Sequence[Component]:
            other = part.perturbed(side)
            return unit if other is part else other.swapped(ys[s], part.swapped(xs[s], unit, m), m)

        return self._rows(column)

    def components_swapped(self, other: Product, xs: Sequence[Component], m: Mathematics) -> list[list[Component]]:
        """`swapped`, as rows."""
        sides = {p.name: p.side for p in other.parts}

        def column(part: Part, s: slice, t: slice, unit: list[float]) -> Sequence[Component]:
            return unit if part.side == sides[part.name] else part.swapped(xs[s], unit, m)

        return self._rows(column)

    def components_rate(
        self, xs: Sequence[Component], ds: Sequence[Component], vs: Sequence[Component], m: Mathematics
    ) -> list[Component]:
        """Rate of the coordinates d of ``x (+) d`` when that point moves with tangent velocity v; see `Part.rate`."""
        return [c for p, s, t in self.layout for c in p.rate(xs[s], ds[t], vs[t], m)]

    def _rows(self, column: Column) -> list[list[Component]]:
        """One matrix of `_blocks`, as rows."""
        rows: list[list[Component]] = [[float(i == j) for j in range(self.dim)] for i in range(self.dim)]
        for i, j, value in self._blocks(column):
            rows[i][j] = value
        return rows

    def _blocks(self, column: Column) -> Iterator[tuple[int, int, Any]]:
        """Row, column and entry of the blocks of a matrix that is the identity on flat parts.

        `column` gives the image of a unit vector in a part.
        """
        for part, s, t in self.layout:
            if part.flat:
                continue
            for j in range(part.dim):
                unit = [float(i == j) for i in range(part.dim)]
                for i, value in enumerate(column(part, s, t, unit)):
                    yield t.start + i, t.start + j, value
