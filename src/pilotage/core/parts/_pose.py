"""Common parts of poses in the plane and in space.

Poses perturb on the right, ``plus(X, d) = X Exp(d)``, with tangents ordered [translation, rotation] (Sola, Deray,
Atchuthan: *A micro Lie theory for state estimation in robotics*, 2018).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import SpaceError
from ..mathematics import Mathematics
from .part import Components, Part, check_bounds


@dataclass(frozen=True)
class Group(Part):
    """A part on which ``plus(x, d) = x Exp(d)``; `bracket` is the commutator of two tangent vectors."""

    @abstractmethod
    def bracket(self, a: Components, b: Components) -> Components:
        """Lie bracket ``[a, b]`` of two tangent vectors."""

    def rate(self, x: Components, d: Components, v: Components, m: Mathematics) -> Components:
        # v + 1/2 [d, v] + 1/12 [d, [d, v]]: the inverse right Jacobian up to fourth order.
        b = self.bracket(d, v)
        bb = self.bracket(d, b)
        return [v[i] + 0.5 * b[i] + bb[i] / 12.0 for i in range(self.dim)]

    def perturbed(self, side: str) -> Part:
        from .left import LeftPerturbed

        return self if side == self.side else LeftPerturbed(self.name, self)

    def swapped(self, x: Components, d: Components, m: Mathematics) -> Components:
        return self.adjoint(x, d, m)

    @classmethod
    def spelt(cls, name: str, word: str, rest: str) -> Part | None:
        part = super().spelt(name, word, "" if rest == "left" else rest)
        return part and part.perturbed(rest or "right")


@dataclass(frozen=True)
class Pose(Group):
    """A translation that may be bounded, and a rotation that may not."""

    minimum: tuple[float, ...] = ()
    maximum: tuple[float, ...] = ()

    axes: ClassVar[int]
    limit: ClassVar[float]

    def __post_init__(self) -> None:
        super().__post_init__()
        for attribute, free in (("minimum", -math.inf), ("maximum", math.inf)):
            given = tuple(float(value) for value in getattr(self, attribute)) or (free,) * self.axes
            if len(given) != self.axes:
                raise SpaceError(f"{self.name}.{attribute} has {len(given)} values; {self.kind} takes {self.axes}")
            object.__setattr__(self, attribute, given)
        for name, low, high in zip(self.names, self.minimum, self.maximum, strict=False):
            check_bounds(name, low, high)

    @property
    def low(self) -> tuple[float, ...]:
        return self.minimum + (-self.limit,) * (self.size - self.axes)

    @property
    def high(self) -> tuple[float, ...]:
        return self.maximum + (self.limit,) * (self.size - self.axes)

    @property
    def extents(self) -> Array:
        lengths = np.array(self.maximum) - np.array(self.minimum)
        return np.concatenate((lengths, np.full(self.dim - self.axes, math.pi)))

    def bounded(self, component: str, low: float, high: float) -> Part:
        i = self.names.index(component) if component in self.names else self.axes
        if i >= self.axes:
            return super().bounded(component, low, high)
        minimum, maximum = list(self.minimum), list(self.maximum)
        minimum[i], maximum[i] = low, high
        return replace(self, minimum=tuple(minimum), maximum=tuple(maximum))

    def limits(self) -> dict[str, tuple[float, float]]:
        rows = zip(self.names, self.minimum, self.maximum, strict=False)
        return {name: (low, high) for name, low, high in rows if math.isfinite(low) or math.isfinite(high)}

    def scale(self, x: NDArray[Any]) -> Any:
        out = np.ones((*x.shape[:-1], self.dim))
        # The translation is stored in the world and moves in the body: any axis may end up in any other.
        out[..., : self.axes] = np.maximum(1.0, np.abs(x[..., : self.axes]).max(-1, keepdims=True))
        return out
