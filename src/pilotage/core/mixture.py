"""Weighted sums of beliefs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from .belief import Array, Belief, log_sum_exp, normalized_log_weights
from .errors import ShapeError, SpaceError
from .gaussian import Gaussian
from .linearize import jacobian
from .space import Space
from .streams import Rng, generator


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Mixture:
    """``p(x) = sum_k w_k p_k(x)``: hypotheses, modes of a manoeuvring target, humps of a posterior.

    Args:
        components: beliefs on one space, at least one.
        log_weights: ``(K,)``, or ``(..., K)`` when the components have leading axes; of any sum; None for equal.

    Raises:
        SpaceError: when the components live on different spaces.
        ShapeError: when there are no components or the weights do not fit.

    Example:
        >>> line = Space("x [m]")
        >>> print(Mixture([Gaussian.of(line, [0], std=1), Gaussian.of(line, [4], std=1)]).moments())
        x 2.0 +- 2.2 m
    """

    components: tuple[Belief, ...]
    log_weights: Array

    def __init__(self, components: Iterable[Belief], log_weights: Any = None) -> None:
        parts = tuple(components)
        if not parts:
            raise ShapeError("a mixture of nothing was asked for; give at least one component")
        for part in parts[1:]:
            if part.space != parts[0].space:
                raise SpaceError(f"components of a mixture live on {parts[0].space} and on {part.space}; use one space")
        w = normalized_log_weights(log_weights, len(parts), "components")
        self.__dict__.update(components=parts, log_weights=w)

    @property
    def space(self) -> Space:
        return self.components[0].space

    @property
    def weights(self) -> Array:
        """``(..., K)``, of sum 1."""
        return np.exp(self.log_weights)

    def moments(self) -> Gaussian:
        """Moment matching: ``P = sum w_k (G_k P_k G_k' + d_k d_k')``, ``d_k = m_k (-) mean``.

        G_k carries the covariance from the tangent at m_k to that at the mean; it is the identity where plus is
        addition.
        """
        space, w = self.space, self.weights
        gaussians = [c.moments() for c in self.components]
        means = np.stack([g.mean for g in gaussians], axis=-2)
        covs = np.stack([g.cov for g in gaussians], axis=-3)
        mean = cast(Array, space.mean(means, w))
        base = mean[..., None, :]
        d = cast(Array, space.minus(means, base))
        if not space.flat:
            G = jacobian(lambda x: space.minus(x, base), means, space, space.tangent)
            covs = G @ covs @ np.swapaxes(G, -1, -2)
        spread = covs + d[..., :, None] * d[..., None, :]
        return Gaussian.trusted(space, mean, np.einsum("...k,...kij->...ij", w, spread))

    def sample(self, n: int, *, rng: Rng = None) -> Array:
        """`n` states ``(..., n, size)``."""
        draw = generator(rng)
        choices = np.stack([c.sample(n, rng=draw) for c in self.components], axis=-2)
        cumulative = np.cumsum(self.weights, axis=-1)[..., None, :]
        try:
            u = draw.random(choices.shape[:-2])[..., None] * np.broadcast_to(cumulative, choices.shape[:-1])[..., -1:]
        except ValueError:
            raise ShapeError(
                f"log_weights has shape {self.log_weights.shape}, but the components have the leading axes "
                f"{choices.shape[:-3]}; give both the same"
            ) from None
        k = (cumulative <= u).sum(-1)
        return np.take_along_axis(choices, k[..., None, None], axis=-2)[..., 0, :]

    def log_prob(self, x: Any) -> Array:
        """``log sum_k w_k p_k(x)`` at states ``(..., size)``."""
        return log_sum_exp(np.stack([c.log_prob(x) for c in self.components], axis=-1) + self.log_weights)

    def __str__(self) -> str:
        if self.log_weights.ndim > 1:
            return f"mixtures of {len(self.components)} components over {', '.join(self.space.names)}"
        return "; ".join(f"{w:.0%}: {c}" for w, c in zip(self.weights, self.components, strict=True))

    def __repr__(self) -> str:
        return f"Mixture({self})"
