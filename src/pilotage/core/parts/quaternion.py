"""Rotations in space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array
from ..mathematics import Component, Mathematics
from ..rotations import conjugate, cross, log_gap, matrix, product, rotate, rotation_exp, rotation_log, unit
from ._pose import Group
from .part import Components


@dataclass(frozen=True)
class Quaternion(Group):
    """A rotation as a unit quaternion (w, x, y, z): ``plus = q * Exp(d)``, d a rotation vector in the body frame.

    q and -q are the same rotation; `minus` takes the shorter way, by at most pi. Source: Sola, "Quaternion kinematics
    for the error-state Kalman filter", 2017.

    Example:
        >>> from pilotage.core import numpy_math as m
        >>> q = Quaternion("attitude").plus([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, m.pi / 2], m)
        >>> [round(float(c), 3) for c in q]
        [0.707, 0.0, 0.0, 0.707]
    """

    kind: ClassVar[str] = "quaternion"
    stored: ClassVar[tuple[tuple[str, str], ...]] = (("w", ""), ("x", ""), ("y", ""), ("z", ""))
    moved: ClassVar[tuple[tuple[str, str], ...]] = (("rx", "rad"), ("ry", "rad"), ("rz", "rad"))
    turning: ClassVar[slice] = slice(0, 3)
    acts_on: ClassVar[int] = 3

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

    def transport(self, x: Components, d: Components, v: Components, m: Mathematics) -> Components:
        b1 = cross(d, v)
        b2 = cross(d, b1)
        gap = log_gap(d[0] * d[0] + d[1] * d[1] + d[2] * d[2], m)
        return [v[i] + 0.5 * b1[i] + gap * b2[i] for i in range(3)]

    def bracket(self, a: Components, b: Components) -> Components:
        return cross(a, b)

    def normalize(self, x: Components, m: Mathematics) -> Components:
        return unit(x, m)

    def compose(self, x: Components, y: Components, m: Mathematics) -> Components:
        return unit(product(x, y), m)

    def inverse(self, x: Components, m: Mathematics) -> Components:
        return conjugate(unit(x, m))

    def act(self, x: Components, p: Components, m: Mathematics) -> Components:
        return rotate(unit(x, m), p)

    def adjoint(self, x: Components, d: Components, m: Mathematics) -> Components:
        return rotate(unit(x, m), d)

    def chord(self, xs: Components, total: Callable[[Any], Any], heaviest: Components, m: Mathematics) -> Components:
        return aligned(xs, total, heaviest, m)

    def sample(self, uniform: Array, normal: Array) -> Array:
        return normal  # a normal vector of four has a uniform direction

    def misfit(self, x: Array, state: str) -> str | None:
        return not_unit(x, f"the quaternion {self.listing}", state)

    def features(self, x: Components, m: Mathematics) -> Components:
        return matrix(x)

    @property
    def width(self) -> int:
        return 9


def aligned(qs: Components, total: Callable[[Any], Any], heaviest: Components, m: Mathematics) -> list[Component]:
    """Weighted sum of quaternions, all turned to the side of the heaviest: q and -q are one rotation."""
    along = sum(q * h for q, h in zip(qs, heaviest, strict=True))
    side = m.where(along < 0.0, -1.0, 1.0)
    return [total(side * q) for q in qs]


def not_unit(x: Array, what: str, state: str) -> str | None:
    """A sentence when vectors ``(..., k)`` do not have length 1 to 1e-3."""
    if not (np.abs((x**2).sum(-1) - 1.0) > 2e-3).any():
        return None
    return f"{what} of {state} does not have length 1; quaternions are stored wxyz, and space.normalize(x) scales"
