"""Weighted Gaussians whose components are partly known exactly: the belief of a Rao-Blackwellised particle filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import CovarianceError, Gaussian, Rng, ShapeError, Space, generator
from ..core._values import Value, at, states
from ..core.arrays import Array, numbers
from ..core.covariances import log_normal, scattered
from ..core.mixture import merged
from ..core.settings import whole
from ..core.weights import drawn, log_sum_exp, normalized_log_weights
from .cloud import kernel_width
from .resampling import taken


@dataclass(frozen=True, eq=False, repr=False, init=False)
class GaussianParticles(Value):
    """Particles on some components of a state, each with a Gaussian on the others: ``p(x) = sum_i w_i N(x; m_i, P_i)``.

    P_i is zero in the rows and columns of the components that the particles sample.

    Args:
        space: the space of the states.
        means: m_i, ``(..., N, size)``.
        covs: P_i, ``(..., N, dim, dim)``.
        log_weights: ``(..., N)``, with any sum, -inf for weight zero; None for equal weights.
        sampled: indices of the tangent components that are sampled.

    Arrays are read-only copies.

    Raises:
        ShapeError: if the arrays do not fit the space or each other, contain NaN, or all weights are zero.

    Example:
        >>> space = Space("x [m]", "vx [m/s]")
        >>> means, covs = np.array([[0.0, 1.0], [2.0, 1.0]]), np.array([np.diag([0.0, 1.0])] * 2)
        >>> print(GaussianParticles(space, means, covs, np.log([0.5, 0.5]), sampled=(0,)).moments())
        x 1.0 +- 1.0 m, vx 1.0 +- 1.0 m/s
    """

    space: Space
    means: Array
    covs: Array
    log_weights: Array
    sampled: tuple[int, ...]

    def __init__(
        self, space: Space, means: Any, covs: Any, log_weights: Any = None, sampled: tuple[int, ...] = ()
    ) -> None:
        m, P = states(space, means, "means", "GaussianParticles"), np.array(numbers(covs, "covs"))
        if m.ndim < 2 or m.shape[-2] == 0 or P.shape != (*m.shape[:-1], space.dim, space.dim):
            raise ShapeError(
                f"means has shape {m.shape} and covs {P.shape}; expected (..., N, {space.size}) and "
                f"(..., N, {space.dim}, {space.dim}) with N of at least 1"
            )
        w = normalized_log_weights(log_weights, m.shape[-2], "particles")
        self._hold(space, m, P, np.broadcast_to(w, m.shape[:-1]), tuple(sampled))

    @classmethod
    def trusted(
        cls, space: Space, means: Array, covs: Array, log_weights: Array, sampled: tuple[int, ...]
    ) -> GaussianParticles:
        """The same without copies or checks; the arrays become read-only and must not be used elsewhere."""
        new = object.__new__(cls)
        new._hold(space, means, covs, log_weights, sampled)
        return new

    def _hold(self, *values: Any) -> None:
        self.__setstate__(dict(zip(("space", "means", "covs", "log_weights", "sampled"), values, strict=True)))

    @property
    def weights(self) -> Array:
        """The weights ``(..., N)``, with sum 1."""
        return np.exp(self.log_weights)

    @property
    def effective_size(self) -> Any:
        """The effective number of particles ``1 / sum w_i^2``; ``(...)`` for batches."""
        size = np.exp(-log_sum_exp(2.0 * self.log_weights))
        return float(size) if size.ndim == 0 else size

    @property
    def each(self) -> Gaussian:
        """The Gaussians ``(..., N)``."""
        return Gaussian.trusted(self.space, self.means, self.covs)

    def moments(self) -> Gaussian:
        """The Gaussian with matched moments; see `pilotage.core.Mixture`."""
        return merged(self.space, self.means, self.covs, self.weights)

    def sample(self, n: int, *, rng: Rng = None) -> Array:
        """`n` states ``(..., n, size)``."""
        draw, axes, n = generator(rng), self.means.shape[:-2], whole(n, "n", 0)
        index = drawn(self.weights, n, draw)
        means, covs = taken(self.means, index), taken(self.covs, index)
        return scattered(self.space, means, covs, draw.standard_normal((*axes, n, self.space.dim)))

    def log_prob(self, x: Any) -> Array:
        """Log-density at states ``(..., size)``, by a kernel over the sampled components, as that of `Particles`.

        Raises:
            CovarianceError: if the particles span no volume in the sampled components.
        """
        cov, s = np.zeros((*self.means.shape[:-2], self.space.dim, self.space.dim)), len(self.sampled)
        inner = (..., *np.ix_(self.sampled, self.sampled))
        cov[inner] = self.moments().cov[inner]
        h2 = np.asarray(kernel_width(self.effective_size, s)) ** 2
        apart = self.space.minus(np.asarray(x, dtype=np.float64)[..., None, :], self.means)
        try:
            kernels = log_normal(apart, self.covs + (h2[..., None, None] * cov)[..., None, :, :])
        except CovarianceError:
            raise CovarianceError("the particles span no volume, so they have no density; use more of them") from None
        return log_sum_exp(kernels + self.log_weights)

    def marginal(self, names: Any) -> GaussianParticles:
        """The marginal over the named parts, in the order given."""
        names = names.split() if isinstance(names, str) else list(names)
        i, t = self.space.indices(names)
        sampled = tuple(k for k, j in enumerate(t) if j in self.sampled)
        covs = self.covs[(..., *np.ix_(t, t))]
        return GaussianParticles.trusted(self.space.select(names), self.means[..., i], covs, self.log_weights, sampled)

    def __getitem__(self, index: Any) -> GaussianParticles:
        """The belief(s) at `index` of the leading axes."""
        means, covs, log_weights = at(index, (self.means, 2), (self.covs, 3), (self.log_weights, 1))
        return GaussianParticles.trusted(self.space, means, covs, log_weights, self.sampled)

    def __str__(self) -> str:
        if self.means.ndim > 2:
            return f"mixtures of shape {self.means.shape[:-2]} over {self.space.listing}"
        return f"{self.moments()} ({self.means.shape[-2]} Gaussians, {self.effective_size:.0f} effective)"

    def __repr__(self) -> str:
        return f"GaussianParticles({self})"


def pinned(given: Gaussian, sampled: tuple[int, ...], rng: np.random.Generator) -> tuple[Array, Array]:
    """Means and covariances of Gaussians ``(..., N)`` given draws of their sampled components.

    ::

        e ~ N(0, P_cc),   mean = mean (+) P_:c / P_cc e,   P = P - P_:c P_c: / P_cc      for each sampled c in turn
    """
    P, d = np.array(given.cov), np.zeros((*given.mean.shape[:-1], given.space.dim))
    least = 1e-14 * np.diagonal(P, axis1=-2, axis2=-1)
    for c in sampled:
        variance = P[..., c, c]
        some = variance > least[..., c]
        gain = P[..., c] / np.where(some, variance, 1.0)[..., None] * some[..., None]
        e = np.sqrt(np.maximum(variance, 0.0)) * rng.standard_normal(variance.shape)
        d += gain * e[..., None]
        P -= gain[..., :, None] * P[..., None, c, :]
        P[..., c, :] = P[..., c] = 0.0
    return np.asarray(given.space.plus(given.mean, d)), 0.5 * (P + np.swapaxes(P, -1, -2))
