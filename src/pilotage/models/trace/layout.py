"""The layout of parameters in the flat vector that machine code reads, and in the forms that other backends read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from ...core.errors import ModelError
from ...core.raster import Raster
from .graph import Graph
from .params import Values
from .tracer import RasterSymbol

HEADER = 8  # numbers that describe a raster, see `lower.read`


class Listed(list[Any]):
    """Parameters one by one, and vectors and matrices whole by the place where they begin."""

    def __init__(self, values: Iterable[Any]) -> None:
        super().__init__(values)
        self.arrays: dict[int, Any] = {}


class Layout:
    """The place of each parameter in the flat vector: numbers first, then raster headers, then raster values."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.shapes: dict[str, tuple[int, ...] | None] = {}
        self.offsets: dict[str, int] = {}
        size = 0
        for name, value in params.items():
            if not isinstance(value, Raster):
                self.shapes[name] = _shape(name, value)
                self.offsets[name] = size
                size += int(np.prod(self.shapes[name] or (1,)))
        for name, value in params.items():
            if isinstance(value, Raster):
                self.shapes[name] = None
                self.offsets[name] = size
                size += HEADER
        self.size = size

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal keys mean equal generated code."""
        return tuple((n, s, self.offsets[n]) for n, s in self.shapes.items())

    def symbols(self, graph: Graph, group: str) -> Values:
        """The parameters as symbols of a trace."""

        def entry(name: str) -> Any:
            shape, start = self.shapes[name], self.offsets[name]
            if shape is None:
                return RasterSymbol(group, start)
            if shape == ():
                return graph.input(group, start)
            flat = [graph.input(group, start + i) for i in range(int(np.prod(shape)))]
            return tuple(flat) if len(shape) == 1 else _rows(flat, *shape)

        return Values({name: entry(name) for name in self.shapes})

    def listed(self, params: Mapping[str, Any]) -> Listed:
        """The parameters as the list that the components dialect indexes; a raster stands at its header's place."""
        out = Listed([0.0] * self.size)
        for name, shape in self.shapes.items():
            value, start = params[name], self.offsets[name]
            if shape is None or shape == ():
                out[start] = value
            else:
                flat = [v for row in value for v in row] if len(shape) == 2 else list(value)
                out[start : start + len(flat)] = flat
                out.arrays[start] = value
        return out

    def vector(self, params: Mapping[str, Any]) -> np.ndarray:
        """The flat vector that compiled code reads."""
        rasters = [params[n] for n, s in self.shapes.items() if s is None]
        out = np.empty(self.size + sum(r.values.size for r in rasters))
        data = self.size
        for name, shape in self.shapes.items():
            value, start = params[name], self.offsets[name]
            if shape is None:
                rows, columns = value.values.shape
                x, y, yaw = value.origin
                out[start : start + HEADER] = x, y, np.cos(yaw), np.sin(yaw), 1 / value.resolution, columns, rows, data
                out[data : data + value.values.size] = value.values.ravel()
                data += value.values.size
            else:
                flat = np.asarray([float(v) for v in np.ravel(_plain(value))])
                out[start : start + flat.size] = flat
        return out


class Supply:
    """Parameter values in the forms in which backends read them.

    Each is made once; but tensors are read at every call, for an optimiser may have changed them.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)
        self.layout = Layout(self.values)
        self.live = any(hasattr(value, "detach") for value in self.values.values())

    def listed(self, like: Any) -> Listed:
        """The values that formulas index, on arrays or tensors as `like` is."""
        return self.layout.listed(self._alike(like)) if self.live else self._listed

    def vector(self) -> np.ndarray:
        """The vector that compiled code reads."""
        return self.layout.vector(self.values) if self.live else self._vector

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for equal values; rasters and tensors are equal to themselves alone."""
        return tuple(
            (
                name,
                value if isinstance(value, Raster) or hasattr(value, "detach") else _bits(value),
            )
            for name, value in self.values.items()
        )

    def _alike(self, like: Any) -> dict[str, Any]:
        if hasattr(like, "detach"):
            return self.values
        return {name: _plain(value) for name, value in self.values.items()}

    @cached_property
    def _listed(self) -> Listed:
        return self.layout.listed(self.values)

    @cached_property
    def _vector(self) -> np.ndarray:
        return self.layout.vector(self.values)


def _bits(value: Any) -> bytes:
    return np.asarray(value, dtype=np.float64).tobytes()


def _plain(value: Any) -> Any:
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


def _shape(name: str, value: Any) -> tuple[int, ...]:
    try:
        array = np.asarray(_plain(value), dtype=float)
    except (TypeError, ValueError):
        hint = "; its distances are one: grid.distance_field()" if hasattr(value, "distance_field") else ""
        raise ModelError(
            f"parameter {name} must be a number, a vector, a matrix or a Raster, not {value!r}{hint}"
        ) from None
    if not np.isfinite(array).all() or (type(value) is not float and np.asarray(_plain(value)).dtype.kind in "US"):
        raise ModelError(f"parameter {name} is {value!r}; finite numbers were expected")
    if array.ndim > 2:
        raise ModelError(f"parameter {name} has {array.ndim} axes; a number, a vector or a matrix was expected")
    return array.shape


def _rows(flat: list[Any], rows: int, columns: int) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(flat[columns * i : columns * (i + 1)]) for i in range(rows))
