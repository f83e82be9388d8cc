"""Values on a grid of states as a function in a trace, of any number of dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.arrays import numbers
from ...core.errors import ModelError, ShapeError
from ...core.raster import Raster
from ...core.space import Space


class Table:
    """A function of the state by its values at the points of a grid, linear between them along each axis.

    A state off the grid has the value of the nearest point. Angles are in (-pi, pi].

    Args:
        values: ``(k_1, ..., k_n)``, two or more on each axis.
        low, high: the corners of the grid ``(n,)``.

    Example:
        >>> Table(np.zeros((3, 5)), [0.0, -1.0], [1.0, 1.0]).shape
        (3, 5)
    """

    def __init__(self, values: Any, low: Any, high: Any) -> None:
        given, low, high = numbers(values, "values"), numbers(low, "low"), numbers(high, "high")
        self.shape = given.shape
        if low.shape != (given.ndim,) or high.shape != low.shape or min(given.shape, default=0) < 2:
            raise ShapeError(
                f"values have shape {given.shape}, low {low.shape} and high {high.shape}; expected n axes of two "
                "points or more, (n,) and (n,)"
            )
        if not (low < high).all():
            raise ModelError(f"low is {low.tolist()} and high {high.tolist()}; expected low < high on each axis")
        scale = (np.array(given.shape) - 1.0) / (high - low)
        raster = Raster(given.reshape(-1, given.shape[-1]), 1.0)
        self.params = {"table values": raster, "table low": tuple(low.tolist()), "table scale": tuple(scale.tolist())}

    def read(self, space: Space, x: Sequence[Any], p: Any, m: Any) -> Any:
        """The value at a state, where p has the parameters of the table."""
        if not space.flat or space.size != len(self.shape):
            raise ModelError(
                f"a table of {len(self.shape)} axes is no function of {space}, whose parts must be numbers"
            )
        raster, low, scale = (p.__dict__[f"table {name}"] for name in ("values", "low", "scale"))
        away = space.components_minus(x, space.identity().tolist(), m)
        ends = [k - 1.0 for k in self.shape]
        at = [m.clip((e - a) * s, 0.0, end) for e, a, s, end in zip(away, low, scale, ends, strict=True)]
        return self._along(0, 0.0, at, raster, m)

    def _along(self, axis: int, row: Any, at: list[Any], raster: Any, m: Any) -> Any:
        """The value on the axes from `axis` on; a raster holds the last two, one below the other for all others."""
        left = len(at) - axis
        if left <= 2:
            return m.lookup(raster, at[-1] + 0.5, row + 0.5 + (at[axis] if left == 2 else 0.0))
        below = m.minimum(m.floor(at[axis]), self.shape[axis] - 2.0)
        stride = float(math.prod(self.shape[axis + 1 : -1]))
        first = self._along(axis + 1, row + below * stride, at, raster, m)
        second = self._along(axis + 1, row + (below + 1.0) * stride, at, raster, m)
        return first + (at[axis] - below) * (second - first)
