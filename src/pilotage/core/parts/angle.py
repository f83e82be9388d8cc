"""Angles."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from ..mathematics import Mathematics
from .part import Components, Part


@dataclass(frozen=True)
class Angle(Part):
    """An angle in radians, in (-pi, pi]: ``plus = wrap(x + d)``. It rotates points in the plane.

    Example:
        >>> from pilotage.core import numpy_math as m
        >>> [round(float(d), 3) for d in Angle("yaw").minus([-3.1], [3.1], m)]
        [0.083]
    """

    kind: ClassVar[str] = "angle"
    stored: ClassVar[tuple[tuple[str, str], ...]] = (("", "rad"),)
    moved: ClassVar[tuple[tuple[str, str], ...]] = (("", "rad"),)
    periodic: ClassVar[bool] = True
    turning: ClassVar[slice] = slice(0, 1)
    acts_on: ClassVar[int] = 2

    @property
    def low(self) -> tuple[float, ...]:
        return (-math.pi,)

    @property
    def high(self) -> tuple[float, ...]:
        return (math.pi,)

    def identity(self) -> tuple[float, ...]:
        return (0.0,)

    def plus(self, x: Components, d: Components, m: Mathematics) -> Components:
        return [m.wrap(x[0] + d[0])]

    def minus(self, y: Components, x: Components, m: Mathematics) -> Components:
        return [m.wrap(y[0] - x[0])]

    def normalize(self, x: Components, m: Mathematics) -> Components:
        return [m.wrap(x[0])]

    def compose(self, x: Components, y: Components, m: Mathematics) -> Components:
        return [m.wrap(x[0] + y[0])]

    def inverse(self, x: Components, m: Mathematics) -> Components:
        return [m.wrap(-x[0])]

    def adjoint(self, x: Components, d: Components, m: Mathematics) -> Components:
        return d

    def act(self, x: Components, p: Components, m: Mathematics) -> Components:
        c, s = m.cos(x[0]), m.sin(x[0])
        return [c * p[0] - s * p[1], s * p[0] + c * p[1]]

    def chord(self, xs: Components, total: Callable[[Any], Any], heaviest: Components, m: Mathematics) -> Components:
        return [m.atan2(total(m.sin(xs[0])), total(m.cos(xs[0])))]

    def features(self, x: Components, m: Mathematics) -> Components:
        return [m.cos(x[0]), m.sin(x[0])]

    @property
    def width(self) -> int:
        return 2
