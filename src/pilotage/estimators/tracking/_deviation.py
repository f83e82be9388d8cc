"""The density of a deviation."""

from __future__ import annotations

import math

import numpy as np

from ...core.arrays import Array


def deviation(d: Array, P: Array) -> tuple[Array, Array]:
    """``log N(d; 0, P)`` of deviations ``(..., d)``, and their Mahalanobis distances squared ``d' P^-1 d``."""
    distances = separation(d, P)
    return -0.5 * (distances + np.linalg.slogdet(P)[1] + d.shape[-1] * math.log(2.0 * math.pi)), distances


def separation(d: Array, P: Array) -> Array:
    """Mahalanobis distances squared ``d' P^-1 d`` of deviations ``(..., d)``."""
    return np.asarray(np.einsum("...i,...i", d, np.linalg.solve(P, d[..., None])[..., 0]), np.float64)
