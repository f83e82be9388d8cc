"""Parameters of a model: named numbers, vectors, matrices and rasters, laid out in one flat vector for compiled code.

Parameters are inputs of compiled code, never constants in it, so a new value costs nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..core.errors import ModelError
from ..core.raster import Raster
from .graph import Graph
from .tracer import RasterSymbol

HEADER = 8  # numbers that describe a raster, see `scalar.raster_cell`


class Values:
    """What a model sees as `p`: its parameters by name."""

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self.__dict__.update(entries)

    def __getattr__(self, name: str) -> Any:
        raise ModelError(f"the model reads p.{name}, but its parameters are {', '.join(self.__dict__) or 'none'}")


class Layout:
    """Where each parameter lies in the flat vector: numbers first, then raster headers, then raster values."""

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
            return tuple(flat) if len(shape) == 1 else _rows(flat, shape[1])

        return Values({name: entry(name) for name in self.shapes})

    def numbers(self, params: Mapping[str, Any]) -> Values:
        """The parameters as plain numbers (or tensors), for numpy and torch."""

        def entry(name: str) -> Any:
            value, shape = params[name], self.shapes[name]
            if shape is None or shape == ():
                return value
            return tuple(value) if len(shape) == 1 else tuple(tuple(row) for row in value)

        return Values({name: entry(name) for name in self.shapes})

    def listed(self, params: Mapping[str, Any]) -> list[Any]:
        """The parameters as the list that the components dialect indexes; a raster stands at its header's place."""
        out: list[Any] = [0.0] * self.size
        for name, shape in self.shapes.items():
            value, start = params[name], self.offsets[name]
            if shape is None or shape == ():
                out[start] = value
            else:
                flat = [v for row in value for v in row] if len(shape) == 2 else list(value)
                out[start : start + len(flat)] = flat
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


def merged(
    defaults: Mapping[str, Any], given: Mapping[str, Any], owner: str, settings: Sequence[str] = ()
) -> dict[str, Any]:
    """Defaults overridden by what was given; a name that does not exist is refused with the nearest that does.

    `settings` are the names that the owner takes beside its parameters.
    """
    known = [*defaults, *settings]
    for name in given:
        if name not in defaults:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ModelError(f"{owner} has no parameter {name!r}; it has {', '.join(known) or 'none'}{hint}")
    return {**defaults, **given}


def _plain(value: Any) -> Any:
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


def _shape(name: str, value: Any) -> tuple[int, ...]:
    try:
        array = np.asarray(_plain(value), dtype=float)
    except (TypeError, ValueError):
        raise ModelError(f"parameter {name} must be a number, a vector, a matrix or a Raster, not {value!r}") from None
    if not np.isfinite(array).all() or isinstance(value, str):
        raise ModelError(f"parameter {name} is {value!r}; finite numbers were expected")
    if array.ndim > 2:
        raise ModelError(f"parameter {name} has {array.ndim} axes; a number, a vector or a matrix was expected")
    return array.shape


def _rows(flat: list[Any], columns: int) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(flat[i : i + columns]) for i in range(0, len(flat), columns))
