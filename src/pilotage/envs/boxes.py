"""Spaces as Gymnasium knows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import DTypeLike, NDArray

from ..core import Space


def box(space: Space, *, dtype: DTypeLike = np.float32) -> spaces.Box:
    """The stored components of a space as a `Box` of shape ``(size,)``, with the bounds that the space declares.

    Angles are bounded by -pi and pi, quaternions by -1 and 1. Components without bounds are free in the box too;
    Gymnasium's `check_env` advises against that, so declare bounds where there are some.

    Example:
        >>> box(Space("x [m] in [0, 9]", "yaw: angle"))
        Box([ 0.        -3.1415927], [9.        3.1415927], (2,), float32)
    """
    return spaces.Box(_rounded(space.low, dtype), _rounded(space.high, dtype), dtype=np.dtype(dtype).type)


def boxes(readings: Mapping[str, Space], *, dtype: DTypeLike = np.float32) -> spaces.Dict:
    """One box for each name, as a `Dict`."""
    return spaces.Dict({name: box(space, dtype=dtype) for name, space in readings.items()})


def boxed(space: Space, x: Any, *, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """States ``(..., size)`` as observations that lie inside `box`: moved inside the bounds, rounded to `dtype`.

    Rounding keeps order, so what is inside the bounds stays inside the rounded bounds.
    """
    return np.clip(x, space.low, space.high).astype(dtype)


def _rounded(bounds: NDArray[np.float64], dtype: DTypeLike) -> NDArray[Any]:
    limits: Any = np.finfo(np.dtype(dtype))  # pyright: ignore[reportArgumentType, reportCallIssue]
    finite = np.isfinite(bounds)
    return np.where(finite, np.clip(bounds, limits.min, limits.max), bounds).astype(dtype)
