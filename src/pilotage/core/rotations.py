"""The algebra of unit quaternions wxyz and rotation vectors, on scalar components.

Every division by an angle is guarded twice: the argument of the branch not taken is replaced before the division, so
that derivatives at zero rotation stay finite and exact; Taylor series take over there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .mathematics import Component, Mathematics

Components = Sequence[Component]


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


def matrix(q: Components) -> list[Component]:
    """The rotation matrix of a unit quaternion, row by row."""
    w, x, y, z = q
    return [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip


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


def exp_gap(t2: Component, m: Mathematics) -> Component:
    """``(t - sin t) / t^3`` as a smooth function of ``t^2``."""
    near = t2 < 1.0
    t = m.sqrt(m.where(near, 1.0, t2))
    terms = tuple((-1.0) ** k / math.factorial(2 * k + 3) for k in range(8))
    return m.where(near, series(t2, terms), (t - m.sin(t)) / (t * t * t))


_COT = (1 / 3, 1 / 45, 2 / 945, 1 / 4725, 2 / 93555, 1382 / 638512875, 4 / 18243225, 3617 / 162820783125)
"""``(1 - h cot h) / h^2`` in powers of h^2."""


def log_gap(t2: Component, m: Mathematics) -> Component:
    """``(1 - t/2 cot(t/2)) / t^2`` as a smooth function of ``t^2``."""
    near = t2 < 0.25
    h = 0.5 * m.sqrt(m.where(near, 1.0, t2))
    far = (1.0 - h * m.cos(h) / m.sin(h)) / (4.0 * h * h)
    return m.where(near, 0.25 * series(0.25 * t2, _COT), far)


def log_gap_slope(t2: Component, m: Mathematics) -> Component:
    """Derivative of `log_gap` by ``t^2``."""
    near = t2 < 0.25
    h = 0.5 * m.sqrt(m.where(near, 1.0, t2))
    s = m.sin(h)
    far = (h * h / (s * s) + h * m.cos(h) / s - 2.0) / (32.0 * h * h * h * h)
    return m.where(near, series(0.25 * t2, tuple(k * c / 16.0 for k, c in enumerate(_COT))[1:]), far)
