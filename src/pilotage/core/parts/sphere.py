"""Directions in space."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from ..arrays import Array
from ..mathematics import Component, Mathematics
from ..rotations import cos_sinc, log_gap, series
from .part import Components, Part
from .quaternion import not_unit


@dataclass(frozen=True)
class Sphere(Part):
    """A direction in space, a unit vector (x, y, z) on the sphere S2; ``plus`` moves along a great circle.

    ``x (+) d = cos t x + (sin t / t) B(x) d``, ``t = |d|``; the columns of B(x) are two unit vectors orthogonal to x.
    No such pair is continuous on the whole sphere; this one jumps at the equator z = 0 (Duff et al., "Building an
    orthonormal basis, revisited", 2017). To the direction opposite to x there are many shortest ways; `minus` takes
    one.

    Example:
        >>> from pilotage.core import numpy_math as m
        >>> x = Sphere("gravity").plus([0.0, 0.0, 1.0], [m.pi / 2, 0.0], m)
        >>> [round(float(c), 3) for c in x]
        [1.0, 0.0, 0.0]
    """

    kind: ClassVar[str] = "S2"
    stored: ClassVar[tuple[tuple[str, str], ...]] = (("x", ""), ("y", ""), ("z", ""))
    moved: ClassVar[tuple[tuple[str, str], ...]] = (("a", "rad"), ("b", "rad"))
    turning: ClassVar[slice] = slice(0, 2)
    reach: ClassVar[float] = 3.1

    @property
    def low(self) -> tuple[float, ...]:
        return (-1.0,) * 3

    @property
    def high(self) -> tuple[float, ...]:
        return (1.0,) * 3

    def identity(self) -> tuple[float, ...]:
        return (0.0, 0.0, 1.0)

    def plus(self, x: Components, d: Components, m: Mathematics) -> Components:
        c, s = cos_sinc(d[0] * d[0] + d[1] * d[1], m)
        w = _across(x, d, m)
        return _unit([c * x[i] + s * w[i] for i in range(3)], m)

    def minus(self, y: Components, x: Components, m: Mathematics) -> Components:
        a, b = _basis(x, m)
        u, v, c = _dot(a, y), _dot(b, y), _dot(x, y)
        s2 = u * u + v * v  # the squared sine of the angle
        ahead = m.where(c > 0.0, s2, 1.0)
        near = ahead < 0.01
        s = m.sqrt(m.where(near, 1.0, m.maximum(s2, 1e-300)))
        k = m.where(near, series(ahead, _ASIN), m.atan2(s, c) / s)
        opposite = m.where(c < 0.0, s2, 1.0) < 1e-300
        return [m.where(opposite, math.pi, k * u), k * v]

    def rate(self, x: Components, d: Components, v: Components, m: Mathematics) -> Components:
        # Along the great circle the coordinates grow as the way does; across it, by t / sin t faster.
        t2 = d[0] * d[0] + d[1] * d[1]
        y, (a, b) = self.plus(x, d, m), _basis(x, m)
        step = _across(y, v, m)
        q = [_dot(a, step), _dot(b, step)]
        c, s = cos_sinc(t2, m)
        k = 1.0 / s
        along = c * (q[0] * d[0] + q[1] * d[1]) - t2 * s * _dot(x, step)
        gap = 4.0 * log_gap(4.0 * t2, m)  # (1 - t cot t) / t^2
        return [k * q[i] + (gap * along) * d[i] for i in range(2)]

    def normalize(self, x: Components, m: Mathematics) -> Components:
        return _unit(x, m)

    def chord(self, xs: Components, total: Callable[[Any], Any], heaviest: Components, m: Mathematics) -> Components:
        # Opposite directions may cancel; then the heaviest decides.
        return [total(x) + 1e-12 * h[..., 0] for x, h in zip(xs, heaviest, strict=True)]

    def sample(self, uniform: Array, normal: Array) -> Array:
        return normal

    def misfit(self, x: Array, state: str) -> str | None:
        return not_unit(x, f"the direction {self.listing}", state)


_ASIN = (1.0, 1 / 6, 3 / 40, 15 / 336, 105 / 3456, 945 / 42240, 10395 / 599040, 135135 / 9676800, 2027025 / 175472640)
"""``asin(r) / r`` in powers of r^2."""


def _dot(a: Components, b: Components) -> Component:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _unit(x: Components, m: Mathematics) -> list[Component]:
    scale = 1.0 / m.sqrt(_dot(x, x))
    return [x[0] * scale, x[1] * scale, x[2] * scale]


def _basis(x: Components, m: Mathematics) -> tuple[list[Component], list[Component]]:
    """Two unit vectors across the unit vector x and across each other."""
    side = m.where(x[2] < 0.0, -1.0, 1.0)
    a = -1.0 / (side + x[2])
    b = x[0] * x[1] * a
    return [1.0 + side * x[0] * x[0] * a, side * b, -side * x[0]], [b, side + x[1] * x[1] * a, -x[1]]


def _across(x: Components, d: Components, m: Mathematics) -> list[Component]:
    a, b = _basis(x, m)
    return [a[i] * d[0] + b[i] * d[1] for i in range(3)]
