"""Weights, kept as logarithms, and draws by them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import Array, numbers
from .errors import ShapeError


def log_sum_exp(a: Array) -> Array:
    """``log sum exp a`` over the last axis; -inf when every entry is."""
    top = a.max(-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(a - top).sum(-1)) + top[..., 0]


def drawn(weights: Array, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices ``(..., n)`` that are drawn independently by weights ``(..., N)``."""
    cumulative = np.cumsum(weights, axis=-1)
    u = rng.random((*cumulative.shape[:-1], n)) * cumulative[..., -1:]
    if cumulative.ndim == 1:
        return np.searchsorted(cumulative, u, side="right")
    return (cumulative[..., None, :] <= u[..., None]).sum(-1)


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
