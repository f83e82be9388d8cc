"""A belief without uncertainty."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._values import Value, at, described, freeze, states
from .arrays import Array
from .gaussian import Gaussian
from .settings import whole
from .space import Space
from .streams import Rng, checked


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Point(Value):
    """A belief without uncertainty, ``x = mean``: that of a simulator, or of code that ignores the uncertainty.

    Args:
        space: the space of the state.
        mean: ``(..., size)``; stored as a read-only copy with the dtype of the space.

    Raises:
        ShapeError: if the mean does not fit the space or contains NaN.

    Example:
        >>> print(Point(Space("x [m]", "yaw: angle"), [3.0, 0.5]))
        x 3 +- 0 m, yaw 28.6 +- 0 deg
    """

    space: Space
    mean: Array

    def __init__(self, space: Space, mean: Any) -> None:
        x = states(space, mean, "mean", "Point")
        self.__dict__.update(space=space, mean=freeze(x))

    @property
    def std(self) -> Array:
        """Zeros ``(..., dim)``."""
        return np.zeros((*self.mean.shape[:-1], self.space.dim), dtype=self.space.floats)

    def moments(self) -> Gaussian:
        """The same belief as a `Gaussian` with covariance zero, which needs memory for ``dim^2`` numbers."""
        return Gaussian.trusted(self.space, self.mean, np.zeros((*self.mean.shape[:-1], *(self.space.dim,) * 2)))

    def sample(self, n: int, *, rng: Rng = None) -> Array:
        """The state `n` times, ``(..., n, size)``."""
        checked(rng)
        return np.repeat(self.mean[..., None, :], whole(n, "n", 0), axis=-2)

    def log_prob(self, x: Any) -> Array:
        """Log-probability (a point has no density): 0 where ``x = mean``, -inf elsewhere."""
        return np.where((self.space.minus(x, self.mean) == 0.0).all(-1), 0.0, -np.inf)

    def marginal(self, names: str | Iterable[str]) -> Point:
        """The state of the named parts, in the order given."""
        names = names.split() if isinstance(names, str) else list(names)
        return Point(self.space.select(names), self.mean[..., self.space.indices(names)[0]])

    def __getitem__(self, index: Any) -> Point:
        """The state(s) at `index` of the leading axes."""
        return Point(self.space, at(index, (self.mean, 1))[0])

    def __str__(self) -> str:
        return described(self.space, self.mean, self.std, "Points")

    def __repr__(self) -> str:
        return f"Point({self})"
