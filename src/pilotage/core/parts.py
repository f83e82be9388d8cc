"""What a space is made of: named parts, among them reals and angles.

Each kind of part is written once, as functions of scalar components and a namespace `m`, and so runs on floats, numpy
arrays, torch tensors and symbols. Rotations and poses are in `rotations` and `poses`.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

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
        if not re.fullmatch(NAME, self.name) or self.name == "in":
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

    def rate(self, d: Components, v: Components, m: Mathematics) -> Components:
        """Rate of the coordinates d of ``x (+) d`` when the point moves with body velocity v.

        ``d' = v + 1/2 [d, v] + 1/12 [d, [d, v]]``: the inverse right Jacobian up to fourth order in d, which is what
        a Runge-Kutta-Munthe-Kaas method of order four needs (Munthe-Kaas 1999).
        """
        if self.flat:
            return v
        b = self.bracket(d, v, m)
        bb = self.bracket(d, b, m)
        return [v[i] + 0.5 * b[i] + bb[i] / 12.0 for i in range(self.dim)]

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
