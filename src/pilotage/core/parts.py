# ruff: noqa: D102 -- each method is explained once, in Part.
"""The kinds of coordinates a space is made of: reals, angles, unit quaternions, SE(2) and SE(3).

Each kind is written once, as functions of scalar components and a namespace `m`, and so runs on floats, numpy arrays,
torch tensors and symbols. Groups perturb on the right, ``plus(X, d) = X Exp(d)``, with tangents ordered
[translation, rotation] (Sola, Deray, Atchuthan: *A micro Lie theory for state estimation in robotics*, 2018).
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from .errors import SpaceError
from .mathematics import Component, Mathematics

Components = Sequence[Component]

NAME = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_INF = math.inf


@dataclass(frozen=True)
class Part(ABC):
    """One named factor of a space.

    Attributes:
        name: identifier, dots allowed (``"car.yaw"``).
        size: number of stored components.
        dim: number of tangent components.
        names, units, low, high: one entry per stored component; bounds are infinite where free.
        tangent_names, tangent_units: one entry per tangent component.
    """

    name: str

    kind: ClassVar[str]
    size: ClassVar[int]
    dim: ClassVar[int]
    flat: ClassVar[bool] = False
    """True when `plus` is addition, up to whole turns."""

    def __post_init__(self) -> None:
        if not re.fullmatch(NAME, self.name):
            raise SpaceError(f"{self.name!r} is not a name; use letters, digits, underscores and dots, as in car.yaw")

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]: ...
    @property
    @abstractmethod
    def units(self) -> tuple[str, ...]: ...
    @property
    @abstractmethod
    def tangent_names(self) -> tuple[str, ...]: ...
    @property
    @abstractmethod
    def tangent_units(self) -> tuple[str, ...]: ...
    @property
    @abstractmethod
    def low(self) -> tuple[float, ...]: ...
    @property
    @abstractmethod
    def high(self) -> tuple[float, ...]: ...

    @abstractmethod
    def identity(self) -> tuple[float, ...]:
        """The neutral element: ``minus(x, identity)`` are the logarithmic coordinates of x."""

    @abstractmethod
    def plus(self, x: Components, d: Components, m: Mathematics) -> Components:
        """``x (+) d``: the point reached from `x` along the tangent vector `d`."""

    @abstractmethod
    def minus(self, y: Components, x: Components, m: Mathematics) -> Components:
        """``y (-) x``: the shortest tangent vector at `x` that leads to `y`."""

    def bracket(self, a: Components, b: Components, m: Mathematics) -> Components:
        """Lie bracket ``[a, b]`` of two tangent vectors. Zero on commutative parts."""
        return [0.0 * a[i] for i in range(self.dim)]

    def normalize(self, x: Components, m: Mathematics) -> Components:
        """Bring storage back onto the manifold: wrap angles, scale quaternions to length 1."""
        return x

    def bounded(self, component: str, low: float, high: float) -> Part:
        """This part with limits on one stored component."""
        raise SpaceError(
            f"{component} is a rotation ({self.kind}) and cannot be bounded; "
            "declare a joint angle with limits as a real: 'angle [rad] in [-1, 1]'"
        )

    def __str__(self) -> str:
        return f"{self.name}: {self.kind}"


def check_bounds(name: str, low: float, high: float) -> None:
    """Refuse bounds that hold nothing."""
    if not low <= high:
        raise SpaceError(f"the bounds of {name} are [{low:g}, {high:g}]; the first must not exceed the second")


def _short(value: float) -> str:
    return repr(value).removesuffix(".0")


@dataclass(frozen=True)
class Real(Part):
    """A real number: ``plus = x + d``.

    Example:
        >>> Real("speed", "m/s", -2, 10).names
        ('speed',)
    """

    unit: str = ""
    minimum: float = -_INF
    maximum: float = _INF

    kind: ClassVar[str] = "real"
    size: ClassVar[int] = 1
    dim: ClassVar[int] = 1
    flat: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bounds(self.name, self.minimum, self.maximum)
        object.__setattr__(self, "minimum", float(self.minimum))
        object.__setattr__(self, "maximum", float(self.maximum))

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def tangent_names(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def units(self) -> tuple[str, ...]:
        return (self.unit,)

    @property
    def tangent_units(self) -> tuple[str, ...]:
        return (self.unit,)

    @property
    def low(self) -> tuple[float, ...]:
        return (self.minimum,)

    @property
    def high(self) -> tuple[float, ...]:
        return (self.maximum,)

    def identity(self) -> tuple[float, ...]:
        return (0.0,)

    def plus(self, x: Components, d: Components, m: Mathematics) -> Components:
        return [x[0] + d[0]]

    def minus(self, y: Components, x: Components, m: Mathematics) -> Components:
        return [y[0] - x[0]]

    def bounded(self, component: str, low: float, high: float) -> Part:
        return replace(self, minimum=low, maximum=high)

    def __str__(self) -> str:
        return f"{self.name}{self.suffix}"

    @property
    def suffix(self) -> str:
        """Unit and bounds as the grammar of `Space` spells them."""
        unit = f" [{self.unit}]" if self.unit else ""
        free = self.minimum == -_INF and self.maximum == _INF
        return unit if free else f"{unit} in [{_short(self.minimum)}, {_short(self.maximum)}]"


@dataclass(frozen=True)
class Angle(Part):
    """An angle in radians, kept in (-pi, pi]: ``plus = wrap(x + d)``.

    Example:
        >>> from pilotage.core import numpy_math as m
        >>> [round(float(d), 3) for d in Angle("yaw").minus([-3.1], [3.1], m)]
        [0.083]
    """

    kind: ClassVar[str] = "angle"
    size: ClassVar[int] = 1
    dim: ClassVar[int] = 1
    flat: ClassVar[bool] = True

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def tangent_names(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def units(self) -> tuple[str, ...]:
        return ("rad",)

    @property
    def tangent_units(self) -> tuple[str, ...]:
        return ("rad",)

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


@dataclass(frozen=True)
class Quaternion(Part):
    """A rotation as unit quaternion (w, x, y, z): ``plus = q * Exp(d)``, d a rotation vector in the body frame.

    q and -q are the same rotation; `minus` goes the short way, by at most pi.
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


