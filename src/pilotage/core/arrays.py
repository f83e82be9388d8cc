"""Taking arrays apart into scalar components and putting them together, alike for numpy and torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ShapeError
from .mathematics import torch_if_tensor

Array = NDArray[np.float64]


def frozen(values: list[float]) -> Array:
    """A read-only array."""
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array


def numbers(values: Any, name: str, dtype: Any = np.float64) -> NDArray[Any]:
    """`values` as an array of floats, or a sentence that says why they are none.

    Raises:
        ShapeError: when they are text, ragged, or no numbers at all.

    Example:
        >>> numbers("far", "the distance")
        Traceback (most recent call last):
        pilotage.core.errors.ShapeError: the distance is not an array of numbers: could not convert string to float: ...
    """
    try:
        return np.asarray(values, dtype=dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise ShapeError(f"{name} is not an array of numbers: {error}") from error


def alike(*values: Any) -> tuple[Any, ...]:
    """`values` as float64 arrays; where one is a tensor, all as tensors of the first one's device and precision.

    Whole numbers become float64 on either side, so that nothing is cut off to them.
    """
    torch = torch_if_tensor(*values)
    if torch is None:
        return tuple(numbers(value, "an argument") for value in values)
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    dtype = next((t.dtype for t in tensors if t.is_floating_point()), torch.float64)
    # Arrays are copied: torch cannot keep them read-only.
    return tuple(
        (torch.as_tensor if isinstance(value, torch.Tensor) else torch.tensor)(
            value, dtype=dtype, device=tensors[0].device
        )
        for value in values
    )


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
    out = np.empty((*shape, len(components)))
    for i, c in enumerate(components):
        out[..., i] = c
    return out
