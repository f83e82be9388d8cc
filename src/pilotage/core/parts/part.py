"""The abstract part: one named factor of a space, with its geometry.

Each kind of part has a file in this folder and a line in the register (`parts/__init__.py`). Its geometry consists of
functions of scalar components and a mathematics namespace `m`, so it works with floats, numpy arrays, torch tensors and
the symbols of the tracer.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import SpaceError
from ..mathematics import Component, Mathematics
from ._words import rounded, scalar

Components = Sequence[Component]

NAME = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"


@dataclass(frozen=True)
class Part(ABC):
    """One named factor of a space.

    A new kind sets `kind`, `stored` and `moved`, and implements `identity`, `plus`, `minus`, `low` and `high`. All
    other methods have defaults that suit kinds where plus is addition.

    Attributes:
        name: identifier, which may contain dots (``"car.yaw"``).
        kind: the word that declares it, as in ``"yaw: angle"``.
        stored, moved: suffix and unit of each stored component and of each tangent component.
        linear: True where `plus` is addition.
        periodic: True where `plus` is addition up to whole turns.
        turning: the tangent components whose joint length is an angle.
        reach: the length of `turning` up to which `minus` brings back what `plus` was given, to 1e-11.
        paired: number of leading stored components that have a tangent component of their own in the same place.
        side: the side on which a group is perturbed: "right", ``x Exp(d)``, or "left", ``Exp(d) x``.
    """

    name: str

    kind: ClassVar[str]
    stored: ClassVar[tuple[tuple[str, str], ...]] = (("", ""),)
    moved: ClassVar[tuple[tuple[str, str], ...]] = (("", ""),)
    linear: ClassVar[bool] = False
    periodic: ClassVar[bool] = False
    turning: ClassVar[slice] = slice(0, 0)
    reach: ClassVar[float] = math.pi - 1e-6
    paired: ClassVar[int] = 0
    side: ClassVar[str] = "right"

    def __post_init__(self) -> None:
        if not re.fullmatch(NAME, self.name) or self.name == "in":
            raise SpaceError(f"{self.name!r} is not a name; use letters, digits, underscores and dots, as in car.yaw")

    # -- description

    @property
    def size(self) -> int:
        """Number of stored components."""
        return len(self.stored)

    @property
    def dim(self) -> int:
        """Number of tangent components."""
        return len(self.moved)

    @property
    def flat(self) -> bool:
        """True where `plus` is addition, up to whole turns: storage and tangent have the same layout."""
        return self.linear or self.periodic

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the numbers of this part."""
        return np.dtype(np.float64)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in which users see the stored components."""
        return (self.size,)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the stored components."""
        return tuple(self._dotted(suffix) for suffix, _ in self.stored)

    @property
    def tangent_names(self) -> tuple[str, ...]:
        """Names of the tangent components."""
        return tuple(self._dotted(suffix) for suffix, _ in self.moved)

    def _dotted(self, suffix: str) -> str:
        return f"{self.name}.{suffix}" if suffix else self.name

    @property
    def units(self) -> tuple[str, ...]:
        """Units of the stored components."""
        return tuple(unit for _, unit in self.stored)

    @property
    def tangent_units(self) -> tuple[str, ...]:
        """Units of the tangent components."""
        return tuple(unit for _, unit in self.moved)

    @property
    def words(self) -> tuple[str, ...]:
        """Names that no other part of a space may have."""
        return tuple(dict.fromkeys((self.name, *self.names)))

    @property
    def listing(self) -> str:
        """The stored components in a sentence."""
        return ", ".join(self.names)

    def spots(self, where: Any) -> list[str]:
        """Names, for an error, of the stored components at which `where` ``(size,)`` is True."""
        return [name for name, here in zip(self.names, where, strict=True) if here]

    @property
    @abstractmethod
    def low(self) -> Sequence[float] | Array:
        """Lower bounds of the stored components, -inf where free."""

    @property
    @abstractmethod
    def high(self) -> Sequence[float] | Array:
        """Upper bounds of the stored components, inf where free."""

    @property
    def extents(self) -> Array:
        """Largest difference of two states along each tangent component: half a turn, or the distance of bounds."""
        return np.asarray(self.high) - np.asarray(self.low) if self.linear else np.full(self.dim, math.pi)

    def tangent(self) -> tuple[Part, ...]:
        """Parts on which plus is addition, one for each tangent component."""
        from .real import Real

        return tuple(Real(n, u) for n, u in zip(self.tangent_names, self.tangent_units, strict=True))

    def same_kind(self, other: Part) -> bool:
        """Whether the other part has the geometry of this one, whatever its name, unit and bounds."""
        return type(self) is type(other) and self.size == other.size

    def alike(self, other: Part) -> bool:
        """Whether states of the other part mean the same as states of this one, whatever the bounds."""
        same = self.same_kind(other) and self.name == other.name and self.shape == other.shape
        return same and self.units == other.units

    def perturbed(self, side: str) -> Part:
        """The same states, perturbed on that side; itself where both are the same, or there is no group."""
        return self

    def bounded(self, component: str, low: float, high: float) -> Part:
        """This part with limits on one stored component."""
        raise SpaceError(
            f"{component} is a rotation ({self.kind}) and cannot be bounded; "
            "declare a joint angle with limits as a real: 'angle [rad] in [-1, 1]'"
        )

    @classmethod
    def spelt(cls, name: str, word: str, rest: str) -> Part | None:
        """The part that ``"name: word rest"`` declares, None when it does not follow the grammar of the kind."""
        return None if rest else cls(name)

    def __str__(self) -> str:
        return f"{self.name}: {self.kind}"

    def limits(self) -> dict[str, tuple[float, float]]:
        """Bounds that the text of the part does not say."""
        return {}

    # -- geometry

    @abstractmethod
    def identity(self) -> Sequence[float] | Array:
        """The neutral element: ``minus(x, identity)`` are the logarithmic coordinates of x."""

    @abstractmethod
    def plus(self, x: Components, d: Components, m: Mathematics) -> Components:
        """``x (+) d``: the point reached from `x` along the tangent vector `d`."""

    @abstractmethod
    def minus(self, y: Components, x: Components, m: Mathematics) -> Components:
        """``y (-) x``: the shortest tangent vector at `x` that leads to `y`."""

    def normalize(self, x: Components, m: Mathematics) -> Components:
        """Storage brought back onto the manifold: angles wrapped, unit vectors scaled to length 1."""
        return x

    def rate(self, x: Components, d: Components, v: Components, m: Mathematics) -> Components:
        """Rate of the coordinates d of ``x (+) d`` when that point moves with the tangent velocity v; for integrators.

        It may be cut off after the fourth order in d, which is what a Runge-Kutta-Munthe-Kaas method of order four
        needs (Munthe-Kaas 1999).
        """
        return v

    def transport(self, x: Components, d: Components, v: Components, m: Mathematics) -> Components:
        """`rate`, exactly: ``d/dt ((x (+) d) (+) t v) (-) x`` at t = 0."""
        return self.rate(x, d, v, m)

    def compose(self, x: Components, y: Components, m: Mathematics) -> Components:
        """The product ``x y``: first y, then x."""
        raise self._no_group("compose")

    def inverse(self, x: Components, m: Mathematics) -> Components:
        """The element with ``x inverse(x) = identity``."""
        raise self._no_group("inverse")

    def adjoint(self, x: Components, d: Components, m: Mathematics) -> Components:
        """``Ad_x d``: the tangent vector with ``x Exp(d) = Exp(Ad_x d) x``."""
        raise self._no_group("adjoint")

    def swapped(self, x: Components, d: Components, m: Mathematics) -> Components:
        """The tangent vector `d` at `x`, as the part that is perturbed on the other side gives it."""
        return d

    def act(self, x: Components, p: Components, m: Mathematics) -> Components:
        """The point or vector `p`, given in the frame of `x`, in the frame that x is given in."""
        raise SpaceError(f"{self} does not move points; rotations and poses do")

    acts_on: ClassVar[int] = 0
    """Length of the points that `act` moves; 0 where there is no action."""

    def _no_group(self, operation: str) -> SpaceError:
        return SpaceError(f"{self} is no group, so there is no {operation}; use plus and minus")

    def chord(self, xs: Components, total: Callable[[Any], Any], heaviest: Components, m: Mathematics) -> Components:
        """A first guess of the mean of samples, whose components `xs` are ``(..., N)``; `total` adds with weights."""
        return [total(x) for x in xs]

    # -- on arrays

    def sample(self, uniform: Array, normal: Array) -> Array:
        """Random states: uniform between finite bounds, normal where free, mirrored at a single bound.

        Args:
            uniform: uniform numbers in [0, 1), ``(..., size)``.
            normal: standard normal numbers ``(..., size)``.
        """
        below, above = np.asarray(self.low, dtype=np.float64), np.asarray(self.high, dtype=np.float64)
        low, high = np.isfinite(below), np.isfinite(above)
        if low.all() and high.all():
            return 2.0 * (0.5 * below + uniform * (0.5 * above - 0.5 * below))  # the difference may overflow
        lo, hi = np.where(low, below, 0.0), np.where(high, above, 0.0)
        free = np.where(low, lo + abs(normal), np.where(high, hi - abs(normal), normal))
        return np.where(low & high, 2.0 * (0.5 * lo + uniform * (0.5 * hi - 0.5 * lo)), free)

    def misfit(self, x: Array, state: str) -> str | None:
        """The fault of finite numbers ``(..., size)`` as a state, in a sentence."""
        return None

    def scale(self, x: NDArray[Any]) -> Any:
        """Size of the numbers that rounding works on, for each tangent component ``(..., dim)``."""
        return np.maximum(1.0, np.abs(x)) if self.size == self.dim else np.ones((*x.shape[:-1], self.dim))

    def features(self, x: Components, m: Mathematics) -> Components:
        """Features for a network: numbers without seams, the same for all that is stored for one state."""
        return x

    @property
    def width(self) -> int:
        """The number of features."""
        return self.size

    def describe(self, mean: Array, std: Array) -> str:
        """A mean ``(size,)`` and deviations ``(dim,)`` in words: ``yaw 1.2 +- 3.1 deg``."""
        if self.size == 1:
            value, spread, unit = scalar(float(mean[0]), float(std[0]), self.units[0])
            return f"{self.name} {rounded(value, spread)} +- {rounded(spread, spread)}{unit and ' ' + unit}"
        rows = [scalar(v, s, u) for v, s, u in zip(mean, std, self.units[: self.paired], strict=False)]
        values = [rounded(v, s) + (" deg" if u == "deg" else "") for v, s, u in rows]
        values += [f"{v:.4f}" for v in mean[self.paired :]]
        spreads = [scalar(s, s, u) for s, u in zip(std, self.tangent_units, strict=True)]
        return f"{self.name} ({', '.join(values)}) +- ({', '.join(f'{rounded(s, s)} {u}' for s, _, u in spreads)})"


def check_bounds(name: str, low: float, high: float) -> None:
    """Refuse bounds between which there is no number."""
    if not low <= high:
        raise SpaceError(f"the bounds of {name} are [{low:g}, {high:g}]; the first must not exceed the second")
