"""The conversion between numpy arrays and tensors, which is only done here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def is_tensor(*values: Any) -> bool:
    """Whether one of the values is a tensor."""
    return any(isinstance(value, torch.Tensor) for value in values)


def tensor(value: Any, like: torch.Tensor | None = None) -> torch.Tensor:
    """`value` as a tensor with the dtype and device of `like`; by default float64 on the CPU.

    Gradients flow through.
    """
    dtype, device = (torch.float64, None) if like is None else (like.dtype, like.device)
    if isinstance(value, torch.Tensor):
        return value.to(dtype=dtype, device=device)
    # A copy, because torch cannot mark its tensors read-only as numpy arrays are.
    return torch.tensor(np.asarray(value, dtype=np.float64), dtype=dtype, device=device)


def array(value: torch.Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A tensor as a float64 array, without gradients."""
    return value.detach().cpu().numpy().astype(np.float64)


def across(function: Callable[..., Any], *values: Any) -> Any:
    """The result of a `function` of tensors, as an array without gradients for arrays, as a tensor for tensors.

    Example:
        >>> across(lambda a, b: a + b, [1.0], [2.0])
        array([3.])
    """
    if is_tensor(*values):
        like = next(value for value in values if isinstance(value, torch.Tensor))
        return function(*(tensor(value, like) for value in values))
    with torch.no_grad():
        return _back(function(*(tensor(value) for value in values)))


def _back(result: Any) -> Any:
    return tuple(map(array, result)) if isinstance(result, tuple) else array(result)
