"""Parameters of a model: named numbers, vectors, matrices and rasters, laid out in one flat vector for compiled code.

Parameters are inputs of compiled code, never constants in it, so a new value costs nothing.
"""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.errors import ModelError
from ..core.raster import Raster
from .graph import Graph
from .tracer import RasterSymbol

HEADER = 8  # numbers that describe a raster, see `scalar.raster_cell`


def whole(value: Any, what: str, least: int, most: int | None = None) -> int:
    """`value` as a whole number within limits, or a sentence.

    Example:
        >>> whole(2.5, "the number of links", 1, 8)
        Traceback (most recent call last):
        pilotage.core.errors.ModelError: the number of links must be a whole number from 1 to 8, not 2.5
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or (most is not None and number > most):
        limits = f"from {least} to {most}" if most is not None else f"not below {least}"
        raise ModelError(f"{what} must be a whole number {limits}, not {value!r}")
    return number


class Parameters(Mapping[str, Any]):
    """Parameter values by name, as they were when the model was made: arrays are copied and read-only.

    Example:
        >>> from pilotage.models import bicycle
        >>> dict(bicycle(wheelbase=2.5).params)
        {'wheelbase': 2.5}
    """

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self._entries = {name: _settled(value) for name, value in entries.items()}

    def __getitem__(self, name: str) -> Any:
        return self._entries[name]

    def __setitem__(self, name: str, value: Any) -> None:
        raise ModelError(f"parameters of a model do not change; model.replace({name}={value!r}) makes another model")

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return repr(self._entries)


class Values:
    """What a model sees as `p`: its parameters by name."""

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self.__dict__.update(entries)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # what copying and inspecting ask for is not meant as a parameter
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


def _settled(value: Any) -> Any:
    """`value` out of reach of whoever holds what it was made from."""
    if hasattr(value, "setflags") and np.ndim(value):
        array: Any = np.array(value)
        array.flags.writeable = False
        return array
    return tuple(_settled(v) for v in value) if type(value) is list else value  # pyright: ignore[reportUnknownVariableType]


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
