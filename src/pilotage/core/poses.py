"""Poses in the plane and in space, on scalar components.

Groups perturb on the right, ``plus(X, d) = X Exp(d)``, with tangents ordered [translation, rotation] (Sola, Deray,
Atchuthan: *A micro Lie theory for state estimation in robotics*, 2018).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from .errors import SpaceError
from .mathematics import Component, Mathematics
from .parts import Components, Part, check_bounds
from .rotations import conjugate, cos_sinc, cross, product, rotate, rotation_exp, rotation_log, series, unit

_INF = math.inf


@dataclass(frozen=True)
class Pose(Part):
    """What SE2 and SE3 share: a translation that may be bounded, and a rotation that may not."""

    minimum: tuple[float, ...] = ()
    maximum: tuple[float, ...] = ()

    axes: ClassVar[tuple[str, ...]]
    rotation: ClassVar[tuple[str, ...]]
    tangent: ClassVar[tuple[str, ...]]
    limit: ClassVar[float]

    def __post_init__(self) -> None:
        super().__post_init__()
        for attribute, free in (("minimum", -_INF), ("maximum", _INF)):
            given = tuple(float(value) for value in getattr(self, attribute)) or (free,) * len(self.axes)
            if len(given) != len(self.axes):
                raise SpaceError(f"{self.name}.{attribute} has {len(given)} values; {self.kind} takes {len(self.axes)}")
            object.__setattr__(self, attribute, given)
        for axis, low, high in zip(self.axes, self.minimum, self.maximum, strict=True):
            check_bounds(f"{self.name}.{axis}", low, high)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{self.name}.{c}" for c in (*self.axes, *self.rotation))

    @property
    def tangent_names(self) -> tuple[str, ...]:
        return tuple(f"{self.name}.{c}" for c in self.tangent)

    @property
    def units(self) -> tuple[str, ...]:
        return ("m",) * len(self.axes) + (("rad",) if len(self.rotation) == 1 else ("",) * len(self.rotation))

    @property
    def tangent_units(self) -> tuple[str, ...]:
        return ("m",) * len(self.axes) + ("rad",) * (self.dim - len(self.axes))

    @property
    def low(self) -> tuple[float, ...]:
        return self.minimum + (-self.limit,) * len(self.rotation)

    @property
    def high(self) -> tuple[float, ...]:
        return self.maximum + (self.limit,) * len(self.rotation)

    def bounded(self, component: str, low: float, high: float) -> Part:
        i = self.names.index(component)
        if i >= len(self.axes):
            return super().bounded(component, low, high)
        minimum, maximum = list(self.minimum), list(self.maximum)
        minimum[i], maximum[i] = low, high
        return replace(self, minimum=tuple(minimum), maximum=tuple(maximum))


@dataclass(frozen=True)
class SE2(Pose):
    """A pose in the plane, stored (x, y, yaw), tangent (vx, vy, omega) in the body frame: ``plus = X Exp(d)``.

    ``Exp([v, w]) = (V(w) v, w)``, ``V(w) = [[sin w, cos w - 1], [1 - cos w, sin w]] / w``: a circular arc.

    Example:
        >>> from pilotage.core import numpy_math as m
        >>> x = SE2("pose").plus([0.0, 0.0, 0.0], [m.pi / 2, 0.0, m.pi / 2], m)
        >>> [round(float(c), 3) for c in x]
        [1.0, 1.0, 1.571]
    """

    kind: ClassVar[str] = "SE2"
    size: ClassVar[int] = 3
    dim: ClassVar[int] = 3
    axes: ClassVar[tuple[str, ...]] = ("x", "y")
    rotation: ClassVar[tuple[str, ...]] = ("yaw",)
    tangent: ClassVar[tuple[str, ...]] = ("vx", "vy", "omega")
    limit: ClassVar[float] = math.pi

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

    def bracket(self, a: Components, b: Components, m: Mathematics) -> Components:
        return [b[2] * a[1] - a[2] * b[1], a[2] * b[0] - b[2] * a[0], 0.0 * a[2]]

    def normalize(self, x: Components, m: Mathematics) -> Components:
        return [x[0], x[1], m.wrap(x[2])]


@dataclass(frozen=True)
class SE3(Pose):
    """A pose in space, stored (x, y, z, qw, qx, qy, qz), tangent [v, w] in the body frame: ``plus = X Exp(d)``.

    ``Exp([v, w]) = (V(w) v, Exp(w))``, ``V = I + (1 - cos t)/t^2 [w] + (t - sin t)/t^3 [w]^2``, ``t = |w|``
    (Sola et al. 2018, eq. 172 to 174).

    Example:
        >>> from pilotage.core import numpy_math as m
        >>> ahead_and_left = [m.pi / 2, 0.0, 0.0, 0.0, 0.0, m.pi / 2]
        >>> x = SE3("pose").plus([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], ahead_and_left, m)
        >>> [round(float(c), 3) for c in x]
        [1.0, 1.0, 0.0, 0.707, 0.0, 0.0, 0.707]
    """

    kind: ClassVar[str] = "SE3"
    size: ClassVar[int] = 7
    dim: ClassVar[int] = 6
    axes: ClassVar[tuple[str, ...]] = ("x", "y", "z")
    rotation: ClassVar[tuple[str, ...]] = ("qw", "qx", "qy", "qz")
    tangent: ClassVar[tuple[str, ...]] = ("vx", "vy", "vz", "wx", "wy", "wz")
    limit: ClassVar[float] = 1.0

    def identity(self) -> tuple[float, ...]:
        return (0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)

    def plus(self, x: Components, d: Components, m: Mathematics) -> Components:
        p, q, v, w = x[:3], unit(x[3:], m), d[:3], d[3:]
        t2 = w[0] * w[0] + w[1] * w[1] + w[2] * w[2]
        sinc = cos_sinc(0.25 * t2, m)[1]
        step = rotate(q, _left_jacobian(w, v, 0.5 * sinc * sinc, _exp_gap(t2, m)))
        return [p[0] + step[0], p[1] + step[1], p[2] + step[2], *unit(product(q, rotation_exp(w, m)), m)]

    def minus(self, y: Components, x: Components, m: Mathematics) -> Components:
        q = conjugate(unit(x[3:], m))
        w = rotation_log(product(q, y[3:]), m)
        t2 = w[0] * w[0] + w[1] * w[1] + w[2] * w[2]
        p = rotate(q, [y[0] - x[0], y[1] - x[1], y[2] - x[2]])
        return [*_left_jacobian(w, p, -0.5, _log_gap(t2, m)), *w]

    def bracket(self, a: Components, b: Components, m: Mathematics) -> Components:
        (ax, ay, az), (bx, by, bz) = cross(a[3:], b[:3]), cross(a[:3], b[3:])
        return [ax + bx, ay + by, az + bz, *cross(a[3:], b[3:])]

    def normalize(self, x: Components, m: Mathematics) -> Components:
        return [*x[:3], *unit(x[3:], m)]


def _exp_gap(t2: Component, m: Mathematics) -> Component:
    """``(t - sin t) / t^3`` as a smooth function of ``t^2``."""
    near = t2 < 1.0
    t = m.sqrt(m.where(near, 1.0, t2))
    terms = tuple((-1.0) ** k / math.factorial(2 * k + 3) for k in range(8))
    return m.where(near, series(t2, terms), (t - m.sin(t)) / (t * t * t))


def _log_gap(t2: Component, m: Mathematics) -> Component:
    """``(1 - t/2 cot(t/2)) / t^2`` as a smooth function of ``t^2``."""
    near = t2 < 0.25
    h = 0.5 * m.sqrt(m.where(near, 1.0, t2))
    terms = (1 / 3, 1 / 45, 2 / 945, 1 / 4725, 2 / 93555, 1382 / 638512875, 4 / 18243225, 3617 / 162820783125)
    far = (1.0 - h * m.cos(h) / m.sin(h)) / (4.0 * h * h)
    return m.where(near, 0.25 * series(0.25 * t2, terms), far)


def _left_jacobian(w: Components, v: Components, a: Any, b: Any) -> list[Component]:
    """``v + a w x v + b w x (w x v)``."""
    t = cross(w, v)
    s = cross(w, t)
    return [v[i] + a * t[i] + b * s[i] for i in range(3)]
