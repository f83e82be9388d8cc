"""Groups whose errors are given in the world instead of the body."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from numpy.typing import NDArray

from ..arrays import Array
from ..errors import SpaceError
from ..mathematics import Mathematics
from ._pose import Group
from .part import Components, Part

_TAKEN = ("kind", "stored", "moved", "turning", "reach", "paired", "acts_on")


@dataclass(frozen=True)
class LeftPerturbed(Part):
    """A rotation or pose that is perturbed on the left: ``plus = Exp(d) X``, ``minus(Y, X) = Log(Y X^-1)``.

    Tangent vectors are given in the frame of the world, and ``Y X^-1`` is the right-invariant error of the invariant
    Kalman filter. States are stored as those of the part itself, ``"pose: SE2 left"`` as ``"pose: SE2"``, and
    ``Exp(Ad_X d) X = X Exp(d)`` ties the two: `carry` takes beliefs from one to the other.

    Source: Barrau and Bonnabel, "The invariant extended Kalman filter as a stable observer", IEEE Trans. Automatic
    Control 62, 2017, section II.

    Args:
        name: name of the part.
        of: the rotation or pose, perturbed on the right; it takes the name.

    Raises:
        SpaceError: if `of` is no rotation or pose.

    Example:
        >>> from pilotage.core import SE2, numpy_math as m
        >>> quarter = [0.0, 0.0, m.pi / 2]
        >>> [round(float(c), 3) for c in LeftPerturbed("pose", SE2("pose")).plus([1.0, 0.0, 0.0], quarter, m)]
        [0.0, 1.0, 1.571]
    """

    of: Group

    side: ClassVar[str] = "left"

    def __post_init__(self) -> None:
        if not isinstance(self.of, Group):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SpaceError(f"{self.of!r} is not perturbed on either side; rotations and poses are")
        object.__setattr__(self, "of", replace(self.of, name=self.name))
        for attribute in _TAKEN:
            object.__setattr__(self, attribute, getattr(self.of, attribute))
        super().__post_init__()

    @property
    def low(self) -> Sequence[float] | Array:
        return self.of.low

    @property
    def high(self) -> Sequence[float] | Array:
        return self.of.high

    @property
    def extents(self) -> Array:
        return self.of.extents

    def same_kind(self, other: Part) -> bool:
        return isinstance(other, LeftPerturbed) and self.of.same_kind(other.of)

    def alike(self, other: Part) -> bool:
        return isinstance(other, LeftPerturbed) and self.of.alike(other.of)

    def perturbed(self, side: str) -> Part:
        return self if side == self.side else self.of

    def bounded(self, component: str, low: float, high: float) -> Part:
        return replace(self, of=self.of.bounded(component, low, high))

    def limits(self) -> dict[str, tuple[float, float]]:
        return self.of.limits()

    def __str__(self) -> str:
        return f"{self.of} {self.side}"

    def identity(self) -> Sequence[float] | Array:
        return self.of.identity()

    def plus(self, x: Components, d: Components, m: Mathematics) -> Components:
        one: Any = self.of.identity()
        return self.of.compose(self.of.plus(one, d, m), x, m)

    def minus(self, y: Components, x: Components, m: Mathematics) -> Components:
        one: Any = self.of.identity()
        return self.of.minus(self.of.compose(y, self.of.inverse(x, m), m), one, m)

    def rate(self, x: Components, d: Components, v: Components, m: Mathematics) -> Components:
        # The left Jacobian of d is the right one of -d.
        return self.of.rate(x, [-c for c in d], v, m)

    def transport(self, x: Components, d: Components, v: Components, m: Mathematics) -> Components:
        return self.of.transport(x, [-c for c in d], v, m)

    def normalize(self, x: Components, m: Mathematics) -> Components:
        return self.of.normalize(x, m)

    def compose(self, x: Components, y: Components, m: Mathematics) -> Components:
        return self.of.compose(x, y, m)

    def inverse(self, x: Components, m: Mathematics) -> Components:
        return self.of.inverse(x, m)

    def adjoint(self, x: Components, d: Components, m: Mathematics) -> Components:
        return self.of.adjoint(x, d, m)

    def swapped(self, x: Components, d: Components, m: Mathematics) -> Components:
        return self.of.adjoint(self.of.inverse(x, m), d, m)

    def act(self, x: Components, p: Components, m: Mathematics) -> Components:
        return self.of.act(x, p, m)

    def chord(self, xs: Components, total: Callable[[Any], Any], heaviest: Components, m: Mathematics) -> Components:
        return self.of.chord(xs, total, heaviest, m)

    def sample(self, uniform: Array, normal: Array) -> Array:
        return self.of.sample(uniform, normal)

    def misfit(self, x: Array, state: str) -> str | None:
        return self.of.misfit(x, state)

    def scale(self, x: NDArray[Any]) -> Any:
        return self.of.scale(x)

    def features(self, x: Components, m: Mathematics) -> Components:
        return self.of.features(x, m)

    @property
    def width(self) -> int:
        return self.of.width
