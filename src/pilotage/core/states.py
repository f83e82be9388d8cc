"""States of a space that come from outside, checked, and states drawn at random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .arrays import Array, numbers
from .errors import ShapeError
from .settings import whole
from .streams import Rng, generator

if TYPE_CHECKING:
    from .space import Space


def checked(space: Space, x: Any, name: str, finite: bool) -> Array:
    """What `Space.check` does."""
    array = cast(Array, numbers(x, name))
    if array.ndim == 0 or array.shape[-1] != space.size:
        raise ShapeError(
            f"{name} has shape {array.shape}; expected (..., {space.size}) holding {', '.join(space.names)}"
        )
    if finite and not np.isfinite(array).all():
        bad = ~np.isfinite(array).reshape(-1, space.size).all(axis=0)
        raise ShapeError(f"{name} is NaN or infinite in {', '.join(np.array(space.names)[bad])}; give finite numbers")
    for q in () if space.flat else space.quaternions:
        if (np.abs((array[..., q] ** 2).sum(-1) - 1.0) > 2e-3).any():
            raise ShapeError(
                f"the quaternion {', '.join(space.names[q])} of {name} does not have length 1; "
                "it is stored wxyz, and space.normalize(x) scales it"
            )
    return array


def drawn(space: Space, n: int | tuple[int, ...] | None, rng: Rng) -> Array:
    """What `Space.sample` does."""
    draw = generator(rng)
    batch = () if n is None else n if isinstance(n, (tuple, list)) else (n,)
    shape = (*(whole(count, "n", 0) for count in batch), space.size)
    uniform, normal = draw.random(shape), draw.standard_normal(shape)
    low, high = np.isfinite(space.low), np.isfinite(space.high)
    lo, hi = np.where(low, space.low, 0.0), np.where(high, space.high, 0.0)
    free = np.where(low, lo + abs(normal), np.where(high, hi - abs(normal), normal))
    x = np.where(low & high, lo + uniform * (hi - lo), free)
    for q in space.quaternions:
        x[..., q] = normal[..., q]  # a normal vector of four has a uniform direction
    return cast(Array, space.normalize(x))
