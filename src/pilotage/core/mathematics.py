"""The namespace of mathematical functions that models and manifolds use.

A model is a function of *scalar components* and a namespace `m`. A component can be anything that `m` supports: a
float, a numpy array of the batch shape, a torch tensor, or a symbol of the tracer. The body uses `m.sin`, `m.where` and
Python's operators, so the same body works for all of them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from .errors import ModelError

Component = Any
"""One scalar component: a float, an array or tensor of the batch shape, or a symbol."""

_TURN = 2.0 * math.pi


class Mathematics(Protocol):
    """The functions that a model may call on scalar components. To add a kind of number, implement all of them.

    `wrap` maps an angle to (-pi, pi]; its derivative is 1 everywhere. `lookup` reads a `Raster` at world coordinates
    by bilinear interpolation. `lookup_slope` gives its derivative along world x (axis 0) or y (axis 1), one-sided at
    cell centres and 0 outside. `affine(A, x, b)` gives the components of ``A x + b`` for a matrix and a vector among
    the parameters, such as a layer of a network, as one loop. `where(c, a, b)` evaluates both branches, so guard
    divisions in the branch not taken.
    """

    pi: float

    def sqrt(self, a: Component, /) -> Component: ...
    def exp(self, a: Component, /) -> Component: ...
    def log(self, a: Component, /) -> Component: ...
    def sin(self, a: Component, /) -> Component: ...
    def cos(self, a: Component, /) -> Component: ...
    def tan(self, a: Component, /) -> Component: ...
    def asin(self, a: Component, /) -> Component: ...
    def acos(self, a: Component, /) -> Component: ...
    def atan(self, a: Component, /) -> Component: ...
    def sinh(self, a: Component, /) -> Component: ...
    def cosh(self, a: Component, /) -> Component: ...
    def tanh(self, a: Component, /) -> Component: ...
    def atan2(self, y: Component, x: Component, /) -> Component: ...
    def hypot(self, a: Component, b: Component, /) -> Component: ...
    def abs(self, a: Component, /) -> Component: ...
    def sign(self, a: Component, /) -> Component: ...
    def floor(self, a: Component, /) -> Component: ...
    def minimum(self, a: Component, b: Component, /) -> Component: ...
    def maximum(self, a: Component, b: Component, /) -> Component: ...
    def clip(self, a: Component, low: Component, high: Component, /) -> Component: ...
    def where(self, condition: Component, a: Component, b: Component, /) -> Component: ...
    def wrap(self, a: Component, /) -> Component: ...
    def lookup(self, raster: Any, x: Component, y: Component, /) -> Component: ...
    def lookup_slope(self, raster: Any, x: Component, y: Component, axis: int, /) -> Component: ...
    def affine(self, A: Any, x: Sequence[Component], b: Any = None, /) -> Sequence[Component]: ...


class NumpyMathematics:
    """`Mathematics` on floats and numpy arrays."""

    pi = math.pi
    sqrt = staticmethod(np.sqrt)
    exp = staticmethod(np.exp)
    log = staticmethod(np.log)
    sin = staticmethod(np.sin)
    cos = staticmethod(np.cos)
    tan = staticmethod(np.tan)
    asin = staticmethod(np.arcsin)
    acos = staticmethod(np.arccos)
    atan = staticmethod(np.arctan)
    sinh = staticmethod(np.sinh)
    cosh = staticmethod(np.cosh)
    tanh = staticmethod(np.tanh)
    atan2 = staticmethod(np.arctan2)
    hypot = staticmethod(np.hypot)
    abs = staticmethod(np.abs)
    sign = staticmethod(np.sign)
    floor = staticmethod(np.floor)
    minimum = staticmethod(np.minimum)
    maximum = staticmethod(np.maximum)
    where = staticmethod(np.where)

    def clip(self, a: Component, low: Component, high: Component, /) -> Component:
        return np.minimum(np.maximum(a, low), high)

    def wrap(self, a: Component, /) -> Component:
        """The angle in (-pi, pi] that points the same way.

        Example:
            >>> float(numpy_math.wrap(-np.pi)) == np.pi, float(numpy_math.wrap(0.3))
            (True, 0.3)
        """
        r = a + _TURN * np.floor((math.pi - a) / _TURN)
        # Rounding of the quotient may leave r one ulp above pi, or on -pi.
        return np.where(r <= -math.pi, math.pi, np.minimum(r, math.pi))

    def lookup(self, raster: Any, x: Component, y: Component, /) -> Component:
        return _bilinear(_raster(raster).values, *_patch(raster, x, y)[:4])

    def lookup_slope(self, raster: Any, x: Component, y: Component, axis: int, /) -> Component:
        s, t, i0, j0, inside_u, inside_v = _patch(raster, x, y)
        along, across = _slopes(raster.values, s, t, i0, j0)
        return _turned(raster, np.where(inside_u, along, 0.0), np.where(inside_v, across, 0.0), axis)

    def affine(self, A: Any, x: Sequence[Component], b: Any = None, /) -> Sequence[Component]:
        y = np.stack(np.broadcast_arrays(*x), -1) @ np.asarray(A).T
        y = y if b is None else y + np.asarray(b)
        return [y[..., i] for i in range(y.shape[-1])]


def _raster(given: Any) -> Any:
    """The raster that `lookup` was given; an error when it is none."""
    if not hasattr(given, "cells"):
        hint = "; its distances are one: grid.distance_field()" if hasattr(given, "distance_field") else ""
        raise ModelError(f"m.lookup and m.lookup_slope read a Raster, not {given!r}{hint}")
    return given


def _patch(raster: Any, x: Any, y: Any) -> tuple[Any, ...]:
    """Weights and lower-left cell of the four cell centres around (x, y), and where it lies between the outermost."""
    u, v = _raster(raster).cells(x, y)
    rows, columns = raster.values.shape
    inside_u, inside_v = (u >= 0.0) & (u <= columns - 1.0), (v >= 0.0) & (v <= rows - 1.0)
    u, v = np.minimum(np.maximum(u, 0.0), columns - 1.0), np.minimum(np.maximum(v, 0.0), rows - 1.0)
    i0, j0 = _whole(u, columns), _whole(v, rows)
    return u - i0, v - j0, i0, j0, inside_u, inside_v


def _whole(u: Any, count: int) -> Any:
    """Index of the cell centre left of `u`; a NaN coordinate takes index 0 and stays NaN through its weight."""
    return np.minimum(np.nan_to_num(np.floor(u)), max(count - 2, 0)).astype(np.intp)


def _bilinear(values: Any, s: Any, t: Any, i0: Any, j0: Any) -> Any:
    """Weighted mean of the four cells around, with weights `s` along x and `t` along y."""
    i1, j1 = i0 + (values.shape[1] > 1), j0 + (values.shape[0] > 1)
    lower = (1.0 - s) * values[j0, i0] + s * values[j0, i1]
    upper = (1.0 - s) * values[j1, i0] + s * values[j1, i1]
    return (1.0 - t) * lower + t * upper


def _slopes(values: Any, s: Any, t: Any, i0: Any, j0: Any) -> tuple[Any, Any]:
    """Derivatives of `_bilinear` in `s` and `t`."""
    i1, j1 = i0 + (values.shape[1] > 1), j0 + (values.shape[0] > 1)
    along = (1.0 - t) * (values[j0, i1] - values[j0, i0]) + t * (values[j1, i1] - values[j1, i0])
    across = (1.0 - s) * (values[j1, i0] - values[j0, i0]) + s * (values[j1, i1] - values[j0, i1])
    return along, across


def _turned(raster: Any, along: Any, across: Any, axis: int) -> Any:
    """Component `axis` (0 x, 1 y) in the world of a slope given along the columns and rows of the raster."""
    c, s = math.cos(raster.origin[2]) / raster.resolution, math.sin(raster.origin[2]) / raster.resolution
    return c * along - s * across if axis == 0 else s * along + c * across


class TorchMathematics:
    """`Mathematics` on torch tensors; floats among them are taken along and stay floats where no tensor is involved."""

    pi = math.pi

    def __init__(self, torch: ModuleType) -> None:
        self._torch = torch

    def _unary(self, name: str, a: Component) -> Component:
        return getattr(self._torch, name)(
            a if self._torch.is_tensor(a) else self._torch.tensor(a, dtype=self._torch.float64)
        )

    def _binary(self, name: str, a: Component, b: Component) -> Component:
        torch = self._torch
        like = a if torch.is_tensor(a) else b
        if not torch.is_tensor(like):
            like = torch.tensor(0.0, dtype=torch.float64)
        a, b = (c if torch.is_tensor(c) else torch.as_tensor(c, dtype=like.dtype, device=like.device) for c in (a, b))
        return getattr(torch, name)(a, b)

    def sqrt(self, a: Component, /) -> Component:
        return self._unary("sqrt", a)

    def exp(self, a: Component, /) -> Component:
        return self._unary("exp", a)

    def log(self, a: Component, /) -> Component:
        return self._unary("log", a)

    def sin(self, a: Component, /) -> Component:
        return self._unary("sin", a)

    def cos(self, a: Component, /) -> Component:
        return self._unary("cos", a)

    def tan(self, a: Component, /) -> Component:
        return self._unary("tan", a)

    def asin(self, a: Component, /) -> Component:
        return self._unary("asin", a)

    def acos(self, a: Component, /) -> Component:
        return self._unary("acos", a)

    def atan(self, a: Component, /) -> Component:
        return self._unary("atan", a)

    def sinh(self, a: Component, /) -> Component:
        return self._unary("sinh", a)

    def cosh(self, a: Component, /) -> Component:
        return self._unary("cosh", a)

    def tanh(self, a: Component, /) -> Component:
        return self._unary("tanh", a)

    def abs(self, a: Component, /) -> Component:
        return self._unary("abs", a)

    def sign(self, a: Component, /) -> Component:
        a = a if self._torch.is_tensor(a) else self._torch.tensor(a, dtype=self._torch.float64)
        return self._torch.where(a.isnan(), a, self._torch.sign(a))  # torch calls the sign of NaN 0

    def floor(self, a: Component, /) -> Component:
        return self._unary("floor", a)

    def atan2(self, y: Component, x: Component, /) -> Component:
        return self._binary("atan2", y, x)

    def hypot(self, a: Component, b: Component, /) -> Component:
        return self._binary("hypot", a, b)

    def minimum(self, a: Component, b: Component, /) -> Component:
        return self._binary("minimum", a, b)

    def maximum(self, a: Component, b: Component, /) -> Component:
        return self._binary("maximum", a, b)

    def clip(self, a: Component, low: Component, high: Component, /) -> Component:
        return self.minimum(self.maximum(a, low), high)

    def where(self, condition: Component, a: Component, b: Component, /) -> Component:
        torch = self._torch
        if not torch.is_tensor(condition):
            condition = torch.as_tensor(condition)
        if not torch.is_tensor(a) and not torch.is_tensor(b):
            a = torch.tensor(a, dtype=torch.float64)  # two plain numbers would become single precision
        return torch.where(condition, a, b)

    def wrap(self, a: Component, /) -> Component:
        """The angle in (-pi, pi]; whole turns are constants, so the derivative is 1."""
        a = a if self._torch.is_tensor(a) else self._torch.tensor(a, dtype=self._torch.float64)
        fixed = a.detach()
        r = fixed + _TURN * ((math.pi - fixed) / _TURN).floor()
        r = self._torch.where(r <= -math.pi, math.pi, r.clamp(max=math.pi))
        return r + (a - fixed)

    def lookup(self, raster: Any, x: Component, y: Component, /) -> Component:
        values, s, t, i0, j0, _, _ = self._patch(raster, x, y)
        return _bilinear(values, s, t, i0, j0)

    def lookup_slope(self, raster: Any, x: Component, y: Component, axis: int, /) -> Component:
        values, s, t, i0, j0, inside_u, inside_v = self._patch(raster, x, y)
        along, across = _slopes(values, s, t, i0, j0)
        return _turned(raster, along * inside_u, across * inside_v, axis)

    def affine(self, A: Any, x: Sequence[Component], b: Any = None, /) -> Sequence[Component]:
        torch = self._torch
        like = next((v for v in (*x, A) if torch.is_tensor(v)), torch.zeros((), dtype=torch.float64))
        matrix, *xs = (self._tensor(v).to(like) for v in (A, *x))
        y = torch.stack(torch.broadcast_tensors(*xs), -1) @ matrix.mT
        return (y if b is None else y + self._tensor(b).to(like)).unbind(-1)

    def _tensor(self, value: Any) -> Any:
        return value if self._torch.is_tensor(value) else self._torch.tensor(np.asarray(value))

    def _patch(self, raster: Any, x: Any, y: Any) -> tuple[Any, ...]:
        torch = self._torch
        u, v = (c if torch.is_tensor(c) else torch.tensor(c, dtype=torch.float64) for c in _raster(raster).cells(x, y))
        rows, columns = raster.values.shape
        inside_u, inside_v = (u >= 0.0) & (u <= columns - 1.0), (v >= 0.0) & (v <= rows - 1.0)
        u, v = u.clamp(0.0, columns - 1.0), v.clamp(0.0, rows - 1.0)
        i0, j0 = (
            c.detach().floor().nan_to_num().clamp(max=max(count - 2, 0)).long()
            for c, count in ((u, columns), (v, rows))
        )
        return raster.tensor(torch, u), u - i0, v - j0, i0, j0, inside_u, inside_v


numpy_math = NumpyMathematics()
"""The namespace for floats and numpy arrays."""


def torch_if_tensor(*values: Any) -> Any:
    """The torch module when one of `values` is a tensor, else None. Never imports torch."""
    torch = sys.modules.get("torch")
    if torch is not None and any(isinstance(value, torch.Tensor) for value in values):
        return torch
    return None


def torch_math() -> TorchMathematics:
    """The namespace for torch tensors. The caller must have imported torch; this module never does.

    Raises:
        RuntimeError: if torch has not been imported.

    Example:
        >>> import torch
        >>> torch_math().wrap(torch.tensor(3.5, dtype=torch.float64)).round(decimals=4)
        tensor(-2.7832, dtype=torch.float64)
    """
    torch = sys.modules.get("torch")
    if torch is None:
        raise RuntimeError("torch_math() was called before torch was imported; import torch first")
    return _torch_math(torch)


@lru_cache(maxsize=1)
def _torch_math(torch: ModuleType) -> TorchMathematics:
    return TorchMathematics(torch)


def math_for(*values: Any) -> Mathematics:
    """The namespace for these arrays: torch's if one of them is a tensor, else numpy's.

    Example:
        >>> math_for(np.zeros(3)) is numpy_math
        True
    """
    return numpy_math if torch_if_tensor(*values) is None else torch_math()
