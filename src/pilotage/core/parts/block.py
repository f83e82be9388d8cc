"""Blocks of numbers: images, latents, grids."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array
from ..errors import SpaceError
from ..mathematics import Mathematics
from ._words import rounded, short
from .part import Components, Part, check_bounds

DTYPES = ("float64", "float32", "float16", "uint8", "int8", "uint16", "int16", "int32", "int64")

_REST = re.compile(r"\[\s*(\d+(?:\s*,\s*\d+)*)\s*,?\s*\](?:\s+in\s*\[\s*([^\s,]+)\s*,\s*([^\s\]]+)\s*\])?")


@dataclass(frozen=True)
class Block(Part):
    """An array of numbers under one name, such as an image, stored row by row: ``plus = x + d``.

    The bounds of integers are those of their type. The names of the single numbers, such as ``camera[0,31,7]``, are
    created only on demand.

    Args:
        name: name of the block.
        shape: one or more axes, each of length 1 or more.
        numbers: the dtype: float64, float32, float16, or an integer of 8 to 64 bits.
        minimum, maximum: bounds of all numbers; None for those of the type.

    Example:
        >>> Block("camera", (3, 64, 64), "uint8").size
        12288
    """

    shape: tuple[int, ...] = ()  # pyright: ignore[reportIncompatibleMethodOverride]
    numbers: str = "float64"
    minimum: float | None = None
    maximum: float | None = None

    kind: ClassVar[str] = "block"
    linear: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = tuple(int(n) for n in self.shape)
        if not shape or min(shape) < 1 or shape != tuple(self.shape):
            raise SpaceError(f"the shape of the block {self.name} is {self.shape}; expected whole numbers, 1 or more")
        if self.numbers not in DTYPES:
            raise SpaceError(f"the block {self.name} holds {self.numbers!r}; expected one of {', '.join(DTYPES)}")
        whole = np.issubdtype(self.dtype, np.integer)
        limits: Any = np.iinfo(self.numbers) if whole else None
        low, high = (limits.min, limits.max) if whole else (-math.inf, math.inf)
        minimum = low if self.minimum is None else self.minimum
        maximum = high if self.maximum is None else self.maximum
        check_bounds(self.name, minimum, maximum)
        if not low <= minimum <= maximum <= high:
            raise SpaceError(
                f"the bounds of {self.name} are [{minimum:g}, {maximum:g}], more than {self.numbers} holds"
            )
        for name, value in (("shape", shape), ("minimum", float(minimum)), ("maximum", float(maximum))):
            object.__setattr__(self, name, value)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def dim(self) -> int:
        return math.prod(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.numbers)

    @cached_property
    def names(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return tuple(f"{self.name}[{','.join(map(str, i))}]" for i in np.ndindex(*self.shape))

    @property
    def tangent_names(self) -> tuple[str, ...]:
        return self.names

    @property
    def units(self) -> tuple[str, ...]:
        return ("",) * self.size

    @property
    def tangent_units(self) -> tuple[str, ...]:
        return self.units

    @property
    def words(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def listing(self) -> str:
        return f"{self.name} {self.shape}"

    def spots(self, where: Any) -> list[str]:
        return [self.name] if np.any(where) else []

    @property
    def low(self) -> Array:
        return np.full(self.size, self.minimum, dtype=np.float64)

    @property
    def high(self) -> Array:
        return np.full(self.size, self.maximum, dtype=np.float64)

    def tangent(self) -> tuple[Part, ...]:
        short = self.dtype.itemsize <= 2 or self.numbers == "float32"
        return (Block(self.name, self.shape, "float32" if short else "float64"),)

    @property
    def _real(self) -> bool:
        return bool(np.issubdtype(self.dtype, np.floating))

    def alike(self, other: Part) -> bool:
        return super().alike(other) and self.dtype == other.dtype

    def bounded(self, component: str, low: float, high: float) -> Part:
        if component != self.name:
            raise SpaceError(f"{component} is one number of a block; bound all by the name of the block, {self.name}")
        return replace(self, minimum=low, maximum=high)

    @classmethod
    def spelt(cls, name: str, word: str, rest: str) -> Part | None:
        match = _REST.fullmatch(rest)
        if match is None:
            return None
        try:
            low, high = (None if bound is None else float(bound) for bound in match.group(2, 3))
        except ValueError:
            return None
        return cls(name, tuple(int(n) for n in match[1].split(",")), word, low, high)

    def __str__(self) -> str:
        free = replace(self, minimum=None, maximum=None)
        same = (self.minimum, self.maximum) == (free.minimum, free.maximum)
        bounds = "" if same else f" in [{short(self.minimum or 0.0)}, {short(self.maximum or 0.0)}]"
        return f"{self.name}: {self.numbers}[{', '.join(map(str, self.shape))}]{bounds}"

    def identity(self) -> Array:
        return np.zeros(self.size)

    def plus(self, x: Components, d: Components, m: Mathematics) -> Components:
        return [a + b for a, b in zip(x, d, strict=True)]

    def minus(self, y: Components, x: Components, m: Mathematics) -> Components:
        return [b - a for a, b in zip(x, y, strict=True)]

    def compose(self, x: Components, y: Components, m: Mathematics) -> Components:
        return self.plus(x, y, m)

    def inverse(self, x: Components, m: Mathematics) -> Components:
        return [-a for a in x]

    def adjoint(self, x: Components, d: Components, m: Mathematics) -> Components:
        return d

    def sample(self, uniform: Array, normal: Array) -> Array:
        x = super().sample(uniform, normal)
        return x if self._real else np.rint(x)

    def misfit(self, x: Array, state: str) -> str | None:
        if self._real:
            return None
        if (np.abs(x - np.rint(x)) > 0.0).any() or (x < self.low).any() or (x > self.high).any():
            return f"{self.name} of {state} is kept in {self.numbers}; expected whole numbers it can hold"
        return None

    def describe(self, mean: Array, std: Array) -> str:
        each: Sequence[float] = (float(np.mean(mean)), float(np.sqrt(np.mean(np.square(std)))))
        return f"{self.name} {self.shape}: {rounded(*each)} +- {rounded(each[1], each[1])} on average"
