"""Noise that grows with time, the same in every state: what simulators and networks have."""

from __future__ import annotations

from typing import Any

import numpy as np

from .belief import Array
from .errors import ModelError
from .seconds import seconds
from .space import Space


def densities(noise: Any, state: Space) -> Array:
    """Standard deviations per square root of a second ``(dim,)`` of the tangent components, out of one or all of them.

    Raises:
        ModelError: when there are too many or too few, or one is negative, infinite or no number.

    Example:
        >>> densities(0.1, Space("x [m]", "pose: SE2"))
        array([0.1, 0.1, 0.1, 0.1])
    """
    try:
        given = np.array(noise, dtype=np.float64)
    except (TypeError, ValueError):
        given = np.full(0, np.nan)
    if given.ndim == 0:
        given = np.full(state.dim, given)
    if given.shape != (state.dim,) or not ((given >= 0.0) & np.isfinite(given)).all():
        names = ", ".join(state.tangent_names)
        raise ModelError(f"noise must be {state.dim} standard deviations, for {names}; {noise!r} was given")
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
