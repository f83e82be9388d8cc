"""Parameters of a model: named numbers, vectors, matrices and rasters.

Parameters are inputs of compiled code, never constants in it, so a new value costs nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from ...core.errors import ModelError


class Parameters(Mapping[str, Any]):
    """Parameter values by name, as they were when the model was made: arrays are copied and read-only.

    Tensors are kept as they are, so that gradients reach them and an optimiser may change them in place. Those named
    in `positive` must be greater than 0, and those in `nonnegative` 0 or more.

    Example:
        >>> from pilotage.models import bicycle
        >>> dict(bicycle(wheelbase=2.5).params)
        {'wheelbase': 2.5}
    """

    def __init__(
        self, entries: Mapping[str, Any], positive: Sequence[str] = (), nonnegative: Sequence[str] = ()
    ) -> None:
        if not isinstance(entries, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ModelError(f"params are values by name, as in dict(wheelbase=2.7), not {entries!r}")
        self._entries = {name: settled(value) for name, value in entries.items()}
        self._positive, self._nonnegative = tuple(positive), tuple(nonnegative)
        for name in (*self._positive, *self._nonnegative):
            if name not in self._entries:
                raise ModelError(f"there is no parameter {name!r} that could be positive; there is {_listed(entries)}")
            zero = name in self._nonnegative
            if not _above_zero(self._entries[name], zero):
                least = "0 or more" if zero else "greater than 0"
                raise ModelError(f"parameter {name} is {entries[name]!r}; it must be {least}")

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
            declared = self._entries[name]
            count = _length(declared) if type(declared) is tuple else None
            if count and _length(given[name]) not in (count, None):
                raise ModelError(f"parameter {name} of {owner} is {given[name]!r}; it has {count} numbers")
        return Parameters({**self._entries, **given}, self._positive, self._nonnegative) if given else self

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
    """Parameters by name, as a model sees them in `p`."""

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self.__dict__.update(entries)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # what copying and inspecting ask for is not meant as a parameter
        known = _listed(n for n in self.__dict__ if n.isidentifier())  # others are numbers of the noise
        raise ModelError(f"the model reads p.{name}, but its parameters are {known}")

    def __getitem__(self, name: Any) -> Any:
        raise ModelError(f"the model reads p[{name!r}]; parameters are attributes: p.{name}")


def spelt(params: Mapping[str, Any]) -> str:
    """Parameters as they are written in a call, but for large ones, in which the others would drown.

    Example:
        >>> spelt({"wheelbase": 2.7, "table": np.zeros((9, 9))})
        'wheelbase=2.7'
    """
    counts = {name: value.numel() if hasattr(value, "numel") else np.size(value) for name, value in params.items()}
    return ", ".join(f"{name}={value!r}" for name, value in params.items() if counts[name] <= 4)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _above_zero(value: Any, zero: bool) -> bool:
    """Whether all of `value` is, or is `zero` where that is allowed; what is no number at all is refused elsewhere."""
    if type(value) is float:
        return value > 0.0 or (zero and value == 0.0)
    try:
        given = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value, dtype=float)
    except (TypeError, ValueError):
        return True
    return bool(np.all(given >= 0.0 if zero else given > 0.0))


def _length(value: Any) -> int | None:
    """The number of numbers in a tuple or list of such; None for all else, whose shape the model alone knows."""
    given: Any = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(given, (tuple, list)):
        entries = cast("Sequence[Any]", given)
        return len(entries) if all(isinstance(v, (int, float)) for v in entries) else None
    return None


def settled(value: Any) -> Any:
    """`value` out of reach of whoever holds what it was made from."""
    if hasattr(value, "setflags") and np.ndim(value):
        array: Any = np.array(value)
        array.flags.writeable = False
        return array
    return tuple(settled(v) for v in value) if type(value) is list else value  # pyright: ignore[reportUnknownVariableType]
