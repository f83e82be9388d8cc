"""Poses in space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from ..arrays import Array
from ..mathematics import Component, Mathematics
from ..rotations import (
    conjugate,
    cos_sinc,
    cross,
    exp_gap,
    log_gap,
    log_gap_slope,
    matrix,
    product,
    rotate,
    rotation_exp,
    rotation_log,
    unit,
)  # fmt: skip
from ._pose import Pose
from .part import Components
from .quaternion import aligned, not_unit


@dataclass(frozen=True)
class SE3(Pose):
    """A pose in space, stored as (x, y, z, qw, qx, qy, qz), with tangent [v, w] in the body frame: ``X Exp(d)``.

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
    stored: ClassVar[tuple[tuple[str, str], ...]] = (
        *(("x", "m"), ("y", "m"), ("z", "m")),
        *(("qw", ""), ("qx", ""), ("qy", ""), ("qz", "")),
    )
    moved: ClassVar[tuple[tuple[str, str], ...]] = (
        *(("vx", "m"), ("vy", "m"), ("vz", "m")),
        *(("wx", "rad"), ("wy", "rad"), ("wz", "rad")),
    )
    axes: ClassVar[int] = 3
    limit: ClassVar[float] = 1.0
    turning: ClassVar[slice] = slice(3, 6)
    paired: ClassVar[int] = 3
    acts_on: ClassVar[int] = 3

    def identity(self) -> tuple[float, ...]:
        return (0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)

    def plus(self, x: Components, d: Components, m: Mathematics) -> Components:
        p, q, v, w = x[:3], unit(x[3:], m), d[:3], d[3:]
        t2 = w[0] * w[0] + w[1] * w[1] + w[2] * w[2]
        sinc = cos_sinc(0.25 * t2, m)[1]
        step = rotate(q, _left_jacobian(w, v, 0.5 * sinc * sinc, exp_gap(t2, m)))
        return [p[0] + step[0], p[1] + step[1], p[2] + step[2], *unit(product(q, rotation_exp(w, m)), m)]

    def minus(self, y: Components, x: Components, m: Mathematics) -> Components:
        q = conjugate(unit(x[3:], m))
        w = rotation_log(product(q, y[3:]), m)
        t2 = w[0] * w[0] + w[1] * w[1] + w[2] * w[2]
        p = rotate(q, [y[0] - x[0], y[1] - x[1], y[2] - x[2]])
        return [*_left_jacobian(w, p, -0.5, log_gap(t2, m)), *w]

    def transport(self, x: Components, d: Components, v: Components, m: Mathematics) -> Components:
        # The inverse right Jacobian as a polynomial in ad; its even part is fitted to t/2 cot(t/2) and its slope,
        # which is enough because ad (ad^2 + t^2)^2 = 0.
        t2 = d[3] * d[3] + d[4] * d[4] + d[5] * d[5]
        slope = log_gap_slope(t2, m)
        b1 = self.bracket(d, v)
        b2 = self.bracket(d, b1)
        b4 = self.bracket(d, self.bracket(d, b2))
        a = log_gap(t2, m) - t2 * slope
        return [v[i] + 0.5 * b1[i] + a * b2[i] - slope * b4[i] for i in range(6)]

    def bracket(self, a: Components, b: Components) -> Components:
        (ax, ay, az), (bx, by, bz) = cross(a[3:], b[:3]), cross(a[:3], b[3:])
        return [ax + bx, ay + by, az + bz, *cross(a[3:], b[3:])]

    def normalize(self, x: Components, m: Mathematics) -> Components:
        return [*x[:3], *unit(x[3:], m)]

    def compose(self, x: Components, y: Components, m: Mathematics) -> Components:
        return [*self.act(x, y[:3], m), *unit(product(x[3:], y[3:]), m)]

    def inverse(self, x: Components, m: Mathematics) -> Components:
        q = conjugate(unit(x[3:], m))
        return [*rotate(q, [-x[0], -x[1], -x[2]]), *q]

    def act(self, x: Components, p: Components, m: Mathematics) -> Components:
        turned = rotate(unit(x[3:], m), p)
        return [x[i] + turned[i] for i in range(3)]

    def adjoint(self, x: Components, d: Components, m: Mathematics) -> Components:
        q = unit(x[3:], m)
        v, w = rotate(q, d[:3]), rotate(q, d[3:])
        moved = cross(x[:3], w)
        return [v[0] + moved[0], v[1] + moved[1], v[2] + moved[2], *w]

    def chord(self, xs: Components, total: Callable[[Any], Any], heaviest: Components, m: Mathematics) -> Components:
        return [*map(total, xs[:3]), *aligned(xs[3:], total, heaviest[3:], m)]

    def sample(self, uniform: Array, normal: Array) -> Array:
        x = super().sample(uniform, normal)
        x[..., 3:] = normal[..., 3:]  # a normal vector of four has a uniform direction
        return x

    def misfit(self, x: Array, state: str) -> str | None:
        return not_unit(x[..., 3:], f"the quaternion of {self.name}, {', '.join(self.names[3:])},", state)

    def features(self, x: Components, m: Mathematics) -> Components:
        return [*x[:3], *matrix(x[3:])]

    @property
    def width(self) -> int:
        return 12


def _left_jacobian(w: Components, v: Components, a: Any, b: Any) -> list[Component]:
    """``v + a w x v + b w x (w x v)``."""
    t = cross(w, v)
    s = cross(w, t)
    return [v[i] + a * t[i] + b * s[i] for i in range(3)]