# Rotations, on scalar components. Every division by an angle is guarded twice: the argument of the branch not taken is
# replaced before the division, so that derivatives at zero rotation stay finite; Taylor series take over there.


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
    c = _series(t2, (1.0, -1 / 2, 1 / 24, -1 / 720, 1 / 40320, -1 / 3628800, 1 / 479001600))
    s = _series(t2, (1.0, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800))
    return m.where(near, c, m.cos(t)), m.where(near, s, m.sin(t) / t)


def _atanc(r2: Component, m: Mathematics) -> Component:
    """``atan(r) / r`` as a smooth function of ``r^2``."""
    near = r2 < 0.01
    r = m.sqrt(m.where(near, 1.0, r2))
    return m.where(near, _series(r2, (1.0, -1 / 3, 1 / 5, -1 / 7, 1 / 9, -1 / 11, 1 / 13, -1 / 15)), m.atan(r) / r)


def _exp_gap(t2: Component, m: Mathematics) -> Component:
    """``(t - sin t) / t^3`` as a smooth function of ``t^2``."""
    near = t2 < 1.0
    t = m.sqrt(m.where(near, 1.0, t2))
    terms = tuple((-1.0) ** k / math.factorial(2 * k + 3) for k in range(8))
    return m.where(near, _series(t2, terms), (t - m.sin(t)) / (t * t * t))


def _log_gap(t2: Component, m: Mathematics) -> Component:
    """``(1 - t/2 cot(t/2)) / t^2`` as a smooth function of ``t^2``."""
    near = t2 < 0.25
    h = 0.5 * m.sqrt(m.where(near, 1.0, t2))
    terms = (1 / 3, 1 / 45, 2 / 945, 1 / 4725, 2 / 93555, 1382 / 638512875, 4 / 18243225, 3617 / 162820783125)
    far = (1.0 - h * m.cos(h) / m.sin(h)) / (4.0 * h * h)
    return m.where(near, 0.25 * _series(0.25 * t2, terms), far)


def _left_jacobian(w: Components, v: Components, a: Any, b: Any) -> list[Component]:
    """``v + a w x v + b w x (w x v)``."""
    t = cross(w, v)
    s = cross(w, t)
    return [v[i] + a * t[i] + b * s[i] for i in range(3)]


def _series(x: Component, terms: Sequence[float]) -> Component:
    """Polynomial with the given coefficients, lowest first, by Horner's rule."""
    total: Component = terms[-1]
    for term in reversed(terms[:-1]):
        total = total * x + term
    return total


KINDS: dict[str, type[Part]] = {kind.kind: kind for kind in (Angle, Quaternion, SE2, SE3)}
"""The kinds that the grammar of `Space` names after a colon."""
