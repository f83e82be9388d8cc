"""The belief: a distribution over states that filters, smoothers, trackers, planners and controllers pass on."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from .arrays import Array
from .gaussian import Gaussian
from .space import Space
from .streams import Rng


@runtime_checkable
class Belief(Protocol):
    """A distribution over the states of a space; a frozen value, whose members all tell of the same distribution.

    `Gaussian`, `Diagonal`, `Point`, `Particles` and `Mixture` are the beliefs of this library; anything with these
    members is one too.
    """

    @property
    def space(self) -> Space:
        """The space of the states."""
        ...

    def moments(self) -> Gaussian:
        """The Gaussian of the same mean and covariance."""
        ...

    def sample(self, n: int, *, rng: Rng = None) -> Array:
        """`n` states drawn at random, ``(..., n, size)``."""
        ...

    def log_prob(self, x: Any) -> Array:
        """Log-density at states ``(..., size)``, with respect to the tangent at the mean."""
        ...
