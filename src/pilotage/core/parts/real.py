"""Real numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from ..errors import SpaceError
from ..mathematics import Mathematics
from ._words import short
from .part import Components, Part, check_bounds


@dataclass(frozen=True)
class Real(Part):
    """A real number: ``plus = x + d``.

    Example:
        >>> Real("speed", "m/s", -2, 10).names
        ('speed',)
    """

    unit: str = ""
    minimum: float = -math.inf
    maximum: float = math.inf

    kind: ClassVar[str] = "real"
    linear: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bounds(self.name, self.minimum, self.maximum)
        object.__setattr__(self, "minimum", float(self.minimum))
        object.__setattr__(self, "maximum", float(self.maximum))

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

    def bounded(self, component: str, low: float, high: float) -> Part:
        return replace(self, minimum=low, maximum=high)

    @classmethod
    def spelt(cls, name: str, word: str, rest: str) -> Part | None:
        raise SpaceError(f"reals are declared without a kind: {name!r}, '{name} [m]' or '{name} [m] in [0, 1]'")

    def __str__(self) -> str:
        return f"{self.name}{self.suffix}"

    @property
    def suffix(self) -> str:
        """Unit and bounds as the grammar of `Space` spells them."""
        unit = f" [{self.unit}]" if self.unit else ""
        free = self.minimum == -math.inf and self.maximum == math.inf
        return unit if free else f"{unit} in [{short(self.minimum)}, {short(self.maximum)}]"

    def identity(self) -> tuple[float, ...]:
        return (0.0,)

    def plus(self, x: Components, d: Components, m: Mathematics) -> Components:
        return [x[0] + d[0]]

    def minus(self, y: Components, x: Components, m: Mathematics) -> Components:
        return [y[0] - x[0]]

    def compose(self, x: Components, y: Components, m: Mathematics) -> Components:
        return [x[0] + y[0]]

    def inverse(self, x: Components, m: Mathematics) -> Components:
        return [-x[0]]

    def adjoint(self, x: Components, d: Components, m: Mathematics) -> Components:
        return d
