"""The belief: a distribution over states, shared by filters, smoothers, trackers, planners and controllers."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from .arrays import Array
from .gaussian import Gaussian
from .space import Space
from .streams import Rng


@runtime_checkable
class Belief(Protocol):
    """A distribution over the states of a space: an immutable value.

    The library's beliefs are `Gaussian`, `Diagonal`, `Point`, `Particles` and `Mixture`. Any object with these members
    is a belief too.
    """

    @property
    def space(self) -> Space:
        """The space of the states."""
        ...

    def moments(self) -> Gaussian:
        """The Gaussian with the same mean and covariance."""
        ...

    def sample(self, n: int, *, rng: Rng = None) -> Array:
        """`n` states drawn at random, ``(..., n, size)``."""
        ...

    def log_prob(self, x: Any) -> Array:
        """Log-density at states ``(..., size)``, with respect to the tangent at the mean."""
        ...
