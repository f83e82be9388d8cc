"""Scalar functions that generated source calls and `math` lacks. They are copied into each generated file."""

from __future__ import annotations

from typing import Any

import numpy as np


def scalar_wrap(a: float) -> float:
    """Angle in (-pi, pi]."""
    r = a - 6.283185307179586 * np.ceil((a - 3.141592653589793) * 0.15915494309189535)
    # Rounding of the quotient may leave r on -pi, or one ulp above pi; beyond 1e15 nothing is left of an angle.
    return 3.141592653589793 if r <= -3.141592653589793 or r > 3.141592653589793 else r


def scalar_sign(a: float) -> float:
    """-1, 0 or 1."""
    return 1.0 if a > 0.0 else (-1.0 if a < 0.0 else 0.0 * a)


def scalar_floor(a: float) -> float:
    """Largest whole number not above `a`, as a float."""
    return np.floor(a)


def raster_place(p: Any, header: int, x: float, y: float) -> tuple[float, float]:
    """Column and row of the raster at `header` of `p`, as real numbers that are whole at cell centres.

    Layout of a raster in the parameter vector, from `header` on: origin x, origin y, cos yaw, sin yaw, cells per
    metre, columns, rows, offset of the first value; the values follow there row by row, lowest y first.
    """
    dx = x - p[header]
    dy = y - p[header + 1]
    c = p[header + 2]
    s = p[header + 3]
    return (c * dx + s * dy) * p[header + 4] - 0.5, (c * dy - s * dx) * p[header + 4] - 0.5


def raster_cell(p: Any, header: int, x: float, y: float) -> tuple[int, float, float]:
    """Offset of the lower-left of the four cell centres around (x, y), and the place between them."""
    i, j = raster_place(p, header, x, y)
    columns = p[header + 5]
    rows = p[header + 6]
    # The comparisons are written so that NaN stays in the place and has some cell: no index leaves the table.
    a = 0.0 if i < 0.0 else i
    b = 0.0 if j < 0.0 else j
    a = columns - 1.0 if a > columns - 1.0 else a
    b = rows - 1.0 if b > rows - 1.0 else b
    i0 = int(a) if a < columns - 1.0 else int(max(columns - 2.0, 0.0))
    j0 = int(b) if b < rows - 1.0 else int(max(rows - 2.0, 0.0))
    return int(p[header + 7]) + j0 * int(columns) + i0, a - i0, b - j0


def raster_steps(p: Any, header: int) -> tuple[int, int]:
    """How far the next column and the next row are in the parameter vector; 0 where there is only one."""
    columns = int(p[header + 5])
    return (1 if columns > 1 else 0), (columns if p[header + 6] > 1.0 else 0)


def lookup(p: Any, header: int, x: float, y: float) -> float:
    """Bilinear value of the raster at `header` of `p`; outside, that of the nearest border cell; NaN for NaN."""
    k, a, b = raster_cell(p, header, x, y)
    right, up = raster_steps(p, header)
    low = p[k] + a * (p[k + right] - p[k])
    high = p[k + up] + a * (p[k + up + right] - p[k + up])
    return low + b * (high - low)


def lookup_slopes(p: Any, header: int, x: float, y: float) -> tuple[float, float]:
    """Slopes of the bilinear patch along the columns and the rows of the raster, per metre; 0 outside."""
    i, j = raster_place(p, header, x, y)
    k, a, b = raster_cell(p, header, x, y)
    right, up = raster_steps(p, header)
    along = (1.0 - b) * (p[k + right] - p[k]) + b * (p[k + up + right] - p[k + up])
    across = (1.0 - a) * (p[k + up] - p[k]) + a * (p[k + up + right] - p[k + right])
    inside_i = i >= 0.0 and i <= p[header + 5] - 1.0
    inside_j = j >= 0.0 and j <= p[header + 6] - 1.0
    return (along * p[header + 4] if inside_i else 0.0), (across * p[header + 4] if inside_j else 0.0)


def lookup_dx(p: Any, header: int, x: float, y: float) -> float:
    """Slope of the raster along world x."""
    along, across = lookup_slopes(p, header, x, y)
    return p[header + 2] * along - p[header + 3] * across


def lookup_dy(p: Any, header: int, x: float, y: float) -> float:
    """Slope of the raster along world y."""
    along, across = lookup_slopes(p, header, x, y)
    return p[header + 3] * along + p[header + 2] * across
