"""Weighted sums of beliefs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np

from ._values import Value, at, freeze
from .arrays import Array
from .belief import Belief
from .errors import ShapeError, SpaceError
from .gaussian import Gaussian
from .settings import instance
from .space import Space
from .streams import Rng, generator
from .weights import log_sum_exp, normalized_log_weights


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Mixture(Value):
    """A weighted sum of beliefs, such as hypotheses or modes of a target: ``p(x) = sum_k w_k p_k(x)``.

    Components may have different spaces, like the models of a manoeuvring target. The mixture is then a distribution
    over the parts that all of them share, in the order of the first component: `space`, `moments`, `sample` and
    `log_prob` use the marginals of the components over these parts. `components` returns the components as given.

    Args:
        components: beliefs, at least one.
        log_weights: ``(K,)``, or ``(..., K)`` if the components have leading axes, with any sum; None for equal ones.

    Raises:
        SpaceError: if the components share no part, or a shared part has different kinds.
        ShapeError: if there are no components or the weights do not fit.

    Example:
        >>> still, moving = Space("x [m]"), Space("x [m]", "speed [m/s]")
        >>> print(Mixture([Gaussian.of(still, [0], std=1), Gaussian.of(moving, [4, 9], std=1)]).moments())
        x 2.0 +- 2.2 m
    """

    components: tuple[Belief, ...]
    log_weights: Array

    def __init__(self, components: Iterable[Belief], log_weights: Any = None) -> None:
        several: Any = components if hasattr(components, "__iter__") else (components,)
        given = tuple(instance(each, Belief, "Mixture") for each in several)
        if not given:
            raise ShapeError("a mixture has no components; give at least one")
        w = normalized_log_weights(log_weights, len(given), "components")
        self.__dict__.update(components=given, log_weights=w)
        _ = self.joined

    @classmethod
    def trusted(cls, components: tuple[Belief, ...], log_weights: Array) -> Mixture:
        """A mixture made without copies or checks, of components that share a part and of weights with sum 1."""
        new = object.__new__(cls)
        new.__dict__.update(components=components, log_weights=freeze(log_weights))
        return new

    @cached_property
    def joined(self) -> tuple[Belief, ...]:
        """The marginals of the components over the parts that all of them share."""
        first = self.components[0].space
        if all(c.space == first for c in self.components):
            return self.components
        shared = [part.name for part in first.parts]
        for other in self.components[1:]:
            common = first.common(other.space)
            shared = [name for name in shared if name in common]
        if not shared:
            spaces = " and ".join(dict.fromkeys(str(c.space) for c in self.components))
            raise SpaceError(f"the components of a mixture share no part: they live on {spaces}")
        space = first.select(shared)
        return tuple(c if c.space == space else _marginal(c, shared) for c in self.components)

    @property
    def space(self) -> Space:
        """The space of the parts that all components share."""
        return self.joined[0].space

    @property
    def weights(self) -> Array:
        """The weights ``(..., K)``, with sum 1."""
        return np.exp(self.log_weights)

    def moments(self) -> Gaussian:
        """The Gaussian with matched moments: ``P = sum w_k (G_k P_k G_k' + d_k d_k')``, ``d_k = m_k (-) mean``.

        G_k moves the covariance from the tangent space at m_k to the one at the mean (`Space.transport`).
        """
        gaussians = [c.moments() for c in self.joined]
        means = np.stack([g.mean for g in gaussians], axis=-2)
        covs = np.stack([g.cov for g in gaussians], axis=-3)
        return merged(self.space, means, covs, self.weights)

    def sample(self, n: int, *, rng: Rng = None) -> Array:
        """`n` states ``(..., n, size)``."""
        draw = generator(rng)
        choices = np.stack([c.sample(n, rng=draw) for c in self.joined], axis=-2)
        cumulative = np.cumsum(np.exp(self._log_weights_over(choices.shape[:-3])), axis=-1)[..., None, :]
        u = draw.random(choices.shape[:-2])[..., None] * cumulative[..., -1:]
        k = (cumulative <= u).sum(-1)
        return np.take_along_axis(choices, k[..., None, None], axis=-2)[..., 0, :]

    def log_prob(self, x: Any) -> Array:
        """``log sum_k w_k p_k(x)`` at states ``(..., size)``."""
        return log_sum_exp(np.stack([c.log_prob(x) for c in self.joined], axis=-1) + self.log_weights)

    def marginal(self, names: str | Iterable[str]) -> Mixture:
        """The marginal mixture of the named parts, in the order given."""
        names = names.split() if isinstance(names, str) else list(names)
        return Mixture([_marginal(c, names) for c in self.joined], self.log_weights)

    def __getitem__(self, index: Any) -> Mixture:
        """The mixture(s) at `index` of the leading axes: ``run.beliefs[-1]``.

        Example:
            >>> lines = Gaussian.of(Space("x [m]"), [[0.0], [1.0], [2.0]], std=1.0)
            >>> print(Mixture([lines, lines])[2])
            50%: x 2.0 +- 1.0 m; 50%: x 2.0 +- 1.0 m
        """
        components = tuple(cast(Any, c)[index] for c in self.components)
        (w,) = at(index, (self._log_weights_over(self.components[0].moments().mean.shape[:-1]), 1))
        return Mixture.trusted(components, w)

    def _log_weights_over(self, axes: tuple[int, ...]) -> Array:
        """Log-weights ``(*axes, K)``, for components with these leading axes."""
        try:
            return np.broadcast_to(self.log_weights, (*axes, len(self.components)))
        except ValueError:
            raise ShapeError(
                f"log_weights has shape {self.log_weights.shape}, but the components have the leading axes {axes}; "
                "give both the same"
            ) from None

    def __str__(self) -> str:
        if self.log_weights.ndim > 1:
            return f"mixtures of {len(self.components)} components over {self.space.listing}"
        return "; ".join(f"{w:.0%}: {c}" for w, c in zip(self.weights, self.components, strict=True))

    def __repr__(self) -> str:
        return f"Mixture({self})"


def merged(space: Space, means: Array, covs: Array, weights: Array) -> Gaussian:
    """The Gaussian of the moments of Gaussians ``(..., K)`` on one space; see `Mixture.moments`.

    Example:
        >>> print(merged(Space("x [m]"), np.array([[0.0], [4.0]]), np.ones((2, 1, 1)), np.array([0.5, 0.5])))
        x 2.0 +- 2.2 m
    """
    mean = cast(Array, space.mean(means, weights))
    base = mean[..., None, :]
    d = cast(Array, space.minus(means, base))
    if not space.flat:
        G = space.transport(means, base)
        covs = G @ covs @ np.swapaxes(G, -1, -2)
    spread = covs + d[..., :, None] * d[..., None, :]
    return Gaussian.trusted(space, mean, np.einsum("...k,...kij->...ij", weights, spread))


def _marginal(belief: Any, names: list[str]) -> Belief:
    if not hasattr(belief, "marginal"):
        raise SpaceError(
            f"{type(belief).__name__} has no marginal(names), which a mixture over {', '.join(names)} needs of it"
        )
    return belief.marginal(names)
