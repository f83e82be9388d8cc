"""Spaces as Gymnasium knows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import DTypeLike, NDArray

from ..core import Space


def box(space: Space, *, dtype: DTypeLike = np.float32) -> spaces.Box:
    """A space as a `Box` of its `shape`, with the bounds that it declares.

    A block alone, such as an image, is a box of its own shape and type; all else is a vector ``(size,)`` of `dtype`.
    Angles are bounded by -pi and pi, quaternions by -1 and 1. Components without bounds are free in the box too;
    Gymnasium's `check_env` advises against that, so declare bounds where there are some.

    Example:
        >>> box(Space("x [m] in [0, 9]", "yaw: angle"))
        Box([ 0.        -3.1415927], [9.        3.1415927], (2,), float32)
        >>> box(Space("camera: uint8[3, 64, 64]"))
        Box(0, 255, (3, 64, 64), uint8)
    """
    kept = _kept(space, dtype)
    low, high = (_rounded(bounds, kept).reshape(space.shape) for bounds in (space.low, space.high))
    return spaces.Box(low, high, dtype=kept.type)


def boxes(readings: Mapping[str, Space], *, dtype: DTypeLike = np.float32) -> spaces.Dict:
    """One box for each name, as a `Dict`."""
    return spaces.Dict({name: box(space, dtype=dtype) for name, space in readings.items()})


def boxed(space: Space, x: Any, *, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """States ``(..., size)`` as observations ``(..., *shape)`` that lie inside `box`: clipped, rounded to its type.

    Rounding keeps order, so what is inside the bounds stays inside the rounded bounds.
    """
    kept = _kept(space, dtype)
    inside = np.clip(x, space.low, space.high)
    inside = np.rint(inside) if kept.kind in "iu" else inside
    return inside.astype(kept).reshape(*inside.shape[:-1], *space.shape)


def _kept(space: Space, dtype: DTypeLike) -> np.dtype[Any]:
    """The type of the box: that of the blocks where there is nothing else."""
    return np.dtype(dtype) if space.dtype == np.float64 else space.dtype


def _rounded(bounds: NDArray[np.float64], dtype: DTypeLike) -> NDArray[Any]:
    if np.dtype(dtype).kind in "iu":
        return bounds.astype(dtype)
    limits: Any = np.finfo(np.dtype(dtype))  # pyright: ignore[reportArgumentType, reportCallIssue]
    finite = np.isfinite(bounds)
    return np.where(finite, np.clip(bounds, limits.min, limits.max), bounds).astype(dtype)
