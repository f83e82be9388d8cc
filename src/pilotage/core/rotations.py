"""Rotations in space as unit quaternions, on scalar components.

Every division by an angle is guarded twice: the argument of the branch not taken is replaced before the division, so
that derivatives at zero rotation stay finite and exact; Taylor series take over there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from .mathematics import Component, Mathematics
from .parts import Components, Part


@dataclass(frozen=True)
class Quaternion(Part):
    """A rotation as unit quaternion (w, x, y, z): ``plus = q * Exp(d)``, d a rotation vector in the body frame.

    q and -q are the same rotation; `minus` goes the short way, by at most pi. Source: Sola, "Quaternion kinematics for
    the error-state Kalman filter", 2017.

    Example:
        >>> from pilotage.core import numpy_math as m
        >>> q = Quaternion("attitude").plus([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, m.pi / 2], m)
        >>> [round(float(c), 3) for c in q]
        [0.707, 0.0, 0.0, 0.707]
    """

    kind: ClassVar[str] = "quaternion"
    size: ClassVar[int] = 4
    dim: ClassVar[int] = 3

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{self.name}.{c}" for c in ("w", "x", "y", "z"))

    @property
    def tangent_names(self) -> tuple[str, ...]:
        return tuple(f"{self.name}.{c}" for c in ("rx", "ry", "rz"))

    @property
    def units(self) -> tuple[str, ...]:
        return ("",) * 4

    @property
    def tangent_units(self) -> tuple[str, ...]:
        return ("rad",) * 3

    @property
    def low(self) -> tuple[float, ...]:
        return (-1.0,) * 4

    @property
    def high(self) -> tuple[float, ...]:
        return (1.0,) * 4

    def identity(self) -> tuple[float, ...]:
        return (1.0, 0.0, 0.0, 0.0)

    def plus(self, x: Components, d: Components, m: Mathematics) -> Components:
        return unit(product(x, rotation_exp(d, m)), m)

    def minus(self, y: Components, x: Components, m: Mathematics) -> Components:
        return rotation_log(product(conjugate(x), y), m)

    def bracket(self, a: Components, b: Components, m: Mathematics) -> Components:
        return cross(a, b)

    def normalize(self, x: Components, m: Mathematics) -> Components:
        return unit(x, m)


def cross(a: Components, b: Components) -> list[Component]:
    """Vector product of two triples."""
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


def product(p: Components, q: Components) -> list[Component]:
    """Hamilton product of two quaternions wxyz."""
    a, b, c, d = p
    w, x, y, z = q
    return [
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    ]


def conjugate(q: Components) -> list[Component]:
    """The inverse of a unit quaternion."""
    return [q[0], -q[1], -q[2], -q[3]]


def unit(q: Components, m: Mathematics) -> list[Component]:
    """The quaternion scaled to length 1."""
    scale = 1.0 / m.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    return [q[0] * scale, q[1] * scale, q[2] * scale, q[3] * scale]


def rotate(q: Components, v: Components) -> list[Component]:
    """The vector `v` turned by the unit quaternion `q`: ``v + 2 w (u x v) + 2 u x (u x v)``."""
    t = cross(q[1:], v)
    s = cross(q[1:], t)
    return [v[i] + 2.0 * (q[0] * t[i] + s[i]) for i in range(3)]


def rotation_exp(w: Components, m: Mathematics) -> list[Component]:
    """Unit quaternion of a rotation vector: ``(cos t/2, sin(t/2)/t w)``."""
    c, s = cos_sinc(0.25 * (w[0] * w[0] + w[1] * w[1] + w[2] * w[2]), m)
    return [c, 0.5 * s * w[0], 0.5 * s * w[1], 0.5 * s * w[2]]


def rotation_log(q: Components, m: Mathematics) -> list[Component]:
    """Rotation vector of a quaternion, of length at most pi: ``4 atan(|v| / (|q| + |w|)) v / |v|``.

    The tangent of a quarter of the angle never exceeds 1, so nothing is singular, not even half a turn.
    """
    v2 = q[1] * q[1] + q[2] * q[2] + q[3] * q[3]
    short = m.where(q[0] < 0.0, -1.0, 1.0)
    reach = m.sqrt(q[0] * q[0] + v2) + short * q[0]
    k = 4.0 * short * _atanc(v2 / (reach * reach), m) / reach
    return [k * q[1], k * q[2], k * q[3]]


def cos_sinc(t2: Component, m: Mathematics) -> tuple[Component, Component]:
    """``cos t`` and ``sin t / t`` as smooth functions of ``t^2``."""
    near = t2 < 0.0625
    t = m.sqrt(m.where(near, 1.0, t2))
    c = series(t2, (1.0, -1 / 2, 1 / 24, -1 / 720, 1 / 40320, -1 / 3628800, 1 / 479001600))
    s = series(t2, (1.0, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800))
    return m.where(near, c, m.cos(t)), m.where(near, s, m.sin(t) / t)


def _atanc(r2: Component, m: Mathematics) -> Component:
    """``atan(r) / r`` as a smooth function of ``r^2``."""
    near = r2 < 0.01
    r = m.sqrt(m.where(near, 1.0, r2))
    return m.where(near, series(r2, (1.0, -1 / 3, 1 / 5, -1 / 7, 1 / 9, -1 / 11, 1 / 13, -1 / 15)), m.atan(r) / r)


def series(x: Component, terms: Sequence[float]) -> Component:
    """Polynomial with the given coefficients, lowest first, by Horner's rule."""
    total: Component = terms[-1]
    for term in reversed(terms[:-1]):
        total = total * x + term
    return total
