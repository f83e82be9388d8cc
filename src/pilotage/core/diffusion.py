"""Noise that grows with time, the same in every state: what simulators and networks have."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import Array
from .errors import ModelError
from .seconds import seconds
from .settings import shown
from .space import Space


def densities(noise: Any, space: Space, what: str = "noise") -> Array:
    """Standard deviations ``(dim,)`` of the tangent components of a space, out of one for all or one of each.

    Raises:
        ModelError: when there are too many or too few, or one is negative, infinite or no number.

    Example:
        >>> densities(0.1, Space("x [m]", "pose: SE2"))
        array([0.1, 0.1, 0.1, 0.1])
    """
    try:
        given = np.array(noise, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):  # RuntimeError: a tensor that carries gradients
        given = np.full(1, np.nan)
    if given.size == 1 and given.ndim < 2:
        given = np.full(space.dim, given.item())
    if given.shape != (space.dim,) or not ((given >= 0.0) & np.isfinite(given)).all():
        names, hint = ", ".join(space.tangent_names), "; of correlated ones, noise=... takes a function"
        names += ", none of them negative" if (given < 0.0).any() else ""
        raise ModelError(
            f"{what} must be {space.dim} standard deviations, for {names}; {shown(noise)} was given"
            f"{hint if given.ndim > 1 else ''}"
        )
    return given


def diffusion(density: Array, x: Any, u: Any, dt: float) -> Array:
    """``Q = diag(density^2) dt`` for states ``(..., n)`` and actions ``(..., m)``, ``(..., dim, dim)``.

    Example:
        >>> diffusion(np.array([0.1, 0.2]), np.zeros((5, 2)), np.zeros(1), 0.5).shape
        (5, 2, 2)
    """
    batch = np.broadcast_shapes(*(tuple(a.shape[:-1]) if hasattr(a, "shape") else np.shape(a)[:-1] for a in (x, u)))
    Q = np.diag(density**2 * seconds(dt))
    return np.broadcast_to(Q, (*batch, *Q.shape)).copy()
