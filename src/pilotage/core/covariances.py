"""Covariances: checked, their roots, the normal density, and noise on states."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .arrays import Array, numbers
from .errors import CovarianceError, ShapeError
from .space import Space

_LOG_TURN = math.log(2.0 * math.pi)


def check_covariance(cov: Any, dim: int, name: str = "cov") -> Array:
    """`cov` as a symmetric positive definite float64 copy ``(..., dim, dim)``, or a sentence that says why not.

    Raises:
        ShapeError: when it is of another shape or not finite.
        CovarianceError: when it is not symmetric to 1e-8 of its largest entry, or not positive definite.
    """
    given = _symmetric(_matrices(cov, dim, name), name)
    try:
        np.linalg.cholesky(given)
    except np.linalg.LinAlgError:
        least = float(np.linalg.eigvalsh(given).min())
        raise CovarianceError(
            f"{name} is not positive definite: its smallest eigenvalue is {least:.3g}; every direction needs variance"
        ) from None
    return given


def check_semidefinite(cov: Any, dim: int, name: str = "cov") -> Array:
    """`cov` as a symmetric positive semidefinite float64 copy ``(..., dim, dim)``, or a sentence that says why not.

    Raises:
        ShapeError: when it is of another shape or not finite.
        CovarianceError: when it is not symmetric to 1e-8 of its largest entry, or indefinite.
    """
    given = _symmetric(_matrices(cov, dim, name), name)
    bad = indefinite(given)
    if bad.any():
        least = float(np.linalg.eigvalsh(given[bad]).min())
        raise CovarianceError(f"{name} is indefinite: its smallest eigenvalue is {least:.3g}; no variance is negative")
    return given


def indefinite(cov: Array) -> NDArray[np.bool_]:
    """Whether matrices ``(..., d, d)`` are no covariances, ``(...)``: not symmetric, or with a negative eigenvalue."""
    try:
        np.linalg.cholesky(cov)
    except np.linalg.LinAlgError:
        return _skewed(cov) | _negative(np.linalg.eigvalsh(cov))
    return _skewed(cov)


def check_root(root: Any, dim: int) -> Array:
    """A lower triangular L ``(..., dim, dim)`` with ``L L' = A A'`` of a root A with as many columns or more.

    Raises:
        ShapeError: when it is of another shape or not finite.
        CovarianceError: when it is singular.
    """
    given = numbers(root, "root")
    if given.ndim < 2 or given.shape[-2] != dim or given.shape[-1] < dim:
        raise ShapeError(f"root has shape {given.shape}; expected (..., {dim}, {dim}), or more columns")
    if not np.isfinite(given).all():
        raise ShapeError("root holds NaN or infinity; give finite numbers")
    L = triangular(given)
    if not (np.abs(np.diagonal(L, axis1=-2, axis2=-1)) > 0.0).all():
        raise CovarianceError("root is singular; every direction needs variance")
    return L


def triangular(root: Array) -> Array:
    """The lower triangular L with ``L L' = A A'`` and no negative number on its diagonal, by a QR decomposition of A'.

    Example:
        >>> triangular(np.array([[0.0, 2.0], [1.0, 0.0]]))
        array([[2., 0.],
               [0., 1.]])
    """
    R = np.linalg.qr(np.swapaxes(root, -1, -2), mode="r")
    signs = np.where(np.diagonal(R, axis1=-2, axis2=-1) < 0.0, -1.0, 1.0)
    return np.swapaxes(R * signs[..., :, None], -1, -2) + 0.0


def diagonal(std: Any, dim: int) -> Array:
    """Covariance ``(..., dim, dim)`` of independent components, from one standard deviation or ``(..., dim)``."""
    return deviations(std, dim)[..., None] ** 2 * np.eye(dim)


def deviations(std: Any, dim: int, dtype: Any = np.float64) -> Array:
    """Standard deviations ``(..., dim)``, from one for all or one of each.

    Raises:
        ShapeError: when there are too few or too many.
        CovarianceError: when one is not positive, or they are a covariance.
    """
    given = numbers(std, "std", dtype)
    if given.ndim == 0:
        given = np.full(dim, given)
    if given.shape[-1] != dim:
        raise ShapeError(f"std has shape {given.shape}; expected a number or (..., {dim})")
    if given.shape == (dim, dim) and dim > 1 and np.array_equal(given, given.T) and (given != given[0]).any():
        raise CovarianceError("std is a symmetric matrix; give standard deviations, or a covariance as cov=...")
    if not (given > 0.0).all():
        raise CovarianceError(f"std holds {np.min(given):.3g}; standard deviations must be positive")
    return given


def root_of(cov: Array) -> Array:
    """A matrix A with ``A A' = cov``: Cholesky's factor, or the symmetric root where `cov` is only semidefinite.

    Raises:
        CovarianceError: when it is indefinite.
    """
    try:
        return cast(Array, np.linalg.cholesky(cov))
    except np.linalg.LinAlgError:
        values = np.linalg.eigvalsh(cov)
        if _negative(values).any():
            raise CovarianceError(
                f"a covariance is indefinite: its smallest eigenvalue is {float(values.min()):.3g}"
            ) from None
        return symmetric_root(cov)


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
    on_diagonal = np.diagonal(cov, axis1=-2, axis2=-1)[..., None] * np.eye(cov.shape[-1])
    if np.array_equal(cov, on_diagonal):
        root = np.sqrt(np.maximum(on_diagonal, 0.0))
    else:
        values, vectors = cast("tuple[Array, Array]", np.linalg.eigh(cov))
        root = (vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    return np.where(lost, np.nan, root)


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


def log_normal(d: Array, cov: Array) -> Array:
    """``log N(d; 0, cov)`` for vectors ``(..., k)`` and covariances ``(..., k, k)``.

    Raises:
        CovarianceError: when a covariance is not positive definite.
    """
    try:
        L = cast(Array, np.linalg.cholesky(cov))
    except np.linalg.LinAlgError:
        raise CovarianceError(
            f"a covariance is not positive definite, so it has no density; its smallest eigenvalue is "
            f"{float(np.linalg.eigvalsh(cov).min()):.3g}"
        ) from None
    return log_normal_root(d, L)


def log_normal_root(d: Array, root: Array) -> Array:
    """``log N(d; 0, L L')`` for vectors ``(..., k)`` and triangular roots L ``(..., k, k)``."""
    if root.ndim == 2:  # one factor for all vectors at once, seven times faster for ten thousand
        y = np.linalg.solve(root, d.reshape(math.prod(d.shape[:-1]), d.shape[-1]).T).T.reshape(d.shape)
    else:
        y = np.linalg.solve(root, d[..., None])[..., 0]
    half_log_det = np.log(np.abs(np.diagonal(root, axis1=-2, axis2=-1))).sum(-1)
    return -0.5 * ((y * y).sum(-1) + root.shape[-1] * _LOG_TURN) - half_log_det


def log_normal_diagonal(d: Array, var: Array) -> Array:
    """``log N(d; 0, diag(var))`` for vectors and variances ``(..., k)``."""
    return -0.5 * (d * d / var + np.log(var) + _LOG_TURN).sum(-1, dtype=np.float64)


def _negative(values: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Whether eigenvalues ``(..., d)`` are negative beyond rounding."""
    return np.asarray((values < -1e-9 * np.abs(values).max(-1, keepdims=True)).any(-1))


def _skewed(cov: Array) -> NDArray[np.bool_]:
    """Whether entries differ from their mirror by more than 1e-8 of the largest."""
    skew = np.abs(cov - np.swapaxes(cov, -1, -2)).max((-1, -2), initial=0.0)
    return np.asarray(skew > 1e-8 * np.abs(cov).max((-1, -2), initial=0.0))


def _symmetric(cov: Array, name: str) -> Array:
    turned = np.swapaxes(cov, -1, -2)
    if _skewed(cov).any():
        most = np.abs(cov - turned).max()
        raise CovarianceError(f"{name} is not symmetric: entries differ from their mirror by up to {most:.3g}")
    return 0.5 * cov + 0.5 * turned


def _matrices(given: Any, dim: int, name: str) -> Array:
    found = numbers(given, name)
    if found.ndim < 2 or found.shape[-2:] != (dim, dim):
        raise ShapeError(f"{name} has shape {found.shape}; expected (..., {dim}, {dim})")
    if not np.isfinite(found).all():
        raise ShapeError(f"{name} holds NaN or infinity; give finite numbers")
    return found
