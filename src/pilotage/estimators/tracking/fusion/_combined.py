"""Linear combinations of Gaussians on any space, and the axes on which two covariances are diagonal together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from ....core import Gaussian
from ....core.arrays import Array
from ....core.errors import CovarianceError, SettingError, SpaceError
from ....core.settings import instance

ROUNDS = 20
"""At most so many new tangent spaces; each makes the step shorter by the curvature over a standard deviation."""
Weigher = Callable[..., tuple[list[Array], Array]]


def combined(who: str, beliefs: tuple[Gaussian, ...], weigh: Weigher, *crosses: Array) -> Gaussian:
    """The Gaussian with mean ``x (+) sum_i W_i (m_i (-) x)``, where ``sum_i W_i = I``.

    `weigh` takes the covariances, moved to the tangent space at x, and gives the W_i and the covariance of the result.
    On a curved space x becomes the mean of the result, and all is done again until it stays: the order of the beliefs
    has no effect.

    Args:
        who: the function that asks, for errors.
        beliefs: on one space; leading axes broadcast.
        weigh: the rule.
        crosses: covariances between the first belief and each of the others, for rules that know them.
    """
    beliefs = tuple(instance(each, Gaussian, who) for each in beliefs)
    space: Any = beliefs[0].space
    for each in beliefs[1:]:
        if each.space != space:
            raise SpaceError(f"{who} has beliefs on {space} and on {each.space}; expected one space")
    x, cov = beliefs[0].mean, beliefs[0].cov
    for _ in range(1 if space.flat else ROUNDS):
        d = [np.asarray(space.minus(each.mean, x)) for each in beliefs]
        if space.flat:
            weights, cov = weigh(*(each.cov for each in beliefs), *crosses)
        else:
            G = [space.transport(each.mean, x) for each in beliefs]
            moved = [g @ each.cov @ transposed(g) for g, each in zip(G, beliefs, strict=True)]
            weights, cov = weigh(*moved, *(G[0] @ X @ transposed(g) for g, X in zip(G[1:], crosses, strict=False)))
        step = sum(np.einsum("...ij,...j->...i", W, e) for W, e in zip(weights, d, strict=True))
        x = cast(Array, space.plus(x, step))
        if np.abs(step).max(initial=0.0) < 1e-12:
            break
    return Gaussian.trusted(space, np.array(x), symmetric(np.broadcast_to(cov, (*x.shape[:-1], *cov.shape[-2:]))))


def axes(A: Array, B: Array, who: str) -> tuple[Array, Array]:
    """T ``(..., d, d)`` and l ``(..., d)`` with ``A = T T'`` and ``B = T diag(l) T'``."""
    try:
        L = np.linalg.cholesky(A)
    except np.linalg.LinAlgError:
        raise CovarianceError(f"a covariance of {who} is singular; every direction needs variance") from None
    half = np.linalg.solve(L, B)
    values, U = np.linalg.eigh(symmetric(np.linalg.solve(L, transposed(half))))
    values = np.where(np.abs(values - 1.0) < 1e-12, 1.0, values)  # equal to rounding: neither is the better one
    return np.asarray(L @ U, np.float64), np.maximum(values, 1e-300)


def on_axes(T: Array, values: Array) -> Array:
    """``T diag(values) T^-1``: a weight."""
    return transposed(np.linalg.solve(transposed(T), transposed(T * values[..., None, :])))


def spread(T: Array, values: Array) -> Array:
    """``T diag(values) T'``: a covariance."""
    return (T * values[..., None, :]) @ transposed(T)


def least(slope: Callable[[Array], Array], batch: tuple[int, ...]) -> Array:
    """The least point of a convex function of one number in [0, 1], by bisection on its slope, for each of a batch."""
    low, high = np.zeros(batch), np.ones(batch)
    for _ in range(53):
        middle = 0.5 * (low + high)
        rise = slope(middle[..., None])
        low, high = np.where(rise <= 0.0, middle, low), np.where(rise >= 0.0, middle, high)
    return 0.5 * (low + high)


def measure(criterion: str, T: Array) -> Array | None:
    """Weights of the axes in the trace of the covariance; None for its determinant."""
    if criterion not in ("determinant", "trace"):
        raise SettingError(f"criterion is {criterion!r}; expected 'determinant' or 'trace'")
    return None if criterion == "determinant" else np.square(T).sum(-2)


def decrease(change: Array, information: Array, size: Array | None) -> Array:
    """The derivative ``(...)`` of a `measure` of the covariance ``diag(1 / information)``, with the sign changed."""
    each = change / information
    return (each if size is None else size * each / information).sum(-1)


def symmetric(P: Any) -> Array:
    """P, symmetric to the last bit."""
    return 0.5 * (P + transposed(P))


def transposed(M: Any) -> Array:
    """The transposes of matrices ``(..., d, d)``."""
    return np.asarray(np.swapaxes(M, -1, -2))
