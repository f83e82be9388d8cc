"""The mode of a density and the curvature there, by Gauss-Newton from several points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...core import Gaussian, Space
from ...core.arrays import Array

EXACT = 1e-12
"""A step that lowers the cost by no more than this share is the last."""
Cost = Callable[[Array], tuple[Array, Array, Array]]


def mode(space: Space, cost: Cost, x: Array, rounds: int, exact: bool = False) -> tuple[Array, Array, Array, Array]:
    """The points of least cost ``(K, n)``, the cost and the Gauss-Newton matrix there, and whether all is finite.

    Args:
        space: of the points.
        cost: of points ``(..., n)``: twice the negative log-density, half its gradient, and the Gauss-Newton matrix.
        x: where to begin, ``(S, K, n)``.
        rounds: of Levenberg and Marquardt's steps, at most; they end where the next promises little.
        exact: whether all is linear, so that one step is enough.
    """
    best, (least, gradient, A) = x, cost(x)
    least = np.where(np.isfinite(least), least, np.inf)
    damping = np.full(least.shape, 0.0 if exact else 1e-8)
    with np.errstate(all="ignore"):
        for _ in range(rounds):
            step = _step(gradient, A, damping)
            if exact or (np.einsum("...i,...i", gradient, step) <= EXACT * (1.0 + least)).all():
                best = np.asarray(space.plus(best, -step))
                break
            x = np.asarray(space.plus(best, -step))
            found, slope, curvature = cost(x)
            better = found < least
            best, least = np.where(better[..., None], x, best), np.where(better, found, least)
            gradient = np.where(better[..., None], slope, gradient)
            A = np.where(better[..., None, None], curvature, A)
            damping = np.where(better, damping * 0.2, damping * 10.0)
    choice, every = least.argmin(0), np.arange(x.shape[1])
    A, least = np.broadcast_to(A, (*x.shape[:-1], *A.shape[-2:]))[choice, every], least[choice, every]
    fine: Any = np.isfinite(A).all((-1, -2)) & np.isfinite(least)
    return best[choice, every], least, np.where(fine[:, None, None], A, np.eye(A.shape[-1])), fine


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
