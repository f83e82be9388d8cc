"""Noise on states and readings: points scattered around where they are expected."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from .belief import Array
from .space import Space


def scattered(space: Space, x: Any, cov: Any, z: Array) -> Array:
    """``x (+) A z`` with ``A A = cov``: states ``(..., size)`` with noise of covariance `cov` ``(..., dim, dim)``.

    Args:
        space: where the states live.
        x: states ``(..., size)``.
        cov: covariance in the tangent, ``(..., dim, dim)`` or one for all; it may be singular.
        z: standard normal numbers ``(..., dim)``.

    Example:
        >>> scattered(Space("x y [m]"), np.array([1.0, 2.0]), np.diag([4.0, 0.0]), np.array([0.5, 0.5]))
        array([2., 2.])
    """
    e = (symmetric_root(np.asarray(cov, dtype=np.float64)) @ z[..., None])[..., 0]
    return np.asarray(space.plus(x, e))


def symmetric_root(cov: Array) -> Array:
    """The symmetric A with ``A A = cov``, for covariances ``(..., d, d)`` that may be singular; NaN where they are.

    It depends continuously on `cov`, as a Cholesky factor of a singular matrix or bare eigenvectors do not, so that
    rounding in a batch cannot turn the noise elsewhere.

    Example:
        >>> symmetric_root(np.array([[4.0, 0.0], [0.0, 0.0]]))
        array([[2., 0.],
               [0., 0.]])
    """
    lost = np.asarray(~np.isfinite(cov).all((-1, -2)))[..., None, None]
    cov = np.where(lost, 0.0, cov)
    diagonal = np.diagonal(cov, axis1=-2, axis2=-1)[..., None] * np.eye(cov.shape[-1])
    if np.array_equal(cov, diagonal):
        root = np.sqrt(np.maximum(diagonal, 0.0))
    else:
        values, vectors = cast("tuple[Array, Array]", np.linalg.eigh(cov))
        root = (vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    return np.where(lost, np.nan, root)
