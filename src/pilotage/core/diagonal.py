"""The normal distribution with independent components, for states with many components."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ._values import Value, at, broadcast, described, states
from .arrays import Array, numbers
from .covariances import log_normal_diagonal
from .errors import CovarianceError, ShapeError
from .gaussian import Gaussian
from .settings import whole
from .space import Space
from .streams import Rng, generator


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Diagonal(Value):
    """A Gaussian with independent components, for latents and images: ``x = mean (+) e``, ``e_i ~ N(0, var_i)``.

    Args:
        space: the space of the states.
        mean: ``(..., size)``, stored with the dtype of the space, so that a float32 latent stays float32.
        var: variances of the tangent components, ``(..., dim)`` or one number; positive.

    Arrays are read-only copies.

    Raises:
        ShapeError: if an array does not fit the space or contains NaN.
        CovarianceError: if a variance is not positive.

    Example:
        >>> z = Diagonal(Space("latent: float32[256]"), np.zeros(256), 0.25)
        >>> z.sample(3, rng=0).shape, z.mean.dtype
        ((3, 256), dtype('float32'))
    """

    space: Space
    mean: Array
    var: Array

    def __init__(self, space: Space, mean: Any, var: Any) -> None:
        x = states(space, mean, "mean", "Diagonal")
        given = numbers(var, "var", space.floats)
        v = np.full(space.dim, given) if given.ndim == 0 else np.array(given)
        if v.shape[-1] != space.dim:
            raise ShapeError(f"var has shape {v.shape}; expected a number or (..., {space.dim})")
        if not (v > 0.0).all() or not np.isfinite(v).all():
            raise CovarianceError(f"var holds {np.min(v):.3g}; variances are positive and finite")
        x, v = broadcast(("mean", x, 1), ("var", v, 1))
        self.__dict__.update(space=space, mean=x, var=v)

    @classmethod
    def trusted(cls, space: Space, mean: Array, var: Array) -> Diagonal:
        """A belief made without copies or checks; the arrays become read-only and must not be used elsewhere."""
        mean.setflags(write=False)
        var.setflags(write=False)
        new = object.__new__(cls)
        new.__dict__.update(space=space, mean=mean, var=var)
        return new

    @property
    def std(self) -> Array:
        """Standard deviations of the tangent components, ``(..., dim)``."""
        return np.sqrt(self.var)

    def moments(self) -> Gaussian:
        """The same belief as a `Gaussian`, which needs memory for ``dim^2`` numbers."""
        return Gaussian.trusted(self.space, self.mean, root=self.std[..., None] * np.eye(self.space.dim))

    def sample(self, n: int, *, rng: Rng = None) -> Array:
        """`n` states ``(..., n, size)``."""
        shape = (*self.mean.shape[:-1], whole(n, "n", 0), self.space.dim)
        z = generator(rng).standard_normal(shape, dtype=self.space.floats.type)
        return cast(Array, self.space.plus(self.mean[..., None, :], self.std[..., None, :] * z))

    def log_prob(self, x: Any) -> Array:
        """``sum_i log N((x (-) mean)_i; 0, var_i)`` at states ``(..., size)``."""
        return log_normal_diagonal(self.space.minus(x, self.mean), self.var)

    def marginal(self, names: str | Iterable[str]) -> Diagonal:
        """The marginal belief of the named parts, in the order given."""
        names = names.split() if isinstance(names, str) else list(names)
        i, j = self.space.indices(names)
        return Diagonal.trusted(self.space.select(names), self.mean[..., i], self.var[..., j])

    def __getitem__(self, index: Any) -> Diagonal:
        """The belief(s) at `index` of the leading axes."""
        return Diagonal.trusted(self.space, *at(index, (self.mean, 1), (self.var, 1)))

    def __str__(self) -> str:
        return described(self.space, self.mean, self.std, "Diagonal Gaussians")

    def __repr__(self) -> str:
        return f"Diagonal({self})"
