"""Poses in the plane."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from ..mathematics import Mathematics
from ..rotations import cos_sinc, log_gap
from ._pose import Pose
from .part import Components


@dataclass(frozen=True)
class SE2(Pose):
    """A pose in the plane, stored as (x, y, yaw), with tangent (vx, vy, omega) in the body frame: ``plus = X Exp(d)``.

    ``Exp([v, w]) = (V(w) v, w)``, ``V(w) = [[sin w, cos w - 1], [1 - cos w, sin w]] / w``: a circular arc.

    Example:
        >>> from pilotage.core import numpy_math as m
        >>> x = SE2("pose").plus([0.0, 0.0, 0.0], [m.pi / 2, 0.0, m.pi / 2], m)
        >>> [round(float(c), 3) for c in x]
        [1.0, 1.0, 1.571]
    """

    kind: ClassVar[str] = "SE2"
    stored: ClassVar[tuple[tuple[str, str], ...]] = (("x", "m"), ("y", "m"), ("yaw", "rad"))
    moved: ClassVar[tuple[tuple[str, str], ...]] = (("vx", "m"), ("vy", "m"), ("omega", "rad"))
    axes: ClassVar[int] = 2
    limit: ClassVar[float] = math.pi
    turning: ClassVar[slice] = slice(2, 3)
    paired: ClassVar[int] = 3
    acts_on: ClassVar[int] = 2

    def identity(self) -> tuple[float, ...]:
        return (0.0, 0.0, 0.0)

    def plus(self, x: Components, d: Components, m: Mathematics) -> Components:
        px, py, yaw = x
        vx, vy, w = d
        # V(w) v turned by yaw: the chord sinc(w/2) v points half the turn ahead. No cancellation at small w.
        chord = cos_sinc(0.25 * w * w, m)[1]
        c, s = m.cos(yaw + 0.5 * w), m.sin(yaw + 0.5 * w)
        return [px + chord * (c * vx - s * vy), py + chord * (s * vx + c * vy), m.wrap(yaw + w)]

    def minus(self, y: Components, x: Components, m: Mathematics) -> Components:
        w = m.wrap(y[2] - x[2])
        dx, dy = y[0] - x[0], y[1] - x[1]
        chord = cos_sinc(0.25 * w * w, m)[1]
        c, s = m.cos(x[2] + 0.5 * w), m.sin(x[2] + 0.5 * w)
        return [(c * dx + s * dy) / chord, (c * dy - s * dx) / chord, w]

    def transport(self, x: Components, d: Components, v: Components, m: Mathematics) -> Components:
        # Exact, because ad^3 = -w^2 ad.
        b1 = self.bracket(d, v)
        b2 = self.bracket(d, b1)
        gap = log_gap(d[2] * d[2], m)
        return [v[i] + 0.5 * b1[i] + gap * b2[i] for i in range(3)]

    def bracket(self, a: Components, b: Components) -> Components:
        return [b[2] * a[1] - a[2] * b[1], a[2] * b[0] - b[2] * a[0], 0.0 * a[2]]

    def normalize(self, x: Components, m: Mathematics) -> Components:
        return [x[0], x[1], m.wrap(x[2])]

    def compose(self, x: Components, y: Components, m: Mathematics) -> Components:
        return [*self.act(x, y[:2], m), m.wrap(x[2] + y[2])]

    def inverse(self, x: Components, m: Mathematics) -> Components:
        c, s = m.cos(x[2]), m.sin(x[2])
        return [-(c * x[0] + s * x[1]), s * x[0] - c * x[1], m.wrap(-x[2])]

    def act(self, x: Components, p: Components, m: Mathematics) -> Components:
        c, s = m.cos(x[2]), m.sin(x[2])
        return [x[0] + c * p[0] - s * p[1], x[1] + s * p[0] + c * p[1]]

    def adjoint(self, x: Components, d: Components, m: Mathematics) -> Components:
        c, s = m.cos(x[2]), m.sin(x[2])
        return [c * d[0] - s * d[1] + x[1] * d[2], s * d[0] + c * d[1] - x[0] * d[2], d[2]]

    def chord(self, xs: Components, total: Callable[[Any], Any], heaviest: Components, m: Mathematics) -> Components:
        return [total(xs[0]), total(xs[1]), m.atan2(total(m.sin(xs[2])), total(m.cos(xs[2])))]

    def features(self, x: Components, m: Mathematics) -> Components:
        return [x[0], x[1], m.cos(x[2]), m.sin(x[2])]

    @property
    def width(self) -> int:
        return 4
