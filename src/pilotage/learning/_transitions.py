"""Recorded trajectories as transitions."""

from __future__ import annotations

import math
from typing import Any

from ..core import Dynamics, ShapeError
from ..core.arrays import Array


def steps_of(model: Dynamics, states: Any, actions: Any) -> tuple[Array, Array, Array]:
    """The transitions ``(N, n)``, ``(N, m)``, ``(N, n)`` of trajectories ``(..., T+1, n)`` under ``(..., T, m)``.

    Raises:
        ShapeError: if they do not match.
    """
    xs, us = model.state.check(states, "states"), model.action.check(actions, "actions")
    n, m = model.state.size, model.action.size
    if xs.ndim < 2 or xs.shape[:-2] != us.shape[:-2] or xs.shape[-2] != us.shape[-2] + 1:
        raise ShapeError(
            f"states have shape {xs.shape} and actions {us.shape}; expected (..., T+1, {n}) and (..., T, {m})"
        )
    count = math.prod(us.shape[:-1])
    return xs[..., :-1, :].reshape(count, n), us.reshape(count, m), xs[..., 1:, :].reshape(count, n)
