"""Weighted samples of a state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, cast

import numpy as np

from ._values import Value, at, freeze, states
from .arrays import Array
from .covariances import log_normal
from .errors import CovarianceError, ShapeError
from .gaussian import Gaussian
from .settings import whole
from .space import Space
from .streams import Rng, generator
from .weights import drawn, log_sum_exp, normalized_log_weights


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Particles(Value):
    """Weighted states ``p(x) = sum_i w_i delta(x - x_i)``, with log-weights normalised so that ``sum w_i = 1``.

    Args:
        space: the space of the states.
        points: ``(..., N, size)``; angles are wrapped and quaternions normalised.
        log_weights: ``(..., N)``, with any sum, -inf for weight zero; None for equal weights.

    Arrays are read-only copies.

    Raises:
        ShapeError: if the arrays do not fit the space or each other, contain NaN, or all weights are zero.

    Example:
        >>> cloud = Particles(Space("x [m]"), [[0.0], [2.0]])
        >>> print(cloud.moments(), "| effective", cloud.effective_size)
        x 1.0 +- 1.0 m | effective 2.0
    """

    space: Space
    points: Array
    log_weights: Array

    def __init__(self, space: Space, points: Any, log_weights: Any = None) -> None:
        x = states(space, points, "points", "Particles")
        if x.ndim < 2 or x.shape[-2] == 0:
            raise ShapeError(f"points has shape {x.shape}; expected (..., N, {space.size}) with N of at least 1")
        w = normalized_log_weights(log_weights, x.shape[-2], "particles")
        try:
            w = np.broadcast_to(w, x.shape[:-1])
        except ValueError:
            raise ShapeError(
                f"log_weights has shape {w.shape}; points of shape {x.shape} take {x.shape[:-1]}"
            ) from None
        x.flags.writeable = False
        self.__dict__.update(space=space, points=x, log_weights=w)

    @classmethod
    def trusted(cls, space: Space, points: Array, log_weights: Array, weights: Array | None = None) -> Self:
        """Particles made without copies or checks; the arrays become read-only and must not be used elsewhere.

        Log-weights must be normalised; the weights may be given, too, if they are known.
        """
        new, known = object.__new__(cls), {} if weights is None else {"weights": freeze(weights)}
        new.__dict__.update(space=space, points=freeze(points), log_weights=freeze(log_weights), **known)
        return new

    @cached_property
    def weights(self) -> Array:
        """The weights ``(..., N)``, with sum 1; read-only."""
        return freeze(np.exp(self.log_weights))

    @property
    def effective_size(self) -> Any:
        """The effective number of particles ``1 / sum w_i^2``, 1 to N (Kong, Liu, Wong 1994); ``(...)`` for batches."""
        size = np.exp(-log_sum_exp(2.0 * self.log_weights))
        return float(size) if size.ndim == 0 else size

    def moments(self) -> Gaussian:
        """Mean and covariance ``sum w_i d_i d_i'``, ``d_i = x_i (-) mean``; semidefinite when particles coincide."""
        w = self.weights
        mean = cast(Array, self.space.mean(self.points, w))
        d = cast(Array, self.space.minus(self.points, mean[..., None, :]))
        a = np.sqrt(w)[..., None] * d  # with its transpose to the left, the product is symmetric to the last bit
        return Gaussian.trusted(self.space, mean, np.swapaxes(a, -1, -2) @ a)

    def sample(self, n: int, *, rng: Rng = None) -> Array:
        """`n` particles drawn with replacement, ``(..., n, size)``."""
        index = drawn(self.weights, whole(n, "n", 0), generator(rng))
        return np.take_along_axis(self.points, index[..., None], axis=-2)

    def log_prob(self, x: Any) -> Array:
        """Kernel estimate of the log-density at states ``(..., size)``.

        Each particle has a Gaussian kernel with ``h^2`` times the covariance of the cloud,
        ``h = (4 / ((d + 2) N_eff))^(1 / (d + 4))`` (Silverman 1986, eq. 4.14).

        Raises:
            CovarianceError: if the particles span no volume.
        """
        d = self.space.dim
        cov = self.moments().cov
        h2 = np.asarray((4.0 / ((d + 2.0) * self.effective_size)) ** (2.0 / (d + 4.0)))
        apart = self.space.minus(np.asarray(x, dtype=np.float64)[..., None, :], self.points)
        try:
            kernels = log_normal(apart, (h2[..., None, None] * cov)[..., None, :, :])
        except CovarianceError:
            raise CovarianceError(
                f"{self.points.shape[-2]} particles span no volume in {d} dimensions, so they have no density; "
                "use more particles, or roughen them"
            ) from None
        return log_sum_exp(kernels + self.log_weights)

    def marginal(self, names: str | Iterable[str]) -> Particles:
        """The marginal cloud of the named parts, in the order given."""
        names = names.split() if isinstance(names, str) else list(names)
        points = self.points[..., self.space.indices(names)[0]]
        return Particles.trusted(self.space.select(names), points, self.log_weights)

    def __getitem__(self, index: Any) -> Particles:
        """The cloud(s) at `index` of the leading axes: ``run.beliefs[-1]``.

        Example:
            >>> Particles(Space("x [m]"), [[[0.0], [2.0]], [[1.0], [5.0]]])[1].moments().mean
            array([3.])
        """
        return Particles.trusted(self.space, *at(index, (self.points, 2), (self.log_weights, 1)))

    def __str__(self) -> str:
        if self.points.ndim > 2:
            return f"clouds of shape {self.points.shape[:-2]} over {self.space.listing}"
        return f"{self.moments()} ({self.points.shape[-2]} particles, {self.effective_size:.0f} effective)"

    def __repr__(self) -> str:
        return f"Particles({self})"
