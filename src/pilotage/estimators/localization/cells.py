"""Histograms: beliefs that give a probability to each cell of a regular grid over the components of a state."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...core import Gaussian, Particles, Rng, Space, generator
from ...core._product import listed
from ...core._values import Value, freeze
from ...core.arrays import Array, numbers
from ...core.errors import SettingError, ShapeError, SpaceError
from ...core.settings import number, whole

NEGLIGIBLE = 1e-15
"""A cell with less than this share of the heaviest one holds nothing."""
MOST = 2**28
"""Number of cells, whose centres of three components take 6.4 GB."""


@dataclass(frozen=True)
class Cells(Value):
    """A regular grid of cells over a space.

    Attributes:
        space: a space of numbers and angles.
        low: lower ends of the axes ``(d,)``.
        width: sides of a cell ``(d,)``.
        shape: how many cells there are along each axis.
        closed: whether an axis is a full turn, the last cell of which is beside the first.
    """

    space: Space
    low: tuple[float, ...]
    width: tuple[float, ...]
    shape: tuple[int, ...]
    closed: tuple[bool, ...]

    @classmethod
    def of(cls, space: Space, axes: Mapping[str, Any]) -> Cells:
        """The cells of a space, with (low, high, number of cells) of each component by name, or the number of a turn.

        Raises:
            SpaceError: if the space has other parts than numbers and angles.
            SettingError: if a component has no cells, they are not given like this, or there are more than `MOST`.

        Example:
            >>> cells = Cells.of(Space("x [m]", "yaw: angle"), {"x": (0.0, 2.0, 4), "yaw": 4})
            >>> cells.centers[:2].tolist() == [[0.25, -0.75 * np.pi], [0.25, -0.25 * np.pi]], cells.volume / np.pi
            (True, 0.25)
        """
        if not space.flat or space.size != space.dim:
            raise SpaceError(f"cells divide numbers and angles, not the rotations and poses of {space}")
        turns = [part.periodic for part, s, _ in space.layout for _ in range(s.start, s.stop)]
        rows = [_axis(name, axes.get(name), turn) for name, turn in zip(space.names, turns, strict=True)]
        low, width, shape, closed = zip(*rows, strict=True)
        if (count := math.prod(shape)) > MOST:
            raise SettingError(
                f"cells of {space} are {' x '.join(map(str, shape))}, {count:.3g} in all, whose probabilities alone "
                f"take {8e-9 * count:.3g} GB; expected {MOST:.3g} at most: give larger ones, or use a particle filter"
            )
        return cls(space, low, width, shape, closed)

    @cached_property
    def centers(self) -> Array:
        """Centres of all cells ``(K, d)``, the last component fastest."""
        axes = [low + w * (np.arange(n) + 0.5) for low, w, n in zip(self.low, self.width, self.shape, strict=True)]
        centers = np.array(
            np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes)), dtype=np.float64
        )
        centers.setflags(write=False)
        return centers

    @property
    def volume(self) -> float:
        """Volume of a cell, in the units of the space."""
        return math.prod(self.width)

    def index(self, x: Any) -> tuple[Any, Any]:
        """The cell of states ``(..., d)``: flat indices, and whether they lie in the grid."""
        at = np.floor((np.asarray(x) - self.low) / self.width).astype(np.int64)
        at = np.where(self.closed, at % self.shape, at)
        inside = np.all((at >= 0) & (at < self.shape), axis=-1, keepdims=True)
        places = np.moveaxis(np.where(inside, at, 0), -1, 0)
        return np.ravel_multi_index(tuple(places), self.shape), inside[..., 0]


def _axis(name: str, given: Any, turns: bool) -> tuple[float, float, int, bool]:
    """Low end, width of a cell, number of cells, and whether the axis is a full turn."""
    if turns and np.ndim(given) == 0 and given is not None:
        count = whole(given, f"cells of {name}")
        return -math.pi, 2.0 * math.pi / count, count, True
    if given is None or np.shape(given) != (3,):
        raise SettingError(
            f"cells of {name} are {given!r}; give (low, high, number of cells)" + (", or the number of a turn" * turns)
        )
    low, high = (number(given[i], f"an end of {name}") for i in (0, 1))
    count = whole(given[2], f"cells of {name}")
    if not low < high:
        raise SettingError(f"cells of {name} reach from {low:g} to {high:g}; give the lower end first")
    return low, (high - low) / count, count, False


@dataclass(frozen=True, eq=False, repr=False)
class Histogram(Value):
    """A belief that gives a probability to each cell; within a cell, states are uniform.

    ::

        p(x) = p_k / volume    for x in cell k

    Attributes:
        cells: the cells.
        p: their probabilities ``cells.shape``, of sum 1; a read-only copy.

    Raises:
        ShapeError: if the probabilities do not fit the cells, are negative or do not sum to 1.

    Example:
        >>> where = Histogram(Cells.of(Space("x [m]"), {"x": (0.0, 2.0, 4)}), np.array([0.0, 0.5, 0.5, 0.0]))
        >>> print(where, where.log_prob([[0.75], [1.75]]).round(2).tolist())
        x 1.00 +- 0.29 m (4 cells) [0.0, -inf]
    """

    cells: Cells
    p: Array

    def __post_init__(self) -> None:
        p = np.array(numbers(self.p, "probabilities"))
        if p.shape != self.cells.shape or p.min() < 0.0 or abs(p.sum() - 1.0) > 1e-9:
            raise ShapeError(
                f"probabilities of shape {p.shape} sum to {p.sum():.6g}, the least is {p.min():.3g}; expected "
                f"{self.cells.shape} numbers of 0 or more, of sum 1"
            )
        self.__setstate__({"cells": self.cells, "p": p})

    @property
    def space(self) -> Space:
        """The space of the states."""
        return self.cells.space

    @cached_property
    def kept(self) -> Any:
        """Flat indices of the cells that hold something."""
        return freeze(np.flatnonzero(self.p.ravel() > NEGLIGIBLE * self.p.max()))

    @cached_property
    def cloud(self) -> Particles:
        """The centres of the cells that hold something, with their probabilities as weights."""
        log_weights = np.log(self.p.ravel()[self.kept])
        return Particles.trusted(self.space, self.cells.centers[self.kept], log_weights)

    @cached_property
    def _moments(self) -> Gaussian:
        known = self.cloud.moments()
        return Gaussian(self.space, known.mean, known.cov + np.diag(np.square(self.cells.width)) / 12.0)

    def moments(self) -> Gaussian:
        """Mean and covariance."""
        return self._moments

    def marginal(self, names: Any) -> Histogram:
        """The histogram of the named parts, in the order given; its `p` over x and y makes a picture of the map."""
        names = listed(names)
        space, axes = self.space.select(names), self.space.indices(names)[0]
        rest = tuple(i for i in range(self.p.ndim) if i not in axes)
        p = self.p.sum(axis=rest).transpose(np.argsort(np.argsort(axes)))
        rows = (self.cells.low, self.cells.width, self.cells.shape, self.cells.closed)
        chosen: Any = [tuple(row[i] for i in axes) for row in rows]
        return Histogram(Cells(space, *chosen), p / p.sum())

    def sample(self, n: int, *, rng: Rng = None) -> Array:
        """`n` states ``(n, d)``."""
        draw = generator(rng)
        chosen = draw.choice(self.p.size, whole(n, "n", 0), p=self.p.ravel())
        inside = self.cells.centers[chosen] + (draw.random((n, self.p.ndim)) - 0.5) * self.cells.width
        return np.asarray(self.space.normalize(inside))

    def log_prob(self, x: Any) -> Array:
        """Log-density at states ``(..., d)``; -inf outside the cells."""
        k, inside = self.cells.index(self.space.check(x))
        with np.errstate(divide="ignore"):
            return np.where(inside, np.log(self.p.ravel()[k] / self.cells.volume), -np.inf)

    def __str__(self) -> str:
        return f"{self.moments()} ({self.p.size} cells)"

    def __repr__(self) -> str:
        return f"Histogram({self})"
