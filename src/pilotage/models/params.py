"""Parameters of a model: named numbers, vectors, matrices and rasters.

Parameters are inputs of compiled code, never constants in it, so a new value costs nothing.
"""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.errors import ModelError


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

    Tensors are kept as they are, so that gradients reach them and an optimiser may change them in place. Those named
    in `positive` must be greater than 0.

    Example:
        >>> from pilotage.models import bicycle
        >>> dict(bicycle(wheelbase=2.5).params)
        {'wheelbase': 2.5}
    """

    def __init__(self, entries: Mapping[str, Any], positive: Sequence[str] = ()) -> None:
        self._entries = {name: _settled(value) for name, value in entries.items()}
        self._positive = tuple(positive)
        for name in self._positive:
            if name not in self._entries:
                raise ModelError(f"there is no parameter {name!r} that could be positive; there is {_listed(entries)}")
            if not _above_zero(self._entries[name]):
                raise ModelError(f"parameter {name} is {entries[name]!r}; it must be greater than 0")

    def replaced(self, given: Mapping[str, Any], owner: str, settings: Sequence[str] = ()) -> Parameters:
        """These parameters, with values that were given; a name that is not among them is refused with the nearest.

        `settings` are the names that the owner takes beside its parameters.
        """
        for name in given:
            if name not in self._entries:
                known = [*self, *settings]
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise ModelError(f"{owner} has no parameter {name!r}; it has {_listed(known)}{hint}")
        return Parameters({**self._entries, **given}, self._positive) if given else self

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
        raise ModelError(f"the model reads p.{name}, but its parameters are {_listed(self.__dict__)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _above_zero(value: Any) -> bool:
    """Whether all of `value` is; what is no number at all is refused elsewhere."""
    if type(value) is float:
        return value > 0.0
    try:
        return bool(np.all(np.asarray(value.detach().cpu() if hasattr(value, "detach") else value, dtype=float) > 0.0))
    except (TypeError, ValueError):
        return True


def _settled(value: Any) -> Any:
    """`value` out of reach of whoever holds what it was made from."""
    if hasattr(value, "setflags") and np.ndim(value):
        array: Any = np.array(value)
        array.flags.writeable = False
        return array
    return tuple(_settled(v) for v in value) if type(value) is list else value  # pyright: ignore[reportUnknownVariableType]
