"""Taking arrays apart into scalar components and putting them together, alike for numpy and torch."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ShapeError
from .mathematics import torch_if_tensor

Array = NDArray[np.float64]


def frozen(values: Any) -> Array:
    """A read-only copy."""
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array


def numbers(values: Any, name: str, dtype: Any = np.float64, *, missing: bool = False) -> NDArray[Any]:
    """`values` as an array of floats, or a sentence that says why they are none.

    The border that arrays of users cross. Whatever an array says beyond its numbers would be lost inside, so a mask, a
    unit, text, a date or an imaginary part is refused. Where numbers may be `missing`, as in readings, masked ones and
    None become NaN.

    Raises:
        ShapeError: when they are text, ragged, no numbers at all, or more than numbers.

    Example:
        >>> numbers(np.ma.array([0.4, 9e9], mask=[False, True]), "a reading", missing=True)
        array([0.4, nan])
        >>> numbers("far", "the distance")
        Traceback (most recent call last):
        pilotage.core.errors.ShapeError: the distance is not an array of numbers: it holds text
    """
    if type(values) is np.ndarray and values.dtype == dtype:
        return values
    try:
        found = np.asarray(_plain(values, name, missing))
        if found.dtype.kind in _OTHER:
            raise ValueError(f"it holds {_OTHER[found.dtype.kind]}")
        if found.dtype.kind == "O" and not missing and any(value is None for value in found.flat):
            raise ValueError("it holds None")
        return found.astype(dtype, copy=False)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, ShapeError):
            raise
        raise ShapeError(f"{name} is not an array of numbers: {_said(values, error)}") from error


def _said(values: Any, error: Exception) -> str:
    """The words of numpy, or in place of those about `float()` what the values are."""
    if "float()" in str(error) or "setting an array element" in str(error):
        return f"{reprlib.repr(values)} was given"
    return str(error)


_OTHER = {"U": "text", "S": "text", "M": "dates", "m": "time spans; give seconds", "c": "complex numbers"}
"""Kinds of numpy arrays that numpy would turn into floats without asking."""
_NUMBERS_ONLY = (np.ndarray, np.memmap, np.matrix)
"""Arrays that say nothing beyond their numbers."""


def _plain(values: Any, name: str, missing: bool) -> Any:
    """`values` without masks, which become NaN, as do those of arrays inside lists."""
    kind: Any = values.__class__
    if issubclass(kind, (list, tuple)):
        flat = all(isinstance(value, (float, int)) for value in values)
        return values if flat else _plain_list(values, name, missing, {})[0]
    if issubclass(kind, np.ma.MaskedArray):
        if not np.ma.is_masked(values):
            return values.data
        if missing:
            return values.astype(np.float64).filled(np.nan)
        raise ShapeError(
            f"{name} is a masked array with hidden numbers; only readings may lack some. Fill or drop them"
        )
    if issubclass(kind, np.ndarray) and kind not in _NUMBERS_ONLY:
        raise ShapeError(
            f"{name} is a {kind.__name__}, which says more than its numbers; convert it to SI units and np.ndarray"
        )
    if hasattr(kind, "magnitude") and hasattr(kind, "units"):
        raise ShapeError(f"{name} is {values!r}, which has a unit; convert it to SI units and give the number")
    return values


MOST = 10_000_000
"""Numbers in lists of lists. A few bytes of a file whose lists refer to each other stand for more than memory holds."""


def _plain_list(values: Any, name: str, missing: bool, known: dict[int, tuple[Any, int]]) -> tuple[Any, int]:
    """A list made plain, and the number of values in it; one that occurs again is counted again, but looked at once."""
    if id(values) in known:
        return known[id(values)]
    items, count = values, 1 + len(values)
    if not all(isinstance(value, (float, int)) for value in values):
        inner = [
            _plain_list(value, name, missing, known)
            if isinstance(value, (list, tuple))
            else (_plain(value, name, missing), 1)
            for value in values
        ]
        items, count = [item for item, _ in inner], 1 + sum(size for _, size in inner)
        if count > MOST:
            raise ValueError(f"its lists hold more than {MOST:,} numbers; give an array")
        items = _filled(items) if missing and any(item is None for item in items) else items
    known[id(values)] = items, count
    return items, count


def _filled(items: list[Any]) -> list[Any]:
    """`items` with NaN in place of None, in the shape of the others."""
    shape = next((np.shape(item) for item in items if item is not None), ())
    return [np.full(shape, np.nan) if item is None else item for item in items]


def all_finite(array: NDArray[Any]) -> bool:
    """Whether no number is NaN or infinite; as a rule in one pass, since a finite sum of squares has finite terms.

    Example:
        >>> all_finite(np.array([1e300, 2.0])), all_finite(np.array([np.nan]))
        (True, False)
    """
    return math.isfinite(np.vdot(array, array)) or bool(np.isfinite(array).all())


def alike(*values: Any, dtype: Any = np.float64) -> tuple[Any, ...]:
    """`values` as arrays of `dtype`; where one is a tensor, all as tensors of the first one's device and precision.

    Whole numbers become float64 on either side, so that nothing is cut off to them.
    """
    torch = torch_if_tensor(*values)
    if torch is None:
        return tuple(numbers(value, "an argument", dtype) for value in values)
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    dtype = next((t.dtype for t in tensors if t.is_floating_point()), torch.float64)
    # Arrays are copied: torch cannot keep them read-only.
    return tuple(
        (torch.as_tensor if isinstance(value, torch.Tensor) else torch.tensor)(
            value, dtype=dtype, device=tensors[0].device
        )
        for value in values
    )


def shared_axes(**axes: tuple[int, ...]) -> tuple[int, ...]:
    """The batch axes that all of these broadcast to.

    Example:
        >>> shared_axes(belief=(), reading=(4, 1), action=(3,))
        (4, 3)
    """
    given = {name: shape for name, shape in axes.items() if shape}
    if len(given) < 2:  # as a rule; numpy takes longer to say so
        return next(iter(given.values()), ())
    try:
        return np.broadcast_shapes(*given.values())
    except ValueError:
        said = ", ".join(f"{name} {shape}" for name, shape in given.items())
        raise ShapeError(f"leading axes do not broadcast: {said}; give equal axes, or axes of length 1") from None


def batched(x: Any, y: Any) -> tuple[Any, Any]:
    """Both arrays, or both as tensors, with the batch axes of the two broadcast.

    Example:
        >>> [a.shape for a in batched(np.zeros((5, 3)), np.zeros(2))]
        [(5, 3), (5, 2)]
    """
    x, y = alike(x, y)
    batch = shared_axes(first=tuple(x.shape[:-1]), second=tuple(y.shape[:-1]))
    shapes = (*batch, x.shape[-1]), (*batch, y.shape[-1])
    if torch_if_tensor(x) is None:
        return np.broadcast_to(x, shapes[0]), np.broadcast_to(y, shapes[1])
    return x.expand(shapes[0]), y.expand(shapes[1])


def unstack(x: Any) -> list[Any]:
    """The scalar components on the last axis."""
    return [x[..., i] for i in range(x.shape[-1])]


def stack(components: Sequence[Any], *like: Any) -> Any:
    """Components back on a last axis, over the batch shape of the arrays they came from."""
    shape = np.broadcast_shapes(*(tuple(a.shape[:-1]) for a in like))
    torch = torch_if_tensor(*components)
    if torch is not None:
        kind = next(a for a in like if isinstance(a, torch.Tensor))
        return torch.stack(
            [torch.as_tensor(c, dtype=kind.dtype, device=kind.device).expand(shape) for c in components], dim=-1
        )
    out = np.empty((*shape, len(components)), dtype=np.result_type(*like))
    for i, c in enumerate(components):
        out[..., i] = c
    return out
