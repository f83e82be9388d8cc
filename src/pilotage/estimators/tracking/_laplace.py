"""The mode of a density and the curvature there, by Gauss-Newton from several points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...core import Gaussian, Space
from ...core.arrays import Array

Cost = Callable[[Array], tuple[Array, Array, Array]]


def mode(space: Space, cost: Cost, x: Array, rounds: int) -> tuple[Array, Array, Array, Array]:
    """The points of least cost ``(K, n)``, the cost and the Gauss-Newton matrix there, and whether all is finite.

    Args:
        space: of the points.
        cost: of points ``(..., n)``: twice the negative log-density, half its gradient, and the Gauss-Newton matrix.
        x: where to begin, ``(S, K, n)``.
        rounds: of Levenberg and Marquardt's steps.
    """
    least, best = np.full(x.shape[:-1], np.inf), x
    with np.errstate(all="ignore"):
        damping = np.full(x.shape[:-1], 1e-6)
        for _ in range(rounds):
            found, _, _ = cost(x)
            better = found < least
            best, least = np.where(better[..., None], x, best), np.where(better, found, least)
            damping = np.where(better, damping * 0.2, damping * 10.0)
            _, gradient, A = cost(best)
            x = np.asarray(space.plus(best, -_step(gradient, A, damping)))
        choice = np.where(np.isfinite(least), least, np.inf).argmin(0)
        mean = best[choice, np.arange(x.shape[1])]
        found, _, A = cost(mean)
        fine: Any = np.isfinite(A).all((-1, -2)) & np.isfinite(least.min(0))
    return mean, found, np.where(fine[:, None, None], A, np.eye(A.shape[-1])), fine


def _step(gradient: Array, A: Array, damping: Array) -> Array:
    """The step of each point; none where something is not finite."""
    scale = np.maximum(np.einsum("...ii->...i", A), 1e-300)
    broken: Any = ~np.isfinite(A).all((-1, -2)) | ~np.isfinite(gradient).all(-1)
    A = np.where(broken[..., None, None], np.eye(A.shape[-1]), A)
    A = A + damping[..., None, None] * scale[..., None] * np.eye(A.shape[-1])
    return np.asarray(np.linalg.solve(A, np.where(broken[..., None], 0.0, gradient)[..., None])[..., 0], np.float64)


def offsets(belief: Gaussian) -> Array:
    """No step, and steps of a third and one standard deviation along each component, ``(S, d)``."""
    axes = np.sqrt(np.diagonal(belief.cov))[:, None] * np.eye(belief.space.dim)
    return np.concatenate([np.zeros((1, belief.space.dim)), *(c * axes for c in (1.0, -1.0, 0.33, -0.33))])


def explained(h: Any, x: Array, z: Array, context: Any) -> tuple[Array, Array, Array]:
    """Innovations ``z (-) h(x)``, their Jacobians, and the covariances of the noise, of points ``(..., n)``."""
    with np.errstate(all="ignore"):
        y = np.asarray(h.reading.minus(h.observe(x, context), z))
        R = np.broadcast_to(np.asarray(h.noise(x, context)), (*y.shape, y.shape[-1]))
        return -y, np.asarray(h.linearize(x, context)), R


def squares(y: Array, H: Array, R: Array) -> tuple[Array, Array, Array]:
    """``y' R^-1 y``, half its gradient ``-H' R^-1 y``, and ``H' R^-1 H``; infinite where R is not finite."""
    broken: Any = ~np.isfinite(R).all((-1, -2))
    W = np.linalg.inv(np.where(broken[..., None, None], np.eye(y.shape[-1]), R))
    Wy = np.einsum("...ij,...j->...i", W, y)
    A = np.einsum("...ia,...ij,...jb->...ab", H, W, H)
    return np.where(broken, np.inf, np.einsum("...i,...i", y, Wy)), -np.einsum("...ia,...i->...a", H, Wy), A
