"""The conversion of spaces to those of Gymnasium."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import DTypeLike, NDArray

from ..core import SettingError, ShapeError, Space
from ..core.arrays import Array
from ..core.settings import setting, shown

SHORT = 32
"""Numbers of a row below which an operation with each row costs more than one with a whole array."""


def box(space: Space, *, dtype: DTypeLike = np.float32) -> spaces.Box:
    """A space as a `Box` of its `shape`, with its bounds.

    A single block, such as an image, becomes a box of its own shape and type; any other space becomes a vector
    ``(size,)`` of `dtype`. Angles are bounded by -pi and pi, quaternions by -1 and 1. Components without bounds are
    also unbounded in the box; Gymnasium's `check_env` warns about this, so declare bounds if possible.

    Example:
        >>> box(Space("x [m] in [0, 9]", "yaw: angle"))
        Box([ 0.        -3.1415927], [9.        3.1415927], (2,), float32)
        >>> box(Space("camera: uint8[3, 64, 64]"))
        Box(0, 255, (3, 64, 64), uint8)
    """
    kept = _kept(space, dtype)
    low, high = (_rounded(bounds, kept).reshape(space.shape) for bounds in (space.low, space.high))
    return spaces.Box(low, high, dtype=kept.type)


class Controls:
    """The conversion of an agent's actions to those of the dynamics: checked, clipped to their bounds, in SI units.

    Args:
        space: action space of the dynamics.
        dtype: type of the box.
        normalized: True if the agent's actions are in [-1, 1], scaled to the bounds of the space.
        batch: leading axes; () for one action.

    Attributes:
        box: the box of one action of the agent.

    Raises:
        SettingError: if actions are normalized but have no bounds.

    Example:
        >>> Controls(Space("force [N] in [-10, 10]"), normalized=True)([0.5])
        array([5.])
    """

    def __init__(
        self, space: Space, *, dtype: DTypeLike = np.float32, normalized: bool = False, batch: tuple[int, ...] = ()
    ) -> None:
        self.space, self._shape = space, (*batch, space.size)
        self._name = "actions" if batch else "action"
        self._low, self._high, self._flat = repeated(space.low, batch), repeated(space.high, batch), space.flat
        with np.errstate(invalid="ignore"):  # without bounds there is no middle
            self._middle, self._reach = 0.5 * (self._low + self._high), 0.5 * (self._high - self._low)
        self._normalized = setting(normalized, bool, "normalized")
        if normalized and not (np.isfinite(self._reach).all() and space.flat):
            raise SettingError(
                f"normalized actions need bounds, as in Space('force [N] in [-10, 10]'); these are {space}"
            )
        self.box = spaces.Box(-1.0, 1.0, space.shape, np.dtype(dtype).type) if normalized else box(space, dtype=dtype)

    def __call__(self, given: Any) -> Array:
        """The actions ``(*batch, m)`` of the dynamics.

        Raises:
            ShapeError: if the shape is wrong, or a number is NaN or infinite.
        """
        u = given.astype(np.float64) if type(given) is np.ndarray and given.dtype.kind == "f" else given
        if type(u) is not np.ndarray or u.shape != self._shape or not math.isfinite(np.vdot(u, u)):
            u = self.space.check(given, self._name).astype(np.float64)
            if u.shape != self._shape:
                one = "one environment takes" if len(self._shape) == 1 else "expected"
                raise ShapeError(f"{self._name} has shape {u.shape}; {one} {self._shape}")
        if self._normalized:
            u = self._middle + self._reach * u
        return np.minimum(np.maximum(u, self._low), self._high) if self._flat else self.space.clip(u)


def float_type(dtype: DTypeLike) -> np.dtype[Any]:
    """The data type of observations and actions.

    Example:
        >>> float_type("int")
        Traceback (most recent call last):
        pilotage.core.errors.SettingError: dtype is 'int'; expected a type of floats, such as numpy.float32
    """
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found.kind != "f":
        raise SettingError(f"dtype is {shown(dtype)}; expected a type of floats, such as numpy.float32")
    return found


def boxes(readings: Mapping[str, Space], *, dtype: DTypeLike = np.float32) -> spaces.Dict:
    """The boxes of all readings, as a `Dict`."""
    return spaces.Dict({name: box(space, dtype=dtype) for name, space in readings.items()})


class Shown:
    """The conversion of states ``(..., size)`` to observations ``(..., *shape)`` in `box`: clipped and rounded.

    Rounding is monotonic, so clipped values stay within the rounded bounds. With `batch` ``(N,)``, it takes up to N
    states at once.

    Example:
        >>> Shown(Space("x [m] in [0, 9]"))(np.array([9.5]))
        array([9.], dtype=float32)
    """

    def __init__(self, space: Space, *, dtype: DTypeLike = np.float32, batch: tuple[int, ...] = ()) -> None:
        self._low, self._high = repeated(space.low, batch), repeated(space.high, batch)
        self._many, self._kept = bool(batch), _kept(space, dtype)
        self._shape, self._whole = space.shape, self._kept.kind in "iu"

    def __call__(self, x: Array) -> NDArray[Any]:
        low, high = (self._low[: len(x)], self._high[: len(x)]) if self._many else (self._low, self._high)
        inside = np.minimum(np.maximum(x, low), high)  # half the time of np.clip
        inside = (np.rint(inside) if self._whole else inside).astype(self._kept)
        return inside if len(self._shape) == 1 else inside.reshape(*inside.shape[:-1], *self._shape)


def repeated(bounds: Array, batch: tuple[int, ...]) -> Array:
    """Bounds ``(n,)`` of a batch ``(*batch, n)``, written out where rows are short, which is faster there."""
    whole = np.broadcast_to(bounds, (*batch, *bounds.shape))
    return whole.copy() if len(bounds) < SHORT else whole


def _kept(space: Space, dtype: DTypeLike) -> np.dtype[Any]:
    """The type of the box: that of the blocks if there are no other parts."""
    return np.dtype(dtype) if space.dtype == np.float64 else space.dtype


def _rounded(bounds: NDArray[np.float64], dtype: DTypeLike) -> NDArray[Any]:
    if np.dtype(dtype).kind in "iu":
        return bounds.astype(dtype)
    limits: Any = np.finfo(np.dtype(dtype))  # pyright: ignore[reportArgumentType, reportCallIssue]
    finite = np.isfinite(bounds)
    return np.where(finite, np.clip(bounds, limits.min, limits.max), bounds).astype(dtype)
