"""Cross-covariance fusion: two beliefs whose errors have a known covariance, and that covariance over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....core import Gaussian
from ....core.arrays import Array, numbers
from ....core.errors import ShapeError
from ._combined import combined, transposed


def cross_covariance_fusion(a: Gaussian, b: Gaussian, cross: Any) -> Gaussian:
    """Fusion of two beliefs whose errors have the covariance X, by Bar-Shalom and Campo.

    ::

        D = A + B - X - X',      K = (A - X) D^-1
        c = a + K (b - a),       C = A - K (A - X)'

    It is the best linear combination of a and b, and for linear models C is the covariance of its error. It is somewhat
    larger than that of a filter of all readings, whose information a and b do not hold completely.

    Source: Bar-Shalom and Campo, "The effect of the common process noise on the two-sensor fused-track covariance",
    IEEE Trans. Aerospace and Electronic Systems 22, 1986.

    Args:
        a, b: beliefs on one space; leading axes broadcast.
        cross: X, the covariance of the errors of a and b, ``(..., d, d)``, in their tangent spaces; see
            `predicted_cross_covariance` and `updated_cross_covariance`.

    Raises:
        SpaceError: if their spaces differ.
        ShapeError: if X does not fit the space.

    Example:
        >>> from pilotage.core import Space
        >>> line = Space("x [m]")
        >>> a, b = Gaussian.of(line, [0.0], std=1.0), Gaussian.of(line, [1.0], std=1.0)
        >>> print(cross_covariance_fusion(a, b, [[0.5]]))
        x 0.50 +- 0.87 m
    """
    return combined("cross_covariance_fusion", (a, b), _weigh, _square(cross, a.space.dim, "cross"))


def _weigh(A: Array, B: Array, X: Array) -> tuple[list[Array], Array]:
    D, N = A + B - X - transposed(X), A - X
    K = N @ np.linalg.pinv(D, rcond=1e-12, hermitian=True)  # singular where both have the same error
    return [np.eye(K.shape[-1]) - K, K], A - K @ transposed(N)


def predicted_cross_covariance(cross: Any, F_a: Any, F_b: Any, Q: Any) -> Array:
    """The covariance of the errors of two beliefs after a prediction: ``X <- F_a X F_b' + Q``.

    Args:
        cross: X, ``(..., d, d)``.
        F_a, F_b: Jacobians of the dynamics at either mean, ``(..., d, d)``.
        Q: process noise, which both share, ``(..., d, d)``.

    Raises:
        ShapeError: if a matrix is not square or of another size.

    Example:
        >>> predicted_cross_covariance([[0.5]], [[1.0]], [[1.0]], [[0.1]])
        array([[0.6]])
    """
    X = _square(cross, None, "cross")
    F_a, F_b, Q = (_square(M, X.shape[-1], name) for M, name in ((F_a, "F_a"), (F_b, "F_b"), (Q, "Q")))
    return F_a @ X @ transposed(F_b) + Q


def updated_cross_covariance(
    cross: Any, a: tuple[Gaussian, Gaussian] | None = None, b: tuple[Gaussian, Gaussian] | None = None
) -> Array:
    """The covariance of the errors of two beliefs after updates with readings of their own.

    ::

        X <- (I - K_a H_a) X (I - K_b H_b)',      I - K H = P+ P-^-1

    Only beliefs before and after the update are needed, since the gain of a Kalman filter follows from them. On curved
    spaces X comes to the tangent spaces at the new means.

    Args:
        cross: X, ``(..., d, d)``.
        a, b: the belief before an update and after it; None for no update.

    Raises:
        ShapeError: if X does not fit the space.

    Example:
        >>> from pilotage.core import Space
        >>> line = Space("x [m]")
        >>> before, after = Gaussian.of(line, [0.0], std=1.0), Gaussian.of(line, [1.0], cov=[[0.5]])
        >>> updated_cross_covariance([[1.0]], (before, after), (before, after))
        array([[0.25]])
    """
    X = _square(cross, None, "cross")
    for k, pair in enumerate((a, b)):
        if pair is not None:
            _square(X, pair[0].space.dim, "cross")
            kept = _kept(*pair)
            X = kept @ X if k == 0 else X @ transposed(kept)
    return X


def _kept(before: Gaussian, after: Gaussian) -> Array:
    """``I - K H``, from the tangent space at the old mean to the one at the new mean."""
    if before.space.flat:
        return transposed(np.linalg.solve(before.cov, after.cov))
    G = before.space.transport(before.mean, after.mean)
    moved = G @ before.cov @ transposed(G)
    return transposed(np.linalg.solve(moved, after.cov)) @ G


def _square(given: Any, dim: int | None, name: str) -> Array:
    M = numbers(given, name)
    if M.ndim < 2 or M.shape[-1] != M.shape[-2] or (dim is not None and M.shape[-1] != dim):
        size = "square matrices" if dim is None else f"matrices {(dim, dim)}"
        raise ShapeError(f"{name} has shape {M.shape}; expected {size} with any leading axes")
    return M
