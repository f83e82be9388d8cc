"""Common parts of beliefs as values: read-only arrays, leading axes, text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, Self, TypeVar, cast

import numpy as np

from .arrays import Array
from .errors import ShapeError
from .settings import instance, number
from .space import Space

Frozen = TypeVar("Frozen")


def states(space: Space, values: Any, name: str, belief: str) -> Array:
    """States ``(..., size)`` of a belief on a space: checked, normalized, a copy."""
    return np.array(instance(space, Space, belief).normalize(space.check(values, name)))


def by_name(values: Any, rest: Array, names: Sequence[str], what: str) -> Any:
    """Numbers that are given by name, in the places of `names`; `rest` elsewhere (NaN: none). Others as they are."""
    if not isinstance(values, Mapping):
        return values
    given, found = cast("Mapping[str, Any]", values), rest.copy()
    for name in given:
        if name not in names:
            raise ShapeError(f"{what} gives {name!r}; the names are {', '.join(names)}")
    for i, name in enumerate(names):
        found[i] = number(given[name], f"{what} of {name}") if name in given else rest[i]
        if np.isnan(found[i]):
            raise ShapeError(f"{what} gives nothing for {name}; give all of {', '.join(names)}")
    return found


def freeze(value: Frozen) -> Frozen:
    """`value`, of which arrays are read-only from now on, also those in tuples."""
    given: Any = value
    if isinstance(given, np.ndarray):
        given.setflags(write=False)
    elif isinstance(given, tuple):
        for each in cast("tuple[Any, ...]", given):
            freeze(each)
    return value


def own(value: Frozen) -> Frozen:
    """`value` as nobody changes it: a read-only copy of an array that somebody could write to, all else as it is."""
    given: Any = value
    return freeze(given.copy()) if _writeable(given) else given


def _writeable(value: Any) -> bool:
    """Whether a value is an array, or the view of one, that somebody can write to."""
    while isinstance(value, np.ndarray):
        if value.flags.writeable:
            return True
        value = value.base
    return False


class Value:
    """Base of beliefs, frozen dataclasses: copies and pickles take their fields, and nothing that was derived."""

    def changed(self, **fields: Any) -> Self:
        """The value with other fields, unchecked; their arrays become read-only and must not be used elsewhere."""
        new = object.__new__(type(self))
        freeze((*fields.values(),))
        new.__dict__.update(self.__getstate__() | fields)
        return new

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in _field_names(type(self))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Fill a belief, whose arrays would be writeable when they come from a pickle."""
        freeze((*state.values(),))
        self.__dict__.update(state)


@cache
def _field_names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def broadcast(*given: tuple[str, Array, int]) -> tuple[Array, ...]:
    """Arrays, each with the number of its trailing axes, as read-only arrays with the same leading axes."""
    batches = [array.shape[: array.ndim - axes] for _, array, axes in given]
    try:
        batch = np.broadcast_shapes(*batches)
    except ValueError:
        shapes = " and ".join(f"{name} has shape {array.shape}" for name, array, _ in given)
        raise ShapeError(f"{shapes}; their leading axes do not broadcast") from None
    out: list[Array] = []
    for (_, array, axes), own in zip(given, batches, strict=True):
        tail = array.shape[array.ndim - axes :]
        out.append(freeze(array if own == batch else np.broadcast_to(array, (*batch, *tail)).copy()))
    return tuple(out)


def at(index: Any, *given: tuple[Array, int]) -> tuple[Array, ...]:
    """The entries at `index` of the leading axes of arrays, each with the number of its trailing axes."""
    if given[0][0].ndim == given[0][1]:
        raise ShapeError("this belief has no leading axes to index; marginal(names) chooses components")
    where = cast("tuple[Any, ...]", index if isinstance(index, tuple) else (index,))
    where = where if any(i is Ellipsis for i in where) else (*where, ...)
    return tuple(array[(*where, *(slice(None),) * axes)] for array, axes in given)


def described(space: Space, mean: Array, std: Array, many: str) -> str:
    """Mean and deviations in words, part by part."""
    if mean.ndim > 1:
        return f"{many} of shape {mean.shape[:-1]} over {space.listing}"
    return ", ".join(p.describe(mean[s], std[t]) for p, s, t in space.layout)
