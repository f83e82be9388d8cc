"""What is known of a state. Filters, smoothers, trackers, planners and controllers hand these values to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .arrays import numbers
from .errors import ShapeError
from .space import Space
from .streams import Rng

if TYPE_CHECKING:
    from .gaussian import Gaussian

Array = NDArray[np.float64]


@runtime_checkable
class Belief(Protocol):
    """A distribution over the states of a space; a frozen value.

    `Gaussian`, `Particles` and `Mixture` are the beliefs of this library; anything with these members is one too.
    """

    @property
    def space(self) -> Space:
        """Where the states live."""
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


def log_sum_exp(a: Array) -> Array:
    """``log sum exp a`` over the last axis; -inf when every entry is."""
    top = a.max(-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(a - top).sum(-1)) + top[..., 0]


def normalized_log_weights(log_weights: Any, count: int, what: str) -> Array:
    """Log-weights ``(..., count)`` as a read-only array whose exponentials sum to 1; equal weights for None.

    Raises:
        ShapeError: on a wrong length, NaN or +inf, or when every weight is zero.
    """
    given = np.zeros(count) if log_weights is None else numbers(log_weights, "log_weights")
    if given.ndim == 0 or given.shape[-1] != count:
        raise ShapeError(f"log_weights has shape {given.shape}; there are {count} {what}, give (..., {count})")
    if np.isnan(given).any() or (given == np.inf).any():
        raise ShapeError("log_weights holds NaN or +inf; give finite numbers, or -inf for weight zero")
    total = log_sum_exp(given)
    if not np.isfinite(total).all():
        raise ShapeError(f"all {what} have weight zero; no belief is left to describe")
    out = given - total[..., None]
    out.flags.writeable = False
    return out
