"""Likelihood fields of surfaces: how likely the end of a beam is in each cell around them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import ShapeError
from pilotage.models.trace import driver

from ._surface import GAP
from .surface import Surface

Array = NDArray[np.float64]

LARGEST = 2**26
"""Cells of the largest field."""
EDGE = 3.0
"""Standard deviations up to which a field is not zero."""


@dataclass(frozen=True, eq=False, repr=False)
class LikelihoodField:
    """The likelihood of the end of a beam around a surface, in square cells.

    ::

        M(q) = max over k of exp(-d_k(q)^2 / (2 sigma^2)),   d_k: distance from the piece of line around point k

    Attributes:
        values: ``(ny, nx)`` at the centres of cells; rows run along y.
        nearest: row of the point whose line is nearest ``(ny, nx)``; -1 beyond three sigma.
        corner: x and y of the lower-left corner [m].
        resolution: side of a cell [m].
        sigma: standard deviation [m].
    """

    values: NDArray[np.float32]
    nearest: NDArray[np.int32]
    corner: tuple[float, float]
    resolution: float
    sigma: float

    def __repr__(self) -> str:
        ny, nx = self.values.shape
        return f"LikelihoodField({nx} x {ny} cells of {self.resolution:g} m)"


def likelihood_field(surface: Surface, resolution: float, sigma: float) -> LikelihoodField:
    """The likelihood field of a surface that has points.

    Raises:
        ShapeError: if it would have more than 2^26 cells.
    """
    margin = EDGE * sigma + 2.0 * resolution
    low = surface.points.min(axis=0) - margin
    nx, ny = np.ceil((surface.points.max(axis=0) + margin - low) / resolution).tolist()
    if not nx * ny <= LARGEST:
        raise ShapeError(f"a field of this surface has {nx:.0f} x {ny:.0f} cells; expected a smaller surface")
    values = np.full((int(ny), int(nx)), (EDGE * sigma) ** 2, dtype=np.float32)
    rows = np.full(values.shape, -1, dtype=np.int32)
    paint(surface.table, low[0], low[1], resolution, sigma, values, rows)
    return LikelihoodField(values, rows, (float(low[0]), float(low[1])), resolution, sigma)


@driver("void(f8[:,::1], f8, f8, f8, f8, f4[:,::1], i4[:,::1])")
def paint(table, x, y, resolution, sigma, values, rows):
    """Write the likelihood of the cells around the pieces of line of a surface.

    Args:
        table: see `Surface`.
        x, y, resolution, sigma: see `LikelihoodField`.
        values: ``(3 sigma)^2`` everywhere; overwritten.
        rows: -1 everywhere; overwritten.
    """
    for k in range(table.shape[0]):
        # A line that is rough leads through a corner, or through two things.
        lined = table[k, 2] == table[k, 2] and table[k, 9] < 0.0625 * sigma * sigma
        reach, half = EDGE * sigma, min(table[k, 10], 0.5 * GAP) if lined else 0.0
        # The line through the mean of the neighbours, at the foot of the point; short, as the wall may end there.
        nx, ny = (table[k, 2], table[k, 3]) if lined else (1.0, 0.0)
        off = nx * (table[k, 0] - table[k, 6]) + ny * (table[k, 1] - table[k, 7]) if lined else 0.0
        u, v = (table[k, 0] - off * nx - x) / resolution - 0.5, (table[k, 1] - off * ny - y) / resolution - 0.5
        wide = (reach + half) / resolution
        left, right = max(int(math.ceil(u - wide)), 0), min(int(math.floor(u + wide)), values.shape[1] - 1)
        low, high = max(int(math.ceil(v - wide)), 0), min(int(math.floor(v + wide)), values.shape[0] - 1)
        for j in range(low, high + 1):
            for i in range(left, right + 1):
                dx, dy = (i - u) * resolution, (j - v) * resolution
                across, along = nx * dx + ny * dy, abs(nx * dy - ny * dx)
                beyond = max(along - half, 0.0)
                d = across * across + beyond * beyond
                if d < values[j, i]:
                    values[j, i], rows[j, i] = d, k
    for j in range(values.shape[0]):
        for i in range(values.shape[1]):
            values[j, i] = math.exp(-0.5 * values[j, i] / (sigma * sigma)) if rows[j, i] >= 0 else 0.0
