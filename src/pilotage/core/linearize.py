"""Numeric Jacobians in the tangent space, for models that do not provide their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import numbers
from .errors import ShapeError
from .mathematics import torch_if_tensor
from .settings import instance, setting
from .space import Space


def jacobian(f: Callable[[Any], Any], x: Any, source: Space, target: Space) -> Any:
    """The Jacobian ``d f(x (+) d) (-) f(x) / d d`` at d = 0, by central differences, ``(..., target.dim, source.dim)``.

    `f` is called once, with all perturbed points on a new leading axis. The step size balances truncation and rounding
    errors for functions that vary on a scale of one unit. Expect eight to ten correct digits.

    Args:
        f: batched function from states ``(..., source.size)`` to states ``(..., target.size)``.
        x: points ``(..., source.size)``; a numpy array or a torch tensor.
        source: space of `x`.
        target: space of ``f(x)``.

    Example:
        >>> plane = Space("x y")
        >>> jacobian(lambda x: x[..., :1] * x[..., 1:], [2.0, 3.0], plane, Space("product")).round(6)
        array([[3., 2.]])
    """
    setting(f, Callable[..., Any], "the function of jacobian")
    for space in (source, target):
        instance(space, Space, "jacobian")
    torch = torch_if_tensor(x)
    if torch is None:
        x = numbers(x, "x")
        if x.shape[-1:] != (source.size,):
            raise ShapeError(f"x has shape {x.shape}; expected (..., {source.size}) holding {source.listing}")
        h = _steps(x, source, 2.3e-16)
    else:
        h = _steps(x.detach().cpu().numpy(), source, torch.finfo(x.dtype).eps)
    n = source.dim
    d = np.eye(n).reshape(n, *(1,) * (h.ndim - 1), n) * h
    y = f(source.plus(x, np.concatenate([d, -d, 0.0 * d[:1]])))
    # Both differences are taken at f(x): tangents at other points may be turned against the one there.
    middle = y[2 * n :]
    change = target.minus(y[:n], middle) - target.minus(y[n : 2 * n], middle)
    # The columns come first; h goes to (n, ..., 1) to divide each by its own step.
    width = np.moveaxis(2.0 * h, -1, 0)[..., None]
    if torch is None:
        return np.moveaxis(change / width, 0, -1)
    return (change / torch.as_tensor(width, dtype=x.dtype, device=x.device)).moveaxis(0, -1)


def _steps(x: NDArray[np.floating[Any]], space: Space, epsilon: float) -> NDArray[np.float64]:
    """Step for each tangent component ``(..., dim)``: the cube root of the rounding error of the coordinate."""
    scale = np.concatenate([x[..., :0], *(part.scale(x[..., s]) for part, s, _ in space.layout)], axis=-1)
    return np.cbrt(epsilon * np.where(np.isfinite(scale), scale, 1.0))
